// Erasing a patient: what goes and what does not, a reason, and the pseudonym once more.
import { api } from "../api";
import { dialog, h } from "../dom";
import { field, form } from "../form";
import { t } from "../text";
import type { Erased, Patient } from "../types";

const REASONS = ["request", "keeping-over", "no-basis", "mistake"];

export function erasePatient(patient: Patient): Promise<Erased | null> {
  return dialog<Erased>(t("erase.title", { pseudonym: patient.pseudonym }), (close) => [
    h("p", {}, t("erase.text", { n: patient.study_count })),
    h("p", {}, t("erase.backups")),
    form([
      field({ name: "reason", label: t("reason"), required: true, value: "", options: [["", t("erase.choose")], ...REASONS.map((r): [string, string] => [r, t(`erase.reason.${r}`)])] }),
      field({ name: "pseudonym", label: t("erase.again"), hint: t("erase.again-hint"), required: true }),
    ], t("erase.button"), async (v) =>
      close(await api<Erased>("DELETE", `/patients/${patient.id}`, { pseudonym: v["pseudonym"], reason: v["reason"] }, patient.version)),
    h("button", { type: "button", onclick: () => close(null) }, t("cancel")))]);
}
