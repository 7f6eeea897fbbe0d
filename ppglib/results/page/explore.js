"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const ROWS = 15;
// Paths of marks, about 12 units wide around 0.
const SHAPES = {
  circle: "M5,0A5,5 0 1,1 -5,0A5,5 0 1,1 5,0Z", square: "M-4.6,-4.6H4.6V4.6H-4.6Z", diamond: "M0,-6L6,0L0,6L-6,0Z",
  up: "M0,-5.8L5.6,4.6H-5.6Z", down: "M0,5.8L5.6,-4.6H-5.6Z", left: "M-5.8,0L4.6,-5.6V5.6Z",
  plus: "M-1.9,-5.4H1.9V-1.9H5.4V1.9H1.9V5.4H-1.9V1.9H-5.4V-1.9H-1.9Z",
  cross: "M-5,-2.6L-2.6,-5L0,-2.4L2.6,-5L5,-2.6L2.4,0L5,2.6L2.6,5L0,2.4L-2.6,5L-5,2.6L-2.4,0Z",
  star: "M0,-6.6L1.7,-2.2L6.3,-2.1L2.7,0.8L4,5.2L0,2.6L-4,5.2L-2.7,0.8L-6.3,-2.1L-1.7,-2.2Z",
};
// Strategies that look alike in figures, which do not show them side by side, have marks of their own here.
const OTHERS = [SHAPES.cross, "M-5.5,-1.6H5.5V1.6H-5.5Z", "M-1.6,-5.5H1.6V5.5H-1.6Z", "M-5,-5H5L-5,5H5Z", "M5.8,0L-4.6,-5.6V5.6Z", "M0,-5.8L5.5,-1.8L3.4,4.7H-3.4L-5.5,-1.8Z", "M-3,-5.2H3L6,0L3,5.2H-3L-6,0Z"];
const FIELDS = { "": "anything", whole: "the whole window (8 s)", most: "4 s to less than 8 s", some: "1 s to less than 4 s", little: "less than 1 s" };
const inField = (v, f) => !f || (v !== null && v !== undefined
  && { whole: v >= 8, most: v >= 4 && v < 8, some: v >= 1 && v < 4, little: v < 1 }[f]);
const nets = D.networks.filter((n) => !n.baseline), baselines = D.networks.filter((n) => n.baseline);
const unique = (key) => [...new Set(nets.map((n) => n[key]))];
const strategies = Object.keys(D.style).filter((s) => nets.some((n) => n.strategy === s));
const state = { x: Object.keys(D.axes)[0], decoder: D.decoder[0], dataset: "", recipe: "", teacher: "", field: "", strategies: new Set(strategies), all: false };
let points = [], active = -1;
const gray = strategies.filter((s) => D.style[s].shape === "cross");
const shape = (s) => (gray.includes(s) ? OTHERS[gray.indexOf(s) % OTHERS.length] : SHAPES[D.style[s].shape]);

function make(parent, name, attributes = {}, text) {
  const svg = parent instanceof SVGElement;
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}
function choose(form, key, words, options, changed) {
  const label = make(form, "label", {}, words), select = make(label, "select", { id: key, name: key });
  for (const [value, text] of options) make(select, "option", { value }, text);
  select.value = state[key] ?? "";
  select.addEventListener("change", () => { state[key] = select.value; changed(); });
}
function sign(parent, strategy, hollow) {
  const { color } = D.style[strategy];
  return make(parent, "path", { d: shape(strategy), fill: hollow ? "#fff" : color, stroke: color, "stroke-width": 1.7 });
}
const error = (n) => n.errors[`${state.decoder}|${state.dataset}`];
const short = (v) => v >= 1e6 ? `${+(v / 1e6).toPrecision(3)} M` : v >= 1e3 ? `${+(v / 1e3).toPrecision(3)} k` : `${+v.toPrecision(3)}`;
const bpm = ([mae, low, high]) => mae.toFixed(2) + (low === null ? "" : ` [${low.toFixed(2)}, ${high.toFixed(2)}]`);

function fitting() {
  return nets.filter((n) => state.strategies.has(n.strategy) && (!state.recipe || n.recipe === state.recipe)
    && (!state.teacher || n.teacher === state.teacher) && inField(n.field, state.field)
    && error(n) && error(n)[0] !== null);
}
function ticks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const step of high / low > 1e4 ? [1] : high / low > 100 ? [1, 3] : [1, 2, 5]) {
      const value = step * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  return found;
}
function describe(n) {
  const e = error(n), lines = [n.name === n.size ? n.name : `${n.name} (${n.size})`, n.learned, `MAE ${bpm(e)} BPM, ${e[3]} people`];
  const units = { macs: "MACs", int8: "int8 instructions", float32: "float32 instructions" };
  const costs = Object.keys(D.axes).filter((a) => n[a] !== null && a !== "field").map((a) => `${short(n[a])} ${units[a] ?? a}`);
  return [...lines, costs.join(", "), `sees ${n.field === null || n.field === undefined ? "?" : +n.field.toFixed(2)} s; ${n.seeds} seed${n.seeds > 1 ? "s" : ""} a fold`];
}
function draw() {
  const plot = $("plot"), width = Math.max(300, $("chart").clientWidth), height = Math.min(460, Math.max(320, 0.6 * width));
  const left = 48, right = 14, top = 14, bottom = 48, fit = fitting(), rows = fit.filter((n) => n[state.x] > 0);
  plot.replaceChildren();
  plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
  hide();
  const without = fit.length - rows.length;
  $("count").textContent = `${rows.length} of ${nets.length} networks, ${state.dataset || "all sets"}, decoded by ${state.decoder}.`
    + (without ? ` Left out: ${without} more, of which this cost is not known.` : "");
  const xs = rows.map((n) => n[state.x]), ys = rows.map((n) => error(n)[0]);
  const x0 = Math.min(...xs) / 1.15, x1 = Math.max(...xs) * 1.15, y1 = Math.max(1, ...ys) * 1.04;
  const y0 = Math.max(0, Math.floor(Math.min(...ys) - (y1 - Math.min(...ys)) / 5)) || 0;
  const X = (v) => left + (width - left - right) * (rows.length ? Math.log(v / x0) / Math.log(x1 / x0) : 0);
  const Y = (v) => top + (height - top - bottom) * (1 - (v - y0) / (y1 - y0));
  const aside = (n) => 1.1 * (strategies.indexOf(n.strategy) - (strategies.length - 1) / 2);
  const step = [0.5, 1, 2, 5, 10, 20].find((s) => (y1 - y0) / s <= 8) || 50;
  for (let v = Math.ceil(y0 / step) * step; v <= y1; v += step) {
    make(plot, "line", { class: "grid", x1: left, x2: width - right, y1: Y(v), y2: Y(v) });
    make(plot, "text", { x: left - 8, y: Y(v) + 4, "text-anchor": "end" }, v);
  }
  let last = -99;
  for (const v of rows.length ? ticks(x0, x1) : []) {
    make(plot, "line", { class: "axis", x1: X(v), x2: X(v), y1: height - bottom, y2: height - bottom + 5 });
    if (X(v) - last > 44) { make(plot, "text", { x: X(v), y: height - bottom + 19, "text-anchor": "middle" }, short(v)); last = X(v); }
  }
  make(plot, "line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
  make(plot, "text", { x: (left + width) / 2, y: height - 8, "text-anchor": "middle" }, D.axes[state.x] + (width > 480 ? ", logarithmic" : ""));
  make(plot, "text", { transform: `translate(13 ${(height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "MAE (BPM)");
  if (!rows.length) make(plot, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "No network: widen the filters.");
  const front = [];
  for (const n of [...rows].sort((a, b) => a[state.x] - b[state.x] || error(a)[0] - error(b)[0]))
    if (!front.length || error(n)[0] < error(front[front.length - 1])[0]) front.push(n);
  if (front.length > 1) make(plot, "polyline", { points: front.map((n) => `${X(n[state.x])},${Y(error(n)[0])}`).join(" "), fill: "none", stroke: "#332288", "stroke-width": 1.6, "stroke-dasharray": "6 3" });
  const above = [];
  for (const n of baselines.filter((b) => error(b))) {
    const v = error(n)[0];
    above.push(`${n.name} ${bpm(error(n))} BPM`);
    if (v <= y1 && v >= y0) make(plot, "line", { x1: left, x2: width - right, y1: Y(v), y2: Y(v), stroke: "#444", "stroke-dasharray": "2 4" });
  }
  $("baselines").textContent = above.length ? `Baselines that need no network: ${above.join("; ")}.` : "";
  make(plot, "path", { id: "interval", fill: "none", stroke: "#1b1f24", "stroke-width": 2 });
  points = rows.map((n) => ({ n, x: X(n[state.x]) + aside(n), y: Y(error(n)[0]) })).sort((a, b) => a.x - b.x || a.y - b.y);
  for (const p of points) {
    p.mark = sign(plot, p.n.strategy, !(p.n.field >= 8));
    p.mark.setAttribute("transform", `translate(${p.x} ${p.y})`);
    p.mark.setAttribute("class", "point");
    const [, low, high] = error(p.n);
    const end = (v) => v > y1 ? `M${p.x - 4},${top + 6}l4,-6l4,6` : v < y0 ? `M${p.x - 4},${height - bottom - 6}l4,6l4,-6` : `M${p.x - 5},${Y(v)}h10`;
    p.ends = low === null ? "" : `${end(low)}${end(high)}M${p.x},${Y(Math.max(low, y0))}V${Y(Math.min(high, y1))}`;  // an arrow where it goes on
  }
  list();
}
function show(index) {
  active = index;
  const p = points[index], tip = $("tip"), scale = $("plot").getBoundingClientRect().width / $("plot").viewBox.baseVal.width || 1;
  for (const other of points) other.mark.setAttribute("transform", `translate(${other.x} ${other.y})`);
  p.mark.setAttribute("transform", `translate(${p.x} ${p.y}) scale(1.7)`);
  $("interval").setAttribute("d", p.ends);
  tip.replaceChildren();
  describe(p.n).forEach((line, i) => make(tip, i ? "div" : "strong", {}, line));
  tip.hidden = false;
  const room = $("chart").clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, p.x * scale + (p.x * scale > room - 14 ? -tip.offsetWidth - 14 : 14)))}px`;
  tip.style.top = `${Math.max(0, p.y * scale - tip.offsetHeight - 12)}px`;
  for (const row of $("table").querySelectorAll("tr")) row.classList.toggle("on", row.dataset.key === key(p.n));
}
function hide() {
  active = -1;
  $("tip").hidden = true;
  $("interval")?.setAttribute("d", "");
  for (const p of points) p.mark?.setAttribute("transform", `translate(${p.x} ${p.y})`);
}
const key = (n) => [n.recipe, n.strategy, n.student, n.teacher].join("|");
function list() {
  const table = $("table"), rows = points.map((p) => p.n).sort((a, b) => error(a)[0] - error(b)[0]);
  table.replaceChildren();
  const head = make(make(table, "thead"), "tr");
  for (const name of ["Network", "Learned", D.axes[state.x], "MAE (BPM)"]) make(head, "th", { scope: "col" }, name);
  const body = make(table, "tbody");
  for (const n of state.all ? rows : rows.slice(0, ROWS)) {
    const row = make(body, "tr");
    row.dataset.key = key(n);
    const cells = { Learned: n.learned, [D.axes[state.x]]: short(n[state.x]), "MAE (BPM)": bpm(error(n)) };
    make(row, "th", { scope: "row" }, n.name);
    for (const [name, text] of Object.entries(cells)) make(row, "td", { "data-label": name }, text);
  }
  $("more").hidden = rows.length <= ROWS;
  $("more").textContent = state.all ? "Show fewer rows" : `Show all ${rows.length} rows`;
}
function nearest(event) {
  const box = $("plot").getBoundingClientRect(), scale = $("plot").viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
  let best = -1, least = 26 ** 2;
  points.forEach((p, i) => { const d = (p.x - x) ** 2 + (p.y - y) ** 2; if (d < least) { least = d; best = i; } });
  if (best < 0) hide(); else if (best !== active) show(best);
}
function keyed(event) {
  const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
  let next = active;
  if (event.key in moves) next = (active + moves[event.key] + points.length) % points.length;
  else if (event.key === "Home") next = 0;
  else if (event.key === "End") next = points.length - 1;
  else if (event.key === "Escape") return hide();
  else return;
  event.preventDefault();
  if (!points.length) return;
  show(active < 0 && event.key in moves ? 0 : next);
  $("said").textContent = describe(points[active].n).join(". ");
}
function claims() {
  const rows = D.claims.filter((c) => c.decoder === state.judged || c.on === "paper's tables");
  const on = [...new Set(rows.map((c) => c.on))].filter((name) => !state.on || name === state.on);
  $("verdicts").replaceChildren();
  $("held").textContent = `Reproduced, decoded by ${state.judged}: ` + on.map((name) =>
    `${rows.filter((c) => c.on === name && c.verdict === "reproduced").length} by ${name}`).join(", ") + ".";
  for (const id of new Set(rows.map((c) => c.id))) {
    const own = rows.filter((c) => c.id === id && on.includes(c.on)), box = make($("verdicts"), "section", { class: "claim" });
    make(box, "h3", {}, `${id}. ${rows.find((c) => c.id === id).claim}`);
    const items = make(box, "dl");
    for (const c of own) {
      make(items, "dt", {}, c.on);
      const said = make(items, "dd"), { symbol, kind } = D.verdicts[c.verdict];
      make(said, "span", { class: `verdict v${kind}` }, `${symbol} ${c.verdict}${c.how ? ` (${c.how})` : ""}`);
      make(said, "p", {}, (c.effect ? `Effect ${c.effect}. ` : "") + c.why);
    }
  }
}
function start() {
  $("heading").textContent = `Explorer of the study ${D.study}`;
  $("about").textContent = `${nets.length} networks that were tested on people whom they were not trained on, by what they cost and how they err.`;
  const form = $("filters"), any = (text) => [["", text]];
  choose(form, "x", "Cost", Object.entries(D.axes), draw);
  choose(form, "decoder", "Decoded by", D.decoder.map((d) => [d, d]), draw);
  choose(form, "dataset", "People of", D.dataset.map((d) => [d, d || "all sets"]), draw);
  choose(form, "recipe", "Recipe", [...any("any"), ...unique("recipe").map((r) => [r, r])], draw);
  const teachers = unique("teacher").sort((a, b) => parseInt(a) - parseInt(b) || (a < b ? -1 : 1));
  choose(form, "teacher", "Teacher", [...any("any or none"), ...teachers.map((t) => [t, t === "0" ? "none" : `${t.replace(" ", " blocks, ")}${t.includes(" ") ? "" : " blocks"}`])], draw);
  choose(form, "field", "Sees", Object.entries(FIELDS), draw);
  const box = make(form, "fieldset");
  make(box, "legend", {}, "Strategy");
  const boxes = strategies.map((name) => {
    const label = make(box, "label"), input = make(label, "input", { type: "checkbox", name: "strategy", value: name });
    input.checked = true;
    const svg = label.appendChild(document.createElementNS(SVG, "svg"));
    for (const [k, v] of Object.entries({ width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" })) svg.setAttribute(k, v);
    sign(svg, name);
    label.append(name);
    input.addEventListener("change", () => { state.strategies[input.checked ? "add" : "delete"](name); draw(); });
    return input;
  });
  for (const [text, wanted] of [["All", true], ["None", false]]) make(box, "button", { type: "button" }, text).addEventListener("click", () => {
    boxes.forEach((b) => { b.checked = wanted; });
    state.strategies = new Set(wanted ? strategies : []);
    draw();
  });
  $("more").addEventListener("click", () => { state.all = !state.all; list(); });
  $("plot").addEventListener("pointermove", nearest);
  $("plot").addEventListener("pointerdown", nearest);
  $("plot").addEventListener("pointerleave", hide);
  $("plot").addEventListener("keydown", keyed);
  $("plot").addEventListener("blur", hide);
  let width = 0;
  new ResizeObserver(() => { if ($("chart").clientWidth !== width) { width = $("chart").clientWidth; draw(); } }).observe($("chart"));
  const judged = [...new Set(D.claims.map((c) => c.decoder))];
  state.judged = judged[0];
  state.on = "";
  choose($("how"), "on", "Judged on", [...any("all"), ...[...new Set(D.claims.map((c) => c.on))].map((r) => [r, r])], claims);
  choose($("how"), "judged", "Decoded by", judged.map((d) => [d, d]), claims);
  draw();
  claims();
}
start();
