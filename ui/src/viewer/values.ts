// Grey values by address (docs/formats/values.md): plain numbers, so that nothing is unpacked here.
export interface Gray { width: number; height: number; max: number; low: number; high: number; values: Uint8Array | Uint16Array }

const HEAD_BYTES = 20;
const MAGIC = 0x31564852; // "RHV1"

export function readValues(bytes: ArrayBuffer): Gray {
  const head = new DataView(bytes);
  if (bytes.byteLength < HEAD_BYTES || head.getUint32(0, true) !== MAGIC) throw new Error("not the values of an image");
  const width = head.getUint32(4, true), height = head.getUint32(8, true), bits = head.getUint16(12, true);
  if ((bits !== 8 && bits !== 16) || bytes.byteLength !== HEAD_BYTES + (width * height * bits) / 8) throw new Error(`${bytes.byteLength} bytes for ${width} x ${height} values`);
  return { width, height, max: bits === 16 ? 65535 : 255, low: head.getUint16(14, true), high: head.getUint16(16, true), values: bits === 16 ? new Uint16Array(bytes, HEAD_BYTES) : new Uint8Array(bytes, HEAD_BYTES) };
}

export async function fetchGray(url: string): Promise<Gray> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`${response.status}`);
  return readValues(await response.arrayBuffer());
}

// Means over squares of `step` values (fewer at the right and lower edge): what there is to draw where so many fall on one
// pixel of the screen. Some tenth of the values to window, and no picture of many megabytes to fill for it.
export function meansOf(gray: Gray, step: number): Gray {
  if (step <= 1) return gray;
  const { values } = gray;
  const width = Math.ceil(gray.width / step), height = Math.ceil(gray.height / step);
  const means = new Uint16Array(width * height);
  const sums = new Uint32Array(width);
  for (let y = 0; y < height; y++) {
    const rows = Math.min(step, gray.height - y * step);
    sums.fill(0);
    for (let row = 0; row < rows; row++) {
      let i = (y * step + row) * gray.width;
      const right = i + gray.width;
      for (let x = 0; x < width; x++) {
        const end = Math.min(i + step, right);
        let sum = 0;
        while (i < end) sum += values[i++]!;
        sums[x] = sums[x]! + sum;
      }
    }
    for (let x = 0; x < width; x++) means[y * width + x] = Math.round(sums[x]! / (rows * Math.min(step, gray.width - x * step)));
  }
  return { ...gray, width, height, values: means };
}
