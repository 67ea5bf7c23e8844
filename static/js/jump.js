// The jump list: a field, and what the server finds for it. The focus stays in the field, the arrows move the choice.
const dialog = document.getElementById("jump"), field = dialog?.querySelector("input");
let answered = "";

const options = () => [...dialog.querySelectorAll("[role=option]")];

const choose = (option) => {
  for (const each of options()) each.setAttribute("aria-selected", String(each === option));
  field.setAttribute("aria-activedescendant", option?.id ?? "");
  option?.scrollIntoView({ block: "nearest" });
};

// The server sends headings and links, as the page without a script shows them; here they are one list to choose from.
const dress = (results) => {
  results.querySelectorAll("a, button").forEach((link, i) => {
    link.id = `jump-${i}`;
    link.setAttribute("role", "option");
    link.tabIndex = -1;
  });
  results.querySelectorAll("li, h2, form").forEach((each) => each.setAttribute("role", "presentation"));
  results.querySelectorAll("ul").forEach((each) => each.setAttribute("role", "group"));
  const found = options();
  if (found.length) {
    results.setAttribute("role", "listbox");
    results.setAttribute("aria-label", "Found");
  }
  field.setAttribute("aria-expanded", String(found.length > 0));
  choose(found[0]);
};

export const openJump = () => {
  if (!dialog) { document.getElementById("q")?.select(); return; }
  if (dialog.open) return;
  document.querySelectorAll(":popover-open").forEach((each) => each.hidePopover());
  field.value = "";
  dialog.showModal();
  htmx.trigger(field, "jump:open");
};

const onKey = (event) => {
  const list = options(), at = list.findIndex((each) => each.getAttribute("aria-selected") === "true");
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
  if (to !== undefined && list.length) {
    event.preventDefault();
    choose(list[(to + list.length) % list.length]);
  } else if (event.key === "Enter" && at >= 0 && answered === field.value) {  // else the whole page of results
    event.preventDefault();
    list[at].click();
  }
};

if (dialog) {
  field.addEventListener("keydown", onKey);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("htmx:afterSwap", (event) => {
    answered = event.detail.requestConfig.parameters.q ?? field.value;
    dress(dialog.querySelector("#results"));
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-jump]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openJump();
  });
}
