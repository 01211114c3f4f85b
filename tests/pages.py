"""Finished runs on the ten tones of `tiny`, as training would leave them, without the training."""

import csv
from html.parser import HTMLParser
from pathlib import Path

from test_results import write_run

from specaug.speech.manifest import fingerprint
from specaug.speech.scoring import word_errors
from specaug.study.corpora import open_corpus
from specaug.study.load import as_yaml, load
from specaug.study.places import Places

HEARD = {"None": "b a", "LD x 0.1": "a c"}  # what each policy hears in every other utterance
EPOCHS = 4


def places(tiny, folder):
    return Places(laboratory=tiny, data=tiny / "data", cache=folder / "cache", runs=folder)


def corpus_of(tiny, folder):
    recipe = load(tiny / "experiments" / "tiny.yaml")
    return recipe, open_corpus(recipe.corpus, places(tiny, folder))


def finished(tiny, folder, seeds=(0, 1, 2), overrides=(), said=None):
    """The folder of the runs of the recipe `tiny.yaml`; `said` stands in for what is heard."""
    recipe = load(tiny / "experiments" / "tiny.yaml", [f"seeds={list(seeds)}", *overrides])
    corpus = open_corpus(recipe.corpus, places(tiny, folder))
    facts = {
        "name": "toy",
        "title": "Tones",
        "synthetic": True,
        "fingerprint": fingerprint(u for part in corpus.parts.values() for u in part),
    }
    for run in recipe.runs():
        label = run.policy.label
        rows = [
            row(part, u, u.text if (i + run.seed) % 2 else said or HEARD.get(label, ""))
            for part, utterances in corpus.parts.items()
            if part != "train"
            for i, u in enumerate(utterances)
        ]
        at = folder / "runs" / f"{label.replace(' ', '-')}-{run.seed}"
        write_run(at, rows, label, run.seed, corpus=facts, epochs=EPOCHS, steps=3 * EPOCHS)
        (at / "recipe.yaml").write_text(as_yaml(run), encoding="utf-8")
        write_curves(at, run.seed)
    return folder / "runs"


def row(part, utterance, heard):
    errors = word_errors(utterance.text, heard)
    kinds = ("substitutions", "deletions", "insertions")
    texts = {"id": utterance.id, "speaker": utterance.speaker, "reference": utterance.text}
    counts = {"words": errors.total, **{kind: getattr(errors, kind) for kind in kinds}}
    return {
        "part": part,
        **texts,
        "hypothesis": heard,
        **counts,
        "loudness": "soft" if utterance.id in ("test-0", "dev-1") else "loud",
        "length": f"{errors.total} words",  # which groups as the words do
    }


def write_curves(folder, seed, first=1.0):
    with (folder / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", "train/loss", "dev/loss", "dev/wer"])
        for epoch in range(1, EPOCHS + 1):
            dev = [first / epoch + seed, 0.1 * seed + 0.5 / epoch] if epoch % 2 == 0 else ["", ""]
            writer.writerow([epoch, 3 * epoch, 2 * first / epoch + seed, *dev])


class Outline(HTMLParser):
    """Every element of a page: its tag, its attributes, its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[list[str]] = []

    def handle_starttag(self, tag, attrs):
        entry = (tag, dict(attrs), [])
        self.elements.append(entry)
        if tag not in ("meta", "input", "br"):
            self.open.append(entry[2])

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        for text in self.open:
            text.append(data)

    def texts(self, tag, **wanted):
        return [
            "".join(text)
            for name, attrs, text in self.elements
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]

    def attribute(self, name):
        return [attrs[name] for _, attrs, _ in self.elements if name in attrs]


def outline(page: Path | str) -> Outline:
    found = Outline()
    found.feed(page if isinstance(page, str) else page.read_text(encoding="utf-8"))
    found.close()
    return found
