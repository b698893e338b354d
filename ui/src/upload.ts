// Dropping files: a queue with progress for each, two at a time; then what became of it.
import { ApiError, upload } from "./api";
import { h, replace } from "./dom";
import { field, values } from "./form";
import { fillTasks, taskSelect } from "./results";
import { t } from "./text";
import type { UploadAnswer } from "./types";

interface Options { patientId?: string; onDone: () => void }

// Files of dropped folders, depth first.
async function filesOf(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((e): e is FileSystemEntry => e !== null);
  if (entries.length === 0) return [...data.files];
  const files: File[] = [];
  async function walk(entry: FileSystemEntry): Promise<void> {
    if (entry.isFile) files.push(await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no)));
    else {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
        if (some.length === 0) break;
        for (const one of some) await walk(one);
      }
    }
  }
  for (const entry of entries) await walk(entry);
  return files;
}

function answerText(answer: UploadAnswer): { text: string; isBad: boolean; studyId: string | null } {
  const bad = answer.items.filter((i) => i.outcome === "refused");
  const good = answer.items.filter((i) => i.outcome !== "refused");
  const doubles = good.filter((i) => i.outcome === "duplicate").length;
  const parts = [];
  if (good.length - doubles > 0) parts.push(t("upload.stored", { n: good.length - doubles }));
  if (doubles > 0) parts.push(t("upload.duplicate", { n: doubles }));
  if (bad.length > 0) parts.push(t("upload.refused", { n: bad.length, why: bad[0]!.error?.text ?? "" }));
  return { text: parts.join(" · "), isBad: good.length === 0, studyId: good[0]?.study_id ?? null };
}

export function uploader(options: Options): { element: HTMLElement; open: () => void; send: (files: File[]) => void } {
  const list = h("ul", { class: "uploads", "aria-live": "polite" });
  const input = h("input", { type: "file", multiple: true, class: "visually-hidden", id: "upload-files", tabindex: "-1", "aria-label": t("upload.choose") });
  const more = h("form", { class: "row upload-options", hidden: true },
    field({ name: "image_date", label: t("upload.date"), type: "date" }),
    field({ name: "mm_per_px", label: t("upload.scale"), type: "number", min: "0.01", max: "10", step: "any", hint: t("upload.scale-hint") }));
  const task = taskSelect([], { id: "upload-task" });
  void fillTasks(task);
  const zone = h("div", { class: "drop" },
    h("button", { type: "button", class: "primary", onclick: () => input.click() }, t("upload.choose")), h("span", {}, t("upload.drop")),
    h("span", { class: "task-choice" }, h("label", { for: "upload-task" }, t("task.label")), task),
    h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: (e: Event) => {
      more.hidden = !more.hidden;
      (e.currentTarget as HTMLElement).setAttribute("aria-expanded", String(!more.hidden));
    } }, t("upload.options")));
  const queue: { file: File; task: string; row: HTMLElement; bar: HTMLProgressElement; state: HTMLElement }[] = [];
  let running = 0;

  function pump(): void {
    while (running < 2 && queue.length > 0) {
      const { file, task: asked, row, bar, state } = queue.shift()!;
      const extra = values(more);
      running++;
      upload(file, { patient_id: options.patientId ?? null, image_date: extra["image_date"] ?? null, mm_per_px: extra["mm_per_px"] ?? null, task: asked }, (ratio) => {
        bar.value = ratio;
        state.textContent = ratio < 1 ? `${Math.round(100 * ratio)} %` : t("upload.storing");
      })
        .then((answer) => {
          const { text, isBad, studyId } = answerText(answer);
          row.classList.add(isBad ? "bad" : "good");
          replace(state, text, studyId !== null && [" ", h("a", { href: `#/studies/${studyId}` }, t("open"))]);
        })
        .catch((error: unknown) => {
          row.classList.add("bad");
          state.textContent = error instanceof ApiError ? error.message : String(error);
        })
        .finally(() => {
          bar.remove();
          running--;
          options.onDone();
          pump();
        });
    }
  }

  function send(files: File[]): void {
    for (const file of files) {
      const bar = h("progress", { max: 1, value: 0, "aria-label": file.name });
      const state = h("span", { class: "state" }, t("upload.waiting"));
      const row = h("li", {}, h("span", { class: "name" }, file.name), bar, state);
      list.append(row);
      queue.push({ file, task: task.value, row, bar, state });
    }
    pump();
  }

  input.addEventListener("change", () => {
    send([...(input.files ?? [])]);
    input.value = "";
  });
  const element = h("section", { class: "uploader", "aria-label": t("upload.title") }, zone, input, more, list);
  for (const name of ["dragenter", "dragover"]) element.addEventListener(name, (e) => { e.preventDefault(); zone.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) element.addEventListener(name, () => zone.classList.remove("over"));
  element.addEventListener("drop", (e) => {
    e.preventDefault();
    if (e.dataTransfer !== null) void filesOf(e.dataTransfer).then(send);
  });
  return { element, open: () => input.click(), send };
}
