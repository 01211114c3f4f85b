"""The page about pretrainings alone: nothing was recognised, so there is nothing to compare."""

from collections.abc import Sequence
from html import escape

from specaug.study.comparing.starts import called
from specaug.study.page.pretrainings import Made, told_of
from specaug.study.page.rates import listed
from specaug.study.page.theme import whole
from specaug.study.plural import counted
from specaug.study.pretraining.results import Pretrainings, PretrainResult
from specaug.study.tables.remarks import left_out


def page(found: Pretrainings) -> str:
    """The page's HTML. Raises UserError where a recipe or a run's curves cannot be read."""
    names = called({one.start: one.content for one in found.finished})
    told = "\n".join(told_of(Made.of(names[one.start], one.folder) for one in found.finished))
    section = f'<section id="pretraining"><h2>Pretraining</h2>\n{told}</section>'
    title = "; ".join(dict.fromkeys(one.heading for one in found.finished))
    remarks = left_out(found.unfinished, [])
    return whole(title, [head(title, found.finished), section, *([listed(remarks)] if remarks else [])])


def head(title: str, results: Sequence[PretrainResult]) -> str:
    """What was pretrained, in a title and a line."""
    facts = [
        "pretraining alone, nothing was recognised",
        counted(len({one.seed for one in results}), "seed"),
        counted(len(results), "run"),
        *dict.fromkeys(
            f"{_short(one.objective)} with {_short(one.encoder)}, {one.parameters:,} parameters"
            for one in results
        ),
    ]
    line = escape(" · ".join(facts))
    return f'<h1>{escape(title)}</h1><p class="soft">{line}</p>'


def _short(path: str) -> str:
    return path.rpartition(".")[2]
