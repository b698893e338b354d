"""What a hospital's information system reads while a clinic works: every resource goes into a folder, for the judges of the standard.
fhir_day.py ADDRESS FOLDER DICOM_FILE PNG_FILE"""
import json
import os
import sys

from clinic_client import Client, first_people

FINDING = "urn:rehascope:finding"


class Reader:
    """One token; keeps all that it was told."""

    def __init__(self, client, folder, name, token):
        self.client, self.folder, self.name, self.token, self.count = client, folder, name, token, 0

    def get(self, path, expect=200, **headers):
        resource, heads = self.client.fhir(path, self.token, expect, headers)
        if resource is not None:
            self.count += 1
            with open(os.path.join(self.folder, f"{self.name}-{self.count:03}.json"), "w", encoding="utf-8") as file:
                json.dump(resource, file)
            assert heads["Content-Type"] == "application/fhir+json", heads["Content-Type"]
        self.heads = heads
        return resource

    def all(self, path):
        """The resources of all pages."""
        found, pages, bundle = [], 0, self.get(path)
        while True:
            found += [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]
            links = {link["relation"]: link["url"] for link in bundle["link"]}
            pages += 1
            if "next" not in links:
                assert len(found) == bundle["total"], (len(found), bundle["total"])
                return found, pages
            bundle = self.get(links["next"])


def components(observation):
    return {c["code"]["coding"][0]["code"]: c.get("valueQuantity", {}).get("value", c.get("valueString", c.get("valueRange")))
            for c in observation.get("component", [])}


def by_key(observations):
    return {c["code"]: o for o in observations for c in o["code"]["coding"] if c["system"] == FINDING}


def decide(client, study, result, **decision):
    return client.ask("POST", f"/results/{result['id']}/reviews", {"region": 0, **decision}, version=study["version"])


def sign(client, study_id, amended):
    """Amends the grade, rejects the first joint space width, accepts the rest, and signs."""
    study = client.get("/studies/" + study_id)
    for result in [result for image in study["images"] for result in image["results"]]:
        for place, region in enumerate(result["analysis"]["regions"]):
            for finding in region["findings"]:
                decision = {"finding": finding["key"], "region": place, "decision": "accept"}
                if finding["key"] == "kl-grade":
                    decision.update(decision="amend", value=amended, reason="seen otherwise")
                if finding["key"] == "jsw-lateral-min":
                    decision.update(decision="reject", reason="rotated")
                study = client.ask("POST", f"/results/{result['id']}/reviews", decision, version=study["version"])
    return client.ask("POST", f"/studies/{study_id}/signature", {}, version=study["version"])


def day(address, folder, dicom, png):
    admin, petra = first_people(address)
    tokens = {role: admin.ask("POST", "/tokens", {"name": f"{role} of the ward", "role": role}) for role in ("read-only", "researcher")}
    ward = Reader(admin, folder, "ward", tokens["read-only"]["token"])
    research = Reader(admin, folder, "research", tokens["researcher"]["token"])
    anyone = Reader(Client(address), folder, "anyone", None)

    capability = anyone.get("/metadata")
    assert capability["fhirVersion"] == "4.0.1" and len(capability["rest"][0]["resource"]) == 4
    anyone.get("/Patient", expect=401)
    assert anyone.heads["WWW-Authenticate"].startswith("Bearer")

    # A film comes with the number of the patient in the hospital; a picture of the same patient without one.
    with open(dicom, "rb") as file:
        film = petra.upload(file.read(), "film.dcm")["items"][0]["study_id"]
    patient_id = petra.wait(film)["patient"]["id"]
    person = petra.get("/patients/" + patient_id)
    petra.ask("PUT", "/patients/" + patient_id, {"name": "Erna Person", "birth_year": 1951, "sex": "f"}, version=person["version"])
    with open(png, "rb") as file:
        picture = petra.upload(file.read(), "right knee.png", patient_id=patient_id, image_date="2026-02-01", mm_per_px=0.2)["items"][0]["study_id"]
    petra.wait(picture)

    # The ward knows the patient by number, the researcher does not; only the ward sees the name and the study's UID.
    found, _ = ward.all("/Patient?identifier=WARD-4711")
    assert [p["id"] for p in found] == [patient_id] and found[0]["name"][0]["text"] == "Erna Person", found
    assert research.all("/Patient?identifier=WARD-4711")[0] == []
    assert "name" not in research.get("/Patient/" + patient_id)
    uid = ward.get("/ImagingStudy/" + film)["identifier"][0]["value"]
    assert uid.startswith("urn:oid:") and [s["id"] for s in ward.all("/ImagingStudy?identifier=" + uid)[0]] == [film]
    assert "identifier" not in research.get("/ImagingStudy/" + film)
    assert research.all("/ImagingStudy?identifier=" + uid)[0] == []
    assert {s["id"] for s in research.all("/ImagingStudy?patient=" + patient_id)[0]} == {film, picture}

    # Before anybody looked: preliminary, with the software's numbers.
    report = ward.get("/DiagnosticReport/" + film)
    assert report["status"] == "preliminary" and "resultsInterpreter" not in report and report["conclusion"].startswith("NOT REVIEWED")
    observations = by_key(ward.all(f"/Observation?derived-from=ImagingStudy/{film}")[0])
    assert {"kl-grade", "oa", "jsw-medial-min", "jsw-lateral-min"} <= set(observations), set(observations)
    grade = observations["kl-grade"]
    told = petra.get("/studies/" + film)["images"][0]["results"][0]
    grading = [f for f in told["analysis"]["regions"][0]["findings"] if f["key"] == "kl-grade"][0]["grading"]
    assert grade["status"] == "preliminary" and grade["valueQuantity"]["value"] == grading["grade"]
    parts = components(grade)
    for i, probability in enumerate(grading["probabilities"]):
        assert abs(parts[f"probability-grade-{i}"] - probability) < 1e-6
    assert grade["bodySite"]["coding"][0]["code"] in ("6757004", "82169009", "72696002")
    assert grade["contained"][0]["resourceType"] == "Device" and told["model_hash"] in json.dumps(grade["contained"])
    width = observations["jsw-medial-min"]
    assert width["valueQuantity"]["system"] == "http://unitsofmeasure.org" and components(width)["error-95"] > 0, width
    assert observations["oa"]["code"]["coding"][0] == {"system": "http://snomed.info/sct", "code": "239873007", "display": "Osteoarthritis of knee"}
    assert ward.get("/Observation/" + grade["id"])["valueQuantity"] == grade["valueQuantity"]
    tag = ward.heads["ETag"]
    assert tag == f'W/"{grade["meta"]["versionId"]}"' and ward.heads["Last-Modified"].endswith("GMT")
    ward.get("/Observation/" + grade["id"], expect=304, **{"If-None-Match": tag})

    # Signed: what the reader decided stands in the place of what the software said, which is told beside it.
    amended = (grading["grade"] + 1) % 5
    sign(petra, film, amended)
    ward.get("/Observation/" + grade["id"], **{"If-None-Match": tag})
    report = ward.get("/DiagnosticReport/" + film)
    assert report["status"] == "final" and report["resultsInterpreter"][0]["display"] == "Petra P."
    assert f"{amended} in place of {grading['grade']}" in report["conclusion"] and "rejected" in report["conclusion"], report["conclusion"]
    observations = by_key(ward.all("/Observation?patient=" + patient_id + "&derived-from=" + film)[0])
    grade = observations["kl-grade"]
    assert grade["status"] == "final" and grade["valueQuantity"]["value"] == amended
    assert components(grade)["software-value"] == grading["grade"] and components(grade)["reader-value"] == amended
    rejected = observations["jsw-lateral-min"]
    assert "valueQuantity" not in rejected and rejected["dataAbsentReason"]["text"] == "rejected by the reader"
    assert components(rejected)["decision"] == "reject"
    assert {r["reference"] for r in report["result"]} == {"Observation/" + o["id"] for o in observations.values()}
    pdf = report["presentedForm"][0]["url"]
    assert pdf.endswith(f"/studies/{film}/report.pdf")
    code, _, data = admin.raw("GET", pdf[pdf.index("/api/v1") + 7:])
    assert code == 200 and data.startswith(b"%PDF")

    # What changed since the last look, of everybody: how a ward's system keeps up.
    changed = report["meta"]["lastUpdated"]
    assert film in [r["id"] for r in ward.all("/DiagnosticReport?_lastUpdated=ge" + changed)[0]]
    assert ward.all("/DiagnosticReport?_lastUpdated=gt" + changed)[0] == []
    assert {r["id"] for r in ward.all("/ImagingStudy?_lastUpdated=le" + changed)[0]} == {film, picture}

    # Reopened: nobody stands for it. Decided and signed again: amended, where something was decided anew.
    study = petra.get("/studies/" + film)
    petra.ask("POST", f"/studies/{film}/reopen", {"reason": "looked again"}, version=study["version"])
    assert ward.get("/DiagnosticReport/" + film)["status"] == "preliminary"
    study = petra.get("/studies/" + film)
    decide(petra, study, told, finding="kl-grade", decision="accept")
    study = petra.get("/studies/" + film)
    petra.ask("POST", f"/studies/{film}/signature", {}, version=study["version"])
    assert ward.get("/DiagnosticReport/" + film)["status"] == "amended"
    observations = by_key(ward.all(f"/Observation?derived-from={film}")[0])
    assert observations["kl-grade"]["status"] == "amended" and observations["kl-grade"]["valueQuantity"]["value"] == grading["grade"]
    assert observations["oa"]["status"] == "final"
    assert [o["id"] for o in ward.all(f"/Observation?patient={patient_id}&status=amended")[0]] == [observations["kl-grade"]["id"]]

    # Asked for by name, by mistake, and set aside: told as entered in error, and in no list. Replaced by a newer one: gone.
    image = petra.get("/studies/" + picture)["images"][0]["id"]
    first = petra.get("/studies/" + picture)["images"][0]["results"][0]
    petra.ask("POST", f"/images/{image}/analysis", {"task": "knee-oa"})
    study = petra.wait(picture)
    asked = [r for r in study["images"][0]["results"] if r["asked"]][0]
    old = f"/Observation/{first['id']}.0.kl-grade"
    gone = ward.get(old, expect=410)
    assert gone["issue"][0]["code"] == "deleted"
    petra.ask("POST", f"/results/{asked['id']}/set-aside", {"reason": "asked by mistake"}, version=study["version"])
    assert ward.get(f"/Observation/{asked['id']}.0.kl-grade")["status"] == "entered-in-error"
    assert ward.get(old)["status"] == "preliminary"
    assert asked["id"] not in json.dumps(ward.all(f"/Observation?derived-from={picture}")[0])
    ward.get(f"/Observation/{asked['id']}.0.no-such", expect=404)

    # Research only: said in the resource itself.
    petra.ask("POST", f"/images/{image}/analysis", {"task": "fracture"})
    petra.wait(picture)
    for score in ({"instrument": "koos-pain", "value": 61, "side": "right"}, {"instrument": "nrs-pain", "value": 4},
                  {"instrument": "walk-6min", "value": 410}, {"instrument": "other", "name": "Hop test", "unit": "{hops}", "value": 4}):
        petra.ask("POST", f"/patients/{patient_id}/scores", {"date": "2026-02-01", **score})
    everything, pages = ward.all(f"/Patient/{patient_id}/$everything?_count=7")
    kinds = {kind: sum(1 for r in everything if r["resourceType"] == kind) for kind in ("Patient", "ImagingStudy", "DiagnosticReport", "Observation")}
    assert kinds["Patient"] == 1 and kinds["ImagingStudy"] == kinds["DiagnosticReport"] == 2 and kinds["Observation"] > 10 and pages > 2, kinds
    assert len({(r["resourceType"], r["id"]) for r in everything}) == len(everything)
    assert ward.get(f"/Patient/{patient_id}/$everything?_summary=count")["total"] == len(everything)
    for text in ("Erna Person", uid):
        assert text in json.dumps(everything) and text not in json.dumps(research.all(f"/Patient/{patient_id}/$everything")[0])
    assert len(ward.all(f"/Observation?patient={patient_id}&code=http://loinc.org|72102-7")[0]) == 1

    # A token reads, and is over when it is revoked; what it saw stands under its name.
    for method, path in (("POST", "/patients"), ("GET", "/session"), ("GET", "/users")):
        code, _, _ = Client(address).raw(method, path, {} if method == "POST" else None, {"Authorization": "Bearer " + ward.token})
        assert code == 403, (method, path, code)
    seen = admin.get("/audit?user_id=" + tokens["read-only"]["id"])["items"]
    assert {e["action"] for e in seen} == {"patient.see", "study.see"} and {e["user_name"] for e in seen} == {"token read-only of the ward"}
    admin.ask("DELETE", "/tokens/" + tokens["read-only"]["id"])
    ward.get("/Patient", expect=401)
    research.get("/Patient")
    return ward.token, research.token


if __name__ == "__main__":
    print(*day(*sys.argv[1:]))
