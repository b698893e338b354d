"""A clinic whose signed reports go to an archive: archive_day.py ADDRESS WORK STEP FILES...
WORK/kept is what the archive holds; WORK/state.json remembers between the steps."""
import io
import json
import os
import sys
import time
import zipfile

from archive_uids import uid_of
from clinic_client import PASSWORD, Client, decide_and_sign, first_people

ADDRESS, WORK, STEP, FILES = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
STATE = os.path.join(WORK, "state.json")


def remembered():
    with open(STATE, encoding="utf-8") as file:
        return json.load(file)


def people():
    admin, petra = Client(ADDRESS), Client(ADDRESS)
    admin.sign_in("admin", PASSWORD)
    petra.sign_in("petra", PASSWORD)
    return admin, petra


def begin():
    _, petra = first_people(ADDRESS)
    with open(FILES[0], "rb") as file:
        film = petra.upload(file.read(), "film.dcm")["items"][0]["study_id"]
    with open(FILES[1], "rb") as file:
        picture = petra.upload(file.read(), "picture.png")["items"][0]["study_id"]
    decide_and_sign(petra, petra.wait(film), {})
    decide_and_sign(petra, petra.wait(picture), {})
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump({"film": film, "instances": []}, file)


def arrived():
    """What the archive holds is what an export gives now, and what went before; the audit log says where it went."""
    state = remembered()
    admin, petra = people()
    data = petra.raw("GET", f"/studies/{state['film']}/export")[2]
    folder = os.path.join(WORK, f"export-{len(state['instances'])}")
    zipfile.ZipFile(io.BytesIO(data)).extractall(folder)
    for name in sorted(os.listdir(folder)):
        if name.endswith(".dcm"):
            state["instances"].append(uid_of(os.path.join(folder, name)))
    kept = sorted(uid_of(os.path.join(WORK, "kept", name)) for name in os.listdir(os.path.join(WORK, "kept")))
    assert kept == sorted(state["instances"]) and len(kept) == len(set(kept)), (kept, state["instances"])
    events = [one for one in admin.get("/audit?action=study.send")["items"] if one["action"] == "study.send"]
    told = [one["detail"] for one in events]
    assert all(one["to"] == "PACS" and one["host"] == "127.0.0.1" and one["outcome"] == "sent" for one in told), told
    assert sorted(uid for one in told for uid in one["objects"]) == kept, told
    assert all(one["entity_id"] == state["film"] for one in events), events
    with open(STATE, "w", encoding="utf-8") as file:
        json.dump(state, file)


def again():
    _, petra = people()
    study = petra.get("/studies/" + remembered()["film"])
    study = petra.ask("POST", f"/studies/{study['id']}/reopen", {"reason": "looked again"}, version=study["version"])
    decide_and_sign(petra, study, {"decision": "amend", "value": 3, "reason": f"looked again at {time.time()}"})


def quiet():
    """Long enough for the sender to look several times."""
    admin, _ = people()
    before = admin.get("/audit?action=study.send")["total"]
    time.sleep(5)
    assert admin.get("/audit?action=study.send")["total"] == before


def partly():
    admin, _ = people()
    told = [one["detail"] for one in admin.get("/audit?action=study.send")["items"] if one["action"] == "study.send"]
    part = [one for one in told if one["outcome"] == "partly"]
    assert part and all(one["to"] == "PACS" and one["objects"] for one in part), told


{"begin": begin, "arrived": arrived, "again": again, "quiet": quiet, "partly": partly}[STEP]()
