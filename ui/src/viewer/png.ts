// Grey PNGs of 8 or 16 bits into plain numbers: a browser's own decoder keeps 8 bits only, and windowing needs all.
export interface Gray { width: number; height: number; max: number; values: Uint16Array }

async function inflate(parts: Uint8Array[]): Promise<Uint8Array> {
  const stream = new Blob(parts as BlobPart[]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function paeth(a: number, b: number, c: number): number {
  const pa = Math.abs(b - c);
  const pb = Math.abs(a - c);
  const pc = Math.abs(a + b - 2 * c);
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// PNG specification, 9: each row says how it was predicted from its left and upper neighbours. The kinds that need no choice
// for each byte have loops of their own: a film has millions of bytes.
function unfilter(raw: Uint8Array, rowBytes: number, height: number, step: number): Uint8Array {
  const out = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (rowBytes + 1)];
    const from = y * (rowBytes + 1) + 1;
    const to = y * rowBytes;
    const up = to - rowBytes;
    if (filter === 0 || (filter === 2 && y === 0)) out.set(raw.subarray(from, from + rowBytes), to);
    else if (filter === 1) {
      out.set(raw.subarray(from, from + step), to);
      for (let i = step; i < rowBytes; i++) out[to + i] = raw[from + i]! + out[to + i - step]!;
    } else if (filter === 2) for (let i = 0; i < rowBytes; i++) out[to + i] = raw[from + i]! + out[up + i]!;
    else for (let i = 0; i < rowBytes; i++) {
      const a = i >= step ? out[to + i - step]! : 0;
      const b = y > 0 ? out[up + i]! : 0;
      const c = i >= step && y > 0 ? out[up + i - step]! : 0;
      out[to + i] = raw[from + i]! + (filter === 3 ? (a + b) >> 1 : paeth(a, b, c));
    }
  }
  return out;
}

export async function decodePng(bytes: Uint8Array): Promise<Gray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let width = 0, height = 0, depth = 0, color = 0;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      depth = bytes[at + 16]!;
      color = bytes[at + 17]!;
      if (bytes[at + 20] !== 0) throw new Error("interlaced PNG");
    } else if (kind === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    else if (kind === "IEND") break;
    at += 12 + length;
  }
  const channels = color === 0 ? 1 : color === 2 ? 3 : color === 4 ? 2 : color === 6 ? 4 : 0;
  if (channels === 0 || (depth !== 8 && depth !== 16)) throw new Error(`PNG of colour type ${color}, ${depth} bits`);
  const step = (channels * depth) / 8;
  const data = unfilter(await inflate(parts), width * step, height, step);
  const values = new Uint16Array(width * height);
  for (let i = 0, at = 0; i < values.length; i++, at += step) values[i] = depth === 16 ? (data[at]! << 8) | data[at + 1]! : data[at]!;
  return { width, height, max: depth === 16 ? 65535 : 255, values };
}

export async function fetchGray(url: string): Promise<Gray> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`${response.status}`);
  return decodePng(new Uint8Array(await response.arrayBuffer()));
}
