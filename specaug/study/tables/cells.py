"""What stands in the tables of a comparison: rows of cells, the header first."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence

from specaug.study.comparing.compare import CHOOSING, Comparison, PartFacts, PartScore, Row
from specaug.study.comparing.measures import Measure
from specaug.study.comparing.systems import System
from specaug.study.stats.statistics import BETTER, NO_DIFFERENCE, Difference, Estimate
from specaug.study.tables.text_table import Table, percent

CER, CHANCE = "CER", "P(<)"  # columns that stand where there is room for them, hence so narrow
KINDS, VERDICT = "S/D/I", "verdict"
RATE = 1  # the column of the rate in a table of scores
EXTRAS = ((CER, CHANCE), (CER,), ())  # from the most to the least
NAMES = {"lm": "LM"}  # of decodings, as printed; others as they are

Number = Estimate | Difference


def policies(comparison: Comparison) -> Table:
    """How many runs each policy has, and the shares of the training features that were masked in them."""
    counts = ("seeds", "folds", "runs", "masked %: cells", "frames", "channels")
    return [(*leading_header(comparison), *counts)] + [
        (
            *leading,
            *map(str, (len(row.seeds), len(row.folds), len(row.runs))),
            *(f"{100 * share:.1f}" for share in (row.masked.cells, row.masked.frames, row.masked.channels)),
        )
        for leading, row in led(comparison)
    ]


def scores(
    comparison: Comparison,
    part: PartFacts,
    system: System | None,
    extras: Collection[str] = (),
    measure: Measure | None = None,
) -> Table:
    """The policies of one system on one part; of all rows where `system` is None. By the first measure, or another.

    Where none of them is compared with another, there are no columns for that.
    """
    measure = measure or comparison.measures[0]
    rows = [row for row in comparison.rows if system is None or row.system == system.name]
    compared = f"minus {comparison.baseline} [95 %]", CHANCE, VERDICT
    header = ["policy", f"{measure.name} [95 %]", CER, KINDS, *compared]
    left = {CER, CHANCE} - set(extras) | ({CER, KINDS} if measure.right else set())
    if all(row.scores[part.name].difference is None for row in rows):
        left |= set(compared)
    kept = [i for i, name in enumerate(header) if name not in left]
    table = [[measure.chance if name == CHANCE else name for name in header]]
    table += [[row.label, *_cells(row.scores[part.name], measure)] for row in rows]
    return [[line[i] for i in kept] for line in table]


def extras_told(comparison: Comparison) -> tuple[str, ...]:
    """The optional columns in which there is something to print."""
    scored = [score for row in comparison.rows for score in row.scores.values()]
    cer = any(score.cer is not None for score in scored) and not comparison.measures[0].right
    chance = any(better(score.difference) is not None for score in scored)
    return tuple(name for name, told in ((CER, cer), (CHANCE, chance)) if told)


def better(difference: Difference | None) -> float | None:
    """The probability that the policy is better than the baseline, where it is known."""
    return None if difference is None else difference.better


def side_by_side(comparison: Comparison, number: Callable[[Number], str]) -> Table:
    """The form of Table 2 of Park et al. 2019: a row per network, schedule and policy, a column per test part.

    The cells are `number` of the word error rates; of classes there is a column for each measure.
    """
    shown = columns(comparison)
    header = (*leading_header(comparison), *(named(*column, comparison) for column in shown))
    return [header] + [
        (*leading, *(number(row.scores[part.name].shown(measure)[0]) for part, measure in shown))
        for leading, row in led(comparison)
    ]


def header_above(comparison: Comparison) -> list[list[str]]:
    """The two rows of a narrower header of `side_by_side`: parts over decodings or measures; one where there is one of these."""
    shown, leading = columns(comparison), leading_header(comparison)
    names = [part.plain for part, _ in shown]
    ways = [" ".join(filter(None, further(*column, comparison))) for column in shown]
    if not any(ways):
        return [[*leading, *names]]
    firsts = ["" if i and name == names[i - 1] else name for i, name in enumerate(names)]
    return [[*("" for _ in leading), *firsts], [*leading, *ways]]


def reported(comparison: Comparison) -> list[PartFacts]:
    """The test parts: all but those on which everything is chosen, unless there are no others."""
    parts = [part for part in comparison.parts if part.plain != CHOOSING]
    return parts or list(comparison.parts)


def columns(comparison: Comparison) -> list[tuple[PartFacts, Measure]]:
    """The test parts, each in every measure."""
    return [(part, measure) for part in reported(comparison) for measure in comparison.measures]


def further(part: PartFacts, measure: Measure, comparison: Comparison) -> tuple[str, str]:
    """What a column is told by beside its part: the decoding and the measure, where there are several."""
    several = len(comparison.measures) > 1
    return decoding(part, comparison.parts), measure.name if several else ""


def named(part: PartFacts, measure: Measure, comparison: Comparison) -> str:
    """A part's name with what else tells the column."""
    return " ".join(filter(None, (part.plain, *further(part, measure, comparison))))


def earned(comparison: Comparison) -> set[tuple[int, int]]:
    """The places (row, column), counted from 0 over `rows` and `columns`, of the scores that may be set in bold.

    That is the lowest WER of a system on a part (the highest accuracy), where Holm's corrected verdict calls it better
    than the baseline.
    """
    found = set()
    for x, (part, measure) in enumerate(columns(comparison)):
        counted = [row.scores[part.name].counted(measure) for row in comparison.rows]
        lowest: dict[str, float] = {}
        for row, (rate, _) in zip(comparison.rows, counted, strict=True):
            lowest[row.system] = min(rate.value, lowest.get(row.system, math.inf))
        for y, (row, (rate, difference)) in enumerate(zip(comparison.rows, counted, strict=True)):
            judged = difference is not None and difference.verdict == BETTER
            if judged and rate.value == lowest[row.system]:
                found.add((y, x))
    return found


def earned_in(
    comparison: Comparison, part: PartFacts, system: System | None, measure: Measure | None = None
) -> set[tuple[int, int]]:
    """The same places in the table of `scores`, counted from its header's first cell."""
    marked, shown = earned(comparison), columns(comparison)
    column = part, measure or comparison.measures[0]
    if column not in shown:
        return set()
    rows = [y for y, row in enumerate(comparison.rows) if system is None or row.system == system.name]
    return {(place, RATE) for place, y in enumerate(rows, 1) if (y, shown.index(column)) in marked}


def titled(part: PartFacts, parts: Sequence[PartFacts]) -> str:
    """A part's name, and how it was decoded where that was done in more than one way."""
    return " ".join(filter(None, (part.plain, decoding(part, parts))))


def decoding(part: PartFacts, parts: Sequence[PartFacts]) -> str:
    """How a part was decoded: with what, or without; empty where there is only one way."""
    if part.decoding:
        return f"with {NAMES.get(part.decoding, part.decoding)}"
    others = [NAMES.get(p.decoding, p.decoding) for p in parts if p.decoding and p.plain == part.name]
    return f"without {others[0]}" if len(others) == 1 else "plainly" if others else ""


def leading_header(comparison: Comparison) -> tuple[str, ...]:
    """What names a row: its policy, and before it the network and the schedule where there are several."""
    if len(comparison.systems) < 2:
        return ("policy",)
    told = any(system.told for system in comparison.systems)
    return ("network", "schedule", "policy") if told else ("network", "policy")


def led(comparison: Comparison) -> Iterator[tuple[tuple[str, ...], Row]]:
    """Every row and the cells that name it; network and schedule stand in the first row of a system alone."""
    count, before = len(leading_header(comparison)), None
    systems = {system.name: system for system in comparison.systems}
    for row in comparison.rows:
        names: tuple[str, ...] = ()
        if count > 1:
            system = systems[row.system]
            names = ("",) * (count - 1) if row.system == before else (system.short, system.told)[: count - 1]
        before = row.system
        yield (*names, row.label), row


def bounds(given: Number, sign: str = "") -> str:
    """The 95 % interval in brackets; nothing where there is none."""
    return "" if given.low is None else f" [{percent(given.low, sign)}, {percent(given.high, sign)}]"


def rate(given: Number) -> str:
    """A rate in percent with its interval."""
    return f"{percent(given.value)}{bounds(given)}"


def _cells(score: PartScore, measure: Measure) -> tuple[str, ...]:
    kinds = "/".join(f"{100 * kind:.1f}" for kind in score.kinds)
    value, told = score.shown(measure)
    shown = rate(value), percent(score.cer), kinds
    if told is None:
        return *shown, "", "", ""
    return *shown, f"{percent(told.value, '+')}{bounds(told, '+')}", chance(told), verdict(told)


def chance(difference: Difference) -> str:
    """The probability that the policy is better; nothing where it is not known."""
    share = difference.better
    if share is None:
        return ""
    return "<.01" if share < 0.01 else ">.99" if share > 0.99 else f"{share:.2f}"


def verdict(difference: Difference) -> str:
    """What may be said of a difference, and by which p after Holm's correction."""
    if difference.adjusted is None or difference.verdict is None:
        return "too few to say"
    if difference.verdict == NO_DIFFERENCE:
        return f"{NO_DIFFERENCE} (± {percent(difference.margin)})"
    shown = f"= {difference.adjusted:.3f}" if difference.adjusted >= 0.001 else "< 0.001"
    return f"{difference.verdict} (p {shown})"
