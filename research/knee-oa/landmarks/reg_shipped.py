# reg_shipped.py : reg3.csv, the registration from the shipped network and gradient evidence, as reg2.py does from out-of-fold networks; poses.npz, its landmarks
import torch; torch.set_num_threads(1)
import shipped, train, reg1, reg2
from common import *; from scipy.optimize import minimize
import infer
class M:
    def eval(s): return s
    def __call__(s,x): return shipped.net(x/4+.5)   # predict() applies norm
m=M(); L=load_lm(); K=[k for k,_,_ in L]; X=[]
for k in K:
    im=load_img(k); X.append(im[:,::-1] if k[-1]=='L' else im)
X=torch.from_numpy(np.stack(X)[:,None].copy())
with torch.no_grad(): P1,P2=infer.two_pass(m,X)
np.savez('poses.npz',K=K,P1=P1,P2=P2)
P=P2; lm={k:p for k,_,p in L}; sd=np.full((16,2),1.0); bias=np.zeros((16,2))
for it in range(2):
    fit=[reg2.robust_sim(lm[k]-233.,P[i]-bias*(fit[i][0]/.3 if it else 2.),sd*2.) for i,k in enumerate(K)]
    e=np.array([(P[i]-(f[0]*(lm[k]-233)+f[1:3]))/f[0]*.3 for i,(k,f) in enumerate(zip(K,fit))]); bias=np.median(e,0); sd=np.sqrt((np.clip(e-bias,-4,4)**2).mean(0))
print('sd',sd.round(2).tolist()); print('bias',bias.round(2).tolist()); print('residual mm',np.hypot(*np.moveaxis(e,-1,0)).mean())
with open('reg3.csv','w') as f:
    f.write('knee_id,scale,tx,ty,quality,gradient,net_residual_mm\n')
    for i,k in enumerate(K):
        p=lm[k]-233.; s0=fit[i][0]; z=P[i]-bias*s0/.3; s,tx,ty,q=reg2.robust_sim(p,z,sd*s0/.3)
        G=reg1.prep(X[i,0].numpy(),1.2); Pc,N,Wc=reg1.curves(lm[k]); sdp=sd*s0/.3
        def g(v):
            r=np.abs((v[0]/100*p+v[1:]-z)/sdp); h=np.where(r<1.5,.5*r*r,1.5*r-1.125).sum()/32
            return h-5.0*reg1.score(G,Pc,N,Wc,v[0]/100,v[1],v[2])
        o=minimize(g,[s*100,tx,ty],method='Nelder-Mead',options=dict(xatol=.02,fatol=1e-5,initial_simplex=[[s*100,tx,ty],[s*100+1,tx,ty],[s*100,tx+1,ty],[s*100,tx,ty+1]])); v=o.x; s2=v[0]/100
        res=np.median(np.hypot(*((s2*p+v[1:]-P[i])/s2*.3).T)); gg=reg1.score(G,Pc,N,Wc,s2,v[1],v[2]); ql=gg*np.exp(-max(0,res-.8))
        f.write('%s,%.5f,%.3f,%.3f,%.4f,%.4f,%.3f\n'%(k,s2,v[1],v[2],ql,gg,res))
