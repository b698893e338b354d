// Episodes of care: what the patient comes for.
import { api } from "../api";
import { dialog, h } from "../dom";
import { field, form } from "../form";
import { day, sideText } from "../format";
import { t } from "../text";
import type { Episode, Patient } from "../types";
import { clean, sides } from "./common";

export function episodeCard(e: Episode): HTMLElement {
  const facts = [e.side !== null && sideText(e.side), e.onset !== null && t("episode.since", { day: day(e.onset) }), e.surgery !== null && `${e.surgery} ${e.surgery_date !== null ? day(e.surgery_date) : ""}`].filter(Boolean).join(" · ");
  return h("li", {}, h("strong", {}, e.condition), !e.open && ` (${t("episode.closed")})`, facts !== "" && h("span", {}, ` ${facts}`), e.goals !== null && h("p", {}, e.goals));
}

export async function addEpisode(patient: Patient): Promise<boolean> {
  return (await dialog<boolean>(t("episode.new"), (close) =>
    form([
      field({ name: "condition", label: t("episode.condition"), required: true, hint: t("episode.condition-hint") }),
      field({ name: "side", label: t("side"), options: sides() }),
      field({ name: "onset", label: t("episode.onset"), type: "date" }), field({ name: "surgery", label: t("episode.surgery"), hint: t("episode.surgery-hint") }),
      field({ name: "surgery_date", label: t("episode.surgery-date"), type: "date" }), field({ name: "goals", label: t("episode.goals"), type: "textarea" }),
    ], t("save"), async (v) => { await api("POST", `/patients/${patient.id}/episodes`, clean(v)); close(true); }, h("button", { type: "button", onclick: () => close(null) }, t("cancel"))))) === true;
}
