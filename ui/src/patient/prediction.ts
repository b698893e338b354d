// What to expect: the predictions of a patient, newest first, each with its spread, its reasons and the plain group mean.
import { may } from "../api";
import { h, s, scrollable, type Child } from "../dom";
import { moment, percent } from "../format";
import { readable } from "../readable";
import { known, t } from "../text";
import type { OutcomeContent, Prediction, ProgressionContent } from "../types";
import { base, capital, fold, round, tag, type Context } from "./common";

const SHOWN = 8; // drivers before the fold
const SMALL = 0.1; // points: below, a driver is told in the rest
const SAME = 0.5; // points: a prediction that rounds to the group's mean

const isOutcome = (c: unknown): c is OutcomeContent => typeof (c as OutcomeContent | null)?.expected === "number" && Array.isArray((c as OutcomeContent).intervals);
const isProgression = (c: unknown): c is ProgressionContent => typeof (c as ProgressionContent | null)?.likelihood_ratio?.value === "number";

export function predictionLine(p: Prediction): string {
  const c = p.content;
  if (isOutcome(c)) return t("prediction.line", { target: c.target, value: round(c.expected), low: round(c.intervals[1]?.low, 0), high: round(c.intervals[1]?.high, 0), unit: c.unit });
  if (isProgression(c)) return t("prediction.line-ratio", { target: c.target, value: times(c.likelihood_ratio.value) });
  return known("outcome", p.outcome);
}

/* ---- The picture ------------------------------------------------------------------------------------------ */

const LEFT = 130, RIGHT = 18, WIDTH = 640, ROW = 34, TOP = 34;
interface Row { name: string; wide?: [number, number]; half?: [number, number]; dot: number }

// Three rows on one axis: this patient, those alike, and the plain mean. The table beside it says the same in words.
function spreadPicture(c: OutcomeContent, title: string): Child {
  const [half, most] = [c.intervals.find((i) => i.level < 0.7), c.intervals.find((i) => i.level > 0.7)];
  const rows: Row[] = [{ name: t("prediction.this"), ...(most && { wide: [most.low, most.high] as [number, number] }), ...(half && { half: [half.low, half.high] as [number, number] }), dot: c.expected }];
  if (c.similar !== null) rows.push({ name: t("prediction.alike"), wide: [c.similar.q10, c.similar.q90], half: [c.similar.q25, c.similar.q75], dot: c.similar.median });
  rows.push({ name: t("prediction.mean"), dot: c.naive.mean });
  const low = Math.ceil(c.distribution.from), high = Math.floor(c.distribution.from + c.distribution.cell * c.distribution.chances.length);
  const x = (v: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (v - low)) / (high - low);
  const bottom = TOP + rows.length * ROW;
  const ticks = Array.from({ length: 7 }, (_, i) => Math.round(low + ((high - low) * i) / 6));
  const bar = (r: [number, number], y: number, size: number, name: string): Child => s("rect", { x: x(r[0]), y: y - size / 2, width: Math.max(x(r[1]) - x(r[0]), 2), height: size, rx: 3, class: name });
  const goals = c.goals.filter((g) => g.reachable);
  return s("svg", { viewBox: `0 0 ${WIDTH} ${bottom + 44}`, class: "spread", role: "img", "aria-label": title },
    ticks.map((v) => [s("line", { x1: x(v), x2: x(v), y1: TOP, y2: bottom, class: "grid" }), s("text", { x: x(v), y: bottom + 16, "text-anchor": "middle" }, v)]),
    goals.map((g, i) => [s("line", { x1: x(g.score_needed), x2: x(g.score_needed), y1: 14 * i + 16, y2: bottom, class: "aim" }), s("text", { x: x(g.score_needed), y: 14 * i + 12, "text-anchor": x(g.score_needed) > WIDTH - 110 ? "end" : "middle", class: "aim-name" }, g.goal)]),
    rows.map((r, i) => { const y = TOP + i * ROW + ROW / 2; return [s("text", { x: LEFT - 10, y: y + 4, "text-anchor": "end" }, r.name), r.wide && bar(r.wide, y, 8, i === 0 ? "wide" : "wide other"), r.half && bar(r.half, y, 16, i === 0 ? "half" : "half other"), s("circle", { cx: x(r.dot), cy: y, r: 5, class: "dot" })]; }),
    s("text", { x: LEFT + (WIDTH - LEFT - RIGHT) / 2, y: bottom + 36, "text-anchor": "middle", class: "soft" }, `${c.target} (${c.unit})`));
}

function spreadWords(c: OutcomeContent): Child {
  const [half, most] = c.intervals;
  return h("ul", { class: "words" }, h("li", {}, t("prediction.half", { low: round(half?.low, 0), high: round(half?.high, 0) })), h("li", {}, t("prediction.most", { low: round(most?.low, 0), high: round(most?.high, 0) })),
    h("li", {}, t("prediction.naive", { mean: round(c.naive.mean), n: c.naive.patients.toLocaleString("en"), diff: `${c.expected >= c.naive.mean ? "+" : "−"}${round(Math.abs(c.expected - c.naive.mean))}` }), !c.naive.model_is_better ? ` ${t("prediction.no-better")}` : Math.abs(c.expected - c.naive.mean) < SAME ? ` ${t("prediction.same")}` : ""));
}

/* ---- Chances, drivers, those alike -------------------------------------------------------------------------- */

function chance(name: string, value: number, need: string, source: string): HTMLElement {
  const fill = h("span", { class: "fill" });
  fill.style.width = `${Math.round(value * 100)}%`;
  return h("div", { class: "chance" }, h("strong", {}, percent(value)), h("span", {}, capital(name), h("small", {}, ` ${need}`)), h("span", { class: "track", "aria-hidden": "true" }, fill), h("small", { class: "source" }, source));
}

function chances(c: OutcomeContent): Child {
  return h("div", { class: "chances" }, c.goals.map((g) => (g.reachable && g.chance !== null ? chance(g.goal, g.chance, t("prediction.needs", { score: round(g.score_needed), unit: c.unit }), g.source) : h("p", { class: "soft" }, t("prediction.unreachable", { goal: capital(g.goal), score: round(g.score_needed) })))));
}

function driverBar(points: number, most: number): HTMLElement {
  const fill = h("span", { class: points < 0 ? "fill down" : "fill up" });
  fill.style.width = `${(50 * Math.abs(points)) / most}%`;
  return h("span", { class: "driver-track", "aria-hidden": "true" }, fill);
}

const signed = (x: number, digits = 1): string => `${x < 0 ? "−" : "+"}${round(Math.abs(x), digits)}`;
function driverTable(list: OutcomeContent["why"]["contributions"], most: number, caption: string): Child {
  return scrollable(h("table", { class: "drivers" }, h("caption", {}, caption), h("thead", { class: "visually-hidden" }, h("tr", {}, [t("prediction.answer"), t("prediction.points"), t("prediction.bar")].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, list.map((d) => h("tr", {}, h("th", { scope: "row" }, capital(d.title), h("span", { class: "soft" }, ` ${d.value}`)), h("td", { class: "number" }, signed(d.points)), h("td", { class: "bar-cell" }, driverBar(d.points, most)))))));
}

function drivers(c: OutcomeContent): Child {
  const sorted = [...c.why.contributions].sort((a, b) => Math.abs(b.points) - Math.abs(a.points));
  const most = Math.max(Math.abs(sorted[0]?.points ?? 1), 0.01);
  const first = sorted.slice(0, SHOWN).filter((d) => Math.abs(d.points) >= SMALL);
  const rest = sorted.slice(first.length);
  return [h("h4", {}, t("prediction.drivers")), driverTable(first, most, t("prediction.drivers-text", { base: round(c.why.base), value: round(c.expected) })),
    rest.length > 0 && fold(t("prediction.rest", { n: rest.length, points: signed(rest.reduce((sum, d) => sum + d.points, 0)) }), driverTable(rest, most, t("prediction.rest-text"))), c.why.clipped && h("p", { class: "soft" }, t("prediction.clipped"))];
}

function alike(c: OutcomeContent): Child {
  const a = c.similar;
  return a !== null && [h("h4", {}, t("prediction.alike-title")), h("p", {}, t("prediction.alike-text", { n: a.patients.toLocaleString("en"), what: a.alike_in, low: a.q25, high: a.q75, median: a.median })), h("ul", { class: "bullets" }, a.goals.map((g) => h("li", {}, `${capital(g.goal)}: ${percent(g.share)}`)))];
}

/* ---- Cards -------------------------------------------------------------------------------------------------- */

function made(p: Prediction, model: { name: string; version: string; hash: string } | undefined, status: string): Child {
  return h("p", { class: "soft" }, tag(status, "tag-warn"), ` ${p.user_name}, ${moment(p.created_at)}; `, h("a", { href: `#/models/${model?.name ?? p.model ?? ""}` }, `${model?.name ?? p.model ?? ""} ${model?.version ?? ""}`), p.model_hash !== null && [" ", h("code", { title: p.model_hash }, p.model_hash.slice(0, 12))]);
}

function outcomeCard(p: Prediction, c: OutcomeContent): HTMLElement {
  return h("article", { class: "card prediction" }, h("h3", {}, known("outcome", p.outcome)), made(p, c.model, c.status),
    h("p", { class: "expected" }, h("strong", {}, round(c.expected)), ` ${c.unit} `, h("span", { class: "soft" }, c.target)), spreadPicture(c, predictionLine(p)), spreadWords(c),
    h("div", { class: "two" }, h("div", {}, h("h4", {}, t("prediction.chances")), chances(c), alike(c)), h("div", {}, drivers(c))), h("p", { class: "soft" }, t("prediction.limits")));
}

// How many times as often: no more digits than the interval bears.
const times = (x: number): string => round(x, x >= 10 ? 0 : 1);

function progressionCard(p: Prediction, c: ProgressionContent): HTMLElement {
  const r = c.likelihood_ratio;
  return h("article", { class: "card prediction" }, h("h3", {}, known("outcome", p.outcome)), made(p, c.model, c.status),
    h("p", { class: "expected" }, h("strong", {}, `${times(r.value)}×`), ` ${t("prediction.ratio", { low: times(r.low), high: times(r.high) })}`),
    h("ul", { class: "words" }, h("li", {}, c.risk === null ? t("prediction.no-prior") : t("prediction.risk", { prior: percent(c.prior), risk: percent(c.risk.value), low: percent(c.risk.low), high: percent(c.risk.high) })),
      h("li", {}, t("prediction.grade-alone", { value: times(c.grade_alone.likelihood_ratio) })), h("li", {}, t(c.ranks_better_than_grade ? (c.odds_better_than_grade ? "prediction.adds" : "prediction.ranks") : "prediction.adds-nothing"))),
    h("ul", { class: "bullets" }, c.contributions.map((d) => h("li", {}, `${known("input", d.feature)}: ${round(d.value, 2)} (${signed(d.log_odds, 2)} ${t("prediction.log-odds")})`))));
}

function card(p: Prediction): HTMLElement {
  const c = p.content;
  if (isOutcome(c)) return outcomeCard(p, c);
  if (isProgression(c)) return progressionCard(p, c);
  return h("article", { class: "card" }, h("h3", {}, known("outcome", p.outcome)), h("p", { class: "soft" }, `${p.model ?? ""} ${p.user_name}, ${moment(p.created_at)}`), readable(c));
}

export function predictionPart(context: Context, list: Prediction[], outcomes: [string, string][]): Child {
  const id = context.patient.id;
  return [h("div", { class: "head" }, h("h2", {}, t("prediction"))), h("p", { class: "soft" }, t("prediction.text")),
    may("care") && h("nav", { class: "row no-print", "aria-label": t("prediction.new") }, h("span", {}, t("prediction.new")), outcomes.map(([name, title]) => h("a", { class: "button", href: `${base(id)}/outcome/${name}` }, title))),
    list.length === 0 ? h("p", {}, t("prediction.none")) : list.map(card)];
}
