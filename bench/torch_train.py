#!/usr/bin/env python3
"""The graphs of train_bench.c in PyTorch (Debian: python3-torch), for comparison.

    torch_train.py [--batch N] [--threads N] [--steps N] [--precision f32|bf16] [--only NAME]

Channels-last memory and, for bf16, autocast: the fastest of PyTorch 1.13's layouts on CPU.
One JSON line per graph, as train_bench prints.
"""
import argparse
import json
import time

import torch
from torch import nn
from torch.nn import functional


def conv(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = conv(outputs, outputs, 3)
        self.side = conv(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        return functional.relu(self.second(functional.relu(self.first(x))) + self.side(x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        width = 64
        for stage in range(4):
            for unit in range(2):
                out = 64 << stage
                layers.append(Residual(width, out, 2 if stage > 0 and unit == 0 else 1))
                width = out
        self.body = nn.Sequential(*layers)
        self.fc = nn.Linear(512, 5)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


class Clip6(nn.Module):  # PyTorch 1.13 has no bf16 gradient for its own ReLU6
    def forward(self, x):
        return x.clamp(0, 6)


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, stride, expand):
        super().__init__()
        inner = inputs * expand
        layers = [] if expand == 1 else [conv(inputs, inner, 1), Clip6()]
        layers += [conv(inner, inner, 3, stride, inner), Clip6(), conv(inner, outputs, 1)]
        self.body = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        layers, width = [conv(3, 32, 3, 2), Clip6()], 32
        for expand, out, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                           (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for unit in range(count):
                layers.append(Inverted(width, out, stride if unit == 0 else 1, expand))
                width = out
        self.body = nn.Sequential(*layers, conv(320, 1280, 1), Clip6())
        self.fc = nn.Linear(1280, 5)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


def double_conv(inputs, outputs):
    return nn.Sequential(conv(inputs, outputs, 3), nn.ReLU(), conv(outputs, outputs, 3), nn.ReLU())


class UNet(nn.Module):
    def __init__(self, levels=4, width=32):
        super().__init__()
        sizes = [width << i for i in range(levels + 1)]
        self.down = nn.ModuleList(double_conv(1 if i == 0 else sizes[i - 1], sizes[i]) for i in range(levels))
        self.middle = double_conv(sizes[levels - 1], sizes[levels])
        self.up = nn.ModuleList(nn.ConvTranspose2d(sizes[i + 1], sizes[i], 2, 2) for i in reversed(range(levels)))
        self.join = nn.ModuleList(double_conv(2 * sizes[i], sizes[i]) for i in reversed(range(levels)))
        self.mask = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.middle(x)
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([skips.pop(), up(x)], 1))
        return self.mask(x)


MODELS = {"resnet18": (ResNet18, 3, 224), "mobilenetv2": (MobileNetV2, 3, 224), "unet": (UNet, 1, 256)}


def run(name, options):
    build, channels, side = MODELS[name]
    torch.manual_seed(1)
    half = options.precision == "bf16"
    net = build().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    x = torch.rand(options.batch, channels, side, side) * 2 - 1
    x = x.contiguous(memory_format=torch.channels_last)
    if name == "unet":
        target = (torch.arange(options.batch * side * side) // 7 % 2).float().view(options.batch, 1, side, side)
    else:
        target = torch.arange(options.batch) % 5
    loss_of = nn.BCEWithLogitsLoss() if name == "unet" else nn.CrossEntropyLoss()
    times, used = [], 0.0
    for step in range(-2, options.steps):
        start, start_cpu = time.perf_counter(), time.process_time()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            out = net(x)
        loss = loss_of(out.float(), target)
        loss.backward()
        optimizer.step()
        if step >= 0:
            times.append(time.perf_counter() - start)
            used += time.process_time() - start_cpu
    times.sort()
    print(json.dumps({"engine": "torch " + torch.__version__, "graph": name, "precision": options.precision,
                      "batch": options.batch, "threads": options.threads,
                      "images_per_s": round(options.batch / times[len(times) // 2], 1),
                      "best_images_per_s": round(options.batch / times[0], 1),
                      "images_per_cpu_s": round(options.batch * options.steps / used, 1),
                      "loss": round(float(loss.detach()), 4)}), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="bf16")
    parser.add_argument("--only", choices=sorted(MODELS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in MODELS:
        if options.only in (None, name):
            run(name, options)


if __name__ == "__main__":
    main()
