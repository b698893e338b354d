"""The DICOM upper layer by hand, for what well-behaved programs never send; and small images to send. Standard library only."""
import socket
import struct

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
CR = "1.2.840.10008.5.1.4.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"


def element(group, number, vr, value):
    value = value if isinstance(value, bytes) else value.encode()
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH", group, number) + vr.encode()
    return head + (struct.pack("<HI", 0, len(value)) if vr in ("OB", "OW") else struct.pack("<H", len(value))) + value


def data_set(uid, study, shade=0, name="ZZSECRET^Erna", side=96):
    """A grey CR image in explicit little endian; its patient is a secret."""
    pixels = bytes((x * y + shade) & 255 for y in range(side) for x in range(side))
    words = [(0x0008, 0x0016, "UI", CR), (0x0008, 0x0018, "UI", uid), (0x0008, 0x0060, "CS", "CR"),
             (0x0010, 0x0010, "PN", name), (0x0010, 0x0020, "LO", "ZZSECRET-4711"), (0x0010, 0x0030, "DA", "19510203"),
             (0x0020, 0x000D, "UI", study), (0x0020, 0x000E, "UI", study + ".1"), (0x0028, 0x0002, "US", struct.pack("<H", 1)),
             (0x0028, 0x0004, "CS", "MONOCHROME2"), (0x0028, 0x0010, "US", struct.pack("<H", side)),
             (0x0028, 0x0011, "US", struct.pack("<H", side)), (0x0028, 0x0100, "US", struct.pack("<H", 8)),
             (0x0028, 0x0101, "US", struct.pack("<H", 8)), (0x0028, 0x0102, "US", struct.pack("<H", 7)),
             (0x0028, 0x0103, "US", struct.pack("<H", 0)), (0x7FE0, 0x0010, "OB", pixels)]
    return b"".join(element(*word) for word in words)


def part10(uid, data):
    meta = element(2, 1, "OB", b"\0\1") + element(2, 2, "UI", CR) + element(2, 3, "UI", uid) + element(2, 16, "UI", EXPLICIT) + \
        element(2, 18, "UI", "1.2.3.4")
    return bytes(128) + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + data


def split(file):
    """(instance UID, the data set's bytes) of a file; a word (title of the sender, if told) lies in its head."""
    length = struct.unpack("<I", file[140:144])[0]
    head, data = file[:144 + length], file[144 + length:]
    at = head.index(b"\2\0\3\0UI")
    return head[at + 8:at + 8 + struct.unpack("<H", head[at + 6:at + 8])[0]].rstrip(b"\0").decode(), data


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def request(calling="TEST", called="REHASCOPE", contexts=((1, CR, (EXPLICIT,)),), pdu_bytes=16384):
    body = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1")
    for number, abstract, syntaxes in contexts:
        inner = struct.pack(">BBBB", number, 0, 0, 0) + item(0x30, abstract.encode())
        body += item(0x20, inner + b"".join(item(0x40, one.encode()) for one in syntaxes))
    body += item(0x50, item(0x51, struct.pack(">I", pdu_bytes)) + item(0x52, b"1.2.3.4"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


def read_exactly(peer, count):
    got = b""
    while len(got) < count:
        piece = peer.recv(count - len(got))
        if not piece:
            raise EOFError
        got += piece
    return got


def read_pdu(peer):
    """(type, body); EOFError where the other side has hung up."""
    kind, _, length = struct.unpack(">BBI", read_exactly(peer, 6))
    return kind, read_exactly(peer, length)


def connect(port, seconds=300):
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def associate(port, **how):
    """A connection with an association, or (None, result, source, reason)."""
    peer = connect(port)
    peer.sendall(request(**how))
    kind, body = read_pdu(peer)
    if kind == 3:
        peer.close()
        return None, body[1], body[2], body[3]
    assert kind == 2, kind
    return peer, 0, 0, 0


def command(fields):
    body = b"".join(struct.pack("<HHI", 0, number, len(value)) + value for number, value in sorted(fields.items()))
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def text(value):
    value = value.encode()
    return value + b"\0" * (len(value) % 2)


def pdata(context, flags, body):
    return struct.pack(">BBI", 4, 0, len(body) + 6) + struct.pack(">IBB", len(body) + 2, context, flags) + body


def store_head(uid, context=1, sop_class=CR):
    return pdata(context, 3, command({0x0002: text(sop_class), 0x0100: struct.pack("<H", 1), 0x0110: struct.pack("<H", 7),
                                      0x0700: struct.pack("<H", 0), 0x0800: struct.pack("<H", 1), 0x1000: text(uid)}))


def answer(peer):
    """(status, comment) of a response."""
    kind, body = read_pdu(peer)
    assert kind == 4, kind
    at, status, comment = 6, None, ""
    while at + 8 <= len(body):
        group, number, length = struct.unpack("<HHI", body[at:at + 8])
        value = body[at + 8:at + 8 + length]
        status = struct.unpack("<H", value)[0] if (group, number) == (0, 0x0900) else status
        comment = value.decode().strip(" \0") if (group, number) == (0, 0x0902) else comment
        at += 8 + length
    return status, comment


def store(peer, uid, data, piece=8000, context=1, sop_class=CR):
    peer.sendall(store_head(uid, context, sop_class))
    for at in range(0, len(data), piece):
        peer.sendall(pdata(context, 2 if at + piece >= len(data) else 0, data[at:at + piece]))
    return answer(peer)


def release(peer):
    peer.sendall(struct.pack(">BBII", 5, 0, 4, 0))
    assert read_pdu(peer)[0] == 6
    peer.close()
