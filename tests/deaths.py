"""The command line in processes of their own, which end at a chosen point of a run.

The processes are forked from a server that has imported what is slow to import.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["specaug.cli", "specaug.study.ablation", "specaug.study.tables.table", "wandb"]
)


def killed(point: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit status of a `specaug` that kills itself at `point`."""
    return lived(point, signal.SIGKILL, arguments, environment, Path(os.devnull))


def lived(
    point: str, how: int, arguments: Sequence[str], environment: Mapping[str, str], errors: Path
) -> int:
    """The exit status of a `specaug` that gets the signal `how` at `point`; its standard error is in `errors`."""
    process = SERVER.Process(target=live, args=(point, how, list(arguments), dict(environment), str(errors)))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def live(point: str, how: int, arguments: list[str], environment: dict[str, str], errors: str) -> None:
    """What the process does."""
    os.setsid()  # a group of its own, as a terminal gives to a command: Ctrl-C goes to all of it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background is started without
    os.environ.update(environment)
    os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from specaug import cli

    POINTS[point](lambda: os.killpg(0, how))
    status = cli.main(arguments)
    sys.stderr.flush()
    os._exit(status)


def before(owner: Any, name: str, count: int, strike: Callable[[], None]) -> None:
    """Strike when `owner.name` is called for the `count`-th time."""
    inner, calls = getattr(owner, name), []

    def struck(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == count:
            strike()
        return inner(*arguments, **options)

    setattr(owner, name, struck)


def in_epoch(strike: Callable[[], None]) -> None:
    """In the third epoch, which has three batches, before the second one."""
    from specaug.training.module import Recognizer

    before(Recognizer, "training_step", 8, strike)


def in_pretraining(strike: Callable[[], None]) -> None:
    """The same of a pretraining."""
    from specaug.training.pretrain_module import Pretrainer

    before(Pretrainer, "training_step", 8, strike)


def before_pretrained(strike: Callable[[], None]) -> None:
    """Between the encoder and the result."""
    from specaug.study.pretraining import picture

    before(picture, "save", 1, strike)


def in_validation(strike: Callable[[], None]) -> None:
    """In the validation of the third epoch, which has one batch."""
    from specaug.training.callbacks import Scoring

    before(Scoring, "on_validation_batch_end", 3, strike)


def in_checkpoint(strike: Callable[[], None]) -> None:
    """When half of the third checkpoint is written."""
    import lightning

    inner, calls = lightning.Trainer.save_checkpoint, []

    def half(trainer: Any, path: Any, *arguments: Any, **options: Any) -> None:
        inner(trainer, path, *arguments, **options)
        calls.append(1)
        if len(calls) == 3:
            os.truncate(path, Path(path).stat().st_size // 2)
            strike()

    lightning.Trainer.save_checkpoint = half


def in_test(strike: Callable[[], None]) -> None:
    """After four epochs, when the last checkpoint is tested on the second of its two parts."""
    from specaug.training.callbacks import Scoring

    before(Scoring, "on_validation_batch_end", 6, strike)


def before_result(strike: Callable[[], None]) -> None:
    """Between the hypotheses and the result."""
    from specaug.study import run

    before(run, "replaced", 3, strike)


def in_workers(strike: Callable[[], None]) -> None:
    """When the screen hears that a worker is past its first epoch."""
    from specaug.study.screen import Screen

    inner = Screen.progress

    def progress(screen: Any, run: Any, at: Any) -> None:
        inner(screen, run, at)
        if at.epoch > 1:
            strike()

    Screen.progress = progress


POINTS = {
    "epoch": in_epoch,
    "validation": in_validation,
    "checkpoint": in_checkpoint,
    "test": in_test,
    "result": before_result,
    "workers": in_workers,
    "pretraining": in_pretraining,
    "pretrained": before_pretrained,
    "never": lambda strike: None,
}
