"""export.py FINDER.pt GATE.pt : finder.onnx and gate.onnx (opset 13, fixed input, batch-norm kept as trained or folded by the exporter)"""
import sys
from nets import *
from gate_data import CLASSES
from common import WORK
class G(nn.Module):
    def __init__(s, m): super().__init__(); s.m = m
    def forward(s, x):
        l, f = s.m(x); return torch.softmax(l, 1), f
class GateE(nn.Module):
    """same network with global average and max pooling as plain operators"""
    def __init__(s, m): super().__init__(); s.m = m
    def forward(s, x):
        y = s.m.body(x); a = F.adaptive_avg_pool2d(y, 1); b = F.max_pool2d(y, 4); z = torch.cat([a, b], 1).flatten(1)
        f = s.m.fc1(z); return torch.softmax(s.m.fc2(F.relu(f)), 1), f
if __name__ == '__main__':
    f = Finder(); f.load_state_dict(torch.load(sys.argv[1])); f.eval()
    f.forward = f.core
    torch.onnx.export(f, torch.zeros(1, 1, 256, 256), WORK + 'finder.onnx', opset_version=13, input_names=['image'], output_names=['maps'], do_constant_folding=True)
    g = Gate(len(CLASSES)); g.load_state_dict(torch.load(sys.argv[2])); g.eval()
    x = torch.rand(1, 1, 128, 128)
    with torch.no_grad(): a = g(x); b = GateE(g)((x - .5) * 4); print('diff', float((torch.softmax(a[0], 1) - b[0]).abs().max()), float((a[1] - b[1]).abs().max()))
    torch.onnx.export(GateE(g), x, WORK + 'gate.onnx', opset_version=13, input_names=['crop'], output_names=['prob', 'feature'], do_constant_folding=True)
