"""Minimal ONNX reader: lists operators and shapes, and evaluates the file with torch to compare with the trained network."""
import sys, struct, numpy as np, torch, torch.nn.functional as F
def fields(b):
    i = 0
    while i < len(b):
        k, i = varint(b, i); t, w = k >> 3, k & 7
        if w == 0: v, i = varint(b, i)
        elif w == 2: n, i = varint(b, i); v = b[i:i + n]; i += n
        elif w == 5: v = b[i:i + 4]; i += 4
        elif w == 1: v = b[i:i + 8]; i += 8
        yield t, w, v
def varint(b, i):
    r = s = 0
    while True:
        c = b[i]; i += 1; r |= (c & 127) << s; s += 7
        if not c & 128: return r, i
def sint(v): return v - (1 << 64) if v >> 63 else v
def tensor(b):
    d, raw, dt, name, fl, il = [], None, 1, '', [], []
    for t, w, v in fields(b):
        if t == 1:
            if w == 0: d.append(v)
            else:
                i = 0
                while i < len(v): q, i = varint(v, i); d.append(q)
        elif t == 2: dt = v
        elif t == 8: name = v.decode()
        elif t == 9: raw = v
        elif t == 4: fl += list(np.frombuffer(v, '<f4'))
        elif t == 7:
            i = 0
            while i < len(v): q, i = varint(v, i); il.append(sint(q))
    ty = {1: '<f4', 7: '<i8', 6: '<i4', 11: '<f8'}[dt]; a = np.frombuffer(raw, ty) if raw is not None else np.array(fl or il, ty)
    return name, torch.from_numpy(a.reshape(d).copy())
def attr(b):
    n, r = '', None; ints = []
    for t, w, v in fields(b):
        if t == 1: n = v.decode()
        elif t == 2: r = struct.unpack('<f', v)[0]
        elif t == 3: r = sint(v)
        elif t == 4: r = v.decode()
        elif t == 5: r = tensor(v)[1]
        elif t == 8:
            if w == 0: ints.append(sint(v))
            else:
                i = 0
                while i < len(v): q, i = varint(v, i); ints.append(sint(q))
    return n, ints if ints else r
def load(p):
    g = [v for t, w, v in fields(open(p, 'rb').read()) if t == 7][0]; N, I, ins, outs = [], {}, [], []
    for t, w, v in fields(g):
        if t == 1:
            n = dict(i=[], o=[], op='', a={})
            for t2, _, v2 in fields(v):
                if t2 == 1: n['i'].append(v2.decode())
                elif t2 == 2: n['o'].append(v2.decode())
                elif t2 == 4: n['op'] = v2.decode()
                elif t2 == 5: k, r = attr(v2); n['a'][k] = r
            N.append(n)
        elif t == 5: k, r = tensor(v); I[k] = r
        elif t == 11: ins.append([q.decode() for t2, _, q in fields(v) if t2 == 1][0])
        elif t == 12: outs.append([q.decode() for t2, _, q in fields(v) if t2 == 1][0])
    return N, I, ins, outs
def run(p, x):
    N, V, ins, outs = load(p); V = dict(V); V[ins[0]] = x
    for n in N:
        i = [V[k] if k else None for k in n['i']]; a = n['a']; o = n['op']
        if o == 'Conv': y = F.conv2d(i[0], i[1], i[2] if len(i) > 2 else None, a['strides'], a['pads'][:2])
        elif o == 'Relu': y = F.relu(i[0])
        elif o == 'Add': y = i[0] + i[1]
        elif o == 'Sub': y = i[0] - i[1]
        elif o == 'Mul': y = i[0] * i[1]
        elif o == 'Constant': y = a['value']
        elif o == 'Concat': y = torch.cat(i, a['axis'])
        elif o == 'Resize': y = F.interpolate(i[0], scale_factor=2, mode='nearest'); assert a['mode'] == 'nearest' and list(i[2].numpy() if i[2].numel() else i[3].numpy() / np.array(i[0].shape))[2:] == [2, 2], (a, i[1:])
        elif o == 'GlobalAveragePool': y = F.adaptive_avg_pool2d(i[0], 1)
        elif o == 'AveragePool': y = F.avg_pool2d(i[0], a['kernel_shape'], a['strides'])
        elif o == 'MaxPool': y = F.max_pool2d(i[0], a['kernel_shape'], a['strides'])
        elif o == 'Flatten': y = i[0].flatten(a['axis'])
        elif o == 'Gemm': y = F.linear(i[0], i[1] if a.get('transB') else i[1].T, i[2])
        elif o == 'Softmax': y = F.softmax(i[0], a['axis'])
        elif o == 'BatchNormalization': y = F.batch_norm(i[0], i[3], i[4], i[1], i[2], False, 0, a['epsilon'])
        else: raise SystemExit('operator ' + o)
        V[n['o'][0]] = y
    return [V[o] for o in outs]
if __name__ == '__main__':
    from nets import *; from gate_data import CLASSES; from export import GateE
    from collections import Counter; from common import WORK
    torch.manual_seed(0)
    f = Finder(); f.load_state_dict(torch.load(sys.argv[1])); f.eval(); g = Gate(len(CLASSES)); g.load_state_dict(torch.load(sys.argv[2])); g.eval()
    with torch.no_grad():
        x = torch.rand(1, 1, 256, 256); print('finder', Counter(n['op'] for n in load(WORK + 'finder.onnx')[0]), float((run(WORK + 'finder.onnx', x)[0] - f.core(x)).abs().max()))
        x = torch.rand(1, 1, 128, 128); a = run(WORK + 'gate.onnx', x); b = GateE(g)(x); print('gate', Counter(n['op'] for n in load(WORK + 'gate.onnx')[0]), [float((u - v).abs().max()) for u, v in zip(a, b)], [tuple(u.shape) for u in a])
