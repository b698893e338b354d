"""Plants a secret wherever a name can hide in a DICOM file: plant_secret.py [--soft] IN OUT SECRET

Walks the file by itself (no code of the program): every element of a textual VR, at any depth, gets the secret as its
value, but for those without which no pixel can be read; then private elements, sequences, an overlay's label, trailing
padding, the preamble and the file meta information get it as well, and the end of the file. With --soft the file's own
values stay, but for those of people and free text, so that it can still be measured. Prints how often it was planted.
"""
import struct
import sys
import zlib

TEXTS = set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT UI".split())
SOFT = set("PN LO LT SH ST UT UC UR".split())
LONG = set("OB OD OF OL OW OV SQ UC UR UT UN SV UV".split())
KEEP = {(0x0008, 0x0016), (0x0028, 0x0004), (0x0028, 0x0008), (0x0002, 0x0010), (0x0002, 0x0002)}
DEVICE = {(0x0008, 0x0070), (0x0008, 0x1090)}
IMPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
PIXELS = (0x7FE0, 0x0010)


def dictionary():
    """Tag to VR, from DCMTK's data dictionary: implicit files carry none."""
    table = {}
    for name in ("/usr/share/libdcmtk17/dicom.dic", "/usr/share/dcmtk/dicom.dic", "/usr/share/dcmtk-3.6.9/dicom.dic"):
        try:
            lines = open(name, encoding="ascii", errors="replace")
        except OSError:
            continue
        for line in lines:
            part = line.split("\t")
            if line.startswith("(") and len(part) > 1 and "-" not in part[0]:
                tag = part[0].strip("()").split(",")
                if len(tag) == 2 and len(tag[0]) == 4:
                    try:
                        table[int(tag[0], 16), int(tag[1], 16)] = part[1]
                    except ValueError:
                        pass
        break
    return table


class File:
    def __init__(self, data, secret, soft):
        self.data, self.secret, self.soft = data, secret.encode(), soft
        self.vrs = {}

    def fit(self, vr):
        value = self.secret
        return value + (b"" if len(value) % 2 == 0 else b"\0" if vr == "UI" else b" ")

    def pack(self, kind, value):
        return struct.pack((">" if self.big else "<") + kind, value)

    def unpack(self, kind, at):
        return struct.unpack_from((">" if self.big else "<") + kind, self.data, at)[0]

    def header(self, at):
        """tag, VR, length and where the value begins."""
        tag = (self.unpack("H", at), self.unpack("H", at + 2))
        if tag[0] == 0xFFFE:
            return tag, "", self.unpack("I", at + 4), at + 8
        if self.implicit:
            vr = self.vrs.get(tag, "LO" if tag[1] == 0 else "UN")
            return tag, "UN" if vr not in TEXTS | LONG else vr, self.unpack("I", at + 4), at + 8
        vr = self.data[at + 4:at + 6].decode("ascii")
        if vr in LONG:
            return tag, vr, self.unpack("I", at + 8), at + 12
        return tag, vr, self.unpack("H", at + 6), at + 8

    def element(self, tag, vr, value, length=None):
        length = len(value) if length is None else length
        head = self.pack("H", tag[0]) + self.pack("H", tag[1])
        if tag[0] == 0xFFFE or self.implicit:
            return head + self.pack("I", length) + value
        if vr in LONG:
            return head + vr.encode() + b"\0\0" + self.pack("I", length) + value
        return head + vr.encode() + self.pack("H", length) + value

    def text(self, tag, vr):
        return self.element(tag, vr, self.fit(vr))

    def sequence(self, tag, content):
        return (self.element(tag, "SQ", b"", 0xFFFFFFFF) + self.element((0xFFFE, 0xE000), "", b"", 0xFFFFFFFF) + content +
                self.element((0xFFFE, 0xE00D), "", b"") + self.element((0xFFFE, 0xE0DD), "", b""))

    def planted(self, tag, vr, value):
        if tag in KEEP or tag[1] == 0:
            return False
        if self.soft:
            return vr in SOFT and tag not in DEVICE and tag[0] not in (0x0028,)
        return vr in TEXTS

    def walk(self, at, end, out):
        """Rewrites [at, end) of one data set; returns where it stopped."""
        while at < end:
            tag, vr, length, value_at = self.header(at)
            if tag == (0xFFFE, 0xE00D):
                return value_at
            if vr == "SQ" or (vr == "UN" and length == 0xFFFFFFFF):
                content = []
                at = self.items(value_at, end if length == 0xFFFFFFFF else value_at + length, content)
                out.append((tag, self.element(tag, "SQ", b"", 0xFFFFFFFF) + b"".join(content) +
                            self.element((0xFFFE, 0xE0DD), "", b"")))
            elif tag == PIXELS and length == 0xFFFFFFFF:
                stop = value_at
                while struct.unpack_from("<HH", self.data, stop) != (0xFFFE, 0xE0DD):
                    stop += 8 + struct.unpack_from("<I", self.data, stop + 4)[0]
                out.append((tag, self.data[at:stop + 8]))
                at = stop + 8
            else:
                value = self.data[value_at:value_at + length]
                at = value_at + length
                if self.planted(tag, vr, value):
                    value = self.fit(vr)
                out.append((tag, self.element(tag, vr, value)))
        return at

    def items(self, at, end, out):
        while at < end:
            tag, _, length, value_at = self.header(at)
            if tag == (0xFFFE, 0xE0DD):
                return value_at
            content = []
            at = self.walk(value_at, end if length == 0xFFFFFFFF else value_at + length, content)
            content.append(((0x7FFF, 0), self.private(0x7FFD)))
            out.append(self.element((0xFFFE, 0xE000), "", b"", 0xFFFFFFFF) + b"".join(c for _, c in content) +
                       self.element((0xFFFE, 0xE00D), "", b""))
        return at

    def private(self, group):
        return (self.text((group, 0x0010), "LO") + self.text((group, 0x1001), "PN") +
                self.element((group, 0x1002), "UN", self.fit("UN")) +
                self.sequence((group, 0x1003), self.text((0x0010, 0x0010), "PN") + self.text((0x0010, 0x0020), "LO")))

    def more(self):
        nested = self.text((0x0010, 0x0010), "PN") + self.sequence((0x0040, 0x0275), self.text((0x0010, 0x4000), "LT"))
        plain = [((0x0008, 0x1048), "PN"), ((0x0008, 0x0080), "LO"), ((0x0008, 0x4000), "LT"), ((0x0010, 0x1040), "LO"),
                 ((0x0010, 0x4000), "LT"), ((0x0018, 0x1030), "LO"), ((0x0020, 0x4000), "LT"), ((0x0032, 0x1060), "LO"),
                 ((0x0040, 0xA730), "UT"), ((0x5000, 0x0022), "LO"), ((0x6000, 0x0022), "LO")]
        found = [(tag, self.text(tag, vr)) for tag, vr in plain]
        found += [((group, 0x0010), self.private(group)) for group in (0x0009, 0x0019, 0x0029)]
        found += [(tag, self.sequence(tag, nested)) for tag in ((0x0008, 0x1140), (0x0040, 0x0555))]
        found += [((0x0042, 0x0011), self.element((0x0042, 0x0011), "OB", self.fit("OB")))]
        found += [((0xFFFC, 0xFFFC), self.element((0xFFFC, 0xFFFC), "OB", self.fit("OB")))]
        return found

    def run(self):
        self.big = self.implicit = False
        at = 132 if self.data[128:132] == b"DICM" else 0
        meta, syntax = [], IMPLICIT
        while self.unpack("H", at) == 2:
            tag, vr, length, value_at = self.header(at)
            value = self.data[value_at:value_at + length]
            if tag == (2, 0x10):
                syntax = value.rstrip(b"\0 ").decode()
            if tag[1] != 0 and tag not in ((2, 0x16), (2, 0x100), (2, 0x102)):
                meta.append(self.element(tag, vr, self.fit(vr) if self.planted(tag, vr, value) and tag[1] > 3 else value))
            at = value_at + length
        meta += [self.text((2, 0x16), "AE"), self.element((2, 0x100), "UI", b"1.2.3\0"),
                 self.element((2, 0x102), "OB", self.fit("OB"))]
        meta = b"".join(meta)
        head = self.fit("AE").ljust(128, b"\0") + b"DICM" + self.element((2, 0), "UL", struct.pack("<I", len(meta))) + meta
        if syntax == DEFLATED:
            self.data, at = zlib.decompress(self.data[at:], -15), 0
        self.implicit, self.big = syntax == IMPLICIT, syntax == BIG
        if self.implicit:
            self.vrs = dictionary()
        elements = []
        self.walk(at, len(self.data), elements)
        there = {tag for tag, _ in elements}
        elements += [(tag, data) for tag, data in self.more() if tag not in there]
        elements.sort(key=lambda e: e[0])
        body = b"".join(data for _, data in elements)
        count = body.count(self.secret) + head.count(self.secret)
        if syntax == DEFLATED:
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            body = packer.compress(body) + packer.flush()
        return head + body + self.secret * 2, count + 2


def main():
    soft = sys.argv[1] == "--soft"
    source, target, secret = sys.argv[2 if soft else 1:]
    planted, count = File(open(source, "rb").read(), secret, soft).run()
    open(target, "wb").write(planted)
    print(count)


main()
