# expert.py : what rounding, noise of the points, pixels and scale do to the experts' own joint space widths
from common import *; from refine import *
L=load_lm(); K=[k for k,_,_ in L]; P=np.array([p for _,_,p in L]); kl=np.array([q for _,q,_ in L])
print(len(K),len(set(K)),'patients',len({k[:-1] for k in K}),'kl',np.bincount(kl))
reg={r['knee_id']:r for r in csv.DictReader(open('reg3.csv'))}; mm=np.array([.3/float(reg[k]['scale']) for k in K]); print('mm per crop px pct',np.percentile(mm,[5,50,95]))
def J(P,mm=.3):
    w=np.array([frame(p)[3] for p in P])*mm; V=np.array([jsw_plain(p) for p in P])*w[:,None]; return np.c_[V[:,0],V[:,1],V[:,:2].min(1)]
A=J(P); print('expert lat med min mean',A.mean(0),'sd',A.std(0),'by kl min',[A[kl==q,2].mean().round(2) for q in range(5)]); print('min in medial',(A[:,1]<=A[:,0]).mean())
rng=np.random.RandomState(0)
def rep(n,B): E=B-A; print('%-30s MAE'%n,abs(E).mean(0).round(3),'bias',E.mean(0).round(3),'sd',E.std(0).round(3))
rep('ROI rounding +-.15 mm (uniform)',J(P+rng.uniform(-.5,.5,P.shape)))
for s in (.15,.25,.35,.5): rep(f'gauss {s} mm per coordinate',J(P+rng.randn(*P.shape)*s/.3))
s=np.median(mm); rep('half a crop px all y independent',J(P+rng.choice([-.5,.5],P.shape)*(mm/.3)[:,None,None]*[0,1]))
rep('scale error 1 %',A*(1+.01*rng.randn(len(K)))[:,None])
# where is the minimum
def prof(p,r): x,t,f=profile(p,r); return t-f
for r,n in ((LAT,'lat'),(MED,'med')):
    D=np.array([prof(p,r) for p in P]); a=D.argmin(1); print(n,'argmin at ends/inner', np.bincount(a,minlength=21))
# sd per coordinate of network from training registration residual
