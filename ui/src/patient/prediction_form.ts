// The questions of an outcome model, by the model's own description; filled in as far as the record knows.
import { api, ApiError, get } from "../api";
import { h, replace, toast, type Child } from "../dom";
import { t } from "../text";
import type { OutcomeForm, OutcomeInput, Patient, Prediction } from "../types";
import { base, capital } from "./common";

const isYesNo = (i: OutcomeInput): boolean => i.kind === "category" && i.levels?.length === 2 && i.levels.every((l) => l.level === "yes" || l.level === "no");

function inputField(i: OutcomeInput): HTMLElement {
  const id = `in-${i.key}`;
  const value = i.value === undefined ? "" : String(i.value);
  const common = { id, name: i.key, required: !i.may_be_unknown, "aria-describedby": `${id}-hint` };
  const element = i.kind === "number"
    ? h("input", { ...common, type: "number", step: "any", min: i.low, max: i.high, value })
    : h("select", common, h("option", { value: "" }, i.may_be_unknown ? t("prediction.unknown") : t("choose")), i.levels?.map((l) => h("option", { value: l.level, selected: l.level === value }, l.is_known ? l.level : t("prediction.too-few", { level: l.level }))));
  // "Oxford Knee Score before: Pain" under the heading of its score is "Pain".
  const title = i.item_of === null ? i.title : (i.title.split(": ")[1] ?? i.title);
  return h("div", { class: "field" }, h("label", { for: id }, capital(title)), element, h("small", { id: `${id}-hint` }, i.from !== undefined && t("plan.from", { from: i.from }), i.kind === "number" && i.from === undefined && t("prediction.range", { low: i.low ?? "", high: i.high ?? "" })));
}

// Items of one score, illnesses and the rest stand apart.
function groups(form: OutcomeForm): Child {
  const titles = [...new Set(form.inputs.map((i) => i.item_of).filter((x): x is string => x !== null))];
  const plain = form.inputs.filter((i) => i.item_of === null && !isYesNo(i));
  const yesNo = form.inputs.filter((i) => i.item_of === null && isYesNo(i));
  const box = (title: string, list: OutcomeInput[], text: string, more: Child = null): Child => list.length > 0 && h("fieldset", { class: "card" }, h("legend", {}, title), text !== "" && h("p", { class: "soft" }, text), h("div", { class: "fields narrow-fields" }, list.map(inputField)), more);
  const rest = (event: Event): void => (event.target as HTMLElement).closest("fieldset")!.querySelectorAll("select").forEach((s) => { if (s.value === "") s.value = "no"; });
  return [box(t("prediction.patient"), plain, ""), titles.map((title) => box(title, form.inputs.filter((i) => i.item_of === title), t("prediction.items-text"))),
    box(t("prediction.yes-no"), yesNo, "", h("button", { type: "button", onclick: rest }, t("prediction.rest-no")))];
}

function collect(form: HTMLFormElement, outcome: OutcomeForm): Record<string, unknown> {
  const data = new FormData(form);
  return Object.fromEntries(outcome.inputs.map((i) => { const v = String(data.get(i.key) ?? ""); return [i.key, v === "" ? null : i.kind === "number" ? Number(v) : v]; }));
}

export async function predictionFormPart(patient: Patient, name: string): Promise<Child> {
  const outcome = await get<OutcomeForm>(`/patients/${patient.id}/prediction-form?outcome=${encodeURIComponent(name)}`);
  const fault = h("div", { class: "error", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, t("prediction.run"));
  const form = h("form", { class: "plan-form" }, groups(outcome), fault, h("div", { class: "row end" }, h("a", { class: "button", href: `${base(patient.id)}/outcome` }, t("cancel")), button));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    replace(fault);
    api<Prediction>("POST", `/patients/${patient.id}/predictions/made`, { outcome: name, input: collect(form, outcome) })
      .then(() => { toast(t("prediction.made")); location.hash = `${base(patient.id)}/outcome`; })
      .catch((e: unknown) => {
        const refused = e instanceof ApiError && e.status === 422;
        replace(fault, refused && h("strong", {}, `${t("prediction.refused")} `), e instanceof Error ? e.message : String(e));
        const key = /^'?(\w+)/.exec(e instanceof Error ? e.message : "")?.[1];
        form.querySelector<HTMLElement>(`[name="${key ?? ""}"]`)?.focus();
      })
      .finally(() => (button.disabled = false));
  });
  return [h("div", { class: "head" }, h("h2", {}, outcome.title)), h("p", { class: "soft" }, t("prediction.form-text", { model: outcome.model.name, version: outcome.model.version, status: outcome.status })),
    typeof outcome.not_for === "string" && h("p", { class: "soft" }, `${t("key.not_for")}: ${outcome.not_for}`), form];
}
