"""The explorer: what a page must hold so that one can look at single utterances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specaug.errors import UserError
from specaug.speech.corpus import TRAIN
from specaug.speech.kinds import Tell
from specaug.study.comparing.compare import Comparison
from specaug.study.load import load
from specaug.study.page.drawings import drawings
from specaug.study.page.pick import picked
from specaug.study.page.replay import policy_at
from specaug.study.page.sounds import Voices, palette, sound
from specaug.study.page.texts import Case, Heard, Texts, written
from specaug.study.page.theme import asset, embedded
from specaug.study.results import KINDS, RECIPE

TRAINED = 4  # training utterances that can be heard, beside those that runs were tested on


@dataclass(frozen=True, slots=True)
class Shown:
    """The utterances that can be seen and heard, by their place among the cases; training utterances are the last."""

    cases: tuple[Case, ...]
    blocks: Mapping[int, dict[str, Any]]


def shown(texts: Texts, voices: Voices, count: int, tell: Tell) -> Shown:
    """What can be heard of `count` utterances, and of some training utterances of the first fold."""
    if not voices.corpora or not count:
        return Shown(texts.cases, {})
    by_fold = {fold: voices.utterances(fold) for fold in voices.corpora}
    first = min(voices.corpora)
    training = voices.trained(first, min(count, TRAINED))
    cases = list(texts.cases)
    cases += [Case(first, TRAIN, u.id, u.speaker, u.text, len(u.text.split())) for u in training]
    blocks = {}
    places = [*picked(texts, count), *range(len(texts.cases), len(cases))]
    for done, place in enumerate(places, 1):
        case = cases[place]
        if block := sound(by_fold[case.fold][case.id], voices.recipes[case.fold].features):
            blocks[place] = block
        tell("sounds", done, len(places))
    return Shown(tuple(cases), blocks)


def note(texts: Texts, seen: Shown, why: str) -> str:
    """Which utterances can be heard, or why none can."""
    if not seen.blocks:
        return f"Texts only: {why or 'no file could be read as sound of at least one window'}."
    tested = sum(place < len(texts.cases) for place in seen.blocks)
    return (
        f"\u266a marks the {len(seen.blocks)} utterances that can be seen and heard: {tested} of those that runs were "
        "tested on, from each part by turns the one that policies change most and the one with most errors, and "
        f"{len(seen.blocks) - tested} of those that they were trained on."
    )


def explorer(comparison: Comparison, texts: Texts, seen: Shown, why: str, epochs: int) -> list[str]:
    """The explorer's HTML: its form, one block of data for all, one for each run and for each sound."""
    drawn = {number: draws_of(run, seen, epochs) for number, run in enumerate(texts.runs)}
    places = {fold: texts.of_fold(fold) for fold in {run.result.fold for run in texts.runs}}
    blocks = [embedded("index", index(comparison, texts, seen, why, drawn))]
    for number, run in enumerate(texts.runs):
        cases = [seen.cases[place] for place in places[run.result.fold]]
        told = [written(case, text) for case, text in zip(cases, run.hypotheses, strict=True)]
        blocks.append(embedded(f"run-{number}", {"texts": told, "draws": drawn[number]}))
    blocks += [embedded(f"sound-{place}", block) for place, block in seen.blocks.items()]
    return [asset("explorer.html"), *blocks]


def index(
    comparison: Comparison,
    texts: Texts,
    seen: Shown,
    why: str,
    drawn: Mapping[int, Mapping[int, Sequence[Any]]],
) -> dict[str, Any]:
    """What the list and the choices need; everything else is read when it is looked at."""
    cases, errors = seen.cases, texts.errors()
    parts = [*(part.name for part in comparison.parts), *([TRAIN] if len(cases) > len(texts.cases) else [])]
    speakers = sorted({case.speaker for case in cases})
    runs = [
        [run.policy, run.result.seed, run.result.fold, epochs_in(drawn[number]), run.result.epochs]
        for number, run in enumerate(texts.runs)
    ]
    return {
        "policies": list(texts.labels),
        "baselines": baselines(comparison),
        "seeds": texts.seeds(),
        "parts": parts,
        "speakers": speakers,
        "folds": len({run.result.fold for run in texts.runs}),
        "runs": runs,
        "ids": [case.id for case in cases],
        "references": [case.reference for case in cases],
        "part": [parts.index(case.part) for case in cases],
        "speaker": [speakers.index(case.speaker) for case in cases],
        "fold": [case.fold for case in cases],
        "words": [case.words for case in cases],
        "errors": {kind: errors[:, :, place].tolist() for place, kind in enumerate(KINDS)},
        "tested": len(texts.cases),
        "heard": sorted(seen.blocks),
        "note": note(texts, seen, why),
        "colours": palette() if seen.blocks else [],
    }


def baselines(comparison: Comparison) -> list[int]:
    """For each row the place of the row that it is compared with; -1 where there is none."""
    rows = {(row.system, row.label): place for place, row in enumerate(comparison.rows)}
    return [rows.get((row.system, comparison.baseline), -1) for row in comparison.rows]


def draws_of(run: Heard, seen: Shown, epochs: int) -> dict[int, list[Any]]:
    """What the policy of a run draws for each utterance of its fold that can be seen in frames as the run's."""
    try:
        recipe = load(run.result.folder / RECIPE).run()
    except UserError:  # its texts can be read all the same
        return {}
    options = recipe.features
    framing = {"mel": options.mel, "shift": options.shift, "window": options.window}
    places = [
        place
        for place, block in seen.blocks.items()
        if seen.cases[place].fold == run.result.fold and framing.items() <= block.items()
    ]
    found = drawings(
        policy_at(recipe, run.result),
        recipe.seed,
        min(epochs, run.result.epochs),
        [seen.cases[place].id for place in places],
        [seen.blocks[place]["frames"] for place in places],
        recipe.features.mel,
    )
    return dict(zip(places, found, strict=True))


def epochs_in(drawn: Mapping[int, Sequence[Any]]) -> int:
    """For how many epochs something is drawn."""
    return max(map(len, drawn.values()), default=0)
