"""Shared parts of the finder and gate trainings: data lists and splits, exact image
preprocessing (the reference for the C code), synthetic images."""
import csv, glob, hashlib, os, random, math
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
DATA = os.path.join(os.environ.get('REHA_DATA', '../shared/data'), '')      # the shared data sets
WORK = os.path.join(os.environ.get('REHA_WORK', '.'), '')                   # what the steps leave behind
HERE = os.path.dirname(os.path.abspath(__file__)) + '/'                     # labels and lists

# ------------------------------------------------------------------ exact preprocessing
def stretch(a, lo_p=1.0, hi_p=99.0, ref=None):
    """Percentile stretch to 0..1 (float32). ref: pixels the percentiles are taken from."""
    a = a.astype(np.float32)
    lo, hi = np.percentile(a if ref is None else ref, [lo_p, hi_p])
    return np.clip((a - lo) / max(hi - lo, 1e-6 + 1.0), 0, 1).astype(np.float32)

def letterbox(g, n=256):
    """g: HxW grey (any range). Percentile stretch, then triangle-filter (anti-aliased) resize so
    that the long side is n, centred on an n x n field of zeros. Returns x (n,n) 0..1, scale, ox, oy:
    x_letter = x_image*scale + ox (pixel-edge coordinates, pixel centres at +0.5)."""
    h, w = g.shape
    s = n / max(h, w); nw, nh = max(1, round(w * s)), max(1, round(h * s))
    x = np.asarray(Image.fromarray(stretch(g), 'F').resize((nw, nh), Image.BILINEAR))
    ox, oy = (n - nw) // 2, (n - nh) // 2
    out = np.zeros((n, n), np.float32); out[oy:oy + nh, ox:ox + nw] = np.clip(x, 0, 1)
    return out, s, ox, oy

BOX_SCALE, BOX_UP = 1.30, 0.12
def gate_box(cx, cy, w):
    s = BOX_SCALE * w
    return cx - s / 2, cy - BOX_UP * w - s / 2, s

def gate_crop(g, cx, cy, w, n=128):
    """Square box of side 1.30 w centred at (cx, cy-0.12 w), stretched by the 1st and 99th percentile
    of the pixels of the box that lie in the image (box rounded outwards to whole pixels), resized with
    the triangle filter to n x n; outside the image is 0 after the stretch."""
    x0, y0, s = gate_box(cx, cy, w)
    H, W = g.shape
    X0, Y0, X1, Y1 = int(math.floor(x0)), int(math.floor(y0)), int(math.ceil(x0 + s)), int(math.ceil(y0 + s))
    a0, b0, a1, b1 = max(0, X0), max(0, Y0), min(W, X1), min(H, Y1)
    pad = np.zeros((Y1 - Y0, X1 - X0), np.float32)
    if a1 > a0 and b1 > b0:
        pad[b0 - Y0:b1 - Y0, a0 - X0:a1 - X0] = stretch(g[b0:b1, a0:a1])
    x = Image.fromarray(pad, 'F').resize((n, n), Image.BILINEAR, box=(x0 - X0, y0 - Y0, x0 - X0 + s, y0 - Y0 + s))
    return np.clip(np.asarray(x), 0, 1)

def load_grey(p):
    im = Image.open(p)
    if im.mode not in ('L', 'F', 'I', 'I;16'): im = im.convert('RGB').convert('L')
    return np.asarray(im)

# ------------------------------------------------------------------ data lists and splits
def h01(s, salt=''):
    return int(hashlib.md5((salt + s).encode()).hexdigest()[:8], 16) / 2**32

def knee_xray():
    return [dict(r, kl=int(r['kl']), inv=r['inversion_suspected'] == '1', file=DATA + 'knee_xray/' + r['path'])
            for r in csv.DictReader(open(DATA + 'knee_xray/labels.csv'))]

def radiographs():
    return [dict(r, name=r['path'].split('/')[-1][:-4], file=DATA + 'knee_radiographs/' + r['path'])
            for r in csv.DictReader(open(DATA + 'knee_radiographs/labels.csv'))]

FRAC_EXCLUDE = {'87d538ef1c', '584130e068', '12c6fc06c9'}   # these three show a frontal knee
def fracture():
    fs = sorted(glob.glob(DATA + 'fracture_xray/images/*'))
    src = {r['name']: r['source_picture'] for r in csv.DictReader(open(DATA + 'fracture_xray/index.csv'))}
    fs = [f for f in fs if os.path.basename(f)[:-4] not in FRAC_EXCLUDE]
    te = [f for f in fs if h01(src.get(os.path.basename(f)[:-4], f), 'frac') < 0.4]
    return [f for f in fs if f not in set(te)], te

def ultrasound():
    tr, te = [], []
    for r in csv.DictReader(open(DATA + 'muscle_ultrasound/index.csv')):
        (te if h01(r['similarity_group'], 'us') < 0.4 else tr).append(DATA + 'muscle_ultrasound/' + r['image'])
    return sorted(set(tr)), sorted(set(te))

# ------------------------------------------------------------------ synthetic pictures
_fonts = sorted(glob.glob('/usr/share/fonts/**/*.ttf', recursive=True) + glob.glob('/usr/share/matplotlib/mpl-data/fonts/ttf/*.ttf')
                + glob.glob('/usr/lib/python3/dist-packages/matplotlib/mpl-data/fonts/ttf/*.ttf'))
def _font(rng, lo=8, hi=26):
    f = [x for x in _fonts if 'DejaVu' in x] or _fonts
    return ImageFont.truetype(rng.choice(f), rng.randint(lo, hi)) if f else ImageFont.load_default()

def pink(rs, n, beta):
    fy = np.fft.fftfreq(n)[:, None]; fx = np.fft.rfftfreq(n)[None]
    f = np.sqrt(fx * fx + fy * fy); f[0, 0] = 1
    a = np.fft.irfft2((rs.randn(*f.shape) + 1j * rs.randn(*f.shape)) / f ** (beta / 2 + .5), s=(n, n))
    a -= a.min(); return a / max(a.max(), 1e-9)

def synth_other(rng, kind=None, n=256):
    """A picture that is no radiograph: returns PIL RGB image."""
    rs = np.random.RandomState(rng.randrange(2**31))
    kind = kind or rng.choice(['leaves', 'leaves', 'leaves', 'pink', 'grad', 'text', 'text', 'chart', 'noise', 'blank', 'shapes', 'phantom_sketch'])
    n = n; W = int(n * rng.uniform(.7, 1.3)); H = int(n * rng.uniform(.7, 1.3))
    col = lambda: tuple(rng.randrange(256) for _ in range(3))
    if kind == 'leaves':          # dead-leaves model with textures: photo-like statistics
        im = Image.new('RGB', (W, H), col()); d = ImageDraw.Draw(im)
        for _ in range(rng.randint(60, 400)):
            r = min(n * .6, 4 / (rng.random() + .01) ** .8 * rng.uniform(.5, 3)); x, y = rng.uniform(0, W), rng.uniform(0, H)
            c = col(); t = rng.random()
            if t < .4: d.ellipse((x - r, y - r * rng.uniform(.4, 1), x + r, y + r * .8), fill=c)
            elif t < .7: d.rectangle((x - r, y - r, x + r * rng.uniform(.2, 1), y + r), fill=c)
            else: d.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a in sorted(rng.uniform(0, 6.28) for _ in range(rng.randint(3, 7)))], fill=c)
        a = np.asarray(im).astype(np.float32)
        tex = np.asarray(Image.fromarray((pink(rs, 256, rng.uniform(.5, 2.5)) * 255).astype(np.uint8)).resize((W, H)), np.float32)[..., None] / 255
        sh = np.linspace(rng.uniform(.4, 1.2), rng.uniform(.4, 1.2), W)[None, :, None] * np.linspace(rng.uniform(.5, 1.2), rng.uniform(.5, 1.2), H)[:, None, None]
        a = a * sh * (1 + rng.uniform(0, 1) * (tex - .5)); im = Image.fromarray(np.clip(a, 0, 255).astype(np.uint8))
        return im.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.8)))
    if kind == 'pink':
        b = rng.uniform(.5, 4); a = np.stack([pink(rs, 256, b) for _ in range(3)], -1) if rng.random() < .5 else np.repeat(pink(rs, 256, b)[..., None], 3, 2)
        return Image.fromarray((a * 255).astype(np.uint8)).resize((W, H))
    if kind == 'grad':
        y, x = np.mgrid[0:H, 0:W].astype(np.float32); t = rng.uniform(0, 6.28)
        g = np.cos(t) * x / W + np.sin(t) * y / H
        if rng.random() < .4: g = np.hypot(x / W - rng.random(), y / H - rng.random())
        if rng.random() < .3: g = np.sin(g * rng.uniform(3, 40))
        g = (g - g.min()) / (np.ptp(g) + 1e-6); c0, c1 = np.array(col()), np.array(col())
        return Image.fromarray((c0 + g[..., None] * (c1 - c0)).clip(0, 255).astype(np.uint8))
    if kind in ('text', 'chart', 'blank', 'shapes', 'phantom_sketch'):
        bg = rng.choice([(255,) * 3, (250, 245, 235), (0,) * 3, (30, 30, 40), col()]); im = Image.new('RGB', (W, H), bg); d = ImageDraw.Draw(im)
        fg = tuple(255 - v for v in bg) if rng.random() < .7 else col()
        if kind == 'text':
            y = rng.randint(0, 20); f = _font(rng)
            while y < H:
                s = ' '.join(''.join(rng.choice('abcdefghijklmnopqrstuvwxyzABCDE0123456789.,') for _ in range(rng.randint(1, 10))) for _ in range(rng.randint(3, 14)))
                if rng.random() < .9: d.text((rng.choice([8, 8, 8, 25]), y), s, fill=fg, font=f)
                y += int(f.size * rng.uniform(1.1, 2)) if hasattr(f, 'size') else 12
            if rng.random() < .3: d.rectangle((W * .5, H * .3, W * .9, H * .6), fill=col())
        elif kind == 'chart':
            m = 25; d.line((m, H - m, W - 5, H - m), fill=fg, width=2); d.line((m, 5, m, H - m), fill=fg, width=2); f = _font(rng, 8, 14)
            if rng.random() < .5:
                k = rng.randint(4, 14)
                for i in range(k):
                    x = m + 8 + i * (W - m - 15) / k; d.rectangle((x, rng.uniform(10, H - m), x + (W - m) / k * .6, H - m), fill=col() if rng.random() < .5 else fg)
            else:
                for _ in range(rng.randint(1, 5)):
                    v = np.cumsum(rs.randn(50)); v = (v - v.min()) / (np.ptp(v) + 1e-6)
                    d.line([(m + i * (W - m) / 50, 10 + t * (H - m - 20)) for i, t in enumerate(v)], fill=col(), width=rng.randint(1, 4))
            for i in range(5): d.text((m + i * (W - m) / 5, H - m + 4), str(i * 10), fill=fg, font=f); d.text((2, H - m - i * (H - m) / 5), str(i), fill=fg, font=f)
        elif kind in ('shapes', 'phantom_sketch'):
            for _ in range(rng.randint(1, 8)):
                x, y, r, q = rng.uniform(0, W), rng.uniform(0, H), rng.uniform(5, n / 2), rng.uniform(5, n / 2)
                (d.ellipse if rng.random() < .5 else d.rectangle)((x - r, y - q, x + r, y + q), fill=col() if rng.random() < .6 else None, outline=col())
            im = im.filter(ImageFilter.GaussianBlur(rng.uniform(0, 4)))
        a = np.asarray(im).astype(np.float32) + rs.randn(H, W, 1) * rng.choice([0, 0, 2, 6])
        return Image.fromarray(a.clip(0, 255).astype(np.uint8))
    # noise
    a = rs.randn(H, W, rng.choice([1, 3])) * rng.uniform(10, 80) + rng.uniform(40, 210)
    if rng.random() < .3: a = rs.rand(H, W, 1) * 255
    if rng.random() < .15: a = (rs.rand(H, W, 1) < rng.uniform(.02, .5)) * 255.
    im = Image.fromarray(np.repeat(a, 3, 2)[..., :3].clip(0, 255).astype(np.uint8))
    return im.filter(ImageFilter.GaussianBlur(rng.choice([0, 0, .7, 1.5, 4])))

def synth_ct(rng, n=256):
    """CT/MR-like axial or sagittal phantom: ellipses with speckle on black."""
    rs = np.random.RandomState(rng.randrange(2**31)); S = 2 * n
    im = Image.new('L', (S, S), 0); d = ImageDraw.Draw(im)
    def ell(cx, cy, a, b, v): d.ellipse((cx - a, cy - b, cx + a, cy + b), fill=int(v))
    a, b = rng.uniform(.3, .46) * S, rng.uniform(.25, .46) * S; cx, cy = S / 2 + rng.uniform(-20, 20), S / 2 + rng.uniform(-20, 20)
    body = rng.uniform(60, 200); ell(cx, cy, a, b, body)
    if rng.random() < .6: ell(cx, cy, a * .94, b * .94, body * rng.uniform(.3, .9))
    for _ in range(rng.randint(4, 25)):
        t, r = rng.uniform(0, 6.28), rng.random() ** .5 * .75; x, y = cx + a * r * math.cos(t), cy + b * r * math.sin(t)
        p, q = rng.uniform(.02, .3) * a, rng.uniform(.02, .3) * b; v = rng.choice([0, 20, 60, 110, 150, 200, 255]); ell(x, y, p, q, v)
        if rng.random() < .4: ell(x, y, p * .75, q * .75, rng.uniform(0, 255))
    im = im.rotate(rng.uniform(-25, 25), Image.BILINEAR).filter(ImageFilter.GaussianBlur(rng.uniform(1, 5))).resize((n, n), Image.BILINEAR)
    g = np.asarray(im).astype(np.float32); tex = pink(rs, n, rng.uniform(0, 2))[:n, :n]
    g = g * (1 + rng.uniform(0, .8) * (tex - .5)) + rs.randn(n, n) * rng.uniform(0, 10)
    return Image.fromarray(g.clip(0, 255).astype(np.uint8))
