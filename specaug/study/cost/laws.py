"""How a cost grows with the number of utterances and with their length."""

from collections.abc import Callable
from dataclasses import dataclass

STEP = 8  # frames: networks that make one of so many see whole numbers of them
LEAST = 8  # steps that a network is shown, so that its kernel at the edges does not count for much

Number = int | float


@dataclass(frozen=True, slots=True)
class Law:
    """What n utterances, padded to t frames, cost in one pass: fixed + along t + n (linear t + square t^2).

    The first two are there however small a batch is: weights that are read once, or once a frame. The square is
    attention, and decoders that look at all frames for each label.
    """

    fixed: Number
    along: Number
    linear: Number
    square: Number

    def each(self, frames: Number) -> Number:
        """What one more utterance of so many frames adds.

        >>> Law(5, 1, 3, 2).each(10), Law(5, 1, 3, 2).of(4, 10), Law(5, 1, 3, 2).of(4, 10, passes=2)
        (230, 935, 950)
        """
        return self.linear * frames + self.square * frames**2

    def of(self, utterances: Number, frames: Number, passes: int = 1) -> Number:
        """The cost of so many utterances, shared out over so many passes."""
        return passes * (self.fixed + self.along * frames) + utterances * self.each(frames)

    @staticmethod
    def through(cost: Callable[[int, int], Number], frames: int, longer: int) -> "Law":
        """The law that agrees with `cost(n, t)` at one and at two utterances of either length.

        >>> Law.through(lambda n, t: 5 + t + n * (3 * t + 2 * t * t), 10, 40)
        Law(fixed=5.0, along=1.0, linear=3.0, square=2.0)
        """
        each = {t: cost(2, t) - cost(1, t) for t in (frames, longer)}
        alone = {t: cost(1, t) - each[t] for t in (frames, longer)}
        along = (alone[longer] - alone[frames]) / (longer - frames)
        square = (each[longer] / longer - each[frames] / frames) / (longer - frames)
        linear = each[frames] / frames - square * frames
        return Law(float(alone[frames] - along * frames), along, linear, square)


def lengths_for(typical: Number) -> tuple[int, int]:
    """The two lengths, in frames, at which a network is looked at: a quarter and a half of what is typical.

    Longer ones would tell no more, and large networks take their time on a CPU.

    >>> lengths_for(1230), lengths_for(3)
    ((312, 624), (64, 128))
    """
    quarter = STEP * max(LEAST, -(-round(typical) // (4 * STEP)))
    return quarter, 2 * quarter
