"""A page about twenty runs of four hundred utterances of ten seconds each, none of which were trained."""

import json
import random

import numpy as np
import soundfile
from pages import corpus_of, places, row
from test_results import write_run

from specaug.speech.manifest import fingerprint
from specaug.study.load import as_yaml, load
from specaug.study.page.report import Wanted, report

RATE, SECONDS, UTTERANCES = 16000, 10, 400
RECIPE = """corpus: {name: manifests, train: data/train.jsonl, dev: data/dev.jsonl, test: []}
features: {mel: 80}
policies: [None, LB, LD, SM]
seeds: [0, 1, 2, 3, 4]
"""


def lay_out(folder):
    """A laboratory in which a few files of noise stand for all utterances."""
    for name in ("data", "experiments", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "experiments" / "tiny.yaml").write_text(RECIPE)
    chance, words = np.random.default_rng(0), random.Random(0)
    known = ["".join(words.choices("etaoinshr", k=words.randint(2, 9))) for _ in range(2000)]
    for part, count in (("train", 5), ("dev", UTTERANCES)):
        lines = []
        for place in range(count):
            file = folder / "data" / f"{part}-{place}.wav"
            shape = np.repeat(chance.uniform(0, 0.3, 10 * SECONDS), RATE // 10)
            soundfile.write(file, shape * chance.normal(size=len(shape)), RATE)
            text = " ".join(words.choices(known, k=28))
            facts = {"id": f"{part}-{place}", "audio_filepath": file.name, "duration": float(SECONDS)}
            lines.append(facts | {"text": text, "speaker": f"speaker-{place % 20}"})
        (folder / "data" / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def misheard(text, rate, chance):
    return " ".join(word[::-1] if chance.random() < rate else word for word in text.split())


def big(folder):
    """The page."""
    laboratory = lay_out(folder / "laboratory")
    recipe, corpus = corpus_of(laboratory, folder)
    recipe = load(laboratory / "experiments" / "tiny.yaml")
    found = fingerprint(u for part in corpus.parts.values() for u in part)
    facts = {"name": "big", "title": "Noise", "synthetic": True, "fingerprint": found}
    for number, run in enumerate(recipe.runs()):
        chance = random.Random(number)
        rows = [row("dev", u, misheard(u.text, 0.1, chance)) for u in corpus.parts["dev"]]
        at = folder / "runs" / f"run-{number}"
        write_run(at, rows, run.policy.label, run.seed, corpus=facts, epochs=60, steps=600)
        (at / "recipe.yaml").write_text(as_yaml(run), encoding="utf-8")
    wanted = Wanted(None, 24, 50)
    return report([folder / "runs"], folder / "page.html", places(laboratory, folder), wanted)
