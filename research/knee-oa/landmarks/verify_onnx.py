# minimal ONNX reader + torch interpreter: lists the operators and checks model.onnx against the stored reference vector
import struct,sys,numpy as np,torch,torch.nn.functional as F
def fields(b):
    i=0
    def vi():
        nonlocal i; r=s=0
        while 1:
            c=b[i]; i+=1; r|=(c&127)<<s; s+=7
            if c<128: return r
    while i<len(b):
        t=vi(); w=t&7
        if w==0: v=vi()
        elif w==2: n=vi(); v=b[i:i+n]; i+=n
        elif w==5: v=b[i:i+4]; i+=4
        else: v=b[i:i+8]; i+=8
        yield t>>3,v
def packed(v):
    if isinstance(v,int): return [v]
    o=[];r=s=0
    for c in v:
        r|=(c&127)<<s; s+=7
        if c<128: o.append(r); r=s=0
    return o
def tensor(b):
    d=[];dt=1;raw=b'';name='';fl=[]
    for f,v in fields(b):
        if f==1: d+=packed(v)
        elif f==2: dt=v
        elif f==8: name=v.decode()
        elif f==9: raw=v
        elif f==4: fl=np.frombuffer(v,np.float32)
    a=np.frombuffer(raw,{1:np.float32,7:np.int64}[dt]) if raw else np.array(fl,np.float32)
    return name,torch.from_numpy(a.reshape(d).copy())
def attr(b):
    n='';r=None;ints=[]
    for f,v in fields(b):
        if f==1: n=v.decode()
        elif f==2: r=struct.unpack('f',v)[0]
        elif f==3: r=v
        elif f==4: r=v.decode()
        elif f==5: r=tensor(v)[1]
        elif f==8: ints+=packed(v)
    return n,(ints or r)
g=[v for f,v in fields(open('model.onnx','rb').read()) if f==7][0]; T={};N=[]
for f,v in fields(g):
    if f==5: n,t=tensor(v); T[n]=t
    elif f==1:
        I=[];O=[];A={};op=''
        for a,b in fields(v):
            if a==1: I.append(b.decode())
            elif a==2: O.append(b.decode())
            elif a==4: op=b.decode()
            elif a==5: k,w=attr(b); A[k]=w
        N.append((op,I,O,A))
from collections import Counter; print(Counter(n[0] for n in N))
print('Resize:',[ (n[3],[T[i].tolist() if i in T else i for i in n[1]]) for n in N if n[0]=='Resize'][:1])
T['image']=torch.from_numpy(np.load('ref_input.npy'))[None,None]
for op,I,O,A in N:
    x=[T[i] if i else None for i in I]
    if op=='Conv': y=F.conv2d(x[0],x[1],x[2] if len(x)>2 else None,A['strides'],A['pads'][:2])
    elif op=='Relu': y=x[0].relu()
    elif op=='MaxPool': y=F.max_pool2d(x[0],A['kernel_shape'],A['strides'])
    elif op=='Resize': y=F.interpolate(x[0],scale_factor=2,mode='bilinear',align_corners=False)
    elif op=='Concat': y=torch.cat(x,A['axis'])
    elif op=='Constant': y=A['value']
    elif op in('Add','Sub','Mul'): y={'Add':torch.add,'Sub':torch.sub,'Mul':torch.mul}[op](x[0],x[1])
    else: raise SystemExit('operator '+op)
    T[O[0]]=y
print('max abs difference',(T['heatmap_logits'][0]-torch.from_numpy(np.load('ref_logits.npy'))).abs().max().item())
