// What is denser and what is thinner in the later of two registered images: middle grey where they agree. Grey values of
// the later one are fitted to the earlier one by mean and spread around the joint, as the server does for its reports.
import type { Box } from "../types";
import { apply, type Affine } from "./affine";
import type { Gray } from "./values";

export interface Source { gray: Gray; size: { width: number; height: number }; isInverted: boolean } // size: of the full picture, where `gray` is a reduced copy
export interface Difference { gray: Gray; toFrame: Affine } // toFrame: its pixels to those of the earlier image

const PIXELS_MAX = 2 << 20;
const SPAN = 3; // standard deviations from black to white

// At a place in the full picture's pixels.
function sample(s: Source, fullX: number, fullY: number): number {
  const { width, height, values } = s.gray;
  const x = ((fullX + 0.5) * width) / s.size.width - 0.5, y = ((fullY + 0.5) * height) / s.size.height - 0.5;
  const x0 = Math.floor(x), y0 = Math.floor(y);
  if (x0 < 0 || y0 < 0 || x0 + 1 >= width || y0 + 1 >= height) return NaN;
  const fx = x - x0, fy = y - y0, at = y0 * width + x0;
  const top = values[at]! * (1 - fx) + values[at + 1]! * fx;
  const bottom = values[at + width]! * (1 - fx) + values[at + width + 1]! * fx;
  const value = top * (1 - fy) + bottom * fy;
  return s.isInverted ? -value : value;
}

function spread(values: Float32Array, isIn: (i: number) => boolean): { mean: number; sd: number } {
  let n = 0, sum = 0, squares = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (Number.isNaN(v) || !isIn(i)) continue;
    n++;
    sum += v;
    squares += v * v;
  }
  const mean = n > 0 ? sum / n : 0;
  return { mean, sd: n > 0 ? Math.sqrt(Math.max(squares / n - mean * mean, 1e-6)) : 1 };
}

export function difference(before: Source, after: Source, map: Affine, joint: Box): Difference {
  const step = Math.max(1, Math.ceil(Math.sqrt((before.size.width * before.size.height) / PIXELS_MAX)));
  const width = Math.floor(before.size.width / step), height = Math.floor(before.size.height / step);
  const first = new Float32Array(width * height), second = new Float32Array(width * height);
  const offset = (step - 1) / 2;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const p = { x: x * step + offset, y: y * step + offset };
      const q = apply(map, p);
      const b = sample(after, q.x, q.y);
      first[i] = Number.isNaN(b) ? NaN : sample(before, p.x, p.y);
      second[i] = b;
    }
  }
  const isIn = (i: number): boolean => {
    const x = (i % width) * step, y = Math.floor(i / width) * step;
    return x >= joint.x_px && x < joint.x_px + joint.width_px && y >= joint.y_px && y < joint.y_px + joint.height_px;
  };
  const a = spread(first, isIn), b = spread(second, isIn);
  const out = new Uint16Array(width * height);
  for (let i = 0; i < out.length; i++) {
    const change = (second[i]! - b.mean) / b.sd - (first[i]! - a.mean) / a.sd;
    out[i] = Number.isNaN(change) ? 128 : Math.max(0, Math.min(255, Math.round(128 + (255 / SPAN) * change)));
  }
  return { gray: { width, height, max: 255, low: 0, high: 255, values: out }, toFrame: [step, 0, offset, 0, step, offset] };
}
