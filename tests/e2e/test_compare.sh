# Progress: two visits compared (images and results, mixed), and scores over time.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_GUIDELINES="$REHA_SOURCE/guidelines" REHASCOPE_MODELS="$REHA_SOURCE/models"

run 0 phantom "$work/p" --count 5
before="$work/p/knee-000R.png" worse="$work/p/knee-004R.png" other="$work/p/knee-001L.png"

# A grade 4 knee after a grade 0 one: a real worsening, in ratios only, since nothing states a scale.
run 0 compare "$before" "$worse" --threads 1 --why --report "$work/c.html" --overlay "$work/c.png"
says out 'medial: .*of plateau width.*real worsening'
says out 'no millimetres'
says out 'residual [0-9.]+ px'
says out 'error: full error of both readings'
grep -q ' mm,' "$work/out" && fail "millimetres without a scale"
grep -q 'Not reviewed' "$work/c.html" || fail "the page does not say that it is not reviewed"
grep -q '<script' "$work/c.html" && fail "the page needs a script"
grep -Eq '(src|href)="?https?:' "$work/c.html" && fail "the page asks another machine for something"
grep -q 'class=blink' "$work/c.html" || fail "the page has no blink"
grep -q "$work" "$work/c.html" && fail "the page names folders"
head -c 8 "$work/c.png" | grep -q PNG || fail "the overlay is no PNG"

# The same with one set-up stated, a scale and dates: millimetres, smaller error, a rate.
run 0 compare "$before" "$worse" --threads 1 --same-setup --mm-per-px 0.45 --before-date 2024-01-01 --after-date 2026-01-01 \
    --report "$work/c.pdf"
says out 'medial: .* mm, .*real worsening'
says out 'mm a year'
head -c 5 "$work/c.pdf" | grep -q '%PDF-' || fail "the PDF is no PDF"

# An unchanged knee is no change; the same by mutual information.
run 0 compare "$before" "$before" --threads 1 --same-setup --json --intensity
says out '"schema": "rehascope/comparison/1"'
says out '"verdict": "no-change"'
says out '"code": "same-file"'
says out '"by": "intensity"'
says out '"reliable": true'
grep -Eq '"verdict": "(improved|worsened|different)"' "$work/out" && fail "a change of a file against itself"

# Results instead of images, mixed with an image; without the image file there is no picture, but a verdict.
run 0 analyse "$before" --threads 1 --json
cp "$work/out" "$work/before.json"
run 0 analyse "$worse" --threads 1 --json
cp "$work/out" "$work/worse.json"
run 0 compare "$work/before.json" "$worse" --threads 1
says out 'medial: .*real worsening'
mv "$worse" "$work/elsewhere.png"
run 0 compare "$work/before.json" "$work/worse.json" --json
says out '"verdict": "worsened"'
says out '"image_at_hand": false'
run 1 compare "$work/before.json" "$work/worse.json" --overlay "$work/none.png"
says err 'not at hand'
mv "$work/elsewhere.png" "$worse"

# Refusals: another side, wrong order of dates, no result, several results, no knee.
run 1 compare "$before" "$other" --threads 1 --json
says out '"comparable": false'
run 1 compare "$before" "$worse" --threads 1 --before-date 2026-01-01 --after-date 2024-01-01
says out 'REFUSED: .*exchange'
run 1 compare "$before" "$worse" --threads 1 --before-date yesterday
says err 'no date'
echo '{"a": 1}' >"$work/other.json"
run 1 compare "$work/other.json" "$work/worse.json"
says err "no result of 'rehascope analyse"
echo '{"results": [{}, {}]}' >"$work/two.json"
run 1 compare "$work/two.json" "$work/worse.json"
says err 'holds 2 results'
echo '{"results": [' >"$work/broken.json"
run 1 compare "$work/broken.json" "$work/worse.json"
run 1 compare "$work/absent.png" "$work/worse.json"
says err 'absent.png'
# On a full disk: no half report, no half picture, nothing beside them.
mkdir "$work/full"
limited 8 3 compare "$work/before.json" "$work/worse.json" --report "$work/full/c.pdf"
says err 'full/c\.pdf: cannot be written: File too large'
limited 8 3 compare "$before" "$worse" --threads 1 --overlay "$work/full/c.png" --report "$work/full/c.html"
says err 'full/c\.(png|html): cannot be written: File too large'
[ -z "$(ls "$work/full")" ] || fail "a full disk left $(ls "$work/full")"

run 2 compare "$before"
run 2 compare "$before" "$worse" --report "$work/c.txt"
run 2 compare "$before" "$worse" --registration elastic
run 2 compare "$before" "$worse" --setting surgicaI

# Scores: a form with missing items, one with too many, a wide table, JSON.
cat >"$work/s.csv" <<'CSV'
date,instrument,value,items,side
2026-03-01,oks,31,,
2026-01-01,oks,,1 2 1 2 1 2 1 2 1 2 1 -,
2026-02-01,oks,,1 2 1 2 1 2 1 2 1 - - -,
2026-04-01,oks,33,,
2026-01-01,rom-knee-flexion,95,,right
2026-04-01,rom-knee-flexion,97,,right
CSV
run 0 scores "$work/s.csv" --report "$work/s.html"
says out '2026-01-01 +17.45 .*1 of 12 items missing'
says out '2026-02-01 +no score .*9 of 12 items'
says out '2026-04-01 +33 .*real improvement'
says out 'flexion.*right'
says out '97  \+2  no change beyond measurement error'
says out 'NHS PROMs'
grep -q 'data:image/png' "$work/s.html" || fail "the page has no plot"
run 0 scores "$work/s.csv" --json --report "$work/s.pdf" --setting non-surgical
says out '"mic": \{'
says out '6.1'
printf 'date,oks,nrs-pain:left\n2026-01-01,20,6\n2026-02-01,,3\n' >"$work/w.csv"
run 0 scores "$work/w.csv" --why
says out 'cannot be told'
says out 'MDC.*not known'
run 0 scores "$work/w.csv" --mdc nrs-pain=2
says out 'left'
says out '3  -3  real improvement'
says out 'stated by the user'
printf 'date;tug;nrs-pain:left\n2026-01-01;11,5;6\n2026-02-01;8,0;3\n' >"$work/comma.csv" # a decimal comma
run 0 scores "$work/comma.csv"
says out '2026-01-01  11.5'
run 1 scores "$work/w.csv" --mdc nrs=2
says err 'no known instrument'
run 1 scores "$work/w.csv" --mdc nrs-pain=much
says err 'KEY=VALUE'
printf 'date,jsw-medial-min\n2024-01-01,4.6\n2026-01-01,2.9\n' >"$work/j.csv"
run 0 scores "$work/j.csv"
says out 'real worsening'
says out 'full error of both readings'
echo '{"schema": "rehascope/score-series/1", "entries": [{"date": "2026-01-01", "instrument": "lsi", "items": [180, 200]}]}' >"$work/s.json"
run 0 scores "$work/s.json"
says out '2026-01-01  90'
printf 'date,instrument,value\n2026-01-05,oks,22\n2026-01-20,oks,30\n2026-01-05,oks,22\n' >"$work/twice.csv"
run 0 scores "$work/twice.csv"
says out '2026-01-05  22  \(given twice, in line 2 and 4: counted once\)'
printf 'date,instrument,value\n2026-01-05,oks,22\n2026-01-20,oks,30\n2026-01-05,oks,25\n' >"$work/twice.csv"
run 1 scores "$work/twice.csv"
says err 'twice.csv, line 4: oks on 2026-01-05 is 25 here, but 22 in line 2: two values on one day'
echo '{"schema": "rehascope/score-series/1", "entries": [{"date": "2026-01-01", "instrument": "lsi", "value": 90}, {"date": "2026-01-01", "instrument": "lsi", "value": 80}, {"date": "2026-01-01", "instrument": "oks", "value": 20}]}' >"$work/s.json"
run 1 scores "$work/s.json"
says err 'entry 2: lsi on 2026-01-01 is 80 here, but 90 in entry 1'
printf 'date,instrument,value,side\n2026-01-05,rom-knee-flexion,90,right\n2026-01-05,rom-knee-flexion,120,left\n' >"$work/sides.csv"
run 0 scores "$work/sides.csv" # one day, two knees
run 0 scores --list
says out '^koos-pain +0 to 100 points, higher is better, 9 items \(at least 5\)  MDC 20.2'
for bad in 'date,oks\n2026-01-01,99\n|outside of its range' 'date,okss\n2026-01-01,9\n|no known instrument' \
    'date,oks\n2026-02-30,9\n|no date' 'day,oks\n2026-02-03,9\n|no column' 'date,oks\n2026-01-01,many\n|no number' \
    'date,instrument,items\n2026-01-01,oks,1 2 x\n|item 3' 'date,instrument,items\n2026-01-01,oks,1 2 3\n|12 items' \
    'date,oks\n|holds no scores' 'date,instrument,value,side\n2026-01-01,oks,20,middle\n|side'; do
    printf '%b' "${bad%%|*}" >"$work/bad.csv"
    run 1 scores "$work/bad.csv"
    says err "${bad##*|}"
done
run 1 scores "$work/none.csv"
run 2 scores
run 2 scores "$work/s.csv" --list
run 2 scores "$work/s.csv" --report "$work/s.doc"
finish
