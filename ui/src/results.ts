// Which task gave a result, and which may be asked for. An image keeps the newest result of every task that was asked of it;
// one of them is on the screen.
import { get } from "./api";
import { h } from "./dom";
import { known, t } from "./text";
import type { ModelEntry, Result, Study, StudyImage } from "./types";

let entries: Promise<ModelEntry[]> | null = null;

// The recognisers of this installation, asked of the server once; none where it does not tell.
export function recognisers(): Promise<ModelEntry[]> {
  entries ??= get<ModelEntry[]>("/models").then((list) => list.filter((m) => m.kind === "recogniser"));
  entries.catch(() => (entries = null));
  return entries.catch(() => []);
}

export const taskName = (task: string): string => known("task", task);
export const isResearch = (entry: ModelEntry | undefined): boolean => entry?.status?.startsWith("research only") ?? false;

// A choice of what to ask for. Those that the program would choose itself come first; what is for research and is only done on
// request stands apart, and whatever is for research says so.
export function taskSelect(list: ModelEntry[], props: Record<string, unknown>, chosen = ""): HTMLSelectElement {
  const option = (m: ModelEntry): HTMLElement => h("option", { value: m.task, selected: m.task === chosen }, isResearch(m) ? t("task.research", { task: taskName(m.task) }) : taskName(m.task));
  const group = (label: string, some: ModelEntry[]): HTMLElement | false => some.length > 0 && h("optgroup", { label }, some.map(option));
  const offered = list.filter((m) => m.offered);
  const isApart = (m: ModelEntry): boolean => isResearch(m) && !m.unasked;
  return h("select", props, h("option", { value: "", selected: chosen === "" }, t("task.chosen")),
    group(t("task.named"), offered.filter((m) => !isApart(m))), group(t("task.apart"), offered.filter(isApart)));
}

// Fills a choice once the server has told what there is.
export async function fillTasks(select: HTMLSelectElement): Promise<void> {
  const filled = taskSelect(await recognisers(), {});
  const chosen = select.value;
  select.replaceChildren(...filled.childNodes);
  select.value = chosen; // while they moved, the browser chose another one
}

function choose(image: StudyImage, task: string | undefined): Result | null {
  const all = image.results;
  return all.find((r) => r.task === task) ?? all.find((r) => r.accepted && !r.asked) ?? all.find((r) => r.accepted) ?? all[0] ?? null;
}

// The study with one result of each image on the screen: of the task that the reader chose, else the program's own choice.
export function withShown(study: Study, chosen: ReadonlyMap<string, string> = new Map()): Study {
  return { ...study, images: study.images.map((image) => ({ ...image, result: choose(image, chosen.get(image.id)) })) };
}
