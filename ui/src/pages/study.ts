// One study: viewer, findings, decisions, signature.
import { api, download, get, may, newKey, onChanges } from "../api";
import { dialog, h, replace, toast, type Child } from "../dom";
import { field, form } from "../form";
import { imageName, moment, studyDay } from "../format";
import type { Page } from "../shell";
import { isResearch, recognisers, taskName, taskSelect, withShown } from "../results";
import { t } from "../text";
import type { Finding, Job, List, ModelEntry, Patient, Result, Signature, Study, StudyImage } from "../types";
import { findingsOf, reviewKey, undecided } from "./findings";
import { StudyView } from "./study_view";
import { statusBadge } from "./worklist";

const AFTER_PICTURE_MS = 120, WITHOUT_PICTURE_MS = 500;

// What is true of a study that nobody has signed.
function openText(study: Study): string {
  if (study.to_review > 0) return t("not-reviewed.left", { n: study.to_review });
  if (study.status === "waiting" || study.status === "failed") return t(`not-reviewed.${study.status}`);
  if (study.reviewed > 0) return t("not-reviewed.ready");
  return t(study.images.some((one) => one.results.length > 0) ? "not-reviewed.no-finding" : "not-reviewed.no-result");
}

// Whether the signed report lies in the hospital's archive; nothing where it was never meant to.
function inArchive(signature: Signature): Child {
  if (signature.archive === null) return null;
  const { state, since } = signature.archive;
  const text = t(`in-archive.${state}`, { at: moment(since) });
  const hasCare = may("administer") && (state === "waiting" || state === "failed");
  return h("small", { class: `in-archive in-archive-${state}` }, hasCare ? h("a", { href: "#/administration/archive" }, text) : text);
}

export function studyPage(found: Study): Page {
  let tasks: ModelEntry[] = []; // told a moment later: nobody waits for them
  const chosen = new Map<string, string>(); // the task whose result the reader looks at, by image
  let study = withShown(found);
  const side = h("aside", { class: "side", "aria-label": t("findings") });
  const head = h("div", { class: "study-head" });
  const banner = h("div", { class: "banner" });
  let sideTimer = 0;
  const showSideIn = (ms: number): void => { window.clearTimeout(sideTimer); sideTimer = window.setTimeout(showSide, ms); };
  // Leafing through a series is faster than anyone reads.
  const view: StudyView = new StudyView(study, () => showSideIn(AFTER_PICTURE_MS), compare);
  const image = (): StudyImage | undefined => view.image;

  function compare(): void {
    const one = image();
    if (study.patient === null) return toast(t("compare.no-patient"), true);
    if (one !== undefined) location.hash = `#/compare/${study.patient.id}?after=${one.id}`;
  }

  async function sign(): Promise<void> {
    const answer = await dialog<Study>(t("sign.title"), (close) => [h("p", {}, t("sign.text")),
      form(field({ name: "comment", label: t("sign.comment"), type: "textarea" }), t("sign.button"), async (v) =>
        close(await api<Study>("POST", `/studies/${study.id}/signature`, v["comment"] ? { comment: v["comment"] } : {}, study.version)),
      h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
    if (answer !== null) { setStudy(answer); toast(t("sign.done")); }
  }

  async function reopen(): Promise<void> {
    const answer = await dialog<Study>(t("reopen.title"), (close) =>
      form(field({ name: "reason", label: t("reason"), type: "textarea", required: true }), t("reopen.button"), async (v) =>
        close(await api<Study>("POST", `/studies/${study.id}/reopen`, { reason: v["reason"] }, study.version)),
      h("button", { type: "button", onclick: () => close(null) }, t("cancel"))));
    if (answer !== null) setStudy(answer);
  }

  async function assign(): Promise<void> {
    const answer = await dialog<Study>(t("assign.title"), (close) => {
      const list = h("ul", { class: "choices" });
      const search = h("input", { type: "search", "aria-label": t("patients.search"), placeholder: t("patients.search") });
      const file = async (patientId: string): Promise<void> => close(await api<Study>("PUT", `/studies/${study.id}/patient`, { patient_id: patientId }, study.version));
      const find = async (): Promise<void> => {
        const found = await get<List<Patient>>(`/patients?limit=20&text=${encodeURIComponent(search.value)}`);
        replace(list, found.items.map((p) => h("li", {}, h("button", { type: "button", onclick: () => void file(p.id).catch((e: Error) => toast(e.message, true)) }, p.pseudonym, " ", p.name ?? ""))));
      };
      search.addEventListener("input", () => void find());
      void find();
      const make = async (): Promise<void> => file((await api<Patient>("POST", "/patients", {})).id);
      return [search, list, h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close(null) }, t("cancel")), h("button", { type: "button", onclick: () => void make().catch((e: Error) => toast(e.message, true)) }, t("patients.new")))];
    });
    if (answer !== null) setStudy(answer);
  }

  // Results go back to where the images came from: pictures came from no archive, and a running analysis is not told of yet.
  const archivable = (): boolean => study.status !== "waiting" && study.images.length > 0 && study.images.every((one) => !one.wrapped);

  function showHead(): void {
    const p = study.patient;
    replace(head, h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/" }, t("nav.worklist")), " › ", p === null ? t("no-patient") : h("a", { href: `#/patients/${p.id}` }, p.name ?? p.pseudonym)),
      h("h1", {}, `${imageName(study)}, ${studyDay(study)}`), statusBadge(study), h("span", { class: "space" }),
      may("patients") && study.signature === null && h("button", { type: "button", onclick: () => void assign() }, p === null ? t("assign.button") : t("assign.change")),
      may("export") && h("a", { class: "button", href: `/api/v1/studies/${study.id}/report.pdf` }, t("report.pdf")),
      may("export") && may("identity") && archivable() && h("button", { type: "button", title: t("archive.text"), onclick: () => void download(`/studies/${study.id}/export`, `archive-${study.id}.zip`).catch((e: Error) => toast(e.message, true)) }, t("archive.download")));
    const left = study.to_review;
    const recalled = study.signatures.filter((one) => one.withdrawn_at !== null && one.archive?.state === "sent").at(-1);
    banner.className = study.signature === null ? "banner banner-open" : "banner banner-signed";
    replace(banner, study.signature === null
      ? [h("strong", {}, t("not-reviewed")), h("span", {}, openText(study), recalled !== undefined && h("small", { class: "in-archive" }, " ", t("in-archive.withdrawn", { at: moment(recalled.archive!.since) }))), h("span", { class: "space" }),
         may("sign") && h("button", { type: "button", class: "primary", disabled: left > 0 || study.status !== "to-review", onclick: () => void sign() }, t("sign.button"))]
      : [h("strong", {}, t("signed-by", { who: study.signature.user_name })), h("span", {}, moment(study.signature.signed_at)), study.signature.comment !== null && h("span", {}, study.signature.comment), inArchive(study.signature), h("span", { class: "space" }),
         may("sign") && h("button", { type: "button", onclick: () => void reopen() }, t("reopen.button"))]);
  }

  function jobText(one: StudyImage): Child {
    const state = one.job?.state ?? "queued";
    if (state === "failed") return [h("p", { class: "error", role: "alert" }, one.job?.text ?? t("job.failed")), may("upload") && h("button", { type: "button", onclick: () => void analyse(one, one.job?.task ?? "", newKey()).catch((e: Error) => toast(e.message, true)) }, t("job.again"))];
    return h("p", { class: "working", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), one.job?.task != null && `${taskName(one.job.task)}: `, t(`job.${state}`));
  }

  async function analyse(one: StudyImage, task: string, key: string): Promise<void> {
    await api<Job>("POST", `/images/${one.id}/analysis`, task === "" ? {} : { task }, undefined, key);
    if (task === "") chosen.delete(one.id);
    else chosen.set(one.id, task); // is shown when it is there
    await reload();
  }

  async function askAgain(one: StudyImage): Promise<void> {
    const key = newKey();
    await dialog<boolean>(t("again.title"), (close) => [h("p", {}, t("again.text")),
      form(h("div", { class: "field" }, h("label", { for: "again-task" }, t("task.label")), taskSelect(tasks, { id: "again-task", name: "task" })), t("again.button"),
        async (v) => { await analyse(one, v["task"] ?? "", `${key}-${v["task"]}`); close(true); }, h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
  }

  async function setAside(one: StudyImage, result: Result): Promise<void> {
    const answer = await dialog<Study>(t("aside.title", { task: taskName(result.task) }), (close) => [h("p", {}, t("aside.text")),
      form(field({ name: "reason", label: t("reason"), type: "textarea", required: true }), t("aside.button"), async (v) =>
        close(await api<Study>("POST", `/results/${result.id}/set-aside`, { reason: v["reason"] }, study.version)),
      h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
    if (answer === null) return side.querySelector<HTMLElement>("[data-aside]")?.focus(); // made anew while the dialog stood
    chosen.delete(one.id);
    setStudy(answer);
    focusAside(); // the button is gone
  }

  const focusAside = (): void => [...side.querySelectorAll<HTMLElement>(".set-aside")].at(-1)?.focus();

  // What was set aside stays told where its findings were.
  function asidesOf(one: StudyImage): Child {
    return one.set_aside.map((a) => h("p", { class: "note set-aside", tabindex: "-1" }, t("aside.line", { task: taskName(a.task), analysed: moment(a.analysed_at), who: a.user_name, at: moment(a.created_at) }), " ", h("q", {}, a.reason), study.signature === null && h("small", {}, ` ${t("aside.again")}`)));
  }

  const againButton = (one: StudyImage): Child => may("upload") && study.signature === null && h("button", { type: "button", class: "small", onclick: () => void askAgain(one) }, t("again"));

  function noResult(one: StudyImage): Child {
    return one.job?.state === "done" ? h("div", { class: "results" }, h("p", {}, t("results.none")), h("span", { class: "space" }), againButton(one)) : jobText(one);
  }

  function choose(one: StudyImage, result: Result): void {
    chosen.set(one.id, result.task);
    setStudy(study);
    side.querySelector<HTMLElement>(".results [aria-pressed=true]")?.focus();
  }

  // Which task gave what is shown, the others that were asked, and more to ask.
  function resultsOf(one: StudyImage): Child {
    const shown = one.result!;
    const research = isResearch(tasks.find((m) => m.task === shown.task));
    return h("div", { class: "results" },
      one.results.length > 1 ? h("div", { class: "tabs", role: "group", "aria-label": t("results") }, one.results.map((r) => h("button", { type: "button", class: "small", "aria-pressed": String(r === shown), onclick: () => choose(one, r) }, taskName(r.task), undecided(r) > 0 && h("span", { class: "count" }, t("results.open", { n: undecided(r) }))))) : h("strong", {}, taskName(shown.task)),
      h("small", {}, t(shown.asked ? "task.was-asked" : "task.was-chosen")), research && h("span", { class: "tag" }, t("research-only")),
      shown.asked && may("review") && study.signature === null && h("button", { type: "button", class: "small quiet", "data-aside": shown.id, onclick: () => void setAside(one, shown) }, t("aside")), h("span", { class: "space" }), againButton(one));
  }

  function showSide(): void {
    const one = image();
    const key = document.activeElement?.closest<HTMLElement>(".finding")?.dataset["key"];
    const isAside = document.activeElement?.matches(".set-aside") === true;
    const context = { study, onStudy: setStudy, onPoint: (finding: Finding | null) => view.point(finding) };
    replace(side, one === undefined ? h("p", {}, t("no-image")) : one.result === null ? [noResult(one), asidesOf(one)]
      : [resultsOf(one), asidesOf(one), view.frameNote !== null && one.result.pictures.includes("frames.json") && h("p", { class: "note" }, view.frameNote), one.job !== null && one.job.state !== "done" && jobText(one), findingsOf(context, one.result)]);
    if (key !== undefined) focusAfter(key);
    if (isAside) focusAside();
  }

  // A decision was made on the finding in focus: go to the next undecided one, or stay.
  function focusAfter(key: string): void {
    const cards = [...side.querySelectorAll<HTMLElement>(".finding")];
    const at = cards.findIndex((c) => c.dataset["key"] === key);
    const next = cards[at]?.classList.contains("decided") === true ? cards.slice(at + 1).find((c) => c.classList.contains("undecided")) ?? cards[at] : cards[at];
    next?.focus();
  }

  function setStudy(next: Study): void {
    study = withShown(next, chosen);
    view.setStudy(study);
    showHead();
    showSide();
  }

  const reload = async (): Promise<void> => setStudy(await get<Study>(`/studies/${found.id}`));
  const stop = onChanges((changes, lost) => {
    if (lost || changes.some((c) => c.study_id === found.id)) void reload().catch((e: Error) => toast(e.message, true));
  });
  showHead();
  showSideIn(WITHOUT_PICTURE_MS); // the picture first: the findings are the most of the page
  void recognisers().then((list) => {
    tasks = list;
    if (side.firstChild !== null) showSide();
  });
  return {
    title: `${imageName(study)} ${studyDay(study)}`,
    content: [head, banner, h("div", { class: "study" }, view.element, side)],
    leave: () => { stop(); view.leave(); window.clearTimeout(sideTimer); },
    keys: (e) => view.keys(e) || reviewKey(e),
  };
}
