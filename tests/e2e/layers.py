"""What a presentation state and a segmentation say, as DCMTK reads them, against the result that they were made from.

layers.py overlay ANALYSIS.json OVERLAY.dcm: every landmark and width is where the analysis says, half a pixel further.
layers.py truth MASKS.dcm LABEL TRUTH.png DICE: a segment and a generated picture's own mask agree so far, and better than mirrored.
layers.py masks MASKS.dcm KEY=MASK.png ...: every bit of each segment, in this order, is the mask's.
"""
import base64, json, math, subprocess, sys

from ultrasound_dicom import read_png


def load(path):
    return json.loads(subprocess.run(["dcm2json", path], check=True, capture_output=True).stdout)


def values(item, tag):
    return item.get(tag, {}).get("Value", [])


def lines(overlay):
    """Points of each line, by layer."""
    out = {}
    for annotation in values(overlay, "00700001"):
        for graphic in values(annotation, "00700009"):
            data = values(graphic, "00700022")
            assert len(data) == 2 * values(graphic, "00700021")[0] and values(graphic, "00700005") == ["PIXEL"], graphic
            out.setdefault(values(annotation, "00700002")[0], []).append(list(zip(data[::2], data[1::2])))
    return out


def words(overlay):
    return {values(a, "00700002")[0]: [values(t, "00700006")[0] for t in values(a, "00700008")] for a in values(overlay, "00700001")}


def analysis_of(path):
    content = json.load(open(path))
    return content["results"][0]["analysis"] if "results" in content else content


def check_overlay(analysis, overlay):
    drawn, said = lines(overlay), words(overlay)
    width, height = analysis["image"]["width_px"], analysis["image"]["height_px"]
    spacing = analysis["image"]["spacing"]["x_mm"]
    points = [p for layer in drawn.values() for line in layer for p in line]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points), "a point outside of the image"
    checked = 0
    for region in (r for r in analysis["regions"] if r["accepted"]):
        for x, y in region["landmarks_px"]:
            if 0 <= x <= width - 1 and 0 <= y <= height - 1:
                assert min(math.dist((x + 0.5, y + 0.5), p) for p in points) < 1e-3, ("no landmark at", x, y)
                checked += 1
        for finding in region["findings"]:
            if finding["key"] in ("jsw-medial-min", "jsw-lateral-min"):
                told = finding["measure"]["value"]
                found = [math.dist(*line) * spacing for line in drawn["WIDTHS"]]
                assert min(abs(f - told) for f in found) < 0.15, (finding["key"], told, found)
                assert any(finding["label"] in text and "%.1f" % told in text for text in said["WIDTHS"]), said["WIDTHS"]
                checked += 1
            if finding["region"] is not None and "fracture-" in finding["key"]:
                box, layer = finding["region"], "HIGH SENSITIVITY" if finding["key"].startswith("possible") else "HIGH SPECIFICITY"
                corner = (min(max(box["x_px"] + 0.5, 0), width), min(max(box["y_px"] + 0.5, 0), height))
                assert min(math.dist(line[0], corner) for line in drawn[layer]) < 1e-3, (finding["key"], corner)
                checked += 1
    print(checked, "places,", ", ".join(said))


def check_masks(path, named):
    masks = load(path)
    height, width = values(masks, "00280010")[0], values(masks, "00280011")[0]
    cells = base64.b64decode(masks["7FE00010"]["InlineBinary"])
    segments = values(masks, "00620002")
    assert len(segments) == len(named) == int(values(masks, "00280008")[0]), (len(segments), list(named))
    for k, (key, picture) in enumerate(named):
        w, h, pixels = read_png(open(picture, "rb").read())
        assert (w, h) == (width, height)
        bits = bytes(cells[at >> 3] >> (at & 7) & 1 for at in range(k * w * h, (k + 1) * w * h))
        assert bits == bytes(1 if p else 0 for p in pixels), key + " is another mask"
        assert 1 in bits
        print(key, values(segments[k], "00620005")[0], sum(bits))


def check_truth(path, label, truth, least):
    masks = load(path)
    width, height, pixels = read_png(open(truth, "rb").read())
    cells = base64.b64decode(masks["7FE00010"]["InlineBinary"])
    k = [values(s, "00620005")[0] for s in values(masks, "00620002")].index(label)
    marked = [cells[at >> 3] >> (at & 7) & 1 for at in range(k * width * height, (k + 1) * width * height)]
    drawn = [1 if p > 127 else 0 for p in pixels]

    def dice(other):
        return 2 * sum(a & b for a, b in zip(marked, other)) / (sum(marked) + sum(other))

    rows = [drawn[y * width : (y + 1) * width] for y in range(height)]
    mirrored = [[v for row in rows for v in reversed(row)], [v for row in reversed(rows) for v in row]]
    print(label, "dice", round(dice(drawn), 3), "mirrored", *(round(dice(m), 3) for m in mirrored))
    assert dice(drawn) >= least and all(dice(drawn) > dice(m) for m in mirrored)


if __name__ == "__main__":
    if sys.argv[1] == "overlay":
        check_overlay(analysis_of(sys.argv[2]), load(sys.argv[3]))
    elif sys.argv[1] == "truth":
        check_truth(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]))
    else:
        check_masks(sys.argv[2], [argument.split("=", 1) for argument in sys.argv[3:]])
