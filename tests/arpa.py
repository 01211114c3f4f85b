"""What `models.ngrams` asks of kenlm, from an ARPA file, for where kenlm is not installed: Katz's back-off as it is written."""

from collections.abc import Sequence
from pathlib import Path

Words = tuple[str, ...]


class State:
    """The words that are remembered, the last of them last; nothing is known of a state that nobody wrote."""

    words: Words


class Model:
    """The n-grams of an ARPA file: logarithms to base 10, of probabilities and of back-offs."""

    def __init__(self, path: str) -> None:
        self.logs: dict[Words, float] = {}
        self.backoffs: dict[Words, float] = {}
        for line in Path(path).read_text().splitlines():
            if len(fields := line.split("\t")) > 1:
                words = tuple(fields[1].split(" "))
                self.logs[words], *more = map(float, (fields[0], *fields[2:]))
                self.backoffs[words] = more[0] if more else 0.0
        if not self.logs:
            raise OSError(f"Cannot read model '{path}'")
        self.order = max(map(len, self.logs))

    def __contains__(self, word: str) -> bool:
        return (word,) in self.logs

    def BeginSentenceWrite(self, state: State) -> None:
        state.words = ("<s>",)

    def NullContextWrite(self, state: State) -> None:
        state.words = ()

    def BaseScore(self, before: State, word: str, after: State) -> float:
        log = self.log(before.words, word)
        after.words = (*before.words, word)[1 - self.order :]
        return log

    def log(self, before: Sequence[str], word: str) -> float:
        """Of a word after others: by the longest n-gram that is there, and the back-offs of those that are not."""
        words = (*before, word)
        if words in self.logs:
            return self.logs[words]
        return self.backoffs.get(words[:-1], 0.0) + self.log(before[1:], word)
