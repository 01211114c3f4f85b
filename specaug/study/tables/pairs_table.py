"""Every policy against every other one, or every system, for those to whom the baseline is not the question."""

from specaug.study.comparing.pairs import Pair, Paired
from specaug.study.stats.statistics import MIN_SEEDS, MIN_UNITS
from specaug.study.tables.cells import chance, verdict
from specaug.study.tables.plain_table import Plain
from specaug.study.tables.remarks import left_out
from specaug.study.tables.text_table import percent

COLUMNS = (
    *("part", "measure", "network", "policy", "minus"),
    *("seeds", "difference", "low", "high", "P(<)", "verdict"),
)


def plain(found: Paired) -> Plain:
    """A row a pair; the columns of networks and of measures are left out where there is one."""
    what, shared = ("network", "policy") if found.systems else ("policy", "network")
    one = {
        "network": len({pair.shared for pair in found.pairs}) == 1,
        "measure": len(found.measures) == 1,
    }
    kept = [place for place, name in enumerate(COLUMNS) if not one.get(name)]
    own = {"network": shared, "policy": what, "P(<)": found.measures[0].chance}
    header = [own.get(name, name) for name in COLUMNS]
    rows = [header, *map(_cells, found.pairs)]
    left = kept.index(COLUMNS.index("seeds"))
    table = [[row[place] for place in kept] for row in rows]
    return Plain(
        f"{found.title}: {'networks' if found.systems else 'policies'} in pairs, points of {_names(found, 'and')}",
        table,
        left,
        _remarks(found),
    )


def _names(found: Paired, word: str) -> str:
    return f" {word} ".join(measure.name for measure in found.measures)


def _cells(pair: Pair) -> tuple[str, ...]:
    told = pair.measure.difference(pair.difference)
    bounds = [percent(bound, "+") for bound in (told.value, told.low, told.high)]
    names = pair.part, pair.measure.name, pair.shared, pair.one, pair.other, str(pair.seeds)
    return *names, *bounds, chance(told), verdict(told)


def _remarks(found: Paired) -> list[str]:
    measure, name = found.measures[0], _names(found, "or")
    several = f" by each of {_names(found, 'and')}" if len(found.measures) > 1 else ""
    return [
        f"difference: the {name} of a {'network' if found.systems else 'policy'} minus that of the other on the same seeds and utterances, "
        f"{measure.better}; low, high: 95 % over "
        f"seeds together with speakers (or utterances, where there is one speaker); {measure.chance}: how confident "
        f"one may be of a {'higher' if measure.right else 'lower'} {name}, by that pair alone.",
        f"Verdicts are corrected (Holm) for all pairs that can be judged in a part{several}, {found.family} at most: more than "
        "where policies are compared with the baseline alone, so that a difference must be larger to be seen. Too few "
        f"to say: fewer than {MIN_SEEDS} common seeds, or {MIN_UNITS} speakers or utterances, or the same errors in "
        "all of them.",
        *left_out(found.unfinished, found.notes),
    ]
