"""python3 train_finder.py OUT.pt SECONDS INIT.pt|- KNEE_CENTRES.csv CROPS.csv: trains the finder for so many seconds."""
import sys, time
from finder_data import *
from nets import *
import torch.optim as O
class DS(torch.utils.data.IterableDataset):
    def __init__(s, R, K, N, seed): s.a = (R, K, N); s.seed = seed
    def __iter__(s):
        wi = torch.utils.data.get_worker_info(); rng = random.Random(s.seed * 100 + (wi.id if wi else 0))
        while True: yield tuple(torch.from_numpy(np.ascontiguousarray(v)) for v in sample(rng, *s.a))
def loss_fn(o, heat, ign, reg, rw):
    p = torch.sigmoid(o[:, 0]).clamp(1e-4, 1 - 1e-4); pos = (heat > .999).float()
    lp = -(torch.log(p) * (1 - p) ** 2 * pos).sum(); ln = -(torch.log(1 - p) * p ** 2 * (1 - heat) ** 4 * (1 - pos) * ign).sum()
    n = pos.sum().clamp(min=1); q = rw.sum().clamp(min=1)
    lo = ((o[:, 1:3] - reg[:, :2]).abs().sum(1) * rw).sum() / q; lw = ((o[:, 3] - reg[:, 2]).abs() * rw).sum() / q
    lf = (F.binary_cross_entropy_with_logits(o[:, 4], reg[:, 3], reduction='none') * rw).sum() / q
    return (lp + ln) / n + .5 * lo + 2 * lw + .2 * lf, ((lp + ln) / n, lo, lw, lf)
def build(labels, crops):
    te = set(open(HERE + 'finder_test.txt').read().split()); train = {r['knee_id'] for r in knee_xray() if r['split'] == 'train'}
    LR = {k: v for k, v in read_labels(labels).items() if k not in te}; LK = {k: v for k, v in read_labels(crops).items() if k in train}
    R = []
    for k, v in LR.items():
        im = Image.open(DATA + f'knee_radiographs/images/{k}.jpg').convert('L'); im2 = im.resize((im.width * 5 // 8, im.height * 5 // 8), Image.BILINEAR)
        R.append(Src(im2, [tuple(c * .625 for c in t) for t in v]))
    inv = {r['knee_id']: r['inv'] for r in knee_xray()}
    K = [Src(Image.open(DATA + f'knee_xray/images/{k}.jpg').convert('L'), v, inv[k]) for k, v in LK.items()]
    return R, K
if __name__ == '__main__':
    out, secs = sys.argv[1], float(sys.argv[2]); torch.set_num_threads(int(os.environ.get('NT', 2))); torch.manual_seed(0)
    R, K = build(*sys.argv[4:6]); print(len(R), len(K), flush=True)
    N = Negs(fracture()[0], ultrasound()[0])
    m = Finder(); print('MMAC', macs(m, torch.zeros(1, 1, 256, 256)) / 1e6)
    if len(sys.argv) > 3 and sys.argv[3] != '-': m.load_state_dict(torch.load(sys.argv[3]))
    dl = iter(torch.utils.data.DataLoader(DS(R, K, N, int(time.time()) if '--rnd' in sys.argv else 1), batch_size=16, num_workers=int(os.environ.get('NW', 1)), prefetch_factor=4))
    lr0 = float(os.environ.get('LR', 2e-3)); o = O.AdamW(m.parameters(), lr0, weight_decay=1e-2); t0 = time.time(); i = 0; acc = np.zeros(5); ema = {k: v.clone() for k, v in m.state_dict().items()}
    m.train()
    while True:
        fr = (time.time() - t0) / secs
        if fr >= 1: break
        for g in o.param_groups: g['lr'] = lr0 * min(1, (i + 1) / 50) * (.5 * (1 + math.cos(math.pi * fr)) + .01)
        x, h, ig, rg, rw = next(dl); l, parts = loss_fn(m(x[:, None]), h, ig, rg, rw); o.zero_grad(); l.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 5); o.step(); i += 1; acc += [float(l)] + [float(p) for p in parts]
        d = min(.99, i / (i + 20.))
        for k, v in m.state_dict().items(): ema[k].mul_(d).add_(v, alpha=1 - d) if v.dtype.is_floating_point else ema[k].copy_(v)
        if i % 50 == 0: print(i, f'{time.time()-t0:.0f}s', (acc / 50).round(3), flush=True); acc[:] = 0; torch.save(ema, out)
    torch.save(ema, out); print('done', i)
