// The overview of one patient: what for, over time, images, and a line on scores, plan and prediction.
import { may } from "../api";
import { timeline, type Line } from "../chart";
import { h, type Child } from "../dom";
import { day, sideText, studyDay } from "../format";
import { statusBadge, thumbnail } from "../pages/worklist";
import { t } from "../text";
import type { Measurement, Plan, Prediction, Series, StudySummary } from "../types";
import { noteFirst } from "../viewer/first";
import { base } from "./common";
import { isPlan, statusTag } from "./plan";
import { predictionLine } from "./prediction";

const COLORS = 6; // --series-1 to --series-6

// One chart for each unit: millimetres and grades do not share an axis.
export function measureCharts(series: Series): Child {
  const groups = new Map<string, Map<string, Line>>();
  const put = (chart: string, name: string, unit: string, point: Line["points"][number]): void => {
    const lines = groups.get(chart) ?? new Map<string, Line>();
    groups.set(chart, lines);
    const line = lines.get(name) ?? { name, unit, points: [], color: `--series-${(lines.size % COLORS) + 1}` };
    lines.set(name, line);
    line.points.push(point);
  };
  // A film of two knees whose sides nobody knows: the places in the image keep them apart.
  const placed = (m: Measurement): string =>
    (m.side === null || m.side === "unknown") && series.measurements.some((o) => o.study_id === m.study_id && o.key === m.key && o.region !== m.region) ? `, ${t("joint-no", { n: m.region + 1 }).toLowerCase()}` : "";
  const named = (label: string, side: string | null): string => (side === null || side === "unknown" ? label : `${label}, ${sideText(side).toLowerCase()}`);
  const noteOf = (m: Measurement): string => [m.origin === "human" && t("amended"), m.signed ? t("status.signed") : t("not-reviewed")].filter(Boolean).join(", ");
  for (const m of series.measurements) {
    if (m.value === null || m.decision === "reject" || m.key === "plateau-width") continue;
    const chart = m.key === "oa" ? t("probability") : m.unit === "1" ? t("chart.ratio") : m.unit === "{grade}" ? t("chart.grade") : m.key.startsWith("jsw") ? t("chart.jsw", { unit: m.unit }) : `${m.label} (${m.unit})`;
    put(chart, named(m.label, m.side) + placed(m), m.unit, { day: m.date, value: m.value, error: m.error_95, note: noteOf(m) });
  }
  for (const s of series.scores) {
    if (s.withdrawn_reason === null && s.key === undefined) put(t("chart.score", { name: s.instrument }), named(s.instrument, s.side), s.unit ?? "", { day: s.date, value: s.value, error: null, note: s.note ?? "" });
  }
  if (groups.size === 0) return h("p", { class: "soft" }, t("patient.no-series"));
  return h("div", { class: "charts" }, [...groups].map(([title, lines]) => timeline(title, [...lines.values()])));
}

export function studiesList(studies: StudySummary[]): Child {
  studies.forEach(noteFirst);
  return h("ul", { class: "patient-studies" }, studies.map((s) => h("li", {}, h("a", { href: `#/studies/${s.id}` }, thumbnail(s.first_image_id, 96), h("span", {}, h("strong", {}, studyDay(s)), statusBadge(s), h("span", {}, s.headline ?? ""))),
    may("export") && h("a", { class: "report", href: `/api/v1/studies/${s.id}/report.pdf`, "aria-label": t("report.of", { day: studyDay(s) }) }, t("report.pdf")))));
}

export function planSummary(id: string, plans: Plan[]): Child {
  const plan = plans.find(isPlan);
  if (plan === undefined) return h("p", { class: "soft" }, t("plan.none"));
  const c = plan.content;
  return h("p", {}, h("a", { href: `${base(id)}/plan` }, c.guideline.title), " ", statusTag(c), " ", t("plan.phase-now", { phase: c.current.title }), c.reassess !== null && ` · ${t("plan.next-visit", { day: day(c.reassess.date ?? null) })}`);
}

export function predictionSummary(id: string, predictions: Prediction[]): Child {
  const newest = predictions[0];
  return newest === undefined ? h("p", { class: "soft" }, t("prediction.none")) : h("p", {}, h("a", { href: `${base(id)}/outcome` }, predictionLine(newest)));
}
