// The image viewer: a canvas of our own (docs/adr/0008-own-viewer.md). Grey values stay 16 bits deep; windowing is a
// table of 65,536 entries; overlays are drawn over the image in its own pixels.
import { h } from "../dom";
import { number } from "../format";
import { t } from "../text";
import type { Analysis, Region } from "../types";
import { drawAnalysis, text, type Layer } from "./overlay";
import type { Gray } from "./png";

export type Tool = "window" | "pan" | "zoom" | "measure";
export interface Scale { x_mm: number | null; y_mm: number | null; source: string | null }
export interface Display { slope: number; intercept: number; center: number; width: number }
interface Line { x0: number; y0: number; x1: number; y1: number }

export class Viewer {
  readonly element: HTMLElement;
  tool: Tool = "window";
  readonly layers = new Set<Layer>();
  onview: () => void = () => undefined;

  private readonly canvas = h("canvas", { class: "viewer-canvas", tabindex: "0", role: "img" });
  private readonly info = h("div", { class: "viewer-info", "aria-hidden": "true" });
  private readonly context = this.canvas.getContext("2d", { alpha: false })!;
  private readonly picture = document.createElement("canvas");
  private gray: Gray | null = null;
  private display: Display = { slope: 1, intercept: 0, center: 127.5, width: 255 };
  private center = 127.5;
  private width = 255;
  private inverted = false;
  private zoom = 1;
  private x = 0;
  private y = 0;
  private isFitted = true;
  private scale: Scale = { x_mm: null, y_mm: null, source: null };
  private analysis: Analysis | null = null;
  private maps = new Map<number, HTMLCanvasElement>();
  private names: (region: Region, all: Region[]) => string = () => "";
  private lines: Line[] = [];
  private pointers = new Map<number, { x: number; y: number }>();
  private frame = 0;

  constructor(label: string) {
    this.canvas.setAttribute("aria-label", label);
    this.element = h("div", { class: "viewer" }, this.canvas, this.info);
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.canvas.addEventListener("pointerdown", (e) => this.down(e));
    this.canvas.addEventListener("pointermove", (e) => this.move(e));
    for (const name of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(name, (e) => this.pointers.delete(e.pointerId));
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.canvas.addEventListener("dblclick", () => this.fit());
    this.canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    this.canvas.addEventListener("keydown", (e) => this.key(e));
  }

  setImage(gray: Gray, display: Display, scale: Scale): void {
    this.gray = gray;
    this.display = display;
    this.scale = scale;
    this.lines = [];
    this.picture.width = gray.width;
    this.picture.height = gray.height;
    this.canvas.dataset["loaded"] = "1";
    this.reset();
  }

  setAnalysis(analysis: Analysis | null, maps: Map<number, HTMLCanvasElement>, names: (region: Region, all: Region[]) => string): void {
    this.analysis = analysis;
    this.maps = maps;
    this.names = names;
    this.paint();
  }

  toggleLayer(layer: Layer): boolean {
    if (!this.layers.delete(layer)) this.layers.add(layer);
    this.paint();
    return this.layers.has(layer);
  }

  reset(): void {
    this.center = this.display.center;
    this.width = this.display.width;
    this.inverted = false;
    this.develop();
    this.fit();
  }

  invert(): void {
    this.inverted = !this.inverted;
    this.develop();
    this.paint();
  }

  clearMeasures(): void {
    this.lines = [];
    this.paint();
  }

  fit(): void {
    this.isFitted = true;
    if (this.gray === null) return;
    const { width, height } = this.element.getBoundingClientRect();
    this.zoom = Math.min(width / this.gray.width, height / this.gray.height) || 1;
    this.x = (width - this.gray.width * this.zoom) / 2;
    this.y = (height - this.gray.height * this.zoom) / 2;
    this.paint();
  }

  zoomBy(factor: number, atX?: number, atY?: number): void {
    const { width, height } = this.element.getBoundingClientRect();
    const px = atX ?? width / 2;
    const py = atY ?? height / 2;
    const next = Math.min(Math.max(this.zoom * factor, 0.02), 40);
    this.x = px - ((px - this.x) * next) / this.zoom;
    this.y = py - ((py - this.y) * next) / this.zoom;
    this.zoom = next;
    this.isFitted = false;
    this.paint();
  }

  // Grey values into screen values through a table: once per change of the window, not per frame.
  private develop(): void {
    if (this.gray === null) return;
    const { slope, intercept } = this.display;
    const table = new Uint8ClampedArray(this.gray.max + 1);
    for (let v = 0; v < table.length; v++) {
      const share = (v * slope + intercept - (this.center - this.width / 2)) / this.width;
      table[v] = 255 * (this.inverted ? 1 - share : share);
    }
    const context = this.picture.getContext("2d")!;
    const out = context.createImageData(this.gray.width, this.gray.height);
    const pixels = new Uint32Array(out.data.buffer);
    const values = this.gray.values;
    for (let i = 0; i < values.length; i++) {
      const g = table[values[i]!]!;
      pixels[i] = 0xff000000 | (g << 16) | (g << 8) | g;
    }
    context.putImageData(out, 0, 0);
  }

  private resize(): void {
    const { width, height } = this.element.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    if (this.isFitted) this.fit();
    else this.paint();
  }

  private paint(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const ratio = window.devicePixelRatio || 1;
    const c = this.context;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = "#05080a";
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.gray === null) return;
    c.setTransform(ratio * this.zoom, 0, 0, ratio * this.zoom, ratio * this.x, ratio * this.y);
    c.imageSmoothingEnabled = this.zoom < 4;
    c.imageSmoothingQuality = "high";
    c.drawImage(this.picture, 0, 0);
    // Overlays use coordinates whose 0 is the centre of the first pixel.
    c.translate(0.5, 0.5);
    const pen = { context: c, scale: this.zoom };
    if (this.analysis !== null) drawAnalysis(pen, this.analysis, this.layers, this.maps, this.names);
    for (const line of this.lines) this.drawMeasure(pen, line);
    this.info.textContent = `${Math.round(this.zoom * 100)} %   W ${number(this.width, 0)}  L ${number(this.center, 0)}${this.inverted ? `   ${t("viewer.inverted")}` : ""}`;
    this.onview();
  }

  private drawMeasure(pen: { context: CanvasRenderingContext2D; scale: number }, line: Line): void {
    const c = pen.context;
    c.beginPath();
    c.moveTo(line.x0, line.y0);
    c.lineTo(line.x1, line.y1);
    for (const [color, width] of [["rgba(0,0,0,0.7)", 4.5], ["#ffe66d", 2]] as const) {
      c.strokeStyle = color;
      c.lineWidth = width / pen.scale;
      c.stroke();
    }
    text(pen, this.lengthText(line), line.x1 + 8 / pen.scale, line.y1, "#ffe66d");
  }

  private lengthText(line: Line): string {
    const dx = line.x1 - line.x0;
    const dy = line.y1 - line.y0;
    const { x_mm, y_mm, source } = this.scale;
    if (x_mm === null || y_mm === null) return `${number(Math.hypot(dx, dy), 0)} px (${t("viewer.no-scale")})`;
    const isAtDetector = source !== null && source.includes("detector") && source.includes("unknown");
    return `${number(Math.hypot(dx * x_mm, dy * y_mm), 1)} mm${isAtDetector ? ` (${t("viewer.at-detector")})` : ""}`;
  }

  private toImage(e: PointerEvent): { x: number; y: number } {
    const area = this.canvas.getBoundingClientRect();
    return { x: (e.clientX - area.left - this.x) / this.zoom - 0.5, y: (e.clientY - area.top - this.y) / this.zoom - 0.5 };
  }

  private down(e: PointerEvent): void {
    this.canvas.setPointerCapture(e.pointerId);
    this.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    if (this.tool === "measure" && e.button === 0 && this.pointers.size === 1) {
      const at = this.toImage(e);
      this.lines.push({ x0: at.x, y0: at.y, x1: at.x, y1: at.y });
    }
  }

  private move(e: PointerEvent): void {
    const before = this.pointers.get(e.pointerId);
    if (before === undefined) return;
    const dx = e.clientX - before.x;
    const dy = e.clientY - before.y;
    if (this.pointers.size === 2) this.pinch(e);
    else if (e.buttons === 4 || e.buttons === 2 || this.tool === "pan") this.pan(dx, dy);
    else if (this.tool === "zoom") this.zoomBy(Math.exp(-dy / 150));
    else if (this.tool === "window") this.shiftWindow(dx, dy);
    else this.stretch(e);
    this.pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
  }

  private pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.isFitted = false;
    this.paint();
  }

  private pinch(e: PointerEvent): void {
    const other = [...this.pointers].find(([id]) => id !== e.pointerId)![1];
    const before = this.pointers.get(e.pointerId)!;
    const area = this.canvas.getBoundingClientRect();
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(e.clientX - other.x, e.clientY - other.y);
    if (was > 0) this.zoomBy(is / was, (e.clientX + other.x) / 2 - area.left, (e.clientY + other.y) / 2 - area.top);
  }

  private shiftWindow(dx: number, dy: number): void {
    const step = Math.max(this.display.width / 400, 1e-6);
    this.width = Math.max(this.width + dx * step, this.display.width / 255);
    this.center += dy * step;
    this.develop();
    this.paint();
  }

  private stretch(e: PointerEvent): void {
    const line = this.lines.at(-1);
    if (line === undefined) return;
    const at = this.toImage(e);
    line.x1 = at.x;
    line.y1 = at.y;
    this.paint();
  }

  private wheel(e: WheelEvent): void {
    e.preventDefault();
    const area = this.canvas.getBoundingClientRect();
    this.zoomBy(Math.exp(-e.deltaY / 400), e.clientX - area.left, e.clientY - area.top);
  }

  private key(e: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const step = steps[e.key];
    if (step !== undefined && !e.shiftKey) this.pan(...step);
    else if (step !== undefined) this.shiftWindow(-step[0] / 4, -step[1] / 4);
    else if (e.key === "+" || e.key === "=") this.zoomBy(1.25);
    else if (e.key === "-") this.zoomBy(0.8);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
