# repeatability of the JSW under jittered input, and a confidence measure
from evaluate import *; torch.set_num_threads(1)
z=np.load('reg2.csv') if 0 else None
K,X,Y,SC,W=dataset('reg2.csv'); f=np.array([fold_of(k) for k in K]); i=np.where(f==0)[0]; m=load(sys.argv[1]); X=X[i]; Y=Y.numpy()[i].astype(float); mm=.3/SC[i]
@torch.no_grad()
def spread(X):
    o=[]
    for j in range(0,len(X),32):
        c,p=decode(m(norm(X[j:j+32]))); q=torch.arange(56)*4+1.5
        o.append(((p*((q[None,None,None,:]-c[...,0,None,None])**2+(q[None,None,:,None]-c[...,1,None,None])**2)).sum((2,3))).sqrt())
    return torch.cat(o).numpy()
sp=spread(X); P1,P2=two_pass(m,X); w=np.array([frame(p)[3] for p in P2]); d=np.hypot(*np.moveaxis((P2-Y)*mm[:,None,None],-1,0)); dis=np.hypot(*np.moveaxis(P2-P1,-1,0)).mean(1)/w; A=jsw_all(Y,mm); B=jsw_all(P2,mm); E=abs(B-A)[:,2]
from scipy.stats import spearmanr
print('spread px mean',sp.mean(),'pct',np.percentile(sp.mean(1),[5,50,95,100]),'corr with err',spearmanr(sp.mean(1)/w,d.mean(1))[0],'JSW err',spearmanr(sp.mean(1)/w,E)[0]); print('pass disagreement/w pct',np.percentile(dis,[5,50,95,100]),'corr',spearmanr(dis,d.mean(1))[0],spearmanr(dis,E)[0])
# non-knee inputs
g=torch.Generator().manual_seed(0); bad=torch.cat([torch.rand(8,1,S,S,generator=g),X[:8].flip(2),F.interpolate(X[:8,:,:90,60:150],size=(S,S),mode='bilinear'),X[:8].transpose(2,3)]); bs=spread(bad); b1,b2=two_pass(m,bad); bw=np.array([frame(p)[3] for p in b2]); bd=np.hypot(*np.moveaxis(b2-b1,-1,0)).mean(1)/bw
for n,s in (('noise',slice(0,8)),('upside down',slice(8,16)),('shaft zoom',slice(16,24)),('turned 90',slice(24,32))): print(n,'spread',bs[s].mean(1).round(1),'dis',bd[s].round(3),'w',bw[s].round(0))
V=[]; rng=np.random.RandomState(0); n=60; xs=X[:n]
for r in range(4):
    th=torch.tensor(rng.uniform(-7,7,n)*math.pi/180,dtype=torch.float32); s=torch.tensor(np.exp(rng.uniform(-.12,.12,n)),dtype=torch.float32); A_=torch.stack([torch.stack([s*th.cos(),-s*th.sin()],-1),torch.stack([s*th.sin(),s*th.cos()],-1)],1)
    b=torch.tensor([111.5,111.5])+torch.tensor(rng.uniform(-8,8,(n,2)),dtype=torch.float32)-A_@torch.tensor([111.5,111.5])
    x=warp(xs,A_,b)**torch.tensor(np.exp(rng.uniform(-.25,.25,n)),dtype=torch.float32).view(-1,1,1,1)+.02*torch.randn(n,1,S,S,generator=g); _,q=two_pass(m,x.clamp(0,1)); G=[grads(t[0].numpy(),1.0) for t in x]
    V.append(np.stack([jsw_all(q,mm[:n]*s.numpy()),jsw_all(q,mm[:n]*s.numpy(),lambda i,p:jsw_refined(None,p,G=G[i],R=.01,lam=1.))]))
V=np.array(V); print('repeatability SD mm lat med min | means: plain',np.sqrt(V[:,0].var(0,ddof=1).mean(0)).round(3),'refined',np.sqrt(V[:,1].var(0,ddof=1).mean(0)).round(3))
