"""What a DICOM node meets on a network that nobody guards. dicom_hostile.py PORT SERVER_PID: exits 0 if it stands it all and
still serves well-behaved callers."""
import os
import random
import select
import socket
import struct
import sys
import threading
import time

import dicom_wire as wire

PORT, SERVER = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(20261130)
STUDY = "2.25.77001"
PATIENCE_S = 300 # for what must come; nothing is measured by it


def is_cut(peer):
    """The other side hangs up (perhaps after an abort or a rejection)."""
    peer.settimeout(PATIENCE_S)
    try:
        while peer.recv(4096):
            pass
        return True
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        peer.close()


def echo_works():
    peer = open_slot(contexts=((1, wire.VERIFICATION, (wire.IMPLICIT,)),))
    peer.sendall(wire.pdata(1, 3, wire.command({0x0002: wire.text(wire.VERIFICATION), 0x0100: struct.pack("<H", 0x30),
                                                0x0110: struct.pack("<H", 1), 0x0800: struct.pack("<H", 0x0101)})))
    assert wire.answer(peer)[0] == 0
    wire.release(peer)


def open_slot(**how):
    """An association, once there is a place: those that are served while we ask may take all."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            peer, *why = wire.associate(PORT, **how)
        except (EOFError, ConnectionError): # all places are taken
            peer, why = None, [2, 3, 2]
        if peer is not None:
            return peer
        assert why == [2, 3, 2], why
        time.sleep(0.1)
    raise AssertionError("never a free place")


def send_raw(data):
    """All of it, then the end; True if the other side hangs up."""
    peer = wire.connect(PORT)
    try:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        return True
    return is_cut(peer)


def noise():
    for length in (1, 5, 6, 7, 100, 5000, 200000):
        assert send_raw(chance.randbytes(length)), length
        assert send_raw(b"\1\0" + chance.randbytes(length)), length


def lengths():
    rq = wire.request()
    assert send_raw(struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + rq[6:]), "a request of 4 GiB"
    assert send_raw(struct.pack(">BBI", 1, 0, 300 << 10) + rq[6:]), "a request of 300 KiB"
    assert send_raw(struct.pack(">BBI", 4, 0, 1 << 20) + bytes(100)), "data before an association"
    for at in range(74, len(rq), 5): # lengths and numbers of the request turned into nonsense
        broken = bytearray(rq)
        broken[at] ^= 0xFF
        assert send_raw(bytes(broken)), at


def inside():
    """Faults behind an association that was accepted."""
    uid = "2.25.88001"
    data = wire.data_set(uid, STUDY)
    for head in (struct.pack(">BBI", 4, 0, 0xFFFFFFF0), struct.pack(">BBI", 4, 0, 3) + b"\0\0\0",
                 struct.pack(">BBI", 9, 0, 4) + bytes(4), wire.pdata(1, 3, b""), wire.pdata(1, 3, chance.randbytes(300)),
                 wire.pdata(99, 3, wire.store_head(uid)[12:]), wire.pdata(1, 2, data[:100]),
                 wire.store_head(uid, sop_class="1.2.840.10008.5.1.4.1.1.2"),
                 wire.store_head(uid) + wire.pdata(1, 3, data[:500]), wire.store_head(uid) + wire.pdata(3, 2, data),
                 struct.pack(">BBI", 4, 0, 20) + struct.pack(">IBB", 0xFFFFFF, 1, 3) + bytes(14)):
        peer = open_slot()
        peer.sendall(head)
        peer.sendall(struct.pack(">BBI", 7, 0, 4) + bytes(4)) # whoever still listens is told the end
        assert is_cut(peer), head[:20]
    peer = open_slot()
    status, comment = wire.store(peer, "2.25.88002", data) # says one instance, sends another
    assert (status, "another instance" in comment) == (0xC000, True), (status, comment)
    status, comment = wire.store(peer, "2.25.88003'; DROP", data)
    assert status == 0xC000, status
    status, comment = wire.store(peer, uid, data[:len(data) // 2]) # cut, but well framed
    assert status == 0xC000 and "ZZSECRET" not in comment, (status, comment)
    assert wire.store(peer, uid, chance.randbytes(5000))[0] == 0xC000
    assert wire.store(peer, uid, data)[0] == 0, "after all that, a sound object is taken on the same association"
    wire.release(peer)
    # Half an object, then gone: nothing of it is there, the whole is taken later.
    peer = open_slot()
    peer.sendall(wire.store_head("2.25.88004") + wire.pdata(1, 0, wire.data_set("2.25.88004", STUDY)[:4000]))
    peer.close()
    peer = open_slot()
    assert wire.store(peer, "2.25.88004", wire.data_set("2.25.88004", STUDY))[0] == 0
    wire.release(peer)


def is_over(peers):
    """One of them has heard something, if only the end."""
    return bool(select.select(peers, [], [], 0)[0])


def patience():
    """Silent and slow peers are cut, and do not keep others out meanwhile. A machine may be so busy that they are cut before
    others had their turn: then once more."""
    assert any(serves_others() for _ in range(5)), "others wait for slow peers"


def serves_others():
    silent = [wire.connect(PORT) for _ in range(3)]
    slow = wire.connect(PORT)
    results = []

    def drip():
        try:
            for byte in wire.request():
                slow.sendall(bytes((byte,)))
                time.sleep(0.5)
        except ConnectionError:
            pass
        results.append(is_cut(slow))

    dripping = threading.Thread(target=drip)
    dripping.start()
    echo_works()
    is_meanwhile = not is_over(silent)
    assert all(is_cut(peer) for peer in silent), "a silent peer stays"
    dripping.join(2 * PATIENCE_S)
    assert results == [True], "a slow peer stays"
    return is_meanwhile


def crowd():
    """More than are served: some are told to come later, many are hung up on."""
    held = [wire.connect(PORT) for _ in range(8)]
    told = []
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            peer, *why = wire.associate(PORT)
        except (EOFError, ConnectionError):
            peer, why = None, "hung up on"
        if peer is not None: # one of those before us was still ending
            held.append(peer)
            continue
        told.append(why)
        if why == [2, 3, 2]:
            break
        time.sleep(0.2)
    assert [2, 3, 2] in told, told
    many = [wire.connect(PORT) for _ in range(40)]
    assert select.select(many, [], [], PATIENCE_S)[0], "nobody is hung up on"
    for peer in held + many:
        peer.close()


def resident_mib():
    with open(f"/proc/{SERVER}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


before = resident_mib()
for part in (noise, lengths, inside, crowd, patience, echo_works):
    part()
    os.kill(SERVER, 0)
assert resident_mib() < before + 64, (before, resident_mib())
