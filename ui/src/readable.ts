// Any JSON object as headed text, lists and tables: plans, predictions, model cards, audit details.
import { h, scrollable, type Child } from "./dom";
import { number } from "./format";
import { known } from "./text";

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);
const isPlain = (v: unknown): boolean => !isObject(v) && !Array.isArray(v);
export const heading = (key: string): string => {
  const text = known("key", key).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export function plain(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return known("bool", String(value));
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : Math.abs(value) < 0.001 ? String(Number(value.toPrecision(2))) : number(value, Math.abs(value) < 1 ? 3 : 2);
  return String(value);
}

// {value, low, high}: a figure with its interval.
export function interval(value: unknown): string | null {
  if (!isObject(value) || typeof value["value"] !== "number" || typeof value["low"] !== "number" || typeof value["high"] !== "number") return null;
  return `${plain(value["value"])} (${plain(value["low"])} – ${plain(value["high"])})`;
}

function table(rows: Record<string, unknown>[]): Child {
  const columns = [...new Set(rows.flatMap((r) => Object.keys(r)))];
  return scrollable(h("table", {}, h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, heading(c))))),
    h("tbody", {}, rows.map((r) => h("tr", {}, columns.map((c) => h("td", {}, readable(r[c]))))))));
}

export function readable(value: unknown): Child {
  const figure = interval(value);
  if (figure !== null) return figure;
  if (isPlain(value)) return plain(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return "–";
    if (value.every((v) => isObject(v) && Object.values(v).every((x) => isPlain(x) || interval(x) !== null))) return table(value as Record<string, unknown>[]);
    if (value.every((v) => typeof v === "number")) return value.map(plain).join(", ");
    return h("ul", {}, value.map((v) => h("li", {}, readable(v))));
  }
  return h("dl", {}, Object.entries(value as Record<string, unknown>).map(([k, v]) => [h("dt", {}, heading(k)), h("dd", {}, readable(v))]));
}
