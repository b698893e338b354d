# the shipped landmarks.onnx as a torch function
from onnx_torch import Graph
net = Graph('../../../models/knee-oa/1/landmarks.onnx')
