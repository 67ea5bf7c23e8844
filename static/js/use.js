// Whether a person is using a region: a swap would then move something under the fingers.
export const ROWS = "tr[id], li[id]";

let pressed = null;
addEventListener("pointerdown", (event) => { pressed = event.target; }, true);
// A click comes after the pointer is up again, so the place it will hit is kept a little longer.
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, () => setTimeout(() => { pressed = null; }, 300), true);
}

const OPEN = ":popover-open, dialog[open], input[type=checkbox]:checked";
const TYPED = "input:not([type=checkbox], [type=radio], [type=hidden]), textarea";

const focused = (region) => {
  const focus = document.activeElement;
  if (!region.contains(focus) || focus === region) return false;
  return !focus.matches(".scroll") || focus.matches(":focus-visible");  // a click into a table is not yet work in it
};
const chosen = (region) => {
  const text = getSelection();
  return !text.isCollapsed && region.contains(text.anchorNode);
};

/** Does it hold the focus, the pressed pointer, a selection, an open menu or a text that was begun? */
export const inUse = (region) =>
  focused(region) || region.contains(pressed) || chosen(region) || region.querySelector(OPEN) !== null ||
  [...region.querySelectorAll(TYPED)].some((field) => field.value !== field.defaultValue);

/** Rests the pointer on one of its rows? A finger does not rest. */
export const pointedAt = (region) =>
  matchMedia("(hover: hover)").matches && region.querySelector(`:is(${ROWS}):hover`) !== null;

export const rowIds = (part) => [...part.querySelectorAll(ROWS)].map((row) => row.id);

/** Would rows move under the pointer? */
export const wouldMove = (region, coming) => {
  const there = rowIds(coming);
  return pointedAt(region) && rowIds(region).some((id, i) => there[i] !== id);
};
