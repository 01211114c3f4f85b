"""The comparison as a LaTeX table in the form of Table 2 of Park et al. 2019; it takes the package booktabs."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from specaug.study.comparing.compare import Comparison
from specaug.study.stats.statistics import MIN_SEEDS
from specaug.study.tables.cells import (
    CER,
    bounds,
    columns,
    earned,
    header_above,
    leading_header,
    led,
    reported,
)
from specaug.study.tables.remarks import best, family, footer, origin, runs, seeds, sizes
from specaug.study.tables.text_table import percent, printable

ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "±": r"\(\pm\)",
    "\N{REPLACEMENT CHARACTER}": "?",
    **{sign: f"\\{sign}" for sign in "{}$&#_%"},
    **{
        sign: f"{{{sign}}}" for sign in "[*`'-,"
    },  # after \\ the first two are arguments, the others make ligatures
}
SPECIAL = re.compile(r"[\\~^<>|\"±\ufffd{}$&#_%\[*`']|-(?=-)|,(?=,)")


def as_latex(comparison: Comparison) -> str:
    """A `table` of the test parts, what its numbers are in the caption, and runs below; remarks follow in comments.

    The lowest rate of a system on a part is bold where the corrected verdict calls it better than the baseline.
    """
    leading = leading_header(comparison)
    note = [*origin(comparison), *runs(comparison)]
    rest = [line for line in footer(comparison) if line not in note]
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering\small\setlength{\tabcolsep}{4pt}",
        f"  \\caption{{{escaped(_caption(comparison))}}}",
        f"  \\begin{{tabular}}{{{'l' * len(leading)}{'r' * len(columns(comparison))}}}",
        r"    \toprule",
        *(f"    {line}" for line in (*_header(comparison), *_rows(comparison))),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"  \par\smallskip",
        r"  \begin{minipage}{\linewidth}\footnotesize\raggedright",
        *(f"    {escaped(line)}\\par" for line in note),
        r"  \end{minipage}",
        r"\end{table}",
        *(f"% {printable(line)}" for line in (*_characters(comparison), *rest)),
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """`text` as LaTeX prints it literally, on one line and without control characters."""
    return SPECIAL.sub(lambda found: ESCAPED[found[0]], printable(text))


def _caption(comparison: Comparison) -> str:
    what = " and ".join(measure.title for measure in comparison.measures)
    told = [f"{comparison.title}: {what} in percent by policy, mean over {seeds(comparison)}"]
    if max(len(row.seeds) for row in comparison.rows) >= MIN_SEEDS:
        told.append(f"in brackets 95 % intervals over seeds together with {sizes(reported(comparison))}")
    else:
        told.append("too few seeds for intervals and verdicts")
    if count := family(comparison):
        told.append(f"bold is {best(comparison)} (Holm, {count} compared in each part)")
    return f"{'; '.join(told)}."


def _header(comparison: Comparison) -> Iterator[str]:
    shown, left = columns(comparison), len(leading_header(comparison))
    above = header_above(comparison)
    if len(above) > 1:
        cells, rules, column = [""] * left, [], left + 1
        for name, group in groupby(part.plain for part, _ in shown):
            count = len(list(group))
            cells.append(f"\\multicolumn{{{count}}}{{c}}{{{escaped(name)}}}")
            rules.append(f"\\cmidrule(lr){{{column}-{column + count - 1}}}")
            column += count
        yield _line(cells)
        yield " ".join(rules)
    yield _line(map(escaped, above[-1]))
    yield r"\midrule"


def _rows(comparison: Comparison) -> Iterator[str]:
    shown, bold = columns(comparison), earned(comparison)
    for y, (leading, row) in enumerate(led(comparison)):
        if y and row.system != comparison.rows[y - 1].system:
            yield r"\addlinespace"
        rates = [row.scores[part.name].shown(measure)[0] for part, measure in shown]
        values = [percent(given.value) for given in rates]
        marked = [f"\\textbf{{{value}}}" if (y, x) in bold else value for x, value in enumerate(values)]
        yield _line([*map(escaped, leading), *marked])
        if any(map(bounds, rates)):
            yield _line([*("" for _ in leading), *(f"\\scriptsize{bounds(given)}" for given in rates)])


def _line(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _characters(comparison: Comparison) -> Iterator[str]:
    """The character error rates, for which the table has no room; of classes they say nothing."""
    if comparison.measures[0].right:
        return
    for row in comparison.rows:
        told = [(part.name, row.scores[part.name].cer) for part in comparison.parts]
        if rates := ", ".join(f"{percent(cer)} ({name})" for name, cer in told if cer is not None):
            yield f"{CER} of {' '.join(filter(None, (row.system, row.label)))}: {rates}"
