// Leafing through a stack: a slider, and playing it at a chosen rate.
import { h } from "../dom";
import { t } from "../text";

const RATES = [2, 5, 10, 15, 20, 25, 30];

export class Cine {
  readonly element: HTMLElement;
  private readonly slider = h("input", { type: "range", min: 1, value: 1, class: "frames", "aria-label": t("stack.slider") });
  private readonly place = h("span", { class: "number stack-place" });
  private readonly button: HTMLButtonElement;
  private readonly rate: HTMLSelectElement;
  private count = 0;
  private at = 0;
  private timer = 0;
  private isPlaying = false;

  // `show` resolves when the picture is on the screen: a slow line slows the film down and skips nothing. It tells its faults.
  constructor(private readonly show: (at: number, step: number) => Promise<void>) {
    this.button = h("button", { type: "button", "data-key": " ", "aria-keyshortcuts": "Space", "aria-pressed": "false", onclick: () => this.toggle() }, t("stack.play"), h("kbd", {}, t("key.space")));
    this.rate = h("select", { class: "rate", "aria-label": t("stack.rate") }, RATES.map((r) => h("option", { value: r, selected: r === 10 }, t("stack.per-second", { n: r }))));
    this.slider.addEventListener("input", () => { this.stop(); this.go(Number(this.slider.value) - 1); });
    this.element = h("div", { class: "row cine", hidden: true }, this.button, this.slider, this.place, this.rate);
  }

  setCount(count: number, hasFilm: boolean): void {
    this.stop();
    this.count = count;
    this.at = 0;
    this.slider.max = String(Math.max(count, 1));
    this.element.hidden = count < 2;
    this.button.hidden = this.rate.hidden = !hasFilm && count < 8;
    this.tell();
  }

  step(by: number): void {
    this.stop();
    this.go(this.at + by);
  }

  go(to: number): void {
    const at = Math.max(0, Math.min(this.count - 1, to));
    if (at === this.at) return;
    const step = Math.sign(at - this.at);
    this.at = at;
    this.tell();
    void this.show(at, step).catch(() => undefined);
  }

  stop(): void {
    this.isPlaying = false;
    window.clearTimeout(this.timer);
    this.button.setAttribute("aria-pressed", "false");
  }

  private toggle(): void {
    if (this.isPlaying) return this.stop();
    this.isPlaying = true;
    this.button.setAttribute("aria-pressed", "true");
    void this.play();
  }

  private async play(): Promise<void> {
    const began = performance.now();
    this.at = (this.at + 1) % this.count;
    this.tell();
    await this.show(this.at, 1).catch(() => this.stop());
    if (!this.isPlaying) return;
    this.timer = window.setTimeout(() => void this.play(), Math.max(0, 1000 / Number(this.rate.value) - (performance.now() - began)));
  }

  private tell(): void {
    this.slider.value = String(this.at + 1);
    this.slider.setAttribute("aria-valuetext", t("stack.place", { n: this.at + 1, of: this.count }));
    this.place.textContent = `${this.at + 1} / ${this.count}`;
  }
}
