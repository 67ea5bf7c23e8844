// The editor of a workflow: Ctrl S saves, and what was not saved is not lost by a slip. Everything else is buttons.
const form = document.getElementById("workflow"), saved = document.getElementById("saved");
let dirty = document.querySelector(".note[role=alert]") !== null;

const touch = () => {
  if (dirty) return;
  dirty = true;
  if (saved) saved.textContent = "Not saved";
};

form?.addEventListener("input", touch);
form?.addEventListener("click", (event) => { if (event.target.closest("button[name=do]")) touch(); });
addEventListener("submit", () => { dirty = false; }, true);
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "s") return;
  event.preventDefault();
  document.querySelector("button[form=workflow][value=save]")?.click();
});
// A fault leads to its step, which may be folded.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#step-']");
  const step = link && document.getElementById(link.hash.slice(1));
  if (step) step.open = true;
});
