"""Every policy against every other one, for those to whom the baseline is not the question."""

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
    rows = [COLUMNS, *map(_cells, found.pairs)]
    left = kept.index(COLUMNS.index("seeds"))
    table = [[row[place] for place in kept] for row in rows]
    return Plain(f"{found.title}: policies in pairs, points of WER", table, left, _remarks(found))


def _cells(pair: Pair) -> tuple[str, ...]:
    told = pair.difference
    bounds = [percent(bound, "+") for bound in (told.value, told.low, told.high)]
    names = pair.part, pair.system, pair.policy, pair.other, str(pair.seeds)
    return *names, *bounds, chance(told), verdict(told)


def _remarks(found: Paired) -> list[str]:
    return [
        "difference: the WER of a policy minus that of the other on the same seeds and utterances, below 0 are fewer errors; low, high: 95 % over "
        "seeds together with speakers (or utterances, where there is one speaker); P(<): how confident one may be of "
        "a lower WER, by that pair alone.",
        f"Verdicts are corrected (Holm) for all pairs that can be judged in a part, {found.family} at most: more than "
        "where policies are compared with the baseline alone, so that a difference must be larger to be seen. Too few "
        f"to say: fewer than {MIN_SEEDS} common seeds, or {MIN_UNITS} speakers or utterances.",
        *left_out(found.unfinished, found.notes),
    ]
