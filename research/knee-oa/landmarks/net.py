import torch, torch.nn as nn, torch.nn.functional as F
def cbr(i,o,k=3,s=1): return nn.Sequential(nn.Conv2d(i,o,k,s,k//2,bias=False),nn.BatchNorm2d(o),nn.ReLU(inplace=True))
class LmNet(nn.Module):
    """1x1x224x224 -> 16 heat-map logits at 56x56 (stride 4)"""
    def __init__(s,c=(16,32,64,96,128)):
        super().__init__()
        c1,c2,c3,c4,c5=c
        s.e1=nn.Sequential(cbr(1,c1,5,2),cbr(c1,c1))           # 112
        s.e2=nn.Sequential(cbr(c1,c2),cbr(c2,c2))               # 56
        s.e3=nn.Sequential(cbr(c2,c3),cbr(c3,c3))               # 28
        s.e4=nn.Sequential(cbr(c3,c4),cbr(c4,c4))               # 14
        s.e5=nn.Sequential(cbr(c4,c5),cbr(c5,c5))               # 7
        s.l5=cbr(c5,c4,1); s.d4=cbr(c4,c4)
        s.l4=cbr(c4,c3,1); s.d3=cbr(c3,c3)
        s.l3=cbr(c3,c2,1); s.d2=nn.Sequential(cbr(2*c2,48),cbr(48,48))
        s.head=nn.Conv2d(48,16,1)
        s.pool=nn.MaxPool2d(2)
    def up(s,x): return F.interpolate(x,scale_factor=2,mode='bilinear',align_corners=False)
    def forward(s,x):
        a=s.e1(x); b=s.e2(s.pool(a)); c=s.e3(s.pool(b)); d=s.e4(s.pool(c)); e=s.e5(s.pool(d))
        d=s.d4(d+s.up(s.l5(e))); c=s.d3(c+s.up(s.l4(d)))
        return s.head(s.d2(torch.cat([b,s.up(s.l3(c))],1)))
def decode(h,stride=4.0):
    """soft-argmax over the whole map -> (B,16,2) in input pixels (pixel centres at integers)"""
    B,C,H,W=h.shape; p=torch.softmax(h.float().reshape(B,C,-1),-1).reshape(B,C,H,W)
    ys=torch.arange(H,dtype=torch.float32)*stride+(stride-1)/2; xs=torch.arange(W,dtype=torch.float32)*stride+(stride-1)/2
    return torch.stack([(p.sum(2)*xs).sum(-1),(p.sum(3)*ys).sum(-1)],-1),p
def macs(m,x):
    t=[0]; hs=[l.register_forward_hook(lambda l,i,o:t.__setitem__(0,t[0]+o.shape[2]*o.shape[3]*l.weight.numel())) for l in m.modules() if isinstance(l,nn.Conv2d)]
    m(x); [h.remove() for h in hs]; return t[0]
