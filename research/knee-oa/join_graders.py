"""Lets the grading network of one knee model vote beside that of another.

    join_graders.py BASE NEW OUT

OUT becomes BASE with NEW's grading network as a second one of equal weight, both looking from BASE's views. BASE's
first network stays the one whose map is shown. What was measured and fitted for BASE alone (calibration, figures,
int8) does not hold for both: `rehascope calibrate`, `quantise`, `calibrate` and `evaluate --explain --save-card` come
next.
"""
import json
import os
import shutil
import sys

base, new, out = sys.argv[1:]
os.makedirs(out)
with open(os.path.join(base, "card.json")) as file:
    card = json.load(file)
with open(os.path.join(new, "card.json")) as file:
    other = json.load(file)

for network in card["networks"]:
    shutil.copy(os.path.join(base, network["file"]), out)
    if network["role"] == "kl":
        network.pop("ranges", None)
        network["precision"] = "bf16"
        network["weight"] = 1.0

second = next(dict(network) for network in other["networks"] if network["role"] == "kl")
shutil.copy(os.path.join(new, second["file"]), os.path.join(out, "model-2.onnx"))
second.update(file="model-2.onnx", weight=1.0, precision="bf16")
second.pop("ranges", None)
place = 1 + max(i for i, network in enumerate(card["networks"]) if network["role"] == "kl")
card["networks"].insert(place, second)

for stale in ("explanation", "subgroups", "metrics"):
    card.pop(stale, None)
card["command_second"] = other["command"]
card["training_second"] = other["training"]
with open(os.path.join(out, "card.json"), "w") as file:
    json.dump(card, file, indent=2, ensure_ascii=False)
