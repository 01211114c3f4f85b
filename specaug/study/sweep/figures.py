"""What a sweep found, as figures: for a page, for a dashboard, for W&B."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go
from optuna.trial import FrozenTrial

from specaug.study.page import ticks
from specaug.study.page.theme import BLUE, GREY, ORANGE, plain
from specaug.study.sweep.diagnosis import SAFE, Agreement
from specaug.study.sweep.importance import Importance
from specaug.study.sweep.metric import Metric
from specaug.study.sweep.objective import POLICY
from specaug.study.sweep.options import Axis
from specaug.study.sweep.response import Curve, named
from specaug.study.sweep.slots import SLOT

FEW = 9  # whole numbers that are all written below an axis
VEIL = "rgba(61, 126, 194, 0.22)"


def hovers(trials: Sequence[FrozenTrial], metric: Metric) -> list[str]:
    """What is said of each trial under the pointer."""
    return [
        f"trial {trial.user_attrs[SLOT]}: {metric.name} {rate:.2f} %<br>"
        f"{escape(str(trial.user_attrs.get(POLICY, '')))}"
        for trial, rate in zip(trials, rates_of(trials, metric), strict=True)
    ]


def rates_of(trials: Sequence[FrozenTrial], metric: Metric) -> list[float]:
    """The trials' values in percent, as they are printed."""
    return [metric.percent(trial.value or 0.0) for trial in trials]


def dots(trials: Sequence[FrozenTrial], x: Sequence[Any], metric: Metric, colour: str = GREY) -> Any:
    """The trials as dots, at the places that are given."""
    look = {"color": colour, "size": 7, "opacity": 0.75}
    told = hovers(trials, metric)
    return go.Scatter(
        x=list(x), y=rates_of(trials, metric), mode="markers", marker=look, text=told, hoverinfo="text"
    )


def history(finished: Sequence[FrozenTrial], first: Mapping[int, str], metric: Metric) -> Any:
    """The error rate of each trial by its slot, the best so far, and the first policies by name."""
    trials = sorted(finished, key=lambda trial: trial.user_attrs[SLOT])
    slots = [trial.user_attrs[SLOT] for trial in trials]
    rates = rates_of(trials, metric)
    best = list(accumulate(rates, max if metric.right else min))
    known = [trial for trial in trials if trial.user_attrs[SLOT] in first]
    line = {"color": BLUE, "width": 2, "shape": "hv"}
    traces = [
        go.Scatter(x=slots, y=best, mode="lines", line=line, hoverinfo="skip", name="best so far"),
        dots(trials, slots, metric),
        dots(known, [trial.user_attrs[SLOT] for trial in known], metric, ORANGE),
    ]
    names = [
        {
            "x": trial.user_attrs[SLOT],
            "y": metric.percent(trial.value or 0.0),
            "text": escape(first[trial.user_attrs[SLOT]]),
            "textangle": -90,
            "showarrow": False,
            "yanchor": "bottom",
            "yshift": 7,
            "font": {"size": 11},
        }
        for trial in known
    ]
    room = 0.08 * (max(rates) - min(rates)) or 1.0
    top = max([max(rates), *(one["y"] + 3 * room for one in names)]) + room  # for the names
    figure = plain(traces, "trial", f"{metric.name} on dev, %", 340, annotations=names)
    figure.update_xaxes(tickvals=ticks.whole(min(slots), max(slots)))
    return figure.update_yaxes(range=[min(rates) - room, top])


def response(curve: Curve, axis: Axis, trials: Sequence[FrozenTrial], metric: Metric) -> Any:
    """The error rate by one symbol: the curve in its band, and the trials."""
    there = [trial for trial in trials if curve.symbol in trial.params]
    even = bool(axis.choices)  # choices stand side by side
    places = [str(value) if even else value for value in curve.values]
    at = [trial.params[curve.symbol] for trial in there]
    up, down = curve.high - curve.mean, curve.mean - curve.low
    told = [
        f"{curve.symbol} = {escape(str(value))}: {mean:.2f} % [{low:.2f}, {high:.2f}]"
        for value, mean, low, high in zip(
            [f"{v:.4g}" if isinstance(v, float) else v for v in curve.values],
            curve.mean,
            curve.low,
            curve.high,
            strict=True,
        )
    ]
    joined = "markers" if named(axis) else "lines+markers"
    line = {"color": BLUE, "width": 2}
    mean = go.Scatter(
        x=places,
        y=curve.mean.tolist(),
        mode=joined,
        line=line,
        marker={"size": 4},
        text=told,
        hoverinfo="text",
    )
    if named(axis):
        mean.error_y = {"array": up.tolist(), "arrayminus": down.tolist(), "color": BLUE}
        band = []
    else:
        edge = {"x": places, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        low = go.Scatter(y=curve.low.tolist(), **edge)
        band = [low, go.Scatter(y=curve.high.tolist(), fill="tonexty", fillcolor=VEIL, **edge)]
    raw = dots(there, [str(value) if even else value for value in at], metric)
    figure = plain([*band, raw, mean], curve.symbol, f"{metric.name} on dev, %", 270)
    if even:
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=places)
    else:
        figure.update_xaxes(type="log" if axis.log else "linear")
        if len(places) < FEW and axis.whole:
            figure.update_xaxes(tickvals=places)
        elif axis.log:
            shown = ticks.logarithmic(*axis.ends)
            figure.update_xaxes(tickvals=shown, ticktext=[f"{value:.3g}" for value in shown])
    return figure


def importance(found: Sequence[Importance]) -> Any:
    """How much each symbol matters, and how much chance would make of it."""
    rows = list(reversed(found))
    names = [one.symbol for one in rows]
    told = [
        f"{one.symbol}: error times {one.factor:.2f}, by chance up to {one.chance:.2f}, p {one.p:.3f}"
        for one in rows
    ]
    colours = [BLUE if one.seen else GREY for one in rows]
    bars = go.Bar(
        x=[one.factor - 1 for one in rows],
        base=1,
        y=names,
        orientation="h",
        marker={"color": colours},
        text=told,
        textposition="none",
        hoverinfo="text",
    )
    mark = {"symbol": "line-ns-open", "size": 20, "color": ORANGE, "line": {"width": 3}}
    chance = go.Scatter(
        x=[one.chance for one in rows], y=names, mode="markers", marker=mark, hoverinfo="skip"
    )
    return plain([bars, chance], "prediction error grows by the factor", "", 90 + 34 * len(rows))


def pruning(found: Sequence[Agreement]) -> Any:
    """How each epoch orders the trials, compared with the end."""
    epochs = [one.epoch for one in found]
    up = [one.high - one.tau for one in found]
    down = [one.tau - one.low for one in found]
    taus = go.Scatter(
        x=epochs,
        y=[one.tau for one in found],
        mode="lines+markers",
        line={"color": BLUE},
        error_y={"array": up, "arrayminus": down, "color": BLUE},
    )
    figure = plain([taus], "epoch", "Kendall's tau", 270)
    figure.update_xaxes(tickvals=ticks.whole(min(epochs), max(epochs)))
    return figure.add_hline(y=SAFE, line={"color": ORANGE, "dash": "dot"}).update_yaxes(range=[-0.4, 1.05])
