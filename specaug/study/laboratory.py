"""A laboratory: the folder that holds experiments/, models/ and sweeps/, where a researcher works."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

from specaug.errors import UserError
from specaug.study.places import space

FOLDERS = ("experiments", "models", "sweeps")
EXPECTED = "expected a laboratory, as `specaug init DIR` makes one"
PACKAGE = Path(__file__).resolve().parent.parent


def init(target: Path) -> list[Path]:
    """Lay out a laboratory in `target` and return the files written.

    Raises UserError, before anything is written, naming the first file or folder that stands in the way; and where
    there is no space, after what was written is removed.
    """
    origin = source()
    files = [path.relative_to(origin) for path in _files(origin)]
    for file in files:
        _check_free(target, file)
    with space(target), ExitStack() as undo:
        for file in files:
            _copy(origin / file, target / file, undo)
        undo.pop_all()
    return [target / file for file in files]


def find(recipe: Path) -> Path:
    """The laboratory of `recipe`: the nearest parent folder that holds `models/`, as an absolute path."""
    if (folder := around(recipe.parent)) is not None:
        return folder
    raise UserError(f"{recipe}: no folder above it holds models/; {EXPECTED}")


def at(folder: Path) -> Path:
    """The laboratory that `folder` is, or lies in, as an absolute path."""
    if (found := around(folder)) is not None:
        return found
    raise UserError(f"{folder.resolve()}: neither it nor a folder above it holds models/; {EXPECTED}")


def around(folder: Path) -> Path | None:
    """The nearest folder that holds `models/`, from this one upwards."""
    nearest = folder.resolve()
    return next((one for one in (nearest, *nearest.parents) if (one / "models").is_dir()), None)


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """While it lasts, `models` and its neighbours are imported from `folder` before anywhere else.

    A `models` that was imported from another laboratory steps aside, and comes back at the end.
    """
    folder = folder.resolve()
    here = _home_of_models() == folder
    aside = _models()
    if not here:
        _forget_models()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if not here:
            _forget_models()
            sys.modules.update(aside)


def source() -> Path:
    """Where the laboratory's folders lie: inside an installed package, or beside it in a checkout."""
    for source in (PACKAGE / "_laboratory", PACKAGE.parent):
        if all((source / folder).is_dir() for folder in FOLDERS):
            return source
    raise UserError(f"{PACKAGE}: no {', '.join(FOLDERS)} inside or beside it; expected a whole installation")


def _files(source: Path) -> list[Path]:
    paths = (path for folder in FOLDERS for path in sorted((source / folder).rglob("*")))
    return [path for path in paths if path.is_file() and path.parent.name != "__pycache__"]


def _check_free(target: Path, file: Path) -> None:
    if os.path.lexists(target / file):
        raise UserError(f"{target / file}: is already there; expected a folder without it")
    for folder in (target / file).parents:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file; expected a folder")


def _copy(source: Path, target: Path, undo: ExitStack) -> None:
    """Copy a file and make its folders; `undo` learns how to take back each of them."""
    for folder in reversed([folder for folder in target.parents if not folder.exists()]):
        folder.mkdir()
        undo.callback(folder.rmdir)
    with target.open("xb") as copy:  # x: a file that appeared meanwhile is kept
        undo.callback(target.unlink)
        copy.write(source.read_bytes())


def _models() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "models"}


def _forget_models() -> None:
    for name in _models():
        del sys.modules[name]


def _home_of_models() -> Path | None:
    module = sys.modules.get("models")
    return Path(next(iter(module.__path__))).resolve().parent if module else None
