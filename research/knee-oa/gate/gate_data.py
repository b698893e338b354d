"""Samples for the gate network: square candidate crops of class knee_ok or of something that must be refused."""
from common import *
from finder_data import Src, blur, read_labels, _thumb
CLASSES = ['knee_ok', 'knee_inverted', 'knee_upside_down', 'knee_rotated_90', 'metal', 'too_cropped', 'other_xray', 'ultrasound', 'ct_mr', 'photo_text_other']
PROB = [.36, .09, .08, .07, .12, .09, .09, .03, .03, .04]

def draw_metal(im, knee, rng):
    """Implants drawn on a grey image: saturated, sharp-edged, slightly blurred. Returns a new PIL L image."""
    cx, cy, w = knee; g = np.asarray(im).astype(np.float32); lo, hi = np.percentile(g, [1, 99.5]); k = 2
    L = Image.new('L', (im.width * k, im.height * k), 0); d = ImageDraw.Draw(L); th = rng.gauss(0, .06)
    def P(pts): return [((cx + x * w * math.cos(th) - y * w * math.sin(th)) * k, (cy + x * w * math.sin(th) + y * w * math.cos(th)) * k) for x, y in pts]
    v = lambda: rng.randint(205, 255)
    def arc(x0, y0, rx, ry, a0, a1, n=14): return [(x0 + rx * math.cos(a0 + (a1 - a0) * i / n), y0 + ry * math.sin(a0 + (a1 - a0) * i / n)) for i in range(n + 1)]
    def screw(x0, y0, x1, y1, t):
        d.line(P([(x0, y0), (x1, y1)]), fill=v(), width=max(2, int(t * w * k)))
        L_ = math.hypot(x1 - x0, y1 - y0); n = int(L_ / .025); nx, ny = -(y1 - y0) / L_, (x1 - x0) / L_
        if rng.random() < .7:
            for i in range(n):
                q = i / max(1, n); x, y = x0 + (x1 - x0) * q, y0 + (y1 - y0) * q; d.line(P([(x - nx * t * .9, y - ny * t * .9), (x + nx * t * .9, y + ny * t * .9)]), fill=v(), width=max(1, int(.008 * w * k)))
        if rng.random() < .8: d.line(P([(x0 - nx * t * 1.5, y0 - ny * t * 1.5), (x0 + nx * t * 1.5, y0 + ny * t * 1.5)]), fill=v(), width=max(2, int(t * 1.2 * w * k)))
    kind = rng.choice(['tka', 'tka', 'tka', 'tka', 'uka', 'uka', 'plate', 'plate', 'screws', 'screws', 'nail', 'staple', 'wires'])
    s = rng.choice([-1, 1]); m = rng.uniform(.9, 1.08)
    if kind in ('tka', 'uka'):
        gap = rng.uniform(.05, .11); half = .48 * m; sides = [-1, 1] if kind == 'tka' else [s]; f = v()
        for q in sides:                                                     # condyles
            x0 = q * half * .55; rx = half * .45 * rng.uniform(.9, 1.1); ry = rng.uniform(.16, .3); top = -gap * .6 - ry * rng.uniform(.8, 1.6)
            d.polygon(P(arc(x0, -gap * .6 - ry, rx, ry, 0, math.pi) + [(x0 - rx, top), (x0 + rx, top)]), fill=f)
        if kind == 'tka':
            y1 = -gap * .6 - rng.uniform(.22, .34); notch = rng.uniform(.1, .2)
            d.polygon(P([(-half, y1), (-half * .85, y1 - rng.uniform(.02, .14)), (0, y1 - rng.uniform(-.05, .04)), (half * .85, y1 - rng.uniform(.02, .14)), (half, y1), (half * .9, -gap * .6 - .15), (notch, -gap * .6 - .18), (notch, -gap * .6 - .1), (-notch, -gap * .6 - .1), (-notch, -gap * .6 - .18), (-half * .9, -gap * .6 - .15)]), fill=f)
            if rng.random() < .25: d.polygon(P([(-.05, y1), (.05, y1), (.04, y1 - rng.uniform(.2, .6)), (-.04, y1 - rng.uniform(.2, .6))]), fill=v())
            if rng.random() < .25: d.rectangle([tuple(P([(-.12, -gap - .3)])[0]), tuple(P([(.12, -gap * .5)])[0])], fill=f)   # box (PS)
        t = rng.uniform(.025, .07); y0 = gap * .5 + rng.uniform(0, .04)      # tray
        x0, x1 = (-half, half) if kind == 'tka' else sorted((s * .08, s * half)); f = v()
        d.polygon(P([(x0, y0), (x1, y0), (x1, y0 + t), (x0, y0 + t)]), fill=f)
        if kind == 'tka':
            a, b, l = rng.uniform(.06, .13), rng.uniform(.03, .07), rng.uniform(.18, .55)
            d.polygon(P([(-a, y0), (a, y0), (b, y0 + l), (-b, y0 + l)]), fill=f)
            if rng.random() < .6: z = rng.uniform(.15, .35); d.polygon(P([(-z, y0), (z, y0), (a * .8, y0 + l * .6), (-a * .8, y0 + l * .6)]), fill=int(f * .93))
        else: d.polygon(P([(s * .22, y0), (s * .28, y0), (s * .27, y0 + rng.uniform(.06, .14)), (s * .23, y0 + .08)]), fill=f)
    elif kind == 'plate':
        up = -1 if rng.random() < .4 else 1; x = s * rng.uniform(.36, .5); b = rng.uniform(.03, .06); a0, a1 = rng.uniform(.04, .14), rng.uniform(.45, .8); pts = [(x, up * a0), (x * .95, up * .25), (x * .72, up * a1)]
        d.line(P(pts), fill=v(), width=int(b * w * k))
        for _ in range(rng.randint(2, 6)):
            q = rng.uniform(a0, min(a1, .55)); screw(x * (1 - .2 * q), up * q, x * (1 - .2 * q) - s * rng.uniform(.3, .85), up * (q + rng.uniform(-.03, .03)), rng.uniform(.014, .03))
    elif kind == 'screws':
        for _ in range(rng.randint(1, 4)):
            up = -1 if rng.random() < .35 else 1; q = rng.uniform(.06, .4); tt = rng.gauss(0, .35); l = rng.uniform(.25, .85); x = s * rng.uniform(.25, .5)
            screw(x, up * q, x - s * l * math.cos(tt), up * q + l * math.sin(tt), rng.uniform(.016, .04))
        if rng.random() < .3: x, y, r = rng.uniform(-.3, .3), rng.choice([-1, 1]) * rng.uniform(.12, .3), rng.uniform(.03, .07); d.ellipse([*P([(x - r, y - r)])[0], *P([(x + r, y + r)])[0]], fill=v())
    elif kind == 'nail':
        up = rng.choice([-1, 1]); b = rng.uniform(.05, .09); x = rng.uniform(-.08, .08); d.polygon(P([(x - b, up * rng.uniform(.04, .2)), (x + b, up * .1), (x + b * .9, up * .9), (x - b * .9, up * .9)]), fill=v())
        for _ in range(rng.randint(1, 3)): q = rng.uniform(.15, .45); screw(s * .45, up * q, -s * rng.uniform(.2, .45), up * q, rng.uniform(.018, .03))
    elif kind == 'staple':
        for _ in range(rng.randint(1, 3)):
            x, y, l, t = s * rng.uniform(.2, .45), rng.choice([-1, 1]) * rng.uniform(.1, .4), rng.uniform(.1, .25), rng.uniform(.06, .14); d.line(P([(x - l, y), (x, y), (x, y + t), (x - l, y + t)]), fill=v(), width=max(2, int(rng.uniform(.018, .03) * w * k)))
    else:
        for _ in range(rng.randint(2, 6)): x, y, tt, l = rng.uniform(-.4, .4), rng.uniform(-.4, .4), rng.uniform(0, 3.14), rng.uniform(.3, .9); d.line(P([(x, y), (x + l * math.cos(tt), y + l * math.sin(tt))]), fill=v(), width=max(2, int(rng.uniform(.012, .022) * w * k)))
    a = np.asarray(L.resize(im.size, Image.BILINEAR)).astype(np.float32) / 255; a = blur(a, rng.uniform(.3, .9) * w / 170)
    dim = rng.uniform(.6, 1); x = np.clip((g - lo) / max(1, hi - lo), 0, 1.2) * dim
    x = np.maximum(x * (1 - a), np.minimum(x + a * rng.uniform(.35, .9), a * rng.uniform(1.0, 1.15) + .0)) if rng.random() < .3 else x * (1 - a) + a * rng.uniform(1.0, 1.15)
    return Image.fromarray((x / 1.15 * 255).clip(0, 255).astype(np.uint8))

def tone_gate(g, rng, rs, strong=1.0):
    if rng.random() < .7: g = g ** math.exp(rng.uniform(-.6, .6) * strong)
    if rng.random() < .2: g = np.clip((g - rng.uniform(0, .2)) / rng.uniform(.55, 1), 0, 1)
    if rng.random() < .2:
        x = np.linspace(-1, 1, g.shape[1])[None]; y = np.linspace(-1, 1, g.shape[0])[:, None]; g = g * (1 + rng.uniform(-.25, .25) * x + rng.uniform(-.25, .25) * y)
    if rng.random() < .3: g = g + rs.randn(*g.shape) * rng.uniform(0, .06)
    if rng.random() < .25: g = blur(g, rng.uniform(.3, 1.8))
    if rng.random() < .1: q = rng.randint(16, 64); g = np.round(g * q) / q
    if rng.random() < .3: g = g * rng.uniform(.95, 1.3)                     # saturation
    return np.clip(g, 0, 1).astype(np.float32)

def box_sample(im, cx, cy, side, rot, ax, flip, clip, inv, rng, rs, strong=1.0, n=128):
    """clip: image window (x0,y0,x1,y1) that exists in the source; everything else is outside the image."""
    k = 2 if side > 1.3 * n else 1; m = n * k; s = side / m; c, q = math.cos(rot), math.sin(rot); f = -1 if flip else 1
    a, b, d, e = f * c * s / ax, -q * s, f * q * s / ax, c * s
    data = (a, b, cx - a * m / 2 - b * m / 2, d, e, cy - d * m / 2 - e * m / 2)
    g = np.asarray(im.transform((m, m), Image.AFFINE, data, Image.BILINEAR)).astype(np.float32)
    u = (np.arange(m) + .5); X = a * u[None] + b * u[:, None] + data[2]; Y = d * u[None] + e * u[:, None] + data[5]
    ok = (X >= clip[0]) & (X < clip[2]) & (Y >= clip[1]) & (Y < clip[3])
    if ok.sum() < 50: ok[:] = True
    lo, hi = np.percentile(g[ok], [.3, 99.7]); g = np.clip((g - lo) / max(hi - lo, 1), 0, 1); g = tone_gate(g, rng, rs, strong)
    if inv: g = 1 - g
    if rng.random() < .12:                                                  # collimation inside the image, markers
        im2 = Image.fromarray((g * 255).astype(np.uint8)); dd = ImageDraw.Draw(im2); t = rng.randint(1, int(.09 * m)); sd = rng.randrange(4); v = rng.choice([0, 0, 10, 255 if inv else 5])
        dd.rectangle([(0, 0, m, t), (0, m - t, m, m), (0, 0, t, m), (m - t, 0, m, m)][sd], fill=v); g = np.asarray(im2).astype(np.float32) / 255
    g = stretch(g, ref=g[ok]) * ok
    if k > 1: g = g.reshape(n, 2, n, 2).mean((1, 3))
    return g.astype(np.float32)

def sample(rng, S):
    """S: dict with 'knees' [(Src, idx)], 'other' [...], 'us', 'ct', 'photo' lists of PIL L. Returns x, class."""
    rs = np.random.RandomState(rng.randrange(2**31)); c = rng.choices(range(len(CLASSES)), PROB)[0]; name = CLASSES[c]
    hard = S.get('hard', {}).get(c)
    if hard and rng.random() < .4:                                          # where the finder itself fires on wrong pictures
        im, x, y, w = rng.choice(hard); W, H = im.size; sc = math.exp(rng.gauss(0, .1))
        return box_sample(im, x + rng.gauss(0, .06) * w, y + rng.gauss(0, .06) * w - BOX_UP * w, BOX_SCALE * w * sc, math.radians(rng.gauss(0, 5)), math.exp(rng.gauss(0, .06)), rng.random() < .5, (0, 0, W, H), rng.random() < .08, rng, rs), c
    if name == 'metal' and S.get('metal') and rng.random() < .3:            # real implants found in the training part
        im, x, y, w, inv = rng.choice(S['metal']); W, H = im.size
        return box_sample(im, x + rng.gauss(0, .03) * w, y + rng.gauss(0, .04) * w - BOX_UP * w, BOX_SCALE * w * math.exp(rng.gauss(0, .06)), math.radians(rng.gauss(0, 4)), math.exp(rng.gauss(0, .05)), rng.random() < .5, (0, 0, W, H), inv, rng, rs, .7), c
    if c <= 5 or (c == 6 and rng.random() < .25):
        s = rng.choice(S['kx']) if rng.random() < .7 else rng.choice(S['kr']); x, y, w = rng.choice(s.knees); im = s.im; inv = s.inv; W, H = im.size
        clip = [0, 0, W, H]; flip = rng.random() < .5; rot = math.radians(rng.gauss(0, 4)); ax = math.exp(rng.gauss(0, .05)); far = rng.random() < .15
        if far: ax *= math.exp(rng.uniform(-.1, .25))
        sc = math.exp(rng.gauss(-.02, .075)); jx, jy = rng.gauss(0, .03) * w, rng.gauss(0, .04) * w
        up = BOX_UP
        if c == 6:                                                          # shaft or far from the joint, or a wrong scale
            q = rng.random()
            if q < .7 and len(S['kr']): jy = rng.choice([-1, 1]) * rng.uniform(.75, 2) * w; jx = rng.uniform(-.4, .4) * w; sc = math.exp(rng.uniform(-.5, .4))
            else: sc = rng.choice([rng.uniform(.25, .5), rng.uniform(1.9, 3.5)]); jx, jy = rng.uniform(-.2, .2) * w, rng.uniform(-.25, .25) * w
            if q < .7 and H < w * 2: s = rng.choice(S['kr']); x, y, w = rng.choice(s.knees); im = s.im; inv = s.inv; W, H = im.size; clip = [0, 0, W, H]; jy = rng.choice([-1, 1]) * rng.uniform(.75, 2) * w
            if not (0 < y + jy < H): jy = -jy
        if name == 'metal': im = draw_metal(im, (x, y, w), rng)
        if name == 'too_cropped':
            sd = rng.choice('tblr' if rng.random() < .6 else 'tb'); q = rng.random()
            if sd == 't': clip[1] = y + rng.uniform(-.06, .3) * w
            elif sd == 'b': clip[3] = y + rng.uniform(-.35, .04) * w
            elif sd == 'l': clip[0] = x + rng.uniform(-.28, .3) * w
            else: clip[2] = x + rng.uniform(-.3, .28) * w
            if q < .5:                                                      # the finder would place it somewhere near what is left
                jx += ((clip[0] + clip[2]) / 2 - x) * rng.uniform(0, 1) if sd in 'lr' else rng.uniform(-.1, .1) * w; jy += rng.uniform(-.25, .25) * w; sc *= math.exp(rng.uniform(-.6, .1))
        elif c <= 4 and rng.random() < .25:                                 # low window, joint complete
            clip[1] = max(clip[1], y - rng.uniform(.2, .7) * w); clip[3] = min(clip[3], y + rng.uniform(.17, .6) * w)
            if rng.random() < .5: clip[0] = max(0, x - rng.uniform(.5, .65) * w); clip[2] = min(W, x + rng.uniform(.5, .65) * w)
        if name == 'knee_inverted': inv = not inv
        cy = y + jy - up * w
        if name == 'knee_upside_down': rot += math.pi; cy = y + jy - rng.choice([1, 1, -1]) * up * w
        if name == 'knee_rotated_90': rot += rng.choice([-1, 1]) * math.pi / 2; z = rng.choice([(0, -up), (up, 0), (-up, 0), (0, 0)]); x += z[0] * w; cy = y + jy + z[1] * w
        if c in (2, 3, 6) and rng.random() < .1: inv = not inv
        return box_sample(im, x + jx, cy, BOX_SCALE * w * sc, rot, ax, flip, clip, inv, rng, rs, .6 if name == 'metal' else 1.), c
    if name == 'other_xray': im = rng.choice(S['other'])
    elif name == 'ultrasound': im = rng.choice(S['us'])
    elif name == 'ct_mr': im = rng.choice(S['ct']) if rng.random() < .5 else synth_ct(rng)
    else: im = synth_other(rng).convert('L') if rng.random() < .75 or not S['photo'] else rng.choice(S['photo'])
    W, H = im.size; side = min(W, H) * math.exp(rng.uniform(math.log(.3), math.log(1.3)))
    return box_sample(im, rng.uniform(.2, .8) * W, rng.uniform(.15, .85) * H, side, math.radians(rng.choice([0, 0, 90, 180]) + rng.gauss(0, 10)), math.exp(rng.gauss(0, .1)), rng.random() < .5, (0, 0, W, H), rng.random() < .15, rng, rs), c

def build(kx_labels=None, kr_labels=None, hard=None, n_kx=5778):
    """kx_labels: csv of centres for knee_xray (train); without a row the mean place is used."""
    LK = read_labels(kx_labels) if kx_labels and os.path.exists(kx_labels) else {}
    kx, mt, hd = [], [], {}
    bad = set(open(HERE + 'metal_train.txt').read().split()) if os.path.exists(HERE + 'metal_train.txt') else set()
    for r in knee_xray()[:]:
        if r['split'] != 'train': continue
        if r['knee_id'] in bad: im = Image.open(r['file']).convert('L'); mt.append((im, *LK.get(r['knee_id'], [(112, 138, 172)])[0], r['inv'])); continue
        kx.append(Src(Image.open(r['file']).convert('L'), LK.get(r['knee_id'], [(112, 138, 172)]), r['inv']))
        if len(kx) >= n_kx: break
    LR = read_labels(kr_labels or HERE + 'knee_centres.csv'); te = set(open(HERE + 'finder_test.txt').read().split()) | {'OP25', 'N36'}; kr = []
    for k, v in LR.items():
        if k in te: continue
        kr.append(Src(Image.open(DATA + f'knee_radiographs/images/{k}.jpg').convert('L'), v))
    E = WORK + 'extra/train/'
    if hard and os.path.exists(hard):
        import pickle
        for c, a, x, y, w, sc in pickle.load(open(hard, 'rb')): hd.setdefault(c, []).append((Image.fromarray(a), x, y, w))
    return dict(kx=kx, kr=kr, hard=hd, metal=mt, other=[_thumb(f, 640) for f in fracture()[0]], us=[_thumb(f, 400) for f in ultrasound()[0][::2]],
                ct=[_thumb(f, 400) for f in sorted(glob.glob(E + 'ct_mr/*'))], photo=[_thumb(f, 400) for f in sorted(glob.glob(E + 'photo/*'))])
