// From log entries to rows of the timeline: who called whom, and what came of it.

const NAMES = { green: "GREEN-API", slack: "Slack" };

// Return a row for an entry, or null if it is no traffic.
export function toCall({ kind, seq, at, data }) {
  const row = KINDS[kind]?.(data);
  return row ? { ...row, key: seq, version: 0, seq, at } : null;
}

const KINDS = {
  api_call(data) {
    const row = common(data, isToBridge(data));
    return {
      ...row,
      title: isToBridge(data) ? nameOf(data.response.body) : data.method,
      note: noteOn(data),
      status: data.status === null ? "no answer" : statusOf(data),
      isGood: data.ok,
      isRoutine: data.ok && ROUTINE.has(data.method) && !isToBridge(data),
      isIdle: data.ok && isIdle(data),
      path: `${data.verb} ${data.path}`,
      canReplay: data.method !== "response_url", // its address is a secret
    };
  },

  delivery(data) {
    const { request } = data;
    const name =
      request?.command ??
      request?.actions?.[0]?.action_id ??
      request?.event?.type ??
      "";
    return {
      ...common(data, true),
      title: `${data.method} ${name}`.trim(),
      note: data.attempt ? `attempt ${data.attempt + 1}` : "",
      status: OUTCOMES[data.outcome] ?? data.outcome,
      isGood: data.outcome === "acked",
    };
  },

  connection: (data) => ({
    ...common({ side: "slack" }, false),
    title: `Socket Mode connection ${data.id}`,
    note: "",
    status: data.state,
    isGood: data.state === "open",
  }),
};

const OUTCOMES = {
  acked: "ack",
  operation_timeout: "no ack in 3 s",
  dispatch_failed: "not delivered",
  late_ack: "ack too late",
};

// The long poll that found nothing, the receipt for what it found, and the questions
// that the bridge asks now and then.
const ROUTINE = new Set([
  "receiveNotification",
  "deleteNotification",
  "getStateInstance",
  "getSettings",
]);

function common(data, isIn) {
  const [near, far] = ["bridge", NAMES[data.side]];
  return {
    side: data.side,
    from: isIn ? far : near,
    to: isIn ? near : far,
    ms: data.ms ?? null,
    request: data.request ?? null,
    response: data.response ?? null,
    isRoutine: false,
    isIdle: false,
    path: null,
    canReplay: false,
  };
}

// What a poll brought is news from the other side.
const isToBridge = (data) =>
  data.direction === "in" ||
  Boolean(data.method === "receiveNotification" && data.response?.body);

function isIdle({ method, response }) {
  if (method === "receiveNotification") return response === null;
  return method === "getStateInstance" && response?.stateInstance === "authorized";
}

function noteOn(data) {
  if (data.replay_of) return `replay of ${data.replay_of}`;
  if (isToBridge(data)) return `by ${data.method}`;
  return data.by_fault ? "made to fail" : "";
}

// 200, 429 ratelimited, 400
function statusOf({ side, status, error }) {
  return side === "slack" && error ? `${status} ${error}` : String(status);
}

// outgoingMessageStatus: read
function nameOf({ typeWebhook, status, stateInstance }) {
  const detail = status ?? stateInstance;
  return detail ? `${typeWebhook}: ${detail}` : typeWebhook;
}

// A round trip as people read it: 0.4 ms, 12 ms, 3.1 s.
export function span(ms) {
  if (ms === null) return "";
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}
