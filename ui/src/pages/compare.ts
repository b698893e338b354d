// Two images of one patient: laid over each other by the server, shown together, and every measure judged.
import { get, query } from "../api";
import { h, replace, scrollable, type Child } from "../dom";
import { day, number, sideText, unitText, withError } from "../format";
import type { Page } from "../shell";
import { withShown } from "../results";
import { known, t } from "../text";
import type { Analysis, Check, ComparedJoint, ComparedMeasure, Comparison, List, Measurement, Patient, Series, Study, StudyImage, StudySummary } from "../types";
import { beginCopies, CompareView, jointName } from "./compare_view";

interface Choice { image: string; study: string; day: string; sides: Set<string>; keys: Set<string> }

// Every image with a measured result, oldest first.
function choicesOf(measurements: Measurement[]): Choice[] {
  const found = new Map<string, Choice>();
  for (const m of measurements) {
    const one = found.get(m.image_id) ?? { image: m.image_id, study: m.study_id, day: m.date, sides: new Set<string>(), keys: new Set<string>() };
    found.set(m.image_id, one);
    one.sides.add(m.side ?? "unknown");
    one.keys.add(m.key);
  }
  return [...found.values()].sort((a, b) => a.day.localeCompare(b.day) || a.image.localeCompare(b.image));
}

const shares = <T>(a: Set<T>, b: Set<T>): boolean => [...a].some((x) => b.has(x));
const fits = (a: Choice, b: Choice): boolean => shares(a.keys, b.keys) && (shares(a.sides, b.sides) || a.sides.has("unknown") || b.sides.has("unknown"));

// The visit before, of the same joint; any earlier one where there is none.
function suggest(choices: Choice[], after: Choice): Choice | undefined {
  const earlier = choices.slice(0, choices.indexOf(after)).reverse();
  return earlier.find((c) => fits(c, after)) ?? earlier[0] ?? choices.find((c) => c !== after);
}

const SYMBOLS: Record<string, string> = { improved: "▲", worsened: "▼", "no-change": "=", different: "◆", "cannot-tell": "?" };

function verdict(m: ComparedMeasure): Child {
  const v = m.change.verdict;
  return h("span", { class: `verdict verdict-${v}` }, h("span", { "aria-hidden": "true" }, SYMBOLS[v] ?? "?"), " ", known("verdict", v));
}

function errorOf(analysis: Analysis | undefined, region: number, key: string): number | null {
  return analysis?.regions[region]?.findings.find((f) => f.key === key)?.measure?.error_95 ?? null;
}

function valueText(m: ComparedMeasure, at: 0 | 1, error: number | null): string {
  const value = at === 0 ? m.change.before : m.change.after;
  if (m.unit !== "{grade}") return withError(value, error, m.unit);
  const set = at === 0 ? m.sets?.set_before : m.sets?.set_after;
  if (value === null) return "–";
  return set === undefined || set[0] < 0 ? t("grade", { grade: value }) : t("compare.grade", { grade: value, set: set[0] === set[1] ? set[0] : `${set[0]}–${set[1]}` });
}

function decisionText(m: ComparedMeasure, at: 0 | 1): Child {
  const d = m.decisions[at];
  if (d == null || d.decision === "accept") return null;
  return h("small", { class: "decision-mark" }, d.decision === "amend" ? t("compare.amended", { value: number(d.value) }) : t("compare.rejected"));
}

function row(m: ComparedMeasure, joint: ComparedJoint, analyses: (Analysis | undefined)[], lengths: string, dates: string[]): HTMLElement {
  // Compared as shares of the plateau, a length has another unit than in its own result: its error would be wrong here.
  const error = (at: 0 | 1): number | null => {
    const own = analyses[at]?.regions[joint.regions[at]]?.findings.find((f) => f.key === m.key)?.measure;
    return own?.unit === m.unit && (m.unit !== "mm" || lengths === "mm") ? errorOf(analyses[at], joint.regions[at], m.key) : null;
  };
  const digits = m.unit === "1" ? 4 : m.unit === "{grade}" ? 0 : 2;
  const sign = (v: number): string => `${v > 0 ? "+" : v < 0 ? "−" : ""}${number(Math.abs(v), digits)} ${m.unit === "{grade}" ? "" : unitText(m.unit)}`.trim();
  // On a phone each row is a block of its own, with the head of each column before the value: the verdict stays in sight.
  const cell = (label: string, kind: string | null, ...children: Child[]): HTMLElement => h("td", { role: "cell", "data-label": label, ...(kind !== null ? { class: kind } : {}) }, children);
  return h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader" }, m.label, m.unit === "1" && h("small", {}, ` ${t("compare.ratio")}`)),
    ([0, 1] as const).map((at) => cell(dates[at]!, "number", valueText(m, at, error(at)), decisionText(m, at))),
    cell(t("compare.change"), "number", m.change.difference === null ? "–" : sign(m.change.difference)),
    cell(t("compare.sdc"), "number", m.unit === "{grade}" ? t("compare.by-sets") : m.change.sdc_95 === null ? t("compare.no-sdc") : `± ${number(m.change.sdc_95, digits)} ${unitText(m.unit)}`),
    cell(t("compare.verdict"), null, verdict(m), h("small", {}, [m.remark, m.change.remark].filter((x) => x !== "").map((x) => [" ", x])), h("details", {}, h("summary", {}, t("compare.basis")), h("p", {}, m.error_basis))));
}

function table(joint: ComparedJoint, c: Comparison, images: StudyImage[]): HTMLElement {
  const analyses = images.map((one) => one.result?.analysis);
  const dates = c.visits.map((v) => v.date ?? t("compare.no-date"));
  return h("section", { class: "card" }, h("h3", {}, joint.side === "unknown" ? jointName(joint, images[0]) : t("compare.side", { side: sideText(joint.side) })),
    joint.measures.length === 0 ? h("p", {}, t("compare.nothing")) : scrollable(h("table", { class: "wide compared", role: "table" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("measure")), dates.map((date) => h("th", { scope: "col", class: "number" }, date)), h("th", { scope: "col", class: "number" }, t("compare.change")), h("th", { scope: "col", class: "number" }, t("compare.sdc")), h("th", { scope: "col" }, t("compare.verdict")))),
      h("tbody", {}, joint.measures.map((m) => row(m, joint, analyses, c.lengths, dates))))));
}

const LEVELS: Record<string, string> = { refused: "refused", blocks: "refused", warning: "warning", note: "info" };

function checks(list: Check[]): Child {
  const rank = (c: Check): number => ["refused", "blocks", "warning", "note", "ok"].indexOf(c.level);
  const said = (c: Check): string => (c.code === "setup" && c.level === "note" ? t("compare.setup-note") : c.text);
  const open = list.filter((c) => c.level !== "ok").sort((a, b) => rank(a) - rank(b));
  const good = list.filter((c) => c.level === "ok");
  return [open.length > 0 && h("ul", { class: "notes" }, open.map((c) => h("li", { class: `note note-${LEVELS[c.level] ?? "info"}` }, h("strong", {}, t(`check.${c.level}`)), " ", said(c)))),
    good.length > 0 && h("details", {}, h("summary", {}, t("compare.checked", { n: good.length })), h("ul", { class: "notes" }, good.map((c) => h("li", { class: "note note-good" }, c.text))))];
}

function choiceText(c: Choice, studies: StudySummary[]): string {
  const study = studies.find((s) => s.id === c.study);
  const sides = [...c.sides].filter((s) => s !== "unknown").sort().map(sideText).join(", ");
  return [day(c.day), sides, study?.headline ?? ""].filter((x) => x !== "").join(" · ").slice(0, 90);
}

export async function comparePage(patientId: string, parameters: URLSearchParams): Promise<Page> {
  const [patient, series, studies] = await Promise.all([get<Patient>(`/patients/${patientId}`), get<Series>(`/patients/${patientId}/series`), get<List<StudySummary>>(`/studies?patient_id=${patientId}&limit=200`)]);
  const choices = choicesOf(series.measurements);
  const find = (id: string | null): Choice | undefined => choices.find((c) => c.image === id);
  let after = find(parameters.get("after")) ?? choices.at(-1);
  let before = find(parameters.get("before")) ?? (after === undefined ? undefined : suggest(choices, after));
  let isSameSetup = false;
  let asked = 0;
  const view = new CompareView();
  const status = h("div", { role: "status" });
  const results = h("div", { class: "compare-results" });

  const pick = (label: string, chosen: () => Choice | undefined, put: (c: Choice) => void): { element: HTMLElement; draw: () => void } => {
    const select = h("select", { "aria-label": label });
    select.addEventListener("change", () => { put(choices[select.selectedIndex]!); refresh(); });
    const draw = (): void => replace(select, choices.map((c) => h("option", { value: c.image, selected: c === chosen() }, `${choiceText(c, studies.items)}${after !== undefined && c !== after && c === suggest(choices, after) && chosen() !== after ? ` (${t("compare.suggested")})` : ""}`)));
    return { element: h("label", { class: "pick" }, h("span", {}, label), select), draw };
  };
  const picks = [pick(t("compare.before"), () => before, (c) => (before = c)), pick(t("compare.after"), () => after, (c) => (after = c))];
  const setup = h("input", { type: "checkbox", id: "same-setup" });
  setup.addEventListener("change", () => { isSameSetup = setup.checked; refresh(true); });

  async function imageOf(choice: Choice): Promise<{ study: Study; image: StudyImage }> {
    const study = withShown(await get<Study>(`/studies/${choice.study}`));
    return { study, image: study.images.find((one) => one.id === choice.image)! };
  }

  async function load(keepsView: boolean): Promise<void> {
    const mine = ++asked;
    picks.forEach((p) => p.draw());
    if (before === undefined || after === undefined) return;
    if (before === after) { replace(status, h("p", { class: "error" }, t("compare.same"))); return; }
    history.replaceState(null, "", `#/compare/${patientId}${query({ before: before.image, after: after.image })}`);
    replace(status, h("p", { class: "working" }, h("span", { class: "spinner", "aria-hidden": "true" }), t("compare.working")));
    const judged = get<Comparison>(`/images/${after.image}/comparison${query({ before: before.image, same_setup: isSameSetup ? "1" : null })}`);
    judged.catch(() => undefined); // told below
    const copies = keepsView ? null : beginCopies([before.image, after.image]);
    const [first, second] = await Promise.all([imageOf(before), imageOf(after)]);
    if (mine !== asked) return;
    const isSigned: [boolean, boolean] = [first.study.signature !== null, second.study.signature !== null];
    if (copies !== null) await view.setImages([first.image, second.image], isSigned, copies);
    const c = await judged;
    if (mine !== asked) return;
    [first.image, second.image].forEach((image, i) => (image.result = image.results.find((r) => r.id === c.visits[i]!.result_id) ?? image.result)); // what was compared
    replace(status, isSigned.includes(false) && h("p", { class: "banner banner-open" }, h("strong", {}, t("not-reviewed")), h("span", {}, t("compare.not-reviewed"))));
    replace(results, !c.comparable && h("p", { class: "refused" }, h("strong", {}, t("compare.refused"))), c.joints.map((joint) => table(joint, c, [first.image, second.image])), h("section", { class: "card" }, h("h3", {}, t("compare.checks")), checks(c.checks)));
    if (!keepsView) view.setComparison(c);
  }
  const refresh = (keepsView = false): void => void load(keepsView).catch((e: Error) => { replace(status, h("p", { class: "error", role: "alert" }, e.message)); });

  if (choices.length >= 2) refresh();
  const crumbs = h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/patients" }, t("nav.patients")), " › ", h("a", { href: `#/patients/${patientId}` }, patient.name ?? patient.pseudonym), " › ", t("compare"));
  return {
    title: t("compare.title", { who: patient.pseudonym }),
    content: [crumbs, h("div", { class: "head" }, h("h1", {}, t("compare.title", { who: patient.pseudonym })), h("span", { class: "space" }), choices.length >= 2 && h("button", { type: "button", onclick: () => window.print() }, t("print"))),
      choices.length < 2 ? h("p", { class: "card" }, t("compare.too-few"))
        : [h("div", { class: "row picks" }, picks.map((p) => p.element)), status, view.element, h("p", { class: "setup" }, setup, h("label", { for: "same-setup" }, t("compare.same-setup")), h("small", {}, t("compare.same-setup-hint"))), results]],
    leave: () => view.leave(),
    keys: (e) => view.keys(e),
  };
}

export function compareLink(patientId: string): HTMLElement {
  return h("a", { class: "button", href: `#/compare/${patientId}` }, t("compare.two"));
}
