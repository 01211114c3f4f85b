import hashlib
import io
import re
import shlex
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from torchaudio.datasets import librispeech as torchaudios
from trees import librispeech_archive, librispeech_tree

from specaug import cli
from specaug.errors import UserError
from specaug.speech.corpora import fetch_librispeech as fetching
from specaug.speech.corpora.fetch_librispeech import command, fetch_librispeech, published
from specaug.speech.corpora.librispeech import librispeech
from specaug.speech.corpora.options import LibriSpeech

pytest.importorskip("lhotse")

PARTS = {"train-clean-100": 1, "dev-clean": 1, "test-clean": 1}


class Mirror(ThreadingHTTPServer):
    """A folder on loopback, with Range; it keeps what it was asked, and breaks off as told."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked: list[tuple[str, str, str]] = []  # method, path, range
        self.cuts: list[int] = []  # bytes after which each of the next answers ends; -1: no answer
        self.stalls = 0  # answers that never come
        self.busy = 0  # answers that are 503
        self.ranges = True
        self.sized = True
        self.over = threading.Event()
        self.waited = False  # for an answer that never came, until the server gave up

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def gets(self) -> list[str]:
        """The ranges that were asked for."""
        return [wanted for method, _, wanted in self.asked if method == "GET"]

    def handle_error(self, *_: object) -> None:
        """A client that leaves in the middle is no error."""


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_HEAD(self) -> None:
        self.reply(body=False)

    def do_GET(self) -> None:
        self.reply(body=True)

    def reply(self, body: bool) -> None:
        server, wanted = self.server, self.headers.get("Range", "")
        server.asked.append((self.command, self.path, wanted))
        if body and server.stalls:
            server.stalls -= 1
            server.waited = not server.over.wait(10)
            return
        if body and server.busy:
            server.busy -= 1
            self.send_error(503)
            return
        path = server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        first = int(wanted[len("bytes=") : -1]) if wanted and server.ranges else 0
        self.send_response(206 if first else 200)
        if server.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if server.sized:
            self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        if body:
            cut = server.cuts.pop(0) if server.cuts else len(content)
            self.wfile.write(content[first : first + cut])

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of each part."""
    folder = tmp_path_factory.mktemp("packed")
    root = librispeech_tree(folder / "tree", PARTS)
    for part in PARTS:
        librispeech_archive(root, part, folder)
    return folder


def listed(folder: Path) -> dict[str, tuple[str, str]]:
    """The table of a mirror's archives; their published addresses lead nowhere."""
    return {
        path.name.removesuffix(".tar.gz"): (
            "http://127.0.0.1:9/",
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in folder.glob("*.tar.gz")
    }


@pytest.fixture
def mirror(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    server = Mirror(packed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(mirror: Mirror, data: Path, *parts: str) -> list[Path]:
    return fetch_librispeech(data, parts or ("dev-clean",), mirror.url, listed(mirror.folder))


def content(root: Path, part: str) -> dict[str, bytes]:
    files = sorted(path for path in (root / part).rglob("*") if path.is_file() and path.name != ".completed")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def left(data: Path) -> set[str]:
    """What lies in LibriSpeech/, but for locks."""
    root = data / "LibriSpeech"
    return {path.name for path in root.iterdir() if path.suffix != ".lock"} if root.is_dir() else set()


def test_parts_come_as_they_were_packed_and_make_a_corpus(mirror, packed, tmp_path):
    folders = fetch(mirror, tmp_path, *PARTS)
    assert folders == [tmp_path / "LibriSpeech" / part for part in PARTS]
    for part in PARTS:
        assert content(tmp_path / "LibriSpeech", part) == content(packed / "tree" / "LibriSpeech", part)
    assert left(tmp_path) == {*PARTS, "LICENSE.TXT", "README.TXT", "SPEAKERS.TXT"}  # and no archive
    options = LibriSpeech(dev=("dev-clean",), test=("test-clean",))
    corpus = librispeech(options, tmp_path, tmp_path / "cache")
    assert [len(utterances) for utterances in corpus.parts.values()] == [4, 4, 4]
    assert {u.columns["gender"] for us in corpus.parts.values() for u in us} == {"female", "male"}


def test_a_part_that_is_there_whole_is_not_fetched_again(mirror, tmp_path):
    fetch(mirror, tmp_path)
    asked = list(mirror.asked)
    fetch(mirror, tmp_path)
    assert mirror.asked == asked


def test_a_part_that_lhotse_has_fetched_is_whole(tmp_path):
    folder = tmp_path / "LibriSpeech" / "dev-clean"
    folder.mkdir(parents=True)
    (folder / ".completed").touch()
    assert fetch_librispeech(tmp_path, ("dev-clean",), "http://127.0.0.1:9/") == [folder]


def test_a_broken_connection_is_taken_up_where_it_broke(mirror, packed, tmp_path):
    size = (packed / "dev-clean.tar.gz").stat().st_size
    mirror.cuts = [size // 2, size // 4]
    fetch(mirror, tmp_path)
    assert mirror.gets() == ["bytes=0-", f"bytes={size // 2}-", f"bytes={size // 2 + size // 4}-"]
    assert content(tmp_path / "LibriSpeech", "dev-clean") == content(
        packed / "tree" / "LibriSpeech", "dev-clean"
    )


def test_the_next_command_goes_on_where_the_last_one_gave_up(mirror, packed, tmp_path):
    half = (packed / "dev-clean.tar.gz").stat().st_size // 2
    mirror.cuts = [half, *[0] * fetching.TRIES]
    with pytest.raises(UserError, match=rf"dev-clean.tar.gz: cannot be fetched .*; {half} bytes are kept"):
        fetch(mirror, tmp_path)
    assert left(tmp_path) == {"dev-clean.tar.gz"}
    assert len(mirror.gets()) == 1 + fetching.TRIES
    fetch(mirror, tmp_path)
    assert mirror.gets()[-1] == f"bytes={half}-"
    assert "dev-clean.tar.gz" not in left(tmp_path)


def test_tries_are_counted_from_the_last_byte_that_came(mirror, tmp_path):
    mirror.cuts = [0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 0]
    fetch(mirror, tmp_path)
    assert len(mirror.gets()) == 12


def test_a_whole_archive_that_was_never_extracted_is_not_fetched_again(mirror, packed, tmp_path):
    (tmp_path / "LibriSpeech").mkdir()
    (tmp_path / "LibriSpeech" / "dev-clean.tar.gz").write_bytes((packed / "dev-clean.tar.gz").read_bytes())
    fetch(mirror, tmp_path)
    assert mirror.gets() == []


def test_a_connection_on_which_nothing_comes_is_given_up(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "STALLED", 0.2)
    mirror.stalls = 1
    fetch(mirror, tmp_path)
    assert (len(mirror.gets()), mirror.waited) == (2, False)


def test_a_source_that_is_busy_is_asked_again(mirror, tmp_path):
    mirror.busy = 2
    fetch(mirror, tmp_path)
    assert len(mirror.gets()) == 3


def test_a_source_that_cannot_go_on_is_fetched_from_the_start(mirror, packed, tmp_path):
    mirror.ranges = False
    mirror.cuts = [1000]
    fetch(mirror, tmp_path)
    assert len(mirror.gets()) == 2
    assert content(tmp_path / "LibriSpeech", "dev-clean") == content(
        packed / "tree" / "LibriSpeech", "dev-clean"
    )


def test_archives_may_lie_in_a_folder_of_ones_own(packed, tmp_path):
    fetch_librispeech(tmp_path, ("dev-clean",), packed.as_uri(), listed(packed))
    assert content(tmp_path / "LibriSpeech", "dev-clean") == content(
        packed / "tree" / "LibriSpeech", "dev-clean"
    )
    assert (packed / "dev-clean.tar.gz").is_file()


def test_without_a_source_an_archive_comes_from_its_published_address(mirror, tmp_path):
    checksum = listed(mirror.folder)["dev-clean"][1]
    fetch_librispeech(
        tmp_path, ("dev-clean",), "", {"dev-clean": (f"{mirror.url}dev-clean.tar.gz", checksum)}
    )
    assert "dev-clean" in left(tmp_path)


def test_the_published_table_is_of_the_seven_parts_at_openslr():
    table = published()
    assert sorted(table) == [
        *("dev-clean", "dev-other", "test-clean", "test-other"),
        *("train-clean-100", "train-clean-360", "train-other-500"),
    ]
    for part, (url, checksum) in table.items():
        assert url == f"http://www.openslr.org/resources/12/{part}.tar.gz"
        assert re.fullmatch("[0-9a-f]{64}", checksum)


def one_line(mirror: Mirror, data: Path, *parts: str) -> str:
    with pytest.raises(UserError) as caught:
        fetch(mirror, data, *parts)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_checksum_is_refused_with_what_to_do_and_nothing_is_extracted(mirror, tmp_path):
    archive = tmp_path / "LibriSpeech" / "dev-clean.tar.gz"
    wrong = {"dev-clean": ("", "0" * 64)}
    with pytest.raises(
        UserError, match=f"{archive}: its SHA-256 is .*; expected 0{{64}}. Delete it and .*--source"
    ):
        fetch_librispeech(tmp_path, ("dev-clean",), mirror.url, wrong)
    assert left(tmp_path) == {"dev-clean.tar.gz"}


def test_bytes_that_are_no_part_of_the_archive_are_found_by_the_checksum(mirror, tmp_path):
    (tmp_path / "LibriSpeech").mkdir()
    (tmp_path / "LibriSpeech" / "dev-clean.tar.gz").write_bytes(b"not its beginning")
    assert "its SHA-256 is" in one_line(mirror, tmp_path)
    assert left(tmp_path) == {"dev-clean.tar.gz"}


def test_an_archive_that_is_longer_than_its_source_is_fetched_again(mirror, tmp_path):
    (tmp_path / "LibriSpeech").mkdir()
    (tmp_path / "LibriSpeech" / "dev-clean.tar.gz").write_bytes(b"?" * 1_000_000)
    fetch(mirror, tmp_path)
    assert "dev-clean" in left(tmp_path)


def test_an_unknown_part_is_named_before_anything_is_fetched(mirror, tmp_path):
    said = one_line(mirror, tmp_path, "dev-clean", "dev-cleen")
    assert said.startswith("no part 'dev-cleen' of LibriSpeech; expected some of ")
    assert (mirror.asked, left(tmp_path)) == ([], set())


def test_a_folder_without_the_mark_is_in_the_way_and_is_left_as_it_was(mirror, tmp_path):
    mine = tmp_path / "LibriSpeech" / "dev-clean" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert one_line(mirror, tmp_path, "train-clean-100", "dev-clean").startswith(
        f"{mine.parent} is in the way"
    )
    assert (mirror.asked, mine.read_text()) == ([], "mine")


def test_an_empty_folder_is_filled(mirror, tmp_path):
    (tmp_path / "LibriSpeech" / "dev-clean").mkdir(parents=True)
    fetch(mirror, tmp_path)
    assert content(tmp_path / "LibriSpeech", "dev-clean")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param("{url}nowhere", "404 Not Found; expected the archive there", id="no such folder"),
        pytest.param("nowhere", "unknown url type", id="no address"),
        pytest.param("http://127.0.0.1:9", "Connection refused.*0 bytes are kept", id="nobody there"),
        pytest.param("file:///nowhere", "No such file", id="no such file"),
    ],
)
def test_a_source_that_fails_is_one_line_and_leaves_nothing(mirror, tmp_path, source, words):
    with pytest.raises(UserError, match=words) as caught:
        fetch_librispeech(tmp_path, ("dev-clean",), source.format(url=mirror.url), listed(mirror.folder))
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == set()


def test_without_lhotse_it_is_named(mirror, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lhotse.utils", None)
    assert "fetched with lhotse, which is missing; pip install lhotse" in one_line(mirror, tmp_path)


def test_a_source_that_tells_no_length_is_refused(mirror, tmp_path):
    mirror.sized = False
    assert "does not say how long it is" in one_line(mirror, tmp_path)


def member(name: str, **facts: object) -> Callable[[tarfile.TarFile], None]:
    """What adds one member to an archive."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        for field, value in facts.items():
            setattr(info, field, value)
        info.size = 4 if info.isreg() else 0
        tar.addfile(info, io.BytesIO(b"evil") if info.isreg() else None)

    return add


INNER = "LibriSpeech/dev-clean"


@pytest.mark.parametrize(
    ("add", "named"),
    [
        pytest.param(member("../evil"), "../evil", id="above"),
        pytest.param(member(f"{INNER}/../../../evil"), "evil", id="above, from inside"),
        pytest.param(member("/tmp/evil"), "/tmp/evil", id="absolute"),
        pytest.param(member("evil"), "evil", id="beside"),
        pytest.param(member("LibriSpeach/dev-clean/evil.flac"), "LibriSpeach", id="another corpus"),
        pytest.param(member("LibriSpeech/test-clean/evil.flac"), "test-clean/evil", id="another part"),
        pytest.param(member("LibriSpeech/evil"), "LibriSpeech/evil", id="no text"),
        pytest.param(
            member("LibriSpeech/test-clean", type=tarfile.DIRTYPE), "test-clean", id="another folder"
        ),
        pytest.param(
            member(f"{INNER}/a", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a", id="symbolic link"
        ),
        pytest.param(member(f"{INNER}/a", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "a", id="hard link"),
        pytest.param(member(f"{INNER}/a", type=tarfile.FIFOTYPE), "a", id="pipe"),
        pytest.param(member(INNER), INNER, id="a file for the part"),
    ],
)
def test_what_would_leave_the_folder_is_refused_and_nothing_of_the_archive_is_kept(tmp_path, add, named):
    folder = tmp_path / "a" / "packed"
    folder.mkdir(parents=True)
    with tarfile.open(folder / "dev-clean.tar.gz", "w:gz") as tar:
        member(f"{INNER}/1/1/1-1-0000.flac")(tar)
        add(tar)
    data = tmp_path / "a" / "b" / "data"
    with pytest.raises(UserError, match=f"holds '.*{named}.*'; expected files in {INNER}/ and nothing else"):
        fetch_librispeech(data, ("dev-clean",), folder.as_uri(), listed(folder))
    assert left(data) == {"dev-clean.tar.gz"}
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        pytest.param(lambda whole: whole[: len(whole) // 2], "cannot be extracted", id="cut short"),
        pytest.param(
            lambda whole: whole[:40] + b"\xff" * 99 + whole[139:], "cannot be extracted", id="wrong within"
        ),
        pytest.param(lambda whole: b"<html>" * 50, "cannot be extracted", id="no archive"),
    ],
)
def test_an_archive_that_is_broken_leaves_no_part_that_would_be_taken_for_whole(
    packed, tmp_path, harm, words
):
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "dev-clean.tar.gz").write_bytes(harm((packed / "dev-clean.tar.gz").read_bytes()))
    with pytest.raises(UserError, match=words):
        fetch_librispeech(tmp_path, ("dev-clean",), folder.as_uri(), listed(folder))
    assert left(tmp_path) == {"dev-clean.tar.gz"}


def test_an_archive_without_the_part_is_refused(tmp_path):
    with tarfile.open(tmp_path / "dev-clean.tar.gz", "w:gz") as tar:
        member("LibriSpeech/README.TXT")(tar)
    with pytest.raises(UserError, match="no file of LibriSpeech/dev-clean/ in it"):
        fetch_librispeech(tmp_path / "data", ("dev-clean",), tmp_path.as_uri(), listed(tmp_path))


def test_what_a_killed_extraction_left_is_removed_by_the_next(mirror, tmp_path):
    killed = tmp_path / "LibriSpeech" / ".dev-clean.killed"
    (killed / "1").mkdir(parents=True)
    fetch(mirror, tmp_path)
    assert not killed.exists()


def test_the_command_fetches_parts_and_names_their_folders(mirror, tmp_path, monkeypatch, capsys):
    for part, (_, checksum) in listed(mirror.folder).items():
        monkeypatch.setitem(torchaudios._CHECKSUMS, published()[part][0], checksum)
    words = ["data", "librispeech", "--download", "--source", mirror.url, "--data", str(tmp_path)]
    assert cli.main([*words, "--parts", "dev-clean, test-clean,dev-clean"]) == 0
    folders = [tmp_path / "LibriSpeech" / part for part in ("dev-clean", "test-clean")]
    assert capsys.readouterr().out.splitlines() == [str(folder) for folder in folders]
    assert {path for method, path, _ in mirror.asked if method == "GET"} == {
        "/dev-clean.tar.gz",
        "/test-clean.tar.gz",
    }


@pytest.mark.parametrize("further", [["--download"], []], ids=["download", "look"])
def test_the_command_says_what_it_needs(tmp_path, capsys, further):
    assert cli.main(["data", "librispeech", *further, "--parts", "dev", "--data", str(tmp_path)]) == 2
    assert "no part 'dev' of LibriSpeech; expected some of dev-clean, " in capsys.readouterr().err


def test_without_download_it_says_what_is_there_and_how_the_rest_is_fetched(tmp_path, capsys):
    root = librispeech_tree(tmp_path, {"dev-clean": 1, "test-clean": 1})
    (root / "dev-other").mkdir()  # empty
    words = ["data", "librispeech", "--data", str(tmp_path), "--parts"]
    assert cli.main([*words, "dev-clean,dev-other,test-clean,test-other"]) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(root / "dev-clean"), str(root / "test-clean")]
    assert f"{root}: missing dev-other, test-other; expected them there, or " in said.err
    assert f"`{command('dev-other,test-other', tmp_path)}`" in said.err
    assert cli.main([*words, "dev-clean"]) == 0
    assert capsys.readouterr() == (f"{root / 'dev-clean'}\n", "")


def test_what_to_type_is_what_the_command_line_takes():
    words = command("dev-clean,dev-other", Path("/a folder")).split(maxsplit=1)
    assert words[0] == "specaug"
    given = cli.parser().parse_args(shlex.split(words[1]))
    assert (given.download, given.parts, given.data) == (True, "dev-clean,dev-other", Path("/a folder"))
