"""kill -9 of the server while it sends signed reports: archive_crash.py PROGRAM HOME ROUNDS PORT KEPT. What is signed must be
in the archive in the end, once: every report with the UIDs that the records name. Says how often it was cut in the middle."""
import collections
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import dicom_wire as wire
from archive_uids import uid_of
from clinic_client import PASSWORD, Client, first_people

PROGRAM, HOME, ROUNDS, PORT, KEPT = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
chance = random.Random(31)


def start():
    server = subprocess.Popen([PROGRAM, "serve", "--home", HOME, "--port", "0", "--dicom-send-to", f"PACS@127.0.0.1:{PORT}"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in server.stdout:
        if line.startswith("Rehascope is at"):
            return server, line.split()[3]
    raise AssertionError("the server did not start")


def is_calling(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/cmdline", "rb") as file:
                    if b"--call" in file.read():
                        return True
        except OSError:
            pass
    return False


def outbox():
    said = subprocess.run([PROGRAM, "outbox", "list", "--json", "--home", HOME], capture_output=True, text=True, check=True).stdout
    return json.loads(said)


def wait_for(what, condition):
    end = time.time() + 300
    while not condition():
        assert time.time() < end, what
        time.sleep(0.005)


server, address = start()
_, petra = first_people(address)
studies = []
for number in range(ROUNDS): # pictures that the gate refuses: nothing to decide on
    uid = f"2.25.7{number:05d}"
    answer = petra.upload(wire.part10(uid, wire.data_set(uid, f"2.25.6{number:05d}", shade=number)), "one.dcm")
    studies.append(answer["items"][0]["study_id"])
signed = 0
for number, study in enumerate(studies):
    found = petra.wait(study, 600)
    petra.ask("POST", f"/studies/{study}/signature", {}, version=found["version"])
    signed += 1
    if number % 4 != 3: # in the middle of a call, or anywhere between the signature and its end
        wait_for("a call", lambda: is_calling(server.pid) or outbox()["counts"]["sent"] == signed)
        time.sleep(chance.uniform(0.0, 0.3))
    else:
        time.sleep(chance.uniform(0.0, 1.0))
    server.send_signal(signal.SIGKILL)
    server.wait()
    server, address = start()
    petra = Client(address)
    petra.sign_in("petra", PASSWORD)
wait_for("all to be sent", lambda: outbox()["counts"]["sent"] == signed)
server.send_signal(signal.SIGKILL)
server.wait()

names = collections.Counter(uid for letter in outbox()["items"] for uid in letter["objects"])
kept = collections.Counter(uid_of(os.path.join(KEPT, name)) for name in os.listdir(KEPT))
database = sqlite3.connect(os.path.join(HOME, "records.db"))
signatures = database.execute("SELECT COUNT(*) FROM signature").fetchone()[0]
cut = database.execute("SELECT COUNT(*) FROM audit WHERE action = 'study.send' AND detail LIKE '%interrupted%'").fetchone()[0]
print(f"{ROUNDS} kills, {cut} in the middle of a sending; {signatures} signatures, {len(names)} objects named, {len(kept)} in the "
      f"archive, {len(names - kept)} lost, {len(kept - names)} too many")
sys.exit(0 if signatures == ROUNDS and names == kept and max(names.values()) == 1 else 1)
