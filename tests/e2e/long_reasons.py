"""Reviews with reasons as long as they may be, and a long comment: the PDF holds every word, none outside of its page.
long_reasons.py ADDRESS IMAGE OUT.pdf OUT.txt: writes the report and the words that it must hold."""
import sys

from clinic_client import first_people

LONGEST, LONGEST_COMMENT = 2000, 4000


def words(mark, length):
    """Numbered words, so that none can be lost or swapped unseen, as many letters as asked."""
    text = " ".join(f"{mark}{number:04d}" for number in range(length // (len(mark) + 5) + 1))
    return text[:length].rsplit(" ", 1)[0]


def day(address, image, pdf, expected):
    _, petra = first_people(address)
    with open(image, "rb") as file:
        study = petra.upload(file.read(), "knee.png", image_date="2026-01-31", mm_per_px=0.45)["items"][0]["study_id"]
    seen = petra.wait(study)
    result = next(r for i in seen["images"] for r in i["results"] if r["accepted"])
    reasons = []
    for place, region in enumerate(result["analysis"]["regions"]):
        for finding in region["findings"]:
            if finding["grading"] is None and finding["probability"] is None and (finding["measure"] or {}).get("value") is None:
                continue
            reasons.append(words(f"r{len(reasons)}w", LONGEST - 1))
            seen = petra.ask("POST", f"/results/{result['id']}/reviews",
                             {"region": place, "finding": finding["key"], "decision": "reject", "reason": reasons[-1]}, version=seen["version"])
    petra.ask("POST", f"/results/{result['id']}/reviews",
              {"region": 0, "finding": result["analysis"]["regions"][0]["findings"][0]["key"], "decision": "reject", "reason": "x" * (LONGEST + 1)},
              version=seen["version"], expect=400)
    comment = words("comment", LONGEST_COMMENT - 1)
    petra.ask("POST", f"/studies/{study}/signature", {"comment": comment}, version=seen["version"])
    code, _, data = petra.raw("GET", f"/studies/{study}/report.pdf")
    assert code == 200 and len(reasons) > 3, (code, len(reasons))
    with open(pdf, "wb") as file:
        file.write(data)
    with open(expected, "w") as file:
        file.write(" ".join([comment, *reasons]))


if __name__ == "__main__":
    day(*sys.argv[1:])
