// The inbox under the fingers: a press is on the screen before the server has answered, the next batch is ready, and
// nothing moves that somebody is reading. Every act is a form that also works without this file.
const body = document.body, said = document.getElementById("said");
const GUARD = 800, AHEAD = 2, WIDE = "(min-width: 761px)";
const ready = new Map();  // the next batches, by address
let shownAt = performance.now(), asking = 0;

const $ = (id) => document.getElementById(id);
const inbox = () => document.querySelector(".inbox");
const batch = () => $("batch")?.dataset.batch;
const boxes = () => [...document.querySelectorAll("#batch tbody input[name=case]")];
const rows = () => [...document.querySelectorAll("#batch tbody tr[data-number]")];
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
const headers = (region, more) => ({ "HX-Request": "true", "HX-Target": region, ...more });

// ---- what is chosen

const money = (sum) => sum.toLocaleString("en", { minimumFractionDigits: sum % 1 ? 2 : 0, maximumFractionDigits: 2 });
const count = () => {
  const all = boxes(), chosen = all.filter((box) => box.checked), sums = new Map();
  for (const box of chosen) {
    const { amount, currency } = box.closest("tr").dataset;
    if (amount) sums.set(currency, (sums.get(currency) ?? 0) + Math.round(100 * amount));
  }
  const total = [...sums].sort().map(([currency, cents]) => `${money(cents / 100)} ${currency}`.trim()).join(", ");
  const wrong = chosen.reduce((sum, box) => sum + Number(box.closest("tr").dataset.wrong ?? 0), 0);
  for (const each of document.querySelectorAll("#batch [data-expected]")) each.textContent = wrong < 0.05 ? "fewer than 0.1 wrong expected" : `${wrong.toFixed(1)} wrong expected`;
  for (const each of document.querySelectorAll("#batch [data-count], #batch [data-n]")) each.textContent = chosen.length;
  for (const each of document.querySelectorAll("#batch [data-total]")) each.textContent = total && `Total ${total}`;
  for (const each of document.querySelectorAll("#batch [data-of]")) each.textContent = all.length;
  for (const each of document.querySelectorAll("#batch [data-all]")) {
    each.checked = chosen.length > 0 && chosen.length === all.length;
    each.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
};

// ---- putting parts in their places

const place = (part) => {
  const there = part && $(part.id);
  if (!there) return;
  there.replaceWith(part);
  htmx.process(part);
};
const settle = () => {
  shownAt = performance.now();
  const opened = document.querySelector("#decide input[name=opened]");
  if (opened) opened.value = Date.now();
  document.querySelector("[data-open][popover]")?.showPopover();
  count();
};
const address = () => {
  const path = $("batch")?.dataset.address;
  if (path && path !== location.pathname + location.search) history.pushState(null, "", path);
};
const mark = () => {
  const { mine, team } = $("batches").dataset, tabs = document.querySelectorAll(".bar .seg .muted");
  [mine, team].forEach((words, i) => { if (tabs[i] && words) tabs[i].textContent = words; });
  const id = `b-${batch()}`;
  for (const link of document.querySelectorAll("#batches a.batch")) {
    if (link.closest("li").id === id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
  }
};
const show = (panes, view = "batch") => {
  const dom = typeof panes === "string" ? parse(panes) : panes;
  place(dom.getElementById("batch"));
  place(dom.getElementById("case"));
  inbox().dataset.view = view;
  mark(); address(); settle(); prepare();
  document.querySelector(".bd-scroll")?.scrollTo(0, 0);
};

// ---- the next two, before anybody asks

const links = () => [...document.querySelectorAll("#batches > ul a.batch")];
const prepare = async () => {
  const all = links(), at = all.findIndex((link) => link.hasAttribute("aria-current"));
  const next = all.slice(at + 1, at + 1 + AHEAD).map((link) => link.href);
  for (const path of ready.keys()) if (!next.includes(path)) ready.delete(path);
  for (const path of next) {
    if (ready.has(path)) continue;
    ready.set(path, "");
    const answer = await fetch(path, { headers: headers("panes", { "X-Purpose": "prefetch" }) }).catch(() => null);
    if (answer?.ok) ready.set(path, await answer.text()); else ready.delete(path);
  }
};
const following = () => {
  const all = links(), at = all.findIndex((link) => link.hasAttribute("aria-current"));
  return all[at + 1];
};
const claim = (verb = "claim") => {
  const form = $("decide");
  if (!form || !batch()) return;
  const told = new FormData();
  told.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  fetch(`/inbox/${batch()}/${verb}/`, { method: "POST", body: told, keepalive: true }).catch(() => null);
};

const open = async (link, view = "batch") => {
  const path = link.href, mine = ++asking, kept = ready.get(path);
  if (kept) { show(kept, view); claim(); return; }
  const answer = await fetch(path, { headers: headers("panes") }).catch(() => null);
  if (mine !== asking) return;
  if (!answer?.ok) { location.assign(path); return; }
  show(await answer.text(), view);
};

// ---- acts

const trouble = (words) => {
  const note = document.createElement("div");
  note.className = "note crit"; note.setAttribute("role", "alert");
  note.textContent = words;
  document.querySelector("#batch .bd-scroll")?.prepend(note);
};
// A verdict on all that is left of a batch shows the next one at once.
const ahead = (form, act) => {
  const link = following(), all = boxes();
  if (form.id !== "decide" || !["approve", "reject", "more"].includes(act) || !all.length) return false;
  if (!all.every((box) => box.checked) || all.length !== rows().filter((row) => !("gone" in row.dataset)).length) return false;
  if (form.querySelector("[name=sure]") || (all.length > 15 && performance.now() - shownAt < 5000)) return false;
  const kept = link && ready.get(link.href);
  if (!kept) return false;
  show(kept);
  return true;
};
const send = async (form, button) => {
  const told = new FormData(form, button), act = told.getAll("act").pop();
  const before = { batch: $("batch"), case: $("case") };
  document.querySelectorAll(":popover-open").forEach((each) => each.hidePopover());
  const before_address = location.href, went = ahead(form, act);
  const answer = await fetch(button?.getAttribute("formaction") ?? form.action, { method: "POST", body: told, headers: headers("after") }).catch(() => null);
  delete form.dataset.busy;
  form.querySelectorAll("[data-busy]").forEach((each) => { delete each.dataset.busy; each.removeAttribute("aria-disabled"); });
  const text = answer ? await answer.text() : "", dom = parse(text);
  if (!answer || !dom.getElementById("batches")) {
    if (went) { place(before.batch); place(before.case); history.replaceState(null, "", before_address); mark(); }
    trouble(answer ? "That did not go through. Nothing was decided: try again." : "Baton did not answer. Nothing is known to be decided: try again.");
    return;
  }
  place(dom.getElementById("batches"));
  place(dom.getElementById("toast"));
  if (answer.ok && went) { mark(); prepare(); claim(); } else { show(dom, inbox().dataset.view === "case" ? "batch" : inbox().dataset.view); }
  said.textContent = document.querySelector("#toast .clip, #batch .note")?.textContent ?? "";
  if (answer.ok && !went) document.querySelector("#batch tbody a")?.focus({ preventScroll: true });
};

document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("[data-act]") || button?.matches("[data-plain]")) return;
  event.preventDefault();
  send(form, button);
});

// ---- cases

const choose = (row) => {
  if (!row) return;
  for (const each of rows()) each.toggleAttribute("aria-selected", false);
  row.setAttribute("aria-selected", "true");
  row.scrollIntoView({ block: "nearest" });
};
const look = async (row, view) => {
  if (!row) return;
  choose(row);
  const link = row.querySelector("a"), mine = ++asking;
  link.focus({ preventScroll: true });
  if (!view && !$("case").offsetParent) return;  // no room beside: Enter opens it
  const answer = await fetch(link.href, { headers: headers("case") }).catch(() => null);
  if (mine !== asking || !answer?.ok) return;
  place(parse(await answer.text()).getElementById("case"));
  if (view) { inbox().dataset.view = view; history.pushState(null, "", link.href); scrollTo(0, 0); }
};
const step = (by) => {
  const all = rows(), at = all.findIndex((row) => row.hasAttribute("aria-selected"));
  look(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
};
const along = (by) => {
  const all = links(), at = all.indexOf(document.activeElement);
  all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
};

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const target = event.target;
  const line = target.closest("#batches a.batch"), stepper = target.closest("[data-step]"), link = target.closest("#batch tbody a");
  const row = target.closest("#batch tbody tr"), back = target.closest("[data-back]");
  if (line) { event.preventDefault(); open(line); }
  else if (stepper) { event.preventDefault(); step(Number(stepper.dataset.step)); }
  else if (link) { event.preventDefault(); look(link.closest("tr"), $("case").offsetParent ? "" : "case"); }
  else if (back) { event.preventDefault(); leave(); }
  else if (row && !target.closest("input, label, .tick")) look(row);
});
// Back, on a screen that shows one pane: without asking, since what it shows is here.
const leave = () => {
  const view = inbox().dataset.view === "case" ? "batch" : "list";
  inbox().dataset.view = view;
  history.pushState(null, "", view === "list" ? "/inbox/" : $("batch").dataset.address);
  if (view === "list") { claim("leave"); document.querySelector("#batches a[aria-current]")?.focus(); }
};
const home = () => {
  if (matchMedia(WIDE).matches && $("batches").offsetParent) document.querySelector("#batches a[aria-current]")?.focus();
  else leave();
};

// ---- keys: the others are those of buttons (`data-key`), which the frame presses

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const popover = document.querySelector("#batch :popover-open, #case :popover-open");
  const typing = event.target.closest("textarea, select, input:not([type=checkbox], [type=radio])");
  if (popover) { within(event, popover, typing); return; }
  if (typing || body.dataset.keys === "off") return;
  const key = event.shiftKey ? event.key : event.key.toLowerCase();
  const young = performance.now() - shownAt < GUARD;
  if (["a", "r"].includes(key) && young) { event.preventDefault(); event.stopImmediatePropagation(); return; }
  const list = event.target.closest("#batches");
  const act = { u: home, ".": fold, j: list && (() => along(1)), k: list && (() => along(-1)) }[key];
  if (!act) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  act();
}, true);
// In a question Enter does what it is about, and a figure chooses.
const within = (event, popover, typing) => {
  if (event.key === "Enter" && !event.target.matches("textarea, button, a") || (event.key === "Enter" && event.shiftKey === false && event.target.matches("textarea") && event.target.value.trim() && !event.target.value.includes("\n"))) {
    event.preventDefault();
    popover.querySelector("[data-go]")?.click();
  } else if (!typing && /^[1-9]$/.test(event.key)) {
    const radio = popover.querySelectorAll("input[type=radio]")[event.key - 1];
    if (radio) { event.preventDefault(); radio.checked = true; radio.focus(); }
  }
  if (event.key.length === 1 && !event.ctrlKey) event.stopImmediatePropagation();
};
const fold = () => { const brief = document.querySelector("#batch .brief"); if (brief) brief.hidden = !brief.hidden; };

document.addEventListener("change", (event) => {
  if (event.target.matches("#batch [data-all]")) for (const box of boxes()) box.checked = event.target.checked;
  if (event.target.closest("#batch")) count();
});
document.addEventListener("animationend", (event) => {
  if (event.target.matches(".toast.undo .run")) event.target.closest(".toast").remove();
});

// ---- what others do meanwhile: the open batch only marks it

let noted = 0;
const note = async () => {
  const id = batch(), path = $("batch")?.dataset.address;
  if (!id || performance.now() - noted < 1500) return;
  noted = performance.now();
  const answer = await fetch(path, { headers: headers("batch", { "X-Purpose": "prefetch" }) }).catch(() => null);
  if (!answer?.ok || batch() !== id) return;
  const dom = parse(await answer.text());
  let gone = 0;
  for (const row of rows()) {
    const now = dom.getElementById(row.id);
    if (now && !("gone" in now.dataset)) {
      const box = row.querySelector("input[name=case]"), fresh = now.querySelector("input[name=case]");
      if (box && fresh) box.value = fresh.value;
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
  if (gone) { count(); said.textContent = `${gone} decided by somebody else`; }
};
const pill = (words) => Object.assign(document.createElement("span"), { className: "pill line", textContent: words });
const news = (fresh) => {
  const region = $("batch"), there = region.querySelector(":scope > .pinned");
  if (!fresh) { there?.remove(); return; }
  const button = there ?? Object.assign(document.createElement("button"), { type: "button", className: "pinned news" });
  button.textContent = `${fresh} new`;
  button.onclick = async () => { const link = document.querySelector("#batches a[aria-current]"); if (link) { ready.delete(link.href); await open(link); } };
  region.prepend(button);
};
body.addEventListener("live:batch", note);
body.addEventListener("live:tick", note);

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
});

addEventListener("popstate", () => location.reload());
addEventListener("pagehide", () => claim("leave"));
settle();
if (batch() && matchMedia(WIDE).matches) { claim(); if (!location.pathname.includes(batch())) history.replaceState(null, "", $("batch").dataset.address); }
prepare();
