// How a picture is turned on the screen: mirrored first, then turned clockwise. Of the screen alone, never of what is stored.
import { t } from "../text";
import type { Affine } from "./affine";

export interface Turning { quarters: 0 | 1 | 2 | 3; isMirrored: boolean }

export const AS_STORED: Turning = { quarters: 0, isMirrored: false };
const quartersOf = (n: number): Turning["quarters"] => (((n % 4) + 4) % 4) as Turning["quarters"];

// Clockwise, as seen.
export const turn = (now: Turning): Turning => ({ ...now, quarters: quartersOf(now.quarters + 1) });
// Left and right of the screen change places: what was turned one way is then turned the other way.
export const mirror = (now: Turning): Turning => ({ quarters: quartersOf(-now.quarters), isMirrored: !now.isMirrored });

const isTurned = (now: Turning): boolean => now.quarters !== 0 || now.isMirrored;

export function turnedSize(now: Turning, size: { width: number; height: number }): { width: number; height: number } {
  return now.quarters % 2 === 0 ? size : { width: size.height, height: size.width };
}

// From the pixels of a picture of this size to those of the turned one, which begins at 0 too.
export function mapOf(now: Turning, size: { width: number; height: number }): Affine {
  const m = now.isMirrored ? -1 : 1;
  const [a, b, d, e] = ([[m, 0, 0, 1], [0, -1, m, 0], [-m, 0, 0, -1], [0, 1, -m, 0]] as const)[now.quarters];
  const right = size.width - 1, below = size.height - 1;
  return [a, b, -Math.min(0, a * right, b * below, a * right + b * below), d, e, -Math.min(0, d * right, e * below, d * right + e * below)];
}

// What stands in the picture as long as it is turned; null as it is stored.
export function turningText(now: Turning): string | null {
  if (!isTurned(now)) return null;
  return t(!now.isMirrored ? "viewer.turned" : now.quarters === 0 ? "viewer.mirrored" : "viewer.mirrored-turned", { n: 90 * now.quarters });
}
