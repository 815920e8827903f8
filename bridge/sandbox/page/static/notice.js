// Short words from the page itself, and its dialogs.

import { find, h } from "./dom.js";

let ends = 0;

// Show a sentence for a while; screen readers read it.
export function say(words) {
  const notice = find("notice");
  notice.textContent = words;
  notice.hidden = false;
  clearTimeout(ends);
  ends = setTimeout(() => {
    notice.hidden = true;
    notice.textContent = "";
  }, 8000);
}

// Show a text to take away, and put it on the clipboard if the browser lets us.
export async function hand(title, text) {
  const box = find("handout");
  find("handout-title").textContent = title;
  find("handout-text").textContent = text;
  find("handout-said").textContent = "";
  box.showModal();
  let said = "Copied to the clipboard.";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    said = "The browser does not allow copying here: select the text and copy it.";
  }
  find("handout-said").textContent = said;
}

// Ask as a button's confirm object says; resolve to whether the answer was yes.
export function confirm({ title, text, confirm: yes, deny: no }) {
  const box = find("question");
  const accept = h("button", { value: "yes", class: "primary" }, yes?.text ?? "Yes");
  const deny = h("button", { value: "no" }, no?.text ?? "Cancel");
  find("question-title").textContent = title?.text ?? "Are you sure?";
  find("question-text").textContent = text?.text ?? "";
  find("question-answers").replaceChildren(deny, accept);
  box.returnValue = "no"; // that is what Escape means
  box.showModal();
  deny.focus();
  return new Promise((resolve) => {
    box.addEventListener("close", () => resolve(box.returnValue === "yes"), {
      once: true,
    });
  });
}
