# export.py CKPT : BN folded by torch's exporter, input scaling baked in (feed 0..1)
import sys,json; from infer import *
class W_(nn.Module):
    def __init__(s,m): super().__init__(); s.m=m
    def forward(s,x): return s.m((x-.5)*4)
m=W_(load(sys.argv[1])).eval(); x=torch.rand(1,1,S,S)
torch.onnx.export(m,x,'model.onnx',opset_version=13,input_names=['image'],output_names=['heatmap_logits'],do_constant_folding=True)
# reference vector (synthetic input, no data-set picture): a smooth phantom
yy,xx=torch.meshgrid(torch.arange(S).float(),torch.arange(S).float(),indexing='ij')
ph=(.5+.3*torch.sin(xx/17)*torch.cos(yy/23)+.2*(yy>120+6*torch.sin(xx/20))*1.-.2*((yy-112).abs()<5)*1.).clamp(0,1)
with torch.no_grad(): h=m(ph[None,None])
np.save('ref_input.npy',ph.numpy()); np.save('ref_logits.npy',h[0].numpy()); c,_=decode(h); np.save('ref_landmarks.npy',c[0].numpy())
print('MMAC',macs(m.m,x)/1e6,'params',sum(p.numel() for p in m.parameters())/1e3,'k')
