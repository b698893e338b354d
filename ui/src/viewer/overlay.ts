// What the software saw, drawn over the image: boxes, landmarks, joint space, and the map of what spoke for the grade.
import type { Analysis, Box, Region } from "../types";
import type { Gray } from "./png";

export type Layer = "heat" | "landmarks" | "joint" | "boxes";
export interface Pen { context: CanvasRenderingContext2D; scale: number } // scale: screen pixels per image pixel

const TIBIA = [0, 9] as const;
const FEMUR = [9, 16] as const;
const colors = { tibia: "#5ad1ff", femur: "#ffd166", narrow: "#ff6b9d", box: "#7cf29a", refused: "#ffb347" };

function line(pen: Pen, points: [number, number][], color: string): void {
  const { context, scale } = pen;
  context.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.strokeStyle = "rgba(0,0,0,0.6)";
  context.lineWidth = 4 / scale;
  context.stroke();
  context.strokeStyle = color;
  context.lineWidth = 2 / scale;
  context.stroke();
}

function box(pen: Pen, b: Box, color: string, label: string, dashed: boolean): void {
  const { context, scale } = pen;
  context.setLineDash(dashed ? [6 / scale, 4 / scale] : []);
  context.strokeStyle = color;
  context.lineWidth = 2 / scale;
  context.strokeRect(b.x_px - 0.5, b.y_px - 0.5, b.width_px, b.height_px);
  context.setLineDash([]);
  text(pen, label, b.x_px + 4 / scale, b.y_px - 6 / scale, color);
}

export function text(pen: Pen, label: string, x: number, y: number, color: string): void {
  const { context, scale } = pen;
  context.font = `${13 / scale}px system-ui, sans-serif`;
  context.lineWidth = 3 / scale;
  context.strokeStyle = "rgba(0,0,0,0.8)";
  context.strokeText(label, x, y);
  context.fillStyle = color;
  context.fillText(label, x, y);
}

function landmarks(pen: Pen, region: Region): void {
  const { context, scale } = pen;
  for (const [range, color] of [[TIBIA, colors.tibia], [FEMUR, colors.femur]] as const) {
    for (const [x, y] of region.landmarks_px.slice(range[0], range[1])) {
      context.beginPath();
      context.arc(x, y, 3.2 / scale, 0, 2 * Math.PI);
      context.fillStyle = color;
      context.strokeStyle = "rgba(0,0,0,0.8)";
      context.lineWidth = 1 / scale;
      context.fill();
      context.stroke();
    }
  }
}

function joint(pen: Pen, region: Region): void {
  const { context, scale } = pen;
  if (region.landmarks_px.length >= FEMUR[1]) {
    line(pen, region.landmarks_px.slice(...TIBIA), colors.tibia);
    line(pen, region.landmarks_px.slice(...FEMUR), colors.femur);
  }
  for (const finding of region.findings) {
    if (!finding.key.startsWith("jsw-") || finding.key === "jsw-min" || finding.region === null) continue;
    const b = finding.region;
    context.beginPath();
    context.ellipse(b.x_px + b.width_px / 2, b.y_px + b.height_px / 2, Math.max(b.width_px / 2, 6 / scale), Math.max(b.height_px / 2, 6 / scale), 0, 0, 2 * Math.PI);
    context.strokeStyle = colors.narrow;
    context.lineWidth = 2 / scale;
    context.stroke();
  }
}

// A grey map as red (speaks for the grade) over the image; weak places stay clear.
export function heatPicture(map: Gray): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = map.width;
  canvas.height = map.height;
  const context = canvas.getContext("2d")!;
  const picture = context.createImageData(map.width, map.height);
  for (let i = 0; i < map.values.length; i++) {
    const v = map.values[i]! / map.max;
    picture.data.set([255, Math.round(210 * (1 - v)), 30, Math.round(190 * Math.min(1, v * 1.2))], 4 * i);
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
  context.drawImage(picture, -b.width_px / 2, -b.height_px / 2, b.width_px, b.height_px);
  context.restore();
}

export function drawAnalysis(pen: Pen, analysis: Analysis, layers: Set<Layer>, maps: Map<number, HTMLCanvasElement>, names: (region: Region, all: Region[]) => string): void {
  analysis.regions.forEach((region, i) => {
    if (layers.has("heat")) heat(pen, region, maps.get(i));
    if (layers.has("joint")) joint(pen, region);
    if (layers.has("landmarks")) landmarks(pen, region);
    if (layers.has("boxes")) box(pen, region.box, region.accepted ? colors.box : colors.refused, names(region, analysis.regions), !region.accepted);
  });
}
