"""The page about a comparison: the table, how training went, for whom, and every utterance."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.kinds import Tell
from specaug.study.comparing.compare import Comparison, compared
from specaug.study.comparing.measures import Measure
from specaug.study.comparing.reading import Reading, read_runs
from specaug.study.page import figures, pretrained, rates
from specaug.study.page.curves import DEV, TRAIN, Trained, trained
from specaug.study.page.curves import WER as RATE
from specaug.study.page.explorer import Shown, explorer, shown
from specaug.study.page.hidden import hidden, rows
from specaug.study.page.pretrainings import pretrainings
from specaug.study.page.sounds import Voices, voices
from specaug.study.page.texts import Texts, texts
from specaug.study.page.theme import captioned, division, put, tabled, whole
from specaug.study.page.whom import whom
from specaug.study.places import Places
from specaug.study.pretraining.results import find_pretrainings
from specaug.study.stats.statistics import MIN_SEEDS

STYLES = ("explorer.css",)
SCRIPTS = ("words.js", "spectrogram.js", "explorer.js")
SECTIONS = {
    "rates": "Error rates",
    "differences": "Differences",
    "training": "Training",
    "whom": "For whom",
    "hidden": "What was hidden",
    "pretraining": "Pretraining",
    "utterances": "Utterances",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold: the policy compared with, utterances to be heard, epochs whose masks can be seen."""

    baseline: str | None
    utterances: int
    epochs: int


def report(
    paths: Sequence[Path], out: Path, places: Places, wanted: Wanted, tell: Tell = lambda *_: None
) -> Path:
    """The page about all finished runs in and below `paths`, written.

    Where they are all of pretraining it shows what these measured. Raises UserError as `compare` does, and where the page
    cannot be written. Where a corpus cannot be opened the page says so and shows texts only.
    """
    if (alone := find_pretrainings(paths)) is not None:
        if wanted.baseline is not None:
            told = f"--baseline is {wanted.baseline!r} with pretrainings alone"
            raise UserError(f"{told}; expected none, for they have no policy")
        return put(pretrained.page(alone), out)
    reading = read_runs(paths, wanted.baseline)
    comparison = compared(reading)
    read = texts(comparison, reading.entries)
    found = Voices({}, {}, "none was asked for")
    if wanted.utterances:
        found = voices(reading.results, places, tell)
    seen = shown(read, found, wanted.utterances, tell)
    return put(page(comparison, reading, read, found, seen, wanted), out)


def page(
    comparison: Comparison,
    reading: Reading,
    read: Texts,
    found: Voices,
    seen: Shown,
    wanted: Wanted,
) -> str:
    """The page's HTML."""
    runs = [entry.results for entry in reading.entries]
    told = [
        trained(name, [(run.seed, run.folder) for run in results])
        for name, results in zip(read.labels, runs, strict=True)
    ]
    masked = rows(hidden(comparison, read.labels, runs, found))
    sections = {
        "rates": [*rates.tables(comparison), rates.remarks(comparison)],
        "differences": differences(comparison),
        "training": training(told, comparison.measures[0]),
        "whom": [
            f'<p class="soft">{WHOM.format(comparison.measures[0].shares.capitalize())}</p>',
            *whom(reading),
        ],
        "hidden": [tabled(masked), f'<p class="soft">{HIDDEN}</p>'],
        "pretraining": pretrainings(reading.entries),
        "utterances": explorer(comparison, read, seen, found.why, wanted.epochs),
    }
    kept = {name: lines for name, lines in sections.items() if lines}
    titles = {**SECTIONS, **({"rates": RIGHT} if comparison.measures[0].right else {})}
    links = "".join(f'<li><a href="#{name}">{titles[name]}</a></li>' for name in kept)
    parts = [head(comparison), f'<nav aria-label="Contents"><ul>{links}</ul></nav>']
    for name, lines in kept.items():
        inner = "\n".join(lines)
        parts.append(f'<section id="{name}"><h2>{titles[name]}</h2>\n{inner}</section>')
    return whole(comparison.title, parts, STYLES, SCRIPTS)


RIGHT = "Accuracy"  # where runs are of classes
HIDDEN = (
    "Mean shares of the training features that were masked, overlaps counted once, as the runs counted them; "
    "expected: by calculation from the policy and the lengths of the training utterances; a dash where that is not "
    "known beforehand (the strength changes, or there is no closed form), or where the corpus is not at hand."
)
WHOM = "{} in percent by groups of the utterances, and how far the best group is from the worst."
LOSSES = (
    "Median over seeds (a seed is the mean of its folds), over a veil from the lowest to the highest seed. The loss "
    "on train is that of the augmented features, so a strong policy lifts it: where dev climbs away from train, the "
    "network over-fits; where train stays above dev, it under-fits."
)
DIFFERENCES = (
    "{}; to the {} of the line is what is better. Full dots are told apart from the "
    "baseline after Holm's correction, open ones are not."
)
DRAWN = "With 95 % intervals"  # where any is
NOT_DRAWN = f"Without 95 % intervals, for which there are too few seeds ({MIN_SEEDS} at least) or speakers"


def head(comparison: Comparison) -> str:
    """What was compared, in a title and a line."""
    count = sum(len(row.runs) for row in comparison.rows)
    seeds = sorted({seed for row in comparison.rows for seed in row.seeds})
    folds = {fold for row in comparison.rows for fold in row.folds}
    policies = len({row.label for row in comparison.rows})
    facts = [
        f"{policies} {'policy' if policies == 1 else 'policies'}",
        f"{len(seeds)} {'seed' if len(seeds) == 1 else 'seeds'}",
        *([f"{len(folds)} folds"] if len(folds) > 1 else []),
        f"{count} {'run' if count == 1 else 'runs'}",
        *dict.fromkeys(f"{system.short}, {system.parameters:,} parameters" for system in comparison.systems),
    ]
    line = escape(" · ".join(facts))
    return f'<h1>{escape(comparison.title)}</h1><p class="soft">{line}</p>'


def differences(comparison: Comparison) -> list[str]:
    """The differences to the baseline as a figure; nothing where there is one policy."""
    if not any(score.difference for row in comparison.rows for score in row.scores.values()):
        return []
    lines = []
    for measure in comparison.measures:
        name = f"Differences to the baseline{f', {measure.name}' if measure.right else ''}"
        shown = [
            row.scores[part.name].shown(measure)[1] for row in comparison.rows for part in comparison.parts
        ]
        drawn = any(one is not None and one.low is not None for one in shown)
        told = DIFFERENCES.format(DRAWN if drawn else NOT_DRAWN, "right" if measure.right else "left")
        lines += captioned(division(name, figures.differences(comparison, measure)), told)
    return lines


def training(told: Sequence[Trained], measure: Measure) -> list[str]:
    """The curves, and where they end."""
    known = [one for one in told if one.known]
    bounds = figures.bounds(known)
    if bounds is None:
        return []
    drawings = [
        f"<figure><h3>{escape(one.label)}</h3>{division(f'Losses of {place} {one.label}', figures.losses(one, *bounds))}</figure>"
        for place, one in enumerate(known)
    ]
    rate = division(f"{measure.name} on dev by epoch", figures.rates(known, measure))
    ends = tabled([(*ENDS, f"dev {measure.name} at the end, %"), *(ended(one, measure) for one in known)])
    return [
        f"<figure>{rate}</figure>",
        f'<div class="grid">{"".join(drawings)}</div>',
        f'<p class="soft">{LOSSES}</p>',
        ends,
    ]


ENDS = (
    "policy",
    "train loss at the end",
    "dev loss at the end",
    "lowest dev loss",
    "at epoch",
)


def ended(one: Trained, measure: Measure) -> list[str]:
    """The medians at the end of training."""
    dev = one.bands[DEV]
    lowest = min(zip(dev.middle, dev.epochs, strict=True), default=None)
    last = [
        f"{one.bands[column].middle[-1]:.4f}" if one.bands[column].middle else "-" for column in (TRAIN, DEV)
    ]
    low = ["-", "-"] if lowest is None else [f"{lowest[0]:.4f}", f"{lowest[1]}"]
    rates = figures.shown_as(one.bands[RATE], measure).middle
    return [escape(one.label), *last, *low, f"{100 * rates[-1]:.2f}" if rates else "-"]
