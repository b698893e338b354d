# Bad input: one clear line each, exit 1, and the other images of the call are still analysed.
. "$(dirname "$0")/lib.sh"

run 0 phantom "$work/good" --count 1
good=$(find "$work/good" -name '*.png' | head -n 1)
mkdir "$work/empty" "$work/texts"
echo "not an image" >"$work/texts/readme.txt"
echo "this is text" >"$work/text.png"
: >"$work/zero.png"
head -c 200 "$good" >"$work/cut.png"
printf '%%PDF-1.4 nothing' >"$work/document.dcm"
head -c 4096 /dev/urandom >"$work/noise.jpg"
# A PNG header that declares 30000 x 30000 pixels (IHDR with its right checksum).
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\165\060\0\0\165\060\010\0\0\0\0\103\114\247\146' >"$work/huge.png"

run 1 analyse "$work/none.png" "$work/empty" "$work/texts" "$work/text.png" "$work/zero.png" "$work/cut.png" \
    "$work/document.dcm" "$work/noise.jpg" "$work/huge.png" "$good"
says out 'none\.png: not analysed: .*(cannot be opened|No such file)'
says out 'empty: not analysed: the folder holds no'
says out 'texts: not analysed: the folder holds no'
says out 'text\.png: not analysed: this is a text file'
says out 'zero\.png: not analysed: the file is empty'
says out 'cut\.png: not analysed: '
says out 'document\.dcm: not analysed: this is a PDF'
says out 'noise\.jpg: not analysed: '
says out 'huge\.png: not analysed: '
says out "$(basename "$good"): .*KL [0-4]"
lines=$(wc -l <"$work/out")
[ "$lines" -eq 10 ] || fail "$lines lines for 10 inputs"

# Names that are no plain ASCII, and a report beside bad input.
cp "$good" "$work/Knie links <é>.png"
run 1 analyse "$work/Knie links <é>.png" "$work/zero.png" --report "$work/r.html" --json
says out '"ok": true'
says out '"ok": false'
grep -q 'Knie links &lt;é&gt;.png' "$work/r.html" || fail "the report does not escape the file name"
grep -q 'the file is empty' "$work/r.html" || fail "the report leaves out the file that was not read"
cp "$good" "$work/$(printf 'latin\xe9.png')" # a name that is not UTF-8
run 0 analyse "$work/$(printf 'latin\xe9.png')" --json
says out 'latin\?.png'
# Where nothing can be written is said before the work, not after it.
for place in "--report $work/no/such/folder/r.html" "--table $work/no/t.csv" "--overlay $work/no/o.png"; do
    # shellcheck disable=SC2086
    run 1 analyse "$good" $place
    says err 'cannot be created: its folder does not exist'
    [ ! -s "$work/out" ] || fail "the image was analysed first: $place"
done
run 1 analyse "$good" --table "$work/texts"
says err 'is a folder: give the name of a file'

# A folder: no image is passed over in silence, whatever is wrong with it; what is no image is.
mkdir "$work/mixed"
cp "$good" "$work/mixed/KNEE.PNG"
: >"$work/mixed/half-copied.JPG"
printf 'RIFF\0\0\0\0WEBPVP8 ' >"$work/mixed/phone.webp"
echo "path,kl" >"$work/mixed/labels.csv"
run 1 analyse "$work/mixed"
says out 'KNEE\.PNG: .*KL [0-4]'
says out 'half-copied\.JPG: not analysed: the file is empty'
says out 'phone\.webp: not analysed: this is a WebP picture'
[ "$(wc -l <"$work/out")" -eq 3 ] || fail "not three lines for three images and a table"
finish
