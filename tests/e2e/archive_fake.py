"""An archive that misbehaves when it is asked: archive_fake.py MANNER FILE-FOR-THE-PORT."""
import socket
import struct
import sys

import dicom_wire as wire

MANNER, PLACE = sys.argv[1:]
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def implicit(group, number, value):
    value = value if isinstance(value, bytes) else value.encode()
    if len(value) % 2:
        value += b"\0" if (group, number) in ((0x0020, 0x000D), (0x0000, 0x0002)) else b" "
    return struct.pack("<HHI", group, number, len(value)) + value


def short(group, number, value):
    return implicit(group, number, struct.pack("<H", value))


def accept(request):
    """A-ASSOCIATE-AC: every context, in implicit little endian."""
    body = request[6:74]
    body += wire.item(0x10, b"1.2.840.10008.3.1.1.1")
    at = 74
    while at < len(request):
        kind, _, length = struct.unpack(">BBH", request[at:at + 4])
        if kind == 0x20:
            body += wire.item(0x21, struct.pack(">BBBB", request[at + 4], 0, 0, 0) + wire.item(0x40, wire.IMPLICIT.encode()))
        at += 4 + length
    body += wire.item(0x50, wire.item(0x51, struct.pack(">I", 16384)) + wire.item(0x52, b"1.2.3.4"))
    return struct.pack(">BBI", 2, 0, len(body)) + body


def pdv(kind, body):
    return struct.pack(">BBI", 4, 0, len(body) + 6) + struct.pack(">IBB", len(body) + 2, 1, kind) + body


def response(status, has_data, command=0x8020, comment=None):
    body = implicit(0, 2, FIND) + short(0, 0x0100, command) + short(0, 0x0120, 1) + short(0, 0x0800, 1 if has_data else 0x0101) + \
        short(0, 0x0900, status)
    if comment is not None:
        body += implicit(0, 0x0902, comment)
    return pdv(3, implicit(0, 0, struct.pack("<I", len(body))) + body)


def match(number, name=b"Name^First", charset=b"ISO_IR 100", uid=None):
    return implicit(8, 5, charset) + implicit(8, 0x20, "20%02d0101" % (99 - number % 90)) + implicit(8, 0x52, "STUDY") + \
        implicit(0x10, 0x10, name) + implicit(0x10, 0x20, f"H-{number}") + implicit(0x20, 0xD, f"1.2.{number}" if uid is None else uid)


def pending(data):
    pieces = [data[at:at + 16000] for at in range(0, len(data), 16000)] or [b""]
    return response(0xFF00, True) + b"".join(pdv(2 if at == len(pieces) - 1 else 0, piece) for at, piece in enumerate(pieces))


def answer(peer):
    if MANNER == "many":
        for number in range(10000):
            peer.sendall(pending(match(number)))
        peer.sendall(response(0, False))
    elif MANNER == "letters":
        names = [("Müller^Jörg".encode("latin1"), b"ISO_IR 100"), ("Čapek^Karel".encode("latin2"), b"ISO_IR 101"),
                 ("Ἀθηνᾶ".encode(), b"ISO_IR 192"), (b"\xff\xfe", b"ISO_IR 192")]
        for number, (name, charset) in enumerate(names):
            peer.sendall(pending(match(number, name, charset)))
        peer.sendall(response(0, False))
    elif MANNER == "abort":
        peer.sendall(pending(match(1)) + struct.pack(">BBIBBBB", 7, 0, 4, 0, 0, 0, 0))
    elif MANNER == "hangup":
        peer.sendall(pending(match(1)) + response(0xFF00, True))
    elif MANNER == "status":
        peer.sendall(response(0xA700, False, comment="no room"))
    elif MANNER == "nonsense":
        peer.sendall(pending(bytes(range(256)) * 4))
    elif MANNER == "huge":
        peer.sendall(pending(match(1, b"x" * 200000)))
    elif MANNER == "nameless":
        peer.sendall(pending(match(1, uid="")))
    elif MANNER == "wrong":
        peer.sendall(response(0, False, command=0x8001))
    # "silent" says nothing


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen()
with open(PLACE, "w", encoding="ascii") as file:
    file.write(str(server.getsockname()[1]))
peer, _ = server.accept()
head = wire.read_exactly(peer, 6)
peer.sendall(accept(head + wire.read_exactly(peer, struct.unpack(">I", head[2:])[0])))
taken = 0
while taken < 2: # the command, and its data set
    head = wire.read_exactly(peer, 6)
    body = wire.read_exactly(peer, struct.unpack(">I", head[2:])[0])
    at = 0
    while at < len(body):
        length = struct.unpack(">I", body[at:at + 4])[0]
        taken += 1 if body[at + 5] & 2 else 0
        at += 4 + length
try:
    answer(peer)
    if MANNER not in ("abort", "hangup"):
        while peer.recv(4096):
            pass
except OSError:
    pass
peer.close()
