"""What stands in the tables of words and confusions: rows of cells, the header first."""

from collections.abc import Sequence
from typing import Any

from specaug.study.comparing.words import WAYS, Changed, Edit, Finding
from specaug.study.plural import counted
from specaug.study.tables.text_table import Table

Told = tuple[str, Sequence[tuple[str, str]]]  # a line, and under it named texts

DELETED, INSERTED = "(deleted)", "(inserted)"

COLUMNS = (
    "part policy baseline kind said written occurrences errors_baseline errors_policy net net_least net_most "
    "agreeing seeds chance example example_seed reference hypothesis_baseline hypothesis_policy"
)


def heading(change: Changed) -> str:
    """What stands above the tables of a part and a policy."""
    seeds = counted(len(change.seeds), "seed")
    return f"{change.part}: words that {change.policy} writes otherwise than {change.baseline}, {seeds}"


def words(change: Changed) -> Table:
    """The words of the references that are wrong more or less often."""
    header = ("word", "said", *_counted_header(change))
    return [header] + [(w.entry, f"{change.said[w.entry]:,}", *_counted(w, change)) for w in change.words]


def confusions(change: Changed) -> Table:
    """What is written for what more or less often."""
    header = ("said", "written", *_counted_header(change))
    return [header] + [(*shown(swap.entry), *_counted(swap, change)) for swap in change.confusions]


def examples(change: Changed) -> list[Told]:
    """For each confusion where its example is, and under their names what was said and what both policies wrote."""
    told: list[Told] = []
    for swap, example in zip(change.confusions, change.examples, strict=True):
        if example:
            texts = (
                ("said", example.reference),
                (change.baseline, example.baseline),
                (change.policy, example.policy),
            )
            where = f"{' > '.join(shown(swap.entry))}: {example.id}, seed {example.seed}"
            told.append((one_line(where), [(one_line(name), one_line(text)) for name, text in texts]))
    return told


def one_line(text: str) -> str:
    """`text` with single spaces, and no end of line."""
    return " ".join(text.split())


def shown(edit: Edit) -> tuple[str, str]:
    """The two words of a confusion, with a name for the one that is not there."""
    return edit[0] or INSERTED, edit[1] or DELETED


def about(changes: Sequence[Changed]) -> list[str]:
    """What the columns are."""
    if not changes:
        return []
    seeds = sorted({len(change.seeds) for change in changes})[-1]
    return [
        "Words: errors in all utterances, the mean over seeds; net: how many more than with the baseline, the least "
        "and the most of any seed, and in how many seeds it has this sign.",
        "chance: the share of the ways to swap the two policies seed by seed in which an entry of the table that "
        f"moved no more than this one moves as much; {counted(seeds, 'seed')} cannot give less than "
        f"{max(2.0 ** (1 - seeds), 1 / WAYS):.3f}. "
        "It is about these utterances; other speakers may differ.",
        "A confusion is as one alignment of fewest errors has it; there may be others.",
    ]


def values(change: Changed) -> list[list[str]]:
    """The rows for programs, under `COLUMNS`."""
    start = [change.part, change.policy, change.baseline]
    rows = [
        [*start, "word", word.entry, "", str(change.said[word.entry]), *_numbers(word, change), *[""] * 5]
        for word in change.words
    ]
    for swap, example in zip(change.confusions, change.examples, strict=True):
        told = [""] * 5
        if example:
            told = [example.id, str(example.seed), example.reference, example.baseline, example.policy]
        rows.append([*start, "confusion", *swap.entry, "", *_numbers(swap, change), *told])
    return rows


def _counted_header(change: Changed) -> tuple[str, ...]:
    return change.baseline, change.policy, "net [least, most]", "seeds", "chance"


def _counted(finding: Finding[Any], change: Changed) -> tuple[str, ...]:
    return (
        f"{finding.baseline:.1f}",
        f"{finding.policy:.1f}",
        f"{finding.mean:+.1f} [{min(finding.net):+}, {max(finding.net):+}]",
        f"{finding.agreeing} of {len(change.seeds)}",
        f"{finding.chance:.3f}",
    )


def _numbers(finding: Finding[Any], change: Changed) -> list[str]:
    counts = finding.baseline, finding.policy, finding.mean, min(finding.net), max(finding.net)
    told = (*counts, finding.agreeing, len(change.seeds), finding.chance)
    return [f"{value:.6g}" for value in told]
