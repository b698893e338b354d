import torch, torch.nn as nn, torch.nn.functional as F
def cbr(i, o, k=3, s=1): return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))
class Res(nn.Module):
    def __init__(s, c):
        super().__init__(); s.a = cbr(c, c); s.b = nn.Sequential(nn.Conv2d(c, c, 3, 1, 1, bias=False), nn.BatchNorm2d(c))
    def forward(s, x): return F.relu(x + s.b(s.a(x)))
class Finder(nn.Module):
    """1x1x256x256 (0..1) -> 1x16x32x32: 0 heat logit, 1-2 offset of the centre in cells (x,y), 3 ln(width/64 px), 4 logit not-upright, 5-15 zero"""
    def __init__(s):
        super().__init__()
        s.s2 = cbr(1, 16, 3, 2); s.s4 = cbr(16, 16, 3, 2)
        s.s8 = nn.Sequential(cbr(16, 32, 3, 2), Res(32)); s.s16 = nn.Sequential(cbr(32, 48, 3, 2), Res(48), Res(48)); s.s32 = nn.Sequential(cbr(48, 64, 3, 2), Res(64), Res(64))
        s.s64 = nn.Sequential(cbr(64, 96, 3, 2), Res(96))
        s.l64 = cbr(96, 64, 1); s.l32 = cbr(64, 48, 1); s.l16 = cbr(48, 32, 1); s.f8 = cbr(32, 48); s.out = nn.Conv2d(48, 16, 1)
        nn.init.constant_(s.out.bias, 0); s.out.bias.data[0] = -4
    def forward(s, x):
        return s.core((x - .5) * 4.0)
    def core(s, x):                 # the ONNX file holds this part: input already (x-0.5)*4
        up = lambda t: F.interpolate(t, scale_factor=2, mode='nearest')
        a = s.s8(s.s4(s.s2(x))); b = s.s16(a); c = s.s32(b); d = s.s64(c)
        c = c + up(s.l64(d)); b = b + up(s.l32(c)); a = a + up(s.l16(b))
        return s.out(s.f8(a))
class Gate(nn.Module):
    """1x1x128x128 (0..1) -> logits and a 64-d feature"""
    def __init__(s, ncls):
        super().__init__()
        s.body = nn.Sequential(cbr(1, 16, 3, 2), cbr(16, 32, 3, 2), Res(32), cbr(32, 64, 3, 2), Res(64), cbr(64, 96, 3, 2), Res(96), cbr(96, 128, 3, 2))
        s.fc1 = nn.Linear(128 * 2, 64); s.drop = nn.Dropout(.1); s.fc2 = nn.Linear(64, ncls)
    def forward(s, x):
        y = s.body((x - .5) * 4.0)
        z = torch.cat([F.adaptive_avg_pool2d(y, 1), F.adaptive_max_pool2d(y, 1)], 1).flatten(1)
        f = s.fc1(z); return s.fc2(s.drop(F.relu(f))), f
def macs(m, x):
    t = [0]; hs = []
    for k in m.modules():
        if isinstance(k, nn.Conv2d): hs.append(k.register_forward_hook(lambda k, i, o: t.__setitem__(0, t[0] + o[0].numel() * k.weight[0].numel())))
        if isinstance(k, nn.Linear): hs.append(k.register_forward_hook(lambda k, i, o: t.__setitem__(0, t[0] + k.weight.numel())))
    m.eval(); 
    with torch.no_grad(): m(x)
    for h in hs: h.remove()
    return t[0]
