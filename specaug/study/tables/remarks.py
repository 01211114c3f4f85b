"""What is written around the tables: what the numbers are, what they come from, and what stands against them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import median

from specaug.study.comparing.compare import CHOOSING, Comparison, PartFacts
from specaug.study.comparing.measures import ACCURACY, MAP, WER, Measure
from specaug.study.comparing.pairing import ORDER
from specaug.study.comparing.systems import System
from specaug.study.plural import counted
from specaug.study.stats.statistics import MIN_SEEDS, MIN_UNITS, enough
from specaug.study.tables.cells import CER, CHANCE, earned, titled
from specaug.study.tables.text_table import SHORT, percent

RIGHT = {
    ACCURACY: "accuracy: the share of the utterances that were given their class, mean over seeds.",
    MAP: "mAP: the mean over classes of the average precision, with which the score of a class ranks the utterances, "
    "mean over seeds.",
}

SMALL = 2  # policies whose order raises no question


def headline(comparison: Comparison) -> str:
    """What the tables are of."""
    told = " and ".join(measure.shares for measure in comparison.measures)
    return f"{comparison.title}: {told} by policy, in percent"


def heading(
    part: PartFacts, parts: Sequence[PartFacts], system: System | None = None, measure: Measure = WER
) -> str:
    """What stands above a part's table: its name, the system's where there are several, and how much it holds."""
    use = " (used for choosing, not for reporting)" if part.plain == CHOOSING else ""
    name = f"{titled(part, parts)}{use}{f', {system.name}' if system else ''}"
    if measure.right:
        return f"{name}, {measure.name}: {counted(part.utterances, 'utterance')}"
    return f"{name}: {counted(part.words, 'word')} in {counted(part.utterances, 'utterance')}"


def best(comparison: Comparison) -> str:
    """What a rate that is marked as the best is: lowest is not enough."""
    whose = "network, schedule and " if len(comparison.systems) > 1 else ""
    which = f"{comparison.measures[0].best} {'share' if comparison.measures[0].right else 'rate'}"
    return (
        f"the {which} of its {whose}part, where it is told apart from {comparison.baseline} after correction"
    )


def footer(comparison: Comparison, extras: Collection[str] = (), mark: str = "") -> list[str]:
    """The lines below the tables, which have `extras`, the optional columns, and `mark` what is the best."""
    lines = [f"{mark}: {best(comparison)}."] if mark and earned(comparison) else []
    lines += [
        *_about_rows(comparison),
        *_about_columns(comparison, extras),
        *_about_intervals(comparison),
        *_about_refusals(comparison),
    ]
    if seen := _detectable(comparison):
        lines.append(f"Smallest true difference that 8 of 10 such comparisons would see: {seen}.")
    lines += [*_at_ends(comparison), *origin(comparison), *runs(comparison)]
    return lines + left_out(comparison.unfinished, comparison.notes)


def too_wide(comparison: Comparison, missing: Collection[str]) -> list[str]:
    """Which optional columns a table of text has no room for, and what prints them."""
    if not missing:
        return []
    names = " and ".join(comparison.measures[0].chance if name == CHANCE else name for name in missing)
    return [f"Left out for want of room: {names}; `specaug compare --format markdown` (or tsv) prints them."]


def _at_ends(comparison: Comparison) -> list[str]:
    """Which values of decodings, chosen on dev, are an end of those tried."""
    several = len(comparison.systems) > 1
    told: dict[str, list[str]] = {}
    for row in comparison.rows:
        for end in row.ends:
            what = f"Decoding {end.decoding}: {end.name} {end.value:g}, the {end.side} of those tried, in"
            whose = f"{f'{row.system}, ' if several else ''}{row.label}"
            told.setdefault(what, []).append(f"{end.runs} of {counted(end.of, 'run')} of {whose}")
    return [f"{what} {', '.join(rows)}." for what, rows in told.items()]


def left_out(unfinished: Sequence[Path], notes: Sequence[str]) -> list[str]:
    """Which runs are not counted, and what else is uneven."""
    lines = [f"Unfinished, not counted: {' '.join(map(str, unfinished))}"] if unfinished else []
    return lines + [f"Note: {' '.join(note.split())}." for note in notes]


def runs(comparison: Comparison) -> list[str]:
    """For each row the ids of its runs."""
    several = len(comparison.systems) > 1
    return [
        f"Runs of {f'{row.system}, ' if several else ''}{row.label}: {' '.join(run[:SHORT] for run in row.runs)}"
        for row in comparison.rows
    ]


def seeds(comparison: Comparison) -> str:
    """How many seeds a policy has."""
    counts = sorted({len(row.seeds) for row in comparison.rows})
    return f"{f'{counts[0]} to ' if len(counts) > 1 else ''}{counted(counts[-1], 'seed')}"


def family(comparison: Comparison) -> int:
    """How many policies are judged, and so corrected for, at most on a part."""
    told = [[row.scores[part.name].difference for row in comparison.rows] for part in comparison.parts]
    return max(sum(d is not None and d.adjusted is not None for d in part) for part in told)


def compared(comparison: Comparison) -> int:
    """How many policies have a baseline beside them."""
    part = comparison.parts[0].name
    return sum(row.scores[part].difference is not None for row in comparison.rows)


def sizes(parts: Sequence[PartFacts]) -> str:
    """What the bootstrap draws from in each part, beside seeds; it is the same however a part is decoded."""
    return ", ".join(
        f"{counted(part.units, part.unit.removesuffix('s'))} ({part.name})"
        for part in parts
        if not part.decoding
    )


def _about_rows(comparison: Comparison) -> list[str]:
    if len({row.label for row in comparison.rows}) <= SMALL:
        return []
    return [f"Rows: {', '.join(ORDER)} in this order, then their variants, then other policies by name."]


def _about_columns(comparison: Comparison, extras: Collection[str]) -> list[str]:
    measure = comparison.measures[0]
    lines = [RIGHT[m] for m in comparison.measures if m.right] or [
        "WER: mean over seeds; S/D/I: substitutions, deletions, insertions per 100 words."
    ]
    told = [f"{CER}: character error rate, mean over seeds"] if CER in extras else []
    if CHANCE in extras:
        what = "a higher value" if measure.right else "a lower WER"
        told.append(
            f"{measure.chance}: how confident one may be of {what} than the baseline's, by this pair alone"
        )
    return [*lines, f"{'; '.join(told)}."] if told else lines


def origin(comparison: Comparison) -> list[str]:
    """For each system its network, what it started from where that is not chance, and how it was trained."""
    several = len(comparison.systems) > 1
    lines = []
    for system in comparison.systems:
        built = f"{system.name if several else 'Network'}: {system.built}, {system.parameters:,} parameters"
        share = f" on {system.share}" if system.share else ""
        told = filter(None, (built, system.begun, f"trained with {system.schedule}{share}"))
        lines.append(f"{'; '.join(told)}.")
    return lines


def _about_intervals(comparison: Comparison) -> list[str]:
    lines = []
    if max(len(row.seeds) for row in comparison.rows) >= MIN_SEEDS:
        lines.append(
            f"[95 %]: bootstrap of {seeds(comparison)} together with {sizes(comparison.parts)}, "
            f"{enough(compared(comparison)):,} replicates, stretched to the standard error and the Student quantiles of so few."
        )
    if any(part.unit == "utterances" for part in comparison.parts):
        lines.append(
            "In a part of one speaker utterances are resampled: what is said holds for that voice, and need not "
            "for others."
        )
    if any(score.difference for row in comparison.rows for score in row.scores.values()):
        same = "network, schedule, seeds" if len(comparison.systems) > 1 else "seeds"
        told = f"minus {comparison.baseline}: on the same {same} and utterances; {comparison.measures[0].better}."
        if (count := family(comparison)) > 1:
            told += f" Verdicts and p are corrected (Holm) for the {count} that can be judged in each part."
        lines.append(told)
    return lines


def _about_refusals(comparison: Comparison) -> list[str]:
    found = [row.scores[part.name].difference for row in comparison.rows for part in comparison.parts]
    refused = [difference for difference in found if difference is not None and difference.low is None]
    same = [difference for difference in refused if difference.adjusted is not None]
    lines = []
    if len(same) < len(refused):
        lines.append(
            f"an interval and a verdict take {MIN_SEEDS} seeds that both policies have, and {MIN_UNITS} speakers or "
            "utterances; two seeds of one policy can differ as much as two policies."
        )
    if same:
        lines.append(
            "where a difference is 0 in every seed and every speaker (or utterance), nothing tells how it varies."
        )
    return [f"Too few to say: {line}" for line in lines]


def _detectable(comparison: Comparison) -> str:
    seen = []
    for part in comparison.parts:
        found = [row.scores[part.name].difference for row in comparison.rows]
        sizes = [d.detectable for d in found if d is not None and d.detectable is not None]
        if sizes:
            seen.append(f"{percent(median(sizes))} ({part.name})")
    return ", ".join(seen)
