# out-of-fold evaluation: evaluate.py REG TAG FOLDS
import sys; from infer import *
def jsw_all(P,mm,fn=None):
    w=np.array([frame(p)[3] for p in P])*mm; V=np.array([jsw_plain(p) if fn is None else fn(i,p) for i,p in enumerate(P)])*w[:,None]
    return np.c_[V[:,0],V[:,1],V[:,:2].min(1),V[:,2],V[:,3]]
def rep(n,A,B):
    E=B-A; print('%-22s MAE lat %.3f med %.3f min %.3f meanlat %.3f meanmed %.3f'%(n,*abs(E).mean(0)),'| bias',E.mean(0).round(2),'sd',E.std(0).round(2),'r',[round(np.corrcoef(A[:,j],B[:,j])[0,1],3) for j in range(3)])
def get(reg,tag,folds):
    K,X,Y,SC,W=dataset(reg); f=np.array([fold_of(k) for k in K]); n=np.isin(f,folds); P1=np.zeros((len(K),16,2)); P2=P1.copy()
    for q in folds:
        i=np.where(f==q)[0]; P1[i],P2[i]=two_pass(load(f'ck/{tag}_{q}.pt'),X[i])
    i=np.where(n)[0]; kl={k:a for k,a,_ in load_lm()}
    return [K[j] for j in i],X[i],Y.numpy()[i].astype(float),.3/SC[i],W[i],np.array([kl[K[j]] for j in i]),P1[i],P2[i]
if __name__=='__main__':
    torch.set_num_threads(1); K,X,Y,mm,W,kl,P1,P2=get(sys.argv[1],sys.argv[2],[int(c) for c in sys.argv[3]])
    A=jsw_all(Y,mm)
    for n,P in (('pass1',P1),('pass2',P2),('avg',(P1+P2)/2)):
        e=(P-Y)*mm[:,None,None]; d=np.hypot(e[...,0],e[...,1]); print(n,len(K),'mean %.3f median %.3f mm'%(d.mean(),np.median(d)),'by KL',[round(d[kl==k].mean(),2) for k in range(5)]); print('  per lm',d.mean(0).round(2)); rep(n,A,jsw_all(P,mm))
        if n!='avg':
            G=[grads(x[0].numpy(),1.0) for x in X]
            for R,lam,a in ((.015,2.,1.),(.015,2.,.5),(.01,1.,1.),(.01,1.,.5)): rep(f'{n} ref {R} {lam} {a}',A,jsw_all(P,mm,lambda i,p:jsw_refined(None,p,a=a,G=G[i],R=R,lam=lam)))
