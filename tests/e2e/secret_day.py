"""A patient named ZZSECRET through everything: every text that somebody can type holds the word.
secret_day.py ADDRESS IMAGE..."""
import sys

from clinic_client import first_people

WORD = "ZZSECRET"


def day(address, images):
    admin, petra = first_people(address)

    patient = petra.ask("POST", "/patients", {"name": f"Erna {WORD}", "birth_year": 1951, "sex": "f", "note": f"note {WORD}"})
    patient = petra.ask("PUT", f"/patients/{patient['id']}", {"note": f"changed {WORD}"}, version=patient["version"])
    episode = petra.ask("POST", f"/patients/{patient['id']}/episodes",
                        {"condition": f"knee {WORD}", "side": "right", "surgery": f"surgery {WORD}", "goals": f"goals {WORD}"})
    petra.ask("PUT", f"/episodes/{episode['id']}", {"goals": f"other goals {WORD}"}, version=episode["version"])
    study = None
    for number, path in enumerate(images):
        with open(path, "rb") as file:
            data = file.read()
        answer = petra.upload(data, f"{WORD} knee {number}.png", key=f"k{number}", patient_id=patient["id"],
                              episode_id=episode["id"], image_date=f"202{number}-01-31", mm_per_px=0.45)
        study = answer["items"][0]["study_id"]
        petra.wait(study)
    image = petra.get("/studies/" + study)["images"][0]["id"]
    petra.ask("POST", f"/images/{image}/analysis", {"task": "fracture"})
    seen = petra.wait(study)
    chosen, asked = [f"/results/{result['id']}/set-aside" for result in seen["images"][0]["results"]]
    petra.ask("POST", chosen, {"reason": f"aside {WORD}"}, version=seen["version"], expect=409)
    petra.ask("POST", asked, {"reason": f"aside {WORD}"}, version=seen["version"] - 1, expect=412)
    petra.ask("POST", asked, {"reason": WORD * 40}, version=seen["version"], expect=400)
    petra.ask("POST", asked, {"reason": f"aside {WORD}"}, version=seen["version"])
    petra.ask("POST", asked, {"reason": f"aside {WORD}"}, version=seen["version"])  # once more: done once
    seen = petra.review_all(petra.get("/studies/" + study), f"reason {WORD}")
    seen = petra.ask("POST", f"/studies/{study}/signature", {"comment": f"comment {WORD}"}, version=seen["version"])
    petra.ask("POST", f"/studies/{study}/reopen", {"reason": f"reopened {WORD}"}, version=seen["version"])
    seen = petra.get("/studies/" + study)
    petra.ask("POST", f"/studies/{study}/signature", {"comment": f"again {WORD}"}, version=seen["version"])
    for kind in ("html", "pdf", "json"):
        petra.get(f"/studies/{study}/report.{kind}")
    score = petra.ask("POST", f"/patients/{patient['id']}/scores",
                      {"instrument": "OKS", "value": 30, "date": "2026-01-31", "note": f"score {WORD}"})
    petra.ask("POST", f"/scores/{score['id']}/withdrawal", {"reason": f"withdrawn {WORD}"})
    plan = petra.ask("POST", f"/patients/{patient['id']}/plans", {"content": {"for": WORD}, "reason": f"plan {WORD}"})
    petra.ask("PUT", f"/patients/{patient['id']}/plans/{plan['id']}", {"content": {"for": WORD, "sets": 3}, "reason": f"more {WORD}"},
              version=plan["version"])
    petra.ask("POST", f"/patients/{patient['id']}/predictions",
              {"outcome": "knee-replacement", "content": {"facts": WORD}, "model": "none", "model_hash": "0"})
    found = petra.get(f"/patients?text={WORD.lower()}")
    assert found["total"] == 1 and found["items"][0]["name"] == f"Erna {WORD}", found
    assert petra.get(f"/studies?text={WORD.lower()}")["total"] == len(images)
    petra.get(f"/patients/{patient['id']}/series")
    # A program of the hospital asks by name and number, and shows its token.
    token = admin.ask("POST", "/tokens", {"name": "ward system", "role": "read-only"})["token"]
    assert admin.fhir(f"/Patient/{patient['id']}", token)[0]["name"] == [{"text": f"Erna {WORD}"}]
    for path in (f"/Patient?identifier={WORD}", f"/Patient?name={WORD}", f"/Patient/{patient['id']}/$everything", f"/DiagnosticReport/{study}",
                 f"/Observation?patient={patient['id']}", f"/ImagingStudy?identifier=urn:oid:{WORD}"):
        admin.fhir(path, token)
    for path in (f"/Observation/{WORD}", f"/Patient/{WORD}", f"/{WORD}"):
        admin.fhir(path, token, expect=404)
    admin.fhir(f"/Patient?{WORD}={WORD}", token, expect=400, headers={"Prefer": "handling=strict"})
    admin.fhir(f"/Patient?access_token={WORD}", expect=400)
    # Faults name no value either.
    petra.ask("POST", "/patients", {"name": WORD * 40}, expect=400)
    petra.ask("POST", "/patients", {WORD: 1}, expect=400)
    petra.upload(WORD.encode(), f"{WORD}.txt", expect=400)
    petra.get(f"/studies/{WORD}", expect=404)
    admin.ask("POST", "/backups", {})
    return patient["id"], study


if __name__ == "__main__":
    print(*day(sys.argv[1], sys.argv[2:]))
