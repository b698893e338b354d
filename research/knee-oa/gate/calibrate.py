"""calibrate.py FINDER.pt GATE.pt OUT.json [crops]: features and statistics of good training knees -> distance to the
training images and thresholds of the plain rules.

Good knees are training crops of knee_xray, wide low windows of them (as clinics store them: both condyles in width, little
more than half of that in height), a little turned, otherwise exposed, and the whole radiographs of the finder's training part.
Distances are cross-fitted (5 folds), so that the thresholds also hold for images that were not in the mean and covariance."""
import json, pickle, sys
from collections import Counter
from pipeline import *
from finder_data import read_labels

def pil(a): return Image.fromarray(np.clip(np.round(a), 0, 255).astype(np.uint8))

def low_window(a, k, rng):
    """300 x 162 px around the joint of crop a with knee k."""
    width = k['w'] * rng.uniform(1.02, 1.3); height = width * 162 / 300 * rng.uniform(.96, 1.08); at = rng.uniform(.40, .66)
    H, W = a.shape; width = min(width, W); x0 = min(max(0, k['x'] - width * rng.uniform(.45, .55)), W - width); y0 = min(max(0, k['y'] - height * at), H - height)
    return np.asarray(pil(a).resize((300, 162), Image.BILINEAR, box=(x0, y0, x0 + width, y0 + height)))

def variants(a, k, kind, rng):
    f = a.astype(np.float32)
    if kind == 'low': return low_window(a, k, rng)
    if kind == 'turned': return np.asarray(pil(a).rotate(rng.uniform(-8, 8), Image.BILINEAR, fillcolor=int(np.percentile(a, 1))))
    if kind == 'exposure':
        q = rng.randrange(4)
        if q == 0: return np.asarray(pil(255 * (f / 255) ** math.exp(rng.uniform(-.55, .55))))
        if q == 1: return np.asarray(pil(f * rng.uniform(.45, .9)))
        if q == 2: return np.asarray(pil((f - 128) * rng.uniform(.5, .9) + 128 + rng.uniform(-25, 25)))
        return np.asarray(pil(f + np.random.RandomState(rng.randrange(2**31)).randn(*f.shape) * rng.uniform(1, 4)))
    return a

if __name__ == '__main__':
    torch.set_num_threads(1); rng = random.Random(9)
    P = Pipeline(sys.argv[1], sys.argv[2], dict(finder_thr=.35)); n = int(sys.argv[4]) if len(sys.argv) > 4 else 700
    bad = set(open(HERE + 'metal_train.txt').read().split())
    K = [r for r in knee_xray() if r['split'] == 'train' and not r['inv'] and r['knee_id'] not in bad]; K = rng.sample(K, n)
    te = set(open(HERE + 'finder_test.txt').read().split()) | {'OP25', 'N36'}
    rows, missed = [], Counter()
    def look(group, name, g, most):
        ks = P.find(g)[:most]
        if not ks: missed[group] += 1; return None
        for k in ks:
            p, f, x = P.gate(g, k); rows.append(dict(group=group, name=name, p=p, f=f, k=k, st={**raw_stats(g, gate_box(k['x'], k['y'], k['w'])), **crop_stats(x)}))
        return ks[0]
    plan = (['low', None] * 2 + ['turned', None, 'exposure', None, None])
    for i, r in enumerate(K):
        a = load_grey(r['file']); k = look('crop', r['knee_id'], a, 1); kind = plan[i % len(plan)]
        if k and kind: look(kind, r['knee_id'], variants(a, k, kind, rng), 1)
        if i % 100 == 99: print(i + 1, flush=True)
    R = [r for r in radiographs() if r['name'] not in te]; rng.shuffle(R)
    for r in R[:70]: look('radiograph', r['name'], load_grey(r['file']), 2)
    pickle.dump((rows, missed), open(sys.argv[3] + '.pkl', 'wb'))
    import thresholds; thresholds.main(sys.argv[3] + '.pkl', sys.argv[3])
