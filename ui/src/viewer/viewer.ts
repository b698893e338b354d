// The image viewer: a canvas of our own (docs/adr/0008-own-viewer.md). Grey values stay 16 bits deep; windowing is a
// table of up to 65,536 entries; overlays are drawn over the image in its own coordinates. A reduced copy may stand in for
// a large picture (docs/adr/0023-values-and-a-reduced-copy.md): it is drawn in the place and size of the full one, all
// coordinates are the full one's, and a note stays over it until that one is there.
import { h } from "../dom";
import { number } from "../format";
import { t } from "../text";
import type { Analysis, Box, Region } from "../types";
import { apply, compose, IDENTITY, invert, scaleOf, type Affine, type Point } from "./affine";
import { drawAnalysis, drawPointed, text, type Layer, type Pen } from "./overlay";
import { AS_STORED, mapOf, mirror, turn, turnedSize, turningText, type Turning } from "./turning";
import { meansOf, type Gray } from "./values";

export type Tool = "window" | "pan" | "zoom" | "measure";
export interface Scale { x_mm: number | null; y_mm: number | null; source: string | null }
export interface Display { slope: number; intercept: number; center: number; width: number }
export interface Size { width: number; height: number }
export interface View { x: number; y: number; zoom: number } // of the turned frame's points on the screen
const BAND_PIXELS = 1 << 16;
interface Line { x0: number; y0: number; x1: number; y1: number }

// The frame is what is moved and enlarged: the image's own pixels, or those of another image that this one lies over.
export class Viewer {
  readonly element: HTMLElement;
  tool: Tool = "window";
  readonly layers = new Set<Layer>();
  onview: () => void = () => undefined; // moved or enlarged by hand
  onscroll: ((step: number) => void) | null = null; // wheel and arrow keys leaf through a stack

  private readonly canvas = h("canvas", { class: "viewer-canvas", tabindex: "0", role: "img" });
  private readonly info = h("div", { class: "viewer-info", "aria-hidden": "true" });
  private readonly turned = h("div", { class: "viewer-turned", role: "status", hidden: true });
  private readonly mark = h("div", { class: "viewer-mark", hidden: true });
  private readonly note = h("div", { class: "viewer-note", role: "status", hidden: true });
  private readonly measured = h("p", { class: "visually-hidden viewer-measured" }); // what the canvas shows, for those who do not see it
  private readonly context = this.canvas.getContext("2d", { alpha: false })!;
  private readonly picture = document.createElement("canvas");
  private band: ImageData | null = null;
  private gray: Gray | null = null;
  private means: { step: number; gray: Gray } | null = null; // of the picture's values, as few as the screen can show
  private size: Size = { width: 0, height: 0 }; // of the full picture
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
  private toFrame: Affine = IDENTITY;
  private turning: Turning = AS_STORED;
  private frameSize: Size | null = null;
  private pointed: Box | null = null;
  private wheeled = 0;
  private isStale = false;

  constructor(label: string) {
    this.canvas.setAttribute("aria-label", label);
    this.element = h("div", { class: "viewer" }, this.canvas, this.info, this.turned, this.mark, this.note, this.measured);
    new ResizeObserver(() => this.resize()).observe(this.element);
    this.canvas.addEventListener("pointerdown", (e) => this.down(e));
    this.canvas.addEventListener("pointermove", (e) => this.move(e));
    for (const name of ["pointerup", "pointercancel"] as const) this.canvas.addEventListener(name, (e) => this.up(e));
    this.canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    this.canvas.addEventListener("dblclick", () => { this.fit(); this.onview(); });
    this.canvas.addEventListener("contextmenu", (e) => e.preventDefault());
    this.canvas.addEventListener("keydown", (e) => this.key(e));
  }

  // `size`: of the full picture, where `gray` is a reduced copy of it.
  setImage(gray: Gray, display: Display, scale: Scale, size: Size = gray): void {
    this.display = display;
    this.scale = scale;
    this.lines = [];
    this.take(gray, size);
    this.reset();
  }

  // Another picture of the same stack: window, place and enlargement stay, measured lines do not fit any more.
  setSlice(gray: Gray, display: Display, scale: Scale, size: Size = gray): void {
    if (this.gray === null || size.width !== this.size.width || size.height !== this.size.height) return this.setImage(gray, display, scale, size);
    this.display = { ...display, center: this.display.center, width: this.display.width };
    this.scale = scale;
    this.lines = [];
    this.take(gray, size);
    this.develop();
    this.paint();
  }

  // The full picture in the place of its reduced copy: all else stays as it is, measured lines too.
  setFull(gray: Gray): void {
    this.take(gray, gray);
    this.develop();
    this.paint();
  }

  // Of a picture that was made from copies: it says what it was made from.
  noteCopy(isFromCopies: boolean): void {
    this.note.hidden = !isFromCopies;
    this.note.textContent = isFromCopies ? t("viewer.reduced") : "";
  }

  // The full picture does not come: the note over its copy says so.
  tellFullFailed(): void {
    if (!this.note.hidden) this.note.textContent = t("viewer.reduced-failed");
  }

  private get isReduced(): boolean {
    return this.gray !== null && (this.gray.width !== this.size.width || this.gray.height !== this.size.height);
  }

  private take(gray: Gray, size: Size): void {
    this.gray = gray;
    this.size = { width: size.width, height: size.height };
    this.means = null;
    this.noteCopy(this.isReduced);
  }

  // Lays this image over another one: `map` takes its pixels to those of the other, whose size is given.
  setFrame(map: Affine, size: Size | null): void {
    this.toFrame = map;
    this.frameSize = size;
    this.fit();
  }

  get view(): View {
    return { x: this.x, y: this.y, zoom: this.zoom };
  }

  set view(view: View) {
    this.x = view.x;
    this.y = view.y;
    this.zoom = view.zoom;
    this.isFitted = false;
    this.paint();
  }

  get windowing(): { center: number; width: number; isInverted: boolean } {
    return { center: this.center, width: this.width, isInverted: this.inverted };
  }

  // Stands over the picture until somebody has signed: pictures of the screen travel, too.
  setMark(text: string | null): void {
    this.mark.textContent = text ?? "";
    this.mark.hidden = text === null;
  }

  setLabel(label: string): void {
    this.canvas.setAttribute("aria-label", label);
  }

  setPointed(box: Box | null): void {
    this.pointed = box;
    this.paint();
  }

  setAnalysis(analysis: Analysis | null, maps: Map<number, HTMLCanvasElement>, names: (region: Region, all: Region[]) => string): void {
    this.analysis = analysis;
    this.maps = maps;
    this.names = names;
    this.paint();
  }

  setLayers(layers: Iterable<Layer>): void {
    this.layers.clear();
    for (const layer of layers) this.layers.add(layer);
    this.paint();
  }

  reset(): void {
    this.center = this.display.center;
    this.width = this.display.width;
    this.inverted = false;
    this.develop();
    this.setTurning(AS_STORED);
  }

  // By a quarter, clockwise; left and right changed. Both as the reader sees it, and said in the picture as long as it is so.
  turn(): void {
    this.setTurning(turn(this.turning));
  }

  mirror(): void {
    this.setTurning(mirror(this.turning));
  }

  // As this one is.
  turnLike(other: Viewer): void {
    this.setTurning(other.turning);
  }

  private setTurning(turning: Turning): void {
    this.turning = turning;
    const said = turningText(turning);
    this.turned.hidden = said === null;
    this.turned.textContent = said ?? "";
    this.fit();
  }

  private get whole(): Size {
    return this.frameSize ?? this.size;
  }

  // From the picture's pixels to those of the turned frame.
  private get toScreenFrame(): Affine {
    return compose(mapOf(this.turning, this.whole), this.toFrame);
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
    const size = turnedSize(this.turning, this.whole);
    this.zoom = Math.min(width / size.width, height / size.height) || 1;
    this.x = (width - size.width * this.zoom) / 2;
    this.y = (height - size.height * this.zoom) / 2;
    this.paint();
  }

  // Shows this part of the frame as large as it fits.
  fitBox(box: Box): void {
    const { width, height } = this.element.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    const part = turnedSize(this.turning, { width: box.width_px, height: box.height_px });
    const middle = apply(mapOf(this.turning, this.whole), { x: box.x_px + box.width_px / 2 - 0.5, y: box.y_px + box.height_px / 2 - 0.5 });
    const zoom = Math.min(width / part.width, height / part.height);
    this.view = { zoom, x: width / 2 - (middle.x + 0.5) * zoom, y: height / 2 - (middle.y + 0.5) * zoom };
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
    this.onview();
  }

  private develop(): void {
    this.isStale = true;
  }

  // How many of the picture's values, along a line, fall on one pixel of the screen.
  private stepAt(grown: number): number {
    return Math.max(1, Math.floor(this.gray!.width / (grown * this.size.width)));
  }

  // Grey values into screen values through a table: once per change of the window, and per painted frame at most.
  private fillPicture(step: number): void {
    this.isStale = false;
    if (this.means?.step !== step) this.means = { step, gray: meansOf(this.gray!, step) };
    const { width, height, high, values } = this.means.gray;
    const { slope, intercept } = this.display;
    const perValue = (255 * slope) / this.width, atZero = (255 * (intercept - this.center + this.width / 2)) / this.width;
    const [first, each] = this.inverted ? [255 - atZero, -perValue] : [atZero, perValue];
    const table = new Uint8ClampedArray(high + 1); // what a value looks like: one step for each of millions of pixels
    for (let v = 0; v <= high; v++) table[v] = first + v * each;
    if (this.picture.width !== width || this.picture.height !== height) {
      this.picture.width = width;
      this.picture.height = height;
    }
    // Band by band through a little memory: to touch as much again as the picture takes costs more than the filling.
    const context = this.picture.getContext("2d")!;
    const rows = Math.max(1, Math.floor(BAND_PIXELS / width));
    if (this.band?.width !== width || this.band.height !== rows) this.band = context.createImageData(width, rows);
    const pixels = new Uint32Array(this.band.data.buffer);
    for (let y = 0; y < height; y += rows) {
      const from = y * width, count = Math.min(rows, height - y) * width;
      for (let i = 0; i < count; i++) pixels[i] = 0xff000000 | (table[values[from + i]!]! * 0x010101);
      context.putImageData(this.band, 0, y, 0, 0, width, count / width);
    }
  }

  // A canvas of another size is empty: drawn at once, or it would be on the screen like that for one frame.
  private resize(): void {
    const { width, height } = this.element.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    if (this.isFitted) this.fit();
    cancelAnimationFrame(this.frame);
    this.draw();
  }

  private paint(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    const ratio = window.devicePixelRatio || 1;
    const c = this.context;
    const m = this.toScreenFrame;
    const grown = this.zoom * scaleOf(m);
    if (this.gray === null) return; // the stage behind is as dark
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = "#05080a";
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
    const step = this.stepAt(grown * ratio);
    if (this.isStale || this.means?.step !== step) this.fillPicture(step);
    c.setTransform(ratio * this.zoom, 0, 0, ratio * this.zoom, ratio * this.x, ratio * this.y);
    // Points are the centres of pixels, the picture begins at an edge.
    c.translate(0.5, 0.5);
    c.transform(m[0], m[3], m[1], m[4], m[2], m[5]);
    // Where the squares of a picture's own pixels show, a copy's are no finding: it stays soft.
    c.imageSmoothingEnabled = this.isReduced || grown * ratio < 4;
    c.imageSmoothingQuality = "high";
    c.drawImage(this.picture, 0, 0, this.gray.width / step, this.gray.height / step, -0.5, -0.5, this.size.width, this.size.height);
    this.canvas.dataset["loaded"] = this.isReduced ? "reduced" : "full";
    const pen = { context: c, scale: grown, turning: this.turning };
    if (this.analysis !== null) drawAnalysis(pen, this.analysis, this.layers, this.maps, this.said);
    if (this.pointed !== null) drawPointed(pen, this.pointed);
    for (const line of this.lines) this.drawMeasure(pen, line);
    const measured = this.lines.length === 0 ? "" : t("viewer.measured", { what: this.lines.map((line) => this.lengthText(line)).join(", ") });
    if (this.measured.textContent !== measured) this.measured.textContent = measured;
    this.info.textContent = `${Math.round(this.zoom * 100)} %   W ${number(this.width, 0)}  L ${number(this.center, 0)}${this.inverted ? `   ${t("viewer.inverted")}` : ""}`;
  }

  // "Joint 1 from the left" is so in the picture as it is stored.
  private readonly said = (region: Region, all: Region[]): string => {
    const name = this.names(region, all);
    return region.side === "unknown" && all.length > 1 && !this.turned.hidden ? t("viewer.as-stored", { name }) : name;
  };

  private drawMeasure(pen: Pen, line: Line): void {
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

  private toImage(e: PointerEvent): Point {
    const area = this.canvas.getBoundingClientRect();
    return apply(invert(this.toScreenFrame), { x: (e.clientX - area.left - this.x) / this.zoom - 0.5, y: (e.clientY - area.top - this.y) / this.zoom - 0.5 });
  }

  private up(e: PointerEvent): void {
    this.pointers.delete(e.pointerId);
    const line = this.lines.at(-1); // a touch without a stroke measures nothing
    if (line !== undefined && Math.hypot(line.x1 - line.x0, line.y1 - line.y0) * this.zoom < 3) {
      this.lines.pop();
      this.paint();
    }
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
    this.onview();
  }

  private pinch(e: PointerEvent): void {
    const other = [...this.pointers].find(([id]) => id !== e.pointerId)![1];
    const before = this.pointers.get(e.pointerId)!;
    const area = this.canvas.getBoundingClientRect();
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(e.clientX - other.x, e.clientY - other.y);
    this.pan((e.clientX - before.x) / 2, (e.clientY - before.y) / 2); // the middle of the two fingers moves with them
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
    if (this.onscroll !== null && !e.ctrlKey) return this.leaf(e.deltaMode === 0 ? e.deltaY : e.deltaY * 40);
    const area = this.canvas.getBoundingClientRect();
    this.zoomBy(Math.exp(-e.deltaY / 400), e.clientX - area.left, e.clientY - area.top);
  }

  // A notch of a wheel is one picture; the fine steps of a touchpad add up to one.
  private leaf(delta: number): void {
    this.wheeled += Math.max(-160, Math.min(160, delta));
    const steps = Math.trunc(this.wheeled / 40);
    if (steps === 0) return;
    this.wheeled -= steps * 40;
    this.onscroll?.(Math.sign(steps) * Math.max(1, Math.floor(Math.abs(steps) / 2.5)));
    if (Math.abs(delta) >= 40) this.wheeled = 0;
  }

  private key(e: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    const step = steps[e.key];
    const leaf: Record<string, number> = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (this.onscroll !== null && !e.shiftKey && leaf[e.key] !== undefined) this.onscroll(leaf[e.key]!);
    else if (step !== undefined && !e.shiftKey) this.pan(...step);
    else if (step !== undefined) this.shiftWindow(-step[0] / 4, -step[1] / 4);
    else if (e.key === "+" || e.key === "=") this.zoomBy(1.25);
    else if (e.key === "-") this.zoomBy(0.8);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
