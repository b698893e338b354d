# export_closer.py CKPT OUT.onnx : input scaling baked in (feed 0..1)
import sys; from closer import *
class W_(nn.Module):
    def __init__(s,m): super().__init__(); s.m=m
    def forward(s,x): return s.m((x-.5)*4)
m=Closer(); m.load_state_dict(torch.load(sys.argv[1])); m=W_(m.eval()); x=torch.rand(1,1,CP,CP)
torch.onnx.export(m,x,sys.argv[2],opset_version=13,input_names=['image'],output_names=['heatmap_logits'],do_constant_folding=True)
print('MMAC',macs(m.m,x)/1e6,'params',sum(p.numel() for p in m.parameters())/1e3,'k')
