"""The pretraining that a run begins with: made once for all runs that want the same (decision D105)."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import nn

from specaug.errors import UserError
from specaug.speech.kinds import Tell
from specaug.study.attempts import POLL, Busy
from specaug.study.load import validated_as
from specaug.study.loggers import Logs
from specaug.study.places import Places, writable
from specaug.study.pretraining.kept import KEPT, Kept, heard_by, written_out
from specaug.study.pretraining.recipe import Pretraining, own
from specaug.study.pretraining.run import PretrainRun, execute, ready
from specaug.study.pretraining.start import fill, require_unheard, sizes, start_from
from specaug.study.recipe import Network, Recipe
from specaug.training.callbacks import Progress
from specaug.training.pretrain_contract import answering

STAGE, KEY = "pretraining", "network.pretraining"
SILENT = 60.0  # seconds without a sign of life, after which an attempt does not wait for whoever is at it
WAITING = Progress(0, 1, 0, 0, math.nan, None, stage=f"{STAGE}, by another process")


def pretraining_of(recipe: Recipe, places: Places) -> PretrainRun | None:
    """The pretraining that a run begins with; None where it begins with none, or with a file.

    Raises UserError where it would hear what the run tests.
    """
    if (wanted := recipe.network.pretraining) is None:
        return None
    if not wanted.content:
        raise ValueError(f"{KEY}.recipe {wanted.recipe} was not read; expected its content")
    told = validated_as(Pretraining, dict(wanted.content), KEY)
    fold = getattr(recipe.corpus, "fold", 0)
    mine = own(told, recipe.corpus, recipe.seed, fold).run()
    require_unheard(f"{KEY}: {wanted.recipe}", mine.corpus, recipe.corpus)
    return PretrainRun(wanted.recipe, mine, places)


def made(
    recipe: Recipe,
    places: Places,
    logs: Logs,
    loading: Tell,
    training: Callable[[Progress], None],
    attempt: str,
    say: Callable[[str], None],
) -> None:
    """Finish the pretraining that a run begins with, if it does, or wait until whoever is at it has.

    A process that dies frees its turn, and the next goes on from the last checkpoint. An attempt, whose folder is its own,
    also goes on where whoever has the turn has given no sign of life for long: it may be suspended.
    """
    if (wanted := pretraining_of(recipe, places)) is None or wanted.finished:
        return
    folder = writable(wanted.folder.parent)
    turn, life = (
        FileLock(folder / f".{wanted.folder.name}.turn"),
        Life(folder / f".{wanted.folder.name}.life"),
    )

    def pretrained(at: Progress) -> None:
        life.show()
        training(replace(at, stage=STAGE))

    def loaded(what: str, done: int, total: int) -> None:
        life.show()
        loading(what, done, total)

    while not wanted.finished:
        if taken(turn) or (attempt and life.silent()):
            try:
                life.show()
                execute(wanted, logs, loaded, pretrained, say, attempt)
                continue
            except Busy:  # by `specaug pretrain`, say
                pass
            finally:
                turn.release()
        training(WAITING)
        time.sleep(POLL)


def taken(turn: FileLock) -> bool:
    """Whether the turn is ours from now on."""
    try:
        turn.acquire(timeout=0)
    except Timeout:
        return False
    return True


@dataclass
class Life:
    """The signs of life of whoever is at a pretraining: how old a file is, by nobody's clock but ours."""

    file: Path
    seen: int | None = None  # the file's time when it was last looked at
    since: float = field(default_factory=time.monotonic)  # when that time was new

    def show(self) -> None:
        """Give one."""
        self.file.touch()

    def silent(self) -> bool:
        """Whether there was none for long."""
        there, now = self.file.stat().st_mtime_ns if self.file.is_file() else None, time.monotonic()
        if there != self.seen:
            self.seen, self.since = there, now
        return now - self.since > SILENT


def start_in(recipe: Recipe, places: Places) -> Network:
    """The network of a recipe, with the encoder of its finished pretraining as the file to start from."""
    if (wanted := pretraining_of(recipe, places)) is None:
        return recipe.network
    return replace(recipe.network, pretraining=None, init=str((wanted.folder / KEPT).absolute()))


def begin_with(recipe: Recipe, network: nn.Module, places: Places, loading: Tell) -> Kept | None:
    """Load the encoder's weights into a network that is built, and freeze it, where the recipe says so.

    Where the pretraining is still to be made, all that can be wrong with it is looked at instead. Gives what the network
    starts from, if it does. Raises UserError.
    """
    wanted = pretraining_of(recipe, places)
    if wanted is None or wanted.finished:
        kept = start_from(start_in(recipe, places), network, recipe.features, places.laboratory)
        if kept:
            require_unheard(kept.where, kept.corpus, recipe.corpus)
        return kept
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        path = recipe.network.path
        raise UserError(
            f"{KEY} is {wanted.experiment}; expected a network that has an encoder, and {path} has none"
        )
    begun = ready(wanted, loading)
    first = answering(begun.network).encoder
    told = written_out(wanted.recipe, first, begun.data.rate).features
    shape = {**sizes(first), "mel": told.mel}
    kept = Kept(f"{KEY}: {wanted.experiment}", first.state_dict(), shape, heard_by(told), None, "")
    fill(copy.deepcopy(encoder), kept, recipe.features)
    start_from(replace(recipe.network, pretraining=None), network, recipe.features, places.laboratory)
    return kept


def told_of(recipe: Recipe, places: Places) -> dict[str, Any]:
    """What a result says of the network: its options, of a pretraining its name and the id of its run, as its folder has it."""
    wanted = pretraining_of(recipe, places)
    # Not today's id: an older version may have finished it under another
    said = wanted and {"name": wanted.experiment, "run": wanted.folder.name.rpartition("-")[2]}
    return {**asdict(recipe.network), "pretraining": said}
