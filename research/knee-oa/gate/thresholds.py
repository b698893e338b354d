"""thresholds.py STORED.pkl OUT.json: from the stored features and statistics of good training knees to thresholds."""
import json, pickle, sys
from common import *
from gate_data import CLASSES
GROUPS = ('crop', 'low', 'turned', 'exposure', 'radiograph')
KEEP, USUAL = .995, .975

def fit(F):
    mu = F.mean(0); C = np.cov(F.T); C += .02 * np.trace(C) / 64 * np.eye(64)     # shrunk: unseen directions count less
    return mu, np.linalg.inv(C)
def distance2(F, mu, Pi): return np.einsum('ij,jk,ik->i', F - mu, Pi, F - mu)

def main(stored, out):
    rows, missed = pickle.load(open(stored, 'rb'))
    for g in GROUPS:
        q = [r for r in rows if r['group'] == g]
        print(f"{g:12s} n={len(q)} no knee found {missed[g]}; gate says", dict(zip(*np.unique([CLASSES[int(r['p'].argmax())] for r in q], return_counts=True))))
    A = [r for r in rows if r['p'].argmax() == 0]; F = np.array([r['f'] for r in A]); who = np.array([r['group'] for r in A])
    fold = np.array([int(h01(r['name'].rstrip('LR'), 'fold') * 5) for r in A]); m = np.zeros(len(A))
    for k in range(5): m[fold == k] = distance2(F[fold == k], *fit(F[fold != k]))
    refuse = max(float(np.sort(m[who == g])[math.ceil(KEEP * ((who == g).sum() - 1))]) for g in GROUPS); warn = float(np.quantile(m, USUAL)); mu, Pi = fit(F)
    for g in GROUPS: print(f'{g:12s} squared distance 50/95/97.5/99.5/100 %', np.percentile(m[who == g], [50, 95, 97.5, 99.5, 100]).round(1), f'kept {100 * np.mean(m[who == g] <= refuse):.2f} % p_ok 0.5/1/2/5 %', np.percentile([r["p"][0] for r in A if r["group"] == g], [.5, 1, 2, 5]).round(2))
    print(f'refuse above {refuse:.1f}, warn above {warn:.1f}')
    v = lambda name, qs, groups=GROUPS: [float(x) for x in np.quantile([r['st'][name] for r in A if r['group'] in groups], qs)]
    for name in ('p50', 'p99', 'contrast', 'white', 'lapratio', 'noise', 'side', 'outside'):
        for g in GROUPS: print(f'{name:9s} {g:12s} 0/.2/.5/2/50/98/99.5/99.8/100 %', np.round(v(name, [0, .002, .005, .02, .5, .98, .995, .998, 1], (g,)), 4))
    rules = {'too_dark': ('p99', '<', min(v('p99', [.001])[0], 55.)), 'too_bright': ('p50', '>', 246.), 'low_contrast': ('contrast', '<', min(30., v('contrast', [.001])[0] * .9)),
             'white_area': ('white', '>', max(.25, v('white', [.9995])[0] * 1.2)), 'blurred': ('lapratio', '<', v('lapratio', [.0025])[0] * .9), 'noisy': ('lapratio', '>', v('lapratio', [.9995])[0] * 1.05),
             'noise': ('noise', '>', v('noise', [.998])[0] * 1.25), 'small': ('side', '<', 90.), 'outside': ('outside', '>', v('outside', [.9995])[0] + .03)}
    for n, (s, op, t) in rules.items(): print(f'rule {n:13s} {s} {op} {t:.4f}')
    json.dump(dict(finder_thr=.35, ok_thr=.5, maha_thr=refuse, maha_warn=warn, colour_thr=8.0, contrast_thr=20.0, min_side=64, rules={k: list(t) for k, t in rules.items()}, mean=mu.tolist(), inv_cov=Pi.ravel().tolist()), open(out, 'w'))
if __name__ == '__main__': main(sys.argv[1], sys.argv[2])
