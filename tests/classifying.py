"""A laboratory whose tones have classes, and finished runs of classes as training would leave them."""

import json
from pathlib import Path

import numpy as np
from conftest import lay_out
from test_results import utterance, write_run

from specaug.speech.ranking import mean_average_precision, missed

NETWORK = "network={path: models.classifier.ASTClassifier, arguments: {width: 12, depth: 1, heads: 2}}"
NAMES = ("calm", "glad", "sad")
SPEAKERS = ("anna", "bert", "carl", "dora", "emil", "fred", "gina", "hugo")


def with_classes(folder: Path) -> Path:
    """The laboratory of tones with a column `mood`: two in training, both also in dev and test."""
    lab = lay_out(folder)
    for part in ("train", "dev", "test"):
        file = lab / "data" / f"{part}.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        told = [{**row, "mood": ("so so", "glad")[place % 2]} for place, row in enumerate(rows)]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in told))
    return lab


def rows_of(part: str, skill: float, seed: int, fold: int = 0) -> list[dict[str, object]]:
    """Utterances of eight speakers and three classes, scored the better the more skilful a policy is."""
    chance = np.random.default_rng([seed, fold, round(1000 * skill), len(part)])
    names = [name for name in NAMES for _ in range(len(name))] * 8
    of = [NAMES.index(name) for name in names]
    scores = chance.normal(size=(len(of), 3)) + 4 * skill * np.eye(3)[of]
    rows = []
    for place, (told, best, lacking) in enumerate(
        zip(names, scores.argmax(axis=1), missed(scores, of), strict=True)
    ):
        speaker = SPEAKERS[place % 8]
        row = utterance(part, f"{fold}-{place:02}", speaker, 1, int(NAMES[best] != told))
        rows.append({**row, "reference": told, "hypothesis": NAMES[best], "missed": float(lacking)})
    return rows


def run_of(folder: Path, label: str, seed: int, skill: float, fold: int = 0, **other: object) -> Path:
    """A finished run of classes on the parts dev and test."""
    rows = [row for part in ("dev", "test") for row in rows_of(part, skill, seed, fold)]
    write_run(folder, rows, label, seed, fold)
    result = json.loads((folder / "result.json").read_text())
    for part, told in result["parts"].items():
        mine = [row for row in rows if row["part"] == part]
        told["map"] = mean_average_precision([row["missed"] for row in mine])
    (folder / "result.json").write_text(json.dumps(result))
    recipe = json.loads((folder / "recipe.yaml").read_text())
    recipe["text"] = {"classes": "mood", **other}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return folder


def study(folder: Path, skills: dict[str, float], seeds: int = 3, folds: int = 1) -> Path:
    """Runs of several policies, each of which is so skilful."""
    for label, skill in skills.items():
        for seed in range(seeds):
            for fold in range(folds):
                run_of(folder / f"{label}-{seed}-{fold}", label, seed, skill, fold)
    return folder
