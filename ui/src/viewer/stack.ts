// Pictures that belong behind each other: the frames of one file, or the files of one series. Loaded ahead of where the
// reader is going, and no more of them kept than fits.
import type { StudyImage } from "../types";
import { REDUCED_SIDE_PX, takeCopy, valuesOf } from "./first";
import { fetchGray, type Gray } from "./values";

export interface Slice { image: StudyImage; frame: number } // frames count from 1
export interface Stack { slices: Slice[]; isSequence: boolean } // a sequence: the frames of one file

const LARGE_PIXELS = 2 << 20; // below it a reduced copy would not be there much earlier
const STRIP_PIXELS = 4 << 20;
const STRIP_MAX = 16;
const KEPT_BYTES = 256 << 20;
const AHEAD = 3;

function inOrder(a: StudyImage, b: StudyImage): number {
  const x = a.stack!, y = b.stack!;
  const by = (p: number | null, q: number | null): number => (p === null || q === null ? 0 : p - q);
  return by(x.along_mm, y.along_mm) || by(x.echo_ms, y.echo_ms) || by(x.instance_number, y.instance_number);
}

// Files of one series make one stack; a file of several frames is one of its own.
export function stacksOf(images: StudyImage[]): Stack[] {
  const groups = new Map<string, StudyImage[]>();
  for (const image of images) {
    const key = image.frame_count === 1 && image.stack != null ? image.stack.key : image.id;
    groups.set(key, [...(groups.get(key) ?? []), image]);
  }
  return [...groups.values()].map((members) => {
    const first = members[0]!;
    return first.frame_count > 1
      ? { slices: Array.from({ length: first.frame_count }, (_, i) => ({ image: first, frame: i + 1 })), isSequence: true }
      : { slices: members.sort(inOrder).map((image) => ({ image, frame: 1 })), isSequence: false };
  });
}

export class StackLoader {
  private readonly kept = new Map<string, Promise<Gray[]>>(); // by address, the longest unused first
  private readonly sizes = new Map<string, number>();
  private bytes = 0;

  constructor(private readonly stack: Stack) {}

  // Where the strip of frames begins that holds this one, and how long it is. The very first frame comes alone: it is
  // what the reader waits for.
  private strip(at: number): { start: number; count: number } {
    const slice = this.stack.slices[at]!;
    const room = Math.floor(STRIP_PIXELS / Math.max(1, slice.image.width_px * slice.image.height_px));
    const count = Math.max(1, Math.min(STRIP_MAX, room));
    if (!this.stack.isSequence || count === 1 || at === 0) return { start: at, count: 1 };
    const start = 1 + Math.floor((at - 1) / count) * count;
    return { start, count: Math.min(count, this.stack.slices.length - start) };
  }

  private address(start: number, count: number): string {
    const { image, frame } = this.stack.slices[start]!;
    return valuesOf(image.id, { frame, frames: count });
  }

  private fetch(start: number, count: number): Promise<Gray[]> {
    const url = this.address(start, count);
    const known = this.kept.get(url);
    if (known !== undefined) {
      this.kept.delete(url);
      this.kept.set(url, known); // the latest used goes to the end
      return known;
    }
    const coming = fetchGray(url).then((gray) => {
      const frames = cut(gray, count);
      if (this.kept.has(url)) this.keep(url, gray.values.byteLength);
      return frames;
    });
    coming.catch(() => this.kept.delete(url));
    this.kept.set(url, coming);
    return coming;
  }

  private keep(url: string, bytes: number): void {
    this.sizes.set(url, bytes);
    this.bytes += bytes;
    for (const old of [...this.kept.keys()]) {
      if (this.bytes <= KEPT_BYTES || old === url) break;
      this.bytes -= this.sizes.get(old) ?? 0;
      this.sizes.delete(old);
      this.kept.delete(old);
    }
  }

  // What is there long before the picture itself, because the server made it with the thumbnail: a reduced copy, or the first
  // frame of a file of many, mostly small enough to be the picture itself. null where the picture is at hand or as fast.
  early(at: number): Promise<Gray> | null {
    const { image, frame } = this.stack.slices[at]!;
    const { start, count } = this.strip(at);
    const url = this.address(start, count);
    const isSlow = image.width_px * image.height_px >= LARGE_PIXELS || (this.stack.isSequence && at === 0);
    const begun = frame === 1 ? takeCopy(image.id) : null;
    if (this.sizes.has(url) || (!isSlow && begun === null)) return null;
    return (begun ?? fetchGray(valuesOf(image.id, { frame, side_max_px: REDUCED_SIDE_PX }))).then((gray) => {
      if (count === 1 && gray.width === image.width_px && gray.height === image.height_px && !this.kept.has(url)) {
        this.kept.set(url, Promise.resolve([gray]));
        this.keep(url, gray.values.byteLength);
      }
      return gray;
    });
  }

  async get(at: number): Promise<Gray> {
    const { start, count } = this.strip(at);
    return (await this.fetch(start, count))[at - start]!;
  }

  // What comes next in the direction of travel, without waiting for it.
  ahead(at: number, step: number): void {
    let place = at;
    for (let i = 0; i < AHEAD; i++) {
      const { start, count } = this.strip(place);
      place = step >= 0 ? Math.max(start + count, place + 1) : start - 1;
      if (place < 0 || place >= this.stack.slices.length) return;
      const next = this.strip(place);
      void this.fetch(next.start, next.count).catch(() => undefined);
    }
  }
}

function cut(gray: Gray, count: number): Gray[] {
  const height = gray.height / count;
  const size = gray.width * height;
  return Array.from({ length: count }, (_, i) => ({ ...gray, height, values: gray.values.subarray(i * size, (i + 1) * size) }));
}
