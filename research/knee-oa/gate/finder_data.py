"""Samples for the knee finder: real radiographs, ready crops, composites of crops, negatives."""
from common import *
import torch

class Src:                      # a picture with its knees, cached at reduced size
    __slots__ = ('im', 'knees', 'inv')
    def __init__(s, im, knees, inv=False): s.im, s.knees, s.inv = im, knees, inv

def warp(im, rect, rot, ax, flip, fill, big=256):
    """Resample the (rotated) source rectangle so that its long side is `big`. Returns uint8 array and fwd function."""
    x0, y0, x1, y1 = rect; rw, rh = (x1 - x0), (y1 - y0)
    aw, ah = rw * ax, rh; s = big / max(aw, ah); dw, dh = max(8, round(aw * s)), max(8, round(ah * s))
    sx, sy = dw / rw, dh / rh; cx, cy = (x0 + x1) / 2, (y0 + y1) / 2; c, n = math.cos(rot), math.sin(rot); f = -1 if flip else 1
    # dest (u,v) -> centred, unscaled, flipped, rotated -> source
    k = 2 if min(sx, sy) < .75 else 1
    a, b = f * c / (sx * k), -n / (sy * k); d, e = f * n / (sx * k), c / (sy * k)
    u0, v0 = dw * k / 2, dh * k / 2
    data = (a, b, cx - a * u0 - b * v0, d, e, cy - d * u0 - e * v0)
    o = im.transform((dw * k, dh * k), Image.AFFINE, data, Image.BILINEAR, fillcolor=fill)
    if k > 1: o = o.reduce(k)
    def fwd(x, y, w):
        X, Y = x - cx, y - cy; xr, yr = f * (c * X + n * Y), -n * X + c * Y
        sw = math.hypot(f * c * sx, n * sy)
        return xr * sx + dw / 2, yr * sy + dh / 2, w * sw
    return np.asarray(o).astype(np.float32), fwd

def tone(g, rng, rs, inv_p=.15, strong=1.0):
    lo, hi = np.percentile(g, [.5, 99.5]); g = np.clip((g - lo) / max(hi - lo, 1), 0, 1)
    if rng.random() < .7: g = g ** math.exp(rng.uniform(-.7, .7) * strong)
    if rng.random() < .25: g = np.clip((g - rng.uniform(0, .25)) / rng.uniform(.5, 1), 0, 1)      # over/under-exposed
    if rng.random() < .2:
        x = np.linspace(-1, 1, g.shape[1])[None]; y = np.linspace(-1, 1, g.shape[0])[:, None]
        g = g * (1 + rng.uniform(-.3, .3) * x + rng.uniform(-.3, .3) * y)
    if rng.random() < .35: g = g + rs.randn(*g.shape) * rng.uniform(0, .05)
    if rng.random() < .2: g = np.asarray(Image.fromarray(g.astype(np.float32), 'F').filter(ImageFilter.BoxBlur(rng.uniform(.2, 1.2)))) if False else blur(g, rng.uniform(.3, 1.1))
    inv = rng.random() < inv_p
    return (1 - g if inv else g).astype(np.float32), inv

def blur(g, s):
    from scipy.ndimage import gaussian_filter
    return gaussian_filter(g, s)

def furniture(g, rng):
    """markers, bright corners, collimation border drawn on the 8-bit like picture (0..1)"""
    h, w = g.shape; hi = g.max()
    if rng.random() < .25:                                        # letters / lead marker
        im = Image.fromarray((g * 255).clip(0, 255).astype(np.uint8)); d = ImageDraw.Draw(im); x, y = rng.choice([rng.uniform(0, .15), rng.uniform(.8, .95)]) * w, rng.uniform(0, .95) * h
        v = int(rng.uniform(.5, 1) * 255); d.text((x, y), rng.choice(['R', 'L', 'R PA', 'D', 'LT 23']), fill=v, font=_f(rng)); g = np.asarray(im).astype(np.float32) / 255
    if rng.random() < .12:
        v = rng.uniform(.7, 1); k = int(rng.uniform(.03, .12) * h); s = rng.choice([0, 1])
        g = g.copy(); g[(slice(0, k) if s else slice(h - k, h))] = v
    if rng.random() < .15:
        b = [int(rng.uniform(0, .08) * h), int(rng.uniform(0, .08) * h), int(rng.uniform(0, .08) * w), int(rng.uniform(0, .08) * w)]; v = rng.uniform(0, .1)
        g = g.copy(); g[:b[0]] = v; g[h - b[1]:] = v; g[:, :b[2]] = v; g[:, w - b[3]:] = v
    return g
import common as _c
def _f(rng): return _c._font(rng, 9, 20)

def composite(rng, crops):
    """One or two crops set into a synthetic whole radiograph; femur and tibia continued by tapering the edge rows."""
    two = rng.random() < .6; H = rng.randint(420, 760); W = int(H * rng.uniform(.75, 1.3)); can = np.zeros((H, W), np.float32); knees = []
    size = rng.uniform(.24, .46 if two else .6) * W; yc = rng.uniform(.15, .85) * H
    ks = 2 if two else 1; base = rng.choice(crops)
    for i in range(ks):
        s = base if i == 0 or rng.random() < .5 else rng.choice(crops)
        g = np.asarray(s.im).astype(np.float32); lo, hi = np.percentile(g, [1, 99.5]); g = np.clip((g - lo) / max(1, hi - lo), 0, 1)
        if s.inv: g = 1 - g
        sz = int(size * rng.uniform(.95, 1.05)); k = sz / g.shape[1]; p = np.asarray(Image.fromarray(g, 'F').resize((sz, sz), Image.BILINEAR))
        flip = rng.random() < .5; (cx, cy, w) = s.knees[0]
        if flip: p = p[:, ::-1]; cx = g.shape[1] - cx
        xc = (rng.uniform(.22, .30) if i == 0 else rng.uniform(.70, .78)) * W if two else rng.uniform(.3, .7) * W
        x0, y0 = int(xc - cx * k), int(yc + rng.uniform(-.03, .03) * H - cy * k)
        yy = np.arange(H) - y0; out = np.zeros((H, sz), np.float32)
        top = blur(p[:6].mean(0), 2); bot = blur(p[-6:].mean(0), 2); xs = np.arange(sz); sl = rng.uniform(-.25, .25); ct = rng.uniform(.4, .7)
        for r in range(H):                                                    # shafts: edge rows narrowing with distance
            if 0 <= yy[r] < sz: out[r] = p[yy[r]]
            else:
                e, dist = (top, -yy[r]) if yy[r] < 0 else (bot, yy[r] - sz)
                t = max(ct, 1 - .6 * dist / sz); mid = sz / 2 + sl * dist
                out[r] = np.interp((xs - mid) / t + sz / 2, xs, e, left=e[0] * .6, right=e[-1] * .6) * rng.uniform(.97, 1.03)
        fade = np.clip(np.minimum(xs, sz - 1 - xs) / max(1, rng.uniform(.04, .18) * sz), 0, 1) ** .7
        soft = rng.uniform(.3, 1)
        a0, a1 = max(0, x0), min(W, x0 + sz)
        if a1 <= a0: continue
        band = out * (fade ** soft)
        can[:, a0:a1] = np.maximum(can[:, a0:a1], band[:, a0 - x0:a1 - x0])
        knees.append((x0 + cx * k, y0 + cy * k, w * k))
    can = blur(can, .7)
    return Src(Image.fromarray((can * 255).astype(np.uint8)), knees)

def sample(rng, R, K, N, n=256):
    """R radiographs, K crops (Src with known knees), N negatives (callable rng->PIL L). Returns x, target dict."""
    rs = np.random.RandomState(rng.randrange(2**31)); t = rng.random(); flag = 0; rot = math.radians(rng.gauss(0, 5)); ax = math.exp(rng.gauss(0, .06))
    fill = rng.choice([0, 0, rng.randint(0, 40)]); neg = False
    if t < .42: s = rng.choice(R)
    elif t < .66: s = rng.choice(K)
    elif t < .78: s = composite(rng, K)
    else: s = Src(N(rng), []); neg = True
    W, H = s.im.size
    if rng.random() < .10 and not neg: rot += rng.choice([math.pi, math.pi / 2, -math.pi / 2]); flag = 1
    if neg:
        z = rng.uniform(.45, 1.2); rw, rh = W * z, H * z; cx, cy = W / 2 + rng.uniform(-.25, .25) * W, H / 2 + rng.uniform(-.25, .25) * H
        rect = (cx - rw / 2, cy - rh / 2, cx + rw / 2, cy + rh / 2); rot += rng.choice([0, 0, 0, math.pi, math.pi / 2])
    elif .42 <= t < .66:                                                       # ready crop, other framing and aspect
        x, y, w = s.knees[0]; q = rng.random()
        if q < .25:                                                            # joint cut away: mostly nothing to find
            side = rng.choice('tblr'); m = rng.uniform(-.25, .45) * w
            rect = {'t': (0, y + m, W, H), 'b': (0, 0, W, y - m), 'l': (x + m, 0, W, H), 'r': (0, 0, x - m, H)}[side]
        elif q < .55:                                                          # wide low window
            k = rng.uniform(1.15, 1.6) * w; hh = k * rng.uniform(.5, 1); yy = y + rng.uniform(-.15, .15) * hh
            rect = (x - k / 2 + rng.gauss(0, .04) * w, yy - hh / 2, x + k / 2, yy + hh / 2)
            rect = (max(0, rect[0]), max(0, rect[1]), min(W, rect[2]), min(H, rect[3])); ax *= math.exp(rng.uniform(-.25, .25))
        else:
            z = rng.uniform(.9, 1.15); rect = (W / 2 - W * z / 2 + rng.gauss(0, 6), H / 2 - H * z / 2 + rng.gauss(0, 6), W / 2 + W * z / 2, H / 2 + H * z / 2)
            if rng.random() < .4: ax *= math.exp(rng.uniform(-.3, .5))
        if rect[2] - rect[0] < 30 or rect[3] - rect[1] < 20: rect = (0, 0, W, H)
    else:
        q = rng.random(); x, y, w = rng.choice(s.knees) if s.knees else (W / 2, H / 2, W / 3)
        if q < .45: z = rng.uniform(.85, 1.25); rect = (W / 2 - W * z / 2 + rng.uniform(-.1, .1) * W, H / 2 - H * z / 2 + rng.uniform(-.1, .1) * H, W / 2 + W * z / 2, H / 2 + H * z / 2)
        elif q < .85:
            k = w * math.exp(rng.uniform(math.log(1.25), math.log(6))); kh = k * math.exp(rng.uniform(-.5, .6))
            cx, cy = x + rng.uniform(-.42, .42) * (k - w), y + rng.uniform(-.45, .45) * (kh - .5 * w); rect = (cx - k / 2, cy - kh / 2, cx + k / 2, cy + kh / 2)
        else:                                                                  # shaft only: joint outside
            k = w * rng.uniform(1.2, 3); up = rng.random() < .5; m = rng.uniform(.25, .5) * w
            rect = (x - k / 2, max(0, y - m - k), x + k / 2, y - m) if up else (x - k / 2, y + m, x + k / 2, min(H, y + m + k))
            if rect[3] - rect[1] < .3 * w: rect = (0, 0, W, H)
    small = rng.uniform(.5, 1) if rng.random() < .1 else 1
    g, fwd = warp(s.im, rect, rot, ax, rng.random() < .5, fill, 256)
    g, _ = tone(g, rng, rs, .12 if not s.inv else .3)
    g = furniture(g, rng)
    dh, dw = g.shape; x = np.zeros((n, n), np.float32); ox, oy = (n - dw) // 2, (n - dh) // 2; x[oy:oy + dh, ox:ox + dw] = stretch(g)
    m = n // 8; heat = np.zeros((m, m), np.float32); ign = np.ones((m, m), np.float32); reg = np.zeros((4, m, m), np.float32); rw = np.zeros((m, m), np.float32)
    jj, ii = np.meshgrid(np.arange(m) + .5, np.arange(m) + .5)
    for (kx, ky, kw) in s.knees:
        u, v, w = fwd(kx, ky, kw)
        ang = (abs(rot) > .8 and abs(abs(rot) - math.pi) > .8)
        hx, hy = (w * .12, w / 2) if ang else (w / 2, w * .12)
        vis = max(0, min(dw, u + hx) - max(0, u - hx)) / (2 * hx) * max(0, min(dh, v + hy) - max(0, v - hy)) / (2 * hy)
        c, r = (u + ox) / 8, (v + oy) / 8; d2 = (jj - c) ** 2 + (ii - r) ** 2; sg = .7 + .05 * w / 8
        if vis < .8:
            if vis > .35: ign[d2 < (2.5 * sg) ** 2] = 0
            continue
        gss = np.exp(-d2 / (2 * sg * sg)); ci, cj = min(m - 1, max(0, int(r))), min(m - 1, max(0, int(c))); gss[ci, cj] = 1
        heat = np.maximum(heat, gss); z = (d2 < max(1.5, 1.6 * sg) ** 2)
        reg[0][z] = (c - jj)[z]; reg[1][z] = (r - ii)[z]; reg[2][z] = math.log(max(w, 4) / 64); reg[3][z] = flag; rw[z] = gss[z] + .1
    return x, heat, ign, reg, rw

def read_labels(p):
    L = {}
    for r in csv.DictReader(open(p)):
        L.setdefault(r['file'], []).append((float(r['x_px']), float(r['y_px']), float(r['width_px'])))
    return L

class Negs:
    def __init__(s, frac, us, extra=()):
        s.fr = [_thumb(f, 420) for f in frac]; s.us = [_thumb(f, 360) for f in us[::3]]; s.ex = list(extra)
    def __call__(s, rng):
        t = rng.random()
        if t < .45: return rng.choice(s.fr)
        if t < .58: return rng.choice(s.us)
        if t < .68: return synth_ct(rng)
        if t < .74 and s.ex: return rng.choice(s.ex)
        return synth_other(rng).convert('L')
def _thumb(f, n):
    im = Image.open(f).convert('L'); im.thumbnail((n, n), Image.BILINEAR); return im
