# finalize.py REG TAG FOLDS : out-of-fold tables, model_io.json, JSW test vectors
import json; from evaluate import *
torch.set_num_threads(1); folds=[int(c) for c in sys.argv[3]]
K,X,Y,mm,W,kl,P1,P2=get(sys.argv[1],sys.argv[2],folds)
np.savez('oof.npz',K=K,X=X.numpy(),Y=Y,mm=mm,W=W,kl=kl,P1=P1,P2=P2)
reg1={r['knee_id']:r for r in csv.DictReader(open('reg1.csv'))}; lm={k:p for k,_,p in load_lm()}
G=[grads(x[0].numpy(),1.0) for x in X]; A=jsw_all(Y,mm); B0=jsw_all(P1,mm); B=jsw_all(P2,mm); RF=dict(a=1.,R=.01,lam=1.); Br=jsw_all(P2,mm,lambda i,p:jsw_refined(None,p,G=G[i],**RF))
pw=np.array([frame(p)[3] for p in Y])*mm; e=(P2-Y)*mm[:,None,None]; d=np.hypot(e[...,0],e[...,1]); e1=(P1-Y)*mm[:,None,None]; d1=np.hypot(e1[...,0],e1[...,1])
R={'knees':len(K),'folds_done':folds,'mean_error_mm':{'pass1':d1.mean(),'pass2':d.mean()},'median_error_mm':{'pass1':np.median(d1),'pass2':np.median(d)},'p95_error_mm':{'pass1':np.percentile(d1,95),'pass2':np.percentile(d,95)},'within_2mm':(d<2).mean(),'by_KL_pass2':[d[kl==k].mean() for k in range(5)]}
# against the network-free registration
Y1=np.array([(lm[k]-233)*float(reg1[k]['scale'])+[float(reg1[k]['tx']),float(reg1[k]['ty'])] for k in K]); m1=np.array([.3/float(reg1[k]['scale']) for k in K]); R['mean_error_mm_vs_gradient_only_registration']=np.hypot(*np.moveaxis((P2-Y1)*m1[:,None,None],-1,0)).mean()
names=['lateral plateau corner','middle of lateral plateau','inner end of lateral plateau','lateral tibial spine','between the spines','medial tibial spine','inner end of medial plateau','middle of medial plateau','medial plateau corner','lateral condyle outer','lateral condyle lowest','lateral condyle inner','top of intercondylar notch','medial condyle inner','medial condyle lowest','medial condyle outer']
L=[dict(index=i,bone='tibia' if i<9 else 'femur',name=names[i],mean_error_mm=round(float(d[:,i].mean()),2),mean_error_plateau_fraction=round(float((d[:,i]/pw).mean()),4),bias_xy_mm=[round(float(v),2) for v in e[:,i].mean(0)],sd_xy_mm=[round(float(v),2) for v in e[:,i].std(0)]) for i in range(16)]
def st(A,B):
    o={}
    for j,n in enumerate(('lateral_min','medial_min','overall_min','lateral_mean','medial_mean')):
        E=B[:,j]-A[:,j]; o[n]=dict(MAE=round(float(abs(E).mean()),3),median_AE=round(float(np.median(abs(E))),3),bias=round(float(E.mean()),3),sd=round(float(E.std()),3),limits95=[round(float(E.mean()-1.96*E.std()),2),round(float(E.mean()+1.96*E.std()),2)],r=round(float(np.corrcoef(A[:,j],B[:,j])[0,1]),3))
    return o
from scipy.stats import spearmanr
from scipy.spatial.distance import cdist
J={'plain_pass1':st(A,B0),'plain_pass2':st(A,B),'edge_refined_pass2':st(A,Br),'overall_min_by_KL_expert':[round(float(A[kl==k,2].mean()),2) for k in range(5)],'overall_min_by_KL_predicted':[round(float(B[kl==k,2].mean()),2) for k in range(5)],'MAE_overall_by_KL':[round(float(abs(B-A)[kl==k,2].mean()),3) for k in range(5)],'spearman_with_KL':{'expert':round(spearmanr(A[:,2],kl)[0],3),'predicted':round(spearmanr(B[:,2],kl)[0],3),'predicted_refined':round(spearmanr(Br[:,2],kl)[0],3)}}
vv=lambda P:np.array([cdist(p[:9],p[9:]).min() for p in P])*mm
va,vb=vv(Y),vv(P2); J['vertex_min_anchor']={'definition':'smallest of the 9x7 landmark-to-landmark distances (the anchor 4.62 4.69 4.57 3.41 2.38 of the data README)','expert_by_KL':[round(float(va[kl==k].mean()),2) for k in range(5)],'predicted_by_KL':[round(float(vb[kl==k].mean()),2) for k in range(5)],'MAE':round(float(abs(va-vb).mean()),3),'bias':round(float((vb-va).mean()),3),'sd':round(float((vb-va).std()),3)}
ra,rb=A[:,:3]/pw[:,None],jsw_all(P2,np.ones(len(K)))[:,:3]/np.array([frame(p)[3] for p in P2])[:,None]
J['as_fraction_of_plateau_width']={'MAE':[round(float(v),4) for v in abs(ra-rb).mean(0)],'sd':[round(float(v),4) for v in (rb-ra).std(0)]}
wp=np.array([frame(p)[3] for p in P2])*mm; allw=np.array([frame(p)[3] for p in lm.values()])*.3
J['plateau_width_mm']={'experts_all_529':[round(float(allw.mean()),1),round(float(allw.std()),1)],'prediction_error_bias_sd':[round(float((wp-pw).mean()),2),round(float((wp-pw).std()),2)]}
rng=np.random.RandomState(5); tv=[]
for i in range(10):   # invented knees: mean shape of the experts + noise, turned and shifted (no data-set member)
    p=np.mean(list(lm.values()),0)+rng.randn(16,2)*[4,3]; 
    if i>=5: p[14 if i%2 else 10]+=[0,[6,10,16,20,24][i-5]]
    t=rng.uniform(-.2,.2); c,s=math.cos(t),math.sin(t); p=((p-233)@np.array([[c,s],[-s,c]])*.65+[112,118]).round(2); v=jsw_plain(p); w=frame(p)[3]
    tv.append(dict(landmarks=p.tolist(),plateau_width_px=round(float(w),4),lateral_min=round(float(v[0]*w),4),medial_min=round(float(v[1]*w),4),overall_min=round(float(min(v[0],v[1])*w),4),lateral_mean=round(float(v[2]*w),4),medial_mean=round(float(v[3]*w),4)))
fl=lambda o:{k:fl(v) for k,v in o.items()} if isinstance(o,dict) else [fl(v) for v in o] if isinstance(o,list) else round(float(o),4) if isinstance(o,(float,np.floating)) else o
io=dict(file='model.onnx',input=dict(name='image',shape=[1,1,224,224],range='0..1'),output=dict(name='heatmap_logits',shape=[1,16,56,56]),macs=363073536,parameters=659808,
 preprocessing=['un-invert if the picture is photometrically inverted (bone must be bright)','224x224 grey crop of one knee, joint near the centre; trained on tibial plateau widths of about 85..215 px, centre shifts +-24 px, rotation +-15 deg','lo,hi = 1st and 99th percentile of the crop; x = clip((v-lo)/(hi-lo),0,1)','LEFT knees mirrored horizontally, so every knee looks like a right knee: image left = lateral, image right = medial'],
 decoding='softmax over the 56*56 cells of each of the 16 maps; x = sum p[r][c]*(4*c+1.5), y = sum p[r][c]*(4*r+1.5): input pixels, pixel centres at integers',
 second_pass='from pass 1: u=L8-L0, w=|u|, a=atan2(u.y,u.x), m=mean of the 16 landmarks, s=w/176; output pixel (X,Y) samples the input at m + s*R(a)*(X-111.5,Y-111.5), R(a)=[[cos a,-sin a],[sin a,cos a]], bilinear, border replicated, same lo/hi; run the network, map landmarks back with the same formula',
 landmarks=L,cross_validation=fl(R),jsw=dict(definition='see NOTES.md, section JSW',errors_mm=J,refinement_parameters=RF),jsw_test_vectors_px=tv)
json.dump(io,open('model_io.json','w'),indent=1)
with open('oof_predictions.csv','w') as f:
    f.write('knee_id,fold,kl,mm_per_px,plateau_mm_expert,plateau_mm_pred,'+','.join(f'jsw_{n}_{w}' for w in('expert','pred','refined') for n in('lat','med','min'))+','+','.join(f'x{i},y{i}' for i in range(16))+'\n')
    for i,k in enumerate(K): f.write(f'{k},{fold_of(k)},{kl[i]},{mm[i]:.5f},{pw[i]:.2f},{wp[i]:.2f},'+','.join('%.3f'%v for M in(A,B,Br) for v in M[i,:3])+','+','.join('%.2f'%v for v in P2[i].ravel())+'\n')
print(json.dumps(fl(R),indent=0)); print(json.dumps(J)); print(' '.join(f"{l['index']}:{l['mean_error_mm']}" for l in L))
