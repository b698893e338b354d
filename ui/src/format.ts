// Numbers with their unit and error; dates as the clinic writes them.
import { t } from "./text";
import type { Measure } from "./types";

const units: Record<string, string> = { mm: "mm", deg: "°", px: "px", "1": "", "{grade}": t("unit.grade"), "{grey}": t("unit.grey") };

// What an image is of: a wrapped picture says "OT" (other), which helps nobody.
export const imageName = (image: { body_part: string | null; modality: string | null }): string => image.body_part ?? (image.modality === null || image.modality === "OT" ? t("image") : image.modality);

export function unitText(unit: string | null): string {
  return unit === null ? "" : (units[unit] ?? unit);
}

export function number(value: number | null, digits = 2): string {
  if (value === null) return "–";
  return value.toFixed(Math.abs(value) >= 100 ? Math.min(digits, 1) : digits);
}

export function withError(value: number | null, error: number | null, unit: string | null): string {
  if (value === null) return t("not-measured");
  const digits = unit === "1" ? 3 : unit === "mm" || unit === "deg" ? 1 : unit === "px" || unit === "%" || unit === "{grey}" || Number.isInteger(value) ? 0 : 2;
  const text = error === null ? number(value, digits) : `${number(value, digits)} ± ${number(error, digits)}`;
  return unit === "deg" ? `${text}${unitText(unit)}` : `${text} ${unitText(unit)}`.trim();
}

// A number on its own says of what it is a share; tables have that in their heads.
export const measureText = (m: Measure): string => `${withError(m.value, m.error_95, m.unit)}${m.unit === "1" && m.value !== null ? ` ${t("unit.ratio")}` : ""}`;
export const percent = (p: number | null): string => (p === null ? "–" : p > 0.995 ? "> 99 %" : p < 0.005 ? "< 1 %" : `${Math.round(p * 100)} %`);

export function day(text: string | null): string {
  return text === null ? "–" : text.slice(0, 10);
}

export function moment(text: string | null): string {
  if (text === null) return "–";
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : `${at.toLocaleDateString("sv-SE")} ${at.toLocaleTimeString("sv-SE", { hour: "2-digit", minute: "2-digit" })}`;
}

// The day of a study: of the image, else of its arrival, which then says so.
export const studyDay = (study: { image_date: string | null; received_at: string }): string => (study.image_date !== null ? day(study.image_date) : t("received", { day: day(study.received_at) }));

export const sideText = (side: string | null): string => (side === null || side === "unknown" ? t("side.unknown") : t(`side.${side}`));
