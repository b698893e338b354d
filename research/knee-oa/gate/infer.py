"""Reference inference: finder decode, raw rules, gate, whole pipeline."""
from common import *
import torch, json
from nets import *
def decode(out, s, ox, oy, thr=.35, maxn=2, iw=None, ih=None):
    """out (16,32,32) -> list of dict(x,y,w,score,notup) in image pixels, best first."""
    o = out.astype(np.float64); p = 1 / (1 + np.exp(-o[0])); H, W = p.shape; cand = []
    pp = np.pad(p, 1, constant_values=-1)
    for r in range(H):
        for c in range(W):
            if p[r, c] < thr or p[r, c] < pp[r:r + 3, c:c + 3].max(): continue
            cand.append((p[r, c], (c + .5 + o[1, r, c]) * 8, (r + .5 + o[2, r, c]) * 8, 64 * math.exp(min(2.0, max(-3., o[3, r, c]))), 1 / (1 + math.exp(-o[4, r, c]))))
    cand.sort(reverse=True); keep = []
    for q in cand:
        if all(math.hypot(q[1] - k[1], q[2] - k[2]) > .6 * max(q[3], k[3]) for k in keep): keep.append(q)
        if len(keep) == maxn: break
    return [dict(score=q[0], x=(q[1] - ox) / s, y=(q[2] - oy) / s, w=q[3] / s, notup=q[4]) for q in keep]
class Finder_:
    def __init__(s, p): s.m = Finder(); s.m.load_state_dict(torch.load(p, map_location='cpu')); s.m.eval()
    def __call__(s, g, **k):
        x, sc, ox, oy = letterbox(g)
        with torch.no_grad(): o = s.m(torch.from_numpy(x)[None, None])[0].numpy()
        return decode(o, sc, ox, oy, **k)
