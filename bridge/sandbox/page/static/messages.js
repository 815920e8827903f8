// The lines of a channel: messages with their threads, commands, private notes.

import { attempt, post } from "./api.js";
import * as blocks from "./blocks.js";
import { h, refill, sync, time } from "./dom.js";
import { confirm } from "./notice.js";
import { mrkdwn } from "./text.js";
import { sendOnEnter } from "./textbox.js";

const filled = new WeakMap(); // message → version of what stands in it

// Others do not see what was shown to one person only.
export const isFor = (user) => (line) =>
  line.kind === "message" || line.message.user === user;

// A thread's version is that of its newest part. Who looks is part of the key.
export function shown(line, page) {
  const replies = line.replies.filter(isFor(page.user));
  const version = [line, ...replies].map((each) => each.version).join(" ");
  return { key: `${page.user}/${line.channel}/${line.key}`, version, line };
}

// page: { user, names }; names as text.js wants them, and that of the bridge
export function drawLine(line, old, page) {
  if (line.kind === "echo") return drawEcho(line, page);
  const node = old ?? newMessage(line, page);
  // Of a thread with a new reply only that is to be read aloud.
  if (filled.get(node) !== line.version)
    refill(node.querySelector(":scope > .content"), ...content(line, page));
  filled.set(node, line.version);
  const replies = line.replies
    .filter(isFor(page.user))
    .map((reply) => shown(reply, page));
  const list = node.querySelector(":scope > .thread > .replies");
  if (list) sync(list, replies, (item, before) => drawLine(item.line, before, page));
  return node;
}

const drawEcho = (line, page) =>
  h(
    "p",
    { class: "echo" },
    h("b", {}, page.names.users.get(line.message.user) ?? line.message.user),
    " ran ",
    h("code", {}, line.message.text),
    " ",
    time(line.at),
  );

function newMessage(line, page) {
  const isPrivate = line.kind !== "message";
  const isReply =
    Boolean(line.message.thread_ts) && line.message.thread_ts !== line.key;
  return h(
    "article",
    {
      class: isPrivate ? "message private" : "message",
      "aria-label": `${author(line, page)}${isPrivate ? ", only visible to you" : ""}`,
    },
    h("div", { class: "content" }),
    isPrivate || isReply ? null : thread(line, page),
  );
}

function author({ kind, message }, page) {
  if (kind === "notice") return "Slack";
  if (kind === "ephemeral") return page.names.bot;
  return (
    message.bot_profile?.name ??
    page.names.users.get(message.user) ??
    message.user ??
    page.names.bot
  );
}

function content(line, page) {
  const { kind, message } = line;
  const isApp = kind === "ephemeral" || Boolean(message.bot_id);
  const name = author(line, page);
  const face = isApp ? "⇄" : name.slice(0, 1).toUpperCase();
  const note = kind === "message" ? null : "Only visible to you";
  return [
    h("span", { class: isApp ? "face app" : "face", "aria-hidden": "true" }, face),
    h(
      "div",
      { class: "said" },
      note && h("p", { class: "only-you" }, note),
      h(
        "p",
        { class: "by" },
        h("b", {}, name),
        isApp ? h("span", { class: "tag" }, "APP") : null,
        time(line.at),
        message.edited ? h("span", { class: "hint" }, "(edited)") : null,
      ),
      body(line, page),
      line.pressed && h("p", { class: "hint" }, "Pressed. Waiting for the bridge …"),
      line.problem &&
        h("p", { class: "trouble" }, `It failed with the error “${line.problem}”.`),
    ),
  ];
}

function body(line, { names, user }) {
  const { blocks: given, text } = line.message;
  if (given?.length)
    return blocks.draw(given, names, (button) => pressed(line, button, user));
  return h("p", { class: "text" }, mrkdwn(text, names));
}

async function pressed(line, button, user) {
  if (button.confirm && !(await confirm(button.confirm))) return;
  await attempt(() =>
    post("click", {
      user,
      channel: line.channel,
      message_ts: line.message.ts,
      action_id: button.action_id,
    }),
  );
}

function thread(line, page) {
  const box = h("textarea", { rows: 1, "aria-label": "Reply in this thread" });
  const open = h(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "false" },
    "Reply in thread",
  );
  const form = h(
    "form",
    { class: "line", hidden: true },
    box,
    h("button", { type: "submit" }, "Send"),
  );
  open.addEventListener("click", () => {
    form.hidden = !form.hidden;
    open.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) box.focus();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    attempt(() =>
      post("say", {
        user: page.user,
        channel: line.channel,
        text,
        thread_ts: line.message.ts,
      }),
    );
  });
  sendOnEnter(box, form);
  return h("div", { class: "thread" }, h("div", { class: "replies" }), open, form);
}
