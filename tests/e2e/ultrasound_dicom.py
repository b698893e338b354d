"""ultrasound_dicom.py PICTURE.png OUT.dcm [rgb] [frames=N]: an ultrasound object of a known patient around a grey PNG of 8 bits,
0.1 mm a pixel by its ultrasound region."""
import struct, sys, zlib


def read_png(data):
    """Width, height and bytes of a grey PNG of 8 bits."""
    at, packed, width, height = 8, b"", 0, 0
    while at < len(data):
        (count,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + count]
        at += 12 + count
        if kind == b"IHDR":
            width, height, bits, colour = struct.unpack(">IIBB", body[:10])
            assert bits == 8 and colour == 0, (bits, colour)
        if kind == b"IDAT":
            packed += body
    raw, out, before = zlib.decompress(packed), bytearray(), bytearray(width)
    for y in range(height):
        filtering, row = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1 : (y + 1) * (width + 1)])
        for x in range(width):
            a, b, c = row[x - 1] if x else 0, before[x], before[x - 1] if x else 0
            if filtering == 1:
                row[x] = (row[x] + a) & 255
            elif filtering == 2:
                row[x] = (row[x] + b) & 255
            elif filtering == 3:
                row[x] = (row[x] + (a + b) // 2) & 255
            elif filtering == 4:
                p = a + b - c
                pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
                row[x] = (row[x] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        out += row
        before = row
    return width, height, bytes(out)


def element(tag, vr, value):
    value = value.encode() if isinstance(value, str) else value
    value += (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<HI", 0, len(value)) if vr in ("OB", "SQ") else struct.pack("<H", len(value))) + value


def short(value):
    return struct.pack("<H", value)


def long(value):
    return struct.pack("<I", value)


def wrap(png, name, is_rgb=False, frames=1):
    width, height, pixels = read_png(png)
    pixels = bytes(v for p in pixels for v in (p, p, p)) if is_rgb else pixels
    uid = "1.2.826.0.1.3680043.10.999.%d" % zlib.crc32(name.encode())
    kind = "1.2.840.10008.5.1.4.1.1.3.1" if frames > 1 else "1.2.840.10008.5.1.4.1.1.6.1"
    region = b"".join([element(0x00186012, "US", short(1)), element(0x00186014, "US", short(1)), element(0x00186016, "UL", long(0)),
                       element(0x00186018, "UL", long(0)), element(0x0018601A, "UL", long(0)), element(0x0018601C, "UL", long(width - 1)),
                       element(0x0018601E, "UL", long(height - 1)), element(0x00186024, "US", short(3)), element(0x00186026, "US", short(3)),
                       element(0x0018602C, "FD", struct.pack("<d", 0.01)), element(0x0018602E, "FD", struct.pack("<d", 0.01))])
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(region)) + region
    body = [element(0x00080005, "CS", "ISO_IR 192"), element(0x00080008, "CS", "ORIGINAL\\PRIMARY"), element(0x00080016, "UI", kind),
            element(0x00080018, "UI", uid + ".3"), element(0x00080020, "DA", "20260131"), element(0x00080030, "TM", "093000"),
            element(0x00080050, "SH", "A-18"), element(0x00080060, "CS", "US"), element(0x00080070, "LO", "Test"),
            element(0x00080090, "PN", ""), element(0x00100010, "PN", "Doe^Jane"), element(0x00100020, "LO", "H-18"),
            element(0x00100030, "DA", ""), element(0x00100040, "CS", "F"), element(0x00186011, "SQ", item),
            element(0x0020000D, "UI", uid + ".1"), element(0x0020000E, "UI", uid + ".2"), element(0x00200010, "SH", "S18"),
            element(0x00200011, "IS", "1"), element(0x00200013, "IS", "1"), element(0x00280002, "US", short(3 if is_rgb else 1)),
            element(0x00280004, "CS", "RGB" if is_rgb else "MONOCHROME2")]
    body += [element(0x00280006, "US", short(0))] if is_rgb else []
    body += [element(0x00280008, "IS", str(frames))] if frames > 1 else []
    body += [element(0x00280010, "US", short(height)), element(0x00280011, "US", short(width)), element(0x00280100, "US", short(8)),
             element(0x00280101, "US", short(8)), element(0x00280102, "US", short(7)), element(0x00280103, "US", short(0)),
             element(0x7FE00010, "OB", pixels * frames)]
    meta = b"".join([element(0x00020001, "OB", b"\0\1"), element(0x00020002, "UI", kind), element(0x00020003, "UI", uid + ".3"),
                     element(0x00020010, "UI", "1.2.840.10008.1.2.1"), element(0x00020012, "UI", "1.2.826.0.1.3680043.10.999")])
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", long(len(meta))) + meta + b"".join(body)


if __name__ == "__main__":
    options = sys.argv[3:]
    count = next((int(o[7:]) for o in options if o.startswith("frames=")), 1)
    with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
        target.write(wrap(source.read(), sys.argv[2], "rgb" in options, count))
