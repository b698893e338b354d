# lists the operators of model.onnx and checks it against the stored reference vector of export.py
from collections import Counter
import numpy as np, torch
from onnx_torch import Graph
graph=Graph('model.onnx')
print(Counter(node.op for node in graph.nodes))
logits=graph(torch.from_numpy(np.load('ref_input.npy'))[None,None])
print('max abs difference',(logits[0]-torch.from_numpy(np.load('ref_logits.npy'))).abs().max().item())
