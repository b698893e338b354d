"""Two signed reports before the archive is there, one of which no try brings there: archive_page.py ADDRESS WORK STEP FILES...
WORK/state.json remembers between the steps; names of patients hold SECRET."""
import json
import os
import sys
import time

from clinic_client import PASSWORD, Client, decide_and_sign, first_people

ADDRESS, WORK, STEP, FILES = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
STATE = os.path.join(WORK, "state.json")


def wait_for(what, admin):
    end = time.time() + 600
    while True:
        found = admin.get("/outbox")
        if what(found):
            return found
        assert time.time() < end, found
        time.sleep(0.2)


def begin():
    admin, petra = first_people(ADDRESS)
    studies = []
    for name in FILES:
        with open(name, "rb") as file:
            studies.append(petra.wait(petra.upload(file.read(), "film.dcm")["items"][0]["study_id"]))
    film, wrong = studies
    nothing = petra.ask("GET", "/outbox", expect=403)
    assert "items" not in nothing, nothing
    # The second film is of another person than the patient it is filed under.
    patient = petra.get("/patients/" + film["patient"]["id"])
    petra.ask("PUT", "/patients/" + patient["id"], {"name": "Erna QQSECRET"}, version=patient["version"])
    wrong = petra.ask("PUT", f"/studies/{wrong['id']}/patient", {"patient_id": patient["id"]}, version=wrong["version"])
    decide_and_sign(petra, wrong, {})
    wait_for(lambda one: one["counts"]["failed"] == 1, admin)
    film = decide_and_sign(petra, film, {})
    assert film["signature"]["archive"]["state"] == "waiting", film["signature"]
    found = wait_for(lambda one: any(item["tries"] > 0 for item in one["items"] if item["state"] == "waiting"), admin)
    assert found["counts"] == {"waiting": 1, "sent": 0, "failed": 1, "dropped": 0} and found["last_sent_at"] is None, found
    by_study = {item["study_id"]: item for item in found["items"]}
    late = by_study[film["id"]]
    assert late["state"] == "waiting" and "cannot be reached" in late["reason"] and late["due_at"] > late["created_at"], late
    assert found["oldest_waiting_at"] == late["created_at"], found
    assert by_study[wrong["id"]]["state"] == "failed" and "another patient" in by_study[wrong["id"]]["reason"], by_study
    assert "SECRET" not in json.dumps(found), found
    archive = petra.get("/studies/" + wrong["id"])["signature"]["archive"]
    assert archive["state"] == "failed" and len(archive) == 2, archive
    watch(1, 1)
    # A token of a monitoring or another system: the study's state, and not what is for administrators.
    bearer = {"Authorization": "Bearer " + admin.ask("POST", "/tokens", {"name": "ward", "role": "read-only"})["token"]}
    ward = Client(ADDRESS)
    assert ward.raw("GET", "/outbox", headers=bearer)[0] == 403
    assert ward.raw("POST", f"/outbox/{late['id']}/again", {}, bearer)[0] == 403
    assert json.loads(ward.raw("GET", "/studies/" + film["id"], headers=bearer)[2])["signature"]["archive"]["state"] == "waiting"
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump({"film": film["id"], "wrong": wrong["id"]}, file)


def watch(waiting, failed):
    """What monitoring sees, without an account."""
    health = Client(ADDRESS).get("/health")
    archive = health["archive"]
    assert health["ok"] and archive["configured"] and (archive["waiting"], archive["failed"]) == (waiting, failed), health
    assert (archive["waiting_s"] is None) == (waiting == 0) and (archive["failed_s"] is None) == (failed == 0), health


def end():
    """After the administrator's hands: one is there, one was given up, and the audit log says who did it."""
    admin = Client(ADDRESS)
    admin.sign_in("admin", PASSWORD)
    found = admin.get("/outbox")
    assert found["counts"] == {"waiting": 0, "sent": 1, "failed": 0, "dropped": 1} and found["last_sent_at"], found
    with open(STATE, encoding="utf-8") as file:
        state = json.load(file)
    by_study = {item["study_id"]: item for item in found["items"]}
    assert by_study[state["film"]]["state"] == "sent" and len(by_study[state["film"]]["objects"]) >= 3, by_study
    reason = by_study[state["wrong"]]["reason"]
    assert reason.startswith("given up by an administrator; before: ") and "another patient" in reason, reason
    for action in ("outbox.again", "outbox.give-up"):
        events = [one for one in admin.get("/audit?action=" + action)["items"] if one["action"] == action]
        assert events and all(one["user_name"] == "Admin" and one["entity"] == "signature" for one in events), events
    assert events[0]["detail"]["study_id"] == state["wrong"] and "SECRET" not in json.dumps(events), events
    admin.ask("POST", f"/outbox/{by_study[state['wrong']]['id']}/again", {}, expect=404)
    watch(0, 0)


{"begin": begin, "end": end}[STEP]()
