// The findings of one image: how much, how sure, why; and the clinician's decision on each.
import { api, may } from "../api";
import { dialog, h, s, toast, type Child } from "../dom";
import { field, form } from "../form";
import { measureText, moment, number, percent, sideText, unitText, withError } from "../format";
import { t } from "../text";
import type { Analysis, Finding, Note, Region, Result, Review, Study } from "../types";

export interface ReviewContext { study: Study; onStudy: (study: Study) => void; onPoint: (finding: Finding | null) => void }

function notes(list: Note[]): Child {
  return list.length > 0 && h("ul", { class: "notes" }, list.map((n) => h("li", { class: `note note-${n.level}` }, h("strong", {}, t(`note.${n.level}`)), " ", n.text)));
}

function bar(share: number): HTMLElement {
  const filled = h("span", { class: "bar" });
  filled.style.height = `${100 * share}%`;
  return h("span", { class: "track", "aria-hidden": "true" }, filled);
}

// The prediction set as a bracket below the grades that it holds.
function bracket(set: { low: number; high: number } | null): Child {
  if (set === null) return null;
  const element = h("li", { class: "bracket", "aria-hidden": "true" });
  element.style.gridColumn = `${set.low + 1} / ${set.high + 2}`;
  return element;
}

// The width along the joint with its narrowest place: small, beside the number that is its minimum.
function profile(region: Region): Child {
  const p = region.joint_space_profile;
  const known = (p?.width ?? []).filter((w): w is number => w !== null);
  if (p === null || known.length < 4) return null;
  const WIDTH = 320, HEIGHT = 84, LEFT = 34, BOTTOM = 16;
  const top = Math.max(...known) * 1.12;
  const x = (ratio: number): string => (LEFT + ratio * (WIDTH - LEFT - 4)).toFixed(1);
  const y = (width: number): string => (4 + (1 - width / top) * (HEIGHT - BOTTOM - 4)).toFixed(1);
  const parts: string[][] = [[]];
  p.width.forEach((w, i) => (w === null ? parts.push([]) : parts.at(-1)!.push(`${x(p.x_ratio[i]!)},${y(w)}`)));
  const least = p.width.indexOf(Math.min(...known));
  const digits = p.unit === "1" ? 3 : 1;
  const ticks = [0, Math.max(...known)];
  return s("svg", { class: "profile", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("profile", { low: Math.min(...known).toFixed(digits), high: Math.max(...known).toFixed(digits), unit: unitText(p.unit) }) },
    ticks.map((v) => [s("line", { class: "grid", x1: LEFT, x2: WIDTH - 4, y1: y(v), y2: y(v) }), s("text", { x: LEFT - 5, y: Number(y(v)) + 4, "text-anchor": "end" }, v.toFixed(v === 0 ? 0 : digits))]),
    parts.map((points) => s("polyline", { class: "curve", points: points.join(" ") })), s("circle", { class: "least", cx: x(p.x_ratio[least]!), cy: y(p.width[least]!), r: 4.5 }),
    s("text", { x: LEFT, y: HEIGHT - 3 }, t("lateral")), s("text", { x: WIDTH - 4, y: HEIGHT - 3, "text-anchor": "end" }, t("medial")));
}

// What speaks against trusting this picture, or that nothing does.
function quality(analysis: Analysis): Child {
  const flags = [...analysis.notes, ...analysis.regions.flatMap((r) => r.notes)].filter((n) => n.level !== "info");
  const sure = analysis.regions.map((r) => r.certainty).filter((c): c is number => c !== null);
  const what = analysis.task === "knee-oa" ? t("quality.knee") : analysis.task === "muscle-us" ? t("quality.muscle") : null;
  return h("p", { class: "quality" }, h("strong", {}, t("quality")), flags.length === 0 ? h("span", { class: "ok" }, `✓ ${t("quality.good")}`) : flags.map((n) => h("span", { class: `tag note-${n.level}` }, n.code.replaceAll("-", " "))),
    what !== null && sure.length > 0 && h("small", {}, t("quality.certainty", { what, p: percent(Math.min(...sure)) })));
}

// Where the millimetres of a result come from, once above its numbers; nothing where no length was measured.
function scale(analysis: Analysis): Child {
  const measures = analysis.regions.flatMap((r) => r.findings).map((f) => f.measure);
  const lengths = measures.filter((m) => m !== null && m.value !== null && ["mm", "px", "1"].includes(m.unit ?? ""));
  const inMm = lengths.find((m) => m!.unit === "mm");
  return lengths.length > 0 && h("p", { class: "soft scale" }, inMm ? t("scale.mm", { source: inMm.source ?? analysis.image.spacing.source }) : t("scale.none"));
}

// Bars of the grades: those of the prediction set solid, the others pale; the numbers are there as text too.
function gradeBars(finding: Finding): Child {
  const g = finding.grading;
  if (g === null) return null;
  const set = g.prediction_set;
  const inSet = (i: number): boolean => set !== null && i >= set.low && i <= set.high;
  return [
    h("ol", { class: "grades", start: 0 }, g.probabilities.map((p, i) =>
      h("li", { class: `${inSet(i) ? "in-set" : ""} ${i === g.grade ? "most" : ""}` },
        h("span", { class: "visually-hidden" }, t("grade-probability", { grade: i, p: percent(p) })), bar(p),
        h("span", { "aria-hidden": "true" }, percent(p)), h("span", { class: "g", "aria-hidden": "true" }, i))), bracket(set)),
    set !== null && h("p", { class: "set" }, set.low === set.high ? t("set.one", { coverage: percent(set.coverage), low: set.low }) : t("set.range", { coverage: percent(set.coverage), low: set.low, high: set.high })),
  ];
}

function mainValue(finding: Finding): string {
  if (finding.grading !== null) return t("grade", { grade: finding.grading.grade });
  if (finding.measure !== null && finding.measure.value !== null) return measureText(finding.measure);
  if (finding.probability !== null) return percent(finding.probability);
  return t("not-measured");
}

function details(finding: Finding): Child {
  const m = finding.measure;
  const rows: [string, string][] = [];
  if (finding.probability !== null) rows.push([t("probability"), percent(finding.probability)]);
  if (finding.grading?.expected_grade != null) rows.push([t("expected-grade"), number(finding.grading.expected_grade)]);
  if (m !== null) {
    rows.push([t("measure"), withError(m.value, m.error_95, m.unit)]);
    if (m.error_source !== null) rows.push([t("error-source"), m.error_source]);
    if (m.source !== null) rows.push([t("measure-source"), m.source]);
  }
  if (finding.code !== null) rows.push([t("code"), `${finding.code.display} (${finding.code.code}, ${finding.code.system.replace("http://", "")})`]);
  return h("details", {}, h("summary", {}, t("details")), h("dl", {}, rows.map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])));
}

function decisionText(review: Review): Child {
  const value = review.decision === "amend" ? ` ${number(review.value)} (${t("software-said", { value: number(review.software_value) })})` : "";
  return h("p", { class: `decision decision-${review.decision}` }, h("strong", {}, t(`decided.${review.decision}`)), value, review.reason !== null && ` – ${review.reason}`, h("small", {}, ` ${review.user_name}, ${moment(review.created_at)}`));
}

async function askReason(finding: Finding, decision: string): Promise<{ value?: number; reason: string } | null> {
  const isGrade = finding.grading !== null;
  const value = isGrade ? finding.grading!.grade : finding.measure?.value ?? finding.probability ?? 0;
  return dialog(t(`ask.${decision}`, { what: finding.label }), (close) =>
    form([
      decision === "amend" && field({ name: "value", label: t("amend.value", { unit: isGrade ? t("unit.grade") : finding.measure?.unit ?? "" }), type: "number", step: isGrade ? "1" : "any", required: true, value: String(Number(value.toFixed(3))), ...(isGrade ? { min: "0", max: "4" } : {}) }),
      field({ name: "reason", label: t("reason"), type: "textarea", required: true }),
    ], t("save"), async (v) => close({ reason: v["reason"]!, ...(decision === "amend" ? { value: Number(v["value"]) } : {}) }),
    h("button", { type: "button", onclick: () => close(null) }, t("cancel"))));
}

async function decide(context: ReviewContext, result: Result, region: number, finding: Finding, decision: string): Promise<void> {
  const more = decision === "accept" ? {} : await askReason(finding, decision);
  if (more === null) return;
  try {
    context.onStudy(await api<Study>("POST", `/results/${result.id}/reviews`, { region, finding: finding.key, decision, ...more }, context.study.version));
  } catch (error) {
    toast((error as Error).message, true);
  }
}

const isMeasured = (finding: Finding): boolean => finding.grading !== null || finding.probability !== null || finding.measure?.value != null;

// How many findings of a result still need a decision.
export function undecided(result: Result): number {
  const isOpen = (region: number, f: Finding): boolean => isMeasured(f) && !result.reviews.some((r) => r.region === region && r.finding === f.key);
  return result.accepted ? result.analysis.regions.reduce((n, region, i) => n + region.findings.filter((f) => isOpen(i, f)).length, 0) : 0;
}

function card(context: ReviewContext, result: Result, index: number, finding: Finding): HTMLElement {
  const region = result.analysis.regions[index]!;
  const review = result.reviews.find((r) => r.region === index && r.finding === finding.key);
  const measured = isMeasured(finding);
  const canReview = may("review") && context.study.signature === null && measured;
  const button = (decision: string, key: string): HTMLElement => h("button", { type: "button", "data-decision": decision, "aria-keyshortcuts": key, "aria-pressed": String(review?.decision === decision), onclick: () => void decide(context, result, index, finding, decision) }, t(`decide.${decision}`));
  const element = h("article", { class: `finding ${!measured ? "unmeasured" : review === undefined ? "undecided" : "decided"}`, tabindex: "0", "data-key": `${index}/${finding.key}`, "aria-label": `${finding.label}: ${mainValue(finding)}` },
    h("header", {}, h("h4", {}, finding.label), h("span", { class: "value" }, mainValue(finding)), measured && review === undefined && h("span", { class: "state" }, t("state.undecided"))),
    gradeBars(finding), finding.key === "jsw-min" && profile(region), finding.evidence !== null && h("p", { class: "evidence" }, h("strong", {}, t("why")), " ", finding.evidence),
    finding.research_only && h("span", { class: "tag" }, t("research-only")), details(finding),
    !measured && h("p", { class: "soft" }, t("not-measured.text")),
    review !== undefined && decisionText(review),
    canReview && h("div", { class: "row decide" }, button("accept", "a"), button("amend", "e"), button("reject", "x")));
  element.addEventListener("focusin", () => context.onPoint(finding));
  element.addEventListener("pointerenter", () => context.onPoint(finding));
  element.addEventListener("pointerleave", () => context.onPoint(null));
  return element;
}

export function regionName(region: Region, all: Region[], task = ""): string {
  if (task === "fracture") return t("whole-picture");
  if (region.side !== "unknown") return t("knee-side", { side: sideText(region.side) });
  if (region.thickness_profile != null || task === "muscle-injury") return t("muscle");
  return all.length > 1 ? t("joint-no", { n: all.indexOf(region) + 1 }) : t("joint");
}

export function findingsOf(context: ReviewContext, result: Result): Child {
  const a = result.analysis;
  return [
    quality(a), scale(a), notes(a.notes),
    a.regions.map((region, i) => h("section", { class: "region" },
      h("h3", {}, regionName(region, a.regions, a.task), " ", h("small", {}, region.side_source !== null && region.side !== "unknown" ? t("side-from", { source: region.side_source }) : "")),
      !region.accepted && h("p", { class: "refused" }, t("region-refused")), notes(region.notes),
      region.findings.map((finding) => card(context, result, i, finding)))),
    h("p", { class: "provenance" }, t("made-by", { model: result.model, version: result.model_version, software: result.software, at: moment(result.created_at) }), result.model_hash !== null && h("code", {}, ` ${result.model_hash.slice(0, 12)}`)),
  ];
}

// a, e, x on the focused finding; after a decision the next undecided one gets the focus.
export function reviewKey(event: KeyboardEvent): boolean {
  const decisions: Record<string, string> = { a: "accept", e: "amend", x: "reject" };
  const decision = decisions[event.key];
  const cards = [...document.querySelectorAll<HTMLElement>(".finding")];
  const at = cards.findIndex((c) => c.contains(document.activeElement));
  if (event.key === "j" || event.key === "k") {
    cards[Math.max(0, Math.min(cards.length - 1, at + (event.key === "j" ? 1 : -1)))]?.focus();
    return true;
  }
  if (decision === undefined || at < 0) return false;
  cards[at]!.querySelector<HTMLButtonElement>(`[data-decision=${decision}]`)?.click();
  return true;
}
