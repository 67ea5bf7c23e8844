// Hears what has changed and how old the page is. The stream names topics, never content: `live:<topic>` is raised on
// the body and regions ask for themselves. `live:tick` is for all of them: every 15 s without a stream, every minute
// with one, and whenever something may have been missed.
import { TOPICS } from "./ask.js";

const body = document.body;
const listen = () => {
  const SPACING = 500, TICK = 15000, CALM = 4, STALE = 30000;
  const PAUSES = [1, 2, 4, 8, 15, 30];
  let source, retry, failures = 0, connected = false, opened = false, ticks = 0;
  let waiting = new Set(), timer, flushed = 0, current = Date.now();

  // The first signal of a burst goes out at once, the last one after half a second: none is lost.
  const raise = (topic) => {
    waiting.add(topic);
    timer ??= setTimeout(flush, Math.max(0, flushed + SPACING - Date.now()));
  };
  const flush = () => {
    const at = performance.now(), topics = waiting.has("tick") ? ["tick"] : waiting;  // a tick asks for everything
    waiting = new Set(); timer = undefined; flushed = Date.now();
    topics.forEach((topic) => body.dispatchEvent(new CustomEvent(`live:${topic}`, { detail: at })));
  };

  const open = () => {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(body.dataset.live);
    TOPICS.forEach((topic) => source.addEventListener(topic, () => raise(topic)));
    source.addEventListener("quiet", known);
    source.addEventListener("open", () => {
      failures = 0; connected = true;
      if (opened) raise("tick");
      opened = true; known();
    });
    source.addEventListener("error", () => {
      close();
      const pause = PAUSES[Math.min(failures++, PAUSES.length - 1)];
      retry = setTimeout(open, pause * (750 + 500 * Math.random()));
    });
  };
  const close = () => { source?.close(); source = undefined; connected = false; };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(retry); close(); } else { open(); raise("tick"); }
  });
  setInterval(() => {
    if (!document.hidden && (!connected || ++ticks % CALM === 0)) raise("tick");
  }, TICK);

  // A quiet stream proves that nothing has changed, unless a region could not be asked for.
  const known = () => { if (!document.querySelector("[data-aged]")) { current = Date.now(); show(); } };
  const show = () => {
    const mark = document.querySelector("[data-age]");
    if (!mark) return;
    const age = Date.now() - current, seconds = Math.round(age / 1000);
    const past = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} m`;
    mark.dataset.state = age < STALE ? "live" : navigator.onLine ? "stale" : "offline";
    mark.textContent = age >= STALE ? `Last data ${past} ago, reconnecting` : `${connected ? "Live" : "Every 15 s"}, ${past} ago`;
  };
  body.addEventListener("region:known", known);
  setInterval(show, 1000);
  open();
};
if (body.dataset.live) listen();
