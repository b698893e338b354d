// The picture side of a study: viewer, tools, overlays, the stack that belongs to an image, what its frames measured.
import { get } from "../api";
import { h, replace, toast } from "../dom";
import { t } from "../text";
import type { Analysis, Finding, Frames, Study, StudyImage } from "../types";
import { Cine } from "../viewer/cine";
import { Controls, keyButton, pressKey } from "../viewer/controls";
import { FramePlot } from "../viewer/frame_plot";
import { displayOf, loadMaps } from "../viewer/show";
import { StackLoader, stacksOf, type Slice, type Stack } from "../viewer/stack";
import type { Gray } from "../viewer/values";
import { Viewer } from "../viewer/viewer";
import { regionName } from "./findings";
import { thumbnail } from "./worklist";

// The lines of one frame in the place of those of the frame that was analysed in full.
function analysisOfFrame(analysis: Analysis, frames: Frames, frame: number): Analysis | null {
  const at = frames.frames.findIndex((f) => f.frame === frame);
  const region = analysis.regions[0];
  if (at < 0 || region === undefined) return null;
  const findings = region.findings.map((f): Finding => {
    const own = frames.measures.find((m) => m.key === f.key);
    return f.measure === null ? f : { ...f, measure: { ...f.measure, value: own?.value[at] ?? null, error_95: own?.error_95[at] ?? null } };
  });
  return { ...analysis, regions: [{ ...region, findings, landmarks_px: frames.frames[at]!.landmarks_px }] };
}

export class StudyView {
  readonly element: HTMLElement;
  private readonly viewer = new Viewer(t("viewer.label"));
  private readonly controls = new Controls(() => [this.viewer]);
  private readonly cine = new Cine((at, step) => this.show(at, step));
  private readonly plot = new FramePlot((frame) => { this.cine.stop(); this.cine.go(frame - 1); });
  private readonly bar: HTMLElement;
  private readonly strip = h("div", { class: "strip", role: "group", "aria-label": t("images-of-study") });
  private stacks: Stack[] = [];
  private stack: Stack = { slices: [], isSequence: false };
  private loader = new StackLoader(this.stack);
  private at = 0;
  private shown = 0;
  private painted = 0;
  private joint = 0;
  private maps: { image: StudyImage; pictures: Map<number, HTMLCanvasElement> } | null = null;
  private frames: Frames | null = null;

  constructor(private study: Study, private readonly onImage: () => void, compare: () => void) {
    this.controls.onnear = () => this.near();
    this.controls.onlayers = () => void this.showAnalysis();
    this.bar = h("div", { class: "toolbar", role: "toolbar", "aria-label": t("viewer.tools") }, this.controls.tools, this.controls.overlays, h("span", { class: "group" }, keyButton("c", t("compare"), compare)));
    this.element = h("div", { class: "view" }, this.bar, h("div", { class: "stage" }, this.viewer.element), this.cine.element, this.controls.legend, this.plot.element, this.strip);
    this.tellState();
    this.stacks = stacksOf(study.images);
    if (this.stacks.length > 0) this.open(0);
    else this.controls.setAnalysis(null);
  }

  get image(): StudyImage | undefined {
    const shown = this.stack.slices[this.at]?.image;
    return this.study.images.find((one) => one.id === shown?.id) ?? shown;
  }

  // The frame on the screen where it is not the one that the findings are of.
  get frameNote(): string | null {
    return this.stack.isSequence ? t("frames.findings-of-first", { n: this.stack.slices.length }) : null;
  }

  setStudy(study: Study): void {
    const before = this.image?.result?.id;
    const isSame = study.images.length === this.study.images.length && study.images.every((one, i) => one.id === this.study.images[i]!.id);
    this.study = study;
    this.tellState();
    if (!isSame) {
      const id = this.image?.id;
      this.stacks = stacksOf(study.images);
      return this.open(Math.max(0, this.stacks.findIndex((s) => s.slices.some((one) => one.image.id === id))));
    }
    if (this.image?.result?.id !== before) {
      this.maps = null;
      void this.loadFrames();
      void this.showAnalysis();
    }
  }

  // The joints of the image one after the other, each with a little of what is around it.
  private near(): void {
    const regions = this.image?.result?.analysis.regions ?? [];
    const b = regions[this.joint++ % Math.max(1, regions.length)]?.box;
    if (b !== undefined) this.viewer.fitBox({ x_px: b.x_px - 0.1 * b.width_px, y_px: b.y_px - 0.1 * b.height_px, width_px: 1.2 * b.width_px, height_px: 1.2 * b.height_px });
  }

  private tellState(): void {
    this.viewer.setMark(this.study.signature === null ? t("not-reviewed") : null);
  }

  point(finding: Finding | null): void {
    this.viewer.setPointed(finding?.region ?? null);
  }

  keys(e: KeyboardEvent): boolean {
    if ((e.key === "," || e.key === ".") && this.stack.slices.length > 1) { this.cine.step(e.key === "." ? 1 : -1); return true; }
    if (e.key === " " && document.activeElement instanceof HTMLElement && document.activeElement.matches("button, a, summary, input, select")) return false;
    return pressKey(this.element, e.key);
  }

  leave(): void {
    this.cine.stop();
  }

  private open(index: number): void {
    const stack = this.stacks[index];
    if (stack === undefined) return;
    this.stack = stack;
    this.loader = new StackLoader(stack);
    this.at = 0;
    this.frames = null;
    this.plot.setFrames(null);
    this.cine.setCount(stack.slices.length, stack.isSequence);
    this.element.className = `view ${stack.slices.length > 1 ? "has-cine" : ""}`;
    this.viewer.onscroll = stack.slices.length > 1 ? (step) => this.cine.step(step) : null;
    this.viewer.setLabel(t(stack.slices.length > 1 ? "viewer.label-stack" : "viewer.label"));
    this.showStrip(index);
    void this.showAnalysis(); // its overlays are offered before the picture is there
    // A series is looked at from its middle, a film from its beginning.
    const start = stack.isSequence ? 0 : Math.floor((stack.slices.length - 1) / 2);
    if (start > 0) this.cine.go(start);
    else void this.show(0, 1, true).catch(() => undefined); // told already
    void this.loadFrames();
  }

  private showStrip(current: number): void {
    this.strip.hidden = this.stacks.length < 2;
    replace(this.strip, this.stacks.length > 1 && this.stacks.map((stack, i) => h("button", { type: "button", "aria-pressed": String(i === current), "aria-label": t(stack.slices.length > 1 ? "stack-no" : "image-no", { n: i + 1, count: stack.slices.length }), onclick: () => this.open(i) },
      thumbnail(stack.slices[0]!.image.id, 64), stack.slices.length > 1 && h("span", { class: "count", "aria-hidden": "true" }, `×${stack.slices.length}`))));
  }

  // Resolves when the full picture is on the screen, or another one was asked for meanwhile.
  private async show(at: number, step: number, isFirst = false): Promise<void> {
    const mine = ++this.shown;
    const loader = this.loader;
    const isLate = (): boolean => mine < this.painted || loader !== this.loader; // a later one is on the screen already
    try {
      // A film that plays waits for its frames as they are: copies of them would come no faster than the eye leaves them.
      const coming = isFirst || !this.stack.isSequence ? loader.early(at) : null;
      const early = await coming;
      if (early !== null) {
        if (isLate()) return;
        this.put(early, at, mine, isFirst);
        if (isFirst) void loader.get(at).catch(() => undefined); // told below; the server opens the file while the copy is drawn
        await new Promise(requestAnimationFrame); // drawn before the large answer keeps the machine busy
        if (mine !== this.shown) return;
      }
      const gray = await loader.get(at);
      if (isLate()) return;
      if (early === null) this.put(gray, at, mine, isFirst);
      else if (gray !== early) this.viewer.setFull(gray);
      loader.ahead(at, step);
    } catch (error) {
      if (loader === this.loader) this.viewer.tellFullFailed();
      toast(t("viewer.failed", { why: (error as Error).message }), true);
      throw error;
    }
  }

  private put(gray: Gray, at: number, mine: number, isFirst: boolean): void {
    const slice: Slice = this.stack.slices[at]!;
    this.painted = mine;
    const isOther = this.stack.slices[this.at]?.image.id !== slice.image.id;
    this.at = at;
    const display = displayOf(slice.image, gray);
    const size = { width: slice.image.width_px, height: slice.image.height_px };
    if (isFirst) this.viewer.setImage(gray, display, slice.image.spacing, size);
    else this.viewer.setSlice(gray, display, slice.image.spacing, size);
    this.viewer.element.dataset["place"] = String(at + 1);
    this.plot.setFrame(slice.frame);
    void this.showAnalysis();
    if (isOther || isFirst) this.onImage();
  }

  private async loadFrames(): Promise<void> {
    const result = this.image?.result;
    const stack = this.stack;
    const isMeasured = stack.isSequence && (result?.pictures ?? []).includes("frames.json");
    if (!isMeasured && this.frames === null) return;
    const frames = isMeasured ? await get<Frames>(`/results/${result!.id}/frames`).catch(() => null) : null;
    if (stack !== this.stack || result?.id !== this.image?.result?.id) return;
    this.frames = frames;
    this.plot.setFrames(frames);
    this.element.classList.toggle("has-plot", !this.plot.element.hidden);
    this.plot.setFrame(stack.slices[this.at]!.frame);
    void this.showAnalysis();
  }

  private async showAnalysis(): Promise<void> {
    const image = this.image;
    const whole = image?.result?.analysis ?? null;
    const frame = this.stack.slices[this.at]?.frame ?? 1;
    const analysis = whole !== null && this.frames !== null ? analysisOfFrame(whole, this.frames, frame) : frame === 1 ? whole : null;
    this.controls.setAnalysis(analysis ?? (this.frames !== null ? whole : null), this.frames !== null);
    const pictures = this.maps !== null && this.maps.image.result?.id === image?.result?.id ? this.maps.pictures : new Map<number, HTMLCanvasElement>();
    this.viewer.setAnalysis(analysis, pictures, regionName);
    if (image !== undefined && analysis !== null && this.controls.layers.has("heat") && pictures.size === 0 && this.maps?.image !== image) {
      this.maps = { image, pictures: new Map() };
      const loaded = await loadMaps(image).catch((e: Error) => { toast(e.message, true); return new Map<number, HTMLCanvasElement>(); });
      this.maps = { image, pictures: loaded };
      if (loaded.size > 0 && this.image === image) this.viewer.setAnalysis(analysis, loaded, regionName);
    }
  }
}
