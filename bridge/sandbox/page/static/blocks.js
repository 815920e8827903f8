// Block Kit: the blocks an app may send, as far as a message shows them.

import { h } from "./dom.js";
import { mrkdwn } from "./text.js";

// press(button) is called when a button was pressed and its question answered with yes.
export function draw(blocks, names, press) {
  return blocks.map((block) => (KINDS[block.type] ?? unknown)(block, names, press));
}

const KINDS = {
  section(block, names, press) {
    const fields = (block.fields ?? []).map((field) => h("p", {}, text(field, names)));
    return h(
      "div",
      { class: "section" },
      block.text ? h("p", {}, text(block.text, names)) : null,
      fields.length ? h("div", { class: "fields" }, fields) : null,
      block.accessory ? element(block.accessory, names, press) : null,
    );
  },
  context: (block, names, press) =>
    h(
      "p",
      { class: "context" },
      block.elements.map((each) => element(each, names, press)),
    ),
  actions: (block, names, press) =>
    h(
      "div",
      { class: "actions" },
      block.elements.map((each) => element(each, names, press)),
    ),
  header: (block, names) => h("p", { class: "header" }, text(block.text, names)),
  divider: () => h("hr"),
};

const unknown = (block) =>
  h("p", { class: "context" }, `(a block of type “${block.type}”, not drawn here)`);

function text(object, names) {
  return object.type === "mrkdwn" ? mrkdwn(object.text, names) : [object.text];
}

function element(each, names, press) {
  if (each.type === "button") return button(each, press);
  if (each.type === "image") return h("span", {}, `[${each.alt_text}]`);
  if (each.text) return h("span", {}, text(each, names));
  return unknown(each);
}

function button(each, press) {
  const style = each.style === "primary" || each.style === "danger" ? each.style : null;
  return h(
    "button",
    { type: "button", class: style, onclick: () => press(each) },
    each.text.text,
  );
}
