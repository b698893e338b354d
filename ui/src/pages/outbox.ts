// Administration, Archive: which signed reports wait for the hospital's archive, arrived there, or failed.
import { api, get, onChanges } from "../api";
import { dialog, h, replace, scrollable, toast, type Child } from "../dom";
import { form } from "../form";
import { moment } from "../format";
import { t } from "../text";
import type { Letter, Outbox } from "../types";

const REFRESH_MS = 500; // a burst of changes is one look
const VIEWS = ["care", "sent", "dropped"];
const ITEMS_MAX = 1000;

const whose = (letter: Letter): string => letter.patient?.pseudonym ?? t("no-patient");
const named = (letter: Letter): { who: string; at: string } => ({ who: whose(letter), at: moment(letter.created_at) });

function whyOf(letter: Letter): Child {
  return [letter.reason !== null && h("div", {}, letter.reason),
    letter.state === "sent" && h("div", {}, t("outbox.delivered", { n: letter.objects.length, to: letter.destination ?? "–" })),
    letter.state === "sent" && letter.withdrawn_at !== null && h("div", {}, h("span", { class: "tag tag-warn" }, t("outbox.withdrawn"))),
    (letter.state === "waiting" || letter.state === "failed") && h("small", {}, letter.tries > 0 && t("outbox.tries", { n: letter.tries }), " ", letter.state === "waiting" && (letter.due_at === null ? t("outbox.now") : t("outbox.next", { at: moment(letter.due_at) })))];
}

async function giveUp(letter: Letter): Promise<boolean> {
  const done = await dialog<boolean>(t("outbox.give-up-title"), (close) => [h("p", {}, t("outbox.give-up-text", named(letter))),
    form(null, t("outbox.give-up-button"), async () => { await api("POST", `/outbox/${letter.id}/give-up`, {}); close(true); },
      h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
  return done === true;
}

export function outboxPart(host: HTMLElement): () => void {
  const facts = h("dl", { class: "outbox-facts" });
  const body = h("div");
  const select = h("select", { "aria-label": t("outbox.show") }, VIEWS.map((v) => h("option", { value: v }, t(`outbox.${v}`))));
  const all = h("button", { type: "button", onclick: () => run(again("all")) }, t("outbox.again-all"));
  let timer = 0;

  const run = (what: Promise<void>): void => void what.catch((e: Error) => toast(e.message, true));

  async function again(id: string): Promise<void> {
    const { again: n } = await api<{ again: number }>("POST", id === "all" ? "/outbox/again" : `/outbox/${id}/again`, {});
    toast(t("outbox.again-done", { n }));
    await draw();
  }

  async function drop(letter: Letter): Promise<void> {
    if (!(await giveUp(letter))) return;
    toast(t("outbox.given-up"));
    await draw();
    select.focus(); // the button is gone
  }

  function row(letter: Letter): HTMLElement {
    const tag = letter.state === "failed" ? "bad" : letter.state === "waiting" ? "warn" : letter.state === "sent" ? "good" : "plain";
    const isOpen = letter.state === "waiting" || letter.state === "failed";
    return h("tr", {}, h("th", { scope: "row" }, h("a", { href: `#/studies/${letter.study_id}`, "aria-label": `${whose(letter)}, ${t("outbox.study", { id: letter.study_id })}` }, whose(letter))),
      h("td", { class: "whole" }, moment(letter.created_at)),
      h("td", {}, h("span", { class: `tag tag-${tag}` }, t(`outbox.state.${letter.state}`)), letter.ended_at !== null && h("small", { class: "whole" }, " ", moment(letter.ended_at))),
      h("td", { class: "reason" }, whyOf(letter)),
      h("td", {}, isOpen && h("div", { class: "row" },
        h("button", { type: "button", class: "small", "data-again": letter.id, "aria-label": t("outbox.again-one", named(letter)), onclick: () => run(again(letter.id)) }, t("outbox.again")),
        h("button", { type: "button", class: "small quiet", "data-give-up": letter.id, "aria-label": t("outbox.give-up-one", named(letter)), onclick: () => run(drop(letter)) }, t("outbox.give-up")))));
  }

  // Drawn anew under the reader's hands: the button that had the focus has it again.
  function keepFocus(redraw: () => void): void {
    const before = document.activeElement as HTMLElement | null;
    const key = before === null || !body.contains(before) ? undefined : Object.entries(before.dataset)[0];
    redraw();
    if (key !== undefined) (body.querySelector<HTMLElement>(`[data-${key[0].replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}="${key[1]}"]`) ?? select).focus();
  }

  async function draw(): Promise<void> {
    const chosen = select.value;
    const found = await Promise.all((chosen === "care" ? ["failed", "waiting"] : [chosen]).map((state) => get<Outbox>(`/outbox?state=${state}`)));
    const newest = found.at(-1)!;
    const { counts } = newest;
    const letters = found.flatMap((one) => one.items);
    const pair = (name: string, value: Child): Child => [h("dt", {}, t(`outbox.${name}`)), h("dd", {}, value)];
    replace(facts, pair("to", newest.archive ?? (counts.waiting + counts.failed > 0 ? h("span", { class: "tag tag-bad" }, t("outbox.none-waits")) : t("outbox.none"))),
      pair("last-sent", newest.last_sent_at === null ? t("outbox.never") : moment(newest.last_sent_at)),
      pair("waiting", newest.oldest_waiting_at === null ? String(counts.waiting) : t("outbox.oldest", { n: counts.waiting, at: moment(newest.oldest_waiting_at) })),
      pair("failed", counts.failed > 0 ? h("span", { class: "tag tag-bad" }, String(counts.failed)) : "0"),
      pair("sent", String(counts.sent)), pair("dropped", String(counts.dropped)));
    all.disabled = counts.waiting + counts.failed === 0;
    keepFocus(() => replace(body, letters.length === 0 ? h("p", {}, t(`outbox.nothing.${chosen}`)) : scrollable(h("table", { class: "wide outbox" },
      h("thead", {}, h("tr", {}, ["report", "signed", "state", "why"].map((x) => h("th", { scope: "col" }, t(`outbox.${x}`))), h("td"))), h("tbody", {}, letters.map(row)))),
      found.some((one) => one.items.length >= ITEMS_MAX) && h("p", { class: "foot" }, t("outbox.first"))));
  }

  select.addEventListener("change", () => run(draw()));
  // Not under an open dialog, which gives the focus back to the button that opened it.
  const drawSoon = (): void => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => (document.querySelector("dialog") === null ? run(draw()) : drawSoon()), REFRESH_MS);
  };
  const stop = onChanges(drawSoon);
  replace(host, facts, h("div", { class: "row filters" }, select, h("span", { class: "space" }), all), body);
  run(draw());
  return () => { stop(); window.clearTimeout(timer); };
}
