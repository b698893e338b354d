// A clinician's changes of a plan: a line changed, left out, put back or added, each with a reason.
import { api } from "../api";
import { dialog, h, replace, type Child } from "../dom";
import { field, form } from "../form";
import { t } from "../text";
import type { Plan, PlanForm, PlanLine } from "../types";
import { capital } from "./common";

export interface Listed { phase: string; list: "exercises" | "goals" | "advice" }
type Owner = Plan & { patient_id: string };

const DOSE: [string, number][] = [["sets", 20], ["repetitions", 200], ["hold_s", 600], ["minutes", 600], ["times_per_day", 24], ["days_per_week", 7], ["effort_0_10", 10], ["percent_1rm", 100]];

function doseFields(line: PlanLine | null): Child {
  return h("fieldset", { class: "dose-fields" }, h("legend", {}, t("plan.dose")), DOSE.map(([name, max]) =>
    field({ name: `dose.${name}`, label: t(`dose.${name}`), type: "number", min: "1", max: String(max), step: "1", value: line?.dose?.[name] === undefined ? "" : String(line.dose[name]) })));
}

// The dose as it stands in the form; null: as it was.
function doseOf(v: Record<string, string>, line: PlanLine | null): Record<string, number> | null {
  const dose = Object.fromEntries(DOSE.filter(([name]) => (v[`dose.${name}`] ?? "") !== "").map(([name]) => [name, Number(v[`dose.${name}`])]));
  return DOSE.every(([name]) => (line?.dose?.[name] ?? undefined) === dose[name]) ? null : dose;
}

const save = (plan: Owner, at: Listed, edit: Record<string, unknown>): Promise<Plan> => api<Plan>("POST", `/patients/${plan.patient_id}/plans/${plan.id}/edits`, { ...at, ...edit }, plan.version);
const reason = (): HTMLElement => field({ name: "reason", label: t("plan.edit-reason"), type: "textarea", required: true, hint: t("plan.edit-reason-hint") });

export function editLine(plan: Owner, at: Listed, line: PlanLine): Promise<Plan | null> {
  return dialog<Plan>(t("plan.edit-one", { what: line.title ?? line.text }), (close) => {
    const isGoal = at.list === "goals" && line.measure !== undefined;
    const done = (edit: Record<string, unknown>, why: string): Promise<void> => save(plan, at, { ...edit, line: line.line, reason: why }).then(close);
    const out = line.state === "removed";
    const element = form([
      isGoal ? h("div", { class: "fields" }, field({ name: "target", label: `${capital(line.label ?? "")}: ${t(line.direction === "at-most" ? "plan.at-most" : "plan.at-least")} ${line.unit ?? ""}`, type: "number", step: "any", value: String(line.target ?? ""), required: true }), field({ name: "by", label: t("plan.by"), type: "date", value: line.by ?? "", required: true }))
        : field({ name: "text", label: t("plan.line-text"), type: "textarea", value: line.text, required: true }),
      at.list === "exercises" && doseFields(line), reason(),
    ], t("save"), async (v) => {
      const edit: Record<string, unknown> = {};
      if (isGoal && Number(v["target"]) !== line.target) edit["target"] = Number(v["target"]);
      if (isGoal && v["by"] !== line.by) edit["by"] = v["by"];
      if (!isGoal && v["text"] !== line.text) edit["text"] = v["text"];
      const dose = at.list === "exercises" ? doseOf(v, line) : null;
      if (dose !== null) edit["dose"] = dose;
      await done(edit, v["reason"] ?? "");
    }, [
      h("button", { type: "button", onclick: () => close(null) }, t("cancel")),
      line.edited !== undefined && h("button", { type: "button", onclick: () => other({ restore: true }) }, t(line.kept !== undefined ? "plan.delete-line" : "plan.restore")),
      line.kept === undefined && h("button", { type: "button", onclick: () => other({ state: out ? "active" : "removed" }) }, t(out ? "plan.take-in" : "plan.leave-out")),
    ]);
    // These need the reason, too, but nothing else of the form.
    function other(edit: Record<string, unknown>): void {
      const why = element.querySelector<HTMLTextAreaElement>("[name=reason]")!;
      if (!why.reportValidity()) return;
      done(edit, why.value.trim()).catch((e: Error) => replace(element.querySelector("[role=alert]")!, e.message));
    }
    return element;
  });
}

function newGoal(f: PlanForm): Child {
  const numbers = f.facts.filter((x) => x.type === "number" && (x.section === "symptoms" || x.section === "function" || x.section === "scores"));
  return [field({ name: "measure", label: t("plan.measure"), options: [["", t("plan.measure-none")], ...numbers.map((x): [string, string] => [x.fact, capital(`${x.label}${x.unit === "" ? "" : ` (${x.unit})`}`)])] }),
    h("div", { class: "fields" }, field({ name: "direction", label: t("plan.direction"), options: [["at-least", t("plan.at-least")], ["at-most", t("plan.at-most")]] }), field({ name: "target", label: t("plan.target"), type: "number", step: "any" }), field({ name: "by", label: t("plan.by"), type: "date" })),
    field({ name: "text", label: t("plan.own-words"), type: "textarea", hint: t("plan.goal-hint") })];
}

function newExercise(f: PlanForm): Child {
  return [field({ name: "exercise", label: t("plan.exercise"), options: [["", t("plan.exercise-own")], ...[...f.exercises].sort((a, b) => a.title.localeCompare(b.title)).map((e): [string, string] => [e.id, e.title])] }),
    field({ name: "text", label: t("plan.own-words"), type: "textarea", hint: t("plan.exercise-hint") }), doseFields(null)];
}

export function addLine(plan: Owner, at: Listed, f: PlanForm): Promise<Plan | null> {
  return dialog<Plan>(t(`plan.add.${at.list}`), (close) =>
    form([at.list === "goals" ? newGoal(f) : at.list === "exercises" ? newExercise(f) : field({ name: "text", label: t("plan.own-words"), type: "textarea", required: true }), reason()], t("save"), async (v) => {
      const edit: Record<string, unknown> = { reason: v["reason"] };
      for (const name of ["text", "exercise", "measure", "by"]) if ((v[name] ?? "") !== "") edit[name] = v[name];
      if ((v["measure"] ?? "") !== "") Object.assign(edit, { direction: v["direction"], ...(v["target"] === "" ? {} : { target: Number(v["target"]) }) });
      const dose = at.list === "exercises" ? doseOf(v, null) : null;
      if (dose !== null && Object.keys(dose).length > 0) edit["dose"] = dose;
      close(await save(plan, at, edit));
    }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))));
}
