// Maps between the pixels of two images: x' = a x + b y + c, y' = d x + e y + f, the centre of a pixel is whole.
export type Affine = readonly [number, number, number, number, number, number];
export interface Point { x: number; y: number }

export const IDENTITY: Affine = [1, 0, 0, 0, 1, 0];

export function apply(m: Affine, p: Point): Point {
  return { x: m[0] * p.x + m[1] * p.y + m[2], y: m[3] * p.x + m[4] * p.y + m[5] };
}

// First `inner`, then `outer`.
export const compose = (outer: Affine, inner: Affine): Affine => [
  outer[0] * inner[0] + outer[1] * inner[3], outer[0] * inner[1] + outer[1] * inner[4], outer[0] * inner[2] + outer[1] * inner[5] + outer[2],
  outer[3] * inner[0] + outer[4] * inner[3], outer[3] * inner[1] + outer[4] * inner[4], outer[3] * inner[2] + outer[4] * inner[5] + outer[5]];

// How much longer lengths become.
export const scaleOf = (m: Affine): number => Math.sqrt(Math.abs(m[0] * m[4] - m[1] * m[3]));

export function invert(m: Affine): Affine {
  const det = m[0] * m[4] - m[1] * m[3];
  if (!(Math.abs(det) > 1e-12)) return IDENTITY;
  const a = m[4] / det, b = -m[1] / det, d = -m[3] / det, e = m[0] / det;
  return [a, b, -(a * m[2] + b * m[5]), d, e, -(d * m[2] + e * m[5])];
}
