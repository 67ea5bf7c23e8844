// The editor: Ctrl S saves, Ctrl Enter replays, and what was not saved is not lost by a slip. Everything else is buttons.
const form = document.getElementById("policy"), saved = document.getElementById("saved");
let dirty = form?.closest("main").querySelector(".note[role=alert]") !== null;

const touch = () => {
  if (dirty) return;
  dirty = true;
  if (saved) saved.textContent = "Not saved";
};
const press = (value) => document.querySelector(`button[form=policy][name=do][value=${value}]`)?.click();

form?.addEventListener("input", touch);
form?.addEventListener("click", (event) => { if (event.target.closest("button[name=do]")) touch(); });
addEventListener("submit", () => { dirty = false; }, true);
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.isComposing || document.querySelector(":popover-open")) return;
  const value = event.key.toLowerCase() === "s" ? "save" : event.key === "Enter" ? "replay" : "";
  if (!value) return;
  event.preventDefault();
  press(value);
});
