// When regions ask for themselves: on the topics that their hx-trigger names. One request answers all signals raised
// before it; signals that come while it is under way, or sooner than its pace (`data-pace` in
// ms, or `throttle` in its hx-trigger), are answered
// together afterwards, so the last one is never lost. (htmx alone would lose those that it queues on a swapped region.)
export const TOPICS = ["run", "agent", "load", "policy", "batch"];
const PACE = 2000, HELD = 5000;
const asked = new Map(), later = new Map(), under = new Set(), again = new Set();

/** Regions that are being renewed at a person's wish, and those for a signal's sake. */
export const wished = new Set(), signalled = new Set();

export const renew = (region, why) => {
  const id = region.id, swap = region.getAttribute("hx-swap");
  const done = () => {
    why.delete(id);
    under.delete(id);
    if (again.delete(id)) need(document.getElementById(id));
  };
  why.add(id);
  under.add(id);
  asked.set(id, performance.now());
  htmx.ajax("GET", region.getAttribute("hx-get"), { source: region, target: region, swap }).then(done, done);
};

const pace = (region) => {
  const throttle = /throttle:(\d+)s/.exec(region.getAttribute("hx-trigger"))?.[1];
  const stated = Number(region.dataset.pace ?? (throttle ? 1000 * throttle : PACE));
  return "held" in region.dataset ? Math.max(stated, HELD) : stated;
};

const need = (region) => {
  if (!region?.hasAttribute("hx-get") || later.has(region.id)) return;
  const wait = (asked.get(region.id) ?? -Infinity) + pace(region) - performance.now();
  if (under.has(region.id)) {
    again.add(region.id);
  } else if (wait > 0) {
    later.set(region.id, setTimeout(() => { later.delete(region.id); need(document.getElementById(region.id)); }, wait));
  } else {
    renew(region, signalled);
  }
};

for (const topic of [...TOPICS, "tick"]) {
  document.body.addEventListener(`live:${topic}`, (event) => {
    const raised = event.detail ?? performance.now();
    for (const region of document.querySelectorAll(`[hx-trigger*="live:${topic}"][id]`)) {
      if (raised > (asked.get(region.id) ?? -Infinity)) need(region);
    }
  });
}

document.body.addEventListener("htmx:beforeRequest", (event) => {
  const cause = event.detail.requestConfig.triggeringEvent;
  if (cause?.type?.startsWith("live:")) event.preventDefault();  // it is asked for here
});
