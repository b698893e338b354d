// Users and roles, the audit log, backup, settings.
import { api, get, may, query } from "../api";
import { dialog, h, replace, scrollable, toast, type Child } from "../dom";
import { field, form } from "../form";
import { moment } from "../format";
import { readable } from "../readable";
import type { Page } from "../shell";
import { known, t } from "../text";
import { outboxPart } from "./outbox";
import type { AuditEvent, List, User } from "../types";

const ROLES = ["physiotherapist", "reviewer", "administrator", "researcher", "read-only"];
const roleOptions = (): [string, string][] => ROLES.map((r) => [r, known("role", r)]);
const cancel = (close: (value: null) => void): HTMLElement => h("button", { type: "button", onclick: () => close(null) }, t("cancel"));

async function editUser(user: User | null): Promise<boolean> {
  const done = await dialog<boolean>(t(user === null ? "users.new" : "users.edit"), (close) =>
    form([
      user === null && field({ name: "name", label: t("sign-in.name"), required: true }),
      field({ name: "display_name", label: t("setup.your-name"), required: true, value: user?.display_name ?? "" }),
      field({ name: "role", label: t("users.role"), options: roleOptions(), value: user?.role ?? "physiotherapist" }),
      field({ name: "password", label: t(user === null ? "sign-in.password" : "users.new-password"), type: "password", required: user === null, minlength: 10, autocomplete: "new-password", hint: t("setup.password-hint") }),
      user !== null && field({ name: "active", label: t("users.active"), options: [["true", t("bool.true")], ["false", t("bool.false")]], value: String(user.active) }),
    ], t("save"), async (v) => {
      const body: Record<string, unknown> = { display_name: v["display_name"], role: v["role"] };
      if (v["password"]) body["password"] = v["password"];
      if (user === null) await api("POST", "/users", { ...body, name: v["name"] });
      else await api("PUT", `/users/${user.id}`, { ...body, active: v["active"] === "true" }, user.version);
      close(true);
    }, cancel(close)));
  return done === true;
}

function usersPart(host: HTMLElement): void {
  async function draw(): Promise<void> {
    const found = await get<List<User> | User[]>("/users");
    const users = Array.isArray(found) ? found : found.items;
    const edit = (u: User | null): void => void editUser(u).then((done) => (done ? draw() : undefined)).catch((e: Error) => toast(e.message, true));
    replace(host, h("div", { class: "row" }, h("button", { type: "button", class: "primary", onclick: () => edit(null) }, t("users.new"))),
      scrollable(h("table", { class: "wide" }, h("thead", {}, h("tr", {}, [t("sign-in.name"), t("name"), t("users.role"), t("users.active"), t("users.last"), ""].map((x) => (x === "" ? h("td") : h("th", { scope: "col" }, x))))),
        h("tbody", {}, users.map((u) => h("tr", { class: u.active ? "" : "withdrawn" }, h("th", { scope: "row" }, u.name), h("td", {}, u.display_name), h("td", {}, known("role", u.role)), h("td", {}, known("bool", String(u.active))), h("td", {}, moment(u.last_sign_in_at)), h("td", {}, h("button", { type: "button", "aria-label": t("users.edit-one", { name: u.display_name }), onclick: () => edit(u) }, t("edit")))))))));
  }
  void draw().catch((e: Error) => toast(e.message, true));
}

function auditPart(host: HTMLElement): void {
  const body = h("tbody");
  const foot = h("p", { class: "foot" });
  const verdict = h("p", { role: "status" });
  let next: string | null = null;
  const action = h("input", { type: "search", "aria-label": t("audit.action"), placeholder: t("audit.action") });
  const from = h("input", { type: "date", "aria-label": t("from") });
  const to = h("input", { type: "date", "aria-label": t("to") });
  async function refresh(more: boolean): Promise<void> {
    const found = await get<List<AuditEvent>>(`/audit${query({ action: action.value.trim(), from: from.value, to: to.value, cursor: more ? next : null, limit: 50 })}`);
    if (!more) replace(body);
    body.append(...found.items.map((e) => h("tr", {}, h("td", { class: "number" }, e.no), h("td", { class: "whole" }, moment(e.at)), h("td", {}, e.user_name ?? "–"), h("td", {}, known("role", e.role)), h("td", {}, e.action), h("td", { class: "whole" }, e.entity ?? "", " ", h("code", {}, e.entity_id ?? "")), h("td", {}, detailText(e.detail)))));
    next = found.next;
    replace(foot, t("worklist.shown", { n: body.childElementCount, total: found.total }), next !== null && [" ", h("button", { type: "button", onclick: () => void refresh(true) }, t("more"))]);
  }
  const detailText = (detail: unknown): Child => (typeof detail === "object" && detail !== null && Object.keys(detail).length > 0 ? h("details", {}, h("summary", {}, t("details")), readable(detail)) : null);
  const go = (): void => void refresh(false).catch((e: Error) => toast(e.message, true));
  for (const input of [action, from, to]) input.addEventListener("change", go);
  async function verify(): Promise<void> {
    replace(verdict, t("audit.checking"));
    const v = await api<{ ok: boolean; events: number; fault: string | null }>("POST", "/audit/verification?blobs=1", {});
    verdict.className = v.ok ? "good" : "error";
    replace(verdict, v.ok ? t("audit.ok", { n: v.events }) : t("audit.bad", { why: v.fault ?? "" }));
  }
  replace(host, h("div", { class: "row filters" }, action, from, to, h("button", { type: "button", onclick: () => void verify().catch((e: Error) => toast(e.message, true)) }, t("audit.verify")), h("a", { class: "button", href: "/api/v1/audit/export" }, t("audit.export"))), verdict,
    scrollable(h("table", { class: "wide" }, h("thead", {}, h("tr", {}, [t("audit.no"), t("audit.at"), t("audit.user"), t("users.role"), t("audit.what"), t("audit.record"), t("details")].map((x) => h("th", { scope: "col" }, x)))), body)), foot);
  go();
}

function backupPart(host: HTMLElement): void {
  const state = h("p", { role: "status" });
  const make = async (): Promise<void> => {
    replace(state, t("backup.working"));
    const made = await api<{ folder: string; blobs: number; bytes: number }>("POST", "/backups", {});
    replace(state, t("backup.done", { folder: made.folder, blobs: made.blobs, mb: (made.bytes / 1e6).toFixed(1) }));
  };
  replace(host, h("p", {}, t("backup.text")), h("button", { type: "button", class: "primary", onclick: () => void make().catch((e: Error) => { replace(state); toast(e.message, true); }) }, t("backup.button")), state);
}

function settingsPart(host: HTMLElement): void {
  async function draw(): Promise<void> {
    const settings = await get<Record<string, unknown> & { version: number }>("/settings");
    replace(host, form(field({ name: "clinic_name", label: t("setup.clinic"), required: true, value: String(settings["clinic_name"] ?? "") }), t("save"), async (v) => {
      const { version, ...rest } = settings;
      await api("PUT", "/settings", { ...rest, clinic_name: v["clinic_name"] }, version);
      toast(t("saved"));
      await draw();
    }));
  }
  void draw().catch((e: Error) => toast(e.message, true));
}

export function adminPage(part: string): Page {
  const parts: [string, string, (host: HTMLElement) => void | (() => void)][] = [
    ["users", "users", usersPart], ["audit", "audit", auditPart], ["archive", "administer", outboxPart], ["backup", "administer", backupPart], ["settings", "administer", settingsPart],
  ];
  const allowed = parts.filter(([, permission]) => may(permission));
  const host = h("section", { class: "card" });
  const chosen = allowed.find(([name]) => name === part) ?? allowed[0];
  const leave = chosen?.[2](host);
  return {
    title: t("nav.administration"),
    content: [h("div", { class: "head" }, h("h1", {}, t("nav.administration"))),
      h("nav", { class: "tabs", "aria-label": t("nav.administration") }, allowed.map(([name]) => h("a", { href: `#/administration/${name}`, ...(chosen?.[0] === name ? { "aria-current": "page" } : {}) }, t(`admin.${name}`)))), host],
    ...(leave === undefined ? {} : { leave }),
  };
}
