"""python3 train_gate.py OUT.pt SECONDS [INIT.pt|-] [knee_xray_centres.csv knee_centres.csv]"""
import sys, time
from gate_data import *
from nets import *
import torch.optim as O
class DS(torch.utils.data.IterableDataset):
    def __init__(s, S, seed): s.S = S; s.seed = seed
    def __iter__(s):
        wi = torch.utils.data.get_worker_info(); rng = random.Random(s.seed * 100 + (wi.id if wi else 0))
        while True: x, c = sample(rng, s.S); yield torch.from_numpy(x), c
if __name__ == '__main__':
    out, secs = sys.argv[1], float(sys.argv[2]); torch.set_num_threads(int(os.environ.get('NT', 1))); torch.manual_seed(0)
    S = build(*(sys.argv[4:7] if len(sys.argv) > 5 else ())); print({k: len(v) for k, v in S.items()}, flush=True)
    m = Gate(len(CLASSES)); print('MMAC', macs(m, torch.zeros(1, 1, 128, 128)) / 1e6, flush=True)
    if len(sys.argv) > 3 and sys.argv[3] != '-': m.load_state_dict(torch.load(sys.argv[3]))
    dl = iter(torch.utils.data.DataLoader(DS(S, int(os.environ.get('SEED', 1))), batch_size=32, num_workers=int(os.environ.get('NW', 1)), prefetch_factor=4))
    lr0 = float(os.environ.get('LR', 2e-3)); o = O.AdamW(m.parameters(), lr0, weight_decay=2e-2); t0 = time.time(); i = 0; acc = np.zeros(2); ema = {k: v.clone() for k, v in m.state_dict().items()}
    m.train()
    while True:
        fr = (time.time() - t0) / secs
        if fr >= 1: break
        for g in o.param_groups: g['lr'] = lr0 * min(1, (i + 1) / 50) * (.5 * (1 + math.cos(math.pi * fr)) + .01)
        x, c = next(dl); z, f = m(x[:, None]); l = F.cross_entropy(z, c, label_smoothing=.02) + 1e-3 * f.pow(2).mean(); o.zero_grad(); l.backward(); o.step(); i += 1
        acc += [float(l), float((z.argmax(1) == c).float().mean())]; d = min(.99, i / (i + 20.))
        for k, v in m.state_dict().items(): ema[k].mul_(d).add_(v, alpha=1 - d) if v.dtype.is_floating_point else ema[k].copy_(v)
        if i % 50 == 0: print(i, f'{time.time()-t0:.0f}s', (acc / 50).round(3), flush=True); acc[:] = 0; torch.save(ema, out)
    torch.save(ema, out); print('done', i)
