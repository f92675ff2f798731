"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const $ = (id) => document.getElementById(id);
  const items = new Map(data.items.map((item) => [item.id, item]));
  const zoneOf = new Map();
  let chosen = null; // ids selected on the map; null for no selection

  /* Charts */

  const map = data.charts.edge_map;
  if (map) {
    for (const point of map.datasets.points) {
      const item = items.get(point.id);
      point.text = item ? item.text : "";
      point.target = item ? item.target : "";
      zoneOf.set(point.id, point.zone);
    }
  }

  function sized(spec) {
    const copy = structuredClone(spec);
    if (narrow.matches && copy.layer) {
      copy.layer = copy.layer.filter((layer) => layer.name !== "values");
    }
    return copy;
  }

  function config() {
    const theme = structuredClone(data.themes[dark.matches ? "dark" : "light"]);
    if (narrow.matches) {
      Object.assign(theme.axis, { labelLimit: 165, labelFontSize: 10 });
      theme.legend.columns = 1;
    }
    return theme;
  }

  async function draw() {
    const options = { actions: false, renderer: "svg", ast: true, config: config(),
                      tooltip: { theme: dark.matches ? "dark" : "light" } };
    for (const place of document.querySelectorAll("[data-chart]")) {
      const name = place.dataset.chart;
      const { view } = await vegaEmbed(place, sized(data.charts[name]), options);
      // a chart is one picture with a name; what is in it stands in the tables
      place.querySelector("svg").setAttribute("aria-hidden", "true");
      if (name === "edge_map") view.addSignalListener("brush", (_, range) => select(range));
    }
    document.documentElement.dataset.drawn = "yes";
  }

  function select(range) {
    const within = ([low, high], value) => low <= value && value <= high;
    const ordered = (pair) => [...pair].sort((a, b) => a - b);
    chosen = range.x && range.y
      ? new Set(map.datasets.points
          .filter((p) => within(ordered(range.x), p.x) && within(ordered(range.y), p.y)).map((p) => p.id))
      : null;
    $("clear").hidden = !chosen;
    shown = STEP;
    list();
  }

  dark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
  $("clear").addEventListener("click", () => { select({}); draw(); });

  /* Table */

  const STEP = 50;
  const COLUMNS = [
    ["row", "row"], ["text", "text"], ["target", "answer"], ["side", "side"], ["without", "without the data"],
    ["with", "with the data"], ["score", "label score"], ["proposed", "proposed"], ["reason", "why"],
  ].filter(([key]) => data.items.some((item) => item[key] !== undefined && item[key] !== ""));
  let order = null; // [key, ascending]
  let shown = STEP;

  const zones = [...new Set(zoneOf.values())];
  if (zones.length) {
    for (const zone of zones) $("zone").append(new Option(zone, zone));
    $("zone-label").hidden = false;
  }

  function found() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const view = $("view").value, zone = $("zone").value;
    const rows = data.items.filter((item) => {
      const text = `${item.text} ${item.target} ${item.proposed ?? ""}`.toLowerCase();
      return (!chosen || chosen.has(item.id)) && (!view || item.views.includes(view))
        && (!zone || zoneOf.get(item.id) === zone) && words.every((word) => text.includes(word));
    });
    if (order) {
      const [key, ascending] = order;
      const compare = (a, b) => typeof a === "number" ? a - b : String(a).localeCompare(String(b));
      rows.sort((a, b) => {
        if (a[key] === undefined || b[key] === undefined) return (a[key] === undefined) - (b[key] === undefined);
        return (ascending ? 1 : -1) * compare(a[key], b[key]);
      });
    }
    return rows;
  }

  function list() {
    const rows = found();
    const body = document.createElement("tbody");
    for (const item of rows.slice(0, shown)) {
      const line = body.insertRow();
      for (const [key] of COLUMNS) {
        const cell = line.insertCell();
        const value = item[key];
        cell.className = typeof value === "number" ? "number" : key === "text" ? "text" : "";
        cell.textContent = value === undefined ? "–"
          : typeof value === "number" && key !== "row" ? value.toFixed(3) : String(value);
      }
    }
    $("table").tBodies[0].replaceWith(body);
    $("count").textContent = `${rows.length.toLocaleString("en")} item${rows.length === 1 ? "" : "s"}`
      + (rows.length > shown ? `, the first ${shown.toLocaleString("en")} shown` : "");
    $("more").hidden = rows.length <= shown;
  }

  const head = $("table").tHead.insertRow();
  for (const [key, title] of COLUMNS) {
    const cell = document.createElement("th");
    cell.scope = "col";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    button.addEventListener("click", () => {
      const ascending = !(order && order[0] === key && order[1]);
      order = [key, ascending];
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      list();
    });
    cell.append(button);
    head.append(cell);
  }
  for (const id of ["search", "view", "zone"]) {
    $(id).addEventListener("input", () => { shown = STEP; list(); });
  }
  $("more").addEventListener("click", () => { shown += STEP; list(); });

  list();
  draw();
})();
