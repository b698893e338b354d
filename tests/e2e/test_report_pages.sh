# A report whose reasons and comment are as long as they may be: every word is in the PDF, and none outside of its page.
# REHA_SHOTS=folder keeps its pages as pictures.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
command -v pdftotext >/dev/null || { echo "skipped: pdftotext (poppler-utils) is absent"; exit 77; }

run 0 phantom "$work/knees" --count 1
start_server
checks=$((checks + 1))
python3 "$REHA_SOURCE/tests/e2e/long_reasons.py" "$address" "$work"/knees/knee-000R.png "$work/report.pdf" "$work/words" 2>"$work/day" ||
    { fail "the reviews"; tail -n 4 "$work/day"; finish; exit 1; }
end_server
pdftotext -bbox "$work/report.pdf" "$work/boxes"
checks=$((checks + 1))
python3 - "$work/boxes" "$work/words" <<'PY' || fail "the pages of the report"
import re, sys
pages = open(sys.argv[1]).read().split("<page ")[1:]
found, faults = [], 0
for number, page in enumerate(pages, 1):
    width, height = (float(v) for v in re.search(r'width="([\d.]+)" height="([\d.]+)"', page).groups())
    for box in re.finditer(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">([^<]*)<', page):
        left, top, right, bottom = (float(v) for v in box.groups()[:4])
        found.append(box.group(5))
        # The foot begins 32 points above the lower edge; nothing else may stand there.
        is_foot = top > height - 34
        if left < 30 or right > width - 30 or top < 30 or bottom > height - 10 or (is_foot and re.match(r"(r\d+w|comment)\d", box.group(5))):
            faults += 1
            print(f"page {number}: '{box.group(5)}' at {left:.0f} {top:.0f} {right:.0f} {bottom:.0f} of {width:.0f} x {height:.0f}")
wanted = open(sys.argv[2]).read().split()
numbered = [w for w in found if re.fullmatch(r"(r\d+w|comment)\d{4}", w)]
missing = sorted(set(wanted) - set(numbered))
if missing or len(numbered) != len(wanted):
    faults += 1
    print(f"{len(missing)} of {len(wanted)} words are missing, {len(numbered)} stand there: {missing[:5]}")
if len(pages) < 4 or sum("continued" in page for page in pages) < 2:
    faults += 1
    print(f"{len(pages)} pages, and none goes on from another?")
sys.exit(1 if faults else 0)
PY
if [ -n "${REHA_SHOTS:-}" ]; then pdftoppm -png -r 60 "$work/report.pdf" "$REHA_SHOTS/report"; fi
finish
