# stage 2: refit (scale,tx,ty) from out-of-fold network landmarks + gradient evidence.  reg2.py OLDREG TAG NEWREG
import sys; from train import *; import reg1
from scipy.optimize import minimize
def oof(reg,tag):
    K,X,Y,SC,W=dataset(reg); f=np.array([fold_of(k) for k in K]); P=np.zeros((len(K),16,2),np.float32)
    # two CV models; knees of a model's own fold get only that model (out of fold), the rest the mean of both
    n=np.zeros(len(K))
    for q in (0,1):
        m=LmNet(); m.load_state_dict(torch.load(f'ck/{tag}_{q}.pt')); i=np.where(f!=1-q)[0]; P[i]+=predict(m,X[i]).numpy(); n[i]+=1
    P/=n[:,None,None]
    return K,X,Y.numpy(),SC,W,P
def robust_sim(p,z,sd,it=10):
    """weighted robust scale+shift p->z; sd (16,2) px; returns s,tx,ty,rms_norm"""
    w=1/sd**2
    for _ in range(it):
        # minimise sum w (s*p+t-z)^2
        A=np.zeros((3,3));b=np.zeros(3)
        for a in (0,1):
            M=np.zeros((16,3)); M[:,0]=p[:,a]; M[:,1+a]=1; A+=M.T@(w[:,a,None]*M); b+=M.T@(w[:,a]*z[:,a])
        s,tx,ty=np.linalg.solve(A,b); r=np.abs((s*p+[tx,ty]-z)/sd); w=1/sd**2*np.where(r<1.5,1,1.5/np.maximum(r,1e-6))
    return s,tx,ty,np.sqrt((np.minimum(r,4)**2).mean())
if __name__=='__main__':
    torch.set_num_threads(1); old,tag,new=sys.argv[1:4]
    K,X,Y,SC,W,P=oof(old,tag); lm={k:p for k,_,p in load_lm()}
    e=(P-Y)/SC[:,None,None]*.3; d=np.hypot(e[...,0],e[...,1]); print('mean err mm %.3f median %.3f'%(d.mean(),np.median(d)))
    good=np.median(d,1)<np.percentile(np.median(d,1),80)
    sd=np.sqrt((np.clip(e[good]-np.median(e[good],0),-4,4)**2).mean(0)); bias=np.median(e[good],0)
    print('sd mm x',sd[:,0].round(2),'y',sd[:,1].round(2)); print('bias x',bias[:,0].round(2),'y',bias[:,1].round(2))
    R=[]; rot=[]; asp=[]
    for i,k in enumerate(K):
        p=lm[k]-233.; s0=SC[i]; z=P[i]-bias*s0/.3
        s,tx,ty,q=robust_sim(p,z,sd*s0/.3)
        # check of rotation and aspect: full affine by LSQ
        M=np.c_[p,np.ones(16)]; w=1/(sd*s0/.3); ax=np.linalg.lstsq(M*w[:,:1],z[:,0]*w[:,0],rcond=None)[0]; ay=np.linalg.lstsq(M*w[:,1:],z[:,1]*w[:,1],rcond=None)[0]
        rot.append(np.degrees(ay[0]/s)); asp.append(ay[1]/ax[0])
        im=X[i,0].numpy(); G=reg1.prep(im,1.2); Pc,N,Wc=reg1.curves(lm[k]); sdp=sd*s0/.3
        def f(v):
            r=np.abs((v[0]/100*p+v[1:]-z)/sdp); h=np.where(r<1.5,.5*r*r,1.5*r-1.125).sum()/32
            return h-5.0*reg1.score(G,Pc,N,Wc,v[0]/100,v[1],v[2])
        best=None
        for st in ((s,tx,ty),(SC[i],*(Y[i]-SC[i]*p).mean(0))):
            o=minimize(f,[st[0]*100,st[1],st[2]],method='Nelder-Mead',options=dict(xatol=.02,fatol=1e-5,initial_simplex=[[st[0]*100,st[1],st[2]],[st[0]*100+1,st[1],st[2]],[st[0]*100,st[1]+1,st[2]],[st[0]*100,st[1],st[2]+1]]))
            if best is None or o.fun<best.fun: best=o
        v=best.x; s2=v[0]/100; zz=s2*p+v[1:]; res=np.hypot(*((zz-P[i])/s2*.3).T); g=reg1.score(G,Pc,N,Wc,s2,v[1],v[2])
        # quality: gradient evidence and agreement with the network
        ql=g*np.exp(-max(0,np.median(res)-.8)/1.0)
        R.append((s2,v[1],v[2],ql,g,np.median(res),np.abs(s2/s-1),s,tx,ty))
    R=np.array(R); sc_change=R[:,0]/SC-1
    print('affine check: rot deg median %.2f sd %.2f ; aspect median %.3f MAD %.3f'%(np.median(rot),np.std(rot),np.median(asp),np.median(abs(np.array(asp)-np.median(asp)))))
    print('scale change: median %.4f MAD %.4f >5%%: %d'%(np.median(sc_change),np.median(abs(sc_change)),(abs(sc_change)>.05).sum())); sh=np.hypot(*(R[:,1:3]-np.array([(Y[i]-SC[i]*(lm[k]-233)).mean(0) for i,k in enumerate(K)])).T)
    print('shift change px: median %.2f 95%% %.2f max %.2f'%(np.median(sh),np.percentile(sh,95),sh.max()))
    print('net-only vs joint scale: sd %.4f  shift sd %.2f %.2f px'%(np.std(R[:,0]/R[:,7]),np.std(R[:,1]-R[:,8]),np.std(R[:,2]-R[:,9])))
    res=R[:,5]; print('median residual mm pct',np.percentile(res,[5,25,50,75,90,95,99]).round(2))
    with open(new,'w') as f:
        f.write('knee_id,scale,tx,ty,quality,gradient,net_residual_mm\n')
        for k,r in zip(K,R): f.write('%s,%.5f,%.3f,%.3f,%.4f,%.4f,%.3f\n'%(k,*r[:6]))
