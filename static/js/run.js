// A run: folding what stands below a step, going from problem to problem, opening a step out of the lanes.
(() => {
  "use strict";
  const body = document.body, folded = new Set();
  const rows = () => [...document.querySelectorAll("#waterfall tbody tr[data-depth]")];

  // ---- folding: the mark of a row that holds others becomes a button
  const dress = () => {
    const all = rows();
    all.filter((row) => row.hasAttribute("data-holds")).forEach((row) => {
      const mark = row.querySelector("svg.fold");
      if (!mark || mark.parentElement.matches("button")) return;
      const button = document.createElement("button");
      button.type = "button"; button.className = "fold"; button.tabIndex = -1;
      button.setAttribute("aria-label", `Steps below ${row.querySelector("a").textContent}`);
      mark.replaceWith(button);
      button.append(mark);
    });
    apply(all);
  };
  const apply = (all) => {
    let under = Infinity;
    all.forEach((row) => {
      const depth = Number(row.dataset.depth);
      row.hidden = depth > under;
      if (!row.hidden) under = folded.has(row.id) ? depth : Infinity;
      row.querySelector("button.fold")?.setAttribute("aria-expanded", String(!folded.has(row.id)));
    });
  };
  const toggle = (row) => {
    if (!row) return;
    if (!row.hasAttribute("data-holds")) {  // of what it stands below
      const all = rows(), depth = Number(row.dataset.depth);
      row = all.slice(0, all.indexOf(row)).reverse().find((each) => Number(each.dataset.depth) < depth);
      if (!row) return;
      row.querySelector("a").focus();
    }
    if (!folded.delete(row.id)) folded.add(row.id);
    apply(rows());
  };
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.fold");
    if (button) { toggle(button.closest("tr")); return; }
    const bar = event.target.closest(".lanes [data-span]");
    if (bar) location.assign(`?${new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(location.search)), span: bar.dataset.span })}#span`);
  });
  body.addEventListener("htmx:afterSettle", dress);
  dress();

  // ---- keys
  const at = () => document.activeElement.closest?.("#waterfall tbody tr") ?? document.querySelector("#waterfall tr[aria-current]");
  const next = (kind) => {
    const all = rows().filter((row) => row.hasAttribute(kind)), here = at();
    if (!all.length) { document.getElementById("said").textContent = kind === "data-dup" ? "No duplicate" : "No problem"; return; }
    const after = here && all.find((row) => here.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING);
    const row = after ?? all[0];
    if (row.hidden) { folded.clear(); apply(rows()); }
    row.querySelector("a").focus();
    row.scrollIntoView({ block: "center" });
  };
  const acts = { e: () => toggle(at()), d: () => next("data-dup"), p: () => next("data-problem") };
  document.addEventListener("keydown", (event) => {
    if (body.dataset.keys === "off" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable], [popover]:popover-open, dialog[open]")) return;
    const act = acts[event.key.toLowerCase()];
    if (act) { event.preventDefault(); act(); }
  });
})();
