"""Points that are known before the search: of the samplers that learn nothing from what was found.

They are drawn when the study is made, so that any number of workers, in any order, tries the same ones.
"""

from functools import partial

import numpy as np
from scipy.stats import qmc

from specaug.study.sweep.options import Axis, Sweep, Value
from specaug.study.sweep.space import suggested


def designed(sweep: Sweep, count: int) -> list[dict[str, Value]]:
    """So many points; empty ones, to be searched, where the sampler learns."""
    if sweep.sampler not in ("random", "qmc") or count < 1:
        return [{} for _ in range(count)]
    axes = len(sweep.space)
    if sweep.sampler == "qmc":
        rows = qmc.Sobol(axes, rng=np.random.default_rng(sweep.seed)).random_base2(
            max(1, (count - 1).bit_length())
        )
    else:
        rows = np.random.default_rng(sweep.seed).random((count, axes))
    order = list(sweep.space)
    return [
        suggested(sweep, partial(chosen, dict(zip(order, row, strict=True)))) for row in rows[:count].tolist()
    ]


def chosen(shares: dict[str, float], symbol: str, axis: Axis) -> Value:
    """The value at a share in [0, 1) of the way along an axis."""
    share = shares[symbol]
    if axis.choices:
        return axis.choices[int(share * len(axis.choices))]
    low, high = axis.ends
    if axis.log:
        value = low * (high / low) ** share
        return min(int(value + 0.5), int(high)) if axis.whole else value
    if axis.stride:
        return axis.at(int(share * (axis.steps + 1)))
    return low + share * (high - low)
