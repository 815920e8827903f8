// The Slack side: the conversations, who looks at them, and the one in view.

import { badge, find, h, keepingTheEnd, sync } from "./dom.js";
import { drawLine, isFor, shown } from "./messages.js";

const READ = new Map(); // channel id → how many of its lines were in view

export function setUpSlack(view, redraw) {
  find("user").addEventListener("change", (event) => {
    view.user = event.target.value;
    redraw();
  });
  find("rooms").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    view.room = button.dataset.room;
    redraw();
    find("messages").scrollTop = find("messages").scrollHeight;
  });
}

// view: { user, room }, who looks and where
export function drawSlack(state, view) {
  const rooms = roomsOf(state, view);
  const room = rooms.find((each) => each.id === view.room) ?? {
    title: "…",
    hasBot: true,
  };
  const page = { ...view, names: namesOf(state.setup) };
  drawPeople(state.setup.users, view.user);
  drawRooms(rooms, view);
  find("slack-title").textContent = room.title;
  find("composer-room").textContent = room.title.replace("# ", "#");
  find("room-note").hidden = room.hasBot;
  const box = find("messages");
  const lines = (state.rooms.get(view.room) ?? []).filter(isFor(view.user));
  const items = lines.length ? lines.map((line) => shown(line, page)) : [EMPTY];
  keepingTheEnd(box, () =>
    sync(box, items, (item, old) =>
      item === EMPTY ? drawEmpty() : drawLine(item.line, old, page),
    ),
  );
}

const namesOf = ({ users, channels, bot }) => ({
  users: new Map(users.map((user) => [user.id, user.real_name || user.name])),
  channels: new Map(channels.map((channel) => [channel.id, channel.name])),
  bot: bot.name,
});

// The channels of the first day, and every conversation that began since.
function roomsOf({ setup, rooms }, view) {
  const listed = setup.channels
    .filter(
      ({ kind, is_archived: isArchived }) =>
        (kind === "channels" || kind === "groups") && !isArchived,
    )
    .map((each) => ({
      id: each.id,
      title: `${each.kind === "groups" ? "🔒" : "#"} ${each.name}`,
      hasBot: each.has_bot ?? true,
    }));
  const known = new Set(listed.map((room) => room.id));
  const begun = [...rooms.keys()]
    .filter((id) => !known.has(id))
    .map((id) => ({ id, title: `@ ${setup.bot.name}`, hasBot: true }));
  return [...listed, ...begun].map((room) => ({
    ...room,
    unread: unreadIn(room.id, rooms, view),
  }));
}

function unreadIn(id, rooms, view) {
  const count = rooms.get(id)?.length ?? 0;
  if (id === view.room || count < (READ.get(id) ?? 0)) READ.set(id, count);
  return count - (READ.get(id) ?? 0);
}

const EMPTY = { key: "empty", version: 0 };

const drawEmpty = () =>
  h(
    "p",
    { class: "empty" },
    "Nothing here yet. Type ",
    h("code", {}, "/whatsapp +1 415 555 0100 Hello"),
    " below, or take one of the examples.",
  );

function drawRooms(rooms, view) {
  const items = rooms.map((room) => ({
    key: room.id,
    version: `${room.id === view.room} ${room.unread}`,
    room,
  }));
  sync(find("rooms"), items, ({ room }, old) => {
    const button =
      old?.firstChild ?? h("button", { type: "button", "data-room": room.id });
    button.replaceChildren(room.title, ...badge(room.unread));
    if (room.id === view.room) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    return old ?? h("li", {}, button);
  });
}

function drawPeople(users, user) {
  const people = users.filter((each) => !each.is_bot && !each.deleted);
  const items = people.map((each) => ({ key: each.id, version: each.real_name, each }));
  sync(find("user"), items, ({ each }) =>
    h(
      "option",
      { value: each.id, selected: each.id === user },
      each.real_name || each.name,
    ),
  );
}
