import shutil
from pathlib import Path

import numpy as np
import pytest

from specaug.errors import UserError
from specaug.speech.audio import read_audio, write_audio
from specaug.speech.corpora.librispeech import librispeech
from specaug.speech.corpora.manifests import manifests
from specaug.speech.corpora.options import LibriSpeech, Manifests
from specaug.speech.manifest import Utterance, write_manifest

RATE = 16000
PARTS = {  # part -> speakers; each reads two sentences in each of two chapters
    "train-clean-100": ("19", "26"),
    "train-clean-360": ("14",),
    "dev-clean": ("84",),
    "dev-other": ("116",),
    "test-clean": ("61", "121"),
    "test-other": ("367",),
}
SPEAKERS = """\
; Metadata about all the speakers.
;ID  |SEX| SUBSET           |MINUTES| NAME
14   | F | train-clean-360  | 25.03 | Kristin
19   | F | train-clean-100  | 25.19 | Kara
61   | M | test-clean       | 8.08  | A | B
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a tiny tree of LibriSpeech's layout; file n of a chapter has n + 1 tenths of a second."""
    root = tmp_path / "data" / "LibriSpeech"
    for part, speakers in PARTS.items():
        for speaker in speakers:
            for chapter in ("198", "227"):
                folder = root / part / speaker / chapter
                lines = []
                for n in range(2):
                    name = f"{speaker}-{chapter}-{n:04d}"
                    write_audio(folder / f"{name}.flac", np.zeros((n + 1) * RATE // 10, np.float32), RATE)
                    lines.append(f"{name} IT'S SENTENCE {'AB'[n]}\n")
                (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines))
    (root / "SPEAKERS.TXT").write_text(SPEAKERS)
    return tmp_path / "data"


def test_parts_are_joined_into_train_and_dev_and_tests_keep_their_names(data, tmp_path):
    options = LibriSpeech(train=("train-clean-100", "train-clean-360"))
    corpus = librispeech(options, data, tmp_path / "cache")
    speakers = {part: sorted({u.speaker for u in us}, key=int) for part, us in corpus.parts.items()}
    assert speakers == {
        "train": ["14", "19", "26"],
        "dev": ["84", "116"],
        "test-clean": ["61", "121"],
        "test-other": ["367"],
    }
    assert list(corpus.parts) == ["train", "dev", "test-clean", "test-other"]
    assert [len(us) for us in corpus.parts.values()] == [12, 8, 8, 4]
    assert (corpus.name, corpus.synthetic) == ("librispeech", False)
    assert "train-clean-100 + train-clean-360" in corpus.title


def test_an_utterance_is_what_its_transcript_and_its_header_say(data, tmp_path):
    corpus = librispeech(LibriSpeech(), data, tmp_path / "cache")
    u = next(u for u in corpus.parts["test-clean"] if u.id == "61-227-0001")
    assert (u.text, u.speaker, u.duration, dict(u.columns)) == (
        "it's sentence b",
        "61",
        0.2,
        {"gender": "male"},
    )
    assert u.audio.samefile(data / "LibriSpeech" / "test-clean" / "61" / "227" / "61-227-0001.flac")
    wave, rate = read_audio(u)
    assert (len(wave), rate) == (RATE // 5, RATE)
    assert [dict(u.columns) for u in corpus.parts["dev"]] == [{}] * 8  # not in SPEAKERS.TXT


def test_speakers_need_no_list(data, tmp_path):
    (data / "LibriSpeech" / "SPEAKERS.TXT").unlink()
    corpus = librispeech(LibriSpeech(), data, tmp_path / "cache")
    assert not any(u.columns for us in corpus.parts.values() for u in us)


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


def test_the_manifests_are_made_once(data, tmp_path):
    seen = []
    for _ in range(2):
        librispeech(LibriSpeech(), data, tmp_path / "cache", lambda *facts: seen.append(facts))
    assert len(folders(tmp_path / "cache")) == 1
    assert seen.count(("librispeech test-clean", 4, 4)) == 1


def first(root: Path, pattern: str) -> Path:
    return min((root / "train-clean-100").rglob(pattern))


def rewrite(path: Path) -> None:
    path.write_text(path.read_text().replace("SENTENCE A", "SENTENCE C"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: rewrite(first(root, "*.txt")), id="a word of the same length"),
        pytest.param(
            lambda root: write_audio(first(root, "*.flac"), np.ones(99, np.float32), RATE), id="audio"
        ),
        pytest.param(lambda root: shutil.rmtree(root / "train-clean-100" / "26"), id="a speaker fewer"),
        pytest.param(lambda root: (root / "SPEAKERS.TXT").write_text("19|M"), id="a gender"),
    ],
)
def test_a_changed_source_makes_other_manifests(data, tmp_path, change):
    before = librispeech(LibriSpeech(), data, tmp_path / "cache")
    change(data / "LibriSpeech")
    after = librispeech(LibriSpeech(), data, tmp_path / "cache")
    assert len(folders(tmp_path / "cache")) == 2
    assert before.parts["train"] != after.parts["train"]


def test_a_source_elsewhere_is_not_read_from_where_it_was(data, tmp_path):
    librispeech(LibriSpeech(), data, tmp_path / "cache")
    moved = data.rename(tmp_path / "moved")
    corpus = librispeech(LibriSpeech(), moved, tmp_path / "cache")
    assert all(u.audio.is_file() for us in corpus.parts.values() for u in us)


def test_other_options_make_other_manifests(data, tmp_path):
    librispeech(LibriSpeech(), data, tmp_path / "cache")
    moved = LibriSpeech(train=("train-clean-100", "dev-clean"), dev=("dev-other",))  # the same files
    corpus = librispeech(moved, data, tmp_path / "cache")
    assert {u.speaker for u in corpus.parts["dev"]} == {"116"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param({"train": ("train-other-500",)}, "LibriSpeech: no part 'train-other-500' there; found dev-clean, dev-other, test-clean", id="missing"),
        pytest.param({"train": ("../data",)}, "no part '../data' there", id="outside"),
        pytest.param({"train": ()}, "corpus.train is empty", id="no train"),
        pytest.param({"dev": ()}, "corpus.dev is empty", id="no dev"),
        pytest.param({"test": ("dev-clean",)}, "part 'dev-clean' is given 2 times", id="twice"),
    ],
)  # fmt: skip
def test_a_wrong_choice_of_parts_names_those_that_are_there(data, tmp_path, options, complaint):
    with pytest.raises(UserError, match=complaint):
        librispeech(LibriSpeech(**options), data, tmp_path / "cache")


def test_a_test_part_may_not_take_the_name_of_train(data, tmp_path):
    (data / "LibriSpeech" / "train").mkdir()
    with pytest.raises(UserError, match="a test part cannot be called 'train'"):
        librispeech(LibriSpeech(test=("train",)), data, tmp_path / "cache")


def test_a_missing_tree_names_the_folder_looked_in_and_how_to_fetch_what_it_should_hold(tmp_path):
    options = LibriSpeech(dev=("dev-clean", "mine"), test=("test-other",))
    with pytest.raises(UserError, match=f"^{tmp_path}/LibriSpeech: no such folder") as caught:
        librispeech(options, tmp_path, tmp_path / "cache")
    parts = "train-clean-100,dev-clean,test-other"
    assert str(caught.value).endswith(
        f"with `specaug data librispeech --download --parts {parts} --data {tmp_path}`"
    )


def test_a_missing_part_says_how_to_fetch_it_if_it_is_published(data, tmp_path):
    with pytest.raises(UserError) as caught:
        librispeech(LibriSpeech(test=("test-clean", "train-clean-460")), data, tmp_path / "cache")
    assert "specaug data" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        librispeech(LibriSpeech(train=("train-other-500",)), data, tmp_path / "cache")
    fetch = f"specaug data librispeech --download --parts train-other-500 --data {data}"
    assert str(caught.value).endswith(f"; fetch it with `{fetch}`")


def halve(path: Path) -> None:
    write_audio(path, np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        pytest.param(halve, "is cut short: its header says 1.00 s", id="cut short"),
        pytest.param(lambda path: path.write_bytes(b"<html>"), "cannot be read", id="no FLAC"),
    ],
)
def test_a_broken_file_is_named_and_how_to_fetch_its_part_again(data, tmp_path, harm, what):
    broken = first(data / "LibriSpeech", "*.flac")
    harm(broken)
    with pytest.raises(UserError) as caught:
        librispeech(LibriSpeech(), data, tmp_path / "cache")
    part = data / "LibriSpeech" / "train-clean-100"
    assert str(caught.value).startswith(f"audio file {broken} {what}")
    fetch = f"specaug data librispeech --download --parts train-clean-100 --data {data}"
    assert str(caught.value).endswith(f"; delete {part}, then fetch it with `{fetch}`")


def test_a_broken_file_of_a_part_of_ones_own_is_just_named(data, tmp_path):
    mine = (data / "LibriSpeech" / "train-clean-100").rename(data / "LibriSpeech" / "mine")
    broken = min(mine.rglob("*.flac"))
    broken.write_bytes(b"")
    with pytest.raises(UserError, match=rf"{broken} is empty \(0 bytes\)$"):
        librispeech(LibriSpeech(train=("mine",)), data, tmp_path / "cache")


def test_a_part_on_its_way_is_not_among_those_that_are_there(data, tmp_path):
    (data / "LibriSpeech" / ".dev-clean.x1y2").mkdir()
    with pytest.raises(UserError, match="found dev-clean, dev-other, test-clean, test-other, train-"):
        librispeech(LibriSpeech(train=("train-other-500",)), data, tmp_path / "cache")


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        pytest.param(lambda root: first(root, "*.flac").unlink(), r"198.trans.txt:1: no file .*-0000.flac", id="no audio"),
        pytest.param(lambda root: first(root, "*.flac").write_bytes(b""), r"is empty \(0 bytes\)", id="empty audio"),
        pytest.param(
            lambda root: first(root, "*.txt").write_text("19-198-0000 A\n"), "no line for 19-198-0001.flac", id="no text"
        ),
        pytest.param(
            lambda root: first(root, "*.txt").write_text("19-198-0000 A\n19-198-0000 B\n"),
            r"trans.txt:2: .*second line",
            id="two lines for one",
        ),
        pytest.param(lambda root: first(root, "*.txt").write_text(""), "trans.txt: empty", id="empty transcript"),
        pytest.param(lambda root: (root / "SPEAKERS.TXT").write_text("19 F\n"), "SPEAKERS.TXT:1: ", id="no columns"),
        pytest.param(
            lambda root: [path.unlink() for path in (root / "dev-other").rglob("*.txt")],
            r"dev-other: no <speaker>/<chapter>/\*.trans.txt",
            id="no transcripts",
        ),
    ],
)  # fmt: skip
def test_audio_and_transcripts_that_disagree_are_named_and_nothing_is_kept(data, tmp_path, harm, complaint):
    harm(data / "LibriSpeech")
    with pytest.raises(UserError, match=complaint):
        librispeech(LibriSpeech(), data, tmp_path / "cache")
    assert folders(tmp_path / "cache") == set()


def test_a_speaker_of_train_in_a_test_part_is_an_error(data, tmp_path):
    source, target = (data / "LibriSpeech" / part / "26" for part in ("train-clean-100", "test-other"))
    (target / "227").mkdir(parents=True)
    for path in (source / "227").iterdir():
        path.rename(target / "227" / path.name)
    with pytest.raises(UserError, match="speaker '26' of part test-other is also in train"):
        librispeech(LibriSpeech(), data, tmp_path / "cache")


def write_part(path: Path, *speakers: str) -> str:
    name = path.stem
    write_manifest(
        path,
        [
            Utterance(
                id=f"{name}-{n}", text="a", speaker=speaker, duration=1.0, audio=path.parent / f"{n}.wav"
            )
            for n, speaker in enumerate(speakers)
        ],
    )
    return str(path)


@pytest.fixture
def laboratory(tmp_path: Path) -> Path:
    write_part(tmp_path / "data" / "part-1.jsonl", "a", "b")
    write_part(tmp_path / "data" / "held.jsonl", "a")
    write_part(tmp_path / "data" / "far.jsonl", "c")
    write_part(tmp_path / "data" / "near.jsonl", "d")
    return tmp_path


GIVEN = {
    "train": "data/part-1.jsonl",
    "dev": "data/held.jsonl",
    "test": ("data/far.jsonl", "data/near.jsonl"),
}


def test_manifests_are_read_as_they_are(laboratory):
    corpus = manifests(Manifests(**GIVEN, title="Ours", synthetic=True), laboratory)
    assert (corpus.title, corpus.synthetic, corpus.tests) == ("Ours", True, ["far", "near"])
    assert [[u.speaker for u in us] for us in corpus.parts.values()] == [["a", "b"], ["a"], ["c"], ["d"]]
    assert corpus.parts["far"][0].audio == laboratory / "data" / "0.wav"


def test_a_manifest_may_lie_outside_the_laboratory(laboratory, tmp_path_factory):
    path = write_part(tmp_path_factory.mktemp("other") / "far.jsonl", "z")
    corpus = manifests(Manifests(**{**GIVEN, "test": (path,)}), laboratory)
    assert corpus.parts["far"][0].speaker == "z"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"train": ""}, "corpus.train is empty; expected the path", id="no train"),
        pytest.param({"dev": ""}, "corpus.dev is empty; expected the path", id="no dev"),
        pytest.param({"dev": "data/none.jsonl"}, "data/none.jsonl: no such file", id="missing"),
        pytest.param({"test": ("data/far.jsonl", "x/far.jsonl")}, "a part called 'far', which data/far.jsonl is", id="two"),
        pytest.param({"test": ("x/dev.jsonl",)}, "a part called 'dev', which data/held.jsonl is", id="a test called dev"),
        pytest.param({"test": ("x/dev+noise.jsonl",)}, r"a part called 'dev\+noise', and after a \+ stands how", id="a plus"),
        pytest.param({"dev": "data/part-1.jsonl"}, "id 'part-1-0' is already used at", id="same ids"),
    ],
)  # fmt: skip
def test_manifests_that_make_no_corpus_are_an_error(laboratory, changes, complaint):
    with pytest.raises(UserError, match=complaint):
        manifests(Manifests(**{**GIVEN, **changes}), laboratory)


def test_a_test_manifest_may_not_share_a_speaker_with_train(laboratory):
    write_part(laboratory / "data" / "near.jsonl", "d", "b")
    with pytest.raises(UserError, match=r"near.jsonl:2: speaker 'b' of part near is also in train"):
        manifests(Manifests(**GIVEN), laboratory)
