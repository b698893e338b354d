#!/usr/bin/env bash
# FHIR for a hospital's information system: a day in a clinic as a program with a token reads it; every resource that was given out is
# judged by the official R4 schema and by the structure definitions.
. "$(dirname "$0")/lib.sh"
export REHASCOPE_MODELS="$REHA_SOURCE/models" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
home=$work/home

run 0 phantom "$work/knees" --count 2 --dicom
set -- "$work"/knees/*.dcm
film=$1
run 0 phantom "$work/pictures" --count 1 --seed 7
dcmodify -nb -i "PatientID=WARD-4711" -i "PatientName=Person^Erna" "$film" 2>/dev/null || fail "dcmodify"

start_server
mkdir "$work/resources"
checks=$((checks + 1))
tokens=$(python3 "$REHA_SOURCE/tests/e2e/fhir_day.py" "$address" "$work/resources" "$film" "$work/pictures/knee-000R.png" 2>"$work/day") ||
    { fail "the day in the clinic"; tail -n 5 "$work/day"; }
for token in $tokens; do
    checks=$((checks + 1))
    if grep -rqaF -e "${token#rht_*_}" "$home" "$work/served" "$work/serve-err"; then fail "a token's secret is stored or logged"; fi
done
checks=$((checks + 1))
grep -q 'event=http.request .*route=/fhir/R4/Patient/{id}/$everything status=200' "$home/server.log" || fail "the log does not tell of FHIR"

# code_of TOKEN: how the server answers to it.
code_of() {
    python3 - "$address" "$1" <<'PY'
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1] + "/fhir/R4/Patient", headers={"Authorization": "Bearer " + sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=600).status)
except urllib.error.HTTPError as error:
    print(error.code)
PY
}

# The same by the command line, while the server runs.
run 0 token add "night run" --role researcher --days 2 --home "$home"
says out '^rht_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$'
token=$(cat "$work/out")
checks=$((checks + 1))
[ "$(code_of "$token")" = 200 ] || fail "a token of the command line"
run 0 token list --home "$home"
says out '^[0-9a-z]{26} researcher   active   until 20.*night run$'
says out 'read-only    revoked '
id=${token#rht_}
run 0 token revoke "${id%%_*}" --home "$home"
run 1 token revoke "${id%%_*}" --home "$home"
says err 'revoked already'
checks=$((checks + 1))
[ "$(code_of "$token")" = 401 ] || fail "a revoked token works"
run 2 token add "night run" --home "$home"
run 1 token add "night run" --role administrator --home "$home"
end_server
run 0 audit verify --home "$home"

fhir=$REHA_SOURCE/tests/fhir
npm_packages "$fhir" fhir || { echo "skipped the judges"; finish; exit; }
checks=$((checks + 2))
node "$fhir/validate.cjs" "$work/resources" || fail "resources that are not as the standard says"
node "$fhir/validate.cjs" "$work/resources" spoil || fail "the judges say no to nothing"
finish
