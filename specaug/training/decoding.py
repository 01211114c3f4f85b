"""What a recipe may say of decoding. Plain dataclasses: nothing here is slow to import."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Annotated, Any

from pydantic import BeforeValidator


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A network trained on the training transcripts, once for all runs that have them; or a file of n-grams.

    Files lie in the data folder: `text` has further sentences, one a line; `ngrams` is ARPA or KenLM's own form.
    """

    path: str = "models.language.LSTMLM"
    arguments: Mapping[str, int | float | str | bool] = field(default_factory=dict)
    steps: int = 1000
    batch: int = 32  # sentences
    peak: float = 3e-3  # learning rate, which falls to a hundredth of it
    seed: int = 0
    text: str = ""
    ngrams: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "peak"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0, and finite")
        if self.ngrams and self.text:
            raise ValueError(f"ngrams is {self.ngrams!r} and text is {self.text!r}; expected one of them")


def listed(value: Any) -> Any:
    """One value may be written without a list."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


Values = Annotated[tuple[float, ...], BeforeValidator(listed)]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """A second way to write transcripts, beside the greedy one; `unseen+lm` is part `unseen` by that labelled `lm`.

    Where there are several values of `weight` or `coverage` those with the lowest WER on dev are taken, the first of
    equals.
    """

    label: str = "lm"
    beam: int = 8
    weight: Values = (0.0,)  # lambda: what the language model's log-probability counts
    coverage: Values = (0.0,)  # c: what a frame adds once it has been attended to
    lm: LanguageModel | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.=_-]+", self.label):
            raise ValueError(f"label is {self.label!r}; expected letters, digits and .=_-")
        if self.beam < 1:
            raise ValueError(f"beam is {self.beam}; expected 1 or more")
        for name in ("weight", "coverage"):
            values = getattr(self, name)
            if not values or not all(0 <= value < math.inf for value in values):
                raise ValueError(f"{name} is {list(values)}; expected numbers, 0 or more")
        if any(self.weight) and self.lm is None:
            raise ValueError(f"weight is {list(self.weight)}; expected a language model (lm) that it is of")

    def candidates(self) -> Iterator[dict[str, float]]:
        """The values to choose from, as a network is told them: what is 0 is not said."""
        for weight, coverage in product(self.weight, self.coverage):
            told = {"weight": weight, "coverage": coverage}
            yield {"beam": self.beam, **{name: value for name, value in told.items() if value}}
