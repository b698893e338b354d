"""Image statistics for the plain rules. All formulas are repeated in gate_io.json."""
from common import *
def haar_noise(g):
    """robust noise estimate: median |HH| / 0.6745, HH = (a-b-c+d)/2 over 2x2 blocks, raw grey units"""
    h, w = g.shape[0] // 2 * 2, g.shape[1] // 2 * 2; a = g[:h, :w].astype(np.float32)
    return float(np.median(np.abs(a[::2, ::2] - a[1::2, ::2] - a[::2, 1::2] + a[1::2, 1::2]) / 2) / .6745)
def down2(x): return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2).mean((1, 3))
def gradmag(x):
    dx = x[1:-1, 2:] - x[1:-1, :-2]; dy = x[2:, 1:-1] - x[:-2, 1:-1]; return np.hypot(dx, dy) / 2
def raw_stats(g, box=None, vmax=255.0):
    """g: raw grey pixels; box=(x0,y0,s). Values in 0..255 of the full range vmax of the file."""
    H, W = g.shape; x0, y0, s = box if box else (0, 0, max(H, W))
    r = g[max(0, int(y0)):max(1, min(H, math.ceil(y0 + s))), max(0, int(x0)):max(1, min(W, math.ceil(x0 + s)))].astype(np.float32) * (255.0 / vmax)
    if r.size < 16: r = g.astype(np.float32)
    p1, p50, p99 = np.percentile(r, [1, 50, 99])
    return dict(mean=float(r.mean()), p1=float(p1), p50=float(p50), p99=float(p99), contrast=float(p99 - p1), white=float((r >= 250).mean()), black=float((r <= 5).mean()),
                noise=haar_noise(r) / max(1.0, float(p99 - p1)), side=float(s), outside=float(1 - r.size / max(1., (math.ceil(s) ** 2))) if box else 0.)
def crop_stats(x):
    """x: gate input 128x128. Sharpness: high quantile of the gradient at full and at quarter resolution."""
    c = x[8:120, 8:120]; f = gradmag(c); q = gradmag(down2(down2(c)))
    g1, g4 = float(np.percentile(f, 95)), float(np.percentile(q, 95))
    lap = np.abs(4 * c[1:-1, 1:-1] - c[:-2, 1:-1] - c[2:, 1:-1] - c[1:-1, :-2] - c[1:-1, 2:])
    return dict(grad=g1, grad4=g4, sharp=g1 / max(g4, 1e-3), lap=float(lap.mean()), lapratio=float(lap.mean() / max(f.mean(), 1e-4)))
def colourfulness(rgb):
    a = rgb.astype(np.int16); return float((a.max(2) - a.min(2)).mean())
