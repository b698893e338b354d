"""The whole path of one image, as the C program should do it. Thresholds come from gate_io.json / finder_io.json."""
from infer import *
from quality import *
from gate_data import CLASSES
class Pipeline:
    def __init__(s, fpt, gpt, cal):
        s.f = Finder(); s.f.load_state_dict(torch.load(fpt)); s.f.eval(); s.g = Gate(len(CLASSES)); s.g.load_state_dict(torch.load(gpt)); s.g.eval()
        s.c = cal
        if cal and 'mean' in cal: s.mu = np.array(cal['mean']); s.P = np.array(cal['inv_cov']).reshape(64, 64)
    def find(s, g, thr=None):
        x, sc, ox, oy = letterbox(g)
        with torch.no_grad(): o = s.f(torch.from_numpy(x)[None, None])[0].numpy()
        return decode(o, sc, ox, oy, s.c['finder_thr'] if thr is None else thr)
    def gate(s, g, k):
        x = gate_crop(g, k['x'], k['y'], k['w'])
        with torch.no_grad(): l, f = s.g(torch.from_numpy(np.ascontiguousarray(x))[None, None])
        return torch.softmax(l, 1)[0].numpy(), f[0].numpy(), x
    def maha(s, f): d = f - s.mu; return float(d @ s.P @ d)
    def rules(s, g, k, x, vmax=255.):
        st = {**raw_stats(g, gate_box(k['x'], k['y'], k['w']), vmax), **crop_stats(x)}; R = s.c['rules']; bad = []
        for name, (var, op, t) in R.items():
            if (op == '<' and st[var] < t) or (op == '>' and st[var] > t): bad.append(name)
        return bad, st
    def knee(s, g, k):
        p, f, x = s.gate(g, k); bad, st = s.rules(g, k, x); m = s.maha(f); c = int(p.argmax())
        if p[c] < 1e-9: c = 9
        verdict = 'ok'
        if c != 0: verdict = CLASSES[c]
        elif p[0] < s.c['ok_thr']: verdict = 'unsure:' + CLASSES[int(np.argsort(p)[-2])]
        elif m > s.c['maha_thr']: verdict = 'ood'
        elif bad: verdict = 'quality:' + ','.join(bad)
        return dict(verdict=verdict, p=p, m=m, bad=bad, st=st, **k)
    def __call__(s, im):
        """im: PIL image. Returns (status, list of knees): status 'ok' (>=1 knee accepted), 'ok:inverted', or the reason of refusal."""
        if im.mode in ('RGB', 'RGBA', 'P', 'CMYK'):
            rgb = np.asarray(im.convert('RGB'))
            if colourfulness(rgb) > s.c['colour_thr']: return 'colour', []
        g = np.asarray(im.convert('L')) if im.mode not in ('F',) else np.asarray(im)
        p1, p99 = np.percentile(g, [1, 99])
        if p99 - p1 < s.c['contrast_thr']: return 'no contrast', []
        if min(g.shape) < s.c['min_side']: return 'too small', []
        ks = s.find(g)
        if not ks: return 'no knee', []
        r = [s.knee(g, k) for k in ks]; ok = [q for q in r if q['verdict'] == 'ok']
        if ok: return 'ok', r
        if any(q['verdict'] in ('knee_inverted', 'unsure:knee_inverted') for q in r):
            gi = 255 - g; ks = s.find(gi); r2 = [s.knee(gi, k) for k in ks]
            if any(q['verdict'] == 'ok' for q in r2): return 'ok:inverted', r2
        return r[0]['verdict'], r
