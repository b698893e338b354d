# evaluate_closer.py REG FOLDS [product.csv ...] : out-of-fold joint space widths of the closer look, where their error comes from, calibration, bootstrap by patient
import torch; torch.set_num_threads(1)
from closer import *; from refine import grads,jsw_plain,jsw_refined,profile
TTA=[None,(176/164,0,0,math.radians(3)),(176/188,0,0,-math.radians(3))]   # the passes of the card
def jall(P,mm,fn=None):
    w=np.array([frame(p)[3] for p in P])*mm; V=np.array([jsw_plain(p) if fn is None else fn(i,p) for i,p in enumerate(P)])[:,:2]*w[:,None]; return np.c_[V,V.min(1)]
def ci(E,g,f=lambda e:abs(e).mean(),n=2000):
    u,inv=np.unique(g,return_inverse=True); ix=[np.where(inv==i)[0] for i in range(len(u))]; r=np.random.RandomState(1); b=[f(E[np.concatenate([ix[j] for j in r.randint(0,len(u),len(u))])]) for _ in range(n)]; return np.percentile(b,[2.5,97.5])
def rep(n,A,B,g=None):
    E=B-A; c=ci(E[:,2],g) if g is not None else (np.nan,)*2
    print('%-34s MAE lat %.3f med %.3f min %.3f (%.3f-%.3f) | bias %+.2f %+.2f %+.2f | sd %.2f %.2f %.2f'%(n,*abs(E).mean(0),*c,*E.mean(0),*E.std(0)))
def decompose(name,Y,P,mm,A,g):
    """each part of the error alone: the rest is the expert's"""
    print('--',name); rep('all of it',A,jall(P,mm),g); tib=list(range(9)); fem=list(range(9,16)); inner=[1,2,6,7]
    def mix(idx,axis=None):
        o=Y.copy()
        if axis is None: o[:,idx]=P[:,idx]
        else: o[:,idx,axis]=P[:,idx,axis]
        return o
    rep('tibial points only',A,jall(mix(tib),mm)); rep('femoral points only',A,jall(mix(fem),mm)); rep('along the joint only (x)',A,jall(mix(tib+fem,0),mm)); rep('across it only (y)',A,jall(mix(tib+fem,1),mm)); rep('plateau corners only (frame)',A,jall(mix([0,8]),mm))
    # place of the minimum: the own width at the expert's narrowest place
    D=[]
    for s,r in ((0,LAT),(1,MED)):
        for i in range(len(P)):
            x,t,f=profile(Y[i],r); j=(t-f).argmin(); x2,t2,f2=profile(P[i],r); d2=np.maximum(t2-f2,0); D.append((s,(d2[j]-max((t-f)[j],0))*frame(Y[i])[3]*mm[i],(d2.min()-d2[j])*frame(Y[i])[3]*mm[i],abs(x[j]-x[d2.argmin()])*frame(Y[i])[3]*mm[i]))
    D=np.array(D)
    for s,n in ((0,'lateral'),(1,'medial')): d=D[D[:,0]==s]; print('%-34s at the expert\'s place: MAE %.3f bias %+.2f sd %.2f; moving to the own minimum: %+.3f mean; places %.1f mm apart (median)'%(n,abs(d[:,1]).mean(),d[:,1].mean(),d[:,1].std(),d[:,2].mean(),np.median(d[:,3])))
def slope(A,B,n):
    print('%-34s'%n,'slope of expert on measured, lat med min:',[('%.2f'%np.polyfit(B[:,j],A[:,j],1)[0]) for j in range(3)],'MAE by thirds of the expert\'s min',[('%.2f'%abs(B-A)[q,2].mean()) for q in np.array_split(np.argsort(A[:,2]),3)],'bias',[('%+.2f'%(B-A)[q,2].mean()) for q in np.array_split(np.argsort(A[:,2]),3)])
def crossfit(A,B,g,how):
    """calibration of each compartment fitted on the other patients (10 groups)"""
    u=np.unique(g); r=np.random.RandomState(2).permutation(len(u))%10; q=r[np.searchsorted(u,g)]; O=B.copy()
    for f in range(10):
        t=q!=f
        for j in (0,1):
            if how=='shift': O[~t,j]=B[~t,j]+np.median(A[t,j]-B[t,j])
            else: c=np.polyfit(B[t,j],A[t,j],1); O[~t,j]=np.polyval(c,B[~t,j])
    O[:,2]=O[:,:2].min(1); return O
def nested(A,V,g,shift):
    """strength (and a shift of each compartment) chosen by MAE of the minimum on the other patients (10 groups)"""
    u=np.unique(g); q=(np.random.RandomState(4).permutation(len(u))%10)[np.searchsorted(u,g)]; O=np.zeros_like(A); chosen=[]
    for f in range(10):
        t=q!=f; C={}
        for a,B in V.items():
            for sh in ((0,1) if shift else (0,)):
                c=np.median(A[t,:2]-B[t,:2],0) if sh else np.zeros(2); D=B[:,:2]+c; D=np.c_[D,D.min(1)]; C[a,sh]=(abs(D-A)[t,2].mean(),D)
        k=min(C,key=lambda k:C[k][0]); chosen.append(k); O[~t]=C[k][1][~t]
    print('   chosen',chosen); return O
if __name__=='__main__':
    regf=sys.argv[1]; folds=[int(c) for c in sys.argv[2]]; K,X,Y,SC,W=dataset(regf); f=np.array([fold_of(k) for k in K]); Y=Y.numpy().astype(float); mm=.3/SC; kl={k:a for k,a,_ in load_lm()}
    z=np.load('poses.npz'); P0=torch.tensor(z['P2'],dtype=torch.float32); rng=torch.Generator().manual_seed(5); N={}
    for noise in (1.0,2.0):
        Q=(P0+torch.randn(P0.shape,generator=rng)*noise).clone(); O=Q.clone()
        for q in folds:
            m=Closer(); m.load_state_dict(torch.load(f'ck/c_{q}.pt')); i=np.where(f==q)[0]; O[i]=look(m,X[i],Q[i],TTA)
            if noise==1.0: N.setdefault('one look',Q.clone())[i]=look(m,X[i],Q[i]) 
        N['mean of 3 looks, pose noise %g px'%noise]=O
    te=np.where(np.isin(f,folds))[0]; g=np.array([K[i][:-1] for i in te]); A=jall(Y[te],mm[te]); name='mean of 3 looks, pose noise 1 px'; P=N[name].numpy().astype(float)
    print(len(te),'knees of',len(set(g)),'people, folds',folds)
    rep('shipped network (has seen them)',A,jall(z['P2'][te],mm[te]),g)
    for n,O in N.items(): rep(n,A,jall(O[te].numpy().astype(float),mm[te]),g)
    d=np.hypot(*np.moveaxis((P[te]-Y[te])*mm[te][:,None,None],-1,0)); l12=[i for s in IDX for i in s]; print('landmarks: 12 of the compartments mean %.3f median %.3f mm'%(d[:,l12].mean(),np.median(d[:,l12])),'each',dict(zip(l12,d[:,l12].mean(0).round(2))))
    B=jall(P[te],mm[te]); ft=f[te]
    for q in folds: rep('  fold %d'%q,A[ft==q],B[ft==q],g[ft==q])
    k5=np.array([kl[K[i]] for i in te]); print('by grade: MAE',[abs(B-A)[k5==q,2].mean().round(2) for q in range(5)],'bias',[(B-A)[k5==q,2].mean().round(2) for q in range(5)],'n',np.bincount(k5))
    G=[grads(X[i,0].numpy(),1.0) for i in te]
    V={a:B if a==0 else jall(P[te],mm[te],lambda i,p:jsw_refined(None,p,a=a,G=G[i],R=.01,lam=1.)) for a in (0,.25,.5,.75,1.)}
    for a in V: rep('edge refinement, strength %.2f'%a,A,V[a],g); rep('   and shift, cross-fitted',A,crossfit(A,V[a],g,'shift'),g)
    rep('strength chosen in the folds',A,nested(A,V,g,False),g); rep('strength and shift chosen in them',A,nested(A,V,g,True),g)
    slope(A,B,'closer look'); 
    for how in ('shift','line'): rep('cross-fitted calibration: '+how,A,crossfit(A,B,g,how),g)
    w=np.array([frame(p)[3] for p in P[te]]); wy=np.array([frame(p)[3] for p in Y[te]]); R=B/(w*mm[te])[:,None]-A/(wy*mm[te])[:,None]; print('as share of the plateau width: MAE %.5f sd %.5f ; plateau width error bias %.2f sd %.2f mm'%(abs(R[:,2]).mean(),R[:,2].std(),((w-wy)*mm[te]).mean(),((w-wy)*mm[te]).std()))
    E=(B-A)[:,2]; print('SD %.3f (%.3f-%.3f), within 0.5 mm %.2f, within 1 mm %.2f, |error| 50/90/95 %%'%(E.std(),*ci(E,g,lambda e:e.std()),(abs(E)<.5).mean(),(abs(E)<1).mean()),np.percentile(abs(E),[50,90,95]).round(2),'r %.3f'%np.corrcoef(A[:,2],B[:,2])[0,1])
    decompose('closer look, out of fold',Y[te],P[te],mm[te],A,g)
    np.savez('closer_oof.npz',K=[K[i] for i in te],A=A,B=B,P=P[te],Y=Y[te],mm=mm[te],fold=ft)
    # the landmark network alone, out of fold, and the closer look from ITS poses (strict)
    import os,infer
    t0=np.array([],int); P2=np.zeros((len(K),16,2)); O=P2.copy()
    for q in folds:
        if not os.path.exists(f'ck/a_{q}.pt'): continue
        i=np.where(f==q)[0]; t0=np.r_[t0,i]; P2[i]=infer.two_pass(infer.load(f'ck/a_{q}.pt'),X[i])[1]; m=Closer(); m.load_state_dict(torch.load(f'ck/c_{q}.pt')); O[i]=look(m,X[i],torch.tensor(P2[i],dtype=torch.float32),TTA)
    if len(t0):
        P2,O=P2[t0],O[t0]; g0=np.array([K[i][:-1] for i in t0]); f0=f[t0]; A0=jall(Y[t0],mm[t0]); B0=jall(P2,mm[t0]); G0=[grads(X[i,0].numpy(),1.0) for i in t0]; V0={a:B0 if a==0 else jall(P2,mm[t0],lambda i,p:jsw_refined(None,p,a=a,G=G0[i],R=.01,lam=1.)) for a in (0,.5,1.)}
        print('== the landmark network alone, %d knees'%len(t0)); d=np.hypot(*np.moveaxis((P2-Y[t0])*mm[t0][:,None,None],-1,0)); print('landmarks %.3f mm'%d.mean())
        for a in V0:
            rep('edge refinement, strength %.1f'%a,A0,V0[a],g0)
            for q in sorted(set(f0)): rep('  fold %d'%q,A0[f0==q],V0[a][f0==q],g0[f0==q])
        slope(A0,B0,'one network')
        for how in ('shift','line'): rep('cross-fitted calibration: '+how,A0,crossfit(A0,B0,g0,how),g0)
        decompose('one network',Y[t0],P2,mm[t0],A0,g0)
        C0=jall(O,mm[t0]); rep('closer look from ITS poses',A0,C0,g0)
        for q in sorted(set(f0)): rep('  fold %d'%q,A0[f0==q],C0[f0==q],g0[f0==q])
        for a in V0:
            dd=abs(C0-A0)[:,2]-abs(V0[a]-A0)[:,2]; print('paired, closer look against strength %.1f: %+.3f mm (%+.3f to %+.3f)'%(a,dd.mean(),*ci(dd,g0,np.mean)))
        rep('mean of both (network refined)',A0,(C0+V0[1.])/2,g0)
        E0,E1=(V0[1.]-A0)[:,2],(C0-A0)[:,2]; print('errors of the two: sd %.3f %.3f, shared (root of their covariance) %.3f'%(E0.std(),E1.std(),np.sqrt(max(np.cov(E0,E1)[0,1],0))))
