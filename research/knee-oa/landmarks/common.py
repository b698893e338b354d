import csv, numpy as np, os
from PIL import Image
D=os.path.join(os.environ.get('REHA_DATA','../shared/data'),'knee_xray','')
def load_labels():
    return {r['knee_id']:r for r in csv.DictReader(open(D+'labels.csv'))}
def load_lm():
    out=[]
    for r in csv.DictReader(open(D+'landmarks.csv')):
        t=np.array([float(v) for v in r['tibia_xy9_roi466'].split(',')]).reshape(9,2)
        f=np.array([float(v) for v in r['femur_xy7_roi466'].split(',')]).reshape(7,2)
        out.append((r['knee_id'],int(r['kl']),np.vstack([t,f])))
    return out
LB=load_labels()
def load_img(k):
    im=np.asarray(Image.open(D+LB[k]['path']).convert('L')).astype(np.float32)
    if LB[k]['inversion_suspected']=='1': im=255-im
    lo,hi=np.percentile(im,[1,99]); 
    return np.clip((im-lo)/max(hi-lo,1),0,1)
