// The picture that a study begins with, asked for while the study's page and its facts are still on their way
// (docs/adr/0023-values-and-a-reduced-copy.md, later).
import { query } from "../api";
import { fetchGray, type Gray } from "./values";

export const REDUCED_SIDE_PX = 1024; // the server keeps copies of this size

export const valuesOf = (imageId: string, view: { frame?: number; frames?: number; side_max_px?: number } = {}): string =>
  `/api/v1/images/${imageId}/values${query({ frame: view.frame === 1 && (view.frames ?? 1) === 1 ? null : view.frame, frames: view.frames === 1 ? null : view.frames, side_max_px: view.side_max_px })}`;

const firstOf = new Map<string, string>(); // by study, as the lists told
let begun: { image: string; copy: Promise<Gray> } | null = null;

// Only of studies of one image: of a series nobody knows yet where its middle is.
export function noteFirst(study: { id: string; image_count: number; first_image_id: string | null }): void {
  if (study.image_count === 1 && study.first_image_id !== null) firstOf.set(study.id, study.first_image_id);
}

export const firstImageOf = (studyId: string): string | undefined => firstOf.get(studyId);

export function beginCopy(imageId: string): void {
  if (begun?.image === imageId) return;
  const copy = fetchGray(valuesOf(imageId, { side_max_px: REDUCED_SIDE_PX }));
  copy.catch(() => undefined); // told by the one who takes it
  begun = { image: imageId, copy };
}

// Once: what is looked at again later is in the browser's memory.
export function takeCopy(imageId: string): Promise<Gray> | null {
  const taken = begun?.image === imageId ? begun.copy : null;
  begun = null;
  return taken;
}
