// Patients: a list to search, and one patient over time.
import { api, get, may, query } from "../api";
import { timeline, type Line } from "../chart";
import { dialog, h, replace, toast, type Child } from "../dom";
import { field, form } from "../form";
import { day, moment, sideText, studyDay, withError } from "../format";
import { readable } from "../readable";
import type { Page } from "../shell";
import { known, t } from "../text";
import type { Episode, List, Measurement, Patient, Plan, Prediction, Score, Series, StudySummary } from "../types";
import { uploader } from "../upload";
import { statusBadge, thumbnail } from "./worklist";

const COLORS = 6; // --series-1 to --series-6
const sexes = (): [string, string][] => [["", "–"], ["f", t("sex.f")], ["m", t("sex.m")], ["x", t("sex.x")]];

function clean(v: Record<string, string>, numbers: string[] = []): Record<string, unknown> {
  return Object.fromEntries(Object.entries(v).filter(([, x]) => x !== "").map(([k, x]) => [k, numbers.includes(k) ? Number(x) : x]));
}

async function editPatient(patient: Patient | null): Promise<Patient | null> {
  return dialog<Patient>(t(patient === null ? "patients.new" : "patient.edit"), (close) =>
    form([
      field({ name: "pseudonym", label: t("pseudonym"), value: patient?.pseudonym ?? "", hint: t("pseudonym-hint") }),
      field({ name: "name", label: t("name"), value: patient?.name ?? "" }),
      field({ name: "birth_year", label: t("birth-year"), type: "number", min: "1890", max: "2100", step: "1", value: patient?.birth_year?.toString() ?? "" }),
      field({ name: "sex", label: t("sex"), options: sexes(), value: patient?.sex ?? "" }),
      field({ name: "note", label: t("note"), type: "textarea", value: patient?.note ?? "" }),
    ], t("save"), async (v) => {
      const body = clean(v, ["birth_year"]);
      close(patient === null ? await api<Patient>("POST", "/patients", body) : await api<Patient>("PUT", `/patients/${patient.id}`, body, patient.version));
    }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))));
}

export function patientsPage(): Page {
  const body = h("tbody");
  const foot = h("p", { class: "foot" });
  let next: string | null = null;
  const search = h("input", { type: "search", class: "search", "aria-label": t("patients.search"), placeholder: t("patients.search") });
  async function refresh(more = false): Promise<void> {
    const found = await get<List<Patient>>(`/patients${query({ text: search.value.trim(), cursor: more ? next : null, limit: 100 })}`);
    if (!more) replace(body);
    body.append(...found.items.map((p) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: `#/patients/${p.id}` }, p.pseudonym)), h("td", {}, p.name ?? "–"), h("td", {}, p.birth_year ?? "–"), h("td", { class: "number" }, p.study_count), h("td", {}, day(p.last_image_date)))));
    next = found.next;
    replace(foot, found.total === 0 ? t("patients.empty") : t("worklist.shown", { n: body.childElementCount, total: found.total }), next !== null && [" ", h("button", { type: "button", onclick: () => void refresh(true) }, t("more"))]);
  }
  const go = (): void => void refresh().catch((e: Error) => toast(e.message, true));
  let timer = 0;
  search.addEventListener("input", () => { window.clearTimeout(timer); timer = window.setTimeout(go, 200); });
  go();
  const add = async (): Promise<void> => {
    const made = await editPatient(null);
    if (made !== null) location.hash = `#/patients/${made.id}`;
  };
  return {
    title: t("nav.patients"),
    content: [h("div", { class: "head" }, h("h1", {}, t("nav.patients")), h("span", { class: "space" }), may("patients") && h("button", { type: "button", class: "primary", onclick: () => void add() }, t("patients.new"))),
      h("div", { class: "row filters" }, search),
      h("div", { class: "scroll" }, h("table", { class: "wide" }, h("thead", {}, h("tr", {}, [t("pseudonym"), t("name"), t("birth-year"), t("studies"), t("last-image")].map((x) => h("th", { scope: "col" }, x)))), body)), foot],
    keys: (e) => { if (e.key !== "/") return false; search.focus(); return true; },
  };
}

// One chart for each unit: millimetres and grades do not share an axis.
function charts(series: Series): Child {
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
    if (s.withdrawn_reason === null) put(t("chart.score", { name: s.instrument }), named(s.instrument, s.side), s.unit ?? "", { day: s.date, value: s.value, error: null, note: s.note ?? "" });
  }
  if (groups.size === 0) return h("p", {}, t("patient.no-series"));
  return h("div", { class: "charts" }, [...groups].map(([title, lines]) => timeline(title, [...lines.values()])));
}

function episodeCard(e: Episode): HTMLElement {
  const facts = [e.side !== null && sideText(e.side), e.onset !== null && t("episode.since", { day: day(e.onset) }), e.surgery !== null && `${e.surgery} ${e.surgery_date !== null ? day(e.surgery_date) : ""}`].filter(Boolean).join(" · ");
  return h("li", {}, h("strong", {}, e.condition), !e.open && ` (${t("episode.closed")})`, facts !== "" && h("span", {}, ` ${facts}`), e.goals !== null && h("p", {}, e.goals));
}

async function addEpisode(patient: Patient): Promise<boolean> {
  return (await dialog<boolean>(t("episode.new"), (close) =>
    form([
      field({ name: "condition", label: t("episode.condition"), required: true }),
      field({ name: "side", label: t("side"), options: [["", "–"], ["right", t("side.right")], ["left", t("side.left")]] }),
      field({ name: "onset", label: t("episode.onset"), type: "date" }), field({ name: "surgery", label: t("episode.surgery") }),
      field({ name: "surgery_date", label: t("episode.surgery-date"), type: "date" }), field({ name: "goals", label: t("episode.goals"), type: "textarea" }),
    ], t("save"), async (v) => { await api("POST", `/patients/${patient.id}/episodes`, clean(v)); close(true); }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))))) === true;
}

async function addScore(patient: Patient): Promise<boolean> {
  return (await dialog<boolean>(t("score.new"), (close) =>
    form([
      field({ name: "instrument", label: t("score.instrument"), required: true, hint: t("score.hint") }),
      field({ name: "value", label: t("value"), type: "number", step: "any", required: true }), field({ name: "unit", label: t("unit") }),
      field({ name: "date", label: t("date"), type: "date", required: true, value: new Date().toISOString().slice(0, 10) }),
      field({ name: "side", label: t("side"), options: [["", "–"], ["right", t("side.right")], ["left", t("side.left")]] }), field({ name: "note", label: t("note") }),
    ], t("save"), async (v) => { await api("POST", `/patients/${patient.id}/scores`, clean(v, ["value"])); close(true); }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))))) === true;
}

function scoresTable(scores: Score[]): Child {
  return scores.length > 0 && h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, [t("date"), t("score.instrument"), t("value"), t("note")].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, scores.map((s) => h("tr", { class: s.withdrawn_reason !== null ? "withdrawn" : "" }, h("td", {}, day(s.date)), h("td", {}, s.instrument), h("td", { class: "number" }, withError(s.value, null, s.unit)), h("td", {}, s.withdrawn_reason !== null ? t("withdrawn", { why: s.withdrawn_reason }) : s.note ?? ""))))));
}

function studiesList(studies: StudySummary[]): Child {
  return h("ul", { class: "patient-studies" }, studies.map((s) => h("li", {}, h("a", { href: `#/studies/${s.id}` }, thumbnail(s.first_image_id, 96), h("span", {}, h("strong", {}, studyDay(s)), statusBadge(s), h("span", {}, s.headline ?? ""))),
    may("export") && h("a", { class: "report", href: `/api/v1/studies/${s.id}/report.pdf`, "aria-label": t("report.of", { day: studyDay(s) }) }, t("report.pdf")))));
}

function planCard(p: Plan): HTMLElement {
  return h("article", { class: "card" }, h("h3", {}, t("plan.version", { n: p.version })), h("p", { class: "soft" }, `${p.user_name}, ${moment(p.created_at)}`, p.reason !== null && ` – ${p.reason}`), readable(p.content));
}

function predictionCard(p: Prediction): HTMLElement {
  return h("article", { class: "card" }, h("h3", {}, known("outcome", p.outcome)), h("p", { class: "soft" }, `${p.model ?? ""} ${moment(p.created_at)}`), readable(p.content));
}

const itemsOf = <T>(value: List<T> | T[]): T[] => (Array.isArray(value) ? value : value.items);

export async function patientPage(id: string): Promise<Page> {
  const content = h("div");
  const files = uploader({ patientId: id, onDone: () => void draw() });
  async function draw(): Promise<void> {
    const [patient, studies, series, plans, predictions] = await Promise.all([get<Patient>(`/patients/${id}`), get<List<StudySummary>>(`/studies?patient_id=${id}&limit=200`), get<Series>(`/patients/${id}/series`), get<List<Plan>>(`/patients/${id}/plans`), get<List<Prediction>>(`/patients/${id}/predictions`)]);
    const again = (done: Promise<boolean | Patient | null>): void => void done.then((d) => (d !== null && d !== false ? draw() : undefined)).catch((e: Error) => toast(e.message, true));
    const facts = [patient.name, patient.birth_year !== null && t("born", { year: patient.birth_year }), patient.sex !== null && t(`sex.${patient.sex}`)].filter(Boolean).join(" · ");
    replace(content,
      h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/patients" }, t("nav.patients")), " › ", patient.pseudonym),
      h("div", { class: "head" }, h("h1", {}, patient.pseudonym), h("span", {}, facts), h("span", { class: "space" }),
        may("patients") && h("button", { type: "button", onclick: () => again(editPatient(patient)) }, t("patient.edit")),
        h("button", { type: "button", onclick: () => window.print() }, t("print"))),
      patient.note !== null && h("p", {}, patient.note),
      h("section", {}, h("h2", {}, t("episodes")), h("ul", { class: "episodes" }, (patient.episodes ?? []).map(episodeCard)), may("patients") && h("button", { type: "button", onclick: () => again(addEpisode(patient)) }, t("episode.new"))),
      h("section", {}, h("h2", {}, t("over-time")), h("p", { class: "soft" }, t("over-time.text")), charts(series)),
      h("section", {}, h("h2", {}, t("scores")), scoresTable(series.scores), may("care") && h("button", { type: "button", onclick: () => again(addScore(patient)) }, t("score.new"))),
      h("section", {}, h("h2", {}, t("studies")), studiesList(studies.items), may("upload") && files.element),
      h("section", {}, h("h2", {}, t("plan")), itemsOf(plans).length === 0 ? h("p", { class: "soft" }, t("plan.none")) : itemsOf(plans).map(planCard)),
      h("section", {}, h("h2", {}, t("prediction")), itemsOf(predictions).length === 0 ? h("p", { class: "soft" }, t("prediction.none")) : itemsOf(predictions).map(predictionCard)));
  }
  await draw();
  return { title: t("patient"), content };
}
