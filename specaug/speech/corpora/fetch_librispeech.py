"""Fetching parts of LibriSpeech (Panayotov et al. 2015, CC BY 4.0) from OpenSLR or a mirror of it.

An archive is fetched in pieces, however often the connection breaks, and must have the published SHA-256. A part is
extracted beside its place and renamed: it lies there whole, with the mark that lhotse leaves too, or not at all.
"""

import gzip
import hashlib
import os
import shlex
import shutil
import socket
import tarfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError

from specaug.errors import UserError
from specaug.speech.once import make_once

FOLDER = "LibriSpeech"
MARK = ".completed"  # in the folder of a part that is whole
TRIES = 5  # in a row without a new byte, before a source is given up
PAUSE = 1.0  # seconds between two tries
STALLED = 60.0  # seconds without a byte, after which a connection counts as broken
BLOCK = 1 << 20  # bytes that are read at once
BUSY = 429  # HTTP: too many requests for now

Say = Callable[[str], None]


def published() -> dict[str, tuple[str, str]]:
    """The address and the SHA-256 of each part's archive, from torchaudio's table."""
    from torchaudio.datasets.librispeech import _CHECKSUMS

    return {
        url.rsplit("/", 1)[1].removesuffix(".tar.gz"): (url, checksum) for url, checksum in _CHECKSUMS.items()
    }


def command(part: str, data: Path) -> str:
    """What to type to fetch a part."""
    return f"specaug data librispeech --download --parts {part} --data {shlex.quote(str(data))}"


def fetch_librispeech(
    data: Path,
    parts: tuple[str, ...],
    source: str = "",
    table: Mapping[str, tuple[str, str]] | None = None,
    say: Say = lambda _: None,
) -> list[Path]:
    """The folders of `parts` in `data/LibriSpeech`; those that are not there whole are fetched, one after the other.

    `source` is the address of a folder with the same archives, instead of OpenSLR's; `table` says which parts there are,
    and where (by default those that are published).

    Raises UserError where a part is unknown, something is in its way, the source fails or holds another archive.
    """
    known = published() if table is None else table
    require_parts(parts, known)
    for part in parts:
        _check_way(data / FOLDER / part, part)
    for part in parts:
        url, checksum = known[part]
        url = f"{source.rstrip('/')}/{part}.tar.gz" if source else url
        _fetch_part(data / FOLDER, part, url, checksum, say)
    return [data / FOLDER / part for part in parts]


def require_parts(parts: Sequence[str], known: Collection[str]) -> None:
    """Raise UserError where one of `parts` is none of LibriSpeech's."""
    for part in parts:
        if part not in known:
            raise UserError(f"no part {part!r} of LibriSpeech; expected some of {', '.join(known)}")


def missing(data: Path, parts: Sequence[str]) -> list[str]:
    """Those of `parts` of which there is nothing in `data/LibriSpeech`."""
    folders = {part: data / FOLDER / part for part in parts}
    return [part for part, folder in folders.items() if not folder.is_dir() or not any(folder.iterdir())]


def _check_way(folder: Path, part: str) -> None:
    """Raise UserError where something other than the whole part, or an empty folder, is in its place."""
    free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not free and not (folder / MARK).is_file():
        raise UserError(
            f"{folder} is in the way and has no mark of being whole; expected no such folder, "
            f"or, if it holds all of {part}, an empty file {MARK} in it"
        )


def _fetch_part(root: Path, part: str, url: str, checksum: str, say: Say) -> None:
    """Make `root/part` from the archive at `url`, unless it is there."""
    archive = root / f"{part}.tar.gz"

    def write(partial: Path) -> None:
        say(f"{part}: fetching {url}")
        _download(url, archive)
        say(f"{part}: checking {archive}")
        _check(archive, url, checksum)
        say(f"{part}: extracting")
        texts = _extract(archive, part, partial)
        (partial / MARK).touch()
        for name, content in texts.items():
            _put(root / name, content)

    make_once(root / part, MARK, write)
    archive.unlink(missing_ok=True)


def _put(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, and rename it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _download(url: str, archive: Path) -> None:
    """Fetch what is missing of `archive`, and go on where the connection breaks.

    Raises UserError where the source refuses, or nothing more comes from it; what has come is kept.
    """
    left, why = TRIES, ""
    while left:
        had = _size(archive)
        try:
            with _patience():
                if _attempt(url, archive):
                    return
            why = "the connection breaks"
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            why = _reason(error, url)
        if _size(archive) > had:
            left = TRIES
        elif left := left - 1:
            time.sleep(PAUSE)
    kept = f"{_size(archive)} bytes are kept, and the same command goes on from there"
    raise UserError(f"{url}: cannot be fetched ({why}); {kept}")


def _attempt(url: str, archive: Path) -> bool:
    """Fetch until the end, or until the connection breaks; whether all is there."""
    try:
        from lhotse.utils import resumable_download
    except ModuleNotFoundError:
        raise UserError(f"{url}: fetched with lhotse, which is missing; pip install lhotse") from None
    total, goes_on = _facts(url)
    had = _size(archive)
    if had > total or (had < total and not goes_on):
        archive.unlink(missing_ok=True)
    resumable_download(url, archive, completed_file_size=total)
    return _size(archive) == total


def _reason(error: Exception, url: str) -> str:
    """Why a source cannot be reached. Raises UserError where it says that trying again is of no use."""
    if isinstance(error, HTTPError):
        error.close()
        if error.code < 500 and error.code != BUSY:
            expected = "expected the archive there, or a mirror's address as --source"
            raise UserError(f"{url}: {error.code} {error.reason}; {expected}") from None
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


@contextmanager
def _patience() -> Iterator[None]:
    """While it lasts, a connection on which nothing comes is given up; lhotse would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _facts(url: str) -> tuple[int, bool]:
    """How long an archive is, and whether its source can go on in the middle of it."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as response:
            length, ranges = response.headers.get("Content-Length"), response.headers.get("Accept-Ranges")
    except ValueError as error:
        raise UserError(f"{url}: {error}; expected an address such as https://host/folder") from None
    if length is None:
        raise UserError(f"{url}: its source does not say how long it is; expected a file to fetch")
    return int(length), ranges == "bytes"


def _check(archive: Path, url: str, checksum: str) -> None:
    """Raise UserError unless the archive is the published one."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != checksum:
        raise UserError(
            f"{archive}: its SHA-256 is {found}; expected {checksum}. Delete it and give the command again; "
            f"if it comes out the same, {url} is another file, and a mirror can be named with --source"
        )


def _extract(archive: Path, part: str, partial: Path) -> dict[str, bytes]:
    """Put the files of `part` into the folder `partial`; returns the texts that lie beside the parts, by name.

    Raises UserError where the archive is broken, holds anything but files and folders of that part, or none of them.
    """
    texts: dict[str, bytes] = {}
    read = 0
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = _inside(member, part, archive)
                if member.isdir():
                    continue
                source = tar.extractfile(member)
                assert source is not None  # it is a file
                if len(path.parts) == 2:
                    texts[path.name] = source.read()
                else:
                    target = partial.joinpath(*path.parts[2:])
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("xb") as file:
                        shutil.copyfileobj(source, file, BLOCK)
                    read += 1
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{archive}: cannot be extracted ({error}); delete it and fetch it again") from None
    if not read:
        raise UserError(f"{archive}: no file of {FOLDER}/{part}/ in it; expected that part")
    return texts


def _inside(member: tarfile.TarInfo, part: str, archive: Path) -> PurePosixPath:
    """Where a member belongs: below `LibriSpeech/<part>/`, or a text beside it. Anything else raises UserError."""
    path = PurePosixPath(member.name)
    plain = member.isfile() or member.isdir()
    inside = path.parts[:1] == (FOLDER,) and ".." not in path.parts
    text = len(path.parts) == 2 and path.suffix == ".TXT" and member.isfile()
    folder = path.parts[1:2] in ((), (part,)) and (len(path.parts) > 2 or member.isdir())
    if not (plain and inside and (text or folder)):
        raise UserError(
            f"{archive}: holds {member.name!r}; expected files in {FOLDER}/{part}/ and nothing else"
        )
    return path
