// Measures and scores over time, with error bars: uPlot draws, a table beside it says the same.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { h, scrollable } from "./dom";
import { unitText, withError } from "./format";
import { t } from "./text";

export interface Point { day: string; value: number; error: number | null; note: string }
// What helps to read a chart: the band in which nothing but error happened, and values from which something matters.
export interface Guides { band: [number, number] | null; bandText: string; marks: { value: number; text: string }[] }
export interface Line { name: string; unit: string; points: Point[]; color: string } // color: name of a custom property

const seconds = (day: string): number => Date.parse(`${day.slice(0, 10)}T12:00:00Z`) / 1000;
const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawErrors(plot: uPlot, line: Line): void {
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = line.color;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  for (const p of line.points) {
    if (p.error === null) continue;
    const x = plot.valToPos(seconds(p.day), "x", true);
    const high = plot.valToPos(p.value + p.error, "y", true);
    const low = plot.valToPos(p.value - p.error, "y", true);
    const cap = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(x, high);
    ctx.lineTo(x, low);
    for (const y of [high, low]) { ctx.moveTo(x - cap, y); ctx.lineTo(x + cap, y); }
    ctx.stroke();
  }
  ctx.restore();
}

function drawGuides(plot: uPlot, guides: Guides): void {
  const { ctx, bbox } = plot;
  ctx.save();
  if (guides.band !== null) {
    const top = plot.valToPos(guides.band[1], "y", true);
    ctx.fillStyle = css("--band");
    ctx.fillRect(bbox.left, top, bbox.width, plot.valToPos(guides.band[0], "y", true) - top);
  }
  ctx.strokeStyle = css("--good");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const mark of guides.marks) {
    const y = plot.valToPos(mark.value, "y", true);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

export function timeline(title: string, named: Line[], guides: Guides | null = null): HTMLElement {
  const lines = named.map((l) => ({ ...l, color: css(l.color) }));
  const days = [...new Set(lines.flatMap((l) => l.points.map((p) => p.day.slice(0, 10))))].sort();
  const host = h("div", { class: "chart", role: "img", "aria-label": t("chart.label", { title }) });
  const all = lines.flatMap((l) => l.points.flatMap((p) => [p.value - (p.error ?? 0), p.value + (p.error ?? 0)])).concat(guides?.band ?? [], guides?.marks.map((m) => m.value) ?? []);
  const low = Math.min(0, ...all);
  const high = Math.max(...all);
  const data = [days.map(seconds), ...lines.map((l) => days.map((d) => l.points.find((p) => p.day.slice(0, 10) === d)?.value ?? null))];
  const axis = { stroke: css("--text-soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line") } };
  const first = data[0]![0]! as number;
  const last = data[0]!.at(-1)! as number;
  const isLong = last - first > 300 * 86400; // months are enough, and shorter
  const margin = Math.max((last - first) * 0.06, 20 * 86400);
  const plot = new uPlot({
    width: 600, height: 260, legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true, range: [first - margin, last + margin] }, y: { range: [low, high + (high - low) * 0.08 + 1e-6] } },
    axes: [{ ...axis, space: isLong ? 62 : 90, values: (_, ticks) => ticks.map((x) => new Date(x * 1000).toISOString().slice(0, isLong ? 7 : 10)) }, { ...axis, label: unitText(lines[0]?.unit ?? ""), labelSize: 18, size: 54 }],
    series: [{}, ...lines.map((l) => ({ label: l.name, stroke: l.color, width: 2, spanGaps: true, points: { show: true, size: 8, fill: l.color } }))],
    hooks: { drawAxes: [(u: uPlot) => guides !== null && drawGuides(u, guides)], draw: [(u: uPlot) => lines.forEach((l) => drawErrors(u, l))] },
  }, data as uPlot.AlignedData, host);
  new ResizeObserver(() => host.clientWidth > 0 && plot.setSize({ width: host.clientWidth, height: 260 })).observe(host);
  const legend = h("ul", { class: "legend" }, lines.map((l) => {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = l.color;
    return h("li", {}, swatch, l.name);
  }), guides?.band != null && h("li", {}, h("span", { class: "swatch swatch-band" }), guides.bandText), guides?.marks.map((m) => h("li", {}, h("span", { class: "swatch swatch-mark" }), m.text)));
  const table = h("details", {}, h("summary", {}, t("chart.table")), scrollable(h("table", {},
    h("thead", {}, h("tr", {}, [t("date"), t("measure"), t("value"), t("note")].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, lines.flatMap((l) => l.points.map((p) => h("tr", {}, h("td", {}, p.day.slice(0, 10)), h("td", {}, l.name), h("td", { class: "number" }, withError(p.value, p.error, l.unit)), h("td", {}, p.note))))))));
  return h("figure", { class: "card" }, h("figcaption", {}, h("h3", {}, title)), legend, host, table);
}
