// The measures of an ultrasound sequence over its frames, with a line at the frame on the screen.
import { h, replace, s } from "../dom";
import { unitText, withError } from "../format";
import { t } from "../text";
import type { FrameMeasure, Frames } from "../types";

const WIDTH = 600, HEIGHT = 116, LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 20;

function ticksOf(low: number, high: number): number[] {
  const raw = (high - low) / 3;
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * base).find((v) => v >= raw) ?? raw;
  const ticks: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) ticks.push(v);
  return ticks;
}

export class FramePlot {
  readonly element = h("figure", { class: "frame-plot", hidden: true });
  private frames: Frames | null = null;
  private measure: FrameMeasure | null = null;
  private cursor: SVGElement | null = null;
  private readonly now = h("strong", { class: "number" });
  private frame = 1;

  constructor(private readonly go: (frame: number) => void) {}

  setFrames(frames: Frames | null): void {
    this.frames = frames;
    this.measure = frames?.measures[0] ?? null;
    this.element.hidden = this.measure === null;
    if (this.measure !== null) this.build();
  }

  setFrame(frame: number): void {
    this.frame = frame;
    if (this.frames === null || this.measure === null) return;
    const x = String(this.x(frame));
    this.cursor?.setAttribute("x1", x);
    this.cursor?.setAttribute("x2", x);
    const at = this.frames.frames.findIndex((f) => f.frame === frame);
    this.now.textContent = at < 0 ? t("frames.not-this") : withError(this.measure.value[at] ?? null, this.measure.error_95[at] ?? null, this.measure.unit);
  }

  private x(frame: number): number {
    return LEFT + ((frame - 1) / Math.max(1, this.frames!.frame_count - 1)) * (WIDTH - LEFT - RIGHT);
  }

  private build(): void {
    const { frames, measures, step, complete } = this.frames!;
    const choice = h("select", { "aria-label": t("measure"), onchange: () => { this.measure = measures[choice.selectedIndex]!; this.draw(host); } }, measures.map((m) => h("option", {}, `${m.label}${unitText(m.unit) === "" ? "" : ` (${unitText(m.unit)})`}`)));
    const host = h("div", { class: "plot" });
    const notes = [step > 1 && t("frames.every", { n: step }), !complete && t("frames.cut", { n: frames.at(-1)?.frame ?? 0 })].filter(Boolean).join(" ");
    replace(this.element, h("figcaption", { class: "row" }, choice, this.now, h("small", {}, notes === "" ? t("frames.smoothed") : notes)), host);
    this.draw(host);
  }

  private draw(host: HTMLElement): void {
    const { frames } = this.frames!;
    const m = this.measure!;
    const known = m.value.filter((v): v is number => v !== null);
    const spread = Math.max(...known) - Math.min(...known) || Math.abs(known[0] ?? 1) * 0.1 || 1;
    const low = Math.min(...known) - 0.15 * spread, high = Math.max(...known) + 0.15 * spread;
    const y = (v: number): number => TOP + (1 - (v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    const steady = frames.map((f, i) => [f.frame, m.smoothed[i] ?? null] as const).filter((p): p is readonly [number, number] => p[1] !== null);
    this.cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
    const plot = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("frames.label", { what: m.label, low: Math.min(...known).toFixed(1), high: Math.max(...known).toFixed(1), unit: unitText(m.unit) }) },
      ticksOf(low, high).map((v) => [s("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(v), y2: y(v) }), s("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, String(Number(v.toPrecision(4))))]),
      s("text", { x: LEFT, y: HEIGHT - 4 }, "1"), s("text", { x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, String(this.frames!.frame_count)),
      s("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, t("frames.axis")),
      s("polyline", { class: "steady", points: steady.map(([f, v]) => `${this.x(f).toFixed(1)},${y(v).toFixed(1)}`).join(" ") }),
      frames.map((f, i) => m.value[i] != null && s("circle", { class: f.accepted ? "raw" : "raw unsure", cx: this.x(f.frame).toFixed(1), cy: y(m.value[i]!).toFixed(1), r: 2.6 })), this.cursor);
    plot.addEventListener("pointerdown", (e) => this.point(plot, e as PointerEvent));
    plot.addEventListener("pointermove", (e) => (e as PointerEvent).buttons === 1 && this.point(plot, e as PointerEvent));
    replace(host, plot);
    this.setFrame(this.frame);
  }

  private point(plot: Element, e: PointerEvent): void {
    const area = plot.getBoundingClientRect();
    const x = ((e.clientX - area.left) / area.width) * WIDTH;
    const frame = 1 + Math.round(((x - LEFT) / (WIDTH - LEFT - RIGHT)) * (this.frames!.frame_count - 1));
    this.go(Math.max(1, Math.min(this.frames!.frame_count, frame)));
  }
}
