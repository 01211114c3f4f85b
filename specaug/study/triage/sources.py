"""From a case to its utterance: the corpora of runs, opened once, and the networks that tell times."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from specaug.errors import UserError
from specaug.speech.kinds import Tell
from specaug.speech.manifest import Utterance
from specaug.study.comparing.comparable import decoded
from specaug.study.corpora import open_corpus
from specaug.study.laboratory import find
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Result
from specaug.study.triage.cases import Case, Chosen
from specaug.study.triage.listener import Listener, listener
from specaug.study.triage.regions import Region, placed, word_errors


@dataclass
class Sources:
    """Where the audio of cases lies, and what the runs' networks hear in it."""

    laboratory: Path | None = None  # None: the one that the runs lie in, else the one of the current folder
    data: Path | None = None
    progress: Tell = lambda *_: None
    lost: dict[str, int] = field(default_factory=dict)  # why errors have no region, and how many have none
    corpora: dict[Path, dict[tuple[str, str], Utterance]] = field(default_factory=dict)
    listeners: dict[Path, Listener | str] = field(default_factory=dict)  # or why there is none
    folds: dict[int, Path] = field(default_factory=dict)  # a run of each

    def utterance(self, case: Case) -> Utterance:
        """The utterance in its corpus; raises UserError where it is not there, has no audio or another text."""
        run = case.answers[0].run
        folder = self.folds.setdefault(case.fold, run.folder)
        if folder not in self.corpora:
            corpus = open_corpus(self.recipe(folder).corpus, self.places(folder), self.progress)
            self.corpora[folder] = {(part, u.id): u for part, us in corpus.parts.items() for u in us}
        found = self.corpora[folder].get((decoded(case.part, list(run.parts))[0], case.id))
        if found is None:
            raise UserError(f"{run.folder}: utterance {case.id!r} is not in part {case.part} of the corpus")
        if found.text.split() != case.reference.split():
            raise UserError(
                f"{found.where}: text is {found.text!r}; expected {case.reference!r} as in {run.folder}"
            )
        if found.audio is None:
            raise UserError(f"{found.where}: no audio_filepath; expected audio, which is to be listened to")
        return found

    def regions(self, chosen: Chosen, utterance: Utterance) -> list[Region] | None:
        """The errors of the shown answer at their times; None where its network tells none."""
        reference, hypothesis = chosen.case.reference, chosen.shown.hypothesis
        errors = word_errors(reference, hypothesis)
        hears = self.listener(chosen.shown.run)
        if isinstance(hears, str):
            self._lose(hears, len(errors))
            return None
        heard = hears.hear(utterance)
        regions = placed(errors, heard.spans(reference), heard.spans(hypothesis))
        self._lose("the transcript does not fit into the frames", len(errors) - len(regions))
        return regions

    def listener(self, run: Result) -> Listener | str:
        """The network of a run, or why it tells no times."""
        if run.folder not in self.listeners:
            try:
                recipe, places = self.recipe(run.folder), self.places(run.folder)
                self.listeners[run.folder] = listener(run.folder, recipe, places.laboratory)
            except UserError as error:
                self.listeners[run.folder] = str(error)
        return self.listeners[run.folder]

    def recipe(self, folder: Path) -> Recipe:
        """The recipe of a run."""
        return load(folder / RECIPE)

    def places(self, folder: Path) -> Places:
        """Where the corpus of a run lies."""
        return Places.of(self.laboratory or laboratory_of([folder / RECIPE, Path(RECIPE)]), self.data)

    def _lose(self, why: str, errors: int) -> None:
        if errors:
            self.lost[why] = self.lost.get(why, 0) + errors


def laboratory_of(files: Sequence[Path]) -> Path:
    """The laboratory that the first of these files lies in; raises UserError where none of them lies in one."""
    for file in files:
        try:
            return find(file)
        except UserError:
            continue
    raise UserError(
        f"{files[0]}: no folder above it, or above this one, holds models/; expected --laboratory"
    )
