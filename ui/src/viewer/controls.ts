// Tools and overlays of one viewer or of several that move together: buttons with a key each, and the legend.
import { h, replace } from "../dom";
import { t } from "../text";
import type { Analysis } from "../types";
import { layersOf, legendOf, type Layer } from "./overlay";
import type { Tool, Viewer } from "./viewer";

const TOOLS: [Tool, string][] = [["window", "w"], ["pan", "p"], ["zoom", "z"], ["measure", "m"]];
const LAYERS: [Layer, string][] = [["joint", "o"], ["landmarks", "l"], ["muscle", "n"], ["heat", "h"], ["boxes", "b"]];
const KEPT = "layers"; // what this reader last wanted to see

export function keyButton(key: string, label: string, run: () => void, isPressed?: boolean): HTMLButtonElement {
  return h("button", { type: "button", "data-key": key, "aria-keyshortcuts": key, ...(isPressed === undefined ? {} : { "aria-pressed": String(isPressed) }), onclick: run }, label, h("kbd", {}, key));
}

export class Controls {
  readonly tools: HTMLElement;
  readonly overlays: HTMLElement;
  readonly legend = h("ul", { class: "legend overlay-legend", "aria-label": t("legend") });
  readonly layers = new Set<Layer>((localStorage.getItem(KEPT) ?? "").split(",").filter((l): l is Layer => LAYERS.some(([name]) => name === l)));
  onlayers: () => void = () => undefined;
  onnear: () => void = () => undefined; // enlarge the joint

  private readonly nearButton = keyButton("f", t("tool.near"), () => this.onnear());

  private readonly layerButtons = new Map<Layer, HTMLButtonElement>();
  private analysis: Analysis | null = null;

  constructor(private readonly viewers: () => Viewer[]) {
    const buttons = TOOLS.map(([tool, key]) => keyButton(key, t(`tool.${tool}`), () => {
      for (const viewer of viewers()) viewer.tool = tool;
      buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset["key"] === key)));
    }, tool === "window"));
    const all = (act: (viewer: Viewer) => void) => (): void => viewers().forEach(act);
    this.tools = h("span", { class: "group" }, buttons, keyButton("i", t("tool.invert"), all((v) => v.invert())), keyButton("t", t("tool.turn"), all((v) => v.turn())), keyButton("v", t("tool.mirror"), all((v) => v.mirror())), keyButton("r", t("tool.reset"), all((v) => { v.reset(); v.clearMeasures(); })), this.nearButton);
    this.overlays = h("span", { class: "group", role: "group", "aria-label": t("overlays") }, LAYERS.map(([layer, key]) => {
      const button = keyButton(key, t(`layer.${layer}`), () => this.toggle(layer), this.layers.has(layer));
      this.layerButtons.set(layer, button);
      return button;
    }));
  }

  toggle(layer: Layer): void {
    if (!this.layers.delete(layer)) this.layers.add(layer);
    localStorage.setItem(KEPT, [...this.layers].join(","));
    this.apply();
    this.onlayers();
  }

  // What there is to show decides which buttons there are.
  setAnalysis(analysis: Analysis | null, hasFrames = false): void {
    this.analysis = analysis;
    const found = layersOf(analysis, hasFrames);
    for (const [layer, button] of this.layerButtons) button.hidden = !found.has(layer);
    this.nearButton.hidden = analysis === null || analysis.regions.length === 0;
    this.apply();
  }

  apply(): void {
    for (const viewer of this.viewers()) viewer.setLayers(this.layers);
    for (const [layer, button] of this.layerButtons) button.setAttribute("aria-pressed", String(this.layers.has(layer)));
    const items = legendOf(this.analysis, this.layers);
    this.legend.hidden = items.length === 0;
    replace(this.legend, items.map((item) => {
      const swatch = h("span", { class: item.isDotted ? "swatch swatch-dotted" : "swatch" });
      swatch.style.color = item.color;
      return h("li", {}, swatch, item.text);
    }));
  }
}

// The button of a key within an element, pressed for the reader. False if there is none.
export function pressKey(element: Element, key: string): boolean {
  const button = element.querySelector<HTMLButtonElement>(`[data-key="${CSS.escape(key)}"]`);
  if (button === null || button.hidden || button.disabled) return false;
  button.click();
  return true;
}
