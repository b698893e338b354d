# plan: from a patient's facts to plan, pages and reasons; the second visit; bad input.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_GUIDELINES=$REHA_SOURCE/guidelines
golden=$REHA_SOURCE/tests/golden/plans

# input NAME FILE: the input of a golden case.
input() {
    jq .input "$golden/$1.json" >"$2"
}
if ! command -v jq >/dev/null; then
    input() {
        python3 -c 'import json,sys; json.dump(json.load(open(sys.argv[1]))["input"], open(sys.argv[2], "w"), indent=1)' \
            "$golden/$1.json" "$2"
    }
    command -v python3 >/dev/null || { echo "skipped: neither jq nor python3"; exit 77; }
fi

input knee-oa-typical-calm "$work/knee.json"
run 0 plan --input "$work/knee.json" --report "$work/r.pdf" --patient "$work/p.pdf"
says out '^Plan of 2026-05-01: Knee osteoarthritis, right side. Status: ready. Not reviewed'
says out 'Bridge for the buttocks. 2 x, 10 repetitions, 3 days a week, effort 5 of 10'
says out '\[absent\] Fever'
says out '^Imaging \(not-needed\)'
[ "$(head -c 5 "$work/p.pdf")" = "%PDF-" ] || fail "no page for the patient"
[ "$(head -c 5 "$work/r.pdf")" = "%PDF-" ] || fail "no report"
if command -v pdftotext >/dev/null; then
    pdftotext "$work/p.pdf" "$work/p.txt"
    says p.txt 'Your exercise plan'
    says p.txt '^Draft: your therapist has not checked this page yet'
    says p.txt 'Stop and see a doctor the same day'
    pdftotext "$work/r.pdf" "$work/r.txt"
    says r.txt 'knee-oa.exercise.bridge'
    says r.txt 'NICE NG226'
    says r.txt '^NOT REVIEWED'
fi
input knee-replacement-years-no-flexion "$work/years.json"
run 0 plan --input "$work/years.json" --report "$work/y.pdf"
says out "^Note: the phase 'Get strong' was chosen by time alone .*300 weeks"
if command -v pdftotext >/dev/null; then
    pdftotext "$work/y.pdf" "$work/y.txt"
    says y.txt '^Notes$'
    says y.txt "was chosen by time alone"
fi
run 0 plan --input "$work/knee.json" --why
says out 'rule knee-oa.advice.weight; no strength printed; NICE NG226'
says out 'because body mass index: 30.1 kg/m2'
says out '^  no +knee-oa.imaging.atypical'

# The second visit: a step back after a flare, an edit that is kept, an edit without reason.
run 0 plan --input "$work/knee.json" --json
cp "$work/out" "$work/first.json"
input knee-oa-review-flare "$work/flare.json"
run 0 plan --input "$work/flare.json" --previous "$work/first.json"
says out 'dose: from level 1 down to level 0: Pain rose by more than 2 points'
sed 's/"Bridge for the buttocks."/"Bridge, slowly.", "edited": {"reason": "cramps", "by": "physio 7"}/' \
    "$work/first.json" >"$work/edited.json"
run 0 plan --input "$work/flare.json" --previous "$work/edited.json"
says out 'Bridge, slowly'
says out 'edited by physio 7: cramps'
sed 's/"Bridge for the buttocks."/"Bridge, slowly."/' "$work/first.json" >"$work/silent.json"
run 1 plan --input "$work/flare.json" --previous "$work/silent.json"
says err "silent.json line [0-9]+, phases\[0\].exercises\[[0-9]\]: 'knee-oa.exercise.bridge' was changed without a reason"

# Red flag: doctor, no exercises.
input knee-oa-infection "$work/flag.json"
run 0 plan --input "$work/flag.json" --patient "$work/flag.pdf"
says out 'Status: doctor-today'
says out '\[present\] Fever'

# The example of the documentation is a real one.
awk '/^```json/ { inside = 1; next } /^```/ { inside = 0 } inside' "$REHA_SOURCE/docs/formats/plan.md" >"$work/example.json"
run 0 plan --input "$work/example.json" --json
says out '"schema": "rehascope/plan/1"'
run 0 plan --input "$REHA_SOURCE/docs/formats/examples/plan.json"

# Bad input: one clear line each, exit 1.
run 2 plan
says err '--input is needed'
run 1 plan --input "$work/none.json"
says err 'none.json'
printf '{"schema": "rehascope/plan-input/1",\n' >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'bad.json: JSON line 2'
echo '[]' >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'bad.json line 1: must be an object'
echo '{"schema": "rehascope/plan-input/1", "date": "2026-02-30", "condition": "knee-oa", "side": "right"}' >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'date: must be a date like'
echo '{"schema": "rehascope/plan-input/1", "date": "2026-02-03", "condition": "gout", "side": "right"}' >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'condition: must be one of: knee-oa'
says err '\.\.\. \(all: guidelines/facts.json\)'
echo '{"schema":"rehascope/plan-input/1","date":"2026-01-05","condition":"low-back-pain"}' >"$work/no-side.json"
run 1 plan --input "$work/no-side.json"
says err 'side: must be one of: right, left, both, none'
sed 's/"pain_activity": 6/"pain_activity": 60/' "$work/knee.json" >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'bad.json line [0-9]+, symptoms.pain_activity: must be a number from 0 to 10'
sed 's/"pain_activity": 6/"pain_activity": 6, "name": "ZZSECRET"/' "$work/knee.json" >"$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'symptoms.name: no such fact'
grep -q ZZSECRET "$work/err" "$work/out" && fail "a value of the input was printed"
input knee-oa-weeks-no-surgery "$work/bad.json"
run 1 plan --input "$work/bad.json"
says err 'json: time since an operation is given, but no operation'
run 1 plan --input "$work/knee.json" --previous "$work/knee.json"
says err 'is this a plan'
run 1 plan --input "$work/knee.json" --patient "$work/p.pdf" --language xx
says err 'xx.json'
run 1 plan --input "$work/knee.json" --guidelines "$work"
says err 'facts.json'
run 1 plan --input "$work/knee.json" --report "$work/no/such/r.pdf"
finish
