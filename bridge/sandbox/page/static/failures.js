// The switches that make either side fail.

import { attempt, post } from "./api.js";
import { find, h } from "./dom.js";
import { numberOf } from "./phone.js";

const SIDES = [
  {
    side: "green",
    name: "GREEN-API",
    kinds: [
      ["healthy", "Healthy"],
      ["429", "429 Too many"],
      ["no_answer", "No answer"],
      ["answer_lost", "Answer lost"],
      ["not_authorized", "Not authorized"],
      ["466", "466 Quota"],
      ["no_whatsapp", "No WhatsApp"],
      ["500", "500 Error"],
      ["yellowCard", "Yellow card"],
    ],
    deeds: [],
  },
  {
    side: "slack",
    name: "Slack",
    kinds: [
      ["healthy", "Healthy"],
      ["slow", "Slow"],
      ["429", "429 Too many"],
      ["missing_scope", "Missing scope"],
      ["not_in_channel", "Not in channel"],
      ["redelivery", "Delivers twice"],
      ["outage", "503 Outage"],
    ],
    deeds: [["socket_drop", "Drop the sockets now"]],
  },
];
const ACCOUNT = [
  ["authorized", "linked"],
  ["notAuthorized", "logged out"],
  ["starting", "starting"],
  ["yellowCard", "yellow card"],
  ["suspended", "suspended"],
  ["blocked", "blocked"],
];
const APPLY = {
  next: "the next call",
  times: "the next calls",
  always: "every call",
  number: "one number",
};

const drawn = new Map(); // side → number of the entry that its switches show

export function setUpFailures(redraw) {
  find("failures").append(...SIDES.map((side, index) => drawSide(side, index, redraw)));
}

function drawSide({ side, name, kinds, deeds }, index, redraw) {
  const options = kinds.map(([kind, label]) =>
    h(
      "label",
      { class: "choice" },
      h("input", {
        type: "radio",
        name: `fault-${side}`,
        value: kind,
        checked: kind === "healthy",
      }),
      label,
    ),
  );
  const form = h(
    "form",
    { class: "side-form", "data-side": side },
    h(
      "fieldset",
      {},
      h("legend", { class: "unseen" }, `What ${name} does`),
      h("div", { class: "choices" }, options),
    ),
    h("div", { class: "apply" }, applyTo(side), side === "green" ? account() : null),
    deeds.length
      ? h(
          "div",
          { class: "actions" },
          deeds.map(([kind, label]) =>
            h(
              "button",
              { type: "button", onclick: () => order({ side, kind, apply: "next" }) },
              label,
            ),
          ),
        )
      : null,
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", async (event) => {
    if (event.target.name === "account") return;
    showExtras(form);
    const fault = chosen(form);
    // nothing is to be applied yet
    if (fault.kind === "healthy" && event.target.type !== "radio") return;
    if (await order(fault)) return;
    drawn.delete(side); // it was refused: back to what is in force
    redraw();
  });
  showExtras(form);
  return h(
    "details",
    { name: "failures", open: index === 0, id: `failures-${side}` },
    h(
      "summary",
      {},
      h("b", {}, name),
      " ",
      h("span", { class: "now", id: `fault-now-${side}` }, "healthy"),
    ),
    form,
  );
}

function applyTo(side) {
  const kinds = Object.entries(APPLY).filter(
    ([apply]) => side === "green" || apply !== "number",
  );
  return [
    h(
      "label",
      {},
      "Applies to ",
      h(
        "select",
        { name: "apply" },
        kinds.map(([apply, words]) => h("option", { value: apply }, words)),
      ),
    ),
    h(
      "label",
      { class: "extra", "data-for": "times" },
      "How many ",
      h("input", { type: "number", name: "times", min: 1, max: 99, value: 3 }),
    ),
    side === "green"
      ? h(
          "label",
          { class: "extra", "data-for": "number" },
          "Number ",
          h("input", { type: "tel", name: "number", value: "+1 415 555 0100" }),
        )
      : null,
  ];
}

function account() {
  const select = h(
    "select",
    { name: "account" },
    ACCOUNT.map(([state, words]) => h("option", { value: state }, words)),
  );
  select.addEventListener("change", () =>
    attempt(() => post("status", { state: select.value })),
  );
  return h("label", {}, "Account ", select);
}

function showExtras(form) {
  for (const extra of form.querySelectorAll(".extra"))
    extra.hidden = form.elements.apply.value !== extra.dataset.for;
}

function chosen(form) {
  const { apply, times, number } = form.elements;
  const fault = {
    side: form.dataset.side,
    kind: form.querySelector("input[type=radio]:checked").value,
    apply: apply.value,
  };
  if (apply.value === "times") fault.times = Math.max(1, Number(times.value) || 1);
  if (apply.value === "number") fault.number = number.value;
  return fault;
}

const order = (fault) => attempt(() => post("fault", fault));

// Show what is in force, as the log has it. A switch that was just thrown is left
// alone until the log knows of it.
export function drawFailures(state) {
  for (const { side, name, kinds } of SIDES) {
    const { order: fault, seq } = state.faults[side];
    if (drawn.get(side) === seq) continue;
    drawn.set(side, seq);
    const form = find(`failures-${side}`).querySelector("form");
    const kind = CSS.escape(fault?.kind ?? "healthy");
    form.querySelector(`input[value="${kind}"]`).checked = true;
    if (fault && form !== document.activeElement?.form) showApply(form, fault);
    const words = fault ? `${labelOf(kinds, fault.kind)}, ${scope(fault)}` : "healthy";
    const now = find(`fault-now-${side}`);
    now.classList.toggle("is-on", fault !== null);
    if (now.textContent === words) continue;
    now.textContent = words;
    find("failures-said").textContent = `${name}: ${words}`;
  }
  const select = find("failures-green").querySelector("[name=account]");
  if (select !== document.activeElement) select.value = state.account;
}

function showApply(form, fault) {
  form.elements.apply.value = fault.apply;
  if (fault.number) form.elements.number.value = fault.number;
  showExtras(form);
}

const labelOf = (kinds, kind) => kinds.find(([each]) => each === kind)?.[1] ?? kind;

function scope({ apply, left, number }) {
  if (apply === "times") return left === 1 ? "one more call" : `${left} more calls`;
  if (apply === "number")
    return `calls for ${/^\d+@/.test(number) ? numberOf(number) : number}`;
  return APPLY[apply] ?? "";
}
