// A plan as a clinician wants to see it: dangers first, then what to do now, why, and what comes later.
import { api, may } from "../api";
import { dialog, h, scrollable, toast, type Child } from "../dom";
import { field, form } from "../form";
import { day, moment, sideText } from "../format";
import { readable } from "../readable";
import { known, t } from "../text";
import type { Because, Plan, PlanContent, PlanForm, PlanLine, PlanPhase, PlanSource, PlanVersion, Withheld } from "../types";
import { base, capital, fold, round, tag, type Context } from "./common";
import { addLine, editLine, type Listed } from "./plan_edit";

export type OurPlan = Plan & { content: PlanContent };
export const isPlan = (p: Plan): p is OurPlan => (p.content as PlanContent | null)?.schema === "rehascope/plan/1";

export function statusTag(c: PlanContent): HTMLElement {
  if (c.status === "doctor-today") return tag(t("plan.status.doctor-today"), "tag-bad");
  if (c.status === "ask-first") return tag(t("plan.status.ask-first"), "tag-warn");
  return c.reviewed ? tag(t("plan.status.confirmed"), "tag-good") : tag(t("plan.status.ready"), "tag-info");
}

/* ---- Why -------------------------------------------------------------------------------------------------- */

const sourceText = (s: PlanSource): string => `${s.title}${s.section !== null ? `, ${s.section}` : ""}${s.year !== null ? ` (${s.year})` : ""}${s.read === "secondary" ? `; ${t("plan.secondary")}` : ""}`;

function facts(because: Because[]): Child {
  return because.length > 0 && [h("dt", {}, t("plan.because")), h("dd", {}, h("ul", {}, because.map((b) => h("li", {}, b.text, b.from !== "stated" && h("span", { class: "soft" }, ` – ${b.from}`)))))];
}

// The facts of the patient, the rule, its source and strength: one key or click away from every line.
function why(line: PlanLine, more: Child = null): Child {
  if (line.source === null) return null;
  return h("details", { class: "why" }, h("summary", {}, t("plan.why")), h("dl", {}, line.why !== undefined && [h("dt", {}, t("plan.reason")), h("dd", {}, line.why)], facts(line.because),
    h("dt", {}, t("plan.source")), h("dd", {}, sourceText(line.source)), h("dt", {}, t("plan.strength")), h("dd", {}, line.strength ?? t("plan.strength-none")), h("dt", {}, t("plan.rule")), h("dd", {}, h("code", {}, line.rule ?? "")), more));
}

const doseWhy = (line: PlanLine): Child => line.dose?.source !== undefined && [h("dt", {}, t("plan.dose-source")), h("dd", {}, `${sourceText(line.dose.source)}; ${line.dose.strength ?? t("plan.strength-none")}`)];

function editNote(line: { edited?: Edited_; generated?: Record<string, unknown> }): Child {
  if (line.edited === undefined) return null;
  const before = line.generated;
  const said = before === undefined ? "" : String(before["text"] ?? (before["dose"] as { text?: string } | undefined)?.text ?? before["target"] ?? "");
  return h("p", { class: "edit-note" }, tag(t("plan.edited"), "tag-warn"), ` ${line.edited.reason} – ${line.edited.by ?? ""}${line.edited.date !== undefined ? `, ${line.edited.date}` : ""}`, said !== "" && h("span", { class: "soft" }, ` ${t("plan.rules-said", { text: said })}`));
}
type Edited_ = { reason: string; by?: string; date?: string };

/* ---- Lines ------------------------------------------------------------------------------------------------ */

interface View { plan: OurPlan; form: () => Promise<PlanForm>; mayEdit: boolean; saved: (done: Promise<Plan | null>, then?: string) => void } // then: the focus goes there

function editButton(v: View, at: Listed, line: PlanLine): Child {
  return v.mayEdit && h("button", { type: "button", class: "quiet small", "data-line": `${at.phase} ${line.line}`, "aria-label": t("plan.edit-one", { what: line.title ?? line.text }), onclick: () => v.saved(editLine(v.plan, at, line), `${at.phase} ${line.line}`) }, t("edit"));
}

const isOut = (line: PlanLine): boolean => line.state === "removed";
const lineClass = (line: PlanLine, name: string): string => `${name}${isOut(line) ? " left-out" : ""}${line.edited !== undefined ? " is-edited" : ""}`;

function exercise(v: View, at: Listed, line: PlanLine): HTMLElement {
  const d = line.dose;
  return h("li", { class: lineClass(line, "exercise") },
    h("header", {}, h("h4", {}, line.title ?? line.text), editButton(v, at, line)),
    isOut(line) && tag(t("plan.left-out"), "tag-plain"),
    line.title !== undefined && line.text !== line.title && h("p", {}, line.text),
    d !== undefined && h("p", { class: "dose" }, d.text, d.level !== undefined && h("span", { class: "soft" }, ` ${t("plan.dose-level", { n: d.level + 1, of: d.levels ?? 0 })}`)),
    d?.intensity !== undefined && h("p", { class: "soft" }, t("plan.intensity", { text: d.intensity })),
    d?.progression !== undefined && h("ul", { class: "steps" }, h("li", {}, h("span", { "aria-hidden": "true" }, "▲ "), h("span", { class: "visually-hidden" }, t("plan.progress")), d.progression), h("li", {}, h("span", { "aria-hidden": "true" }, "▼ "), h("span", { class: "visually-hidden" }, t("plan.regress")), d.regression ?? "")),
    editNote(line), why(line, doseWhy(line)));
}

function plainLine(line: PlanLine, v: View | null = null, at: Listed | null = null, more: Child = null): HTMLElement {
  return h("li", { class: lineClass(line, "line") }, h("div", { class: "line-head" }, h("span", {}, line.text, line.held_until_known === true && [" ", tag(t("plan.held"), "tag-warn")], isOut(line) && [" ", tag(t("plan.left-out"), "tag-plain")], more), v !== null && at !== null && editButton(v, at, line)), editNote(line), why(line));
}

const GOAL: Record<string, string> = { reached: "tag-good", overdue: "tag-warn", open: "tag-info", "not-measured": "tag-plain", removed: "tag-plain" };
function goalRow(v: View, at: Listed, g: PlanLine): HTMLElement {
  const unit = g.unit ?? "";
  return h("tr", { class: lineClass(g, "goal") },
    h("th", { scope: "row" }, g.label === undefined ? g.text : capital(g.label), editNote(g), why(g)),
    h("td", { class: "number" }, g.measure === undefined ? "–" : round(g.now)), h("td", { class: "number" }, g.target === undefined ? "–" : `${g.direction === "at-most" ? "≤" : "≥"} ${round(g.target)} ${unit}`, g.baseline != null && g.target !== undefined && h("small", {}, ` (${g.target > g.baseline ? "+" : "−"}${round(Math.abs(g.target - g.baseline))})`)),
    h("td", { class: "date" }, g.by === undefined ? "–" : day(g.by)), h("td", {}, tag(t(`plan.goal.${g.state ?? "open"}`), GOAL[g.state ?? "open"] ?? "")), h("td", {}, editButton(v, at, g)));
}

function goals(v: View, at: Listed, list: PlanLine[]): Child {
  return list.length > 0 && scrollable(h("table", { class: "wide goals" }, h("thead", {}, h("tr", {}, [t("plan.goal"), t("plan.now"), t("plan.target"), t("plan.by"), t("plan.state")].map((x, i) => h("th", { scope: "col", class: i === 1 || i === 2 ? "number" : "" }, x)), h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, t("actions"))))),
    h("tbody", {}, list.map((g) => goalRow(v, at, g)))));
}

const MARK: Record<string, string> = { met: "✓", "not met": "✗", "not known": "?" };
function advance(phase: PlanPhase): Child {
  return phase.advance !== null && [h("h3", {}, t("plan.next-when")), h("ul", { class: "criteria" }, phase.advance.all_of.map((c) => h("li", { class: `criterion-${c.state.replaceAll(" ", "-")}` }, h("span", { "aria-hidden": "true" }, `${MARK[c.state] ?? "?"} `), c.text, h("span", { class: "soft" }, ` (${c.state})`))))];
}

function addButton(v: View, at: Listed): Child {
  return v.mayEdit && h("button", { type: "button", class: "small", "data-line": `${at.phase} ${at.list}`, onclick: () => v.saved(v.form().then((f) => addLine(v.plan, at, f)), `${at.phase} ${at.list}`) }, t(`plan.add.${at.list}`));
}

/* ---- Parts ------------------------------------------------------------------------------------------------ */

function redFlags(c: PlanContent, id: string): Child {
  const of = (state: string): PlanLine[] => c.red_flags.filter((f) => f.state === state);
  const [present, open, absent] = [of("present"), of("not-asked"), of("absent")];
  return h("section", { class: `card flags ${present.length > 0 ? "card-bad" : open.length > 0 ? "card-warn" : "card-good"}` }, h("h2", {}, t("plan.red-flags")),
    present.length > 0 && [h("p", {}, h("strong", {}, t("plan.doctor-today"))), h("ul", { class: "lines" }, present.map((f) => plainLine(f)))],
    open.length > 0 && [h("p", {}, h("strong", {}, t("plan.flags-open", { n: open.length })), " ", may("care") && h("a", { href: `${base(id)}/plan/new` }, t("plan.ask"))), h("ul", { class: "lines" }, open.map((f) => plainLine(f)))],
    present.length + open.length === 0 && h("p", {}, t("plan.flags-absent", { n: absent.length })),
    absent.length > 0 && fold(t("plan.flags-list", { n: absent.length }), h("ul", { class: "lines" }, absent.map((f) => plainLine(f)))));
}

function questions(c: PlanContent, id: string): Child {
  const safety = c.questions.filter((q) => q.safety && q.section !== "red_flags"); // those stand above
  const others = c.questions.filter((q) => !q.safety);
  const list = (qs: PlanContent["questions"]): Child => h("ul", { class: "bullets" }, qs.map((q) => h("li", {}, capital(q.text), h("span", { class: "soft" }, ` – ${t("plan.question-for", { rule: q.for })}`))));
  return safety.length + others.length > 0 && h("section", { class: `card ${safety.length > 0 ? "card-warn" : ""}` }, h("h2", {}, t("plan.questions")),
    safety.length > 0 && [h("p", {}, t("plan.questions-safety")), list(safety)], others.length > 0 && fold(t("plan.questions-more", { n: others.length }), list(others)),
    may("care") && h("p", {}, h("a", { href: `${base(id)}/plan/new` }, t("plan.answer"))));
}

const section = (title: string, list: PlanLine[], kind = ""): Child => list.length > 0 && h("section", { class: `card ${kind}` }, h("h2", {}, title), h("ul", { class: "lines" }, list.map((l) => plainLine(l))));

function withheld(list: Withheld[]): Child {
  return list.length > 0 && h("section", { class: "card card-bad" }, h("h2", {}, t("plan.withheld")), h("ul", { class: "lines" }, list.map((w) => h("li", { class: "line" }, h("div", {}, h("s", {}, w.text), h("p", {}, w.why)), editNote(w as never),
    h("details", { class: "why" }, h("summary", {}, t("plan.why")), h("dl", {}, facts(w.because), h("dt", {}, t("plan.rule")), h("dd", {}, h("code", {}, w.by))))))));
}

function changes(c: PlanContent): Child {
  return c.changes.length > 0 && h("section", { class: "card card-info" }, h("h2", {}, t("plan.changes")), h("ul", { class: "bullets" }, c.changes.map((x) => h("li", {}, tag(known("change", x.what), "tag-info"), ` ${capital(x.text.replace(/^(status|phase|dose|new|left out|goal reached): /, ""))}`))));
}

function currentPhase(v: View, phase: PlanPhase, c: PlanContent): Child {
  const at = (list: Listed["list"]): Listed => ({ phase: phase.id, list });
  const stopped = c.status === "doctor-today";
  return h("section", { class: "card phase" }, h("header", {}, h("h2", {}, t("plan.phase", { title: phase.title })), h("span", { class: "soft" }, t("plan.weeks", { from: phase.weeks[0], to: phase.weeks[1] }))), h("p", {}, phase.focus),
    h("h3", {}, t("plan.goals")), c.own_goals.length > 0 && h("ul", { class: "bullets" }, c.own_goals.map((g) => h("li", {}, `“${g.activity}”`, g.now !== null && h("span", { class: "soft" }, ` ${t("plan.own-goal", { now: round(g.now), target: round(g.target) })}`)))), goals(v, at("goals"), phase.goals), addButton(v, at("goals")),
    h("h3", {}, t("plan.exercises")), phase.exercises.length === 0 && h("p", { class: "soft" }, t(stopped ? "plan.no-exercises" : "plan.no-lines")), h("ul", { class: "exercises" }, phase.exercises.map((e) => exercise(v, at("exercises"), e))), !stopped && addButton(v, at("exercises")),
    h("h3", {}, t("plan.advice")), h("ul", { class: "lines" }, phase.advice.map((a) => plainLine(a, v, at("advice")))), addButton(v, at("advice")), advance(phase));
}

// Of a later phase, what it adds to the current one.
function laterPhase(v: View, phase: PlanPhase, current: PlanPhase | undefined): Child {
  const fresh = (list: Listed["list"]): PlanLine[] => phase[list].filter((l) => !(current?.[list] ?? []).some((k) => k.line === l.line));
  const at = (list: Listed["list"]): Listed => ({ phase: phase.id, list });
  return fold([phase.title, " ", h("span", { class: "soft" }, phase.state === "done" ? t("plan.done") : t("plan.weeks", { from: phase.weeks[0], to: phase.weeks[1] }))], h("p", {}, phase.focus), goals(v, at("goals"), fresh("goals")),
    h("ul", { class: "exercises" }, fresh("exercises").map((e) => exercise(v, at("exercises"), e))), h("ul", { class: "lines" }, fresh("advice").map((a) => plainLine(a, v, at("advice")))), advance(phase));
}

function rules(c: PlanContent): Child {
  return c.why !== undefined && fold(t("plan.judged", { n: c.why.length, fired: c.why.filter((w) => w.fired).length }), scrollable(h("table", {}, h("thead", {}, h("tr", {}, [t("plan.rule"), t("plan.criteria"), t("plan.met")].map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, c.why.map((w) => h("tr", {}, h("td", {}, h("code", {}, w.rule)), h("td", {}, w.criteria), h("td", {}, w.met)))))));
}

/* ---- The page --------------------------------------------------------------------------------------------- */

function banner(plan: OurPlan, newest: number, id: string): Child {
  const c = plan.content;
  const old = plan.version !== newest && h("p", { class: "banner banner-open" }, t("plan.old-version", { n: plan.version, of: newest }), " ", h("a", { href: `${base(id)}/plan` }, t("plan.to-newest")));
  return [old, c.reviewed && c.review !== undefined
    ? h("p", { class: "banner banner-signed" }, h("strong", {}, t("plan.confirmed-by", { who: c.review.by, role: t(`role.${c.review.role}`), at: moment(c.review.at) })), c.review.comment)
    : h("p", { class: "banner banner-open" }, h("strong", {}, t("not-reviewed")), t("plan.not-confirmed"))];
}

async function confirm(plan: OurPlan): Promise<Plan | null> {
  return dialog<Plan>(t("plan.confirm"), (close) =>
    form([h("p", {}, t("plan.confirm-text")), field({ name: "comment", label: t("plan.comment"), type: "textarea" })], t("plan.confirm"),
      async (v) => close(await api<Plan>("POST", `/patients/${plan.patient_id}/plans/${plan.id}/confirmation`, v["comment"] === "" ? {} : { comment: v["comment"] }, plan.version)), h("button", { type: "button", onclick: () => close(null) }, t("cancel"))));
}

function versions(plan: OurPlan, list: PlanVersion[], id: string): Child {
  return list.length > 1 && fold(t("plan.versions", { n: list.length }), h("ol", { class: "versions" }, [...list].sort((a, b) => b.version - a.version).map((p) =>
    h("li", {}, p.version === plan.version ? h("strong", { "aria-current": "true" }, t("plan.version", { n: p.version })) : h("a", { href: `${base(id)}/plan/${plan.id}/${p.version}` }, t("plan.version", { n: p.version })), h("span", { class: "soft" }, ` ${p.user_name}, ${moment(p.created_at)}`), p.reason !== null && ` – ${p.reason}`))));
}

function head(v: View, newest: number, id: string): Child {
  const c = v.plan.content;
  const pdf = (kind: string): string => `/api/v1/plans/${v.plan.id}/${kind}.pdf?version=${v.plan.version}`;
  const isNewest = v.plan.version === newest;
  return h("div", { class: "head" }, h("div", {}, h("h2", {}, c.guideline.title, c.side !== "none" && `, ${sideText(c.side).toLowerCase()}`, " ", statusTag(c)), h("p", { class: "soft" }, t("plan.of", { day: c.date, n: v.plan.version, who: v.plan.user_name }))), h("span", { class: "space" }),
    may("sign") && isNewest && !c.reviewed && h("button", { type: "button", class: "primary", disabled: c.status === "ask-first", title: c.status === "ask-first" ? t("plan.confirm-first") : "", onclick: () => v.saved(confirm(v.plan)) }, t("plan.confirm")),
    may("care") && isNewest && h("a", { class: "button", href: `${base(id)}/plan/new` }, t("plan.again")),
    may("export") && [h("a", { class: "button", href: pdf("plan") }, t("plan.pdf")), h("a", { class: "button", href: pdf("patient") }, t("plan.patient-pdf"))]);
}

// `plans`: newest first. What came from elsewhere is shown as it is.
export function planPart(context: Context, plan: Plan | undefined, versionList: PlanVersion[], newest: number, plans: Plan[]): Child {
  const id = context.patient.id;
  const others = plans.filter((p) => p.id !== plan?.id);
  const foreign = (p: Plan): Child => fold(t("plan.foreign", { n: p.version, who: p.user_name, at: moment(p.created_at) }), readable(p.content));
  const elsewhere = others.length > 0 && h("section", {}, h("h2", {}, t("plan.others")), others.map((p) => (isPlan(p) ? h("p", {}, h("a", { href: `${base(id)}/plan/${p.id}/${p.version}` }, p.content.guideline.title), ` ${day(p.content.date)} `, statusTag(p.content)) : foreign(p))));
  const make = context.mayCare && h("a", { class: "button primary", href: `${base(id)}/plan/new` }, t("plan.make"));
  if (plan === undefined) return [h("section", { class: "card empty" }, h("h2", {}, t("plan")), h("p", {}, t("plan.none")), h("p", { class: "soft" }, t("plan.text")), make)];
  if (!isPlan(plan)) return [h("div", { class: "head" }, h("h2", {}, t("plan")), h("span", { class: "space" }), make), foreign(plan), elsewhere];
  const c = plan.content;
  const v: View = {
    plan, mayEdit: context.mayCare && plan.version === newest, form: () => api<PlanForm>("GET", `/patients/${id}/plan-form?plan_id=${plan.id}`),
    saved: (done, then) => void done.then(async (p) => {
      if (p === null) return;
      await context.redraw();
      document.querySelector<HTMLElement>(`[data-line="${then ?? ""}"]`)?.focus();
      toast(t("saved"));
    }).catch((e: Error) => toast(e.message, true)),
  };
  const current = c.phases.find((p) => p.state === "current");
  return h("div", { class: "plan" }, head(v, newest, id), banner(plan, newest, id), h("p", { class: "no-print" }, h("button", { type: "button", class: "small", "aria-keyshortcuts": "y", onclick: () => toggleReasons() }, t("plan.keys"), h("kbd", {}, "y"))),
    redFlags(c, id), changes(c), withheld(c.withheld), questions(c, id), section(t("plan.blocks"), c.blocks, "card-bad"), section(t("plan.referrals"), c.referrals, "card-warn"),
    current !== undefined && currentPhase(v, current, c),
    h("div", { class: "pair" }, h("div", {}, section(t("plan.precautions"), c.precautions, "card-warn"), section(t("plan.avoid"), c.avoid)),
      h("div", {}, c.imaging !== null && h("section", { class: "card" }, h("h2", {}, t("plan.imaging"), " ", tag(t(`plan.imaging.${c.imaging.need ?? "not-needed"}`), c.imaging.need === "needed" ? "tag-warn" : "tag-plain")), h("ul", { class: "lines" }, plainLine(c.imaging))),
      c.reassess !== null && h("section", { class: "card" }, h("h2", {}, t("plan.reassess"), " ", tag(day(c.reassess.date ?? null), "tag-info")), h("ul", { class: "lines" }, plainLine(c.reassess))))),
    h("section", { class: "card" }, h("h2", {}, t("plan.other-phases")), c.phases.filter((p) => p !== current).map((p) => laterPhase(v, p, current))),
    c.notes.length > 0 && h("section", { class: "card" }, h("h2", {}, t("plan.notes")), h("ul", { class: "bullets" }, c.notes.map((n) => h("li", {}, n)))),
    h("section", { class: "card" }, versions(plan, versionList, id), rules(c)), elsewhere);
}

// One key opens or shuts every reason.
export function toggleReasons(): boolean {
  const all = [...document.querySelectorAll<HTMLDetailsElement>("details.why")];
  const open = all.some((d) => !d.open);
  for (const d of all) d.open = open;
  return all.length > 0;
}
