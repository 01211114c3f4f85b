"""Every policy against every other one, for those to whom the baseline is not the question."""

from specaug.study.comparing.measures import Measure
from specaug.study.comparing.pairs import Pair, Paired
from specaug.study.stats.statistics import MIN_SEEDS, MIN_UNITS
from specaug.study.tables.cells import chance, verdict
from specaug.study.tables.plain_table import Plain
from specaug.study.tables.remarks import left_out
from specaug.study.tables.text_table import percent

COLUMNS = ("part", "network", "policy", "minus", "seeds", "difference", "low", "high", "P(<)", "verdict")


def plain(found: Paired) -> Plain:
    """A row a pair; the column of networks is left out where there is one."""
    several = len({pair.system for pair in found.pairs}) > 1
    kept = [place for place, name in enumerate(COLUMNS) if several or name != "network"]
    header = [found.measure.chance if name == "P(<)" else name for name in COLUMNS]
    rows = [header, *(_cells(pair, found.measure) for pair in found.pairs)]
    left = kept.index(COLUMNS.index("seeds"))
    table = [[row[place] for place in kept] for row in rows]
    return Plain(
        f"{found.title}: policies in pairs, points of {found.measure.name}", table, left, _remarks(found)
    )


def _cells(pair: Pair, measure: Measure) -> tuple[str, ...]:
    told = measure.difference(pair.difference)
    bounds = [percent(bound, "+") for bound in (told.value, told.low, told.high)]
    names = pair.part, pair.system, pair.policy, pair.other, str(pair.seeds)
    return *names, *bounds, chance(told), verdict(told)


def _remarks(found: Paired) -> list[str]:
    measure = found.measure
    return [
        f"difference: the {measure.name} of a policy minus that of the other on the same seeds and utterances, "
        f"{measure.better}; low, high: 95 % over "
        f"seeds together with speakers (or utterances, where there is one speaker); {measure.chance}: how confident "
        f"one may be of a {'higher' if measure.right else 'lower'} {measure.name}, by that pair alone.",
        f"Verdicts are corrected (Holm) for all pairs that can be judged in a part, {found.family} at most: more than "
        "where policies are compared with the baseline alone, so that a difference must be larger to be seen. Too few "
        f"to say: fewer than {MIN_SEEDS} common seeds, or {MIN_UNITS} speakers or utterances.",
        *left_out(found.unfinished, found.notes),
    ]
