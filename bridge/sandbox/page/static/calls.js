// The timeline of API calls.

import { attempt, get, post } from "./api.js";
import { find, h, keepingTheEnd, sync, time } from "./dom.js";
import { hand, say } from "./notice.js";
import { span } from "./traffic.js";

const SHOWN = 500; // rows in the page; the log has all

export function setUpCalls(redraw) {
  find("calls-side").addEventListener("change", redraw);
  find("calls-routine").addEventListener("change", redraw);
}

export function drawCalls(state) {
  const side = find("calls-side").value;
  const withRoutine = find("calls-routine").checked;
  const rows = state.calls.filter(
    (call) => (!side || call.side === side) && (withRoutine || !call.isRoutine),
  );
  const older = rows.length - SHOWN;
  find("calls-count").textContent = String(rows.length);
  const more = find("calls-more");
  more.hidden = older <= 0;
  more.textContent = `${older} older calls are in the log: /_sandbox/log?kind=api_call`;
  keepingTheEnd(find("calls-box"), () =>
    sync(find("calls"), rows.slice(-SHOWN), drawRow),
  );
}

function drawRow(call) {
  const row = h("li", { class: call.isGood ? "call" : "call bad" });
  const button = h(
    "button",
    { type: "button", "aria-expanded": "false" },
    h(
      "span",
      { class: "when" },
      time(call.at, true),
      h("span", { class: "ms" }, span(call.ms)),
    ),
    h(
      "span",
      { class: "what" },
      h("b", {}, call.title),
      h(
        "span",
        { class: "way" },
        `${call.from} → ${call.to}${call.note ? ` · ${call.note}` : ""}`,
      ),
    ),
    h("span", { class: "code" }, call.status),
  );
  let details = null; // made when they are first wanted
  button.addEventListener("click", () => {
    details ??= row.appendChild(drawDetails(call));
    const isOpen = button.getAttribute("aria-expanded") === "true";
    details.hidden = isOpen;
    button.setAttribute("aria-expanded", String(!isOpen));
    if (!isOpen) row.scrollIntoView({ block: "nearest" });
  });
  row.append(button);
  return row;
}

function drawDetails(call) {
  return h(
    "div",
    { class: "details" },
    call.path ? h("p", { class: "path" }, call.path) : null,
    part("Request", call.request),
    part("Response", call.response),
    call.canReplay ? tools(call) : null,
  );
}

function part(title, value) {
  if (value === null || value === "") return null;
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return h(
    "div",
    {},
    h("h3", {}, title),
    h("pre", { tabindex: 0, role: "group", "aria-label": title }, text),
  );
}

function tools(call) {
  const editor = drawEditor(call);
  const edit = h(
    "button",
    { type: "button", "aria-expanded": "false" },
    "Edit and replay",
  );
  edit.addEventListener("click", () => {
    editor.hidden = !editor.hidden;
    edit.setAttribute("aria-expanded", String(!editor.hidden));
    if (!editor.hidden) editor.querySelector("textarea").focus();
  });
  const copy = async () => {
    const answer = await attempt(() => get(`curl?seq=${call.seq}`));
    if (answer) hand("The same call with curl", answer.curl);
  };
  return h(
    "div",
    {},
    h(
      "div",
      { class: "actions" },
      h(
        "button",
        { type: "button", onclick: () => replay({ seq: call.seq }) },
        "Replay",
      ),
      edit,
      h("button", { type: "button", onclick: copy }, "Copy as curl"),
    ),
    editor,
  );
}

function drawEditor(call) {
  const box = h("textarea", {
    rows: 8,
    "aria-label": "Request body to send",
    spellcheck: "false",
  });
  box.value = JSON.stringify(call.request ?? {}, null, 2);
  const send = () => {
    let body;
    try {
      body = JSON.parse(box.value);
    } catch (error) {
      say(`This is not JSON: ${error.message}`);
      return;
    }
    replay({ seq: call.seq, body });
  };
  return h(
    "div",
    { class: "editor", hidden: true },
    box,
    h("button", { type: "button", class: "primary", onclick: send }, "Send it"),
  );
}

async function replay(what) {
  if (await attempt(() => post("replay", what)))
    say("Sent again. The new call is at the end of the list.");
}
