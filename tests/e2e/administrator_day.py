"""What an administrator tries on a new clinic: archives, folders, duplicates, the watched folder, one-time codes, lockout,
sessions, roles, settings, backup. administrator_day.py ADDRESS INBOX ZIP IMAGE..."""
import base64
import hashlib
import hmac
import json
import os
import shutil
import struct
import sys
import time

from clinic_client import PASSWORD, Client


def one_time_code(secret, at):
    key = base64.b32decode(secret)
    digest = hmac.new(key, struct.pack(">Q", int(at) // 30), hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place:place + 4])[0] & 0x7fffffff) % 1000000:06d}"


def sign_in_code(address, name, password, code=None):
    """The status code of a try to sign in."""
    body = {"name": name, "password": password}
    if code is not None:
        body["code"] = code
    status, headers, _ = Client(address).raw("POST", "/session", body)
    return status


def accounts(address):
    admin = Client(address)
    admin.ask("POST", "/setup", {"name": "admin", "display_name": "Admin", "password": PASSWORD, "clinic_name": "North"})
    admin.ask("POST", "/setup", {"name": "evil", "display_name": "E", "password": PASSWORD}, expect=409)
    session = admin.sign_in("admin", PASSWORD)
    assert session["user"]["role"] == "administrator" and "users" in session["permissions"], session
    for name, role in (("petra", "physiotherapist"), ("rita", "researcher"), ("olaf", "read-only")):
        admin.ask("POST", "/users", {"name": name, "display_name": name.title(), "password": PASSWORD, "role": role})
    admin.ask("POST", "/users", {"name": "petra", "display_name": "P", "password": PASSWORD, "role": "reviewer"}, expect=409)
    return admin


def archives(address, zip_file, images):
    petra = Client(address)
    petra.sign_in("petra", PASSWORD)
    with open(zip_file, "rb") as file:
        packed = file.read()
    answer = petra.upload(packed, "cd.zip")
    outcomes = sorted(item["outcome"] for item in answer["items"])
    assert outcomes.count("stored") == 2, outcomes
    again = petra.upload(packed, "cd.zip")
    assert {item["outcome"] for item in again["items"]} <= {"duplicate", "refused"}, again
    with open(images[0], "rb") as file:
        single = file.read()
    assert petra.upload(single, "other-name.dcm")["items"][0]["outcome"] == "duplicate"
    # The same key and file again is the same answer; another file under it is refused.
    with open(images[2], "rb") as file:
        third = file.read()
    first = petra.upload(third, "a.dcm", key="k1")
    assert petra.upload(third, "a.dcm", key="k1") == first and first["items"][0]["outcome"] == "stored"
    petra.upload(single, "a.dcm", key="k1", expect=409)
    petra.upload(packed[: len(packed) // 2], "half.zip", expect=400)
    petra.upload(b"", "empty", expect=400)
    assert petra.get("/studies")["total"] == 3
    return petra


def watched_folder(admin, inbox, image):
    shutil.copy(image, os.path.join(inbox, "IM7"))
    with open(os.path.join(inbox, "letter.txt"), "w") as file:
        file.write("Dear colleague")
    for name in ("IM7", "letter.txt"):
        os.utime(os.path.join(inbox, name), (time.time() - 60,) * 2)
    end = time.time() + 600
    while admin.get("/studies")["total"] < 4 or os.path.exists(os.path.join(inbox, "letter.txt")):
        assert time.time() < end, "the watched folder is not looked into"
        time.sleep(0.5)
    assert not os.path.exists(os.path.join(inbox, "IM7"))
    newest = max(admin.get("/studies")["items"], key=lambda study: study["id"])
    assert admin.get("/studies/" + newest["id"])["images"][0]["job"]["task"] == "knee-oa", "the watched folder's task"
    assert len(os.listdir(os.path.join(inbox, ".refused"))) == 1


def one_time_codes(address):
    olaf = Client(address)
    olaf.sign_in("olaf", PASSWORD)
    secret = olaf.ask("POST", "/session/totp", {})["secret"]
    olaf.ask("PUT", "/session/totp", {"code": "000000"}, expect=400)
    now = time.time()
    olaf.ask("PUT", "/session/totp", {"code": one_time_code(secret, now)})
    assert sign_in_code(address, "olaf", PASSWORD) == 401
    assert sign_in_code(address, "olaf", PASSWORD, one_time_code(secret, now)) == 401  # used up
    assert sign_in_code(address, "olaf", PASSWORD, one_time_code(secret, time.time() + 30)) == 201
    olaf.ask("POST", "/session/totp/off", {"password": "a wrong password"}, expect=403)
    olaf.ask("POST", "/session/totp/off", {"password": PASSWORD})
    assert sign_in_code(address, "olaf", PASSWORD) == 201


def lockout(address, admin):
    for _ in range(5):
        assert sign_in_code(address, "rita", "a wrong password") == 401
    status, headers, data = Client(address).raw("POST", "/session", {"name": "rita", "password": PASSWORD})
    assert status == 429 and headers["Retry-After"] and b"minutes" in data, (status, data)
    rita = next(user for user in admin.get("/users")["items"] if user["name"] == "rita")
    admin.ask("PUT", "/users/" + rita["id"], {"password": "another long word"}, version=rita["version"])
    assert sign_in_code(address, "rita", "another long word") == 201


def sessions(address, admin):
    first, second = Client(address), Client(address)
    first.sign_in("petra", PASSWORD)
    second.sign_in("petra", PASSWORD)
    first.ask("DELETE", "/session")
    first.get("/studies", expect=401)
    second.get("/studies")
    petra = next(user for user in admin.get("/users")["items"] if user["name"] == "petra")
    admin.ask("PUT", "/users/" + petra["id"], {"role": "read-only"}, version=petra["version"])
    second.get("/studies", expect=401)  # a changed role ends what had the old one
    admin.ask("PUT", "/users/" + petra["id"], {"role": "reviewer"}, version=petra["version"], expect=412)
    second.sign_in("petra", PASSWORD)
    second.ask("POST", "/patients", {}, expect=403)
    second.csrf = "0" * 64
    second.ask("DELETE", "/session", expect=403)


def records(admin):
    settings = admin.get("/settings")
    admin.ask("PUT", "/settings", {"clinic_name": "South"}, version=settings["version"])
    admin.ask("PUT", "/settings", {"clinic_name": "East"}, version=settings["version"], expect=412)
    admin.ask("PUT", "/settings", {"clinic_name": "East"}, expect=428)
    backup = admin.ask("POST", "/backups", {})
    assert backup["blobs"] >= 4, backup
    proof = admin.ask("POST", "/audit/verification?blobs=1", {})
    assert proof["ok"], proof
    actions = {json.loads(line)["action"] for line in admin.get("/audit/export").splitlines()}
    wanted = {"user.add", "session.open", "session.refused", "image.store", "settings.save", "clinic.backup"}
    assert wanted <= actions, wanted - actions


def main(address, inbox, zip_file, images):
    admin = accounts(address)
    archives(address, zip_file, images)
    watched_folder(admin, inbox, images[3])
    one_time_codes(address)
    lockout(address, admin)
    sessions(address, admin)
    records(admin)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
