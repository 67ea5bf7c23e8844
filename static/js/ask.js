// When regions ask for themselves. One request answers all signals raised before it; signals that come sooner than the
// region's pace (`data-pace`, in ms) are answered together at its end, so the last one is never lost.
const PACE = 1000, HELD_PACE = 5000;
const asked = new Map(), later = new Map();

/** Regions that are being renewed at a person's wish, and those for a signal's sake. */
export const wished = new Set(), signalled = new Set();

export const isLive = (config) => Boolean(config?.triggeringEvent?.type?.startsWith("live:"));

export const renew = (region, why) => {
  if (!region) return;
  const done = () => why.delete(region.id);
  why.add(region.id);
  asked.set(region.id, performance.now());
  const swap = region.getAttribute("hx-swap");
  htmx.ajax("GET", region.getAttribute("hx-get"), { source: region, target: region, swap }).then(done, done);
};

const wait = (region, ms) => {
  if (later.has(region.id)) return;
  later.set(region.id, setTimeout(() => {
    later.delete(region.id);
    renew(document.getElementById(region.id), signalled);
  }, ms));
};

document.body.addEventListener("htmx:beforeRequest", (event) => {
  const { elt: region, requestConfig } = event.detail;
  if (!isLive(requestConfig)) return;
  const last = asked.get(region.id) ?? -Infinity, now = performance.now();
  const pace = "held" in region.dataset ? HELD_PACE : Number(region.dataset.pace ?? PACE);
  if (requestConfig.triggeringEvent.timeStamp <= last) {
    event.preventDefault();
  } else if (last + pace > now) {
    event.preventDefault();
    wait(region, last + pace - now);
  } else {
    asked.set(region.id, now);
  }
});
