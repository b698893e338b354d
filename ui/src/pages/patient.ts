// One patient: overview, scores, plan, and what to expect.
import { get, may } from "../api";
import { h, replace, toast, type Child } from "../dom";
import { base, itemsOf, type Context } from "../patient/common";
import { addEpisode, episodeCard } from "../patient/episodes";
import { erasePatient } from "../patient/erase";
import { measureCharts, planSummary, predictionSummary, studiesList } from "../patient/overview";
import { isPlan, planPart, toggleReasons } from "../patient/plan";
import { planFormPart } from "../patient/plan_form";
import { predictionPart } from "../patient/prediction";
import { predictionFormPart } from "../patient/prediction_form";
import { scoresPart, verdicts } from "../patient/scores";
import type { Page } from "../shell";
import { known, t } from "../text";
import type { List, Patient, Plan, Prediction, Series, StudySummary } from "../types";
import { uploader } from "../upload";
import { compareLink } from "./compare";
import { editPatient } from "./patients";

const TABS = ["", "scores", "plan", "outcome"];
type Again = (done: Promise<boolean | Patient | null>) => void;

async function overview(context: Context, again: Again, files: HTMLElement): Promise<Child> {
  const { patient } = context;
  const id = patient.id;
  const [studies, series, plans, predictions] = await Promise.all([get<List<StudySummary>>(`/studies?patient_id=${id}&limit=200`), get<Series>(`/patients/${id}/series`), get<List<Plan>>(`/patients/${id}/plans`), get<List<Prediction>>(`/patients/${id}/predictions`)]);
  return [
    h("section", {}, h("h2", {}, t("episodes")), h("ul", { class: "episodes" }, (patient.episodes ?? []).map(episodeCard)), may("patients") && h("button", { type: "button", onclick: () => again(addEpisode(patient)) }, t("episode.new"))),
    h("div", { class: "pair" }, h("section", { class: "card" }, h("h2", {}, t("plan")), planSummary(id, itemsOf(plans))), h("section", { class: "card" }, h("h2", {}, t("prediction")), predictionSummary(id, itemsOf(predictions)))),
    series.judged.length > 0 && h("section", { class: "card" }, h("h2", {}, t("scores")), verdicts(series.judged, `${base(id)}/scores`)),
    h("section", {}, h("h2", {}, t("over-time")), h("p", { class: "soft" }, t("over-time.text")), measureCharts(series)),
    h("section", {}, h("h2", {}, t("studies")), studies.items.length > 1 && compareLink(id), studiesList(studies.items), may("upload") && files)];
}

async function plans(context: Context, planId: string, version: string): Promise<Child> {
  const list = itemsOf(await get<List<Plan>>(`/patients/${context.patient.id}/plans`));
  const head = planId === "" ? (list.find(isPlan) ?? list[0]) : list.find((p) => p.id === planId);
  if (planId !== "" && head === undefined) throw new Error(t("plan.no-such"));
  const shown = head !== undefined && version !== "" && Number(version) !== head.version ? await get<Plan>(`/plans/${head.id}?version=${version}`) : head;
  return planPart(context, shown, head?.versions ?? [], head?.version ?? 0, list);
}

async function outcomes(context: Context): Promise<Child> {
  const [list, models] = await Promise.all([get<List<Prediction>>(`/patients/${context.patient.id}/predictions`), get<{ task: string; kind: string; version: string | null }[]>("/models")]);
  const names = models.filter((m) => m.kind === "outcome" && m.version !== null).map((m) => m.task.replace("outcome-", ""));
  return predictionPart(context, itemsOf(list), names.map((n): [string, string] => [n, known("outcome", n)]));
}

function tabs(id: string, here: string): HTMLElement {
  return h("nav", { class: "tabs", "aria-label": t("patient.parts") }, TABS.map((tab) => h("a", { href: tab === "" ? base(id) : `${base(id)}/${tab}`, ...(tab === here ? { "aria-current": "page" } : {}) }, t(`patient.tab.${tab === "" ? "overview" : tab}`))));
}

export async function patientPage(id: string, place: string[]): Promise<Page> {
  const [tab = "", first = "", second = ""] = place;
  const content = h("div", { class: "patient" });
  const files = uploader({ patientId: id, onDone: () => void draw() }); // one for all drawings: it tells what it has stored
  async function part(context: Context, again: Again): Promise<Child> {
    const { patient } = context;
    switch (tab) {
      case "": return overview(context, again, files.element);
      case "scores": {
        const series = await get<Series>(`/patients/${id}/series`);
        return scoresPart(patient, series.scores, series.judged, again);
      }
      case "plan": return first === "new" ? planFormPart(patient) : plans(context, first, second);
      case "outcome": return first === "" ? outcomes(context) : predictionFormPart(patient, first);
      default: throw new Error(t("no-page.text"));
    }
  }
  async function erase(patient: Patient): Promise<void> {
    const done = await erasePatient(patient);
    if (done === null) return;
    location.hash = "#/patients";
    toast(t("erase.done", { pseudonym: patient.pseudonym, n: done.images }));
  }
  async function draw(): Promise<void> {
    const patient = await get<Patient>(`/patients/${id}`);
    const again: Again = (done) => void done.then((d) => (d !== null && d !== false ? draw() : undefined)).catch((e: Error) => toast(e.message, true));
    const shown = await part({ patient, mayCare: may("care"), redraw: draw }, again);
    const facts = [patient.name, patient.birth_year !== null && t("born", { year: patient.birth_year }), patient.sex !== null && t(`sex.${patient.sex}`)].filter(Boolean).join(" · ");
    replace(content,
      h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/patients" }, t("nav.patients")), " › ", tab === "" ? patient.pseudonym : [h("a", { href: base(id) }, patient.pseudonym), " › ", t(`patient.tab.${tab}`)]),
      h("div", { class: "head" }, h("h1", {}, patient.pseudonym), h("span", {}, facts), h("span", { class: "space" }),
        may("patients") && h("button", { type: "button", onclick: () => again(editPatient(patient)) }, t("patient.edit")),
        tab === "" && may("administer") && h("button", { type: "button", onclick: () => void erase(patient) }, t("erase.open")),
        h("button", { type: "button", onclick: () => window.print() }, t("print"))),
      patient.note !== null && h("p", {}, patient.note), tabs(id, tab), shown);
  }
  await draw();
  return { title: t("patient"), content, keys: (e) => (e.key === "y" ? toggleReasons() : false) };
}
