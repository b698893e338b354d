# The gate from the command line: mixed pictures of one call, each to its recogniser or refused with one clear line.
. "$(dirname "$0")/lib.sh"
[ -f "$REHA_SOURCE/models/gate/1/card.json" ] || { echo "skipped: no models/gate"; exit 77; }
command -v node >/dev/null || { echo "skipped: node draws the pictures"; exit 77; }

# Pictures that no training drew: overlapping discs under light, a page of words as bars, noise, an even grey.
cat >"$work/draw.js" <<'END'
const zlib = require('zlib'), fs = require('fs');
const table = [...Array(256).keys()].map((n) => { for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
const crc = (b) => { let c = 0xffffffff; for (const x of b) c = table[(c ^ x) & 255] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; };
const chunk = (type, data) => { const body = Buffer.concat([Buffer.from(type), data]), out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0); body.copy(out, 4); out.writeUInt32BE(crc(body), body.length + 4); return out; };
let state = 12345;
const unit = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296;
function save(name, w, h, at) {
    const rows = Buffer.alloc(h * (w + 1)), head = Buffer.alloc(13);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) rows[y * (w + 1) + x + 1] = Math.max(0, Math.min(255, at(x, y)));
    head.writeUInt32BE(w, 0); head.writeUInt32BE(h, 4); head[8] = 8;
    fs.writeFileSync(name, Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]));
}
const discs = [...Array(400)].map(() => [unit() * 420, unit() * 300, 4 / Math.pow(unit() + 0.01, 0.7), unit() * 255]);
save(process.argv[2] + '/photo.png', 420, 300, (x, y) => { let v = 120; for (const d of discs) if ((x - d[0]) ** 2 + (y - d[1]) ** 2 < d[2] ** 2) v = d[3]; return v * (0.6 + 0.5 * x / 420) + 6 * unit(); });
const words = [...Array(40)].map(() => [...Array(30)].map(() => unit() < 0.75));
save(process.argv[2] + '/page.png', 360, 460, (x, y) => { const row = Math.floor(y / 14), column = Math.floor(x / 14);
    return row > 1 && y % 14 > 3 && y % 14 < 11 && x > 20 && x < 340 && words[row][column] && (x * 7 + y * 3 + row * column) % 5 < 2 ? 20 : 250; });
save(process.argv[2] + '/noise.png', 256, 256, () => 255 * unit());
save(process.argv[2] + '/even.png', 300, 200, () => 77);
END
mkdir "$work/mixed"
node "$work/draw.js" "$work/mixed"
run 0 phantom "$work/knees" --count 2
cp "$work"/knees/*.png "$work/mixed/"

run 1 analyse "$work/mixed" --threads 1
[ "$(wc -l <"$work/out")" -eq 6 ] || fail "not one line for each of 6 pictures"
[ "$(grep -c 'knee: KL [0-4]' "$work/out")" -eq 2 ] || fail "the knees beside the others were not graded"
for name in photo page noise even; do
    says out "$name\.png: refused: .{30,}"
done
[ "$(grep -c 'prosthesis' "$work/out")" -eq 0 ] || fail "a picture without any bone is called a prosthesis"

# A named task: refused with what the picture is, and who reads it.
knee=$(find "$work/knees" -name '*.png' | sort | head -n 1)
run 1 analyse --task fracture "$knee" --threads 1
says out 'refused: .*frontal radiograph of the knee.*not .*read by knee-oa'
run 1 analyse --task muscle-us "$knee" "$work/mixed/page.png" --threads 1 --json
[ "$(grep -c '"level": "refused"' "$work/out")" -ge 2 ] || fail "not both are refused"

# What is it? And the limits are not calibrated, they are trained.
run 0 analyse --task gate "$knee" --threads 1
says out 'This looks like a frontal radiograph of the knee \([0-9]+ %\)'
run 1 calibrate gate --data "$work" --model "$REHA_SOURCE/models/gate/1"
says err 'set by its training'
run 0 model show gate
says out 'recall_knee'

# Training: what is wrong with the table is named.
mkdir "$work/table"
run 1 train gate --data "$work/table" --out "$work/model"
says err 'scenes\.csv'
printf 'path,scene,split,group\nabsent.png,knee,train,a\n' >"$work/table/scenes.csv"
run 1 train gate --data "$work/table" --out "$work/model"
says err 'absent\.png'
printf 'path,scene,split,group\nabsent.png,elbow,train,a\n' >"$work/table/scenes.csv"
run 1 train gate --data "$work/table" --out "$work/model"
says err "no scene 'elbow'"
run 1 audit-data gate --data "$work/table"
says err "no scene 'elbow'"
finish
