"""Word pieces, trained on the transcripts of a corpus: label 0 stays what it is for characters, the blank or the end."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import sentencepiece

from specaug.errors import UserError
from specaug.speech.text import foreign


@dataclass(frozen=True)
class Pieces:
    """Byte-pair encoding (Sennrich et al. 2016) by sentencepiece; where the papers say word pieces, one of its kin."""

    model: bytes

    @cached_property
    def _processor(self) -> sentencepiece.SentencePieceProcessor:
        return sentencepiece.SentencePieceProcessor(model_proto=self.model)

    @property
    def size(self) -> int:
        """The number of labels, label 0 among them."""
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """The labels of `text`. Raises ValueError naming the characters that no piece has."""
        labels: list[int] = self._processor.encode(text)
        if 0 in labels:
            characters = " ".join(map(self._processor.id_to_piece, range(1, self.size)))
            raise ValueError(
                f"characters {foreign(text, characters)!r} are in none of the {self.size - 1} pieces"
            )
        return labels

    def decode(self, labels: Sequence[int]) -> str:
        """The text of `labels`, its spaces tidied."""
        return " ".join(self._processor.decode(list(labels)).split())


def trained_pieces(texts: Sequence[str], count: int) -> Pieces:
    """So many pieces, by how often they stand in the texts; the same for the same texts, in any order.

    Raises UserError where the texts have fewer pieces, or more characters.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=count + 1,
            character_coverage=1.0,
            normalization_rule_name="identity",
            unk_id=0,  # never written, so that label 0 is free for the blank
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(f"text.pieces is {count}; {reason(str(error))}") from None
    return Pieces(model.getvalue())


def reason(complaint: str) -> str:
    """What sentencepiece complains of, in our words."""
    if "too high" in complaint:
        most = int(complaint.rpartition("<=")[2].strip(" .")) - 1
        return f"the transcripts have {most} at the most; expected no more"
    if "smaller than required_chars" in complaint or "too small" in complaint:
        return "the transcripts have more characters than that; expected at least as many pieces"
    return f"sentencepiece says {complaint.strip().splitlines()[-1]}"
