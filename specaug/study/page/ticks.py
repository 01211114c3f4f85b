"""Which numbers are written at an axis, where a figure's own choice might be none, or halves of what is counted."""

import math

DIGITS = (  # of what is written, the next ones where fewer than two of these are there
    (1.0,),
    (1.0, 2.0, 5.0),
    tuple(float(n) for n in range(1, 10)),
    tuple(n / 2 for n in range(2, 20)),
    tuple(n / 10 for n in range(10, 100)),
)
STEPS = 6  # that are not fewer than the steps between whole numbers


def logarithmic(low: float, high: float) -> list[float]:
    """Two numbers or more from `low` to `high`, both above 0: powers of ten where there are two, else finer ones.

    >>> logarithmic(0.3, 20.0), logarithmic(1.2, 6.0)
    ([1.0, 10.0], [2.0, 5.0])
    """
    decades = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for digits in DIGITS:
        numbers = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        if len(found := [number for number in numbers if low <= number <= high]) > 1:
            return found
    return [low, high]


def whole(low: int, high: int) -> list[int]:
    """Whole numbers from about `low` to about `high`, evenly, 1, 2 or 5 (or ten times that, ...) apart.

    >>> whole(1, 3), whole(4, 20)
    ([0, 1, 2, 3, 4], [0, 5, 10, 15, 20, 25])
    """
    step, times = 1, 0
    while (high - low) > STEPS * step:
        times += 1
        step = (1, 2, 5)[times % 3] * 10 ** (times // 3)
    return list(range((low // step) * step - step * (low % step == 0), high + step + 1, step))
