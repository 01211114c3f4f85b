"""N-grams of labels from an ARPA or KenLM file, asked as any language model is. Needs kenlm (the extra `lm`)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from models.search import END, State, Step

OUT = "</s>"


class NGrams:
    """A file of n-grams whose words are the tokens of labels: `tokens[i]` is what it calls label i + 1.

    Raises ImportError without kenlm, OSError for a file that it cannot read, and ValueError for one of other tokens.
    """

    def __init__(self, path: str, tokens: Sequence[str]) -> None:
        import kenlm

        self.path, self.tokens = path, list(tokens)
        self.model = kenlm.Model(path)
        self.context = max(1, self.model.order - 1)
        self.known: dict[tuple[int, ...], list[float]] = {}
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
        return Step(torch.tensor(rows, device=last.device), (after,))

    def row(self, context: tuple[int, ...]) -> list[float]:
        """The log-probability of each label after a context, in nats; label 0 is the end."""
        if context not in self.known:
            before = self.read(context)
            scores = [self.score(before, word) for word in (OUT, *self.tokens)]
            self.known[context] = scores
        return self.known[context]

    def read(self, context: tuple[int, ...]) -> object:
        """KenLM's state after a context."""
        import kenlm

        state, after = kenlm.State(), kenlm.State()
        said = context[len(context) - context[::-1].index(END) :] if END in context else context
        (self.model.BeginSentenceWrite if END in context else self.model.NullContextWrite)(state)
        for label in said:
            self.model.BaseScore(state, self.tokens[label - 1], after)
            state, after = after, state
        return state

    def score(self, before: object, word: str) -> float:
        """The log-probability of a word, in nats."""
        import kenlm

        return float(self.model.BaseScore(before, word, kenlm.State()) * math.log(10))
