# Two-pass inference with one network. Pass 1: whole crop; pass 2: plateau horizontal, 176 px wide, joint centred.
import math; from train import *; from refine import *
WIDTH=176.
def warp(x,A,b):
    """output pixel o samples input position A@o+b (pixel centres at integers), bilinear, border replicated"""
    k=(S-1)/2; t=(A@torch.tensor([k,k])+b-k)*2/S
    return F.grid_sample(x,F.affine_grid(torch.cat([A,t[:,:,None]],2),x.shape,align_corners=False),mode='bilinear',padding_mode='border',align_corners=False)
def pass2(m,X,P,width=WIDTH):
    u=P[:,8]-P[:,0]; w=u.norm(dim=1); s=w/width; a=torch.atan2(u[:,1],u[:,0])
    A=torch.stack([torch.stack([s*a.cos(),-s*a.sin()],-1),torch.stack([s*a.sin(),s*a.cos()],-1)],1)
    b=P.mean(1)-A@torch.tensor([111.5,111.5]); Q=[predict(m,warp(X[i:i+32],A[i:i+32],b[i:i+32])) for i in range(0,len(X),32)]
    return torch.einsum('bij,bkj->bki',A,torch.cat(Q))+b[:,None]
def two_pass(m,X,n2=1):
    P1=predict(m,X); P2=P1
    for _ in range(n2): P2=pass2(m,X,P2)
    return P1.numpy().astype(float),P2.numpy().astype(float)
def load(f):
    m=LmNet(); m.load_state_dict(torch.load(f)); return m.eval()
