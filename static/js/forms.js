// Forms: a press is acknowledged at once and a second one is not an act. The theme turns without leaving the page.
const BUSY_MS = 10000, TOAST_MS = 8000;

const rest = (form) => {
  delete form.dataset.busy;
  form.querySelectorAll("[data-busy]").forEach((button) => { delete button.dataset.busy; button.removeAttribute("aria-disabled"); });
};

document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (form.matches("[data-theme-switch]")) { event.preventDefault(); turn(form); return; }
  if ("busy" in form.dataset) { event.preventDefault(); event.stopImmediatePropagation(); return; }
  if (event.defaultPrevented && !form.matches("[hx-post], [hx-get]")) return;
  form.dataset.busy = "";
  if (button) { button.dataset.busy = ""; button.setAttribute("aria-disabled", "true"); }
  setTimeout(() => rest(form), BUSY_MS);
}, true);

const restAll = () => document.querySelectorAll("form[data-busy]").forEach(rest);
addEventListener("pageshow", restAll);
document.body.addEventListener("htmx:afterRequest", (event) => { const form = event.detail.elt.closest?.("form"); if (form) rest(form); });

const turn = (form) => {
  const root = document.documentElement, dark = getComputedStyle(root).colorScheme === "dark" ||
    (root.dataset.theme === undefined && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  const said = new FormData(form);
  said.set("theme", root.dataset.theme);
  fetch(form.action, { method: "POST", body: said, redirect: "manual" });
  document.body.dispatchEvent(new CustomEvent("theme:changed"));
};

setTimeout(() => document.querySelectorAll(".toast:not(.undo)").forEach((each) => each.remove()), TOAST_MS);
