"""Every policy against every other one, or every system, or what a policy gains with each of them."""

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
    """A row a pair; the column of the network is left out where policies of one are compared, that of measures where there is one."""
    what, shared = ("policy", "network") if found.kind == "policies" else ("network", "policy")
    one = {
        "network": found.kind == "policies" and len({pair.shared for pair in found.pairs}) == 1,
        "measure": len(found.measures) == 1,
    }
    kept = [place for place, name in enumerate(COLUMNS) if not one.get(name)]
    own = {"network": shared, "policy": what, "P(<)": found.measures[0].chance}
    header = [own.get(name, name) for name in COLUMNS]
    rows = [header, *map(_cells, found.pairs)]
    left = kept.index(COLUMNS.index("seeds"))
    table = [[row[place] for place in kept] for row in rows]
    return Plain(
        f"{found.title}: {_subject(found)} in pairs, points of {_names(found, 'and')}",
        table,
        left,
        _remarks(found),
    )


def _subject(found: Paired) -> str:
    gains = f"gains over {found.baseline} with two networks" if found.kind == "gains" else ""
    return gains or found.kind


def _told(found: Paired, name: str) -> str:
    """What a difference is the difference of."""
    if found.kind == "gains":
        return (
            f"the {name} of a policy minus that of {found.baseline} with a network, less the same with the other network, "
            f"on the same seeds and utterances: what augmentation gains more with the first"
        )
    one = "network" if found.kind == "networks" else "policy"
    return f"the {name} of a {one} minus that of the other on the same seeds and utterances"


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
        f"difference: {_told(found, name)}, {measure.better}; low, high: 95 % over "
        f"seeds together with speakers (or utterances, where there is one speaker); {measure.chance}: how confident "
        f"one may be of a {'higher' if measure.right else 'lower'} {name}, by that pair alone.",
        f"Verdicts are corrected (Holm) for all pairs that can be judged in a part{several}, {found.family} at most: more than "
        "where policies are compared with the baseline alone, so that a difference must be larger to be seen. Too few "
        f"to say: fewer than {MIN_SEEDS} common seeds, or {MIN_UNITS} speakers or utterances, or the same errors in "
        "all of them.",
        *left_out(found.unfinished, found.notes),
    ]
