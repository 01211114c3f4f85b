"""Word pieces, trained on the transcripts of a corpus: label 0 stays what it is for characters, the blank or the end."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sentencepiece

from specaug.errors import UserError
from specaug.speech.once import make_once
from specaug.speech.options import Text
from specaug.speech.text import Alphabet, Units, foreign

VERSION = 1  # of how pieces are trained: another one gets another folder
MODEL = "pieces.model"


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

    @property
    def tokens(self) -> list[str]:
        """The pieces, as sentencepiece writes them."""
        return [self._processor.id_to_piece(label) for label in range(1, self.size)]

    def encode(self, text: str) -> list[int]:
        """The labels of `text`. Raises ValueError naming the characters that no piece has."""
        labels: list[int] = self._processor.encode(text)
        if 0 in labels:
            characters = " ".join(self.tokens)
            raise ValueError(
                f"characters {foreign(text, characters)!r} are in none of the {self.size - 1} pieces"
            )
        return labels

    def decode(self, labels: Sequence[int]) -> str:
        """The text of `labels`, its spaces tidied."""
        return " ".join(self._processor.decode(list(labels)).split())


def units_of(text: Text, transcripts: Sequence[str], cache: Path) -> Units:
    """The characters or pieces of a recipe, by the training transcripts; pieces are trained once and kept in the cache.

    Raises UserError where there cannot be so many pieces.
    """
    if not text.pieces:
        return Alphabet(text.alphabet)
    usable = sorted(line for line in transcripts if not foreign(line, text.alphabet))
    facts = json.dumps([VERSION, text.pieces, text.alphabet, usable])
    folder = cache / f"pieces-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    def write(partial: Path) -> None:
        (partial / MODEL).write_bytes(trained_pieces(usable, text.pieces, text.alphabet).model)

    make_once(folder, MODEL, write)
    return Pieces((folder / MODEL).read_bytes())


def trained_pieces(texts: Sequence[str], count: int, characters: str = "") -> Pieces:
    """So many pieces, by how often they stand in the texts; the same for the same texts, in any order.

    Each of `characters` is one of them, whether it stands in the texts or not. Raises UserError where the texts have
    fewer pieces, or more characters.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=count + 1,
            character_coverage=1.0,
            required_chars=characters.replace(" ", ""),
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
