// The models of this installation, and their cards as people read them.
import { get } from "../api";
import { h, scrollable, type Child } from "../dom";
import { interval, heading, plain, readable } from "../readable";
import type { Page } from "../shell";
import { t } from "../text";
import type { ModelEntry } from "../types";

type Card = Record<string, unknown>;

function figures(metrics: Card): Child {
  const rows = Object.entries(metrics).filter(([, v]) => interval(v) !== null);
  return rows.length > 0 && scrollable(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("models.figure")), h("th", { scope: "col" }, t("models.interval")))),
    h("tbody", {}, rows.map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, heading(k)), h("td", { class: "number" }, interval(v)))))));
}

function byGrade(metrics: Card): Child {
  const lists = Object.entries(metrics).filter(([k, v]) => k.endsWith("_by_grade") && Array.isArray(v)) as [string, unknown[]][];
  if (lists.length === 0) return null;
  const grades = Math.max(...lists.map(([, v]) => v.length));
  return [h("h3", {}, t("models.by-grade")), scrollable(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), Array.from({ length: grades }, (_, g) => h("th", { scope: "col" }, t("grade", { grade: g }))))),
    h("tbody", {}, lists.map(([k, v]) => h("tr", {}, h("th", { scope: "row" }, heading(k.replace("_by_grade", ""))), v.map((x) => h("td", { class: "number" }, interval(x) ?? plain(x))))))))];
}

function confusion(metrics: Card): Child {
  const rows = metrics["confusion"];
  if (!Array.isArray(rows)) return null;
  return [h("h3", {}, t("models.confusion")), scrollable(h("table", { class: "confusion" }, h("caption", {}, t("models.confusion-text")),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("models.reader")), rows.map((_, g) => h("th", { scope: "col" }, g)))),
    h("tbody", {}, (rows as number[][]).map((r, g) => h("tr", {}, h("th", { scope: "row" }, g), r.map((n, c) => h("td", { class: c === g ? "number diagonal" : "number" }, n)))))))];
}

// A figure beside another: the plain mean, somebody else's prediction, how often intervals held.
function nested(metrics: Card): Child {
  const isGroup = (v: unknown): v is Card => typeof v === "object" && v !== null && !Array.isArray(v) && interval(v) === null && Object.values(v).some((x) => interval(x) !== null);
  return Object.entries(metrics).filter(([, v]) => isGroup(v)).map(([k, v]) => [h("h3", {}, heading(k)), figures(v as Card)]);
}

function figureSection(key: string, value: Card): Child {
  const n = [typeof value["n"] === "number" && t("models.images", { n: value["n"] }), typeof value["patients"] === "number" && t("models.patients", { n: value["patients"] })].filter(Boolean).join(", ");
  return h("section", {}, h("h2", {}, heading(key)), typeof value["split"] === "string" && h("p", {}, `${t("models.measured-on")}: ${value["split"]}${n === "" ? "" : `; ${n}`}`), figures(value), nested(value), byGrade(value), confusion(value), h("details", { class: "fold" }, h("summary", {}, t("models.all-figures")), readable(value)));
}

// A figure with its interval; one that could not be had (no such image) is a dash.
const figure = (value: unknown): string => interval(value) ?? (typeof value === "object" ? "–" : plain(value));

function methodTable(methods: Card[], columns: string[], of: (m: Card) => Card): Child {
  return scrollable(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("models.method")), columns.map((c) => h("th", { scope: "col" }, heading(c))))),
    h("tbody", {}, methods.map((m) => h("tr", {}, h("th", { scope: "row" }, plain(m["name"]), m["control"] === true && ` (${t("models.control")})`), columns.map((c) => h("td", { class: "number" }, figure(of(m)[c]))))))));
}

// What `evaluate --explain` measured: which map is shown, and how it did beside the others and the controls.
function explanationSection(card: Card): Child {
  const found = card["explanation"] as Card | undefined;
  if (found === undefined || !Array.isArray(found["methods"])) return found !== undefined && h("section", {}, h("h2", {}, heading("explanation")), readable(found));
  const methods = found["methods"] as Card[];
  const figures = ["insertion", "deletion", "gain", "pointing", "mass_in_target"];
  const shuffled = methods.filter((m) => Array.isArray(m["shuffled"]));
  const shares = ((shuffled[0]?.["shuffled"] ?? []) as Card[]).map((s) => Number(s["share_of_layers"]));
  return h("section", {}, h("h2", {}, heading("explanation")),
    h("p", {}, t("models.explained", { method: plain(found["method"]), why: plain(found["why"]) })),
    h("p", {}, t("models.explained-on", { n: plain(found["n"]), split: plain(found["split"]), target: plain(found["target"]), share: Math.round(100 * Number(found["target_share"])) })),
    methodTable(methods, figures, (m) => m), h("h3", {}, t("models.explained-ill", { n: plain(found["n_disease"]) })), methodTable(methods, figures, (m) => m["disease"] as Card),
    h("h3", {}, t("models.shuffled")), h("p", {}, t("models.shuffled-text", { n: plain(found["n_shuffled"]) })),
    scrollable(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("models.method")), shares.map((s) => h("th", { scope: "col" }, s === 0 ? t("models.last-layer") : `${Math.round(100 * s)} %`)))),
      h("tbody", {}, shuffled.map((m) => h("tr", {}, h("th", { scope: "row" }, plain(m["name"])), (m["shuffled"] as Card[]).map((s) => h("td", { class: "number" }, figure(s["likeness"])))))))));
}

// Models that were compared with a baseline: does the picture add anything?
function studySection(card: Card): Child {
  const study = card["study"] as Card | undefined;
  if (study === undefined || !Array.isArray(study["models"])) return study !== undefined && h("section", {}, h("h2", {}, heading("study")), readable(study));
  return h("section", {}, h("h2", {}, heading("study")), h("p", {}, `${t("models.images", { n: plain(study["n"]) })}: ${plain(study["protocol"])}`),
    methodTable(study["models"] as Card[], ["auc_low_density", "auc_osteoporosis"], (m) => m),
    ["added_to_baseline", "shortcuts"].map((k) => study[k] !== undefined && [h("h3", {}, heading(k)), readable(study[k])]));
}

const TEXTS = ["verdict", "intended_use", "not_for", "limits", "data", "licence"];
const FIGURES = ["metrics", "external", "baseline"];
const REST = ["subgroups", "training", "command"];

export async function modelPage(task: string): Promise<Page> {
  const card = await get<Card>(`/models/${task}`);
  const section = (key: string): Child => card[key] !== undefined && h("section", {}, h("h2", {}, heading(key)), readable(card[key]));
  return {
    title: plain(card["title"]),
    content: [h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/models" }, t("nav.models")), " › ", task),
      h("article", { class: "card prose" }, h("h1", {}, plain(card["title"])), h("p", {}, h("span", { class: "tag" }, plain(card["status"])), ` ${t("version")} ${plain(card["version"])}`),
        TEXTS.map(section), FIGURES.filter((k) => typeof card[k] === "object" && card[k] !== null && !Array.isArray(card[k])).map((k) => figureSection(k, card[k] as Card)), explanationSection(card), studySection(card), REST.map(section))],
  };
}

export async function modelsPage(): Promise<Page> {
  const list = await get<ModelEntry[]>("/models");
  const cards = (kind: string): Child => h("ul", { class: "cards" }, list.filter((m) => m.kind === kind).map((m) => h("li", { class: "card" }, h("h3", {}, m.version === null ? m.title : h("a", { href: `#/models/${m.task}` }, m.title)), h("p", {}, m.accepts),
        h("p", {}, h("span", { class: "tag" }, m.status ?? t("models.none")), m.version !== null && ` ${t("version")} ${m.version}`), m.fault !== undefined && h("p", { class: "error" }, m.fault))));
  return {
    title: t("nav.models"),
    content: [h("div", { class: "head" }, h("h1", {}, t("nav.models"))), h("p", {}, t("models.text")),
      h("h2", {}, t("models.recognisers")), cards("recogniser"), h("h2", {}, t("models.outcomes")), cards("outcome")],
  };
}
