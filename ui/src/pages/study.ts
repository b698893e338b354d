// One study: viewer, findings, decisions, signature.
import { api, get, may, onChanges } from "../api";
import { dialog, h, replace, toast, type Child } from "../dom";
import { field, form } from "../form";
import { imageName, moment, studyDay } from "../format";
import type { Page } from "../shell";
import { known, t } from "../text";
import type { Finding, List, Patient, Study, StudyImage, StudySummary } from "../types";
import { heatPicture, type Layer } from "../viewer/overlay";
import { loadGray } from "../viewer/png";
import { Viewer, type Tool } from "../viewer/viewer";
import { findingsOf, regionName, reviewKey } from "./findings";
import { statusBadge, thumbnail } from "./worklist";

const TOOLS: [Tool, string][] = [["window", "w"], ["pan", "p"], ["zoom", "z"], ["measure", "m"]];
const LAYERS: [Layer, string][] = [["heat", "h"], ["landmarks", "l"], ["joint", "o"], ["boxes", "b"]];

async function showImage(viewer: Viewer, image: StudyImage): Promise<void> {
  const gray = await loadGray(`/api/v1/images/${image.id}/picture.png?values=1`);
  const d = image.display;
  const slope = d?.slope ?? 1;
  const intercept = d?.intercept ?? 0;
  let low = 65535, high = 0;
  for (const v of gray.values) { if (v < low) low = v; if (v > high) high = v; }
  const width = d?.window_width ?? 0;
  const span = Math.max(slope * (high - low), 1e-6);
  viewer.setImage(gray, { slope, intercept, center: width > 0 ? d!.window_center ?? 0 : slope * low + intercept + span / 2, width: width > 0 ? width : span }, image.spacing);
}

// The maps come when they are first asked for.
async function loadMaps(image: StudyImage): Promise<Map<number, HTMLCanvasElement>> {
  const maps = new Map<number, HTMLCanvasElement>();
  for (const name of image.result?.pictures ?? []) {
    const index = /^map-(\d+)$/.exec(name)?.[1];
    if (index !== undefined) maps.set(Number(index), heatPicture(await loadGray(`/api/v1/results/${image.result!.id}/pictures/${name}`)));
  }
  return maps;
}

export async function studyPage(id: string): Promise<Page> {
  let study = await get<Study>(`/studies/${id}`);
  let imageIndex = 0;
  let compare: Viewer | null = null;
  let maps: Map<number, HTMLCanvasElement> | null = null;
  const viewer = new Viewer(t("viewer.label"));
  const stage = h("div", { class: "stage" }, viewer.element);
  const side = h("aside", { class: "side", "aria-label": t("findings") });
  const head = h("div", { class: "study-head" });
  const banner = h("div", { class: "banner" });
  const strip = h("div", { class: "strip", role: "group", "aria-label": t("images-of-study") });
  const image = (): StudyImage | undefined => study.images[imageIndex];

  function point(finding: Finding | null): void {
    viewer.element.classList.toggle("pointing", finding !== null && finding.region !== null);
  }

  async function showLayer(layer: Layer, button: HTMLElement): Promise<void> {
    button.setAttribute("aria-pressed", String(viewer.toggleLayer(layer)));
    if (layer === "heat" && maps === null && image() !== undefined) {
      maps = await loadMaps(image()!).catch((e: Error) => { toast(e.message, true); return new Map(); });
      viewer.setAnalysis(image()!.result?.analysis ?? null, maps!, regionName);
    }
  }

  const toolButtons = TOOLS.map(([tool, key]) => h("button", { type: "button", "data-key": key, "aria-keyshortcuts": key, "aria-pressed": String(tool === "window"), onclick: (e: Event) => {
    viewer.tool = tool;
    if (compare !== null) compare.tool = tool;
    toolButtons.forEach((b) => b.setAttribute("aria-pressed", String(b === e.currentTarget)));
  } }, t(`tool.${tool}`), h("kbd", {}, key)));
  const layerButtons = LAYERS.map(([layer, key]) => h("button", { type: "button", "data-key": key, "aria-keyshortcuts": key, "aria-pressed": "false", onclick: (e: Event) => void showLayer(layer, e.currentTarget as HTMLElement) }, t(`layer.${layer}`), h("kbd", {}, key)));
  const action = (key: string, label: string, run: () => void): HTMLElement => h("button", { type: "button", "data-key": key, "aria-keyshortcuts": key, onclick: run }, label, h("kbd", {}, key));
  const compareButton = action("c", t("compare"), () => void chooseCompare().catch((e: Error) => toast(e.message, true)));
  const bar = h("div", { class: "toolbar", role: "toolbar", "aria-label": t("viewer.tools") },
    h("span", { class: "group" }, toolButtons),
    h("span", { class: "group" }, action("i", t("tool.invert"), () => { viewer.invert(); compare?.invert(); }), action("r", t("tool.reset"), () => { viewer.reset(); viewer.clearMeasures(); compare?.reset(); })),
    h("span", { class: "group", role: "group", "aria-label": t("overlays") }, layerButtons),
    h("span", { class: "group" }, compareButton));

  async function chooseCompare(): Promise<void> {
    if (compare !== null) {
      compare.element.parentElement!.remove();
      compare = null;
      stage.classList.remove("two");
      compareButton.setAttribute("aria-pressed", "false");
      return;
    }
    if (study.patient === null) return toast(t("compare.no-patient"), true);
    const others = (await get<List<StudySummary>>(`/studies?patient_id=${study.patient.id}&limit=200`)).items.filter((s) => s.id !== study.id && s.first_image_id !== null);
    if (others.length === 0) return toast(t("compare.none"), true);
    others.sort((a, b) => (b.image_date ?? "").localeCompare(a.image_date ?? ""));
    const chosen = await dialog<string>(t("compare.choose"), (close) => [
      h("ul", { class: "choices" }, others.map((s) => h("li", {}, h("button", { type: "button", onclick: () => close(s.id) }, thumbnail(s.first_image_id, 56), h("span", {}, h("strong", {}, studyDay(s)), " ", s.headline ?? ""))))),
      h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
    if (chosen === null) return;
    const other = await get<Study>(`/studies/${chosen}`);
    compare = new Viewer(t("viewer.label-other", { day: studyDay(other) }));
    compare.tool = viewer.tool;
    stage.classList.add("two");
    compareButton.setAttribute("aria-pressed", "true");
    stage.append(h("figure", { class: "other" }, compare.element, h("figcaption", {}, `${studyDay(other)} · ${other.headline ?? known("status", other.status)}`)));
    await showImage(compare, other.images[0]!);
    const result = other.images[0]!.result;
    if (result !== null) compare.setAnalysis(result.analysis, new Map(), regionName);
    viewer.layers.forEach((layer) => layer !== "heat" && compare!.toggleLayer(layer));
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

  function showHead(): void {
    const p = study.patient;
    replace(head, h("nav", { class: "crumbs", "aria-label": t("crumbs") }, h("a", { href: "#/" }, t("nav.worklist")), " › ", p === null ? t("no-patient") : h("a", { href: `#/patients/${p.id}` }, p.name ?? p.pseudonym)),
      h("h1", {}, `${imageName(study)}, ${studyDay(study)}`), statusBadge(study), h("span", { class: "space" }),
      may("patients") && study.signature === null && h("button", { type: "button", onclick: () => void assign() }, p === null ? t("assign.button") : t("assign.change")),
      may("export") && h("a", { class: "button", href: `/api/v1/studies/${study.id}/report.pdf` }, t("report.pdf")));
    const left = study.to_review;
    banner.className = study.signature === null ? "banner banner-open" : "banner banner-signed";
    replace(banner, study.signature === null
      ? [h("strong", {}, t("not-reviewed")), h("span", {}, t(left > 0 ? "not-reviewed.left" : "not-reviewed.ready", { n: left })), h("span", { class: "space" }),
         may("sign") && h("button", { type: "button", class: "primary", disabled: left > 0 || study.status !== "to-review", onclick: () => void sign() }, t("sign.button"))]
      : [h("strong", {}, t("signed-by", { who: study.signature.user_name })), h("span", {}, moment(study.signature.signed_at)), study.signature.comment !== null && h("span", {}, study.signature.comment), h("span", { class: "space" }),
         may("sign") && h("button", { type: "button", onclick: () => void reopen() }, t("reopen.button"))]);
  }

  function jobText(one: StudyImage): Child {
    const state = one.job?.state ?? "queued";
    if (state === "failed") return [h("p", { class: "error", role: "alert" }, one.job?.text ?? t("job.failed")), may("upload") && h("button", { type: "button", onclick: () => void api("POST", `/images/${one.id}/analysis`, {}).then(reload).catch((e: Error) => toast(e.message, true)) }, t("job.again"))];
    return h("p", { class: "working", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), t(`job.${state}`));
  }

  function showSide(): void {
    const one = image();
    const key = document.activeElement?.closest<HTMLElement>(".finding")?.dataset["key"];
    const context = { study, onStudy: setStudy, onPoint: point };
    replace(side, one === undefined ? h("p", {}, t("no-image")) : one.result === null ? jobText(one)
      : [one.job !== null && one.job.state !== "done" && jobText(one), findingsOf(context, one.result)]);
    if (key !== undefined) focusAfter(key);
  }

  // A decision was made on the finding in focus: go to the next undecided one, or stay.
  function focusAfter(key: string): void {
    const cards = [...side.querySelectorAll<HTMLElement>(".finding")];
    const at = cards.findIndex((c) => c.dataset["key"] === key);
    const next = cards[at]?.classList.contains("decided") === true ? cards.slice(at + 1).find((c) => c.classList.contains("undecided")) ?? cards[at] : cards[at];
    next?.focus();
  }

  function showStrip(): void {
    strip.hidden = study.images.length < 2;
    replace(strip, study.images.map((one, i) => h("button", { type: "button", "aria-pressed": String(i === imageIndex), "aria-label": t("image-no", { n: i + 1 }), onclick: () => { imageIndex = i; void showCurrent(); } }, thumbnail(one.id, 64))));
  }

  async function showCurrent(): Promise<void> {
    showStrip();
    showSide();
    maps = null;
    const one = image();
    if (one === undefined) return;
    try {
      await showImage(viewer, one);
      viewer.setAnalysis(one.result?.analysis ?? null, new Map(), regionName);
      const heat = layerButtons[0]!;
      if (viewer.layers.has("heat")) { viewer.toggleLayer("heat"); await showLayer("heat", heat); }
    } catch (error) {
      toast(t("viewer.failed", { why: (error as Error).message }), true);
    }
  }

  function setStudy(next: Study): void {
    const before = image()?.result?.id;
    study = next;
    showHead();
    showStrip();
    showSide();
    if (image()?.result?.id !== before) { maps = null; viewer.setAnalysis(image()?.result?.analysis ?? null, new Map(), regionName); }
  }

  const reload = async (): Promise<void> => setStudy(await get<Study>(`/studies/${id}`));
  const stop = onChanges((changes, lost) => {
    if (lost || changes.some((c) => c.study_id === id)) void reload().catch((e: Error) => toast(e.message, true));
  });
  showHead();
  void showCurrent();
  return {
    title: `${imageName(study)} ${studyDay(study)}`,
    content: [head, banner, h("div", { class: "study" }, h("div", { class: "view" }, bar, stage, strip), side)],
    leave: stop,
    keys: (e) => {
      const button = bar.querySelector<HTMLElement>(`[data-key="${CSS.escape(e.key)}"]`);
      if (button !== null) { button.click(); return true; }
      return reviewKey(e);
    },
  };
}
