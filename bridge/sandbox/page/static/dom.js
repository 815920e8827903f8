// Building and updating the page. Text only ever enters as text nodes: whatever a
// phone or a Slack user wrote can't become markup.

export const find = (id) => document.getElementById(id);

// h("button", { class: "quiet", onclick: act }, "Send") makes an element. Attributes
// that are null, undefined or false are left out.
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== ""));
  return node;
}

const drawings = new WeakMap(); // list → Map(key → {node, version})

// Bring the children of a list in line with items, which have a key and a version.
// What has not changed is not touched, so that focus stays and nothing is read aloud
// twice. draw(item, node) gets the node of an older version and may update and return
// it.
export function sync(list, items, draw) {
  const before = drawings.get(list) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const old = before.get(item.key);
    const isSame = old !== undefined && old.version === item.version;
    const node = isSame ? old.node : draw(item, old?.node ?? null);
    if (old && old.node !== node) old.node.remove();
    now.set(item.key, { node, version: item.version });
  }
  for (const [key, { node }] of before) if (!now.has(key)) node.remove();
  let place = list.firstElementChild;
  for (const { node } of now.values()) {
    if (node === place) place = place.nextElementSibling;
    else list.insertBefore(node, place);
  }
  drawings.set(list, now);
}

// Run a change of a scrolling box; if its end was in view, keep it in view.
export function keepingTheEnd(box, change) {
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
  change();
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

// Replace what is inside a node; if the focus was in there, the node itself takes it.
export function refill(node, ...children) {
  const hadFocus =
    node.contains(document.activeElement) && node !== document.activeElement;
  node.replaceChildren(...children);
  if (hadFocus) {
    node.tabIndex = -1;
    node.focus({ preventScroll: true });
  }
}

// A count of what is new; nothing for none.
export const badge = (count) =>
  count > 0
    ? [
        h(
          "span",
          { class: "badge" },
          String(count),
          h("span", { class: "unseen" }, " new"),
        ),
      ]
    : [];

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const SHORT_CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
});

// A <time> for Unix seconds.
export function time(at, isExact = false) {
  const date = new Date(at * 1000);
  const words = (isExact ? CLOCK : SHORT_CLOCK).format(date);
  return h("time", { datetime: date.toISOString() }, words);
}
