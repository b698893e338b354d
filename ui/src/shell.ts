// The frame around every page: navigation, theme, who is signed in, keys that work everywhere.
import { api, closeEvents, currentSession, may, setSession } from "./api";
import { dialog, h, replace, type Child } from "./dom";
import { t } from "./text";
import { chosenTheme, nextTheme } from "./theme";

export interface Page {
  title: string;
  content: Child;
  keys?: (event: KeyboardEvent) => boolean; // true: handled
  leave?: () => void;
}

let current: Page | null = null;
let clinicName = "";
export const setClinicName = (name: string): void => void (clinicName = name);

function themeButton(): HTMLElement {
  const label = (): string => t(`theme.${chosenTheme()}`);
  const button = h("button", { class: "quiet", type: "button", title: t("theme.change") }, label());
  button.addEventListener("click", () => {
    nextTheme();
    button.textContent = label();
  });
  return button;
}

async function signOut(): Promise<void> {
  await api("DELETE", "/session").catch(() => undefined);
  setSession(null);
  closeEvents();
  location.hash = "#/sign-in";
}

function link(href: string, label: string): HTMLElement {
  const here = (location.hash || "#/").split("?")[0]!;
  const isHere = href === "#/" ? here === "#/" || here.startsWith("#/studies") : here.startsWith(href);
  return h("a", { href, ...(isHere ? { "aria-current": "page" } : {}) }, label);
}

function header(): HTMLElement {
  const session = currentSession();
  if (session === null)
    return h("header", { class: "top" }, h("span", { class: "brand" }, "Rehascope"), h("span", { class: "space" }), themeButton());
  return h("header", { class: "top" },
    h("a", { class: "brand", href: "#/" }, "Rehascope"),
    clinicName !== "" && h("span", { class: "clinic" }, clinicName),
    h("nav", { "aria-label": t("nav.main") },
      link("#/", t("nav.worklist")), link("#/patients", t("nav.patients")), link("#/models", t("nav.models")),
      (may("users") || may("audit")) && link("#/administration", t("nav.administration"))),
    h("span", { class: "space" }),
    h("button", { class: "quiet", type: "button", onclick: showKeys, title: t("keys.title") }, "?"),
    themeButton(),
    h("a", { class: "user", href: "#/account", title: t("nav.account") }, session.user.display_name),
    h("button", { class: "quiet", type: "button", onclick: signOut }, t("sign-out")));
}

export function show(page: Page): void {
  current?.leave?.();
  current = page;
  document.title = `${page.title} · Rehascope`;
  const main = h("main", { id: "main", tabindex: "-1" }, page.content);
  replace(document.getElementById("app")!, h("a", { class: "skip", href: "#main", onclick: (e: Event) => { e.preventDefault(); main.focus(); } }, t("skip")), header(), main);
  window.scrollTo(0, 0);
}

type Keys = readonly (readonly [string, string])[];
const KEYS: readonly (readonly [string, Keys])[] = [
  ["keys.everywhere", [["g w", "keys.worklist"], ["?", "keys.title"]]],
  ["nav.worklist", [["/", "keys.search"], ["u", "keys.upload"], ["j k", "keys.move"], ["Enter", "keys.open"]]],
  ["keys.picture", [["w p z m", "keys.tools"], ["i", "keys.invert"], ["t v", "keys.turn"], ["r", "keys.reset"], ["+ -", "keys.zoom"], ["f", "keys.near"], ["o l n", "keys.lines"], ["h b", "keys.areas"], [", .", "keys.leaf"], ["Space", "keys.play"], ["c", "keys.compare"]]],
  ["findings", [["j k", "keys.move"], ["a e x", "keys.review"]]],
  ["plan", [["y", "keys.reasons"]]],
  ["compare", [["1 2 3", "keys.modes"], ["Space", "keys.blink"]]],
];
function showKeys(): void {
  void dialog<null>(t("keys.title"), (close) => [
    KEYS.map(([title, keys]) => h("section", {}, h("h3", {}, t(title)), h("dl", { class: "keys" }, keys.map(([names, text]) => [h("dt", {}, names.split(" ").map((k) => [h("kbd", {}, k === "Space" ? t("key.space") : k), " "])), h("dd", {}, t(text))])))),
    h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close(null) }, t("close")))]);
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.matches("input:not([type=checkbox]), textarea, select") || target.isContentEditable);

let waitsForG = false;
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
  if (waitsForG && event.key === "w") location.hash = "#/";
  waitsForG = event.key === "g";
  if (event.key === "?") showKeys();
  else if (current?.keys?.(event) !== true) return;
  event.preventDefault();
});

export function problem(title: string, error: unknown): Page {
  const e = error as { message?: string; hint?: string };
  return { title, content: h("section", { class: "card narrow" }, h("h1", {}, title), h("p", { class: "error", role: "alert" }, e.message ?? String(error)), h("p", {}, e.hint ?? ""), h("p", {}, h("a", { href: "#/" }, t("nav.worklist")))) };
}
