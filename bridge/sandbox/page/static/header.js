// Above and below the columns: the state of both links, the tools, the speed.

import { attempt, get, post } from "./api.js";
import { find, h } from "./dom.js";
import { hand } from "./notice.js";

const TITLE = "Bridge sandbox";
const ACCOUNT = {
  authorized: "linked",
  notAuthorized: "logged out",
  yellowCard: "yellow card",
};

let seen = 0; // how many messages there were when the page was last looked at

export function setUpHeader(current) {
  find("reset").addEventListener("click", () => attempt(() => post("reset")));
  find("copy-test").addEventListener("click", async () => {
    const answer = await attempt(() => get("test"));
    if (answer) hand("What you did, as a test", answer.test);
  });
  find("connect").addEventListener("click", () => find("steps").showModal());
  find("speed").addEventListener("change", (event) =>
    attempt(() => post("clock", { speed: Number(event.target.value) })),
  );
  document.addEventListener("visibilitychange", () => drawTitle(current()));
}

export function drawHeader(state) {
  const { sockets, account } = state;
  const many = sockets > 1 ? ` (${sockets})` : "";
  show("slack", sockets ? `connected${many}` : "not connected", sockets > 0);
  show("green", ACCOUNT[account] ?? account, account === "authorized");
  const speed = find("speed");
  if (speed !== document.activeElement) showSpeed(speed, String(state.speed));
  drawTitle(state);
}

function show(side, words, isGood) {
  const place = find(`${side}-link-state`);
  if (place.textContent !== words) place.textContent = words;
  find(`${side}-link`).classList.toggle("is-good", isGood);
}

// The demo may run at a speed that is not in the list.
function showSpeed(select, value) {
  if (![...select.options].some((option) => option.value === value))
    select.append(h("option", { value }, `${value} times faster`));
  select.value = value;
}

function drawTitle({ noticed }) {
  if (!document.hidden || noticed < seen) seen = noticed;
  document.title = noticed > seen ? `(${noticed - seen}) ${TITLE}` : TITLE;
}
