// The smallest DICOM files that tests need: grey frames of 8 bits, explicit little endian.
import { randomBytes } from "node:crypto";

const uid = () => `2.25.${BigInt(`0x${randomBytes(12).toString("hex")}`)}`;

function element(group, number, vr, value) {
  let bytes = typeof value === "number" ? Buffer.from([value & 255, value >> 8]) : Buffer.from(value);
  if (bytes.length % 2 === 1) bytes = Buffer.concat([bytes, Buffer.from(vr === "UI" || vr === "OB" ? "\0" : " ")]);
  const head = Buffer.alloc(vr === "OB" ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4);
  if (vr === "OB") head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

// `frames`: arrays of width * height bytes. `more`: [group, number, vr, value] in order of their tags.
export function dicom({ modality, width, height, frames, study = uid(), series = uid(), spacing = null, instance = 1, position = null, date = "20260301" }) {
  const sop = uid();
  const transfer = element(2, 0x10, "UI", "1.2.840.10008.1.2.1");
  const kind = modality === "US" ? "1.2.840.10008.5.1.4.1.1.3.1" : "1.2.840.10008.5.1.4.1.1.4";
  const meta = Buffer.concat([element(2, 1, "OB", Buffer.from([0, 1])), element(2, 2, "UI", kind), element(2, 3, "UI", sop), transfer, element(2, 0x12, "UI", "2.25.1")]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(meta.length);
  return Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element(2, 0, "UL", length), meta,
    element(8, 0x16, "UI", kind), element(8, 0x18, "UI", sop), element(8, 0x20, "DA", date), element(8, 0x60, "CS", modality),
    element(0x20, 0xd, "UI", study), element(0x20, 0xe, "UI", series), element(0x20, 0x11, "IS", "1"), element(0x20, 0x13, "IS", String(instance)),
    ...(position === null ? [] : [element(0x20, 0x32, "DS", position.join("\\")), element(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0")]),
    element(0x28, 2, "US", 1), element(0x28, 4, "CS", "MONOCHROME2"), element(0x28, 8, "IS", String(frames.length)), element(0x28, 0x10, "US", height), element(0x28, 0x11, "US", width),
    ...(spacing === null ? [] : [element(0x28, 0x30, "DS", `${spacing}\\${spacing}`)]),
    element(0x28, 0x100, "US", 8), element(0x28, 0x101, "US", 8), element(0x28, 0x102, "US", 7), element(0x28, 0x103, "US", 0),
    element(0x7fe0, 0x10, "OB", Buffer.concat(frames.map((f) => Buffer.from(f))))]);
}

// Slices of one series, each brighter than the one before; given out of order, as archives do.
export function series(count) {
  const study = uid(), one = uid(), width = 64, height = 64;
  const files = Array.from({ length: count }, (_, i) => dicom({ modality: "MR", width, height, study, series: one, spacing: 0.5, instance: i + 1, position: [0, 0, 4 * i],
    frames: [Uint8Array.from({ length: width * height }, (_, k) => (k % width < 8 ? 255 : k % width < 16 ? 0 : 20 + 30 * i))] }));
  return files.reverse();
}

// A drawn muscle: two bright bands, fascicles between them; its thickness changes from frame to frame.
export function muscleFilm(count) {
  const width = 480, height = 420, angle = (14 * Math.PI) / 180;
  let seed = 7;
  const random = () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648);
  const frames = Array.from({ length: count }, (_, i) => {
    const deep = 230 + 20 * Math.sin((2 * Math.PI * i) / count);
    return Uint8Array.from({ length: width * height }, (_, k) => {
      const x = k % width, y = Math.floor(k / width);
      const top = 80 + 0.03 * (x - width / 2), bottom = deep + 0.1 * (x - width / 2);
      const across = x * Math.sin(angle) + y * Math.cos(angle);
      let echo = y > top && y < bottom ? 40 + 70 * (0.5 + 0.5 * Math.sin(across / 2.6)) ** 3 : 45;
      echo += 170 * Math.exp(-(((y - (top - 5)) / 4) ** 2)) + 170 * Math.exp(-(((y - (bottom + 5)) / 4) ** 2));
      return Math.max(0, Math.min(255, echo * (0.7 + 0.6 * random())));
    });
  });
  return dicom({ modality: "US", width, height, frames });
}
