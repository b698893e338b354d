"""What the documents say of themselves and of the models: links lead somewhere, the README's figures are the cards'."""
import glob
import json
import os
import re
import sys

root = sys.argv[1]
faults = []


def read(path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def check_links(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, place = target.partition("#")
        to = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
        if not os.path.exists(os.path.join(root, to)):
            faults.append(f"{path}: {target} leads nowhere")
        elif place and place not in [anchor(h) for h in re.findall(r"^#+ (.*)$", read(to), re.M)]:
            faults.append(f"{path}: {to} has no heading for #{place}")


def newest(task):
    cards = glob.glob(os.path.join(root, "models", task, "*", "card.json"))
    with open(max(cards, key=lambda card: int(os.path.basename(os.path.dirname(card)))), encoding="utf-8") as file:
        return json.load(file)


def told(value, digits):
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(value["value"], value["low"], value["high"], d=digits)


documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + [
    os.path.relpath(path, root) for path in glob.glob(os.path.join(root, "docs", "**", "*.md"), recursive=True)]
for document in documents:
    check_links(document)

figures = [("knee-oa", "accuracy", "accuracy ", 2), ("knee-oa", "kappa", "quadratic kappa ", 2), ("knee-oa", "auc", "AUC ", 2),
           ("muscle-us", "dice_aponeurosis", "Dice ", 2), ("muscle-us", "fascicle_angle_error_deg", "", 1),
           ("muscle-injury", "auc", "AUC ", 2),
           ("outcome-knee-replacement", "r2", "R2 ", 3), ("outcome-hip-replacement", "r2", "R2 ", 3)]
readme = read("README.md").replace(" degrees (", " (")
for task, key, before, digits in figures:
    line = before + told(newest(task)["metrics"][key], digits)
    if line not in readme:
        faults.append(f"README.md does not say '{line}', as the card of {task} does ({key})")

print(f"{len(documents)} documents, {len(figures)} figures")
print("\n".join(faults))
sys.exit(1 if faults else 0)
