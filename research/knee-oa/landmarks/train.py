# Train the 16-landmark knee net.  usage: train.py REG.csv FOLD(0-4|all) EPOCHS OUT.pt [INIT.pt] [LR]
import sys, time, math, hashlib
from common import *
from net import *
S=224; MINQ=0.0
def fold_of(k): return int(hashlib.md5(k[:-1].encode()).hexdigest(),16)%5        # by patient
def dataset(regfile):
    reg={r['knee_id']:r for r in csv.DictReader(open(regfile))}
    K=[];X=[];Y=[];SC=[];W=[]
    for k,kl,p in load_lm():
        r=reg[k]; s,tx,ty,q=[float(r[c]) for c in ('scale','tx','ty','quality')]
        im=load_img(k)
        if k[-1]=='L': im=im[:,::-1]
        K.append(k);X.append(im);Y.append((p-233)*s+[tx,ty]);SC.append(s);W.append(q)
    return K,torch.from_numpy(np.stack(X)[:,None].copy()),torch.tensor(np.stack(Y),dtype=torch.float32),np.array(SC),np.array(W)
def blur(x,s):
    r=3; t=torch.arange(-r,r+1,dtype=torch.float32); g=torch.exp(-t*t/(2*s*s)); g=g/g.sum()
    return F.conv2d(F.conv2d(F.pad(x,(r,)*4,mode='replicate'),g.view(1,1,1,-1)),g.view(1,1,-1,1))
def augment(x,y,g,full=True):
    """random affine about the joint + photometric; x (B,1,S,S) in 0..1, y (B,16,2) px"""
    B=len(x); U=lambda a,b:torch.rand(B,generator=g)*(b-a)+a
    th=U(-15,15)*math.pi/180*(U(0,1)<.8); sc=torch.exp(U(math.log(.7),math.log(1.3))); asp=torch.exp(U(-.1,.1))
    c=y.mean(1); d=torch.stack([111.5+U(-22,22),111.5+U(-24,24)],-1)
    # half of the samples imitate the second pass: plateau horizontal and 176 px wide, with the first pass's errors
    nar=U(0,1)<.5; u=y[:,8]-y[:,0]
    th=torch.where(nar,-torch.atan2(u[:,1],u[:,0])+U(-5,5)*math.pi/180,th); sc=torch.where(nar,U(158,194)/u.norm(dim=1),sc); asp=torch.where(nar,1+(asp-1)*.4,asp)
    d=torch.where(nar[:,None],111.5+(d-111.5)*.35,d); sx,sy=sc*asp.sqrt(),sc/asp.sqrt()
    # forward map: new = A (old-c) + d
    A=torch.stack([torch.stack([sx*th.cos(),-sy*th.sin()],-1),torch.stack([sx*th.sin(),sy*th.cos()],-1)],1)
    yn=torch.einsum('bij,bkj->bki',A,y-c[:,None])+d[:,None]
    Ai=torch.inverse(A); b=c-torch.einsum('bij,bj->bi',Ai,d)
    # grid in normalised coords (align_corners=False): px=( (u+1)*S-1)/2
    k=(S-1)/2; t=(torch.einsum('bij,j->bi',Ai,torch.tensor([k,k]))+b-k)*2/S
    th2=torch.cat([Ai,t[:,:,None]],2)
    xn=F.grid_sample(x,F.affine_grid(th2,x.shape,align_corners=False),mode='bilinear',padding_mode='zeros' if torch.rand(1,generator=g)<.5 else 'border',align_corners=False)
    # photometric
    v=lambda t:t.view(B,1,1,1)
    xn=xn.clamp(0,1)**v(torch.exp(U(-.7,.7)))
    xn=(xn-.5)*v(U(.6,1.3))+.5+v(U(-.15,.15))
    ramp=torch.linspace(-1,1,S); xn=xn+v(U(-.15,.15))*ramp.view(1,1,1,S)+v(U(-.15,.15))*ramp.view(1,1,S,1)
    m=U(0,1)<.35
    if m.any(): xn[m]=blur(xn[m],float(torch.rand(1,generator=g))*1.6+.4)
    xn=xn+torch.randn(xn.shape,generator=g)*v(U(0,.06)*(U(0,1)<.6))
    for i in range(B):
        if torch.rand(1,generator=g)<.3:
            w,h,cx,cy=[int(q) for q in torch.randint(12,48,(2,),generator=g)]+[int(q) for q in torch.randint(0,S,(2,),generator=g)]
            xn[i,:,max(0,cy-h//2):cy+h//2,max(0,cx-w//2):cx+w//2]=torch.rand(1,generator=g)
    return xn.clamp(0,1),yn
PAIR=[(0,9),(1,10),(2,11),(6,13),(7,14),(8,15)]   # tibia-femur partners (joint-space term)
def loss_fn(h,y,w):
    B=len(y); co,p=decode(h); sg=1.25
    ok=((y>2)&(y<S-3)).all(-1).float()*w[:,None]
    gx=(y[...,0]-1.5)/4; gy=(y[...,1]-1.5)/4; r=torch.arange(56,dtype=torch.float32)
    tx=torch.exp(-(r-gx[...,None])**2/(2*sg*sg)); ty=torch.exp(-(r-gy[...,None])**2/(2*sg*sg))
    t=ty[...,:,None]*tx[...,None,:]; t=t/t.sum((2,3),keepdim=True).clamp_min(1e-6)
    ce=-(t*torch.log(p+1e-9)).sum((2,3))
    l1=F.smooth_l1_loss(co,y,beta=1.5,reduction='none').sum(-1)
    a=[i for i,_ in PAIR]; b=[j for _,j in PAIR]
    js=F.smooth_l1_loss(co[:,b]-co[:,a],y[:,b]-y[:,a],beta=1.,reduction='none')[...,1]*ok[:,a]*ok[:,b]
    n=ok.sum()+1e-6
    return (ok*ce).sum()/n*.5+(ok*l1).sum()/n*.25+js.sum()/n*.5, (ok*(co-y).norm(dim=-1)).sum()/n
def norm(x):   # what the exported model expects: 0..1 percentile stretched -> inside: (x-.5)*4
    return (x-.5)*4
@torch.no_grad()
def predict(m,X):
    m.eval(); return torch.cat([decode(m(norm(X[i:i+32])))[0] for i in range(0,len(X),32)])
if __name__=='__main__':
    torch.set_num_threads(1)
    regf,fold,ep,out=sys.argv[1],sys.argv[2],int(sys.argv[3]),sys.argv[4]
    init=sys.argv[5] if len(sys.argv)>5 and sys.argv[5]!='-' else None; lr=float(sys.argv[6]) if len(sys.argv)>6 else 3e-3
    K,X,Y,SC,W=dataset(regf); f=np.array([fold_of(k) for k in K]); w=torch.tensor(np.clip(W/.25,.1,1.),dtype=torch.float32)
    tr=np.where(f!=int(fold))[0] if fold!='all' else np.arange(len(K)); te=np.where(f==int(fold))[0] if fold!='all' else np.arange(0,len(K),5)
    seed=7+(int(fold) if fold!='all' else 9); torch.manual_seed(seed); g=torch.Generator().manual_seed(seed); rng=np.random.RandomState(seed)
    m=LmNet(); 
    if init: m.load_state_dict(torch.load(init))
    m=m.to(memory_format=torch.channels_last)
    import copy; ema=copy.deepcopy(m); B=16
    opt=torch.optim.AdamW(m.parameters(),lr=lr,weight_decay=1e-2,betas=(.9,.99)); T=ep*(len(tr)//B); it=0; t0=time.time()
    for e in range(ep):
        m.train(); P=rng.permutation(tr); tot=[]
        for i in range(len(tr)//B):
            it+=1; wu=min(1,it/60); 
            for q in opt.param_groups: q['lr']=lr*wu*(.5+.5*math.cos(math.pi*it/T))+1e-5
            b=P[i*B:(i+1)*B]; x,y=augment(X[b],Y[b],g)
            with torch.autocast('cpu',dtype=torch.bfloat16): h=m(norm(x).contiguous(memory_format=torch.channels_last))
            l,err=loss_fn(h,y,w[b]); opt.zero_grad(); l.backward(); nn.utils.clip_grad_norm_(m.parameters(),5.); opt.step(); tot.append((l.item(),err.item()))
            dk=min(.995,(it+1)/(it+20))
            with torch.no_grad():
                for a,c in zip(ema.state_dict().values(),m.state_dict().values()):
                    if a.dtype.is_floating_point: a.mul_(dk).add_(c,alpha=1-dk)
                    else: a.copy_(c)
        if e%5==4 or e==ep-1:
            pr=predict(ema,X[te]); er=((pr-Y[te]).norm(dim=-1).numpy()/SC[te][:,None]*.3)
            print(fold,e+1,'loss %.3f trainerr %.2fpx'%tuple(np.mean(tot,0)),'val mean %.3f med %.3f mm'%(er.mean(),np.median(er)),'%.0fs'%(time.time()-t0),flush=True)
            torch.save(ema.state_dict(),out)
