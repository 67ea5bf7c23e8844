// Keeps a page's regions as new as the data. The server says which topic has changed; regions that wait for
// `live:<topic>` on the body ask for themselves again. `live:tick` comes every 15 s whether or not the stream is there.
(() => {
  "use strict";
  const body = document.body;
  if (!body.dataset.live) return;
  const TOPICS = ["run", "agent", "load"], SPACING = 500, TICK = 15000, STALE = 30000;
  const mark = document.querySelector("[data-age]");
  let source, retry, failures = 0, opened = false;
  let waiting = new Set(), timer, flushed = 0, fresh = Date.now();

  // The first signal of a burst goes out at once, the last one after a second: none is lost, none comes too often.
  const raise = (topic) => {
    waiting.add(topic);
    timer ??= setTimeout(flush, Math.max(0, flushed + SPACING - Date.now()));
  };
  const flush = () => {
    const topics = waiting;
    waiting = new Set(); timer = undefined; flushed = Date.now();
    topics.forEach((topic) => body.dispatchEvent(new CustomEvent(`live:${topic}`)));
  };

  const open = () => {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(body.dataset.live);
    TOPICS.forEach((topic) => source.addEventListener(topic, () => raise(topic)));
    source.addEventListener("open", () => {
      failures = 0;
      if (opened) TOPICS.forEach(raise);
      opened = true;
    });
    source.addEventListener("error", () => {
      close();
      const pause = [1, 2, 4, 8, 15, 30][Math.min(failures++, 5)] * (750 + 500 * Math.random());
      retry = setTimeout(open, pause);
    });
  };
  const close = () => { source?.close(); source = undefined; };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(retry); close(); } else { open(); raise("tick"); TOPICS.forEach(raise); }
  });
  setInterval(() => document.hidden || raise("tick"), TICK);

  // A region in use is not moved under the fingers: it is asked for again as soon as it is left.
  const inUse = (region) => {
    const chosen = getSelection();
    return (region.contains(document.activeElement) && region !== document.activeElement) ||
      (!chosen.isCollapsed && region.contains(chosen.anchorNode));
  };
  const isLive = (event) => event.detail.requestConfig?.triggeringEvent?.type?.startsWith("live:");
  body.addEventListener("htmx:beforeRequest", (event) => {
    if (isLive(event) && inUse(event.detail.elt)) { event.preventDefault(); event.detail.elt.dataset.held = ""; }
  });
  body.addEventListener("focusout", (event) => {
    const region = event.target.closest("[data-held]");
    if (region && !region.contains(event.relatedTarget)) { delete region.dataset.held; raise("tick"); }
  });

  const show = () => {
    if (!mark) return;
    const age = Date.now() - fresh, seconds = Math.round(age / 1000);
    mark.dataset.state = age < STALE ? "live" : navigator.onLine ? "stale" : "offline";
    mark.textContent = age < STALE ? `Live, ${seconds} s ago`
      : `Last data ${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} m`} ago, reconnecting`;
  };
  body.addEventListener("htmx:afterOnLoad", (event) => { if (event.detail.xhr.status < 400) { fresh = Date.now(); show(); } });
  setInterval(show, 1000);
  open();
})();
