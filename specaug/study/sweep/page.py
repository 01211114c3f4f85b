"""The page about a sweep: one HTML file that needs nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import optuna
from optuna.trial import TrialState

from specaug.study.comparing.compare import Comparison, compare
from specaug.study.comparing.measures import MAP
from specaug.study.page import rates
from specaug.study.page.theme import Table, captioned, division, put, tabled, whole
from specaug.study.sweep import diagnosis
from specaug.study.sweep.book import Plan
from specaug.study.sweep.findings import FEWEST, Findings, drawn, findings
from specaug.study.sweep.importance import SHUFFLES, Importance
from specaug.study.sweep.options import HIDING, Axis
from specaug.study.sweep.outcome import named, winner
from specaug.study.sweep.samplers import sampler_name
from specaug.study.sweep.scores import Score
from specaug.study.sweep.slots import SLOT, why
from specaug.study.tables.table import SHORT

TOP = 10  # policies in the table


def report(
    study: optuna.Study, plan: Plan, folders: Sequence[Path], out: Path, found: Findings | None = None
) -> Path:
    """The page, written; `folders` are the finished runs of the confirm stage. Raises UserError."""
    found = found or findings(study, plan)
    confirmed = compare(folders) if folders else None
    return put(page(found, confirmed, folders), out)


def page(found: Findings, compared: Comparison | None, folders: Sequence[Path]) -> str:
    """The page's HTML."""
    shown = {name: division(name, figure) for name, figure in drawn(found).items()}
    title = f"Sweep {found.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        *head(found, compared),
        "<h2>History</h2>",
        *captioned(
            shown["history"],
            f"Each dot is a finished trial, the line the best {found.metric.name} so far; orange: policies that were "
            "tried by name, before anything was searched.",
        ),
        *answers(found, shown),
        *matters(found, shown),
        f"<h2>Best {min(TOP, len(found.now.scores))} policies</h2>",
        tabled(best(found)),
        *confirmed(found, compared, folders),
        "<h2>Would pruning be safe here?</h2>",
        *(f"<p>{escape(line)}.</p>" for line in diagnosis.said(found.now.finished, found.metric)),
        *captioned(shown.get("pruning", ""), "How each epoch orders the trials, compared with the end."),
    ]
    return whole(title, parts)


def head(found: Findings, compared: Comparison | None) -> list[str]:
    """What was searched, how, and how far it is."""
    sweep, now, metric = found.sweep, found.now, found.metric
    seeds, over = ", ".join(map(str, sweep.seeds)), "mean" if metric.measure == MAP else "pooled"
    done = [slot.done for slot in now.slots if slot.done is not None]
    pruned = sum(trial.state == TrialState.PRUNED for trial in done)
    open_ = len(now.slots) - now.over
    count = f"{len(now.finished)} finished, {pruned} pruned, {len(now.failed)} failed" + (
        f", {open_} under way or waiting" if open_ else ""
    )
    facts = {
        "corpus": compared.title if compared else found.corpus,
        "experiment": " ".join([sweep.experiment, *sweep.overrides]),
        "network": found.plan.recipe.network.path,
        "maximised"
        if metric.right
        else "minimised": f"{metric.name} on {sweep.part}, {over} over seeds {seeds}",
        "trials": f"{len(now.slots)}: {count}",
        "sampler": f"{sampler_name(sweep)}, seed {sweep.seed}; pruner {sweep.pruner}",
        "around": f"policy {sweep.policy.title()}",
    }
    space = [["searched", "values"]] + [
        [escape(symbol), escape(spelled(symbol, axis))] for symbol, axis in sweep.space.items()
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return [f'<table class="facts">{rows}</table>', tabled(space, "facts"), *failures(found)]


def spelled(symbol: str, axis: Axis) -> str:
    """What an axis holds, in words."""
    if axis.hides is not None:
        return f"follows: the width that hides {axis.hides:.0%} of the {HIDING[symbol]}"
    if axis.choices:
        said = " or ".join(map(str, axis.choices))
    else:
        low, high = axis.ends
        step = f" in steps of {axis.step}" if axis.step else ""
        said = f"{low} to {high}{step}{', as its logarithm' if axis.log else ''}"
    return f"{said}; only where {axis.when}" if axis.when else said


def failures(found: Findings) -> Iterator[str]:
    """Why trials failed."""
    for trial in found.now.failed:
        line = f"trial {trial.user_attrs[SLOT]} failed {why(trial)}"
        yield f'<p class="soft">{escape(line)}</p>'


def answers(found: Findings, shown: Mapping[str, str]) -> list[str]:
    """How the error rate answers to each symbol."""
    title = f"<h2>{found.metric.name} by each value</h2>"
    if not found.curves:
        few = f"Nothing can be said of fewer than {FEWEST} finished trials."
        return [title, f"<p>{few}</p>"]
    caption = (
        "Line and band: mean and 95 % of a Gaussian process over the finished trials, on average over the other "
        "values that were tried, where the symbol varies. The band is of that average, not of single trials "
        "(dots). Where a flat line fits into the band, no effect can be told."
    )
    drawings = "".join(f"<figure>{shown[f'response to {curve.symbol}']}</figure>" for curve in found.curves)
    return [title, f'<p class="soft">{caption}</p>', f'<div class="grid">{drawings}</div>']


def matters(found: Findings, shown: Mapping[str, str]) -> list[str]:
    """Which symbols matter, and what chance would make of it."""
    if not found.important:
        return []
    caption = (
        "By what factor the error of predicting each trial from all others grows when its value is exchanged for "
        f"another trial's. Orange: 95 % of what {SHUFFLES} shuffles of what the other symbols leave unexplained give "
        "lies below. Each symbol is judged alone: of twenty without effect, one is seen by chance."
    )
    header = ["symbol", "error times", "chance, 95 %", "p", ""]
    rows = [[*measured(one), "an effect" if one.seen else "no effect seen"] for one in found.important]
    return ["<h2>What matters</h2>", *captioned(shown["importance"], caption), tabled([header, *rows])]


def measured(one: Importance) -> list[str]:
    """The numbers of an importance."""
    return [escape(one.symbol), f"{one.factor:.2f}", f"{one.chance:.2f}", f"{one.p:.3f}"]


def best(found: Findings) -> Table:
    """The best policies."""
    header = ["policy", f"{found.metric.name}, %", "how sure", "trials", "hidden, %", "seconds", "runs"]
    return [header] + [score_row(score) for score in found.now.scores[:TOP]]


def score_row(score: Score) -> list[str]:
    """A policy as a row of the table."""
    runs = score.runs
    hidden = "" if score.masked is None else f"{100 * score.masked:.1f}"
    return [
        escape(score.policy),
        f"{score.metric.percent(score.value):.2f}",
        score.spread().strip() or "one run",
        str(len(score.trials)),
        hidden,
        f"{sum(one['seconds'] for one in runs):.0f}",
        escape(" ".join(one["run"][:SHORT] for one in runs)),
    ]


def confirmed(found: Findings, compared: Comparison | None, folders: Sequence[Path]) -> list[str]:
    """The confirm stage: who won, and the comparison."""
    title = "<h2>Confirmed on fresh seeds</h2>"
    if compared is None:
        return [title, "<p>No run confirms the search yet; what it found best is likely to be flattered.</p>"]
    lines = named(winner(found.now, found.plan, compared), compared, folders).splitlines()
    said = [f"<p>{escape(line)}</p>" for line in lines]
    return [title, *said, *rates.tables(compared), rates.remarks(compared)]
