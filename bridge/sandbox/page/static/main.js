// Puts the page together: follow the log, draw what it adds up to.

import { drawCalls, setUpCalls } from "./calls.js";
import { drawNumbers, setUpComposer } from "./composer.js";
import { find } from "./dom.js";
import { drawFailures, setUpFailures } from "./failures.js";
import { drawFigures } from "./figures.js";
import { drawHeader, setUpHeader } from "./header.js";
import { follow } from "./log.js";
import { drawPhone, setUpPhone } from "./phone.js";
import { drawSlack, setUpSlack } from "./slack.js";
import { after, emptyState } from "./state.js";

let state = emptyState();
let isFirst = true;
const LOGS = ["messages", "bubbles"];

// Who looks, and where: of this tab alone, so not in the log.
const view = { user: "", room: "" };

function redraw() {
  const { setup } = state;
  view.user ||= setup.me;
  view.room ||= setup.channel;
  drawHeader(state);
  drawNumbers(setup.magic);
  drawSlack(state, view);
  drawPhone(state);
  drawCalls(state);
  drawFailures(state);
  drawFigures(state);
}

// What was there before is shown from its end, and only what follows is read aloud.
function begin() {
  for (const id of [...LOGS, "calls-box"]) find(id).scrollTop = find(id).scrollHeight;
  setTimeout(() => {
    for (const id of LOGS) find(id).setAttribute("aria-live", "polite");
  });
}

setUpHeader(() => state);
setUpCalls(redraw);
setUpComposer(view, () => state.typed);
setUpPhone(redraw);
setUpFailures(redraw);
setUpSlack(view, redraw);
follow({
  take(entries) {
    state = entries.reduce(after, state);
    redraw();
    if (isFirst) begin();
    isFirst = false;
  },
  forget: () => (state = emptyState()),
  link(isUp) {
    find("offline").hidden = isUp;
    find("offline").textContent = isUp
      ? ""
      : "The sandbox does not answer. Is bridge demo still running? Trying again …";
  },
});
