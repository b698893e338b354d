# The main job on generated knees: terminal, JSON, HTML, PDF, picture.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/p" --count 3
run 0 analyse "$work/p" --report "$work/report.html"
[ "$(grep -c 'KL [0-4] (' "$work/out")" -ge 3 ] || fail "not every phantom was graded"
grep -q 'Not reviewed' "$work/report.html" || fail "the HTML report does not say that it is not reviewed"
grep -Eq '(src|href)="?https?:' "$work/report.html" && fail "the HTML report asks another machine for something"
grep -q 'data:image/png;base64,iVBOR' "$work/report.html" || fail "the HTML report has no picture"

one=$(find "$work/p" -name '*.png' | sort | head -n 1)
run 0 analyse "$one" --report "$work/report.pdf" --overlay "$work/overlay.png"
head -c 5 "$work/report.pdf" | grep -q '%PDF-' || fail "the PDF report is no PDF"
if command -v pdftotext >/dev/null; then
    pdftotext "$work/report.pdf" "$work/report.txt"
    grep -q 'NOT REVIEWED' "$work/report.txt" || fail "the PDF report does not say that it is not reviewed"
    grep -q 'Kellgren' "$work/report.txt" || fail "the PDF report names no grade"
fi
head -c 8 "$work/overlay.png" | grep -q 'PNG' || fail "the overlay is no PNG"

# Results are the same in every run, and on one thread and two.
for threads in 1 2 2; do
    run 0 analyse "$one" --json --threads "$threads"
    grep -Ev '"(total|analysis)_ms"' "$work/out" >"$work/result.new"
    [ -f "$work/result.first" ] || cp "$work/result.new" "$work/result.first"
    cmp -s "$work/result.first" "$work/result.new" || fail "results differ between runs or thread counts"
done

# Unknown scale: no millimetres anywhere. A stated scale: millimetres, and where they come from.
run 0 analyse "$one" --json
grep -q '"unit": "mm"' "$work/out" && fail "millimetres without a known scale"
run 0 analyse "$one" --json --mm-per-px 0.5
says out '"unit": "mm"'
says out 'stated by the user|user'
finish
