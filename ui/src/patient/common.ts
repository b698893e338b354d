// What the parts of a patient's page share.
import { h, type Child } from "../dom";
import { known, t } from "../text";
import type { Patient } from "../types";

export interface Context { patient: Patient; mayCare: boolean; redraw: () => Promise<void> }

export const base = (id: string): string => `#/patients/${id}`;
export const itemsOf = <T>(value: { items: T[] } | T[]): T[] => (Array.isArray(value) ? value : value.items);

// Form values without the empty ones; those named are numbers.
export function clean(v: Record<string, string>, numbers: string[] = []): Record<string, unknown> {
  return Object.fromEntries(Object.entries(v).filter(([, x]) => x !== "").map(([k, x]) => [k, numbers.includes(k) ? Number(x) : x]));
}

export const sides = (): [string, string][] => [["", "–"], ["right", t("side.right")], ["left", t("side.left")]];
export const today = (): string => new Date().toISOString().slice(0, 10);
export const choice = (value: string): string => known("choice", value);
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
export const round = (value: number | null | undefined, digits = 1): string => (value === null || value === undefined || Number.isNaN(value) ? "–" : String(Number(value.toFixed(digits))));
export const tag = (text: string, kind = ""): HTMLElement => h("span", { class: `tag ${kind}`.trim() }, text);
export const fold = (title: Child, ...content: Child[]): HTMLElement => h("details", { class: "fold" }, h("summary", {}, title), content);
