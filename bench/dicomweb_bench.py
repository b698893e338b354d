#!/usr/bin/env python3
"""DICOMweb on a clinic of its own: searching 1,000 studies, retrieving a film of 9 MB beside the interface's download of the same file,
and the server's memory while a large study goes out. dicomweb_bench.py PROGRAM SOURCE_TREE [STUDIES] [FILMS]"""
import http.client
import os
import shutil
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(sys.argv[2], "tests", "e2e"))
sys.dont_write_bytecode = True
from clinic_client import PASSWORD, Client, first_people  # noqa: E402


def element(group, number, vr, value):
    value = value.encode() if isinstance(value, str) else value
    value += b"" if len(value) % 2 == 0 else b"\0" if vr == "UI" else b" "
    head = struct.pack("<HH", group, number) + vr.encode()
    return head + (struct.pack("<xxI", len(value)) if vr in ("OW", "OB") else struct.pack("<H", len(value))) + value


def dicom(study, series, instance, patient, accession, side):
    """An uncompressed radiograph of side x side pixels of 16 bits, with noise in it."""
    us = lambda number, value: element(0x0028, number, "US", struct.pack("<H", value))
    meta = element(2, 1, "OB", b"\0\1") + element(2, 2, "UI", "1.2.840.10008.5.1.4.1.1.1.1") + element(2, 3, "UI", instance) + element(
        2, 0x10, "UI", "1.2.840.10008.1.2.1")
    data = element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.1.1") + element(8, 0x18, "UI", instance) + element(8, 0x20, "DA", "20260131")
    data += element(8, 0x50, "SH", accession) + element(8, 0x60, "CS", "DX") + element(8, 0x1030, "LO", "Knee") + element(0x10, 0x10, "PN", "A^B")
    data += element(0x10, 0x20, "LO", patient) + element(0x20, 0xD, "UI", study) + element(0x20, 0xE, "UI", series)
    data += us(2, 1) + element(0x28, 4, "CS", "MONOCHROME2") + us(0x10, side) + us(0x11, side) + us(0x100, 16) + us(0x101, 12) + us(0x102, 11)
    data += us(0x103, 0) + element(0x7FE0, 0x10, "OW", b"".join(struct.pack("<I", i * 2654435761 & 0x0FFF0FFF) for i in range(side * side // 2)))
    return b"\0" * 128 + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + data


def memory_kib(pid, what):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith(what):
            return int(line.split()[1])
    return 0


def serve(program, home, environment):
    """The process of a server, and its address."""
    served = home + ".served"
    with open(served, "wb") as out:
        server = subprocess.Popen([program, "serve", "--home", home, "--port", "0"], env=environment, stdout=out, stderr=subprocess.DEVNULL)
    address = ""
    while not address:
        assert server.poll() is None, "the server did not start"
        with open(served, encoding="utf-8") as file:
            address = "".join(line.split()[3] for line in file if line.startswith("Rehascope is at") and line.endswith("\n"))
        time.sleep(0.1)
    return server, address


def stop(server):
    server.terminate()
    server.wait()


def processor_s(pid):
    """Of the server and its ended helpers, user and system, so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return sum(int(part) for part in file.read().rsplit(")", 1)[1].split()[11:15]) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, address, client, pid):
        self.address, self.client, self.pid = urllib.parse.urlsplit(address), client, pid

    def get(self, path, watch=None):
        """Seconds to the first byte and to the last, bytes, highest memory seen meanwhile (KiB)."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=600)
        start, count, most = time.perf_counter(), 0, 0
        connection.request("GET", path, headers={"Cookie": self.client.cookie})
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status, answer.read()[:300])
        first = time.perf_counter() - start
        while piece := answer.read(1 << 20):
            count += len(piece)
            most = max(most, memory_kib(watch, "VmRSS")) if watch else 0
        connection.close()
        return first, time.perf_counter() - start, count, most

    def show(self, name, path, times):
        before = processor_s(self.pid)
        took = [self.get(path) for _ in range(times)]
        used = (processor_s(self.pid) - before) / times
        last = sorted(t[1] for t in took)
        print(f"{name:42} median {1000 * statistics.median(last):7.1f} ms, least {1000 * last[0]:7.1f} ms, the server's processor time"
              f" {1000 * used:6.1f} ms, {took[0][2]:9} bytes", flush=True)


def main(program, source, studies=1000, films=60):
    work = tempfile.mkdtemp()
    home, files = os.path.join(work, "home"), os.path.join(work, "files")
    os.makedirs(files)
    for i in range(int(studies)):
        with open(os.path.join(files, f"{i:05}.dcm"), "wb") as file:
            file.write(dicom(f"1.2.3.{i}", f"1.2.3.{i}.1", f"1.2.3.{i}.1.1", f"N-{i % 400}", f"A-{i}", 32))
    film = dicom("1.2.4.1", "1.2.4.1.1", "9.9.99", "N-1", "A-film", 2124)
    for i in range(int(films)):
        with open(os.path.join(files, f"film-{i}.dcm"), "wb") as file:
            file.write(film.replace(b"9.9.99", b"9.9.%02d" % i))
    environment = dict(os.environ, REHASCOPE_MODELS=os.path.join(source, "models"), OMP_NUM_THREADS="1")
    server, address = serve(program, home, environment)  # makes the home
    first_people(address)
    stop(server)
    start = time.perf_counter()
    subprocess.run([program, "import", files, "--home", home], env=environment, check=True, stdout=subprocess.DEVNULL)
    print(f"stored {studies} studies and {films} films in {time.perf_counter() - start:.0f} s", flush=True)
    records = sqlite3.connect(os.path.join(home, "records.db"))  # else the analyses would be measured, too
    records.execute("UPDATE job SET state = 'done'")
    records.commit()
    records.close()
    server, address = serve(program, home, environment)
    try:
        petra = Client(address)
        petra.sign_in("petra", PASSWORD)
        bench = Bench(address, petra, server.pid)
        web = "/dicom-web/studies"
        bench.show(f"search: all {studies} studies", web + "?limit=1000", 10)
        bench.show("search: the newest 50", web + "?limit=50", 10)
        bench.show("search: one UID", web + "?StudyInstanceUID=1.2.3.500", 20)
        bench.show("search: PatientID (number)", web + "?PatientID=N-7", 20)
        bench.show("search: AccessionNumber", web + "?AccessionNumber=A-500", 20)
        bench.show("search: instances of the film's study", web + "/1.2.4.1/instances", 10)
        bench.show("metadata of one film", web + "/1.2.4.1/series/1.2.4.1.1/instances/9.9.10/metadata", 10)
        study = [s for s in petra.get("/studies?limit=200")["items"] if s["image_count"] > 1][0]
        image = petra.get("/studies/" + study["id"])["images"][0]["id"]
        bench.show("film by WADO-RS", web + "/1.2.4.1/series/1.2.4.1.1/instances/9.9.10", 20)
        bench.show("the same by /api/v1/images/{id}/file.dcm", f"/api/v1/images/{image}/file.dcm", 20)
        before, high = memory_kib(server.pid, "VmRSS"), memory_kib(server.pid, "VmHWM")
        first, last, count, most = bench.get(web + "/1.2.4.1", server.pid)
        print(f"study of {films} films by WADO-RS: {count >> 20} MiB, first byte after {1000 * first:.0f} ms, {last:.1f} s, {count / last / 2 ** 20:.0f} MiB/s;"
              f" server's memory {before >> 10} MiB before (highest ever {high >> 10}), at most {most >> 10} MiB meanwhile")
    finally:
        stop(server)
        shutil.rmtree(work)


if __name__ == "__main__":
    main(*sys.argv[1:])
