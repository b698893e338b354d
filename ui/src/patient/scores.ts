// Scores: adding one, what each series says, and all of them, withdrawn ones too.
import { api, get, may } from "../api";
import { timeline, type Guides } from "../chart";
import { dialog, h, replace, scrollable, type Child } from "../dom";
import { field, form } from "../form";
import { day, sideText, unitText, withError } from "../format";
import { t } from "../text";
import type { Instrument, Judged, List, Patient, Score, ScoreChange } from "../types";
import { clean, round, sides, tag, today } from "./common";

const OTHER = "other";
let instruments: Instrument[] | null = null;
export async function loadInstruments(): Promise<Instrument[]> {
  instruments ??= (await get<List<Instrument>>("/instruments")).items;
  return instruments;
}

/* ---- Adding --------------------------------------------------------------------------------------------- */

const rangeText = (i: Instrument): string => t("score.range", { low: i.low, high: i.high, unit: unitText(i.unit), better: t(`better.${i.better}`) });

// Grouped by the part of the body; measures of images are not typed in.
function instrumentSelect(list: Instrument[], onChange: (key: string) => void): HTMLElement {
  const bodies = [...new Set(list.map((i) => i.body))];
  const select = h("select", { id: "score-instrument", name: "instrument", required: true }, h("option", { value: "" }, t("choose")),
    bodies.map((body) => h("optgroup", { label: body }, list.filter((i) => i.body === body && !i.image).map((i) => h("option", { value: i.key }, i.title)))),
    h("option", { value: OTHER }, t("score.other")));
  select.addEventListener("change", () => onChange(select.value));
  return h("div", { class: "field" }, h("label", { for: "score-instrument" }, t("score.instrument")), select);
}

// An answer for each item; a dash is one that was not answered.
function itemFields(i: Instrument): Child {
  if (i.items === null) return null;
  const { low, high } = i.items;
  return h("fieldset", { class: "items" }, h("legend", {}, t("score.items", { n: i.items.count, least: i.items.answered_min })),
    high.map((top, no) => h("label", {}, String(no + 1),
      top - low <= 10 ? h("select", { "data-item": true, "aria-label": t("score.item", { n: no + 1 }) }, h("option", { value: "" }, "–"), Array.from({ length: Math.floor(top - low) + 1 }, (_, k) => h("option", { value: low + k }, low + k)))
        : h("input", { type: "number", "data-item": true, "aria-label": t("score.item", { n: no + 1 }), min: low, max: top, step: "any" }))));
}

function valueFields(i: Instrument | null): Child {
  if (i === null) return [field({ name: "name", label: t("score.name"), required: true, hint: t("score.other-hint") }), field({ name: "value", label: t("value"), type: "number", step: "any", required: true }), field({ name: "unit", label: t("unit") })];
  const value = field({ name: "value", label: `${t("value")}${i.unit === "" ? "" : ` (${unitText(i.unit)})`}`, type: "number", step: "any", min: String(i.low), max: String(i.high), required: i.items === null, hint: rangeText(i) });
  return [value, i.items !== null && h("details", { class: "fold" }, h("summary", {}, t("score.by-items")), itemFields(i)), i.note !== "" && h("p", { class: "soft" }, i.note)];
}

function itemsIn(host: HTMLElement): (number | null)[] | null {
  const answers = [...host.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-item]")].map((e) => (e.value === "" ? null : Number(e.value)));
  return answers.some((a) => a !== null) ? answers : null;
}

export async function addScore(patient: Patient): Promise<boolean> {
  const list = await loadInstruments();
  return (await dialog<boolean>(t("score.new"), (close) => {
    const host = h("div", {});
    const pick = (key: string): void => replace(host, key === "" ? null : valueFields(list.find((i) => i.key === key) ?? null));
    return form([instrumentSelect(list, pick), host,
      field({ name: "date", label: t("date"), type: "date", required: true, value: today(), max: today() }), field({ name: "side", label: t("side"), options: sides() }), field({ name: "note", label: t("note") }),
    ], t("save"), async (v) => {
      const items = v["value"] === "" ? itemsIn(host) : null;
      await api("POST", `/patients/${patient.id}/scores`, { ...clean(v, ["value"]), ...(items === null ? {} : { items }) });
      close(true);
    }, h("button", { type: "button", onclick: () => close(null) }, t("cancel")));
  })) === true;
}

async function withdraw(score: Score): Promise<boolean> {
  return (await dialog<boolean>(t("score.withdraw"), (close) =>
    form([h("p", {}, t("score.withdraw-text", { what: `${score.title ?? score.instrument} ${score.value}`, day: day(score.date) })), field({ name: "reason", label: t("reason"), type: "textarea", required: true })],
      t("score.withdraw"), async (v) => { await api("POST", `/scores/${score.id}/withdrawal`, { reason: v["reason"] }); close(true); }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))))) === true;
}

/* ---- What a series says ----------------------------------------------------------------------------------- */

const KIND: Record<string, string> = { improved: "tag-good", worsened: "tag-bad", "no-change": "tag-plain", "cannot-tell": "tag-plain", different: "tag-warn" };

// Two questions, answered apart: is it real, and does it matter?
export function verdictTags(change: ScoreChange): Child {
  const isError = change.verdict === "no-change" || change.verdict === "cannot-tell";
  const matters = change.matters === "yes" && isError ? "maybe" : (change.matters ?? "unknown");
  return [tag(t(`verdict.${change.verdict}`), KIND[change.verdict] ?? ""), " ", tag(t(`matters.${matters}`), matters === "yes" ? "tag-info" : "tag-plain")];
}

function guidesOf(j: Judged): Guides | null {
  const change = j.judged?.latest;
  if (change === undefined) return null;
  const first = change.before;
  const sign = j.better === "lower" ? -1 : 1;
  const inside = (x: number): number => Math.min(Math.max(x, j.range[0]), j.range[1]);
  const aim = change.mic === null ? null : first + sign * change.mic;
  return {
    band: change.sdc_95 === null ? null : [inside(first - change.sdc_95), inside(first + change.sdc_95)], bandText: t("chart.band"),
    marks: aim === null || aim < j.range[0] || aim > j.range[1] ? [] : [{ value: aim, text: t("chart.mic", { value: round(aim) }) }],
  };
}

const nameOf = (j: Judged): string => (j.side === null ? j.title : `${j.title}, ${sideText(j.side).toLowerCase()}`);

function seriesCard(j: Judged, level: "h2" | "h3"): HTMLElement {
  const change = j.judged?.latest;
  const points = j.visits.filter((v) => v.value !== null).map((v) => ({ day: v.date, value: v.value!, error: null, note: v.against_first === null || v === j.visits[0] ? "" : `${round(v.against_first.difference)}: ${v.against_first.verdict_text}` }));
  return h("article", { class: "card series" }, h(level, {}, nameOf(j)),
    h("p", { class: "soft" }, t("score.range", { low: j.range[0], high: j.range[1], unit: unitText(j.unit), better: t(`better.${j.better}`) })),
    h("p", { class: "verdict" }, change === undefined ? t("score.one-visit") : [h("strong", {}, `${change.difference > 0 ? "+" : ""}${round(change.difference)} ${unitText(j.unit)} `), verdictTags(change)]),
    points.length > 0 && timeline(t("chart.score", { name: nameOf(j) }), [{ name: j.title, unit: j.unit, points, color: "--series-1" }], guidesOf(j)),
    h("ul", { class: "words" }, j.words.slice(change === undefined ? 1 : 0).map((w) => h("li", {}, w))),
    h("details", {}, h("summary", {}, t("score.sources")), h("ul", { class: "words soft" }, j.sources.map((w) => h("li", {}, w)))));
}

function scoresTable(scores: Score[], again: (done: Promise<boolean>) => void): Child {
  return scrollable(h("table", { class: "wide" }, h("thead", {}, h("tr", {}, [t("date"), t("score.instrument"), t("side"), t("value"), t("note"), ""].map((x, i) => h("th", { scope: "col", class: i === 3 ? "number" : "" }, x === "" ? h("span", { class: "visually-hidden" }, t("actions")) : x)))),
    h("tbody", {}, [...scores].reverse().map((s) => h("tr", { class: s.withdrawn_reason !== null ? "withdrawn" : "" }, h("td", {}, day(s.date)), h("td", {}, s.title ?? s.instrument), h("td", {}, s.side === null ? "–" : sideText(s.side)), h("td", { class: "number" }, withError(s.value, null, s.unit)),
      h("td", { class: "reason" }, s.withdrawn_reason !== null ? t("withdrawn", { why: s.withdrawn_reason }) : s.note ?? "", s.items !== null && h("small", {}, ` ${t("score.answers", { list: s.items.map((a) => a ?? "–").join(" ") })}`)),
      h("td", {}, may("care") && s.withdrawn_reason === null && h("button", { type: "button", class: "quiet small", "aria-label": t("score.withdraw-one", { what: s.title ?? s.instrument, day: day(s.date) }), onclick: () => again(withdraw(s)) }, t("score.withdraw"))))))));
}

export function scoresPart(patient: Patient, scores: Score[], judged: Judged[], again: (done: Promise<boolean>) => void): Child {
  return [
    h("div", { class: "head" }, h("h2", {}, t("scores")), h("span", { class: "space" }), may("care") && h("button", { type: "button", class: "primary", onclick: () => again(addScore(patient)) }, t("score.new"))),
    h("p", { class: "soft" }, t("scores.text")),
    scores.length === 0 ? h("p", {}, t("scores.none")) : [h("div", { class: "charts" }, judged.map((j) => seriesCard(j, "h3"))), h("h3", {}, t("scores.all")), scoresTable(scores, again)],
  ];
}

// One line a series, for the overview.
export function verdicts(judged: Judged[], href: string): Child {
  return judged.length > 0 && h("ul", { class: "verdicts" }, judged.map((j) => h("li", {}, h("a", { href }, nameOf(j)), h("span", { class: "number" }, j.visits.map((v) => round(v.value)).join(" → "), ` ${unitText(j.unit)}`), j.judged === null ? h("span", { class: "soft" }, t("score.one-visit")) : h("span", {}, verdictTags(j.judged.latest)))));
}
