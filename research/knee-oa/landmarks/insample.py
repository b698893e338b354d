# insample.py : the shipped network on the knees that it has learnt from: what calibration, edges and regression on its points could still gain at most
from common import *; from refine import *
z=np.load('poses.npz'); K=list(z['K']); lm={k:p for k,_,p in load_lm()}; reg={r['knee_id']:r for r in csv.DictReader(open('reg3.csv'))}
mm=np.array([.3/float(reg[k]['scale']) for k in K])
def J(P,mm): 
    w=np.array([frame(p)[3] for p in P])*mm; V=np.array([jsw_plain(p) for p in P])*w[:,None]; return np.c_[V[:,0],V[:,1],V[:,:2].min(1)]
A=J(np.array([lm[k] for k in K]),np.full(len(K),.3))
def rep(n,B): E=B-A; print('%-30s MAE'%n,abs(E).mean(0).round(3),'bias',E.mean(0).round(3),'sd',E.std(0).round(3))
for n in('P1','P2'): rep(n,J(z[n],mm))
def Jr(P,**kw):
    o=[]
    for i,k in enumerate(K):
        im=load_img(k); im=im[:,::-1] if k[-1]=='L' else im; o.append(jsw_refined(None,P[i],G=grads(im,1.0),**kw)*frame(P[i])[3]*mm[i])
    o=np.array(o); return np.c_[o[:,0],o[:,1],o[:,:2].min(1)]
rep('P2 refined shipped',Jr(z['P2'],a=1.,R=.01,lam=1.)); rep('P2 refined half',Jr(z['P2'],a=.5,R=.01,lam=1.))
# expert landmarks themselves, moved to image edges
Y=np.array([(lm[k]-233)*float(reg[k]['scale'])+[float(reg[k]['tx']),float(reg[k]['ty'])] for k in K])
rep('expert refined R.01',Jr(Y,a=1.,R=.01,lam=1.)); rep('expert refined R.02',Jr(Y,a=1.,R=.02,lam=.6))
from sklearn.linear_model import HuberRegressor,LinearRegression,RidgeCV
from sklearn.model_selection import cross_val_predict,GroupKFold
g=[k[:-1] for k in K]
def cv(X,y,m): return cross_val_predict(m,X,y,groups=g,cv=GroupKFold(5))
F={'P2':J(z['P2'],mm),'P1':J(z['P1'],mm),'ref':Jr(z['P2'],a=1.,R=.01,lam=1.),'ref02':Jr(z['P2'],a=1.,R=.02,lam=2.),'ref03':Jr(z['P2'],a=1.,R=.03,lam=3.)}
for names in (['P2'],['ref'],['P2','ref'],['P1','P2','ref'],['P2','ref','ref02'],['P1','P2','ref','ref02','ref03']):
    B=np.c_[[cv(np.c_[[F[n][:,j] for n in names]].T,A[:,j],HuberRegressor(max_iter=1000)) for j in (0,1)]].T; B=np.c_[B,B.min(1)]; rep('+'.join(names),B)
    print(HuberRegressor(max_iter=1000).fit(np.c_[[F[n][:,1] for n in names]].T,A[:,1]).coef_.round(2))
def sh(P):
    o=[]
    for p in P:
        o_,u,n,w=frame(p); o.append(np.r_[(np.stack([(p-o_)@u,(p-o_)@n],1)/w).ravel()*79])
    return np.array(o)
S=np.c_[sh(z['P2']),F['P2'],F['ref'],F['ref02'],F['P1']]
from sklearn.pipeline import make_pipeline; from sklearn.preprocessing import StandardScaler
B=np.c_[[cv(S,A[:,j],make_pipeline(StandardScaler(),RidgeCV(np.logspace(-1,4,12)))) for j in (0,1,2)]].T; rep('ridge all shape',B)
