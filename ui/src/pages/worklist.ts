// What needs me today: states at a glance, filters, search, keys.
import { get, may, onChanges, query } from "../api";
import { h, replace, toast } from "../dom";
import { day, imageName, moment, studyDay } from "../format";
import type { Page } from "../shell";
import { taskName } from "../results";
import { known, t } from "../text";
import type { List, StudySummary } from "../types";
import { uploader } from "../upload";
import { noteFirst } from "../viewer/first";

const STATES = ["today", "waiting", "to-review", "signed", "failed", ""] as const;
const PAGE = 100;

export function statusBadge(study: { status: string; reviewed: number; to_review: number }): HTMLElement {
  const done = study.reviewed + study.to_review > 0 && study.status === "to-review" ? ` ${study.reviewed}/${study.reviewed + study.to_review}` : "";
  return h("span", { class: `badge badge-${study.status}` }, known("status", study.status) + done);
}

export function thumbnail(imageId: string | null, side = 72): HTMLElement {
  if (imageId === null) return h("span", { class: "thumb" });
  return h("img", { class: "thumb", loading: "lazy", decoding: "async", alt: "", width: side, height: side, src: `/api/v1/images/${imageId}/picture.png?side_max_px=${side * 2}` });
}

function row(study: StudySummary): HTMLElement {
  const who = study.patient === null ? t("no-patient") : study.patient.name ?? study.patient.pseudonym;
  return h("li", { class: "study-row", "data-id": study.id },
    h("a", { href: `#/studies/${study.id}` }, thumbnail(study.first_image_id),
      h("span", { class: "who" }, h("strong", {}, who), study.patient?.name != null && h("small", {}, study.patient.pseudonym)),
      h("span", { class: "what" }, h("span", {}, [imageName(study), study.image_count > 1 && ` · ${t("images", { n: study.image_count })}`]), h("small", {}, studyDay(study))),
      h("span", { class: "headline" }, study.headline ?? "", study.tasks.length > 0 && h("small", {}, study.tasks.map(taskName).join(" · "))),
      h("span", { class: "state" }, statusBadge(study), h("small", {}, study.signed_by === null ? moment(study.received_at) : `${study.signed_by}, ${day(study.signed_at)}`))));
}

export function worklistPage(parameters: URLSearchParams): Page {
  let status = parameters.get("status") ?? "today";
  let words = parameters.get("text") ?? "";
  let next: string | null = null;
  let load = 0;
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": t("worklist.filter") });
  const list = h("ul", { class: "studies", "aria-label": t("nav.worklist") });
  const foot = h("p", { class: "foot" });
  const search = h("input", { type: "search", class: "search", placeholder: t("worklist.search"), "aria-label": t("worklist.search"), value: words });
  const from = h("input", { type: "date", "aria-label": t("from"), value: parameters.get("from") ?? "" });
  const to = h("input", { type: "date", "aria-label": t("to"), value: parameters.get("to") ?? "" });

  async function showCounts(): Promise<void> {
    const counts = await get<Record<string, number>>("/studies/counts");
    replace(tabs, STATES.map((state) => h("button", { type: "button", "aria-pressed": String(state === status), onclick: () => choose(state) }, state === "" ? t("status.all") : known("status", state), state !== "" && h("span", { class: "count" }, counts[state] ?? 0))));
  }

  async function refresh(more = false): Promise<void> {
    const mine = ++load;
    const found = await get<List<StudySummary>>(`/studies${query({ status, text: words, from: from.value, to: to.value, cursor: more ? next : null, limit: PAGE })}`);
    if (mine !== load) return; // a later question was asked meanwhile
    const focused = (document.activeElement?.closest("li") as HTMLElement | null)?.dataset["id"];
    if (!more) replace(list);
    list.append(...found.items.map(row));
    found.items.forEach(noteFirst);
    void import("./study").catch(() => undefined); // what comes next: its script is there when a study is opened
    if (focused !== undefined) list.querySelector<HTMLElement>(`li[data-id="${CSS.escape(focused)}"] a`)?.focus();
    next = found.next;
    replace(foot, found.items.length === 0 && !more ? t(words === "" ? "worklist.empty" : "worklist.nothing") : t("worklist.shown", { n: list.childElementCount, total: found.total }),
      next !== null && [" ", h("button", { type: "button", onclick: () => void refresh(true) }, t("more"))]);
  }

  const reload = (): void => void Promise.all([refresh(), showCounts()]).catch((e: Error) => toast(e.message, true));
  function choose(state: string): void {
    status = state;
    history.replaceState(null, "", `#/${query({ status, text: words })}`);
    reload();
  }

  let timer = 0;
  search.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => { words = search.value.trim(); reload(); }, 200);
  });
  for (const input of [from, to]) input.addEventListener("change", reload);
  const seen = new IntersectionObserver((entries) => entries[0]?.isIntersecting === true && next !== null && void refresh(true));
  seen.observe(foot);
  let changeTimer = 0;
  const stop = onChanges(() => {
    window.clearTimeout(changeTimer);
    changeTimer = window.setTimeout(reload, 250);
  });
  const files = uploader({ onDone: reload });

  function move(step: number): void {
    const links = [...list.querySelectorAll<HTMLElement>("a")];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
  }
  reload();
  return {
    title: t("nav.worklist"),
    content: [h("div", { class: "head" }, h("h1", {}, t("nav.worklist")), tabs), may("upload") && files.element,
      h("div", { class: "row filters" }, search, h("span", { class: "dates" }, from, "–", to)), list, foot],
    leave: () => { stop(); seen.disconnect(); },
    keys: (e) => {
      if (e.key === "/") search.focus();
      else if (e.key === "u" && may("upload")) files.open();
      else if (e.key === "j" || e.key === "ArrowDown") move(1);
      else if (e.key === "k" || e.key === "ArrowUp") move(-1);
      else return false;
      return true;
    },
  };
}
