"""How strong a policy is while training goes on: from some step, along a ramp, by epochs, or in a closed loop.

At strength 1 a policy is itself, at 0 it does nothing, and in between its widths (or its counts) are multiplied
and rounded. Since a draw depends on its key alone, a weaker policy hides parts of what the full one would hide.
"""

from dataclasses import dataclass, field

from specaug.augment.operation import STRENGTHS as OF
from specaug.augment.policy import NONE, Policy


@dataclass(frozen=True, kw_only=True)
class Strength:
    """What a recipe says of a policy's strength; the default is full strength from the first step.

    `start` is the step of the first masks (the s_noise of Park et al. 2019, 3.2, for the augmentation).
    One of these may come on top: `end`, a ramp from 0 at `start` to 1 at `end`; `epochs`, pairs of an epoch and the
    strength from it on; `rise`, a closed loop (`Loop`), which listens from `start` on.
    """

    of: str = "widths"  # or counts
    start: int = 0  # step
    end: int = 0  # step
    epochs: tuple[tuple[int, float], ...] = ()
    rise: float = 0.0
    patience: int = 1  # passes over dev without a better WER until the loop falls back

    def __post_init__(self) -> None:
        if self.of not in OF:
            raise ValueError(f"of is {self.of!r}; expected one of {', '.join(OF)}")
        for name, least in (("start", 0), ("end", 0), ("patience", 1)):
            if not whole(value := getattr(self, name), least):
                raise ValueError(f"{name} is {value!r}; expected a whole number, {least} or more")
        if self.end and self.end <= self.start:
            raise ValueError(f"start is {self.start} and end {self.end}; expected steps, 0 <= start < end")
        if not 0 <= self.rise <= 1:
            raise ValueError(f"rise is {self.rise}; expected a share in [0, 1]")
        if sum(map(bool, (self.end, self.epochs, self.rise))) > 1:
            raise ValueError("end, epochs and rise exclude each other; expected one of them")
        if not rising(self.epochs):
            expected = "expected (epoch, strength in [0, 1]), epochs whole, from 0 on and in order"
            raise ValueError(f"epochs are {self.epochs}; {expected}")

    @property
    def constant(self) -> bool:
        """Whether it is full strength all the time."""
        return not (self.start or self.end or self.epochs or self.rise)

    def at(self, step: int, epoch: int, level: float) -> float:
        """The strength in [0, 1] at a step counted from 0, in an epoch, at a level of the loop.

        >>> [Strength(start=10, end=20).at(step, 0, 0.0) for step in (9, 10, 15, 20)]
        [0.0, 0.0, 0.5, 1.0]
        """
        if step < self.start:
            return 0.0
        if self.end:
            return min(1.0, (step - self.start) / (self.end - self.start))
        if self.epochs:
            return max([(0, 0.0), *((first, share) for first, share in self.epochs if first <= epoch)])[1]
        return level if self.rise else 1.0

    def __str__(self) -> str:
        since = f"from step {self.start}" if self.start else ""
        if self.end:
            since = f"{self.of} rising over steps {self.start}-{self.end}"
        elif self.epochs:
            since += f" {self.of} " + ", ".join(
                f"x {share:g} from epoch {first}" for first, share in self.epochs
            )
        elif self.rise:
            since += f" {self.of} in a closed loop by {self.rise:g}"
        return since.strip()


def whole(value: object, least: int = 0) -> bool:
    """Whether it is a whole number, `least` or more, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def rising(epochs: tuple[tuple[int, float], ...]) -> bool:
    """Whether the epochs are in order, each with a share."""
    firsts = [epoch for epoch, _ in epochs]
    shares = all(0 <= share <= 1 for _, share in epochs)
    return all(map(whole, firsts)) and firsts == sorted(set(firsts)) and shares


@dataclass
class Loop:
    """The closed loop: the level rises by `rise` while the dev WER keeps improving, and falls back when it stops.

    It starts at 0. After `patience` passes over dev without a better WER it falls by one step, to where it last
    paid, and counts anew; a better WER makes it rise again.
    """

    rise: float
    patience: int
    level: float = 0.0
    best: float = field(default=float("inf"))
    waited: int = 0

    def heard(self, wer: float) -> None:
        """Take the WER of a pass over dev."""
        if wer < self.best:
            self.best, self.waited = wer, 0
            self.level = min(1.0, round(self.level + self.rise, 9))
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.level, self.waited = max(0.0, round(self.level - self.rise, 9)), 0


def weakened(policy: Policy, strength: float, of: str = "widths") -> Policy:
    """The policy at a strength in [0, 1]: its widths (or counts) multiplied, whole numbers rounded.

    Raises ValueError where `of` or the strength is out of range.

    >>> from specaug.augment.policy import LD
    >>> weakened(LD, 0.5), weakened(LD, 0.5, of="counts")
    (Policy(W=40 F=14 m_F=2 T=50 p=1.0 m_T=2), Policy(W=40 F=27 m_F=1 T=100 p=1.0 m_T=1))
    """
    if of not in OF or not 0 <= strength <= 1:
        raise ValueError(
            f"of is {of!r} and strength {strength}; expected widths or counts, and a share in [0, 1]"
        )
    if strength == 1:
        return policy
    if strength == 0:
        return NONE
    return Policy(tuple(operation.multiplied(strength, of) for operation in policy.operations))


def curves(policy: Policy) -> dict[str, float]:
    """The policy's widths and counts by operation, as a logger takes them; those of a second time mask are `TimeMask2`'s.

    >>> from specaug import SM
    >>> curves(Policy(SM.operations[1:]))
    {'policy/FrequencyMask.F': 15.0, 'policy/FrequencyMask.m_F': 2.0, 'policy/TimeMask.T': 70.0, 'policy/TimeMask.m_T': 2.0}
    """
    told: dict[str, float] = {}
    kinds: list[type] = []
    for operation in policy.operations:
        kinds.append(kind := type(operation))
        name = kind.__name__ + (str(kinds.count(kind)) if kind in kinds[:-1] else "")
        values = operation.given("widths") | operation.given("counts")
        told |= {f"policy/{name}.{symbol}": float(value) for symbol, value in values.items()}
    return told
