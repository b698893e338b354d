# stage 1: registration by directional gradient evidence (grid + Nelder-Mead); right-like frame (left knees mirrored)
from common import *
import sys
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import minimize
L=load_lm()
def dens(p,step=3.0):
    P=[];N=[];W=[]
    for a,b in zip(p[:-1],p[1:]):
        d=b-a; l=np.hypot(*d); n=max(2,int(l/step)); t=(np.arange(n)+.5)/n
        P.append(a+t[:,None]*d); N.append(np.tile([-d[1]/l,d[0]/l],(n,1))) # normal pointing down (y+)
        W.append(np.full(n,l/n))
    return np.vstack(P),np.vstack(N),np.concatenate(W)
def prep(im,s):
    im=np.pad(im,0); gx=gaussian_filter(im,s,order=(0,1)); gy=gaussian_filter(im,s,order=(1,0))
    m=np.hypot(gx,gy); c=np.percentile(m,80)+1e-6; g=1/(m+c)
    return gx*g,gy*g
def curves(p):
    T=dens(p[:9]); F=dens(p[9:])
    P=np.vstack([T[0],F[0]]); N=np.vstack([T[1],-F[1]]); W=np.concatenate([T[2]/T[2].sum(),F[2]/F[2].sum()])
    # intercondylar part counts less
    c=np.concatenate([np.where((T[0][:,0]>p[2,0])&(T[0][:,0]<p[6,0]),.5,1.),np.where((F[0][:,0]>p[11,0])&(F[0][:,0]<p[13,0]),.5,1.)])
    W=W*c; return P-233.,N,W/W.sum()
def score(G,P,N,W,s,tx,ty):
    x=s*P[:,0]+tx; y=s*P[:,1]+ty
    return (W*(N[:,0]*map_coordinates(G[0],[y,x],order=1,mode='constant')+N[:,1]*map_coordinates(G[1],[y,x],order=1,mode='constant'))).sum()
def prior(s,tx,ty): return -.5*((s-.625)/.06)**2*.02-.5*((tx-112)/15)**2*.01-.5*((ty-112)/25)**2*.01
def fit(k,p,mir):
    im=load_img(k)
    if mir: im=im[:,::-1].copy()
    G=prep(im,2.0); P,N,W=curves(p)
    TX,TY=np.meshgrid(np.arange(84,141,2.),np.arange(66,159,2.)); best=[]
    for s in np.arange(.5,.7601,.02):
        x=s*P[:,0][:,None]+TX.ravel(); y=s*P[:,1][:,None]+TY.ravel()
        xi=np.clip(np.rint(x).astype(int),0,223); yi=np.clip(np.rint(y).astype(int),0,223)
        sc=((W*N[:,0])[:,None]*G[0][yi,xi]+(W*N[:,1])[:,None]*G[1][yi,xi]).sum(0)+prior(s,TX.ravel(),TY.ravel())
        j=np.argsort(-sc)[:3]; best+=[(sc[q],s,TX.ravel()[q],TY.ravel()[q]) for q in j]
    best.sort(reverse=True); G1=prep(im,1.2); out=[]
    for b in best[:5]:
        f=lambda v:-(score(G1,P,N,W,v[0]/100,v[1],v[2])+prior(v[0]/100,v[1],v[2]))
        r=minimize(f,[b[1]*100,b[2],b[3]],method='Nelder-Mead',options=dict(xatol=.02,fatol=1e-5,initial_simplex=[[b[1]*100,b[2],b[3]],[b[1]*100+2,b[2],b[3]],[b[1]*100,b[2]+1.5,b[3]],[b[1]*100,b[2],b[3]+1.5]]))
        out.append((-r.fun,r.x[0]/100,r.x[1],r.x[2]))
    return max(out)
if __name__=='__main__':
    from multiprocessing import Pool
    if sys.argv[1]=='test':
        for k,kl,p in L[:24]: print(k,kl,np.round(fit(k,p,False),3),np.round(fit(k,p,True),3))
    else:
        with Pool(2) as po: R=po.starmap(fit,[(k,p,k[-1]=='L') for k,kl,p in L],chunksize=8)
        with open('reg1.csv','w') as f:
            f.write('knee_id,scale,tx,ty,quality\n')
            for (k,_,_),r in zip(L,R): f.write('%s,%.5f,%.3f,%.3f,%.4f\n'%(k,r[1],r[2],r[3],r[0]))
