// First account, signing in, one's own account.
import { api, currentSession, setSession, startEvents } from "../api";
import { h, toast } from "../dom";
import { field, form } from "../form";
import type { Page } from "../shell";
import { known, t } from "../text";
import type { Session } from "../types";

async function signIn(values: Record<string, string>): Promise<void> {
  const body: Record<string, string> = { name: values["name"]!, password: values["password"]! };
  if (values["code"]) body["code"] = values["code"];
  setSession(await api<Session>("POST", "/session", body));
  startEvents();
  const next = new URLSearchParams(location.hash.split("?")[1] ?? "").get("next");
  location.hash = next !== null && next.startsWith("#/") ? next : "#/";
}

export function setupPage(): Page {
  const fields = [
    field({ name: "clinic_name", label: t("setup.clinic"), required: true, autocomplete: "organization" }),
    field({ name: "display_name", label: t("setup.your-name"), required: true, autocomplete: "name" }),
    field({ name: "name", label: t("sign-in.name"), required: true, autocomplete: "username", hint: t("setup.name-hint") }),
    field({ name: "password", label: t("sign-in.password"), type: "password", required: true, minlength: 10, autocomplete: "new-password", hint: t("setup.password-hint") }),
    field({ name: "again", label: t("setup.again"), type: "password", required: true, autocomplete: "new-password" }),
  ];
  return {
    title: t("setup.title"),
    content: h("section", { class: "card narrow" }, h("h1", {}, t("setup.title")), h("p", {}, t("setup.text")),
      form(fields, t("setup.button"), async (v) => {
        if (v["password"] !== v["again"]) throw new Error(t("setup.differ"));
        await api("POST", "/setup", { name: v["name"], display_name: v["display_name"], password: v["password"], clinic_name: v["clinic_name"] });
        await signIn(v);
        location.reload();
      })),
  };
}

export function signInPage(clinicName: string): Page {
  const fields = [
    field({ name: "name", label: t("sign-in.name"), required: true, autocomplete: "username" }),
    field({ name: "password", label: t("sign-in.password"), type: "password", required: true, autocomplete: "current-password" }),
    field({ name: "code", label: t("sign-in.code"), inputmode: "numeric", autocomplete: "one-time-code", hint: t("sign-in.code-hint") }),
  ];
  return {
    title: t("sign-in.title"),
    content: h("section", { class: "card narrow" }, h("h1", {}, clinicName === "" ? t("sign-in.title") : clinicName),
      h("p", {}, t("sign-in.text")), form(fields, t("sign-in.button"), signIn)),
  };
}

export function accountPage(): Page {
  const user = currentSession()!.user;
  const content = h("section", { class: "card narrow" });
  const totp = h("div");
  async function begin(): Promise<void> {
    const secret = await api<{ secret: string; uri: string }>("POST", "/session/totp", {});
    totp.replaceChildren(h("p", {}, t("account.totp-text")), h("p", {}, h("code", { class: "secret" }, secret.secret)),
      form(field({ name: "code", label: t("sign-in.code"), required: true, inputmode: "numeric" }), t("account.totp-confirm"), async (v) => {
        await api("PUT", "/session/totp", { code: v["code"] });
        toast(t("account.totp-on"));
        totp.replaceChildren();
      }));
  }
  const off = form(field({ name: "password", label: t("sign-in.password"), type: "password", required: true, autocomplete: "current-password" }), t("account.totp-off"), async (v) => {
    await api("POST", "/session/totp/off", { password: v["password"] });
    toast(t("saved"));
  });
  content.append(h("h1", {}, user.display_name), h("p", {}, `${user.name} · ${known("role", user.role)}`), h("h2", {}, t("account.password")),
    form([
      field({ name: "old_password", label: t("account.old"), type: "password", required: true, autocomplete: "current-password" }),
      field({ name: "new_password", label: t("account.new"), type: "password", required: true, minlength: 10, autocomplete: "new-password", hint: t("setup.password-hint") }),
    ], t("save"), async (v) => {
      await api("PUT", "/session/password", v);
      toast(t("saved"));
    }),
    h("h2", {}, t("account.totp")), user.totp ? off : h("button", { type: "button", onclick: begin }, t("account.totp-begin")), totp);
  return { title: user.display_name, content };
}
