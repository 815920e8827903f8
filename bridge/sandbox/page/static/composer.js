// Where a Slack user types: command menu, recall, examples.

import { attempt, post } from "./api.js";
import { find, h, sync } from "./dom.js";
import { grow, sendOnEnter } from "./textbox.js";

const COMMANDS = [
  {
    text: "/whatsapp ",
    shows: "/whatsapp <number> <text>",
    says: "Send a WhatsApp message",
  },
  { text: "/whatsapp status", shows: "/whatsapp status", says: "Your latest messages" },
  { text: "/whatsapp help", shows: "/whatsapp help", says: "How it works" },
];
const HINT = "Enter sends, Shift+Enter begins a line, ↑ brings back what you typed.";
const FROM_PHONE = "Sent as phones type: curly quotes, numbers as links, long dashes.";
const USAGE = "Number with + and country code, a blank, then the text.";

// view: { user, room }; typed(): what was typed so far, oldest first
export function setUpComposer(view, typed) {
  const box = find("composer-text");
  const form = find("composer");
  const menu = newMenu(box);
  const recall = newRecall(box, typed);

  const isFromPhone = find("typed-on-a-phone");
  const hint = () => {
    const usual = box.value.startsWith("/whatsapp ") ? USAGE : HINT;
    find("composer-hint").textContent = isFromPhone.checked ? FROM_PHONE : usual;
  };
  isFromPhone.addEventListener("change", hint);
  const changed = () => {
    menu.update();
    grow(box);
    hint();
  };
  const put = (text) => {
    box.value = text;
    box.focus();
    box.setSelectionRange(text.length, text.length);
    changed();
  };
  box.addEventListener("input", () => {
    recall.stop();
    changed();
  });
  box.addEventListener("blur", () => menu.close());
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const text = menu.key(event) ?? recall.key(event);
    if (text === null || text === undefined) return;
    event.preventDefault();
    if (text !== "") put(text);
  });
  menu.onchoose = put;
  sendOnEnter(box, form);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    put("");
    recall.stop();
    attempt(() =>
      post("say", {
        user: view.user,
        channel: view.room,
        text,
        typed_on_a_phone: isFromPhone.checked,
      }),
    );
  });
  for (const button of form.querySelectorAll("[data-example]"))
    button.addEventListener("click", () => put(button.dataset.example));
  setUpNumbers(put);
}

function setUpNumbers(put) {
  const button = find("numbers-button");
  const panel = find("numbers");
  const show = (isOpen) => {
    panel.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  };
  button.addEventListener("click", () => show(panel.hidden));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    show(false);
    button.focus();
  });
  panel.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    show(false);
    put(`/whatsapp ${chosen.dataset.number} Hello`);
  });
}

// Numbers at which messages always end in the same way.
export function drawNumbers(magic) {
  const items = magic.map((each) => ({
    key: each.number,
    version: each.outcome,
    each,
  }));
  sync(find("numbers-list"), items, ({ each }) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", "data-number": each.number },
        h("b", {}, each.number),
        " ",
        each.outcome,
      ),
    ),
  );
}

// The list of commands above the box. key() returns the text to put there, "" if the
// key was used up, null if it is none of its business.
function newMenu(box) {
  const list = find("menu");
  const menu = { onchoose: null };
  let options = [];
  let active = -1;

  const show = () => {
    list.hidden = options.length === 0;
    list.replaceChildren(
      ...options.map((option, index) =>
        h(
          "div",
          {
            role: "option",
            id: `command-${index}`,
            "aria-selected": String(index === active),
            // not click: the box would have lost the focus, and this its place
            onmousedown: (event) => {
              event.preventDefault();
              menu.onchoose(option.text);
            },
          },
          h("b", {}, option.shows),
          " ",
          h("span", { class: "hint" }, option.says),
        ),
      ),
    );
    if (active >= 0 && !list.hidden)
      box.setAttribute("aria-activedescendant", `command-${active}`);
    else box.removeAttribute("aria-activedescendant");
  };

  menu.update = () => {
    const typed = box.value;
    options = typed.startsWith("/")
      ? COMMANDS.filter(({ text }) => text.startsWith(typed) && text !== typed)
      : [];
    // A complete command is sent by Enter; a beginning is completed by it.
    active = options.length && typed !== "/whatsapp" && typed !== "/whatsapp " ? 0 : -1;
    show();
  };
  menu.close = () => {
    options = [];
    active = -1;
    show();
  };
  menu.key = (event) => {
    if (!options.length) return null;
    if (event.key === "Escape") {
      menu.close();
      return "";
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      active =
        (active + step + options.length + (active < 0 && step < 0 ? 1 : 0)) %
        options.length;
      show();
      return "";
    }
    const isChosen =
      active >= 0 && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey;
    return isChosen ? options[active].text : null;
  };
  return menu;
}

// ↑ and ↓ through what was typed before, as in a shell.
function newRecall(box, typed) {
  let back = 0; // how many steps; 0 is not recalling
  const key = (event) => {
    const isUp = event.key === "ArrowUp";
    if (!isUp && !(event.key === "ArrowDown" && back)) return null;
    if (isUp && !back && box.value) return null; // the arrow moves in the text
    const all = typed();
    back = Math.max(0, Math.min(all.length, back + (isUp ? 1 : -1)));
    if (!back) {
      box.value = "";
      return "";
    }
    return all[all.length - back];
  };
  return { key, stop: () => (back = 0) };
}
