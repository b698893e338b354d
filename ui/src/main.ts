import "./style.css";
import { ApiError, currentSession, get, setSession, startEvents, whenSignedOut } from "./api";
import { accountPage, setupPage, signInPage } from "./pages/signin";
import { problem, setClinicName, show, type Page } from "./shell";
import { t } from "./text";
import { applyTheme } from "./theme";
import type { Session, State, Study } from "./types";
import { beginCopy, firstImageOf } from "./viewer/first";
import { worklistPage } from "./pages/worklist";

let state: State;
let visit = 0;

// One does not wait for the other: the script of the page, the facts of the study, the picture that it begins with.
async function findStudy(id: string): Promise<Page> {
  const known = firstImageOf(id);
  if (known !== undefined) beginCopy(known);
  const facts = get<Study>(`/studies/${id}`).then((study) => {
    if (study.images.length === 1) beginCopy(study.images[0]!.id);
    return study;
  });
  const [pages, study] = await Promise.all([import("./pages/study"), facts]);
  return pages.studyPage(study);
}

// Pages that not everybody needs come when they are asked for.
async function find(path: string[], parameters: URLSearchParams): Promise<Page> {
  const [name = "", id = ""] = path;
  switch (name) {
    case "": return worklistPage(parameters);
    case "studies": return findStudy(id);
    case "compare": return (await import("./pages/compare")).comparePage(id, parameters);
    case "patients": {
      return id === "" ? (await import("./pages/patients")).patientsPage() : (await import("./pages/patient")).patientPage(id, path.slice(2));
    }
    case "models": {
      const pages = await import("./pages/models");
      return id === "" ? pages.modelsPage() : pages.modelPage(id);
    }
    case "administration": return (await import("./pages/admin")).adminPage(id);
    case "account": return accountPage();
    default: return problem(t("no-page"), { message: t("no-page.text") });
  }
}

async function route(): Promise<void> {
  const mine = ++visit;
  const [place = "", search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const path = place.split("/").map(decodeURIComponent);
  if (state.setup_needed && currentSession() === null) return show(setupPage());
  if (currentSession() === null) {
    if (path[0] !== "sign-in") {
      location.hash = `#/sign-in${place === "" ? "" : `?next=${encodeURIComponent(`#/${place}`)}`}`;
      return;
    }
    return show(signInPage(state.clinic_name ?? ""));
  }
  if (path[0] === "sign-in") { location.hash = "#/"; return; }
  const page = await find(path, new URLSearchParams(search)).catch((error: unknown) => problem(t("went-wrong"), error));
  if (mine !== visit) { page.leave?.(); return; }
  if (currentSession() !== null) show(page);
}

async function start(): Promise<void> {
  applyTheme();
  try {
    [state] = await Promise.all([get<State>("/state"), get<Session>("/session").then((s) => { setSession(s); startEvents(); }).catch((e: unknown) => { if (!(e instanceof ApiError) || e.status !== 401) throw e; })]);
    setClinicName(state.clinic_name ?? "");
  } catch (error) {
    return show(problem(t("went-wrong"), error));
  }
  whenSignedOut(() => { location.hash = `#/sign-in?next=${encodeURIComponent(location.hash)}`; });
  window.addEventListener("hashchange", () => void route());
  await route();
}

void start();
