// The inbox under the fingers: a press is on the screen before the server has answered, the next batch is ready, and
// nothing moves that somebody is reading. Every act is a form that also works without this file.
import { $, WIDE, age, ask, batch, boxes, claim, count, following, headers, inbox, links, mark, open, parse, place, prepare, rows, settle, show, still, told } from "./inbox_panes.js";
import "./inbox_others.js";

const body = document.body, said = $("said");
const GUARD = 800;

// ---- acts

const trouble = (words) => {
  const note = document.createElement("div");
  note.className = "note crit"; note.setAttribute("role", "alert");
  note.textContent = words;
  document.querySelector("#batch .bd-scroll")?.prepend(note);
};
// A verdict on all that is left of a batch shows the next one at once.
const ahead = (form, act, button) => {
  const kept = following(), all = boxes();
  if (button?.name === "as_before") return false;  // which cases it decides is known to the server alone
  if (form.id !== "decide" || !["approve", "reject", "more"].includes(act) || !all.length) return false;
  if (!all.every((box) => box.checked) || all.length !== rows().filter((row) => !("gone" in row.dataset)).length) return false;
  if (form.querySelector("[name=sure]") || (all.length > 15 && age() < 5000)) return false;
  if (!kept) return false;
  show(kept);
  return true;
};
const send = async (form, button) => {
  const sent = new FormData(form, button), act = sent.getAll("act").pop();
  const before = { batch: $("batch"), case: $("case") };
  document.querySelectorAll(":popover-open").forEach((each) => each.hidePopover());
  const before_address = location.href, went = ahead(form, act, button);
  const answer = await fetch(button?.getAttribute("formaction") ?? form.action, { method: "POST", body: sent, headers: headers("after") }).catch(() => null);
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
  const link = row.querySelector("a"), mine = ask(), there = $("batch");
  link.focus({ preventScroll: true });
  if (!view && !$("case").offsetParent) return;  // no room beside: Enter opens it
  const text = await told(link.href, headers("case"));
  if (!text || !still(mine) || $("batch") !== there) return;
  place(parse(text).getElementById("case"));
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
  const young = age() < GUARD;
  if (["a", "b", "r"].includes(key) && young) { event.preventDefault(); event.stopImmediatePropagation(); return; }
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

addEventListener("popstate", () => location.reload());
addEventListener("pagehide", () => claim("leave"));
settle();
if (batch() && matchMedia(WIDE).matches) { claim(); if (!location.pathname.includes(batch())) history.replaceState(null, "", $("batch").dataset.address); }
prepare();
