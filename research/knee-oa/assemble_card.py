#!/usr/bin/env python3
"""Assembles models/knee-oa/<version>/card.json from the notes that the single trainings leave behind.

    assemble_card.py OUT_DIR --version 1 --kl model.onnx[,second.onnx] --explain-node NAME
                     --finder finder_io.json --gate gate_io.json --landmarks model_io.json
                     [--texts texts.json] [--precision bf16]

Calibration is not known here: run `rehascope calibrate` (or the trainer) on the result. The finder's, gate's and
landmarks' numbers are taken from their JSON files; what those do not say stands in the tables below, each with
its reason. docs/formats/model-card.md describes the result."""
import argparse
import json
import math
import os

# The order of outputs is the gate's own; refusing needs this much probability.
REFUSE_MIN = 0.5
# image statistics of the gate's notes -> names and codes of the card's rules
BOX_RULES = {
    "too_dark": ("p99", "too-dark"),
    "too_bright": ("p50", "too-bright"),
    "low_contrast": ("contrast", "low-contrast"),
    "white_area": ("white", "prosthesis"),
    "blurred": ("laplace_ratio", "blurred"),
    "noisy": ("laplace_ratio", "noisy"),
    "noise": ("noise", "noisy"),
    "small": ("box_side_px", "too-small"),
    "outside": ("outside", "joint-cut-off"),
}


def rules(gate):
    image = gate["image_rules"]
    out = [
        {"statistic": "image_levels", "min": 1e-6, "code": "blank", "level": "refused"},
        {"statistic": "image_short_side_px", "min": image["smallest_side_px"]["threshold"], "code": "too-small",
         "level": "refused"},
        # Share of visibly coloured pixels: scans of films have a tint, photographs have colours.
        {"statistic": "image_chroma", "max": 0.05, "code": "colour-picture", "level": "refused"},
        {"statistic": "image_contrast", "min": image["image_contrast"]["threshold"], "code": "low-contrast",
         "level": "refused"},
    ]
    for name, rule in gate["box_rules"].items():
        statistic, code = BOX_RULES[name]
        bound = "max" if rule["refuse_if"] == ">" else "min"
        out.append({"statistic": statistic, bound: rule["threshold"], "code": code, "level": rule.get("level", "refused")})
    return {"rules": out}


def finder_part(io):
    return {"input_px": io["input"]["shape"][2], "stride_px": 8, "percentiles": [1, 99], "width_unit_px": 64,
            "score_min": io["threshold"], "separation": 0.6, "turned_min": 2.0, "knees_max": 2}


def gate_part(io):
    maha = io["maha"]
    refuse = {c: REFUSE_MIN for c in io["classes"] if c not in ("knee_ok", "knee_inverted")}
    return {"input_px": io["input"]["shape"][2], "box_scale": 1.30, "box_up": 0.12, "percentiles": [1, 99],
            "gives_probabilities": io["outputs"][0]["name"] == "prob", "temperature": 1.0,
            "classes": io["classes"], "refuse_min": refuse, "accept_min": io["ok_threshold"], "invert_min": 0.2,
            "distance": {"mean": maha["mean"], "inverse_covariance": maha["inv_cov_row_major"],
                         "refuse_above": math.sqrt(maha["threshold"]),
                         "warn_above": math.sqrt(maha.get("warn", 0.7 * maha["threshold"]))}}


def landmarks_part():
    # Pass 1 on the finder's frame; then the plateau upright at 176 px, once as it is and twice a little varied.
    return {"input_px": 224, "stride_px": 4, "percentiles": [1, 99], "centre_px": [111.5, 111.5],
            "first_width_px": 160, "first_up_ratio": 0.072, "blur_warn_px": 11.0, "blur_refuse_px": 16.0,
            "shift_refuse_ratio": 0.03, "side_margin_px": 0.35,
            "passes": [{"plateau_width_px": 176},
                       {"plateau_width_px": 164, "turn_deg": 3.0, "shift_x_px": 2.0, "shift_y_px": -1.0},
                       {"plateau_width_px": 188, "turn_deg": -3.0, "shift_x_px": -1.0, "shift_y_px": 2.0}]}


def joint_space_part(io):
    refine = io.get("jsw", {}).get("refinement_parameters", {}) if io else {}
    return {"lateral": [0.06, 0.26], "medial": [0.74, 0.94], "samples": 21,
            "refine_range_ratio": refine.get("R", 0.01), "refine_strength": refine.get("a", 1.0),
            "refine_pull": refine.get("lam", 1.0), "refine_stiffness": 0.05, "refine_blur_px": 1.0}


def measurement_part(io):
    if not io:
        return {"landmark_mean_mm": 0.95, "jsw_sd_mm": 0.50, "jsw_sd_ratio": 0.0066, "plateau_width_mm": 76.0,
                "reference_jsw_mm": [4.6, 4.7, 4.5, 3.4, 2.4]}
    jsw = io["jsw"]["errors_mm"]
    chosen = jsw["edge_refined_pass2"]["overall_min"]
    return {"landmark_mean_mm": io["cross_validation"]["mean_error_mm"]["pass2"], "jsw_sd_mm": chosen["sd"],
            "jsw_mae_mm": chosen["MAE"], "jsw_sd_ratio": jsw["as_fraction_of_plateau_width"]["sd"][2],
            "plateau_width_mm": jsw["plateau_width_mm"]["experts_all_529"][0],
            "reference_jsw_mm": jsw["overall_min_by_KL_expert"],
            "source": "patient-level cross-validation on %d knees with expert landmarks; reference widths: the same knees, "
                      "mean by grade" % io["cross_validation"]["knees"]}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--version", default="1")
    arguments.add_argument("--kl", default="model.onnx")
    arguments.add_argument("--explain-node", default="")
    arguments.add_argument("--precision", default="bf16")
    arguments.add_argument("--finder")
    arguments.add_argument("--gate")
    arguments.add_argument("--landmarks")
    arguments.add_argument("--landmarks-file", default="landmarks.onnx")
    arguments.add_argument("--texts")
    arguments.add_argument("--base", help="an earlier card.json whose other members are kept")
    a = arguments.parse_args()
    read = lambda path: json.load(open(path)) if path else None
    finder, gate, landmarks, texts = read(a.finder), read(a.gate), read(a.landmarks), read(a.texts)
    card = read(a.base) or {}
    card.update({"format": "rehascope-model-card", "format_version": 1, "name": "knee-oa", "version": a.version,
                 "task": "knee-oa", "title": "Kellgren-Lawrence grade of knee osteoarthritis on frontal radiographs"})
    if texts:
        card.update(texts)
    networks = [{"role": "kl", "file": f, "precision": a.precision, "weight": 1.0, "input_offset": 0.0, "input_gain": 1.0,
                 "explain_node": a.explain_node if i == 0 else ""} for i, f in enumerate(a.kl.split(","))]
    if finder:
        networks.append({"role": "finder", "file": "finder.onnx", "precision": "bf16", "input_offset": 0.5, "input_gain": 4.0})
        card["finder"] = finder_part(finder)
    if gate:
        networks.append({"role": "gate", "file": "gate.onnx", "precision": "bf16", "input_offset": 0.5, "input_gain": 4.0})
        card["quality"] = rules(gate)
        card["gate"] = gate_part(gate)
    if os.path.exists(os.path.join(a.out, a.landmarks_file)):
        networks.append({"role": "landmarks", "file": a.landmarks_file, "precision": "bf16"})
        card["landmarks"] = landmarks_part()
        card["joint_space"] = joint_space_part(landmarks)
        card["measurement"] = measurement_part(landmarks)
    card["networks"] = networks
    card.setdefault("mirror_average", True)
    card.setdefault("crop", {"size_px": 224, "joint_px": [111.5, 138.0], "plateau_width_px": 171.5,
                             "ready_scale": [0.8, 1.2], "ready_shift_px": 30.0, "window_px": [0, 68.5, 224, 128],
                             "percentiles": [1, 99], "span_min": 8.0,
                             "local_contrast": {"box_px": 41, "rounds": 2, "floor": 0.02, "centre": 0.45, "gain": 0.16,
                                                "share": 0.65}, "quantise": True})
    card.setdefault("calibration", {"grades": 5, "temperature": 1.0, "bias": [0.0] * 5, "coverage": 0.9,
                                    "grade_floor": 0.0, "thresholds": [0.0] * 5, "fitted_on": 0})
    with open(os.path.join(a.out, "card.json"), "w") as to:
        json.dump(card, to, indent=1)
        to.write("\n")


if __name__ == "__main__":
    main()
