// What the entries of the log add up to. No drawing here.

import { unescape } from "./text.js";
import { toCall } from "./traffic.js";

const STEPS = ["queued", "sent", "delivered", "read"];

const HEALTHY = { order: null, seq: 0 }; // the number of the entry that said so

export function emptyState() {
  return {
    setup: {
      me: "",
      channel: "",
      bot: { id: "", name: "Bridge" },
      users: [],
      channels: [],
      magic: [],
    },
    rooms: new Map(), // channel id → its lines, oldest first
    lines: new Map(), // "channel/ts" → line
    presses: new Map(), // press id → line
    chats: new Map(), // chat id → {id, name, texts, version}
    texts: new Map(), // idMessage → text on the phone
    phones: { areOff: false, others: new Set() }, // all but the others are so
    newestChat: null, // the one that was written to last
    calls: [],
    idle: new Map(), // method → its last call that came to nothing
    acks: [], // milliseconds until the bridge acknowledged a command or a press
    typed: [], // what was typed, to be recalled
    faults: { slack: HEALTHY, green: HEALTHY },
    sockets: 0,
    account: "authorized",
    speed: 1,
    noticed: 0, // messages to people, for the title
  };
}

// Return the state after one more entry; the given one is changed.
export function after(state, entry) {
  if (entry.kind === "reset") return emptyState(); // a setup follows
  KINDS[entry.kind]?.(state, entry.data, entry);
  const call = toCall(entry);
  if (call) addCall(state, call);
  return state;
}

export const isOn = ({ phones }, id) => phones.areOff === phones.others.has(id);

const KINDS = {
  setup(state, data, { seq }) {
    state.setup = data;
    state.phones = { areOff: data.all_phones_off, others: new Set(data.phones_off) };
    for (const side of ["slack", "green"])
      state.faults[side] = { order: data.faults[side], seq };
    state.sockets = data.connections;
    state.account = data.state;
    state.speed = data.speed;
  },
  step(state, { action, body }) {
    if (action === "say") state.typed.push(body.text);
  },
  command(state, data, { seq, at }) {
    const text = `${data.command} ${data.typed ?? unescape(data.text)}`.trim();
    add(state, data.channel, {
      kind: "echo",
      message: { user: data.user, text },
      ts: data.id,
      seq,
      at,
    });
  },
  refusal: addNotice,
  outcome(state, data, entry) {
    if (data.text) return addNotice(state, data, entry);
    const line = state.presses.get(data.id);
    if (!line) return;
    state.presses.delete(data.id);
    const problem = data.outcome === "acked" ? null : data.outcome;
    Object.assign(line, { pressed: null, problem, version: entry.seq });
  },
  delivery(state, data) {
    if (data.outcome === "acked" && data.method !== "events_api")
      state.acks.push(data.ms);
  },
  press(state, data, { seq }) {
    const line = state.lines.get(`${data.channel}/${data.message_ts}`);
    if (!line) return;
    Object.assign(line, { pressed: data.action_id, version: seq });
    state.presses.set(data.id, line);
  },
  ephemeral(state, data, { seq, at }) {
    const replaced =
      data.replaces && state.lines.get(`${data.channel}/${data.replaces}`);
    if (!replaced)
      return add(state, data.channel, {
        kind: "ephemeral",
        message: data,
        ts: data.ts,
        seq,
        at,
      });
    state.lines.set(`${data.channel}/${data.ts}`, replaced);
    Object.assign(replaced, { message: data, version: seq });
  },
  message(state, { channel, message }, { seq, at }) {
    add(state, channel, { kind: "message", message, ts: message.ts, seq, at });
    if (message.bot_id) state.noticed += 1;
  },
  update(state, { channel, message }, { seq }) {
    const line = state.lines.get(`${channel}/${message.ts}`);
    if (line) Object.assign(line, { message, version: seq });
  },
  deletion(state, data) {
    const line = state.lines.get(`${data.channel}/${data.ts}`);
    if (!line) return;
    line.siblings.splice(line.siblings.indexOf(line), 1);
    state.lines.delete(`${data.channel}/${data.ts}`);
  },
  accepted(state, data, { seq, at }) {
    addText(state, data, { isFromCustomer: false, status: "queued", version: seq, at });
    state.newestChat = data.chat_id;
  },
  status(state, data, { seq }) {
    const text = state.texts.get(data.id);
    if (!text) return;
    const [was, is] = [STEPS.indexOf(text.status), STEPS.indexOf(data.status)];
    if (is >= 0 && is < was) return; // late news never lead backwards
    Object.assign(text, { status: data.status, version: seq });
  },
  expired: (state, data, entry) =>
    KINDS.status(state, { id: data.id, status: "expired" }, entry),
  incoming(state, data, { seq, at }) {
    const chat = addText(state, data, {
      isFromCustomer: true,
      status: null,
      version: seq,
      at,
    });
    if (data.sender_name && !data.chat_id.endsWith("@g.us"))
      chat.name = data.sender_name;
    state.noticed += 1;
  },
  phone({ phones }, data) {
    if (data.chat_id === null) {
      phones.areOff = !data.is_on;
      phones.others.clear();
    } else if (data.is_on === phones.areOff) phones.others.add(data.chat_id);
    else phones.others.delete(data.chat_id);
  },
  state(state, data) {
    state.account = data.state;
  },
  connection(state, data) {
    state.sockets = data.connections;
  },
  membership({ setup }, data) {
    const channel = setup.channels.find((each) => each.id === data.channel);
    if (channel && data.user === setup.bot.id) channel.has_bot = data.is_member;
  },
  fault(state, data, { seq }) {
    state.faults[data.side] = { order: data.left === 0 ? null : data, seq };
  },
  clock(state, data) {
    state.speed = data.speed;
  },
};

// What Slack itself tells one person.
function addNotice(state, data, { seq, at }) {
  const message = { user: data.user, text: data.text, thread_ts: data.thread_ts };
  add(state, data.channel, { kind: "notice", message, ts: `notice-${seq}`, seq, at });
}

// Put a line into its channel, or into the thread it belongs to.
function add(state, channel, { kind, message, ts, seq, at }) {
  const parent =
    message.thread_ts !== ts && state.lines.get(`${channel}/${message.thread_ts}`);
  const room = state.rooms.get(channel) ?? [];
  state.rooms.set(channel, room);
  const siblings = parent ? parent.replies : room;
  const line = {
    key: ts,
    version: seq,
    kind,
    channel,
    message,
    at,
    siblings,
    replies: [],
    pressed: null,
    problem: null,
  };
  siblings.push(line);
  state.lines.set(`${channel}/${ts}`, line);
}

function addText(state, { id, chat_id: chatId, text }, how) {
  const chat = state.chats.get(chatId) ?? { id: chatId, name: "", texts: [] };
  state.chats.set(chatId, chat);
  const added = { key: id, text, ...how };
  chat.texts.push(added);
  state.texts.set(id, added);
  return chat;
}

// Of calls that repeat for ever while nothing happens, the log keeps only the last.
function addCall(state, call) {
  if (call.isIdle) {
    const before = state.idle.get(call.title);
    if (before) state.calls.splice(state.calls.lastIndexOf(before), 1);
    state.idle.set(call.title, call);
  }
  state.calls.push(call);
}
