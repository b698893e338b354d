// From an image of the records to what the viewer needs.
import type { StudyImage } from "../types";
import { heatPicture } from "./overlay";
import type { Gray } from "./values";
import type { Display } from "./viewer";

// The window of the file, else the span of the full picture's values.
export function displayOf(image: StudyImage, gray: Gray): Display {
  const d = image.display;
  const slope = d?.slope ?? 1;
  const intercept = d?.intercept ?? 0;
  const width = d?.window_width ?? 0;
  if (width > 0) return { slope, intercept, center: d!.window_center ?? 0, width };
  const { low, high } = gray;
  const span = Math.max(slope * (high - low), 1e-6);
  return { slope, intercept, center: slope * low + intercept + span / 2, width: span };
}

// What spoke for the grade, by region.
export async function loadMaps(image: StudyImage): Promise<Map<number, HTMLCanvasElement>> {
  const maps = new Map<number, HTMLCanvasElement>();
  for (const name of image.result?.pictures ?? []) {
    const index = /^map-(\d+)$/.exec(name)?.[1];
    if (index !== undefined) maps.set(Number(index), await heatPicture(`/api/v1/results/${image.result!.id}/pictures/${name}`));
  }
  return maps;
}
