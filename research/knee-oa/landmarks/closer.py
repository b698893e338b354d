# Closer look at each compartment: 96x96 patch of .42 plateau widths, 12 heat maps of 48x48 (6 per compartment; the medial one mirrored).
# usage: closer.py REG FOLD(0-4; 9: all knees) EPOCHS OUT.pt      POSES.npz (reg_shipped.py) gives the poses that held-out knees are looked at from
import sys,time,math,copy
from train import *
from refine import frame,NX,LAT,MED
CP=96; SPAN=.42; CX=.16; CY=-.03   # patch centre along the plateau (lateral; medial mirrored 1-CX) and down it, in plateau widths
IDX=[[0,1,2,9,10,11],[6,7,8,13,14,15]]
class Closer(nn.Module):
    def __init__(s,c=(16,24,48,64)):
        super().__init__(); a,b,d,e=c
        s.stem=cbr(1,a,5,2); s.e2=nn.Sequential(cbr(a,b),cbr(b,b)); s.e3=nn.Sequential(cbr(b,d),cbr(d,d)); s.e4=nn.Sequential(cbr(d,e),cbr(e,e))
        s.l4=cbr(e,d,1); s.d3=cbr(d,d); s.l3=cbr(d,b,1); s.d2=nn.Sequential(cbr(2*b,b),cbr(b,b)); s.head=nn.Conv2d(b,12,1); s.pool=nn.MaxPool2d(2)
    def up(s,x): return F.interpolate(x,scale_factor=2,mode='bilinear',align_corners=False)
    def forward(s,x):
        b=s.e2(s.stem(x)); c=s.e3(s.pool(b)); d=s.e4(s.pool(c)); c=s.d3(c+s.up(s.l4(d))); return s.head(s.d2(torch.cat([b,s.up(s.l3(c))],1)))
def pose(P):
    u=P[:,8]-P[:,0]; w=u.norm(dim=1); return P[:,0],u/w[:,None],w
def views(P,side,jit=None):
    """A (B,2,2), b (B,2): patch px -> image px. medial patches mirrored (outer edge left)"""
    o,u,w=pose(P); B=len(P); n=torch.stack([-u[:,1],u[:,0]],1)
    cx=torch.where(side==0,torch.full((B,),CX),torch.full((B,),1-CX)); m=torch.where(side==0,1.,-1.)
    s=w*SPAN/CP; dx=torch.zeros(B); dy=torch.zeros(B); th=torch.zeros(B)
    if jit is not None: s=s*jit[0]; dx,dy,th=jit[1:]
    c=o+u*((cx+dx)*w)[:,None]+n*((CY+dy)*w)[:,None]
    cu=u*th.cos()[:,None]+n*th.sin()[:,None]; cn=-u*th.sin()[:,None]+n*th.cos()[:,None]
    A=torch.stack([cu*(m*s)[:,None],cn*s[:,None]],2); return A,c-A@torch.tensor([(CP-1)/2]*2)
def cut(x,A,b):
    H=x.shape[-1]; Bn=len(x); g=torch.arange(CP,dtype=torch.float32); yy,xx=torch.meshgrid(g,g,indexing='ij'); q=torch.stack([xx,yy],-1).reshape(-1,2)
    t=(torch.einsum('bij,kj->bki',A,q)+b[:,None]+.5)*2/H-1
    return F.grid_sample(x,t.reshape(Bn,CP,CP,2),mode='bilinear',padding_mode='border',align_corners=False)
def dec(h):
    B,C,H,W=h.shape; p=torch.softmax(h.float().reshape(B,C,-1),-1).reshape(B,C,H,W); r=torch.arange(H,dtype=torch.float32)*2+.5
    return torch.stack([(p.sum(2)*r).sum(-1),(p.sum(3)*r).sum(-1)],-1),p
def pick(t,side): return torch.where((side==0).view(-1,*[1]*(t.dim()-1)),t[:,:6],t[:,6:])
def prof(Q,side,P):
    """JSW profile (B,NX) in plateau widths from the 6 points of a compartment in image px, in the plateau frame of P"""
    o,u,w=pose(P); n=torch.stack([-u[:,1],u[:,0]],1); d=Q-o[:,None]; X=torch.einsum('bki,bi->bk',d,u)/w[:,None]; Z=torch.einsum('bki,bi->bk',d,n)/w[:,None]
    xs=torch.where(side[:,None]==0,torch.linspace(*LAT,NX)[None],torch.linspace(*MED,NX)[None])
    def at(x,z):
        a=((xs-x[:,:1])/(x[:,1:2]-x[:,:1]).clamp_min(1e-3)).clamp(0,1); b=((xs-x[:,1:2])/(x[:,2:]-x[:,1:2]).clamp_min(1e-3)).clamp(0,1)
        return z[:,:1]+a*(z[:,1:2]-z[:,:1])+b*(z[:,2:]-z[:,1:2])
    return (at(X[:,:3],Z[:,:3])-at(X[:,3:],Z[:,3:])).clamp_min(0)
@torch.no_grad()
def look(m,X,P,jits=(None,)):
    """-> (B,16,2) points: the 12 of the compartments replaced; P first-pass points"""
    m.eval(); out=P.clone()
    for s in (0,1):
        side=torch.full((len(P),),s); acc=0
        for j in jits:
            A,b=views(P,side,None if j is None else [torch.full((len(P),),float(v)) for v in j]); Q=[]
            for i in range(0,len(P),64): Q.append(pick(dec(m((cut(X[i:i+64],A[i:i+64],b[i:i+64])-.5)*4))[0],side[i:i+64]))
            acc=acc+torch.einsum('bij,bkj->bki',A,torch.cat(Q))+b[:,None]
        out[:,IDX[s]]=acc/len(jits)
    return out
def train_closer(K,X,Y,W,tr,ep,seed,out,lr=3e-3,B=32,eval_fn=None):
    torch.manual_seed(seed); g=torch.Generator().manual_seed(seed); rng=np.random.RandomState(seed); m=Closer().to(memory_format=torch.channels_last); ema=copy.deepcopy(m)
    pairs=np.array([(i,s) for i in tr for s in (0,1)]); opt=torch.optim.AdamW(m.parameters(),lr=lr,weight_decay=1e-2,betas=(.9,.99)); T=ep*(len(pairs)//B); it=0; t0=time.time()
    for e in range(ep):
        m.train(); rng.shuffle(pairs); tot=[]
        for i in range(len(pairs)//B):
            it+=1
            for q in opt.param_groups: q['lr']=lr*min(1,it/60)*(.5+.5*math.cos(math.pi*it/T))+1e-5
            b=pairs[i*B:(i+1)*B]; k=b[:,0]; side=torch.tensor(b[:,1]); U=lambda a,c:torch.rand(B,generator=g)*(c-a)+a
            Pj=Y[k].clone(); fl=None
            jit=[torch.exp(U(-.12,.12)),U(-.03,.03),U(-.03,.03),U(-6,6)*math.pi/180]
            A,t=views(Pj,side,jit); x=cut(X[k],A,t); v=lambda q:q.view(B,1,1,1)
            x=x.clamp(0,1)**v(torch.exp(U(-.6,.6))); x=(x-.5)*v(U(.6,1.4))+.5+v(U(-.15,.15)); ramp=torch.linspace(-1,1,CP); x=x+v(U(-.15,.15))*ramp.view(1,1,1,CP)+v(U(-.15,.15))*ramp.view(1,1,CP,1)
            mm_=torch.rand(B,generator=g)<.3
            if mm_.any(): x[mm_]=blur(x[mm_],float(torch.rand(1,generator=g))*1.6+.4)
            x=(x+torch.randn(x.shape,generator=g)*v(U(0,.05)*(U(0,1)<.6))).clamp(0,1)
            idx=torch.tensor([IDX[s] for s in b[:,1]]); yt=torch.gather(Y[k],1,idx[:,:,None].expand(-1,-1,2)); z=torch.einsum('bij,bkj->bki',torch.inverse(A),yt-t[:,None])
            with torch.autocast('cpu',dtype=torch.bfloat16): h=m(((x-.5)*4).contiguous(memory_format=torch.channels_last))
            co,p=dec(h); co=pick(co,side); p=pick(p,side); ok=((z>1)&(z<CP-2)).all(-1).float()*W[k][:,None]; sg=1.5; r=torch.arange(CP//2,dtype=torch.float32)
            gx=(z[...,0]-.5)/2; gy=(z[...,1]-.5)/2; tx=torch.exp(-(r-gx[...,None])**2/(2*sg*sg)); ty=torch.exp(-(r-gy[...,None])**2/(2*sg*sg)); tg=ty[...,:,None]*tx[...,None,:]; tg=tg/tg.sum((2,3),keepdim=True).clamp_min(1e-6)
            ce=-(tg*torch.log(p+1e-9)).sum((2,3)); d=F.smooth_l1_loss(co,z,beta=1.5,reduction='none').sum(-1); n=ok.sum()+1e-6
            Q=torch.einsum('bij,bkj->bki',A,co)+t[:,None]; pf=prof(Q,side,Y[k]); pt=prof(yt,side,Y[k]); dj=(pf-pt)/SPAN*CP; dm=(pf.min(1)[0]-pt.min(1)[0])/SPAN*CP
            l=(ok*ce).sum()/n*.5+(ok*d).sum()/n*.2+(F.smooth_l1_loss(dj,0*dj,beta=1.,reduction='none').mean(1)*W[k]).mean()*.5+(F.smooth_l1_loss(dm,0*dm,beta=.5,reduction='none')*W[k]).mean()*.5
            opt.zero_grad(); l.backward(); nn.utils.clip_grad_norm_(m.parameters(),5.); opt.step(); tot.append(((ok*ce).sum().item()/n.item(),dm.abs().mean().item()*79*SPAN/CP)); dk=min(.995,(it+1)/(it+20))
            with torch.no_grad():
                for a,c in zip(ema.state_dict().values(),m.state_dict().values()):
                    if a.dtype.is_floating_point: a.mul_(dk).add_(c,alpha=1-dk)
                    else: a.copy_(c)
        if e%5==4 or e==ep-1:
            torch.save(ema.state_dict(),out); print(e+1,'ce %.3f train|min| %.3f mm'%tuple(np.mean(tot,0)),'%.0fs cpu %.0fs'%(time.time()-t0,time.process_time()),eval_fn(ema) if eval_fn else '',flush=True)
    return ema
JITS=[None,(1.06,.01,-.01,.04),(.94,-.01,.01,-.04),(1.03,-.01,-.01,.02),(.97,.01,.01,-.02)]
def jmin(P,mm):
    P=torch.as_tensor(P,dtype=torch.float32); w=pose(P)[2].numpy()*mm; v=np.stack([prof(P[:,IDX[s]],torch.full((len(P),),s),P).min(1)[0].numpy()*w for s in (0,1)],1); return np.c_[v,v.min(1)]
if __name__=='__main__':
    torch.set_num_threads(1); regf,fold,ep,out=sys.argv[1:5]; fold=int(fold); K,X,Y,SC,W=dataset(regf); f=np.array([fold_of(k) for k in K]); w=torch.tensor(np.clip(W/.25,.1,1.),dtype=torch.float32)
    z=np.load('poses.npz'); P=torch.tensor(z['P2'],dtype=torch.float32); P=P+torch.randn(P.shape,generator=torch.Generator().manual_seed(3))*.6; mm=.3/SC; te=np.where(f==fold)[0] if fold<5 else np.arange(0,len(K),5); A=jmin(Y.numpy(),mm); print(len(te),'held out; quality w mean',w.mean().item(),'first pass (in sample) MAE',abs(jmin(z['P2'],mm)-A)[te].mean(0).round(3))
    def ev(m):
        o=[]
        for js in ((None,),JITS): E=jmin(look(m,X[te],P[te],js).numpy(),mm[te])-A[te]; o.append('MAE %s bias %s sd %s'%(abs(E).mean(0).round(3),E.mean(0).round(2),E.std(0).round(2)))
        return ' | TTA '.join(o)
    train_closer(K,X,Y,w,np.where(f!=fold)[0],int(ep),11+fold,out,eval_fn=ev)
