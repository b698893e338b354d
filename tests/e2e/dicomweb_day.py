"""Another system stores, finds and retrieves images by DICOMweb, with nothing but Python's own HTTP and MIME parsers.
dicomweb_day.py ADDRESS FOLDER: the folder holds one.dcm, two.dcm (a second series of the study of one.dcm), implicit.dcm, jpeg.dcm,
other.dcm (each a study of its own), and of each but other.dcm NAME.json: what dcm2json says of it."""
import email.parser
import email.policy
import http.client
import json
import os
import sys

from clinic_client import Client, first_people

BULK = set("OB OW OF OD OL OV UN SV UV".split())
STUDY, SERIES, SOP, CLASS = "0020000D", "0020000E", "00080018", "00080016"
STORED, FAILED, OTHERS, REASON = "00081199", "00081198", "0008119A", "00081197"
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'


class Dicomweb:
    def __init__(self, client, token=None):
        self.client, self.token = client, token

    def ask(self, method, path, body=None, expect=200, **headers):
        connection = http.client.HTTPConnection(self.client.address.hostname, self.client.address.port, timeout=120)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent["Authorization"] = "Bearer " + self.token
        elif self.client.cookie:
            sent.update({"Cookie": self.client.cookie, "X-CSRF-Token": self.client.csrf})
        connection.request(method, "/dicom-web" + path, body=body, headers=sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.heads = answer.headers
        assert answer.status == expect, (method, path, answer.status, data[:400])
        return data

    def json(self, path, expect=200, **headers):
        data = self.ask("GET", path, expect=expect, **headers)
        if expect == 200:
            assert self.heads["Content-Type"] == "application/dicom+json", self.heads["Content-Type"]
        return json.loads(data) if data else None

    def files(self, path):
        """The parts of a retrieve: [(content type, bytes)]."""
        data = self.ask("GET", path, Accept=FILES)
        assert int(self.heads["Content-Length"]) == len(data)
        head = b"Content-Type: " + self.heads["Content-Type"].encode() + b"\r\n\r\n"
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
        assert message.get_content_type() == "multipart/related" and message.get_param("type") == "application/dicom"
        parts = [(part["Content-Type"].replace('"', ""), part.get_payload(decode=True)) for part in message.get_payload()]
        for part in message.get_payload():
            assert int(part["Content-Length"]) == len(part.get_payload(decode=True))
        return parts

    def store(self, parts, path="/studies", expect=200, kind="application/dicom", chunked=False):
        body = b"".join(b"--=_b 1\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + part + b"\r\n" for part in parts) + b"--=_b 1--\r\n"
        answer = self.ask("POST", path, iter([body[i:i + 1000] for i in range(0, len(body), 1000)]) if chunked else body, expect,
                          Content_Type='multipart/related; type="application/dicom"; boundary="=_b 1"', Accept="application/dicom+json")
        return json.loads(answer)


def value(attributes, tag):
    return attributes[tag]["Value"][0]


def reasons(answer, tag):
    return [value(item, REASON) for item in answer.get(tag, {}).get("Value", [])]


def same(ours, theirs, where=""):
    """Every attribute of dcm2json but bulk data and the file's own group, and nothing else."""
    theirs = {tag: item for tag, item in theirs.items() if item["vr"] not in BULK and not tag.startswith("0002") and tag != "00080005"}
    ours = {tag: item for tag, item in ours.items() if tag != "00080005"}
    assert set(ours) == set(theirs), (where, set(ours) ^ set(theirs))
    for tag, item in theirs.items():
        assert ours[tag]["vr"] == item["vr"], (where, tag, ours[tag], item)
        mine, other = ours[tag].get("Value", []), item.get("Value", [])
        assert len(mine) == len(other), (where, tag, mine, other)
        for a, b in zip(mine, other):
            if item["vr"] == "SQ":
                same(a, b, where + tag + ".")
            elif isinstance(b, (int, float)) or item["vr"] in ("DS", "IS"):
                assert abs(float(a) - float(b)) <= 1e-12 * abs(float(b)), (where, tag, a, b)
            else:
                assert a == b, (where, tag, a, b)


def day(address, folder):
    admin, petra = first_people(address)
    data = {name[:-4]: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder) if name.endswith(".dcm")}
    told = {name: json.load(open(os.path.join(folder, name + ".json"), encoding="utf-8")) for name in data if name != "other"}
    tokens = {role: admin.ask("POST", "/tokens", {"name": "viewer " + role, "role": role}) for role in ("read-only", "researcher")}
    work = Dicomweb(petra)
    viewer = Dicomweb(petra, tokens["read-only"]["token"])
    research = Dicomweb(petra, tokens["researcher"]["token"])
    nobody = Dicomweb(Client(address))

    # Nothing is there yet; who may what.
    viewer.json("/studies", 204)
    nobody.ask("GET", "/studies", expect=401)
    research.ask("GET", "/studies", expect=403)
    for who, code in ((viewer, 403), (research, 403), (nobody, 401)):
        who.ask("POST", "/studies", b"--b--", code, Content_Type="multipart/related; type=\"application/dicom\"; boundary=b")
    forged = Dicomweb(Client(address))
    forged.client.cookie = petra.cookie
    forged.ask("POST", "/studies", b"--b--", 403, Content_Type="multipart/related; boundary=b")

    # Stored: both series of one study at once, in pieces; each is named, and there.
    answer = work.store([data["one"], data["two"]], chunked=True)
    assert FAILED not in answer and OTHERS not in answer, answer
    assert [value(item, "00081155") for item in answer[STORED]["Value"]] == [value(told[name], SOP) for name in ("one", "two")]
    assert [value(item, "00081150") for item in answer[STORED]["Value"]] == [value(told[name], CLASS) for name in ("one", "two")]
    study = value(told["one"], STUDY)
    assert value(answer, "00081190") == f"{address}/dicom-web/studies/{study}"
    work.store([data["implicit"]], path="/studies/" + value(told["implicit"], STUDY))
    # Again: known, and acknowledged; one that is good beside one that is none; all bad; of another study.
    assert STORED in work.store([data["one"]])
    answer = work.store([b"no image", data["jpeg"], data["one"][:3000]], expect=202)
    assert len(answer[STORED]["Value"]) == 1 and reasons(answer, OTHERS) == [0xC000, 0xC000], answer
    answer = work.store([b"PK\3\4" + b"\0" * 200, b"\x89PNG\r\n\x1a\n" + b"\0" * 200], expect=409)
    assert STORED not in answer and reasons(answer, OTHERS) == [0xC000, 0xC000], answer
    answer = work.store([data["other"]], path="/studies/" + study, expect=409)
    assert reasons(answer, FAILED) == [0xA900] and value(answer[FAILED]["Value"][0], "00081155"), answer
    assert reasons(work.store([data["jpeg"]], path="/studies/" + study, expect=409), OTHERS) == [0xA900]  # known, elsewhere
    assert reasons(work.store([data["other"]], kind="text/plain", expect=409), OTHERS) == [0xC000]
    work.ask("POST", "/studies", b"--b--", 400, Content_Type='multipart/related; type="application/dicom"; boundary=b')
    work.ask("POST", "/studies", b"--b\r\n\r\nhalf", 400, Content_Type='multipart/related; type="application/dicom"; boundary=b')
    work.ask("POST", "/studies", data["other"], 415, Content_Type="application/dicom")
    work.ask("POST", "/studies", b"--b--", 415, Content_Type='multipart/related; type="application/dicom+json"; boundary=b')

    # Found: by UID, the hospital's number, name, day, modality, accession number, description.
    found = viewer.json("/studies")
    assert len(found) == 3 and {value(s, STUDY) for s in found} == {value(told[n], STUDY) for n in ("one", "implicit", "jpeg")}
    assert value(found[-1], STUDY) == study  # the newest first
    first = [s for s in found if value(s, STUDY) == study][0]
    assert value(first, "00201206") == 2 and value(first, "00201208") == 2, first
    number = value(told["one"], "00100020")
    pseudonym = value(first, "00100020")
    assert number not in json.dumps(found) and "Value" not in first["00100010"], first
    patient = petra.get("/studies?text=" + pseudonym)["items"][0]["patient"]["id"]
    version = petra.get("/patients/" + patient)["version"]
    petra.ask("PUT", "/patients/" + patient, {"pseudonym": pseudonym, "name": "Erna Person", "sex": "f"}, version=version)
    date, accession = value(first, "00080020"), value(told["one"], "00080050")
    only = [{study}]
    for query in (f"StudyInstanceUID={study}", f"0020000D={study},1.2.3", "PatientID=" + number, "PatientID=" + pseudonym,
                  "00100020=" + pseudonym[:4] + "*&AccessionNumber=" + accession, "PatientName=erna*", "PatientName=Erna%20P?rson",
                  f"StudyDate={date}&AccessionNumber={accession[:-1]}%3F", f"AccessionNumber={accession}&StudyDate={date}-",
                  f"AccessionNumber={accession}&StudyDate=-{date}", "StudyDescription=Knie*", "PatientName=Erna*&ModalitiesInStudy=MR,DX",
                  "PatientName=Erna*&includefield=all&includefield=00081030"):
        assert [{value(s, STUDY) for s in viewer.json("/studies?" + query)}] == only, query
    first = viewer.json("/studies?PatientName=Erna*")[0]
    assert value(first, "00100010") == {"Alphabetic": "Erna Person"} and value(first, "00100040") == "F"
    assert value(first, "00081030") == "Knie ü", first
    for query in ("PatientID=nobody", "PatientName=Ern", "StudyDate=-19000101", "StudyDate=20990101-", "ModalitiesInStudy=XX", "AccessionNumber=none",
                  "StudyInstanceUID=1.2.3", "PatientName=%5BE%5Drna*", "offset=3"):
        viewer.json("/studies?" + query, 204)
    for query in ("StudyDate=2026-01-01", "StudyDate=-", "limit=0", "limit=x", "offset=-1", "PatientID=a&00100020=b"):
        viewer.json("/studies?" + query, 400)
    pages = [viewer.json(f"/studies?limit=1&offset={offset}") for offset in range(3)]
    assert [value(page[0], STUDY) for page in pages] == [value(s, STUDY) for s in found] and "Warning" not in viewer.heads
    viewer.json("/studies?limit=2&fuzzymatching=true&Occupation=none")
    warning = viewer.heads["Warning"]
    assert warning.startswith("299 ") and "There are 1 additional results" in warning and "fuzzymatching" in warning and "Occupation" in warning
    viewer.ask("GET", "/studies", expect=406, Accept="application/dicom+xml")
    viewer.json("/studies", Accept="text/html, application/json;q=0.5")

    # Series and instances.
    series = viewer.json(f"/studies/{study}/series")
    assert {value(s, SERIES) for s in series} == {value(told[n], SERIES) for n in ("one", "two")}
    assert all(value(s, "00201209") == 1 and value(s, "00081190").endswith(value(s, SERIES)) for s in series)
    uid = value(told["two"], SERIES)
    assert len(viewer.json(f"/studies/{study}/series?SeriesInstanceUID={uid}&Modality=DX")) == 1
    viewer.json(f"/studies/{study}/series?Modality=MR", 204)
    instances = viewer.json(f"/studies/{study}/instances")
    assert {value(i, SOP) for i in instances} == {value(told[n], SOP) for n in ("one", "two")}
    instance = viewer.json(f"/studies/{study}/series/{uid}/instances?SOPInstanceUID={value(told['two'], SOP)}")[0]
    assert value(instance, "00280010") == value(told["two"], "00280010") and value(instance, "00083002") == "1.2.840.10008.1.2.1"
    viewer.json(f"/studies/{study}/series/1.2.3/instances", 204)
    viewer.json("/studies/1.2.3/series", 204)

    # Attributes: what DCMTK says of the same files.
    for name, item in told.items():
        where = f"/studies/{value(item, STUDY)}/series/{value(item, SERIES)}/instances/{value(item, SOP)}"
        answer = viewer.json(where + "/metadata")
        assert len(answer) == 1
        same(answer[0], item, name + ": ")
    assert len(viewer.json(f"/studies/{study}/metadata")) == 2 and len(viewer.json(f"/studies/{study}/series/{uid}/metadata")) == 1
    viewer.json("/studies/1.2.3/metadata", 404)
    viewer.json(f"/studies/{study}/series/{uid}/instances/1.2/metadata", 404)
    research.ask("GET", f"/studies/{study}/metadata", expect=403)

    # Files: as they came, byte for byte; for who may export.
    whole = work.files("/studies/" + study)
    assert [part for _, part in whole] == [data["one"], data["two"]]
    assert [part for _, part in work.files(f"/studies/{study}/series/{uid}")] == [data["two"]]
    kind, part = work.files(value(instance, "00081190")[len(address + "/dicom-web"):])[0]
    assert part == data["two"] and kind == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    jpeg = "/studies/" + value(told["jpeg"], STUDY)
    assert work.files(jpeg)[0] == ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.70", data["jpeg"])
    work.ask("GET", jpeg, expect=406, Accept='multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1')
    work.ask("GET", jpeg, Accept='multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.70')
    work.ask("GET", jpeg, expect=406, Accept='multipart/related; type="image/jpeg"')
    work.ask("GET", jpeg)
    work.ask("GET", "/studies/1.2.3", expect=404)
    for who, code in ((viewer, 403), (research, 403), (nobody, 401)):
        who.ask("GET", "/studies/" + study, expect=code)
    work.ask("PUT", "/studies/" + study, b"", expect=405)
    work.ask("GET", "/none", expect=404)

    # A signed study is closed; what was done stands in the audit log under the names of those who did it.
    seen = admin.get("/audit?limit=200&user_id=" + tokens["read-only"]["id"])["items"]
    assert {e["action"] for e in seen} == {"study.search", "study.see"}, {e["action"] for e in seen}
    items = admin.get("/audit?limit=200")["items"]
    assert sum(1 for e in items if e["action"] == "image.store") == 4
    exports = [e for e in items if e["action"] == "image.export"]
    assert {e["entity"] for e in exports} == {"study", "image"} and {e["user_name"] for e in exports} == {"Petra P."}
    return study


if __name__ == "__main__":
    print(day(*sys.argv[1:]))
