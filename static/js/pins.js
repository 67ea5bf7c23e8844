// What a region says of itself at its top, over its content and without moving it: that there is something new, which N
// or a click lets in, or how old it is since it could not be asked for.
import { rowIds } from "./use.js";
import { renew, wished } from "./ask.js";

const plain = (part) => {
  const copy = part.cloneNode(true);
  copy.querySelectorAll(".pinned, time").forEach((each) => each.remove());
  return copy.textContent.replace(/\s+/g, " ").trim();
};

/** In words, what `coming` has that `region` has not; "" when they say the same. */
export const difference = (region, coming) => {
  const here = new Set(rowIds(region)), fresh = rowIds(coming).filter((id) => !here.has(id)).length;
  if (fresh) return `${fresh} new`;
  return plain(region) === plain(coming) ? "" : "Has changed";
};

const nameOf = (region) => region.getAttribute("aria-label") ?? region.querySelector("h2")?.textContent ?? document.title.split(" · ")[0];

const made = (region) => {
  const button = document.createElement("button");
  button.type = "button";
  button.addEventListener("click", () => renew(region, wished));
  region.prepend(button);
  return button;
};

/** Puts a pin of this kind (`news` or `stale`) on the region; no words take it away. */
export const pin = (region, words, kind = "news") => {
  const there = region.querySelector(":scope > .pinned");
  if (!words) { there?.remove(); return; }
  if (there?.dataset.words === words) return;
  const button = there ?? made(region), key = document.createElement("span");
  key.className = "kbd";
  key.textContent = "N";
  button.className = `pinned ${kind}`;
  button.dataset.words = words;
  button.replaceChildren(words, key);
  if (kind === "news") document.getElementById("said").textContent = `${words}, ${nameOf(region)}`;
};

/** The pin that N presses: of the region with the focus, else the first. */
export const firstPin = () =>
  document.activeElement?.closest("[data-held], [data-aged]")?.querySelector(".pinned") ?? document.querySelector(".pinned");
