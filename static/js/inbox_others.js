// What others do while a batch is open: it only marks the cases that they decided, and says how many are new.
import { $, LOOK, WIDE, batch, again, count, headers, links, mark, open, parse, prepare, rows, told } from "./inbox_panes.js";

const body = document.body, said = $("said");

const OFFERED = ":offered";

// What comes sooner than that after a look is looked at when it is over: the last word of a burst counts.
const PACE = 1500;
let noted = -PACE, later;
const soon = () => { later ??= setTimeout(note, Math.max(0, noted + PACE - performance.now())); };
const note = async () => {
  later = undefined;
  const there = $("batch");
  if (!batch()) return;
  noted = performance.now();
  const text = await told(there.dataset.address, headers("batch", LOOK));
  if (!text || $("batch") !== there) return;  // what was shown since is not what was asked about
  const dom = parse(text);
  let gone = 0, odd = 0;
  for (const row of rows()) {
    const now = dom.getElementById(row.id);
    if (now && !("gone" in now.dataset)) {
      const box = row.querySelector("input[name=case]"), fresh = now.querySelector("input[name=case]");
      if (!box || !fresh) continue;
      if (box.value.endsWith(OFFERED) && !fresh.value.endsWith(OFFERED)) {  // it began as a yes, and stands out by now
        if (box.checked) odd += 1;
        box.checked = false;
        row.className = now.className;
        [...row.cells].slice(2).forEach((cell, at) => { cell.innerHTML = now.cells[at + 2]?.innerHTML ?? cell.innerHTML; });
      }
      box.value = fresh.value;
    } else if (!("gone" in row.dataset)) {
      gone += 1;
      row.dataset.gone = "";
      row.className = "gone-row";
      row.querySelector("input")?.remove();
      row.querySelector(".name").append(" ", now?.querySelector(".name .pill") ?? pill("Decided"));
    }
  }
  const here = new Set(rows().map((row) => row.id)), fresh = [...dom.querySelectorAll("tbody tr[data-number]")].filter((row) => !here.has(row.id)).length;
  news(fresh);
  if (gone || odd) { count(); said.textContent = [gone && `${gone} decided by somebody else`, odd && `${odd} ${odd === 1 ? "stands" : "stand"} out by now`].filter(Boolean).join(", "); }
};
const pill = (words) => Object.assign(document.createElement("span"), { className: "pill line", textContent: words });
const news = (fresh) => {
  const region = $("batch"), there = region.querySelector(":scope > .pinned");
  if (!fresh) { there?.remove(); return; }
  const button = there ?? Object.assign(document.createElement("button"), { type: "button", className: "pinned news" });
  button.textContent = `${fresh} new`;
  button.onclick = again;
  region.prepend(button);
};
body.addEventListener("live:batch", soon);
body.addEventListener("live:tick", soon);

// The list may change, but the open batch stays where it is on the screen.
let top = null;
body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.target.id === "batches") top = document.querySelector("#batches a[aria-current]")?.getBoundingClientRect().top ?? null;
});
body.addEventListener("htmx:afterSwap", () => {
  mark();
  const link = document.querySelector("#batches a[aria-current]");
  if (top !== null && link) $("batches").scrollTop += link.getBoundingClientRect().top - top;
  top = null;
  prepare();
  fill();
});
// Where nothing needed anybody, the first that comes stands open, as it would had the page been opened now; while nobody
// looks it is left to whoever does.
const fill = () => {
  const first = links()[0];
  if (!batch() && first && document.visibilityState === "visible" && matchMedia(WIDE).matches) open(first);
};
document.addEventListener("visibilitychange", fill);
