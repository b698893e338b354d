# `drift`: generated knees against others of the same kind, against wider ones, and requests that cannot be met.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/a" --count 20 --seed 1
run 0 phantom "$work/b" --count 20 --seed 2
for set in a b; do
    "$REHASCOPE" analyse "$work/$set" --json --no-explanation --threads 1 >"$work/$set.json" 2>"$work/err"
done

run 0 drift --reference "$work/a.json" --new "$work/b.json"
says out 'No change seen'
sed 's/"width_px": 224,/"width_px": 300,/' "$work/b.json" >"$work/wide.json"
run 0 drift --reference "$work/a.json" --new "$work/wide.json" --json
says out '"alarm": true'
says out 'image width, px'

run 2 drift --reference "$work/a.json"
says err 'are needed'
run 1 drift --reference "$work/a.json" --new "$work/nowhere"
says err 'nowhere'
printf '{"other": 1}' >"$work/other.json"
run 1 drift --reference "$work/other.json" --new "$work/b.json"
says err 'analyse --json'
printf '{"results": []}' >"$work/none.json"
run 1 drift --reference "$work/a.json" --new "$work/none.json"
says err 'too few'

# A result that does not find room where it is written to is no success, and no signal ends the program before it says so.
limited 1 3 drift --reference "$work/a.json" --new "$work/b.json" --json
says err 'could not be written to standard output'
finish
