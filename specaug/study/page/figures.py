"""What a comparison found, as figures."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from specaug.study.comparing.compare import Comparison
from specaug.study.comparing.measures import WER, Measure
from specaug.study.page import ticks
from specaug.study.page.curves import DEV, TRAIN, Band, Trained
from specaug.study.page.curves import WER as RATE
from specaug.study.page.texts import titles
from specaug.study.page.theme import BLUE, GREEN, GREY, OCHRE, ORANGE, PURPLE, RED, TEAL, plain
from specaug.study.stats.statistics import BETTER, NO_DIFFERENCE, Difference

COLOURS = (GREY, BLUE, ORANGE, GREEN, PURPLE, OCHRE, RED, TEAL)
DASHES = ("solid", "dash", "dot", "dashdot")  # for those who tell no colours apart
ROOMY = 1.2  # how far an axis of losses reaches beyond them
VEIL = 0.16  # opacity of a band
ROOM = {"l": 52, "r": 12, "t": 40, "b": 44}  # for a legend above


def differences(comparison: Comparison, measure: Measure = WER) -> Any:
    """The difference of every policy to the baseline, part by part, with its 95 % interval."""
    places, names, shown = [], [], []
    row = 0
    for part in comparison.parts:
        places.append(row)
        names.append(f"<b>{escape(part.name)}</b>")
        row -= 1
        for name, one in zip(titles(comparison), comparison.rows, strict=True):
            difference = one.scores[part.name].shown(measure)[1]
            if difference is None or math.isnan(difference.value):
                continue
            places.append(row)
            names.append(escape(name))
            shown.append((row, f"{part.name}, {name}", difference))
            row -= 1
    traces = [dot(*one) for one in shown]
    x = f"{measure.name} minus {escape(comparison.baseline)}'s, points"
    figure = plain(traces, x, "", 70 + 26 * len(places), margin={"l": 90, "r": 12, "t": 8, "b": 44})
    figure.update_yaxes(tickvals=places, ticktext=names, range=[row + 0.4, 0.6], showgrid=False)
    return figure.add_vline(x=0, line={"color": GREY, "width": 1})


def dot(row: int, name: str, difference: Difference) -> Any:
    """One difference: a full dot where the policies are told apart, an open one where not."""
    told = difference.verdict not in (None, NO_DIFFERENCE)
    colour = GREY if not told else BLUE if difference.verdict == BETTER else ORANGE
    look = {"color": colour, "size": 9, "symbol": "circle" if told else "circle-open", "line": {"width": 2}}
    text = f"{escape(name)}: {100 * difference.value:+.2f}"
    trace = go.Scatter(x=[100 * difference.value], y=[row], mode="markers", marker=look, hoverinfo="text")
    if difference.low is not None and difference.high is not None:
        text += f" [{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
        trace.error_x = {
            "array": [100 * (difference.high - difference.value)],
            "arrayminus": [100 * (difference.value - difference.low)],
            "color": colour,
            "thickness": 2,
            "width": 4,
        }
    trace.text = [f"{text}<br>{difference.verdict or 'too few to say'}"]
    return trace


def rates(policies: Sequence[Trained], measure: Measure = WER) -> Any:
    """The dev WER of every policy by epoch, or its accuracy."""
    traces = []
    for place, policy in enumerate(policies):
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[(place + place // len(COLOURS)) % len(DASHES)]
        traces += banded(shown_as(policy.bands[RATE], measure), policy.label, colour, dash, 100.0)
    figure = plain(traces, "epoch", f"{measure.name} on dev, %", 340, **legend())
    bands = [policy.bands[RATE] for policy in policies]
    return by_epoch(figure, bands).update_yaxes(rangemode="tozero")


def shown_as(band: Band, measure: Measure) -> Band:
    """A band of error rates as it is printed."""
    if not measure.right:
        return band
    middle, low, high = (tuple(1 - rate for rate in rates) for rates in (band.middle, band.high, band.low))
    return Band(band.epochs, middle, low, high)


def measured(train: Band, dev: Band, measure: str, height: int = 270) -> Any:
    """What is measured on train and on dev by epoch."""
    traces = [*banded(train, "train", GREY, "dash"), *banded(dev, "dev", BLUE, "solid")]
    return by_epoch(plain(traces, "epoch", measure, height, **legend()), [train, dev])


def losses(policy: Trained, low: float, high: float) -> Any:
    """The loss of one policy on train and on dev by epoch, between two losses that all policies share."""
    figure = measured(policy.bands[TRAIN], policy.bands[DEV], "loss")
    ends = low / ROOMY, high * ROOMY
    shown = ticks.logarithmic(*ends)
    return figure.update_yaxes(
        type="log", tickvals=shown, ticktext=[f"{loss:.3g}" for loss in shown], range=[*map(math.log10, ends)]
    )


def by_epoch(figure: Any, bands: Sequence[Band]) -> Any:
    """A figure of some bands, with whole numbers below it."""
    epochs = [epoch for band in bands for epoch in band.epochs]
    return figure.update_xaxes(tickvals=ticks.whole(min(epochs), max(epochs))) if epochs else figure


def bounds(policies: Sequence[Trained]) -> tuple[float, float] | None:
    """The lowest and the highest loss of all policies; None where there is none above 0."""
    bands = [policy.bands[column] for policy in policies for column in (TRAIN, DEV)]
    values = [value for band in bands for value in (*band.low, *band.high) if value > 0]
    return (min(values), max(values)) if values else None


def banded(band: Band, name: str, colour: str, dash: str, unit: float = 1.0) -> list[Any]:
    """A median as a line, over the veil from the lowest to the highest seed."""
    if not band.epochs:
        return []
    epochs = list(band.epochs)
    low, middle, high = ([unit * value for value in values] for values in (band.low, band.middle, band.high))
    veil = go.Scatter(
        x=[*epochs, *reversed(epochs)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=f"rgba({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))}, {VEIL})",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )
    text = [
        f"{escape(name)}, epoch {epoch}: {m:.4g} [{a:.4g}, {b:.4g}]"
        for epoch, a, m, b in zip(epochs, low, middle, high, strict=True)
    ]
    line = {"color": colour, "dash": dash, "width": 2}
    return [
        veil,
        go.Scatter(
            x=epochs, y=middle, mode="lines", line=line, name=escape(name), text=text, hoverinfo="text"
        ),
    ]


def legend() -> dict[str, Any]:
    """A legend above the figure."""
    where = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"}
    return {"showlegend": True, "legend": where, "margin": ROOM}
