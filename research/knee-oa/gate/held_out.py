"""held_out.py OUT.csv: which files of the other data sets were seen in training (train) and which were not (val).
Radiographs: rows and width of the joints, so that a part without joint can be cut. Copies are on one side."""
import csv, sys
from common import *
from finder_data import read_labels
METAL = {'OP25', 'N36'}
if __name__ == '__main__':
    L = read_labels(HERE + 'knee_centres.csv'); seeds = set(open(HERE + 'seed_names.txt').read().split()); te = set(open(HERE + 'finder_test.txt').read().split())
    rel = lambda f: f[len(DATA):]; rows = []
    for r in radiographs():
        if r['name'] in METAL or (r['name'] in te and r['name'] in seeds): continue
        k = L[r['name']]; ys = [y for _, y, _ in k]
        rows.append(('radiograph', 'val' if r['name'] in te else 'train', rel(r['file']), f'{min(ys):.0f}', f'{max(ys):.0f}', f'{max(w for *_, w in k):.0f}', len(k)))
    rng = random.Random(4)
    for kind, (tr, va) in (('fracture', fracture()), ('ultrasound', ultrasound())):
        for split, fs in (('train', tr), ('val', va)):
            for f in sorted(rng.sample(fs, min(len(fs), 100))): rows.append((kind, split, rel(f), '', '', '', ''))
    for f in sorted(glob.glob(DATA + 'dicom/knee_mr_t2/*.dcm')):
        n = int(f.split('I')[-1][:3]); rows.append(('slice', 'train' if (n - 49) // 24 < 2 else 'val', rel(f), '', '', '', ''))
    for k in ('wrist_MR08', 'dcm4che_test16signed', 'dcm4che_ovly_p01'): rows.append(('slice', 'val', f'dicom/examples/{k}.dcm', '', '', '', ''))
    for f in sorted(glob.glob(DATA + 'dicom/transfer_syntaxes/*')):
        if os.path.basename(f).startswith('CT'): rows.append(('slice', 'val', rel(f), '', '', '', ''))
    w = csv.writer(open(sys.argv[1], 'w'), lineterminator='\n'); w.writerow(('set', 'split', 'path', 'joint_top_px', 'joint_bottom_px', 'width_px', 'knees')); w.writerows(rows)
