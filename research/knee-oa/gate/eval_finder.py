"""eval_finder.py MODEL.pt [thr]: held-out radiographs against the hand labels, crops (val), and false knees on held-out negatives"""
import sys
from infer import *
from finder_data import read_labels
torch.set_num_threads(1); f = Finder_(sys.argv[1]); thr = float(sys.argv[2]) if len(sys.argv) > 2 else .35
SEEDS = set(open(HERE + 'seed_names.txt').read().split())   # the first finder had seen them
L = read_labels(HERE + 'knee_centres.csv'); te = [n for n in open(HERE + 'finder_test.txt').read().split() if n not in SEEDS]; E = []; fp = []; miss = []; sc = []
for n in te:
    g = load_grey(DATA + f'knee_radiographs/images/{n}.jpg'); ks = f(g, thr=.1); used = set()
    for t in L[n]:
        c = [(math.hypot(k['x'] - t[0], k['y'] - t[1]) / t[2], i) for i, k in enumerate(ks)]; b = min(c) if c else (9, -1)
        if b[0] < .5: k = ks[b[1]]; used.add(b[1]); E.append((b[0], abs(k['x'] - t[0]) / t[2], abs(k['y'] - t[1]) / t[2], k['w'] / t[2], k['score'])); 
        if b[0] > .1 or k['score'] < thr: miss.append((n, round(b[0], 3), round(ks[b[1]]['score'], 2) if c else 0))
    fp += [(n, round(k['score'], 2)) for i, k in enumerate(ks) if i not in used and k['score'] >= thr]
E = np.array(E); N = sum(len(L[n]) for n in te); print(f'radiographs {len(te)} images {N} knees: within 10% and score>{thr}: {N-len(miss)} ({100*(N-len(miss))/N:.1f}%)  error/width median {np.median(E[:,0]):.3f} p95 {np.quantile(E[:,0],.95):.3f} max {E[:,0].max():.3f}; width ratio {E[:,3].mean():.3f} sd {E[:,3].std():.3f}; false knees {len(fp)} {fp}; missed {miss}; min score {E[:,4].min():.2f}')
rng = random.Random(4); K = [r for r in knee_xray() if r['split'] == 'val']; n = 0; S = []; C = []
for r in K if '--all' in sys.argv else rng.sample(K, 120):
    ks = f(load_grey(r['file']), thr=.1); S.append(ks[0]['score'] if ks else 0); n += sum(k['score'] >= thr for k in ks) > 1
    if ks: C.append((ks[0]['x'], ks[0]['y'], ks[0]['w']))
    if S[-1] < thr: print('crop missed', r['knee_id'], round(S[-1], 2), r['inv'])
C = np.array(C); print('crops', len(S), 'found', np.mean(np.array(S) >= thr), 'two knees', n, 'score pct', np.percentile(S, [0, 1, 5, 50]).round(2), 'x y w mean', C.mean(0).round(1), 'sd', C.std(0).round(1))
for nm, fs in (('fracture', fracture()[1]), ('ultrasound', ultrasound()[1][::4]), ('ct_mr', sorted(glob.glob(WORK + 'extra/test/ct_mr/*'))), ('photo', sorted(glob.glob(WORK + 'extra/test/photo/*')))):
    s = []
    for p in fs: ks = f(load_grey(p), thr=.05); s.append(ks[0]['score'] if ks else 0)
    s = np.array(s); print(nm, len(s), 'images with a false knee', int((s >= thr).sum()), 'top', sorted(zip(s.round(2), [os.path.basename(p)[:14] for p in fs]))[-4:])
