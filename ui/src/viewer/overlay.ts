// What the software saw, drawn over the image in the image's own coordinates: lines keep their width on the screen at any
// enlargement.
import { measureText, percent } from "../format";
import { t } from "../text";
import type { Analysis, Box, Finding, Region } from "../types";
import { mapOf, type Turning } from "./turning";

export type Layer = "heat" | "landmarks" | "joint" | "muscle" | "boxes";
export interface Pen { context: CanvasRenderingContext2D; scale: number; turning: Turning } // scale: screen pixels per image pixel
type Place = [number, number];

const TIBIA = [0, 9] as const;
const FEMUR = [9, 16] as const;
// Points of a muscle, docs/formats/analysis.md.
const SUPERFICIAL = [0, 16] as const;
const DEEP = [16, 32] as const;
const THICKNESS = [32, 38] as const;
const FASCICLES = 38;

export const COLORS = {
  tibia: "#5ad1ff", femur: "#ffd166", space: "rgba(255,107,157,0.28)", narrow: "#ff6b9d", box: "#7cf29a", refused: "#ffb347",
  superficial: "#ffd23f", deep: "#35c2ff", fascicle: "#5bd68a", thickness: "#ff7a5c", belly: "rgba(91,214,138,0.13)", surest: "#ff5a3c", possible: "#ffd23f",
} as const;

export const isFracture = (finding: Finding): boolean => /^(possible-)?fracture-\d+$/.test(finding.key);
const isLesion = (finding: Finding): boolean => /^lesion-\d+$/.test(finding.key);
const isInjury = (analysis: Analysis): boolean => analysis.task === "muscle-injury";
const isMuscle = (analysis: Analysis): boolean => analysis.task === "muscle-us" || isInjury(analysis);

// Which overlays this image has something for.
export function layersOf(analysis: Analysis | null, hasFrames: boolean): Set<Layer> {
  const found = new Set<Layer>();
  if (analysis === null) return found;
  for (const region of analysis.regions) {
    if (region.explanation !== null) found.add("heat");
    if (isMuscle(analysis) && (hasFrames || region.landmarks_px.length > 0)) found.add("muscle");
    if (!isMuscle(analysis) && region.landmarks_px.length > 0) found.add("landmarks").add("joint");
    found.add("boxes");
  }
  return found;
}

// --- strokes ---

function path(c: CanvasRenderingContext2D, points: Place[], isClosed = false): void {
  c.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? c.moveTo(x, y) : c.lineTo(x, y)));
  if (isClosed) c.closePath();
}

// Dark below bright, so that it is seen on bone and on air.
function line(pen: Pen, points: Place[], color: string, width = 2, dash: number[] = []): void {
  const { context, scale } = pen;
  context.lineJoin = context.lineCap = "round";
  context.setLineDash(dash.map((d) => d / scale));
  path(context, points);
  context.strokeStyle = "rgba(0,0,0,0.6)";
  context.lineWidth = (width + 2) / scale;
  context.stroke();
  context.strokeStyle = color;
  context.lineWidth = width / scale;
  context.stroke();
  context.setLineDash([]);
}

// Upright at its place, however the picture is turned: words are read, not the picture.
export function text(pen: Pen, label: string, x: number, y: number, color: string, align: CanvasTextAlign = "left"): void {
  const { context, scale } = pen;
  const [a, b, , d, e] = mapOf(pen.turning, { width: 1, height: 1 });
  context.save();
  context.translate(x, y);
  context.transform(a, b, d, e, 0, 0); // of a turned or mirrored picture the way back is the transpose
  context.font = `600 ${13 / scale}px system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = align;
  context.lineJoin = "round";
  context.lineWidth = 3.5 / scale;
  context.strokeStyle = "rgba(0,0,0,0.85)";
  context.strokeText(label, 0, 0);
  context.fillStyle = color;
  context.fillText(label, 0, 0);
  context.restore();
}

function box(pen: Pen, b: Box, color: string, label: string, dash: number[], width = 2): void {
  const left = b.x_px, top = b.y_px, right = b.x_px + b.width_px, bottom = b.y_px + b.height_px;
  line(pen, [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], color, width, dash);
  const isRoomAbove = top > 18 / pen.scale;
  text(pen, label, left, isRoomAbove ? top - 6 / pen.scale : bottom + 16 / pen.scale, color);
}

function dot(pen: Pen, [x, y]: Place, color: string, radius = 3.2): void {
  const { context, scale } = pen;
  context.beginPath();
  context.arc(x, y, radius / scale, 0, 2 * Math.PI);
  context.fillStyle = color;
  context.strokeStyle = "rgba(0,0,0,0.8)";
  context.lineWidth = 1 / scale;
  context.fill();
  context.stroke();
}

// --- knee ---

function landmarks(pen: Pen, region: Region): void {
  for (const [range, color] of [[TIBIA, COLORS.tibia], [FEMUR, COLORS.femur]] as const) {
    for (const point of region.landmarks_px.slice(range[0], range[1])) dot(pen, point, color);
  }
}

interface Compartment { upper: Place[]; lower: Place[]; narrowest: number }

// The profile holds the lateral compartment, a gap, and the medial one.
function compartments(region: Region): Compartment[] {
  const profile = region.joint_space_profile;
  const found: Compartment[] = [];
  let open: Compartment | null = null;
  profile?.width.forEach((width, i) => {
    const upper = profile.upper_px?.[i] ?? null;
    const lower = profile.lower_px?.[i] ?? null;
    if (width === null || upper === null || lower === null) { open = null; return; }
    if (open === null) found.push((open = { upper: [], lower: [], narrowest: i }));
    open.upper.push(upper);
    open.lower.push(lower);
    if (width < profile.width[open.narrowest]!) open.narrowest = i;
  });
  return found;
}

function narrowest(pen: Pen, region: Region, at: number, finding: Finding | undefined, compartment: string, align: CanvasTextAlign, row: number): void {
  const profile = region.joint_space_profile!;
  const upper = profile.upper_px![at]!, lower = profile.lower_px![at]!;
  line(pen, [upper, lower], COLORS.narrow, 3);
  for (const end of [upper, lower]) dot(pen, end, COLORS.narrow, 3.6);
  if (finding?.measure == null) return;
  const y = Math.max(upper[1], lower[1]) + (34 + 17 * row) / pen.scale;
  line(pen, [lower, [lower[0], y - 14 / pen.scale]], COLORS.narrow, 1, [3, 3]);
  text(pen, `${compartment} ${measureText(finding.measure)}`, lower[0] + (align === "left" ? -8 : 8) / pen.scale, y, COLORS.narrow, align);
}

function joint(pen: Pen, region: Region, index: number): void {
  const { context } = pen;
  const parts = compartments(region);
  for (const part of parts) {
    path(context, [...part.upper, ...part.lower.slice().reverse()], true);
    context.fillStyle = COLORS.space;
    context.fill();
    line(pen, part.upper, COLORS.femur);
    line(pen, part.lower, COLORS.tibia);
  }
  if (parts.length === 0 && region.landmarks_px.length >= FEMUR[1]) {
    line(pen, region.landmarks_px.slice(...TIBIA), COLORS.tibia);
    line(pen, region.landmarks_px.slice(...FEMUR), COLORS.femur);
  }
  const find = (key: string): Finding | undefined => region.findings.find((f) => f.key === key);
  const isSmall = region.box.width_px * pen.scale < 320; // the words of two knees side by side would meet
  parts.forEach((part, i) => {
    const isMedial = parts.length === 2 && i === 1;
    const own = find(isMedial ? "jsw-medial-min" : "jsw-lateral-min") ?? (parts.length === 1 ? find("jsw-min") : undefined);
    // Away from the other compartment's words.
    const isRight = parts.length === 2 && part.lower[0]![0] > parts[1 - i]!.lower[0]![0];
    narrowest(pen, region, part.narrowest, own, t(isMedial ? "medial" : "lateral"), isRight ? "left" : "right", isMedial && isSmall ? 1 + (index % 2) : 0);
  });
}

// --- muscle ---

const middle = (a: Place, b: Place): Place => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

// `isBellyOnly`: of an injury only the borders of the muscle are known.
function muscle(pen: Pen, region: Region, isBellyOnly: boolean): void {
  const { context } = pen;
  const points = region.landmarks_px;
  if (points.length < (isBellyOnly ? DEEP[1] : FASCICLES)) return;
  const superficial = points.slice(...SUPERFICIAL);
  const deep = points.slice(...DEEP);
  path(context, [...superficial, ...deep.slice().reverse()], true);
  context.fillStyle = COLORS.belly;
  context.fill();
  line(pen, superficial, COLORS.superficial, 2.4);
  line(pen, deep, COLORS.deep, 2.4);
  if (isBellyOnly) return;
  for (let i = FASCICLES; i + 1 < points.length; i += 2) line(pen, [points[i]!, points[i + 1]!], COLORS.fascicle, 1.6);
  for (let i = THICKNESS[0]; i + 1 < THICKNESS[1]; i += 2) line(pen, [points[i]!, points[i + 1]!], COLORS.thickness, 2, [5, 4]);
  const find = (...keys: string[]): Finding | undefined => keys.map((k) => region.findings.find((f) => f.key === k && f.measure?.value != null)).find((f) => f !== undefined);
  const thickness = find("thickness", "thickness-px");
  const centre = middle(points[THICKNESS[0] + 2]!, points[THICKNESS[0] + 3]!);
  if (thickness?.measure != null) text(pen, measureText(thickness.measure), centre[0] + 8 / pen.scale, centre[1], COLORS.thickness);
  const pennation = find("pennation");
  // At the foot of the fascicle that is nearest to the middle: the outer ones end outside of the picture.
  const feet = points.slice(FASCICLES).filter((_, i) => i % 2 === 0);
  const foot = feet.reduce((best, p) => (Math.abs(p[0] - deep[8]![0]) < Math.abs(best[0] - deep[8]![0]) ? p : best), feet[0] ?? deep[8]!);
  if (pennation?.measure != null) text(pen, measureText(pennation.measure), foot[0] + 10 / pen.scale, foot[1] + 16 / pen.scale, COLORS.fascicle);
}

function lesions(pen: Pen, region: Region): void {
  for (const finding of region.findings.filter(isLesion)) {
    if (finding.region !== null) box(pen, finding.region, COLORS.surest, t("lesion-no", { n: finding.key.slice("lesion-".length) }), [], 2.4);
  }
}

// --- fractures ---

function fractures(pen: Pen, region: Region): void {
  for (const finding of region.findings.filter(isFracture).reverse()) { // the surest on top
    if (finding.region === null) continue;
    const isSure = finding.key.startsWith("fracture-");
    box(pen, finding.region, isSure ? COLORS.surest : COLORS.possible, percent(finding.probability), isSure ? [] : [2, 5], isSure ? 2.4 : 2);
  }
}

// --- heat map ---

// A grey map as red (speaks for the grade) over the image; weak places stay clear.
export async function heatPicture(url: string): Promise<HTMLCanvasElement> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`${response.status}`);
  const map = await createImageBitmap(await response.blob());
  const canvas = document.createElement("canvas");
  canvas.width = map.width;
  canvas.height = map.height;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(map, 0, 0);
  const picture = context.getImageData(0, 0, map.width, map.height);
  for (let i = 0; i < picture.data.length; i += 4) {
    const v = picture.data[i]! / 255;
    picture.data.set([255, Math.round(210 * (1 - v)), 30, Math.round(190 * Math.min(1, v * 1.2))], i);
  }
  context.putImageData(picture, 0, 0);
  return canvas;
}

function heat(pen: Pen, region: Region, picture: HTMLCanvasElement | undefined): void {
  const where = region.explanation;
  if (where === null || picture === undefined) return;
  const { context } = pen;
  const b = where.box;
  context.save();
  context.translate(b.x_px + b.width_px / 2 - 0.5, b.y_px + b.height_px / 2 - 0.5);
  context.rotate((where.angle_deg * Math.PI) / 180);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, -b.width_px / 2, -b.height_px / 2, b.width_px, b.height_px);
  context.restore();
}

// --- all ---

export function drawAnalysis(pen: Pen, analysis: Analysis, layers: Set<Layer>, maps: Map<number, HTMLCanvasElement>, names: (region: Region, all: Region[]) => string): void {
  analysis.regions.forEach((region, i) => {
    if (layers.has("heat")) heat(pen, region, maps.get(i));
    if (layers.has("boxes")) {
      if (analysis.task === "fracture") fractures(pen, region);
      else if (isInjury(analysis) && region.accepted) lesions(pen, region);
      else box(pen, region.box, region.accepted ? COLORS.box : COLORS.refused, names(region, analysis.regions), region.accepted ? [] : [6, 4]);
    }
    if (layers.has("joint") && !isMuscle(analysis)) joint(pen, region, i);
    if (layers.has("landmarks") && !isMuscle(analysis)) landmarks(pen, region);
    if (layers.has("muscle") && isMuscle(analysis)) muscle(pen, region, isInjury(analysis));
  });
}

// The place that a finding speaks of, while its card is looked at.
export function drawPointed(pen: Pen, b: Box): void {
  const margin = 6 / pen.scale;
  const x = b.x_px - margin, y = b.y_px - margin, w = b.width_px + 2 * margin, h = b.height_px + 2 * margin;
  const arm = Math.min(w, h, 60 / pen.scale) * 0.35;
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x + w, y + h, -1, -1], [x, y + h, 1, -1]] as const)
    line(pen, [[cx + dx * arm, cy], [cx, cy], [cx, cy + dy * arm]], "#ffffff", 2.5);
}

export interface LegendItem { color: string; isDotted: boolean; text: string }

// What the colours of the shown overlays mean.
export function legendOf(analysis: Analysis | null, layers: Set<Layer>): LegendItem[] {
  if (analysis === null) return [];
  const has = layersOf(analysis, true);
  const on = (layer: Layer): boolean => layers.has(layer) && has.has(layer);
  const item = (color: string, key: string, isDotted = false): LegendItem => ({ color, isDotted, text: t(key) });
  const items: LegendItem[] = [];
  if (on("heat")) items.push(item("#ff641e", "legend.heat"));
  if (on("landmarks") || on("joint")) items.push(item(COLORS.femur, "legend.femur"), item(COLORS.tibia, "legend.tibia"));
  if (on("joint")) items.push(item(COLORS.narrow, "legend.narrow"));
  if (on("muscle")) items.push(item(COLORS.superficial, "legend.superficial"), item(COLORS.deep, "legend.deep"));
  if (on("muscle") && !isInjury(analysis)) items.push(item(COLORS.fascicle, "legend.fascicle"), item(COLORS.thickness, "legend.thickness", true));
  if (on("boxes") && analysis.task === "fracture") items.push(item(COLORS.surest, "legend.surest"), item(COLORS.possible, "legend.possible", true));
  else if (on("boxes") && isInjury(analysis)) items.push(item(COLORS.surest, "legend.lesion"));
  else if (on("boxes")) items.push(analysis.regions.some((r) => r.accepted) ? item(COLORS.box, "legend.box") : item(COLORS.refused, "legend.refused", true));
  return items;
}
