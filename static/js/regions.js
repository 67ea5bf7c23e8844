// Swaps regions, unless that would move what a person is using: then a pin says what is new. What failed says so in its
// own place, and the others go on.
import { ROWS, inUse, pointedAt, wouldMove } from "./use.js";
import { renew, signalled, wished } from "./ask.js";
import { difference, pin } from "./pins.js";

const body = document.body, LIVE = "[hx-trigger*='live:']", STALE = 30000, SLOW = 300, FLASHES = 5000;
const VALUES = ".stat .v, [data-flash], tr[id] td.n";
const known = new Map(), flashed = new Map(), begun = Date.now();
let before = null;

const fails = (region) => { region.dataset.aged = ""; };
const holds = (region, words) => {
  pin(region, words);
  if (words) region.dataset.held = ""; else delete region.dataset.held;
};

body.addEventListener("htmx:beforeSwap", (event) => {
  const answer = event.detail, region = answer.target, ok = answer.xhr.status < 400;
  before = null;
  if (!region.matches?.(LIVE)) return;
  const coming = new DOMParser().parseFromString(answer.serverResponse, "text/html").getElementById(region.id);
  const live = signalled.has(region.id) && !wished.has(region.id);
  if (ok) {
    known.set(region.id, Date.now());
    delete region.dataset.aged;
    body.dispatchEvent(new CustomEvent("region:known"));
  }
  if (!answer.shouldSwap || (!coming && ok)) return;
  if (!coming || (!ok && live && inUse(region))) {  // an answer of something in between, or no place to say it
    answer.shouldSwap = false;
    fails(region);
  } else if (live && (inUse(region) || wouldMove(region, coming))) {
    answer.shouldSwap = false;
    holds(region, difference(region, coming));
  } else {
    // what takes the place of the page's heading is the page's heading
    if (!ok && region.querySelector("h1")) answer.serverResponse = answer.serverResponse.replace(/<(\/?)h2>/g, "<$1h1>");
    before = { id: region.id, values: values(region), focus: focusIn(region), left: scrolls(region).map((each) => each.scrollLeft), open: details(region).map((each) => each.open) };
  }
});

body.addEventListener("htmx:afterSwap", (event) => {
  const region = event.target;
  if (before?.id !== region.id) return;
  const { values: old, focus, left, open } = before;
  before = null;
  scrolls(region).forEach((each, i) => { each.scrollLeft = left[i] ?? 0; });
  details(region).forEach((each, i) => { each.open ||= open[i] ?? false; });
  if (focus) (region.querySelector(focus) ?? region.querySelector("a[href], button"))?.focus({ preventScroll: true });
  values(region).forEach((value, key) => {
    if (old.has(key) && old.get(key).text !== value.text) flash(key, value.element);
  });
});

const scrolls = (region) => [...region.querySelectorAll(".scroll")], details = (region) => [...region.querySelectorAll("details")];

// Where the focus goes when its region is swapped at the person's own wish: to the same row.
const focusIn = (region) => {
  const focus = document.activeElement, row = focus.closest(ROWS);
  if (!region.contains(focus)) return "";
  if (row && row !== region) return `#${CSS.escape(row.id)} a[href]`;
  return focus.id ? `#${CSS.escape(focus.id)}` : "a[href], button";
};

const values = (region) => {
  const found = new Map(), places = new Map();
  for (const element of region.querySelectorAll(VALUES)) {
    const holder = element.closest(ROWS)?.id ?? region.id, place = places.get(holder) ?? 0;
    places.set(holder, place + 1);
    if (!element.querySelector("time")) found.set(`${holder} ${place}`, { element, text: element.textContent.trim() });
  }
  return found;
};

const flash = (key, element) => {
  if (Date.now() - (flashed.get(key) ?? 0) < FLASHES) return;
  flashed.set(key, Date.now());
  element.classList.add("flash");
};

// A person who asked for a region sees after 300 ms that it is being made; nothing jumps, since it keeps its height.
body.addEventListener("htmx:beforeRequest", (event) => {
  const { target: region, requestConfig } = event.detail;
  if (!region?.id || requestConfig.triggeringEvent?.type?.startsWith("live:") || signalled.has(region.id)) return;
  const timer = setTimeout(() => { region.dataset.slow = ""; region.setAttribute("aria-busy", "true"); }, SLOW);
  event.detail.xhr.addEventListener("loadend", () => {
    clearTimeout(timer);
    delete region.dataset.slow;
    region.removeAttribute("aria-busy");
  });
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  body.addEventListener(name, (event) => { if (event.detail.elt.matches(LIVE)) fails(event.detail.elt); });
}

body.addEventListener("click", (event) => {
  const region = event.target.closest("[data-retry]")?.closest("[hx-get][id]");
  if (!region) return;
  event.preventDefault();
  renew(region, wished);
});

setInterval(() => document.querySelectorAll("[data-held], [data-aged]").forEach((region) => {
  const age = Date.now() - (known.get(region.id) ?? begun);
  if ("held" in region.dataset && !inUse(region) && !pointedAt(region)) {
    holds(region, "");
    renew(region, signalled);
  } else if ("aged" in region.dataset && age > STALE && region.offsetHeight) {
    pin(region, `Last data ${Math.round(age / 1000)} s ago. Try again`, "stale");
  }
}), 1000);
