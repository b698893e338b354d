// Patients: a list to search.
import { api, get, may, query } from "../api";
import { dialog, h, replace, scrollable, toast } from "../dom";
import { field, form } from "../form";
import { day } from "../format";
import { clean } from "../patient/common";
import type { Page } from "../shell";
import { t } from "../text";
import type { List, Patient } from "../types";

const sexes = (): [string, string][] => [["", "–"], ["f", t("sex.f")], ["m", t("sex.m")], ["x", t("sex.x")]];

export async function editPatient(patient: Patient | null): Promise<Patient | null> {
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
      scrollable(h("table", { class: "wide" }, h("thead", {}, h("tr", {}, [t("pseudonym"), t("name"), t("birth-year"), t("studies"), t("last-image")].map((x) => h("th", { scope: "col" }, x)))), body)), foot],
    keys: (e) => { if (e.key !== "/") return false; search.focus(); return true; },
  };
}
