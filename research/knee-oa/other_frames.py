"""The validation knees as another hospital might have cut and exposed them, as labelled folders for `evaluate`.

    other_frames.py OUT [plain wide hard stretched]

plain: as they are. wide: 300 x 162 px, the middle 54 % of the height. hard: the darkest 10 % and the brightest 5 %
of the pixels are black and white. stretched: the whole square on 300 x 162 px, so that pixels are not square.
Every second knee of those that are not inverted: one of each person.
"""
import csv
import os
import sys

import numpy as np
from PIL import Image

DATA = os.path.join(os.environ.get("REHA_DATA", "../shared/data"), "knee_xray")
WIDE = (300, 162)


def look(image, kind):
    if kind == "wide":
        return image.crop((0, 52, 224, 173)).resize(WIDE, Image.BICUBIC)
    if kind == "stretched":
        return image.resize(WIDE, Image.BICUBIC)
    if kind == "hard":
        grey = np.asarray(image).astype(float)
        low, high = np.percentile(grey, [10, 95])
        return Image.fromarray(((grey - low) / (high - low) * 255).clip(0, 255).astype("uint8"))
    return image


def main():
    out = sys.argv[1]
    with open(os.path.join(DATA, "labels.csv")) as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val" and row["inversion_suspected"] == "0"]
    for kind in sys.argv[2:] or ["plain", "wide", "hard", "stretched"]:
        folder = os.path.join(out, kind)
        os.makedirs(os.path.join(folder, "images"))
        with open(os.path.join(folder, "labels.csv"), "w") as file:
            file.write("path,knee_id,patient_id,side,split,kl\n")
            for row in rows[::2]:
                path = "images/" + row["knee_id"] + ".png"
                look(Image.open(os.path.join(DATA, row["path"])).convert("L"), kind).save(os.path.join(folder, path))
                cells = [path, row["knee_id"], row["patient_id"], row["side"], "val", row["kl"]]
                file.write(",".join(cells) + "\n")


main()
