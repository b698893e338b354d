// The facts form of a plan. The fields are those of guidelines/facts.json, as the server lists them with what the record
// knows; a new fact needs no change here.
import { api, ApiError, get } from "../api";
import { h, replace, toast, type Child } from "../dom";
import { known, t } from "../text";
import type { Patient, Plan, PlanFact, PlanForm } from "../types";
import { base, capital, choice, fold, round } from "./common";

const SECTIONS = ["red_flags", "person", "symptoms", "function", "scores", "surgery", "injury", "history", "comorbidity", "image", "response"];
const DATED = ["surgery", "injury"];
const GOALS = 5;

const nameOf = (f: PlanFact): string => `${f.section}.${f.fact}`;
const asText = (f: PlanFact, value: number | boolean | string): string => (typeof value === "boolean" ? t(`bool.${value}`) : typeof value === "number" ? round(value, 2) : f.type === "choice" ? choice(value) : value);

/* ---- Fields ----------------------------------------------------------------------------------------------- */

function hints(f: PlanFact, input: HTMLInputElement | HTMLSelectElement): Child {
  const use = (value: number | boolean | string): HTMLElement =>
    h("button", { type: "button", class: "link", "aria-label": t("plan.use-for", { what: f.label, value: asText(f, value) }), onclick: () => { input.value = String(value); input.dispatchEvent(new Event("change", { bubbles: true })); } }, t("plan.use"));
  return [f.value !== undefined && f.from !== undefined && t("plan.from", { from: f.from }),
    f.last !== undefined && [t("plan.last", { value: asText(f, f.last), from: f.last_from ?? "" }), " ", use(f.last)],
    f.seen !== undefined && t("plan.seen", { value: f.seen, from: f.seen_from ?? "" })];
}

function input(f: PlanFact, id: string): HTMLInputElement | HTMLSelectElement {
  const common = { id, name: nameOf(f), "aria-describedby": `${id}-hint` };
  const value = f.value === undefined ? "" : String(f.value);
  if (f.type === "number") return h("input", { ...common, type: "number", step: "any", min: f.low, max: f.high, value, inputmode: "decimal" });
  const options: [string, string][] = f.type === "bool" ? [["true", t("bool.true")], ["false", t("bool.false")]] : (f.choices ?? []).map((c): [string, string] => [c, choice(c)]);
  return h("select", common, h("option", { value: "" }, "–"), options.map(([v, label]) => h("option", { value: v, selected: v === value }, label)));
}

function factField(f: PlanFact): HTMLElement {
  const id = `fact-${f.fact}`;
  const element = input(f, id);
  return h("div", { class: "field", "data-fact": f.fact }, h("label", { for: id }, capital(f.label), f.unit !== "" && h("span", { class: "soft" }, ` ${f.unit}`)), element, h("small", { id: `${id}-hint` }, hints(f, element)));
}

// Red flags: asked one by one, and never taken over from an earlier visit.
function flagRow(f: PlanFact): HTMLElement {
  const option = (value: string, label: string): HTMLElement => h("label", { class: `flag-${value === "" ? "open" : value}` }, h("input", { type: "radio", name: nameOf(f), value, checked: value === "" }), label);
  return h("fieldset", { class: "flag", "data-fact": f.fact }, h("legend", {}, capital(f.label)), option("", t("plan.flag.open")), option("false", t("plan.flag.absent")), option("true", t("plan.flag.present")));
}

function flags(list: PlanFact[]): Child {
  const box = h("fieldset", { class: "card flag-box" }, h("legend", {}, t("plan.section.red_flags")), h("p", { class: "soft" }, t("plan.flags-text")), h("div", { class: "flags-grid" }, list.map(flagRow)));
  box.append(h("button", { type: "button", onclick: () => box.querySelectorAll<HTMLInputElement>(".flag:not([hidden])").forEach((f) => { if (f.querySelector<HTMLInputElement>("[value=true]")?.checked !== true) f.querySelector<HTMLInputElement>("[value=false]")!.checked = true; }) }, t("plan.flags-all-absent")));
  return box;
}

function sectionBox(name: string, list: PlanFact[], form: PlanForm): Child {
  if (list.length === 0) return null;
  if (name === "red_flags") return flags(list);
  const date = DATED.includes(name) && h("div", { class: "field" }, h("label", { for: `date-${name}` }, t(`plan.date.${name}`)), h("input", { id: `date-${name}`, type: "date", name: `${name}.date`, value: (name === "surgery" ? form.surgery_date : form.injury_date) ?? "", max: form.date }));
  return h("fieldset", { class: "card section", "data-section": name }, h("legend", {}, t(`plan.section.${name}`)), name === "response" && h("p", { class: "soft" }, t("plan.response-text")), h("div", { class: "fields" }, date, list.map(factField)));
}

function goalRows(form: PlanForm): HTMLElement {
  const rows = Array.from({ length: GOALS }, (_, i) => form.goals[i]);
  return h("fieldset", { class: "card" }, h("legend", {}, t("plan.section.goals")), h("p", { class: "soft" }, t("plan.goals-text")), rows.map((g, i) =>
    h("div", { class: "goal-row", hidden: i > Math.max(0, form.goals.length) }, h("div", { class: "field" }, h("label", { for: `goal-${i}` }, t("plan.goal-no", { n: i + 1 })), h("input", { id: `goal-${i}`, "data-goal": "activity", maxlength: 99, value: g?.activity ?? "", oninput: (e: Event) => (e.target as HTMLElement).closest(".goal-row")!.nextElementSibling?.removeAttribute("hidden") })),
      h("div", { class: "field" }, h("label", { for: `psfs-${i}` }, t("plan.goal-now")), h("input", { id: `psfs-${i}`, "data-goal": "psfs", type: "number", min: 0, max: 10, step: "any" }), g?.last != null && h("small", {}, t("plan.last-value", { value: g.last }))))));
}

/* ---- What is asked of which condition ------------------------------------------------------------------------ */

// Facts that no rule of the condition reads stand folded at the end; nothing typed there is lost.
function arrange(form: HTMLFormElement, plan: PlanForm, extra: HTMLElement): void {
  const condition = form.querySelector<HTMLSelectElement>("[name=condition]")!.value;
  const isFollowUp = plan.previous !== null && plan.previous.condition === condition;
  const counts = (f: PlanFact): boolean => condition === "" || ((f.conditions === null || f.conditions.includes(condition)) && (f.section !== "response" || isFollowUp));
  for (const f of plan.facts) {
    const element = form.querySelector<HTMLElement>(`[data-fact="${f.fact}"]`)!;
    const home = form.querySelector<HTMLElement>(`[data-section="${f.section}"] .fields`);
    if (home === null) { element.hidden = !counts(f); continue; }
    if (counts(f)) home.append(element);
    else extra.append(element);
  }
  form.querySelectorAll<HTMLElement>("[data-section]").forEach((s) => (s.hidden = s.querySelector(".field") === null || (s.dataset["section"] === "response" && !isFollowUp)));
  const phases = plan.conditions.find((c) => c.id === condition)?.phases ?? [];
  replace(form.querySelector("[name=phase]")!, h("option", { value: "" }, t("plan.phase-by-rules")), phases.map((p) => h("option", { value: p.id }, p.title)));
}

/* ---- Sending ------------------------------------------------------------------------------------------------- */

function collect(form: HTMLFormElement, plan: PlanForm): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const data = new FormData(form);
  for (const name of ["condition", "side", "phase", "date"]) if (data.get(name)) out[name] = String(data.get(name));
  const put = (section: string, key: string, value: unknown): void => { ((out[section] ??= {}) as Record<string, unknown>)[key] = value; };
  for (const f of plan.facts) {
    const value = String(data.get(nameOf(f)) ?? "");
    if (value !== "") put(f.section, f.fact, f.type === "number" ? Number(value) : f.type === "bool" ? value === "true" : value);
  }
  for (const name of DATED) if (data.get(`${name}.date`)) put(name, "date", String(data.get(`${name}.date`)));
  out["goals"] = [...form.querySelectorAll(".goal-row")].map((r) => [...r.querySelectorAll<HTMLInputElement>("input")].map((i) => i.value.trim())).filter(([activity]) => activity !== "")
    .map(([activity, psfs]) => ({ activity, ...(psfs === "" ? {} : { psfs: Number(psfs) }) }));
  return out;
}

// "symptoms.pain_rest: must be ..." leads to its field.
function showFault(form: HTMLFormElement, fault: HTMLElement, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  replace(fault, message, error instanceof ApiError && error.status === 422 && h("small", {}, ` ${t("plan.contradiction")}`));
  form.querySelectorAll("[aria-invalid]").forEach((e) => e.removeAttribute("aria-invalid"));
  const place = /^(\w+)\.(\w+)/.exec(message);
  const field = place === null ? null : form.querySelector<HTMLElement>(`[name="${place[1]}.${place[2]}"]`);
  if (field === null) return;
  field.closest("details")?.setAttribute("open", "");
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

async function send(patient: Patient, plan: PlanForm, input: Record<string, unknown>): Promise<Plan> {
  const p = plan.previous;
  const goesOn = p !== null && p.condition === input["condition"] && p.side === input["side"];
  return goesOn ? api<Plan>("POST", `/patients/${patient.id}/plans/${p.id}/made`, { input }, p.version) : api<Plan>("POST", `/patients/${patient.id}/plans/made`, { input });
}

function top(plan: PlanForm): Child {
  const select = (name: string, label: string, options: [string, string][], value: string, required = false): HTMLElement =>
    h("div", { class: "field" }, h("label", { for: `plan-${name}` }, label), h("select", { id: `plan-${name}`, name, required }, options.map(([v, text]) => h("option", { value: v, selected: v === value }, text))));
  return h("fieldset", { class: "card" }, h("legend", {}, t("plan.section.top")), h("div", { class: "fields" },
    select("condition", t("episode.condition"), [["", t("choose")], ...plan.conditions.map((c): [string, string] => [c.id, c.title])], plan.condition ?? "", true),
    select("side", t("side"), ["right", "left", "both", "none"].map((s): [string, string] => [s, known("side", s)]), plan.side, true),
    select("phase", t("plan.phase-label"), [], ""),
    h("div", { class: "field" }, h("label", { for: "plan-date" }, t("date")), h("input", { id: "plan-date", type: "date", name: "date", value: plan.date, max: plan.date, required: true }))));
}

export async function planFormPart(patient: Patient): Promise<Child> {
  const plan = await get<PlanForm>(`/patients/${patient.id}/plan-form`);
  const fault = h("div", { class: "error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, t("plan.run"));
  const extra = h("div", { class: "fields" });
  const form = h("form", { class: "plan-form" }, top(plan), SECTIONS.map((name) => [name === "symptoms" && goalRows(plan), sectionBox(name, plan.facts.filter((f) => f.section === name), plan)]),
    h("div", { class: "card" }, fold(t("plan.more-facts"), h("p", { class: "soft" }, t("plan.more-facts-text")), extra)), fault,
    h("div", { class: "row end" }, h("a", { class: "button", href: `${base(patient.id)}/plan` }, t("cancel")), button));
  form.querySelector("[name=condition]")!.addEventListener("change", () => arrange(form, plan, extra));
  arrange(form, plan, extra);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    replace(fault);
    send(patient, plan, collect(form, plan)).then(() => { toast(t("plan.made")); location.hash = `${base(patient.id)}/plan`; }).catch((e: unknown) => showFault(form, fault, e)).finally(() => (button.disabled = false));
  });
  return [h("div", { class: "head" }, h("h2", {}, t(plan.previous === null ? "plan.make" : "plan.again"))), h("p", { class: "soft" }, t("plan.form-text")),
    plan.previous !== null && h("p", { class: "soft" }, t("plan.follows", { day: plan.previous.date })), form];
}
