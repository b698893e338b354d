// Two registered images in one frame, the earlier one's: side by side, in turn, or their difference. What moves one
// moves the other.
import { h, replace, toast } from "../dom";
import { number, sideText } from "../format";
import { t } from "../text";
import type { Box, ComparedJoint, Comparison, Registration, Result, StudyImage } from "../types";
import { IDENTITY, invert } from "../viewer/affine";
import { Controls, keyButton, pressKey } from "../viewer/controls";
import { difference, type Source } from "../viewer/difference";
import { REDUCED_SIDE_PX, valuesOf } from "../viewer/first";
import { displayOf, loadMaps } from "../viewer/show";
import { fetchGray, type Gray } from "../viewer/values";
import { Viewer, type Size } from "../viewer/viewer";
import { regionName } from "./findings";

type Mode = "side" | "blink" | "difference";
const MODES: [Mode, string][] = [["side", "1"], ["blink", "2"], ["difference", "3"]];
const BLINK_MS = 800;
const MARGIN = 1.25;

const sizeOf = (image: StudyImage): Size => ({ width: image.width_px, height: image.height_px });
const isCopy = (gray: Gray, image: StudyImage): boolean => gray.width !== image.width_px || gray.height !== image.height_px;

// What the pictures begin with: reduced copies, or themselves where they are small enough. Asked for before anything else of
// them is known.
export function beginCopies(imageIds: [string, string]): Promise<[Gray, Gray]> {
  const copies = Promise.all(imageIds.map((id) => fetchGray(valuesOf(id, { side_max_px: REDUCED_SIDE_PX })))) as Promise<[Gray, Gray]>;
  copies.catch(() => undefined); // told by the one who waits for them
  return copies;
}

// "Right", or its place in the earlier picture where nobody knows the side.
export function jointName(joint: ComparedJoint, before: StudyImage | undefined): string {
  const regions = before?.result?.analysis.regions ?? [];
  const region = regions[joint.regions[0]];
  return joint.side !== "unknown" || region === undefined ? sideText(joint.side) : regionName(region, regions);
}

function registrationText(r: Registration | null): string {
  if (r === null) return t("registration.none");
  const mm = r.residual_mm === null ? "" : ` = ${number(r.residual_mm, 2)} mm`;
  return `${t(`registration.${r.by}`)} ${t("registration.residual", { px: number(r.residual_px, 1) })}${mm}${r.reliable ? "" : `. ${t("registration.unreliable")}`}`;
}

export class CompareView {
  readonly element: HTMLElement;
  private readonly viewers = [new Viewer(t("compare.before")), new Viewer(t("compare.after"))] as const;
  private readonly third = new Viewer(t("compare.difference"));
  private readonly captions = [h("figcaption"), h("figcaption")] as const;
  private readonly stage: HTMLElement;
  private readonly controls = new Controls(() => [...this.viewers, this.third]);
  private readonly modes: HTMLButtonElement[];
  private readonly joints = h("span", { class: "group" });
  private readonly blinking = h("span", { class: "group" });
  private readonly told = h("p", { class: "registration" });
  private mode: Mode = "side";
  private timer = 0;
  private joint: ComparedJoint | null = null;
  private images: [StudyImage, StudyImage] | null = null;
  private drawn: (Result | null)[] = [];
  private grays: [Gray, Gray] | null = null;
  private asked = 0;

  constructor() {
    this.modes = MODES.map(([mode, key]) => keyButton(key, t(`mode.${mode}`), () => this.setMode(mode), mode === "side"));
    const play = keyButton(" ", t("blink.switch"), () => { this.stopBlinking(); this.turn(); });
    replace(this.blinking, play, h("button", { type: "button", onclick: () => (this.timer === 0 ? this.blink() : this.stopBlinking()) }, t("blink.play")));
    play.querySelector("kbd")!.textContent = t("key.space");
    this.stage = h("div", { class: "stage compare-stage mode-side" },
      this.viewers.map((viewer, i) => h("figure", { class: i === 0 ? "before" : "after" }, viewer.element, this.captions[i])),
      h("figure", { class: "difference" }, this.third.element, h("figcaption", {}, t("compare.difference-text"))));
    const all = [...this.viewers, this.third];
    for (const viewer of all) viewer.onview = () => this.follow(viewer);
    const bar = h("div", { class: "toolbar", role: "toolbar", "aria-label": t("viewer.tools") }, h("span", { class: "group" }, this.modes), this.blinking, this.joints, this.controls.tools, this.controls.overlays);
    this.controls.onnear = () => this.fit();
    this.controls.onlayers = () => void this.showMaps();
    this.element = h("div", { class: "view compare-view" }, bar, this.stage, this.told, this.controls.legend);
    this.blinking.hidden = true;
  }

  // The pictures as they are, while the server still lays them over each other. Resolves when something is to be seen; what
  // was a reduced copy is replaced later.
  async setImages(images: [StudyImage, StudyImage], isSigned: [boolean, boolean], copies: Promise<[Gray, Gray]>): Promise<void> {
    const mine = ++this.asked;
    this.joint = null;
    const grays = await copies;
    if (mine !== this.asked) return;
    this.images = images;
    this.drawn = images.map((image) => image.result);
    this.grays = [...grays];
    images.forEach((image, i) => {
      const viewer = this.viewers[i]!;
      viewer.setImage(grays[i]!, displayOf(image, grays[i]!), image.spacing, sizeOf(image));
      viewer.setAnalysis(image.result?.analysis ?? null, new Map(), regionName);
      viewer.setMark(isSigned[i] ? null : t("not-reviewed"));
      viewer.setLabel(t("viewer.label-other", { day: image.image_date ?? "" }));
      replace(this.captions[i]!, `${t(i === 0 ? "compare.before" : "compare.after")}: ${image.image_date ?? t("compare.no-date")}`);
    });
    this.controls.setAnalysis(images[1].result?.analysis ?? null);
    this.choose(null);
    void this.showMaps();
    images.forEach((image, i) => void this.complete(mine, image, i as 0 | 1));
  }

  // The full picture in the place of its copy, in the difference too.
  private async complete(mine: number, image: StudyImage, at: 0 | 1): Promise<void> {
    if (this.grays === null || !isCopy(this.grays[at], image)) return;
    try {
      const gray = await fetchGray(valuesOf(image.id));
      if (mine !== this.asked || this.grays === null) return;
      this.grays[at] = gray;
      this.viewers[at].setFull(gray);
      if (this.mode === "difference") this.showDifference(true);
    } catch (error) {
      if (mine !== this.asked) return;
      for (const viewer of [this.viewers[at], this.third]) viewer.tellFullFailed();
      toast(t("viewer.failed", { why: (error as Error).message }), true);
    }
  }

  setComparison(comparison: Comparison): void {
    if (this.images?.some((image, i) => image.result !== this.drawn[i]) === true) { // other results were compared than were shown
      this.drawn = this.images.map((image) => image.result);
      this.images.forEach((image, i) => this.viewers[i]!.setAnalysis(image.result?.analysis ?? null, new Map(), regionName));
      this.controls.setAnalysis(this.images[1].result?.analysis ?? null);
      void this.showMaps();
    }
    const laid = comparison.joints.filter((joint) => joint.registration !== null);
    replace(this.joints, laid.length > 1 && laid.map((joint) => h("button", { type: "button", "aria-pressed": String(joint === laid[0]), onclick: (e: Event) => {
      this.joints.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b === e.currentTarget)));
      this.choose(joint);
    } }, jointName(joint, this.images?.[0]))));
    this.joints.hidden = laid.length < 2;
    this.choose(laid[0] ?? null);
    this.told.textContent = registrationText(this.joint?.registration ?? null);
  }

  keys(e: KeyboardEvent): boolean {
    if (e.key === " " && document.activeElement instanceof HTMLElement && document.activeElement.matches("button, a, summary, input, select")) return false;
    return pressKey(this.element, e.key);
  }

  leave(): void {
    this.stopBlinking();
  }

  private choose(joint: ComparedJoint | null): void {
    this.joint = joint;
    const map = joint?.registration?.before_to_after;
    const [before, after] = this.viewers;
    const frame = this.images === null ? null : sizeOf(this.images[0]);
    before.setFrame(IDENTITY, frame);
    after.setFrame(map === undefined ? IDENTITY : invert(map), map === undefined ? null : frame);
    this.told.textContent = joint === null ? "" : registrationText(joint.registration);
    this.told.classList.toggle("unreliable", joint?.registration?.reliable === false);
    for (const button of this.modes) button.disabled = map === undefined && button.dataset["key"] !== "1";
    if (map === undefined) this.setMode("side");
    else if (this.mode === "difference") this.showDifference();
    this.fit();
  }

  // The joint, with some of what is around it.
  private fit(): void {
    const box = this.box();
    if (box === null) return;
    const wide = { x_px: box.x_px - (box.width_px * (MARGIN - 1)) / 2, y_px: box.y_px - (box.height_px * (MARGIN - 1)) / 2, width_px: box.width_px * MARGIN, height_px: box.height_px * MARGIN };
    for (const viewer of [...this.viewers, this.third]) viewer.fitBox(wide);
  }

  private box(): Box | null {
    return this.joint === null || this.images === null ? null : this.images[0].result?.analysis.regions[this.joint.regions[0]]?.box ?? null;
  }

  private follow(moved: Viewer): void {
    if (this.joint === null) return;
    for (const viewer of [...this.viewers, this.third]) if (viewer !== moved) viewer.view = moved.view;
  }

  private setMode(mode: Mode): void {
    this.mode = mode;
    this.stopBlinking();
    this.stage.className = `stage compare-stage mode-${mode}`;
    this.modes.forEach((b, i) => b.setAttribute("aria-pressed", String(MODES[i]![0] === mode)));
    this.blinking.hidden = mode !== "blink";
    if (mode === "blink" && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) this.blink();
    if (mode === "difference") this.showDifference();
    requestAnimationFrame(() => this.fit()); // once the panes have their new size
  }

  private turn(): void {
    this.stage.classList.toggle("shows-after");
  }

  private blink(): void {
    this.timer = window.setInterval(() => this.turn(), BLINK_MS);
  }

  private stopBlinking(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
  }

  private showDifference(isAgain = false): void {
    const map = this.joint?.registration?.before_to_after;
    const box = this.box();
    if (map === undefined || box === null || this.grays === null || this.images === null) return;
    const [grays, images] = [this.grays, this.images];
    const source = (i: 0 | 1): Source => ({ gray: grays[i], size: sizeOf(images[i]), isInverted: images[i].result?.analysis.image.was_inverted === true });
    const made = difference(source(0), source(1), map, box);
    const display = { slope: 1, intercept: 0, center: 127.5, width: 255 }, scale = { x_mm: null, y_mm: null, source: null };
    if (isAgain) this.third.setSlice(made.gray, display, scale); // window and place stay
    else {
      this.third.setImage(made.gray, display, scale);
      this.third.setFrame(made.toFrame, sizeOf(images[0]));
      this.third.turnLike(this.viewers[0]);
      this.fit();
    }
    this.third.noteCopy(images.some((image, i) => isCopy(grays[i]!, image)));
  }

  private async showMaps(): Promise<void> {
    if (!this.controls.layers.has("heat") || this.images === null) return;
    for (const [i, image] of this.images.entries()) {
      const maps = await loadMaps(image).catch((e: Error) => { toast(e.message, true); return new Map<number, HTMLCanvasElement>(); });
      if (image === this.images[i]) this.viewers[i]!.setAnalysis(image.result?.analysis ?? null, maps, regionName);
    }
  }
}
