import shutil
from pathlib import Path

import numpy as np
import pytest
from trees import KEYWORDS, TALKERS, speech_commands_tree

from specaug.errors import UserError
from specaug.speech.audio import write_audio
from specaug.speech.corpora.options import SpeechCommands
from specaug.speech.corpora.speech_commands import speech_commands
from specaug.speech.corpus import Corpus
from specaug.study.corpora import open_corpus
from specaug.study.load import load
from specaug.study.places import Places

TEN = {"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"}
DEV, TEST = "validation_list.txt", "testing_list.txt"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_commands_tree(tmp_path_factory.mktemp("laid-out")).parent


@pytest.fixture
def root(laid_out: Path, tmp_path: Path) -> Path:
    """A tree of a test's own."""
    shutil.copytree(laid_out, tmp_path / "data")
    return tmp_path / "data" / "speech_commands_v0.02"


def read(root: Path, **options: str) -> Corpus:
    return speech_commands(SpeechCommands(**options), root.parent, root.parent.parent / "cache")


@pytest.fixture(scope="module")
def corpora(laid_out: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    """By the option `words`."""
    cache = tmp_path_factory.mktemp("cache")
    return {words: speech_commands(SpeechCommands(words=words), laid_out, cache) for words in ("all", "ten")}


def test_the_lists_say_which_recordings_are_held_out(corpora):
    corpus = corpora["all"]
    assert list(corpus.parts) == ["train", "dev", "test"]
    assert {part: sorted({u.speaker for u in us}) for part, us in corpus.parts.items()} == {
        "train": list(TALKERS[:2]),
        "dev": [TALKERS[2]],
        "test": [TALKERS[3]],
    }
    assert (corpus.name, corpus.synthetic, corpus.tests) == ("speech_commands", False, ["test"])


def test_one_recording_may_be_held_out_of_a_speaker_who_has_others_in_the_same_part(root):
    write_audio(root / "bed" / f"{TALKERS[3]}_nohash_1.wav", np.zeros(3200, np.float32), 16000)
    with (root / TEST).open("a") as file:
        file.write(f"bed/{TALKERS[3]}_nohash_1.wav\n")
    ids = [u.id for u in read(root).parts["test"] if u.text == "bed"]
    assert ids == [f"bed_{TALKERS[3]}_nohash_0", f"bed_{TALKERS[3]}_nohash_1"]


def test_each_of_the_35_words_is_a_class_in_every_part(corpora):
    for utterances in corpora["all"].parts.values():
        assert {u.text for u in utterances} == set(KEYWORDS)
        assert all(dict(u.columns) == {"word": u.text} for u in utterances)
        assert all(u.id == f"{u.text}_{u.speaker}_nohash_0" for u in utterances)


def test_a_recording_is_the_file_in_the_folder_of_its_word(corpora, laid_out):
    u = next(u for u in corpora["all"].parts["dev"] if u.text == "marvin")
    file = laid_out / "speech_commands_v0.02" / "marvin" / f"{TALKERS[2]}_nohash_0.wav"
    assert u.audio.samefile(file)
    assert u.duration == 0.2


def test_ten_words_keep_their_names_and_the_others_are_unknown(corpora):
    for part, utterances in corpora["ten"].parts.items():
        assert {u.text for u in utterances} == TEN | {"unknown"}
        said = [u.columns["said"] for u in utterances]
        assert said == [u.text for u in corpora["all"].parts[part]]
        assert all(
            u.text == u.columns["word"] == (word if word in TEN else "unknown")
            for u, word in zip(utterances, said, strict=True)
        )


def test_the_noise_and_what_is_no_recording_are_passed_over(root):
    before = read(root)
    (root / "bed" / ".DS_Store").write_bytes(b"x")
    (root / "bed" / "._x.wav").write_bytes(b"x")
    (root / ".git").mkdir()
    assert read(root) == before
    assert not any(u.audio.parent.name == "_background_noise_" for us in before.parts.values() for u in us)


def test_it_is_found_where_torchaudio_unpacks_it(root):
    (root.parent / "SpeechCommands").mkdir()
    root.rename(root.parent / "SpeechCommands" / root.name)
    assert len(read(root).parts["train"]) == 70


def test_a_recipe_names_it(laboratory, laid_out, tmp_path):
    path = laboratory / "experiments" / "words.yaml"
    path.write_text("corpus: {name: speech_commands, words: ten}\n")
    places = Places(laboratory, laid_out, tmp_path / "cache", tmp_path / "runs")
    corpus = open_corpus(load(path).corpus, places)
    assert corpus.title == "Speech Commands, ten words, and others: real speech"
    path.write_text("corpus: {name: speech_commands, words: twelve}\n")
    with pytest.raises(UserError, match="words is 'twelve'; input should be 'all' or 'ten'"):
        load(path)
    path.write_text("corpus: speech_commands\nfolds: [0]\n")
    with pytest.raises(UserError, match="the corpus speech_commands has none"):
        load(path)


def append(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text()}{line}\n")


def first(root: Path) -> Path:
    return root / "bed" / f"{TALKERS[0]}_nohash_0.wav"


def swap(root: Path) -> None:
    (root / DEV).rename(root / "list")
    (root / TEST).rename(root / DEV)
    (root / "list").rename(root / TEST)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: write_audio(first(root), np.ones(99, np.float32), 16000), id="audio"),
        pytest.param(lambda root: first(root).unlink(), id="a recording fewer"),
        pytest.param(swap, id="lists of the same length"),
    ],
)
def test_a_changed_source_makes_other_manifests(root, change):
    before = read(root)
    change(root)
    assert read(root).parts != before.parts


def test_the_manifests_are_made_once(root, tmp_path):
    seen = []
    for _ in range(2):
        speech_commands(SpeechCommands(), root.parent, tmp_path / "cache", lambda *facts: seen.append(facts))
    assert seen.count(("speech_commands", 140, 140)) == 1
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        pytest.param(lambda root: root.rename(root.parent / "other"), "speech_commands_v0.02: no such folder (or SpeechCommands/speech_commands_v0.02); expected it in the folder of --data DIR", id="no tree"),
        pytest.param(lambda root: shutil.rmtree(root / "zero"), "v0.02: no folder 'zero' in it; expected the 35 words", id="no such word there"),
        pytest.param(lambda root: (root / "zebra").mkdir(), "v0.02/zebra: no such word; expected the 35 words", id="no such word"),
        pytest.param(lambda root: [path.unlink() for path in (root / "zero").iterdir()], "v0.02/zero: no recording in it", id="an empty word"),
        pytest.param(lambda root: first(root).rename(root / "bed" / "mine.wav"), "bed/mine.wav: its name tells no speaker; expected HASH_nohash_N.wav", id="no speaker"),
        pytest.param(lambda root: (root / DEV).unlink(), "validation_list.txt: no such file; expected the list that", id="no list for dev"),
        pytest.param(lambda root: (root / TEST).unlink(), "testing_list.txt: no such file; expected the list that", id="no list for test"),
        pytest.param(lambda root: (root / TEST).write_text("\n"), "testing_list.txt: empty; expected at least one line", id="an empty list"),
        pytest.param(lambda root: (root / "bed" / f"{TALKERS[2]}_nohash_0.wav").unlink(), f"validation_list.txt:2: no recording bed/{TALKERS[2]}_nohash_0.wav in", id="listed and missing"),
        pytest.param(lambda root: append(root / TEST, "_background_noise_/pink_noise.wav"), "testing_list.txt:36: no recording _background_noise_/pink_noise.wav in", id="noise"),
        pytest.param(lambda root: append(root / TEST, f"bed/{TALKERS[3]}_nohash_0.wav"), "testing_list.txt:36: bed/3d4e5f60_nohash_0.wav is already of part test", id="twice"),
        pytest.param(lambda root: append(root / TEST, f"bed/{TALKERS[2]}_nohash_0.wav"), "testing_list.txt:36: bed/2c3d4e5f_nohash_0.wav is already of part dev", id="in both lists"),
        pytest.param(lambda root: append(root / DEV, f"bed/{TALKERS[0]}_nohash_0.wav"), f"bed/{TALKERS[0]}_nohash_0.wav: speaker '{TALKERS[0]}' of part dev is also in train", id="a speaker of train in dev"),
        pytest.param(lambda root: append(root / TEST, f"bed/{TALKERS[0]}_nohash_0.wav"), f"speaker '{TALKERS[0]}' of part test is also in train", id="a speaker of train in test"),
        pytest.param(lambda root: append(root / DEV, "\n".join(f"{word}/{name}_nohash_0.wav" for word in KEYWORDS for name in TALKERS[:2])), "v0.02: all recordings are in the lists; expected some to train on", id="nothing to train on"),
        pytest.param(lambda root: first(root).write_bytes(b""), "audio file {root}/bed/0a1b2c3d_nohash_0.wav is empty (0 bytes)", id="empty audio"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tree_is_told_in_a_line_and_nothing_is_kept(root, tmp_path, harm, complaint):
    harm(root)
    with pytest.raises(UserError) as caught:
        read(root)
    assert complaint.format(root=root) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").glob("*") if path.suffix != ".lock"]
