// The phone: a tab for each customer, bubbles with ticks, answers.

import { attempt, post } from "./api.js";
import { badge, find, h, keepingTheEnd, sync, time } from "./dom.js";
import { isOn } from "./state.js";
import { whatsapp } from "./text.js";
import { sendOnEnter } from "./textbox.js";

const WORDS = {
  queued: "Waiting at GREEN-API",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
  noAccount: "This number has no WhatsApp",
  failed: "WhatsApp reports a failure",
  yellowCard: "Refused: WhatsApp has limited the sender",
  expired: "Expired after 24 hours",
};
const TICKS = { queued: 0, sent: 1, delivered: 2, read: 2 };

let chosen = null; // chat id
let followed = null; // the newest chat that was switched to
let inView = null; // id of the tab that was scrolled to
const seen = new Map(); // chat id → how many texts were shown

export function setUpPhone(redraw) {
  const form = find("answer");
  const box = find("answer-text");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text || !chosen) return;
    box.value = "";
    attempt(() => post("reply", { chat_id: chosen, text }));
  });
  sendOnEnter(box, form);
  find("chats").addEventListener("click", (event) =>
    choose(event.target.closest("button"), redraw),
  );
  find("chats").addEventListener("keydown", (event) => step(event, redraw));
  const power = find("phone-on");
  power.addEventListener("click", () => {
    const isOn = power.getAttribute("aria-checked") === "true";
    attempt(() => post("phone", { chat_id: chosen, is_on: !isOn }));
  });
}

export function drawPhone(state) {
  follow(state);
  const chat = state.chats.get(chosen) ?? null;
  if (chat) seen.set(chat.id, chat.texts.length);
  drawTabs([...state.chats.values()]);
  drawContact(chat, chat === null || isOn(state, chat.id));
  const box = find("bubbles");
  keepingTheEnd(box, () => sync(box, bubbles(chat), drawBubble));
}

// Go to the chat that was written to last, unless the customer is just answering.
function follow(state) {
  if (!state.chats.has(chosen)) chosen = followed = null;
  const isAnswering = find("answer-text").value !== "";
  if (state.newestChat === followed || isAnswering) return;
  chosen = followed = state.newestChat;
}

function drawTabs(chats) {
  const items = chats.map((chat) => {
    const unread =
      chat.id === chosen ? 0 : chat.texts.length - (seen.get(chat.id) ?? 0);
    return {
      key: chat.id,
      version: `${chat.id === chosen} ${unread} ${chat.name}`,
      chat,
      unread,
    };
  });
  const list = find("chats");
  sync(list, items, drawTab);
  list.hidden = chats.length < 2;
  const tab = list.querySelector("[aria-selected=true]");
  // not scrollIntoView: where the columns are stacked it would move the whole page
  if (tab && tab.id !== inView)
    list.scrollLeft = tab.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
  inView = tab?.id ?? null;
}

function drawTab({ chat, unread }, old) {
  const isChosen = chat.id === chosen;
  const tab =
    old ??
    h("button", {
      type: "button",
      role: "tab",
      id: `tab-${chat.id}`,
      "data-chat": chat.id,
      "aria-controls": "chat",
    });
  tab.replaceChildren(nameOf(chat), ...badge(unread));
  tab.setAttribute("aria-selected", String(isChosen));
  tab.tabIndex = isChosen ? 0 : -1;
  return tab;
}

function choose(tab, redraw) {
  if (!tab) return;
  chosen = tab.dataset.chat;
  redraw();
  tab.focus();
}

// Arrows move between tabs, as tabs do everywhere.
function step(event, redraw) {
  const tabs = [...find("chats").children];
  const at = tabs.indexOf(event.target.closest("button"));
  const target = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    Home: 0,
    End: tabs.length - 1,
  }[event.key];
  if (at < 0 || target === undefined) return;
  event.preventDefault();
  choose(tabs[(target + tabs.length) % tabs.length], redraw);
}

function drawContact(chat, isOnNow) {
  const name = chat ? nameOf(chat) : "Nobody yet";
  find("face").textContent = chat ? chat.name.slice(0, 1).toUpperCase() || "☏" : "?";
  find("contact-name").textContent = name;
  find("contact-note").textContent = chat
    ? noteOn(chat, isOnNow)
    : "The first message opens a chat";
  find("chat").setAttribute("aria-label", `Chat with ${name}`);
  const power = find("phone-on");
  power.hidden = !chat;
  power.setAttribute("aria-checked", String(isOnNow));
  power.textContent = isOnNow ? "Phone is on" : "Phone is off";
  find("answer-text").disabled = !chat;
}

function noteOn(chat, isOnNow) {
  if (!isOnNow) return "Off: messages stay at one tick";
  return chat.name ? numberOf(chat.id) : "Customer";
}

function bubbles(chat) {
  if (!chat) return [{ key: "empty", version: 0 }];
  return chat.texts.map((text) => ({
    key: `${chat.id}/${text.key}`,
    version: text.version,
    text,
  }));
}

function drawBubble({ text }, old) {
  if (!text)
    return h("p", { class: "empty" }, "Messages that reach WhatsApp appear here.");
  const node = old ?? newBubble(text);
  if (text.isFromCustomer) return node;
  const { status } = text;
  node.classList.toggle("is-lost", !(status in TICKS));
  node.classList.toggle("is-read", status === "read");
  // The news alone: what is replaced here is read aloud.
  const news = h(
    "span",
    { class: "news" },
    ticks(status),
    ` ${WORDS[status] ?? status}`,
  );
  node.querySelector(".news").replaceWith(news);
  return node;
}

function newBubble({ isFromCustomer, text, at }) {
  return h(
    "article",
    {
      class: isFromCustomer ? "bubble theirs" : "bubble ours",
      "aria-label": isFromCustomer ? "From the customer" : "From the bridge",
    },
    h("p", { class: "text" }, whatsapp(text)),
    h(
      "p",
      { class: "state" },
      time(at),
      isFromCustomer ? null : h("span", { class: "news" }),
    ),
  );
}

const CROSS = "M3 2l8 8M11 2l-8 8";
const SHAPES = [
  "M8 1a5 5 0 1 1 0 10A5 5 0 0 1 8 1M8 3v3l2 1.5", // a clock
  "M1 6.5 4.5 10 11 2",
  "M1 6.5 4.5 10 11 2M7.5 9l1 1L15 2",
];

// One tick or two; the words beside them are what is read aloud.
function ticks(status) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 16 12");
  svg.setAttribute("class", "ticks");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", SHAPES[TICKS[status]] ?? CROSS);
  svg.append(path);
  return svg;
}

const nameOf = (chat) => chat.name || numberOf(chat.id);

// +1 415 555 0100 for 14155550100@c.us; other numbers keep their digits together.
export function numberOf(id) {
  const [digits, kind] = id.split("@");
  if (kind === "g.us") return `Group …${digits.slice(-4)}`;
  const match = /^1(\d{3})(\d{3})(\d{4})$/.exec(digits);
  return match ? `+1 ${match[1]} ${match[2]} ${match[3]}` : `+${digits}`;
}
