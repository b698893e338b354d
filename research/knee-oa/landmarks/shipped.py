# the shipped landmarks.onnx as a torch function (reader of verify_onnx.py); registration of the expert ROIs by it
import sys; src=open('verify_onnx.py').read().split("from collections import Counter")[0].replace("open('model.onnx','rb')","open('../../../models/knee-oa/1/landmarks.onnx','rb')")
exec(src)
def net(x0):
    V=dict(T); V[INPUT]=x0
    for op,I,O,A in N:
        x=[V[i] if i else None for i in I]
        if op=='Conv': y=F.conv2d(x[0],x[1],x[2] if len(x)>2 else None,A['strides'],A['pads'][:2])
        elif op=='Relu': y=x[0].relu()
        elif op=='MaxPool': y=F.max_pool2d(x[0],A['kernel_shape'],A['strides'])
        elif op=='Resize': y=F.interpolate(x[0],scale_factor=2,mode='bilinear',align_corners=False)
        elif op=='Concat': y=torch.cat(x,A['axis'])
        elif op=='Constant': y=A['value']
        elif op in('Add','Sub','Mul','Div'): y={'Add':torch.add,'Sub':torch.sub,'Mul':torch.mul,'Div':torch.div}[op](x[0],x[1])
        else: raise SystemExit('operator '+op)
        for o in O: V[o]=y
    return V[N[-1][2][0]]
INPUT=[i for op,I,O,A in N for i in I if i and i not in T and not any(i in n[2] for n in N)][0]
