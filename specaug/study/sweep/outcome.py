"""What a finished sweep came to, in words: the best of the search, the winner of the confirm runs, how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

from specaug.study.comparing.compare import CHOOSING, Comparison, Row, compare
from specaug.study.sweep.diagnosis import said
from specaug.study.sweep.objective import POLICY
from specaug.study.sweep.progress import scored, standing
from specaug.study.tables import table

TOP = 5  # trials that are named


@dataclass(frozen=True)
class Winner:
    """The policy that the confirm runs name, on the part on which everything is chosen."""

    label: str
    confirmed: float  # WER on fresh seeds
    searched: float | None  # WER that the search saw; None for a policy that was not searched

    @property
    def bias(self) -> float | None:
        """By how much the search flattered it: what is picked for its score has a lucky score."""
        return None if self.searched is None else self.confirmed - self.searched


def outcome(study: optuna.Study, folders: Sequence[Path]) -> str:
    """The text below a sweep; `folders` are the finished runs of the confirm stage."""
    now = standing(study)
    lines = [f"{len(now.finished)} of {len(now.slots)} trials finished; the best on {CHOOSING}:"]
    lines += [f"  {place}. {scored(trial)}" for place, trial in enumerate(now.best[:TOP], 1)]
    lines += ["", *said(now.finished)]
    blocks = ["\n".join(lines)]
    if folders:
        compared = compare(folders)
        blocks += [table.as_text(compared).rstrip(), named(winner(study, compared), compared, folders)]
    return "\n\n".join(blocks) + "\n"


def winner(study: optuna.Study, compared: Comparison) -> Winner:
    """The policy with the lowest WER on dev over the confirm runs alone."""
    best = min(compared.rows, key=lambda row: row.scores[CHOOSING].wer.value)
    seen = [trial.value for trial in standing(study).finished if trial.user_attrs.get(POLICY) == best.label]
    return Winner(best.label, best.scores[CHOOSING].wer.value, seen[0] if seen else None)


def named(won: Winner, compared: Comparison, folders: Sequence[Path]) -> str:
    """The winner, how much the search flattered it, and what it is on the test parts against the known policies."""
    lines = [f"winner, by the confirm runs on {CHOOSING} alone: {won.label}, {100 * won.confirmed:.2f} %"]
    if won.searched is not None and won.bias is not None:
        lines.append(
            f"the search saw {100 * won.searched:.2f} %: too good by {100 * won.bias:.2f} points, as the best of many is"
        )
    others = [
        row.label for row in compared.rows if row.label in ("None", "LD") or row.label.startswith("LD x")
    ]
    for other in others:
        if other != won.label:
            against = compare(folders, other)
            row = next(row for row in against.rows if row.label == won.label)
            lines += [
                f"against {other} on {part.name}: {difference(row, part.name)}" for part in against.parts
            ]
    return "\n".join(lines)


def difference(row: Row, part: str) -> str:
    """A difference in points with its interval and its verdict."""
    told = row.scores[part].difference
    if told is None:
        return "it is the same"
    if math.isnan(told.value):
        return "they have no seed in common"
    interval = (
        "" if told.low is None or told.high is None else f" [{100 * told.low:+.1f}, {100 * told.high:+.1f}]"
    )
    return f"{100 * told.value:+.1f}{interval} {told.verdict or ''}".rstrip()
