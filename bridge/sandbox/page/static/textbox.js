// Boxes to type in: they grow with the text, and Enter sends.

// Shift+Enter begins a line; while an input method is composing, Enter is its own.
export function sendOnEnter(box, form) {
  box.addEventListener("keydown", (event) => {
    if (
      event.key !== "Enter" ||
      event.shiftKey ||
      event.isComposing ||
      event.defaultPrevented
    )
      return;
    event.preventDefault();
    form.requestSubmit();
  });
  box.addEventListener("input", () => grow(box));
}

export function grow(box) {
  box.style.height = "auto";
  box.style.height = `${Math.min(box.scrollHeight + 2, 160)}px`;
}
