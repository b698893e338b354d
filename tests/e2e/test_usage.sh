# What every command line does before any image is read: help, usage faults, missing things.
. "$(dirname "$0")/lib.sh"

run 0 --help
says out '^Commands:'
run 0 version
says out '^rehascope [0-9]+\.[0-9]+\.[0-9]+$'
run 2
run 2 nonsense
says err 'no such command: nonsense'
for command in analyse train evaluate calibrate audit-data drift predict model plan phantom doctor serve send version; do
    run 0 "$command" --help
    says out "^rehascope $command"
    says out '^Example:'
    says out 'Exit codes'
    run 2 "$command" --no-such-option
    says err 'no such option: --no-such-option'
done
run 2 analyse
run 2 analyse x.png --threads zero
run 2 analyse x.png --threads 0
says err "--threads: '0' is no whole number from 1 to 256"
run 2 analyse x.png --mm-per-px nan
says err "--mm-per-px: 'nan' is no number from 0.001 to 10"
run 2 analyse x.png --report report.doc
run 2 analyse x.png --task
run 2 train knee-oa
says err '--data and --out are needed'
run 1 train no-such-task --data . --out "$work/model"
says err "no task 'no-such-task'"
run 1 train knee-oa --data "$work/none" --out "$work/model"
says err 'no such folder'
run 2 evaluate knee-oa
run 1 evaluate knee-oa --data "$work/none"
run 2 audit-data knee-oa
run 2 calibrate knee-oa --data .
mkdir "$work/labels"
printf 'path,kl\n' >"$work/labels/labels.csv"
run 1 audit-data knee-oa --data "$work/labels"
says err "'knee_id' is missing"
run 1 analyse x.png --models "$work/none"
says err 'none'
run 0 model list
says out '^knee-oa'
run 0 model show knee-oa
says out '"intended_use"'
run 1 model show nothing
run 2 model erase
run 0 doctor
says out '^ok +analysis'
says out '^ok +models +[0-9]+ are installed and open$'
run 0 doctor --json
says out '"ok": true'

# What is damaged or absent of the models is found before a patient is.
cp -r "$REHA_SOURCE/models" "$work/models"
rm -r "$work/models/gate"
run 1 doctor --models "$work/models"
says out '^FAULT models .*gate is absent: nobody checks'
cp -r "$REHA_SOURCE/models/gate" "$work/models/"
echo '{' >"$work/models/muscle-us/1/card.json"
run 1 doctor --models "$work/models"
says out '^FAULT models .*muscle-us/1/card.json.*install the models again'
cp "$REHA_SOURCE/models/muscle-us/1/card.json" "$work/models/muscle-us/1/"
head -c 1000 "$REHA_SOURCE/models/muscle-us/1/model.onnx" >"$work/models/muscle-us/1/model.onnx"
run 1 doctor --models "$work/models" --json
says out 'muscle-us/1/model.onnx: not an ONNX file, or cut off'

# What cannot be printed is no success.
if [ -w /dev/full ]; then
    for args in "scores --list" "model list" "version" "--help"; do
        # shellcheck disable=SC2086
        "$REHASCOPE" $args >/dev/full 2>"$work/err"
        [ $? -eq 3 ] || fail "rehascope $args: a full disk was no fault"
        says err 'could not be written to standard output'
    done
fi
finish
