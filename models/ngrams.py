"""N-grams of labels from an ARPA or KenLM file, asked as any language model is. Needs kenlm (the extra `lm`)."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.search import END, State, Step

OUT = "</s>"
KEPT = 1024  # contexts whose rows are kept, those asked for last: with 16,000 labels 64 MB


class NGrams:
    """A file of n-grams whose words are the tokens of labels: `tokens[i]` is what it calls label i + 1.

    Raises ImportError without kenlm, OSError for a file that it cannot read, and ValueError for one of other tokens.
    """

    def __init__(self, path: str, tokens: Sequence[str]) -> None:
        import kenlm

        self.path, self.tokens = path, list(tokens)
        self.model = kenlm.Model(path)
        self.states = kenlm.State(), kenlm.State()
        self.context = max(1, self.model.order - 1)
        self.row = lru_cache(KEPT)(self.scored)
        strange = [token for token in self.tokens if token not in self.model]
        if strange:
            raise ValueError(
                f"{len(strange)} of {len(self.tokens)} tokens are not in it, {strange[0]!r} for one"
            )

    def __reduce__(self) -> tuple[type, tuple[str, list[str]]]:
        return NGrams, (self.path, self.tokens)  # read again where it is unpacked

    def start(self, batch: int) -> State:
        """The state of sentences of which nothing is said: the last labels of each, END where there is none."""
        return (torch.full((batch, self.context), END),)

    def __call__(self, last: Int[Tensor, " hypothesis"], state: State) -> Step:
        """What may come after a label, END before the first one; and the state then."""
        after = torch.cat([state[0], last[:, None].cpu()], dim=1)[:, 1:]
        rows = [self.row(tuple(context)) for context in after.tolist()]
        return Step(torch.stack(rows).to(last.device), (after,))

    def scored(self, context: tuple[int, ...]) -> Float[Tensor, " vocab"]:
        """The log-probability of each label after a context, in nats; label 0 is the end."""
        before, after = self.read(context)
        logs = [self.model.BaseScore(before, word, after) for word in (OUT, *self.tokens)]
        return torch.tensor([log * math.log(10) for log in logs])

    def read(self, context: tuple[int, ...]) -> tuple[Any, Any]:
        """KenLM's state after a context, and one that may be written over."""
        before, after = self.states
        said = context[len(context) - context[::-1].index(END) :] if END in context else context
        (self.model.BeginSentenceWrite if END in context else self.model.NullContextWrite)(before)
        for label in said:
            self.model.BaseScore(before, self.tokens[label - 1], after)
            before, after = after, before
        return before, after
