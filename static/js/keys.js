// Keys. Those made of one character act only while no field has the focus, and one switch in the profile turns them
// off. A page adds its own by `data-key` on the button or link that does the same: the key presses it.
import { firstPin } from "./pins.js";
import { openJump } from "./jump.js";

const body = document.body, main = document.getElementById("main");
const ROW = "tbody tr, [data-list] li, .feed li", GO_MS = 1500, FIELD = "input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]";
let going = 0, place = null, chosen = null;

const shown = (element) => element.checkVisibility();
const press = (selector, within = document) => {
  const found = [...within.querySelectorAll(selector)].find(shown);
  found?.click();
  return Boolean(found);
};

// ---- lists
const rows = () => [...main.querySelectorAll(ROW)].filter((row) => row.querySelector("a[href]") && shown(row));
const here = (list) => {
  const row = document.activeElement.closest(ROW);
  return row ? list.indexOf(row) : list.findIndex((each) => each.id && each.id === place);
};
const move = (by) => {
  const list = rows(), at = here(list), to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), list.length - 1);
  if (!list.length) return;
  place = list[to].id;
  list[to].querySelector("a[href]").focus({ preventScroll: true });
  list[to].scrollIntoView({ block: "nearest" });
};
const select = (range) => {
  const boxes = rows().map((row) => row.querySelector("input[type=checkbox]")), at = here(rows()), box = boxes[at];
  if (!box) return;
  const from = range && chosen !== null ? chosen : at, checked = range ? true : !box.checked;
  for (const each of boxes.slice(Math.min(from, at), Math.max(from, at) + 1)) if (each && each.checked !== checked) each.click();
  chosen = at;
};
const filter = () => {
  const field = [...main.querySelectorAll("[data-filter], input[type=search]")].find(shown);
  field?.focus();
  field?.select();
  return Boolean(field);
};

const ACTS = {
  "/": () => openJump(),
  "?": () => document.getElementById("keys")?.togglePopover(),
  t: () => document.querySelector("[data-theme-switch]")?.requestSubmit(),
  g: () => { going = Date.now(); },
  j: () => move(1), k: () => move(-1),
  x: () => select(false), X: () => select(true),
  f: filter,
  n: () => firstPin()?.click(),
  "[": () => press("a[rel~=prev], a[rel~=first]", main), "]": () => press("a[rel~=next]", main),
};

const go = (key) => {
  going = 0;
  const link = document.querySelector(`.side [data-go="${CSS.escape(key)}"]`);
  if (link) location.href = link.href;
};

const one = (event) => {
  if (body.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest?.(FIELD);
  if ((field && shown(field)) || document.querySelector("dialog[open]")) return;
  const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
  if (Date.now() - going < GO_MS) { event.preventDefault(); go(key); return; }
  if (press(`[data-key="${CSS.escape(key)}"]`, main)) { event.preventDefault(); return; }
  if (!(key in ACTS)) return;
  event.preventDefault();
  ACTS[key]();
};

// An address that ends in the name of a dialog opens it, as from the jump list.
const unfold = () => {
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches("[popover]:not(:popover-open)")) named.showPopover();
};
window.addEventListener("hashchange", unfold);
unfold();

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openJump();
  } else if (event.key === "Escape") {
    document.querySelectorAll(".toast").forEach((each) => each.remove());
  } else {
    one(event);
  }
});
