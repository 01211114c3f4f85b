"""What a finished sweep came to, in words: the best of the search, the winner of the confirm runs, how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

from specaug.study.comparing.compare import CHOOSING, Comparison, Row, compare
from specaug.study.comparing.measures import CER, Measure
from specaug.study.stats.statistics import Estimate
from specaug.study.sweep.book import Plan
from specaug.study.sweep.diagnosis import said
from specaug.study.sweep.metric import MEASURED, Metric
from specaug.study.sweep.progress import Standing, standing
from specaug.study.sweep.scores import Score
from specaug.study.sweep.space import point_of
from specaug.study.tables import table

TOP = 5  # policies that are named


@dataclass(frozen=True)
class Winner:
    """The policy that the confirm runs name, on the part on which everything is chosen."""

    label: str
    confirmed: Estimate  # the error rate, on fresh seeds
    searched: float | None  # what the search saw; None for a policy that it did not come upon
    incomplete: Sequence[str]  # policies without all the seeds, among which none was chosen
    metric: Metric = MEASURED["wer"]

    @property
    def bias(self) -> float | None:
        """By how much the search flattered it: what is picked for its score has a lucky score."""
        return None if self.searched is None else self.confirmed.value - self.searched


def outcome(study: optuna.Study, plan: Plan, folders: Sequence[Path]) -> str:
    """The text below a sweep; `folders` are the finished runs of the confirm stage."""
    now = standing(study)
    again = len(now.finished) - len(now.scores)
    repeated = f" ({again} of them on policies that were tried before, with fresh seeds)" if again else ""
    lines = [f"{len(now.finished)} of {len(now.slots)} trials finished{repeated}; the best on {CHOOSING}:"]
    lines += [f"  {place}. {score.said()}" for place, score in enumerate(now.scores[:TOP], 1)]
    lines += ["", *said(now.finished, now.metric)]
    blocks = ["\n".join(lines)]
    if folders:
        compared = compare(folders)
        blocks += [table.as_text(compared).rstrip(), named(winner(now, plan, compared), compared, folders)]
    return "\n\n".join(blocks) + "\n"


def winner(now: Standing, plan: Plan, compared: Comparison) -> Winner:
    """The policy with the lowest error rate on dev over the confirm runs alone, among those with all the seeds."""
    most = max(len(row.seeds) for row in compared.rows)
    whole = [row for row in compared.rows if len(row.seeds) == most]
    rates = {row.label: rate(row, now.metric) for row in whole}
    best = min(rates, key=lambda label: rates[label].value)
    left = [row.label for row in compared.rows if row not in whole]
    return Winner(best, rates[best], searched(plan, now.scores).get(best), left, now.metric)


def rate(row: Row, metric: Metric) -> Estimate:
    """A policy's error rate on the part on which everything is chosen."""
    score = row.scores[CHOOSING]
    if metric.measure == CER:
        assert score.cer is not None  # runs have both
        return Estimate(score.cer)
    return score.counted(metric.measure)[0]


def searched(plan: Plan, scores: Sequence[Score]) -> dict[str, float]:
    """What the search saw of policies, by the labels that they have in the confirm stage."""
    seen = {score.policy: score.value for score in scores}
    for choice in plan.sweep.confirm.policies if plan.sweep else ():
        scaled = plan.recipe.scaled(choice)
        point = point_of(plan.sweep, scaled) if plan.sweep else ""
        seen |= {scaled.resolved().label: score.value for score in scores if score.params == point}
    return seen


def named(won: Winner, compared: Comparison, folders: Sequence[Path]) -> str:
    """The winner, how much the search flattered it, and what it is on the test parts against the known policies."""
    metric = won.metric
    name = f"{metric.name} " if metric.right else ""
    shown = percent(metric.measure.rate(won.confirmed))
    lines = [f"winner, by the confirm runs on {CHOOSING} alone: {won.label}, {name}{shown}"]
    lines += [f"{label} has not run on all the seeds, and was not chosen from" for label in won.incomplete]
    if won.searched is not None and won.bias is not None:
        flattered = f"too good by {100 * won.bias:.2f} points, as the best of many is"
        side = "below" if metric.right else "above"
        modest = f"not too good, {-100 * won.bias:.2f} points {side} the confirm runs"
        saw = f"{metric.percent(won.searched):.2f} %"
        lines.append(f"the search saw {saw}: {flattered if won.bias > 0 else modest}")
    others = [
        row.label for row in compared.rows if row.label in ("None", "LD") or row.label.startswith("LD x")
    ]
    for other in others:
        if other != won.label:
            against = compare(folders, other)
            row = next(row for row in against.rows if row.label == won.label)
            measure = metric.measure if metric.measure in against.measures else against.measures[0]
            lines += [
                f"against {other} on {part.name}: {difference(row, part.name, measure)}"
                for part in against.parts
            ]
    return "\n".join(lines)


def percent(found: Estimate) -> str:
    """A rate in percent, with its interval where there is one."""
    if found.low is None or found.high is None:
        return f"{100 * found.value:.2f} %"
    return f"{100 * found.value:.2f} % [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def difference(row: Row, part: str, measure: Measure) -> str:
    """A difference in points with its interval and its verdict."""
    told = row.scores[part].shown(measure)[1]
    if told is None:
        return "it is the same"
    if math.isnan(told.value):
        return "they have no seed in common"
    interval = (
        "" if told.low is None or told.high is None else f" [{100 * told.low:+.1f}, {100 * told.high:+.1f}]"
    )
    return f"{100 * told.value:+.1f}{interval} {told.verdict or ''}".rstrip()
