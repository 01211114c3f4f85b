"""The comparison as values, one line per part, system and policy: for spreadsheets and programs."""

import json
import math
from collections.abc import Iterator

from specaug.study.comparing.compare import Comparison, PartScore, Row
from specaug.study.comparing.measures import Measure
from specaug.study.comparing.systems import System
from specaug.study.stats.statistics import Difference
from specaug.study.tables.cells import better
from specaug.study.tables.plain_table import comma_separated
from specaug.study.tables.remarks import footer, headline
from specaug.study.tables.text_table import exact, printable

COLUMNS = (
    "part policy seeds folds runs masked_cells masked_frames masked_channels wer wer_low wer_high "
    "substitutions deletions insertions difference difference_low difference_high p p_holm verdict "
    "cer p_better baseline system network arguments parameters schedule corpus run_ids begun labelled"
)


RIGHT = (  # of accuracy and mAP, which classes have as well, after these
    *("", "_low", "_high", "_difference", "_difference_low", "_difference_high"),
    *("_p", "_p_holm", "_verdict", "_p_better"),
)


def as_tsv(comparison: Comparison) -> str:
    """A line per part and policy under one header, rates in percent; lines that start with # are remarks."""
    lines = [f"# {printable(headline(comparison))}", *("\t".join(row) for row in _table(comparison))]
    return "\n".join(lines + [f"# {printable(line)}" for line in footer(comparison)]) + "\n"


def as_csv(comparison: Comparison) -> str:
    """The same lines separated by commas (RFC 4180), and nothing else: every line names its corpus and its runs."""
    return comma_separated(_table(comparison))


def _table(comparison: Comparison) -> Iterator[list[str]]:
    systems = {system.name: system for system in comparison.systems}
    right = [measure for measure in comparison.measures if measure.right]
    yield [*COLUMNS.split(), *(f"{m.key}{told}" for m in right for told in RIGHT)]
    for part in comparison.parts:
        for row in comparison.rows:
            values = [*_scores(row, part.name), *_origin(comparison, row, systems[row.system])]
            values += [cell for measure in right for cell in _right(row.scores[part.name], measure)]
            yield [printable(value) for value in values]


def _scores(row: Row, part: str) -> list[str]:
    score, masked = row.scores[part], row.masked
    difference = score.difference or Difference(math.nan)
    rates = (masked.cells, masked.frames, masked.channels, score.wer.value, score.wer.low, score.wer.high)
    differences = (difference.value, difference.low, difference.high)
    return [
        part,
        row.label,
        *(str(len(given)) for given in (row.seeds, row.folds, row.runs)),
        *(exact(rate, 100) for rate in (*rates, *score.kinds, *differences)),
        *(exact(p) for p in (difference.p, difference.adjusted)),
        difference.verdict or "",
        exact(score.cer, 100),
        exact(better(score.difference)),
    ]


def _right(score: PartScore, measure: Measure) -> Iterator[str]:
    rate, difference = score.shown(measure)
    told = difference or Difference(math.nan)
    for share in (rate.value, rate.low, rate.high, told.value, told.low, told.high):
        yield exact(share, 100)
    yield from (exact(told.p), exact(told.adjusted), told.verdict or "", exact(better(difference)))


def _origin(comparison: Comparison, row: Row, system: System) -> list[str]:
    return [
        comparison.baseline,
        row.system,
        system.network,
        json.dumps(system.arguments, ensure_ascii=False),
        str(system.parameters),
        system.schedule,
        comparison.title,
        " ".join(row.runs),
        system.begun,
        str(system.settings.get("labelled", 1.0)),
    ]
