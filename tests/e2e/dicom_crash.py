"""kill -9 of the process of an association, or of the server, while a modality sends: dicom_crash.py PROGRAM HOME ROUNDS FOLDER.
What storescu was told is stored must be in the records. Says how often something was cut in the middle."""
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time

import dicom_wire as wire

PROGRAM, HOME, ROUNDS, FOLDER = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
FILES = 12
chance = random.Random(9)


def start():
    """A server and the port of its DICOM node."""
    server = subprocess.Popen([PROGRAM, "serve", "--home", HOME, "--port", "0", "--dicom-port", "0"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = ""
    while "Rehascope is at" not in said or "DICOM node" not in said:
        line = server.stdout.readline()
        assert line, "the server did not start: " + said
        said += line
    return server, re.search(r"DICOM node REHASCOPE at port (\d+)", said)[1]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        direct = file.read().split()
    for task in os.listdir(f"/proc/{pid}/task"): # of all its threads
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                direct += file.read().split()
        except OSError:
            pass
    found = []
    for child in set(direct):
        try:
            with open(f"/proc/{child}/cmdline", "rb") as file:
                if b"--association" in file.read():
                    found.append(int(child))
        except OSError:
            pass
    return found


def make(number):
    names = {}
    for k in range(FILES):
        uid = f"2.25.9{number:05d}{k:03d}"
        path = os.path.join(FOLDER, f"{number}-{k}.dcm")
        data = wire.data_set(uid, f"2.25.8{number:05d}", shade=number * FILES + k)
        with open(path, "wb") as file:
            file.write(wire.part10(uid, data))
        names[path] = uid
    return names


def listen(sending, answers):
    """What the sender says until it has had so many answers, or its end."""
    said = ""
    while said.count("Received Store Response") < answers:
        line = sending.stdout.readline()
        if not line:
            break
        said += line
    return said


acknowledged, cut, whole = set(), 0, 0
server, port = start()
for number in range(ROUNDS):
    files = make(number)
    sending = subprocess.Popen(["storescu", "-v", "-aec", "REHASCOPE", "127.0.0.1", port, *files], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    by_server = number % 4 == 3
    # At any instant from the start of the sender to its last file, on fast and on slow machines.
    output = listen(sending, chance.randrange(FILES))
    time.sleep(chance.uniform(0.0, 0.03))
    if by_server:
        server.send_signal(signal.SIGKILL)
        server.wait()
    else:
        for child in children(server.pid):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
    output += sending.communicate(timeout=600)[0]
    told = re.findall(r"Sending file: (\S+)|Received Store Response \((\w+)", output)
    path, before = None, len(acknowledged)
    for name, status in told:
        path = name or path
        if status == "Success":
            acknowledged.add(files[path])
    got = len(acknowledged) - before
    cut += 1 if 0 < got < FILES else 0
    whole += 1 if got == FILES else 0
    if by_server:
        server, port = start()
    for path in files:
        os.unlink(path)
server.send_signal(signal.SIGKILL)
server.wait()
held = {uid for (uid,) in sqlite3.connect(os.path.join(HOME, "records.db")).execute("SELECT sop_uid FROM image")}
lost = acknowledged - held
print(f"{ROUNDS} kills, {cut} in the middle of a sending, {whole} behind one; {len(acknowledged)} acknowledged, "
      f"{len(held)} held, {len(lost)} lost")
sys.exit(1 if lost or not acknowledged or (ROUNDS >= 10 and cut == 0) else 0)
