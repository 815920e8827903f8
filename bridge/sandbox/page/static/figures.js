// The funnel at the bottom: what was accepted, and how far it came.

import { find, h } from "./dom.js";
import { span } from "./traffic.js";

// The words of the bridge's cards that mean so.
const UNCLEAR = /may or may not have been sent$|checking$/;
const FAILED = /(not sent|not delivered)(, too old)?$/;

export function drawFigures(state) {
  const ours = [...state.texts.values()].filter((text) => !text.isFromCustomer);
  const answers = state.texts.size - ours.length;
  const delivered = ours.filter((text) =>
    ["delivered", "read"].includes(text.status),
  ).length;
  const read = ours.filter((text) => text.status === "read").length;
  const cards = [...state.lines.values()]
    .filter(isCard)
    .map((line) => line.message.text);
  const figures = [
    ["Accepted", ours.length],
    ["Delivered", delivered],
    ["Read", read],
    ["Failed", cards.filter((text) => FAILED.test(text)).length],
    ["Unconfirmed", cards.filter((text) => UNCLEAR.test(text)).length],
    ["Answers", answers],
    ["Slack ack p50", span(median(state.acks)) || "–"],
  ];
  find("figures").replaceChildren(
    ...figures.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, String(value))),
    ),
  );
  drawFunnel({ accepted: ours.length, delivered, read });
}

// The first message of a thread of the bridge tells how the delivery stands.
const isCard = (line) =>
  String(line.message.metadata?.event_payload?.k ?? "").endsWith(":root");

// The figures again, as the lengths of three bars, one upon the other.
function drawFunnel(counts) {
  for (const [name, count] of Object.entries(counts)) {
    const width = counts.accepted ? (count / counts.accepted) * 100 : 0;
    find(`funnel-${name}`).setAttribute("width", String(width));
  }
}

function median(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
