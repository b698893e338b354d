"""A small ONNX file as a PyTorch function: what the landmark network needs, without an ONNX package.

    graph = Graph("landmarks.onnx")
    logits = graph(image)            # [1, 1, H, W] -> the output
"""
import struct

import numpy as np
import torch
import torch.nn.functional as F


def fields(data):
    """(number, value) of each field of a protobuf message; nested messages and texts are bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            value = varint()
        else:
            size = varint() if kind == 2 else 4 if kind == 5 else 8
            value = data[at:at + size]
            at += size
        yield tag >> 3, value


def numbers(value):
    """A repeated integer: one of many fields, or all packed in one."""
    if isinstance(value, int):
        return [value]
    out = []
    number = shift = 0
    for byte in value:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(number)
            number = shift = 0
    return out


def tensor(data):
    shape, kind, raw, name, floats = [], 1, b"", "", []
    for field, value in fields(data):
        if field == 1:
            shape += numbers(value)
        elif field == 2:
            kind = value
        elif field == 4:
            floats = np.frombuffer(value, np.float32)
        elif field == 8:
            name = value.decode()
        elif field == 9:
            raw = value
    flat = np.frombuffer(raw, {1: np.float32, 7: np.int64}[kind]) if raw else np.array(floats, np.float32)
    return name, torch.from_numpy(flat.reshape(shape).copy())


def attribute(data):
    name, value, integers = "", None, []
    for field, content in fields(data):
        if field == 1:
            name = content.decode()
        elif field == 2:
            value = struct.unpack("f", content)[0]
        elif field == 3:
            value = content
        elif field == 4:
            value = content.decode()
        elif field == 5:
            value = tensor(content)[1]
        elif field == 8:
            integers += numbers(content)
    return name, integers or value


class Node:
    def __init__(self, data):
        self.inputs, self.outputs, self.attributes, self.op = [], [], {}, ""
        for field, value in fields(data):
            if field == 1:
                self.inputs.append(value.decode())
            elif field == 2:
                self.outputs.append(value.decode())
            elif field == 4:
                self.op = value.decode()
            elif field == 5:
                name, content = attribute(value)
                self.attributes[name] = content

    def __call__(self, x):
        a = self.attributes
        if self.op == "Conv":
            return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a["strides"], a["pads"][:2])
        if self.op == "Relu":
            return x[0].relu()
        if self.op == "MaxPool":
            return F.max_pool2d(x[0], a["kernel_shape"], a["strides"])
        if self.op == "Resize":
            return F.interpolate(x[0], scale_factor=2, mode="bilinear", align_corners=False)
        if self.op == "Concat":
            return torch.cat(x, a["axis"])
        if self.op == "Constant":
            return a["value"]
        arithmetic = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}
        if self.op in arithmetic:
            return arithmetic[self.op](x[0], x[1])
        raise SystemExit("operator " + self.op)


class Graph:
    def __init__(self, path):
        with open(path, "rb") as file:
            graph = next(value for field, value in fields(file.read()) if field == 7)
        self.constants, self.nodes = {}, []
        for field, value in fields(graph):
            if field == 5:
                name, content = tensor(value)
                self.constants[name] = content
            elif field == 1:
                self.nodes.append(Node(value))
        made = {name for node in self.nodes for name in node.outputs}
        self.input = next(name for node in self.nodes for name in node.inputs
                          if name and name not in self.constants and name not in made)
        self.output = self.nodes[-1].outputs[0]

    def __call__(self, image):
        values = dict(self.constants)
        values[self.input] = image
        for node in self.nodes:
            values[node.outputs[0]] = node([values[name] if name else None for name in node.inputs])
        return values[self.output]
