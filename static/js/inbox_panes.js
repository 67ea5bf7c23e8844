// The panes of the inbox: what is chosen, which batch is open, and the next two, made ready before anybody asks.
const AHEAD = 2;
const ready = new Map();  // the next batches, by address
let since = performance.now(), asking = 0;

export const WIDE = "(min-width: 761px)";  // the panes stand side by side
export const $ = (id) => document.getElementById(id);
export const inbox = () => document.querySelector(".inbox");
export const batch = () => $("batch")?.dataset.batch;
export const boxes = () => [...document.querySelectorAll("#batch tbody input[name=case]")];
export const rows = () => [...document.querySelectorAll("#batch tbody tr[data-number]")];
export const parse = (text) => new DOMParser().parseFromString(text, "text/html");
export const headers = (region, more) => ({ "HX-Request": "true", "HX-Target": region, ...more });
export const LOOK = { "X-Purpose": "prefetch" };  // looks without claiming

/** The whole answer, or "": what was asked may be over not only before it begins but also while its text comes. */
export const told = async (path, sent) => {
  const answer = await fetch(path, { headers: sent }).catch(() => null);
  return answer?.ok ? answer.text().catch(() => "") : "";
};

/** How long the open batch has been on the screen, in ms. */
export const age = () => performance.now() - since;

/** A number for a question; `still` says whether no later one was asked. */
export const ask = () => ++asking;
export const still = (mine) => mine === asking;

// ---- what is chosen

const money = (sum) => sum.toLocaleString("en", { minimumFractionDigits: sum % 1 ? 2 : 0, maximumFractionDigits: 2 });
export const count = () => {
  const all = boxes(), chosen = all.filter((box) => box.checked), sums = new Map();
  for (const box of chosen) {
    const { amount, currency } = box.closest("tr").dataset;
    if (amount) sums.set(currency, (sums.get(currency) ?? 0) + Math.round(100 * amount));
  }
  const total = [...sums].sort().map(([currency, cents]) => `${money(cents / 100)} ${currency}`.trim()).join(", ");
  const wrong = chosen.reduce((sum, box) => sum + Number(box.closest("tr").dataset.wrong ?? 0), 0);
  for (const each of document.querySelectorAll("#batch [data-expected]")) each.textContent = (total && ", ") + (!chosen.length ? each.dataset.none : wrong < 0.05 ? "fewer than 0.1 wrong expected" : `${wrong.toFixed(1)} wrong expected`);
  for (const each of document.querySelectorAll("#batch [data-count], #batch [data-n]")) {
    each.textContent = chosen.length;
    each.closest("button")?.setAttribute("aria-disabled", String(!chosen.length));  // pressed all the same, it says why
  }
  for (const each of document.querySelectorAll("#batch [data-total]")) each.textContent = total && `Total ${total}`;
  for (const each of document.querySelectorAll("#batch [data-of]")) each.textContent = all.length;
  for (const each of document.querySelectorAll("#batch [data-all]")) {
    each.checked = chosen.length > 0 && chosen.length === all.length;
    each.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
};

// ---- putting parts in their places

export const place = (part) => {
  const there = part && $(part.id);
  if (!there) return;
  there.replaceWith(part);
  htmx.process(part);
};
export const settle = () => {
  since = performance.now();
  const opened = document.querySelector("#decide input[name=opened]");
  if (opened) opened.value = Date.now();
  document.querySelector("[data-open][popover]")?.showPopover();
  count();
};
const address = () => {
  const path = $("batch")?.dataset.address;
  if (path && path !== location.pathname + location.search) history.pushState(null, "", path);
};
export const mark = () => {
  const { mine, team } = $("batches").dataset, tabs = document.querySelectorAll(".bar .seg .muted");
  [mine, team].forEach((words, i) => { if (tabs[i] && words) tabs[i].textContent = words; });
  const id = `b-${batch()}`;
  for (const link of document.querySelectorAll("#batches a.batch")) {
    if (link.closest("li").id === id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
};
export const show = (panes, view = "batch") => {
  const dom = typeof panes === "string" ? parse(panes) : panes;
  place(dom.getElementById("batch"));
  place(dom.getElementById("case"));
  inbox().dataset.view = view;
  mark(); address(); settle(); prepare();
  document.querySelector(".bd-scroll")?.scrollTo(0, 0);
};

// ---- the next two, before anybody asks

export const links = () => [...document.querySelectorAll("#batches > ul a.batch")];
export const prepare = async () => {
  const all = links(), at = all.findIndex((link) => link.hasAttribute("aria-current"));
  const next = all.slice(at + 1, at + 1 + AHEAD).map((link) => link.href);
  for (const path of ready.keys()) if (!next.includes(path)) ready.delete(path);
  for (const path of next) {
    if (ready.has(path)) continue;
    ready.set(path, "");
    const text = await told(path, headers("panes", LOOK));
    if (text) ready.set(path, text); else ready.delete(path);
  }
};
/** The batch below, if it is ready to be shown at once. */
export const following = () => {
  const all = links(), at = all.findIndex((link) => link.hasAttribute("aria-current"));
  return ready.get(all[at + 1]?.href);
};
/** Asks for the open batch once more. */
export const again = () => {
  const link = document.querySelector("#batches a[aria-current]");
  if (link) { ready.delete(link.href); open(link); }
};
export const claim = (verb = "claim") => {
  const form = $("decide");
  if (!form || !batch() || !("decides" in form.dataset)) return;
  const said = new FormData();
  said.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  fetch(`/inbox/${batch()}/${verb}/`, { method: "POST", body: said, keepalive: true }).catch(() => null);
};

export const open = async (link, view = "batch") => {
  const path = link.href, mine = ask(), kept = ready.get(path);
  if (kept) { show(kept, view); claim(); return; }
  const text = await told(path, headers("panes"));
  if (!still(mine)) return;
  if (!text) { location.assign(path); return; }
  show(text, view);
};
