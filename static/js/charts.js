// Draws the figures of a page in the colours of its theme. A figure comes without colours: `meta` of a trace says what
// it is. Without this script, and behind the Table switch, the same numbers stand in a table.
(() => {
  "use strict";
  if (!window.Plotly) return;
  const LIGHT = {
    text: "#646b77", colours: ["#2f63e6", "#d87d00", "#9dbcf9", "#1f9d69", "#dd3d43", "#646b77"], grid: "#edeff2", zero: "#d3d7dd",
    hover: { bgcolor: "#ffffff", bordercolor: "#d3d7dd", font: "#14161b" }, band: "rgba(100,107,119,.13)", surface: "#ffffff",
  };
  const DARK = {
    text: "#8b929e", colours: ["#6d98ff", "#e9a92f", "#3a5696", "#37a874", "#ee5a5f", "#8b929e"], grid: "#1e2228", zero: "#343a44",
    hover: { bgcolor: "#191c22", bordercolor: "#343a44", font: "#eceef2" }, band: "rgba(139,146,158,.13)", surface: "#111317",
  };
  const system = matchMedia("(prefers-color-scheme: dark)"), narrow = matchMedia("(max-width: 760px)");
  const theme = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark" ? DARK : LIGHT;
  const MARKS = {
    edge: (t) => ({ line: { width: 0 }, fillcolor: t.band, hoverinfo: "all" }),
    main: (t) => ({ line: { width: 1.75, color: t.colours[0] }, marker: { size: 5, color: t.colours[0] } }),
    far: (t) => ({ line: { width: 1.25, color: t.text, dash: "dot" }, marker: { size: 4, color: t.text } }),
    bars: (t) => ({ marker: { color: t.colours[0] } }),
    human: (t) => trade(t, 1), fail: (t) => trade(t, 4),
  };
  // Of two charts over one axis: the area in the colour of what it costs, and its value where a limit stands.
  const trade = (t, place) => ({ line: { width: 1.75, color: t.colours[place] }, fillcolor: `${t.colours[place]}29`, marker: { size: 8, color: t.colours[place], line: { width: 1.5, color: t.surface } }, textfont: { size: 11, color: t.hover.font } });
  const ROLES = { now: (t) => t.text, draft: (t) => t.colours[0], text: (t) => t.text };
  const axes = (t, own) => Object.fromEntries(Object.entries(own).filter(([name]) => /^yaxis\d/.test(name)).map(([name, its]) => [name, axis(t, its, true)]));
  const axis = (t, own, grid) => ({ showgrid: grid, gridcolor: t.grid, zeroline: false, zerolinecolor: t.zero, ticks: "", automargin: grid, nticks: narrow.matches ? 4 : 7, ...own });
  const layout = (t, own) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", colorway: t.colours,
    font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: t.text },
    margin: { l: 40, r: 34, t: 8, b: 24, pad: 0 }, height: narrow.matches ? 190 : 240, showlegend: false, dragmode: false, bargap: 0.16, separators: ".,", uirevision: "same",
    hoverlabel: { bgcolor: t.hover.bgcolor, bordercolor: t.hover.bordercolor, font: { color: t.hover.font } },
    ...own, xaxis: axis(t, own.xaxis, false), yaxis: axis(t, own.yaxis, true), ...axes(t, own), annotations: own.annotations,
    shapes: own.shapes?.map((each) => ({ ...each, line: { width: 1.5, color: ROLES[each.name](t) } })),
  });
  // Each line is named at its end, where there is a value.
  const ends = (t, figure) => figure.data.filter((trace) => trace.type === "scatter" && trace.name).map((trace) => {
    const last = trace.y.findLastIndex((value) => value !== null);
    if (last < 0) return null;
    const y = figure.layout.yaxis.type === "log" ? Math.log10(trace.y[last]) : trace.y[last];
    return { x: trace.x[last], y, text: trace.name, showarrow: false, xanchor: "left", xshift: 5, font: { size: 11, color: trace.meta === "main" ? t.colours[0] : t.text } };
  }).filter(Boolean);

  const draw = (holder) => {
    const figure = JSON.parse(holder.querySelector("script[type='application/json']").textContent), t = theme();
    const data = figure.data.map((trace) => ({ ...trace, ...MARKS[trace.meta](t) }));
    Plotly.react(holder.querySelector(".plot"), data, layout(t, { ...figure.layout, annotations: [...ends(t, figure), ...(figure.layout.annotations ?? []).map((each) => ({ ...each, font: { size: 11, color: ROLES[each.name](t) } }))] }), { displayModeBar: false, responsive: true });
  };
  const buttons = new WeakMap();
  const show = (holder, table) => {
    holder.querySelector(".plot").hidden = table;
    holder.querySelector(".chart-table").hidden = !table;
    buttons.get(holder).setAttribute("aria-pressed", String(table));
    if (!table) draw(holder);
  };
  const dress = (holder) => {
    if (buttons.has(holder)) return;
    const button = document.createElement("button");
    button.type = "button"; button.className = "btn tiny ghost push"; button.textContent = "Table";
    button.addEventListener("click", () => show(holder, button.getAttribute("aria-pressed") !== "true"));
    (holder.closest(".panel")?.querySelector("header") ?? holder).append(button);
    buttons.set(holder, button);
    show(holder, false);
  };
  const all = () => document.querySelectorAll("[data-chart]");
  all().forEach(dress);
  document.body.addEventListener("htmx:afterSettle", () => all().forEach(dress));
  document.body.addEventListener("htmx:beforeCleanupElement", (event) => event.target.querySelectorAll?.(".plot").forEach((plot) => Plotly.purge(plot)));
  [system, narrow].forEach((media) => media.addEventListener("change", () => all().forEach((holder) => holder.querySelector(".plot").hidden || draw(holder))));
})();
