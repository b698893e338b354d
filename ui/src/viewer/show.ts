// From an image of the records to what the viewer needs.
import type { StudyImage } from "../types";
import { loadGray } from "./load";
import { heatPicture } from "./overlay";
import type { Gray } from "./png";
import type { Display } from "./viewer";

// The window of the file, else the span of the values.
export function displayOf(image: StudyImage, gray: Gray): Display {
  const d = image.display;
  const slope = d?.slope ?? 1;
  const intercept = d?.intercept ?? 0;
  const width = d?.window_width ?? 0;
  if (width > 0) return { slope, intercept, center: d!.window_center ?? 0, width };
  let low = 65535, high = 0;
  const values = gray.values; // by index: an iterator takes six times as long for a film
  for (let i = 0; i < values.length; i++) { const v = values[i]!; if (v < low) low = v; if (v > high) high = v; }
  const span = Math.max(slope * (high - low), 1e-6);
  return { slope, intercept, center: slope * low + intercept + span / 2, width: span };
}

// What spoke for the grade, by region.
export async function loadMaps(image: StudyImage): Promise<Map<number, HTMLCanvasElement>> {
  const maps = new Map<number, HTMLCanvasElement>();
  for (const name of image.result?.pictures ?? []) {
    const index = /^map-(\d+)$/.exec(name)?.[1];
    if (index !== undefined) maps.set(Number(index), heatPicture(await loadGray(`/api/v1/results/${image.result!.id}/pictures/${name}`)));
  }
  return maps;
}
