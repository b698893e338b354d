"""A small client of the clinic's interface for the end-to-end tests: standard library only."""
import http.client
import json
import time
import urllib.parse

PASSWORD = "correct horse battery"


def first_people(address):
    """An administrator and the physiotherapist Petra of a new clinic, both signed in."""
    admin = Client(address)
    admin.ask("POST", "/setup", {"name": "admin", "display_name": "Admin", "password": PASSWORD})
    admin.sign_in("admin", PASSWORD)
    admin.ask("POST", "/users", {"name": "petra", "display_name": "Petra P.", "password": PASSWORD, "role": "physiotherapist"})
    petra = Client(address)
    petra.sign_in("petra", PASSWORD)
    return admin, petra


def decide_and_sign(petra, study, how):
    """Accepts every finding, the grade as `how` says (members of a review), and signs; the study."""
    for image in study["images"]:
        for result in image["results"]:
            for place, region in enumerate(result["analysis"]["regions"] if result["accepted"] else []):
                for finding in region["findings"]:
                    decision = {"region": place, "finding": finding["key"], "decision": "accept"}
                    if finding["key"] == "kl-grade":
                        decision.update(how)
                    code, _, data = petra.raw("POST", f"/results/{result['id']}/reviews", decision,
                                              {"If-Match": f'"{study["version"]}"'})
                    if code == 200:
                        study = json.loads(data)
                    else:
                        assert code == 400 and b"not measured" in data, (code, data)
    return petra.ask("POST", f"/studies/{study['id']}/signature", {}, version=study["version"])


class Client:
    def __init__(self, address):
        self.address = urllib.parse.urlsplit(address)
        self.cookie = ""
        self.csrf = ""

    def raw(self, method, path, body=None, headers=None):
        """(code, headers, bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=600)
        sent = dict(headers or {})
        if self.cookie:
            sent["Cookie"] = self.cookie
            sent["X-CSRF-Token"] = self.csrf
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        connection.request(method, "/api/v1" + path, body=body, headers=sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def fhir(self, path, token=None, expect=200, headers=None):
        """(resource, headers) of a read; `path` below /fhir/R4 or a whole address of a link."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = "Bearer " + token
        if "/fhir/R4/" in path:
            path = path[path.index("/fhir/R4/") + 8:]
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=600)
        connection.request("GET", "/fhir/R4" + path, headers=sent)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status != expect:
            raise AssertionError(f"{path}: {answer.status} {data[:300]!r}")
        return (json.loads(data) if data else None), answer.headers

    def ask(self, method, path, body=None, version=None, headers=None, expect=None):
        """The JSON answer; the code must be `expect` (2xx if none)."""
        sent = dict(headers or {})
        if version is not None:
            sent["If-Match"] = f'"{version}"'
        code, _, data = self.raw(method, path, body, sent)
        if (expect is None and code // 100 != 2) or (expect is not None and code != expect):
            raise AssertionError(f"{method} {path}: {code} {data[:300]!r}")
        try:
            return json.loads(data) if data else None
        except ValueError:
            return data

    def get(self, path, expect=None):
        return self.ask("GET", path, expect=expect)

    def sign_in(self, name, password, code=None):
        body = {"name": name, "password": password}
        if code is not None:
            body["code"] = code
        status, headers, data = self.raw("POST", "/session", body)
        if status != 201:
            raise AssertionError(f"sign in: {status} {data[:300]!r}")
        self.cookie = headers["Set-Cookie"].split(";")[0]
        self.csrf = json.loads(data)["csrf"]
        return json.loads(data)

    def upload(self, data, name, expect=None, key=None, **query):
        headers = {"Content-Type": "application/octet-stream", "X-File-Name": urllib.parse.quote(name)}
        if key is not None:
            headers["Idempotency-Key"] = key
        path = "/uploads" + ("?" + urllib.parse.urlencode(query) if query else "")
        return self.ask("POST", path, data, headers=headers, expect=expect)

    def wait(self, study, seconds=600):
        """The study once nothing of it waits."""
        end = time.time() + seconds
        while True:
            found = self.get("/studies/" + study)
            if found["status"] != "waiting":
                return found
            if time.time() > end:
                raise AssertionError("the analysis did not end")
            time.sleep(0.2)

    def review_all(self, study, reason):
        """Accepts every finding of the results that stand; the first one of each is rejected with this reason."""
        for result in [result for image in study["images"] for result in image["results"] if result["accepted"]]:
            for place, region in enumerate(result["analysis"]["regions"]):
                for number, finding in enumerate(region["findings"]):
                    decision = {"region": place, "finding": finding["key"], "decision": "accept"}
                    if number == 0:
                        decision.update(decision="reject", reason=reason)
                    study = self.ask("POST", f"/results/{result['id']}/reviews", decision, version=study["version"])
        return study
