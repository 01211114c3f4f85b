"""The lines of a file of hypotheses: what each must hold, and whether its counts are those of its texts.

Every line is counted again whenever it is read, which adds a fifth to the time that unpacking and parsing take. It
is done with rapidfuzz, on which jiwer stands: jiwer itself builds the alignments too and takes ten times as long.
Compared are the words, the number of errors and how many more
deletions than insertions there are, because these are the same in every alignment of fewest errors; how the
errors divide into kinds is up to the aligner, and another version of it may divide them otherwise.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rapidfuzz.distance import Levenshtein

from specaug.errors import UserError
from specaug.speech.scoring import tidy

KINDS = ("substitutions", "deletions", "insertions")
TEXTS = ("part", "id", "speaker", "reference", "hypothesis")
MISSED = "missed"  # what an utterance takes from the mean average precision; in the rows of classes alone
OWN = (*TEXTS, "words", *KINDS)  # what every row has; any further field is a column of the manifest

LARGEST = 2**53  # from here on not every whole number is a float
CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}  # no number: nothing is given
DECODER = json.JSONDecoder(parse_constant=CONSTANTS.__getitem__)


def parsed(lines: list[str], file: str) -> Iterator[dict[str, Any]]:
    """The row on each line of `file`. Raises UserError that names the line at fault."""
    for number, line in enumerate(lines, 1):
        where = f"{file}:{number}"
        try:
            row = DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise UserError(f"{where}: a {type(row).__name__}; expected one JSON object a line")
        _check_fields(row, where)
        _check_counts(row, where)
        yield row


def characters(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The characters of the references, the errors in them, and how many more are deleted than inserted (D56)."""
    texts = [(tidy(row["reference"]), row["hypothesis"].strip()) for row in rows]
    said = sum(len(reference) for reference, _ in texts)
    return {
        "characters": said,
        "character errors": sum(Levenshtein.distance(*pair) for pair in texts),
        "characters deleted less inserted": said - sum(len(hypothesis) for _, hypothesis in texts),
    }


def _check_fields(row: Mapping[str, Any], where: str) -> None:
    for name in TEXTS:
        if not isinstance(row.get(name), str):
            raise UserError(f"{where}: field {name} is {row.get(name)!r:.80}; expected text")
    for name in ("words", *KINDS):
        value = row.get(name)
        if type(value) is not int or value < 0:
            raise UserError(f"{where}: field {name} is {value!r:.80}; expected a count, 0 or more")
    for name, value in row.items():
        if isinstance(value, list | dict):
            raise UserError(f"{where}: field {name} is a {type(value).__name__}; expected text or a number")
        if type(value) is int and abs(value) > LARGEST:
            raise UserError(f"{where}: field {name} is {value!s:.20}...; expected at most {LARGEST}")


def _check_counts(row: Mapping[str, Any], where: str) -> None:
    reference, hypothesis = row["reference"].split(), row["hypothesis"].split()
    if not reference:
        raise UserError(f"{where}: reference of {row['id']!r} in part {row['part']} is empty; expected words")
    longer = len(reference) - len(hypothesis)
    counted = (
        ("words", row["words"], len(reference)),
        ("deletions less insertions", row["deletions"] - row["insertions"], longer),
        ("errors", sum([row[kind] for kind in KINDS]), Levenshtein.distance(reference, hypothesis)),
    )
    for name, told, found in counted:
        if told != found:
            raise UserError(f"{where}: {told} {name}; its reference and hypothesis give {found}")
