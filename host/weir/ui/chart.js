// Charts over time, drawn by uPlot in the page's own colours, each with its figures as a table beside it.

import { h, table } from "./dom.js";

/** The charts of the page: each with its place, its plot once that is drawn, and whether it was ever in the page. */
const charts = new Set();

/** How many charts are held. */
export const count = () => charts.size;

/** The colours of the theme in force, as the canvas takes them. */
function colours() {
  const probe = h("span", null);
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(["text", "muted", "line", "accent", "accent-2", "bad", "ok"].map((name) => [name, read(name)]));
  probe.remove();
  return found;
}

function transparent(colour, part) {
  const [, inner] = colour.match(/\(([^)]+)\)/) ?? [];
  return inner && !inner.includes("/") ? `rgba(${inner.split(",").slice(0, 3).join(",")}, ${part})` : colour;
}

const DAY = 86_400;

function ticks(span) {
  const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = (at) => new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return (_, all) => all.map((at) => (span > 2 * DAY ? day(at) : clock(at)));
}

/**
 * A chart of points `{at, …}` (seconds since 1970). Series: `label`, `value(point)`, `colour`, and `bars` for amounts.
 * `format` shows a value.
 */
export function chart(title, points, series, format) {
  const holder = h("div", { class: "plot", role: "img", "aria-label": `${title}: a chart; the same figures are in the table below.` });
  const cells = [{ title: "Time", cell: (point) => new Date(point.at * 1000).toLocaleString("en-GB", { dateStyle: "short", timeStyle: "short" }) }];
  const columns = cells.concat(series.map((one) => ({ title: one.label, number: true, cell: (point) => format(one.value(point)) })));
  const details = h("details", null, h("summary", null, "As a table"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(table(title, columns, points.toReversed()));
  });
  const legend = h("p", { class: "legend", "aria-hidden": "true" }, series.map((one) => h("span", { class: `key ${one.colour}` }, one.label)));
  const frame = h("figure", { class: "chart" }, h("figcaption", null, title), legend, holder, details);
  const one = { holder, plot: null, wasShown: false, draw: () => draw(holder, points, series, format) };
  charts.add(one);
  requestAnimationFrame(() => {
    show(one);
    // Those that this one took the place of. A chart of a page that is still being made was never in it.
    end(({ wasShown }) => wasShown);
  });
  return frame;
}

/** Draws a chart in place of what was drawn before. A plot listens to the window until it is told to end. */
function show(one) {
  one.plot?.destroy();
  one.holder.replaceChildren();
  one.plot = one.draw();
  one.wasShown ||= one.holder.isConnected;
}

/** Ends those of the charts that are not in the page. */
function end(is_gone) {
  for (const one of charts) {
    if (one.holder.isConnected || !is_gone(one)) continue;
    one.plot?.destroy();
    charts.delete(one);
  }
}

/** The plot; none while there is no room for it. */
function draw(holder, points, series, format) {
  const width = holder.clientWidth;
  if (!width || !window.uPlot || points.length === 0) return null;
  const theme = colours();
  const span = points.at(-1).at - points[0].at;
  const bars = window.uPlot.paths.bars({ size: [0.7, 40], align: 1 });
  const font = "12px system-ui, sans-serif";
  const axis = { stroke: theme.muted, font, grid: { stroke: theme.line, width: 1 }, ticks: { show: false } };
  const shown = series.map((one) => ({
    label: one.label,
    stroke: theme[one.colour],
    width: one.bars ? 0 : 2,
    fill: one.bars ? transparent(theme[one.colour], 0.85) : undefined,
    paths: one.bars ? bars : undefined,
    points: { show: !one.bars && points.length < 3 },
    spanGaps: true,
    value: (_, value) => (value === null ? "–" : format(value)),
  }));
  const options = {
    width,
    height: 200,
    // Half of the last label is to the right of its tick.
    padding: [10, 28, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.1] } },
    axes: [
      { ...axis, size: 28, grid: { show: false }, values: ticks(span), space: 70 },
      { ...axis, size: 64, values: (_, all) => all.map((value) => format(value)), space: 40 },
    ],
    series: [{}, ...shown],
    hooks: { setCursor: [(plot) => tell(plot, holder, series, points, format)] },
  };
  const data = [points.map((point) => point.at), ...series.map((one) => points.map((point) => one.value(point) ?? null))];
  return new window.uPlot(options, data, holder);
}

/** Shows the values below the pointer. */
function tell(plot, holder, series, points, format) {
  let tip = holder.querySelector(".tip");
  const at = plot.cursor.idx;
  if (at === null || at === undefined || plot.cursor.left < 0) return tip?.remove();
  if (!tip) holder.append((tip = h("div", { class: "tip", "aria-hidden": "true" })));
  const point = points[at];
  const when = new Date(point.at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  const lines = series.map((one) => h("div", null, h("span", { class: `key ${one.colour}` }, one.label), h("b", null, format(one.value(point) ?? null))));
  tip.replaceChildren(h("div", { class: "muted" }, when), ...lines);
  const left = plot.cursor.left + plot.bbox.left / devicePixelRatio;
  tip.style.left = `${Math.min(left + 12, holder.clientWidth - tip.offsetWidth - 4)}px`;
}

/** Draws all charts anew: the window or the theme has changed. */
export function redraw() {
  for (const one of charts) if (one.holder.isConnected) show(one);
}

/** Draws the charts of the page that is in place now, and ends those of all others. */
export function settle() {
  end(() => true);
  redraw();
}

let wait;
addEventListener("resize", () => {
  clearTimeout(wait);
  wait = setTimeout(redraw, 100);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
