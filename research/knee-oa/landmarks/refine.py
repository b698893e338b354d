# Joint-space width from 16 landmarks (plain) and with sub-pixel edge refinement.
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
LAT=(0.06,0.26); MED=(0.74,0.94); NX=21
def frame(p):
    u=p[8]-p[0]; w=np.hypot(*u); u=u/w; return p[0],u,np.array([-u[1],u[0]]),w
def profile(p,rng):
    """x (fraction of plateau width), tibia depth, femur depth (same unit) along the compartment"""
    o,u,n,w=frame(p); q=np.stack([(p-o)@u,(p-o)@n],1)/w
    x=np.linspace(*rng,NX); T=q[:9]; F=q[9:]
    def itp(C):
        C=C[np.argsort(C[:,0],kind='stable')]; return np.interp(x,C[:,0],C[:,1])
    return x,itp(T[:3] if rng[0]<.5 else T[6:]),itp(F[:3] if rng[0]<.5 else F[4:])
def jsw_plain(p):
    """-> lateral min, medial min, lateral mean, medial mean in units of plateau width"""
    o=[]
    for r in (LAT,MED):
        x,t,f=profile(p,r); d=np.maximum(t-f,0); o.append((d.min(),d.mean()))
    return np.array([o[0][0],o[1][0],o[0][1],o[1][1]])
def edge(G,p,x,y,sign,R,lam,mu,ns=25):
    o,u,n,w=frame(p); off=np.linspace(-R,R,ns)
    V=y[:,None]+off; px=o[0]+w*(x[:,None]*u[0]+V*n[0]); py=o[1]+w*(x[:,None]*u[1]+V*n[1])
    g=sign*(n[0]*map_coordinates(G[0],[py,px],order=1,mode='nearest')+n[1]*map_coordinates(G[1],[py,px],order=1,mode='nearest'))
    g=g/(np.percentile(np.maximum(g,0),95)+1e-6)
    C=-np.minimum(g,1.5)+lam*(off/R)**2           # (NX,ns)
    D=C.copy(); B=np.zeros(C.shape,int); k=np.arange(ns); st=mu*((k[:,None]-k[None])*(off[1]-off[0])/.005)**2
    for i in range(1,len(x)):
        t=D[i-1][None]+st; B[i]=t.argmin(1); D[i]+=t.min(1)
    j=np.zeros(len(x),int); j[-1]=D[-1].argmin()
    for i in range(len(x)-1,0,-1): j[i-1]=B[i,j[i]]
    # parabola on the local cost
    r=off[j].copy(); h=off[1]-off[0]
    for i in range(len(x)):
        a=j[i]
        if 0<a<ns-1:
            l,c,q=C[i,a-1],C[i,a],C[i,a+1]; dd=l-2*c+q
            if dd>1e-9: r[i]+=h*np.clip(.5*(l-q)/dd,-.5,.5)
    return r
def grads(im,s=1.0): return gaussian_filter(im,s,order=(0,1)),gaussian_filter(im,s,order=(1,0))
def refined_profiles(im,p,R=.02,lam=.6,mu=.05,s=1.0,G=None):
    G=G or grads(im,s); out=[]
    for r in (LAT,MED):
        x,t,f=profile(p,r)
        out.append((x,t,f,edge(G,p,x,t,1,R,lam,mu),edge(G,p,x,f,-1,R,lam,mu)))
    return out
def jsw_refined(im,p,a=1.0,G=None,**kw):
    o=[]
    for x,t,f,rt,rf in refined_profiles(im,p,G=G,**kw):
        d=np.maximum(t+a*rt-f-a*rf,0); o.append((d.min(),d.mean()))
    return np.array([o[0][0],o[1][0],o[0][1],o[1][1]])
