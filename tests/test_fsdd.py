from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import soundfile

from specaug.errors import UserError
from specaug.speech.audio import read_audio, write_audio
from specaug.speech.corpora.fsdd import fsdd
from specaug.speech.corpora.options import Fsdd
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import Utterance, fingerprint

SPEAKERS = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SMALL = Fsdd(train=60, dev=40, test=30)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose recordings are constant: the value of their samples says digit, speaker and take."""
    data = tmp_path_factory.mktemp("numbered")
    for place, speaker in enumerate(SPEAKERS):
        for digit in range(10):
            for take in range(50):
                value = 1 + take + 50 * digit + 500 * place
                wave = np.full(40 + take, value / 2**15, np.float32)
                path = data / "free-spoken-digit-dataset" / "recordings" / f"{digit}_{speaker}_{take}.wav"
                write_audio(path, wave, 8000)
    return data


@pytest.fixture(scope="session")
def folds(numbered: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    cache = tmp_path_factory.mktemp("folds")
    return [fsdd(Fsdd(fold=fold, train=60, dev=40, test=30), numbered, cache) for fold in (0, 1, 2)]


def heard(u: Utterance) -> list[tuple[int, str, int]]:
    """Digit, speaker and take of each recording that an utterance of `numbered` joins."""
    samples, _ = soundfile.read(u.audio, dtype="int16")
    values = [int(value) - 1 for value, _ in groupby(samples) if value]
    return [(value // 50 % 10, SPEAKERS[value // 500], value % 50) for value in values]


def pauses(u: Utterance) -> list[float]:
    """The seconds of silence after each digit."""
    samples, rate = soundfile.read(u.audio, dtype="int16")
    return [len(list(run)) / rate for value, run in groupby(samples) if not value]


def speakers(utterances: list[Utterance]) -> set[str]:
    return {u.speaker for u in utterances}


def test_the_parts_are_as_large_as_asked_and_ids_are_used_once(folds):
    for corpus in folds:
        assert {part: len(us) for part, us in corpus.parts.items()} == {
            "train": 60,
            "dev": 40,
            "unseen": 30,
            "noisy": 30,
        }
        assert len({u.id for us in corpus.parts.values() for u in us}) == 160
        assert (corpus.tests, corpus.synthetic) == (["unseen", "noisy"], False)


def test_a_transcript_says_what_the_recordings_say_and_who_says_it(folds):
    for u in (u for part in ("train", "dev", "unseen") for u in folds[1].parts[part]):
        said = heard(u)
        assert u.text == " ".join(WORDS[digit] for digit, _, _ in said)
        assert {speaker for _, speaker, _ in said} == {u.speaker}
        assert u.columns["digits"] == len(said)
        assert 3 <= len(said) <= 7
        assert u.duration == len(soundfile.read(u.audio)[0]) / 8000


def test_every_digit_is_followed_by_a_pause_of_20_to_200_ms(folds):
    for u in folds[0].parts["train"]:
        assert len(pauses(u)) == u.columns["digits"]
        assert all(0.02 <= seconds <= 0.2 for seconds in pauses(u))


def test_dev_has_takes_0_to_4_train_takes_5_to_49_and_the_tests_any(folds):
    takes = {
        part: {take for corpus in folds for u in corpus.parts[part] for _, _, take in heard(u)}
        for part in ("train", "dev", "unseen")
    }
    assert takes == {"train": set(range(5, 50)), "dev": set(range(5)), "unseen": set(range(50))}


def test_each_speaker_is_unseen_in_exactly_one_fold_and_trains_in_the_others(folds):
    unseen = [speakers(corpus.parts["unseen"]) for corpus in folds]
    assert [len(them) for them in unseen] == [2, 2, 2]
    assert set.union(*unseen) == set(SPEAKERS)
    for corpus, them in zip(folds, unseen, strict=True):
        assert speakers(corpus.parts["noisy"]) == them
        assert speakers(corpus.parts["train"]) == speakers(corpus.parts["dev"]) == set(SPEAKERS) - them


def test_speakers_have_equal_shares_of_a_part(folds):
    for part, share in (("train", 15), ("dev", 10), ("unseen", 15)):
        names = [u.speaker for u in folds[2].parts[part]]
        assert {names.count(name) for name in names} == {share}


def test_no_two_strings_of_a_part_are_alike(folds):
    for part in ("train", "unseen"):
        assert len({tuple(heard(u)) for u in folds[0].parts[part]}) == len(folds[0].parts[part])


def test_noisy_says_what_unseen_says(folds):
    unseen, noisy = folds[0].parts["unseen"], folds[0].parts["noisy"]
    said = [[(u.text, u.speaker, u.duration) for u in us] for us in (unseen, noisy)]
    assert said[0] == said[1]
    assert all("snr" not in u.columns for u in unseen)
    assert {u.columns["noise"] for u in noisy} == {"white", "pink", "brown"}


def measured_snr(clean: Utterance, noisy: Utterance) -> float:
    """dB, from the two files: what of the noisy one is no multiple of the clean one is noise."""
    speech, sum_ = (read_audio(u)[0].astype(np.float64) for u in (clean, noisy))
    noise = sum_ - speech * (sum_ @ speech) / (speech @ speech)
    return float(10 * np.log10((sum_ @ sum_ - noise @ noise) / (noise @ noise)))


@pytest.mark.corpus
def test_the_noise_is_as_strong_as_the_manifest_says_and_5_to_20_db_below(fsdd_source, tmp_path):
    corpus = fsdd(Fsdd(train=4, dev=4, test=40), fsdd_source, tmp_path)
    stated = [u.columns["snr"] for u in corpus.parts["noisy"]]
    assert all(5 <= snr <= 20 for snr in stated)
    assert max(stated) - min(stated) > 10
    pairs = zip(corpus.parts["unseen"], corpus.parts["noisy"], strict=True)
    # Speech and noise correlate a little by chance: over n samples by 1/sqrt(n), more for brown noise.
    assert [measured_snr(*pair) for pair in pairs] == pytest.approx(stated, abs=1.0)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("strings", "digits", "seconds"),
    [("short", (3, 7), (1, 6)), ("long", (15, 25), (5, 20)), ("mixed", (3, 25), (1, 20))],
)
def test_real_strings_last_as_long_as_their_digits(fsdd_source, tmp_path, strings, digits, seconds):
    corpus = fsdd(Fsdd(strings=strings, train=60, dev=4, test=4), fsdd_source, tmp_path)
    counts = [u.columns["digits"] for u in corpus.parts["train"]]
    lasting = np.array([u.duration for u in corpus.parts["train"]])
    assert (min(counts), max(counts)) == digits
    assert seconds[0] < lasting.min() < lasting.max() < seconds[1]
    assert strings != "long" or 8 < np.median(lasting) < 12


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_built_twice_it_is_the_same_to_the_byte(numbered, tmp_path):
    for cache in ("one", "two"):
        fsdd(SMALL, numbered, tmp_path / cache)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 160 + 4 + 1


def test_a_larger_part_begins_with_the_smaller_one_and_leaves_the_others_alone(numbered, tmp_path, folds):
    larger = fsdd(Fsdd(train=70, dev=40, test=30), numbered, tmp_path)
    texts = {part: [u.text for u in us] for part, us in larger.parts.items()}
    assert texts["train"][:60] == [u.text for u in folds[0].parts["train"]]
    assert texts["noisy"] == [u.text for u in folds[0].parts["noisy"]]


def test_what_is_built_is_read_back_without_its_source(numbered, tmp_path):
    built = fsdd(SMALL, numbered, tmp_path / "cache")
    assert fsdd(SMALL, tmp_path / "nowhere", tmp_path / "cache") == built


def test_a_missing_source_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="no such folder; give the data folder with --data DIR") as caught:
        fsdd(SMALL, tmp_path / "data", tmp_path / "cache")
    assert str(tmp_path / "data" / "free-spoken-digit-dataset" / "recordings") in str(caught.value)
    assert f"with `specaug data fsdd --download --data {tmp_path / 'data'}`" in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_recording_that_is_missing_cut_short_or_at_another_rate_is_named_and_nothing_is_left(
    numbered, tmp_path
):
    source = tmp_path / "free-spoken-digit-dataset"
    source.mkdir()
    (source / "recordings").mkdir()
    for path in (numbered / "free-spoken-digit-dataset" / "recordings").iterdir():
        (source / "recordings" / path.name).symlink_to(path)
    wrong = source / "recordings" / "7_lucas_31.wav"
    wrong.unlink()
    with pytest.raises(UserError, match=r"7_lucas_31.wav does not exist"):
        fsdd(SMALL, tmp_path, tmp_path / "cache")
    write_audio(wrong, np.ones(100, np.float32), 16000)
    with pytest.raises(UserError, match=r"7_lucas_31.wav: sample rate is 16000 Hz; expected 8000 Hz"):
        fsdd(SMALL, tmp_path, tmp_path / "cache")
    write_audio(wrong, np.ones(5000, np.float32), 8000)
    wrong.write_bytes(wrong.read_bytes()[:600])
    with pytest.raises(UserError, match=r"7_lucas_31.wav is cut short: 556 of 10000 bytes"):
        fsdd(SMALL, tmp_path, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_the_fourth_speaker_can_be_of_dev_alone(numbered, tmp_path):
    corpus = fsdd(replace(SMALL, dev_speaker=True), numbered, tmp_path)
    apart, usual = speakers(corpus.parts["dev"]), fsdd(SMALL, numbered, tmp_path)
    assert len(apart) == 1
    assert speakers(corpus.parts["train"]) == speakers(usual.parts["train"]) - apart
    assert [u.text for u in corpus.parts["unseen"]] == [u.text for u in usual.parts["unseen"]]


@pytest.mark.parametrize(
    ("options", "folder", "printed"),
    [
        (SMALL, "fsdd-aba679d60656", "e266b8594a06f57c"),
        (replace(SMALL, fold=2, strings="mixed", dev_speaker=True), "fsdd-797b7f2f446e", "005155aa620d25c9"),
    ],
)
def test_corpora_of_before_are_what_they_were(numbered, tmp_path, options, folder, printed):
    """As they came out before there were single recordings and known speakers."""
    corpus = fsdd(options, numbered, tmp_path)
    assert (tmp_path / folder / "corpus.json").is_file()
    assert fingerprint(u for us in corpus.parts.values() for u in us) == printed


@pytest.fixture(scope="module")
def singles(numbered: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return fsdd(Fsdd(strings="single", fold=1), numbered, tmp_path_factory.mktemp("singles"))


def test_single_is_every_recording_on_its_own(singles):
    assert {part: len(us) for part, us in singles.parts.items()} == {
        "train": 1800,
        "dev": 200,
        "unseen": 1000,
        "noisy": 1000,
    }
    for part, takes in (("train", range(5, 50)), ("dev", range(5)), ("unseen", range(50))):
        unseen = ["lucas", "nicolas"]
        them = unseen if part == "unseen" else [name for name in SPEAKERS if name not in unseen]
        names = {name for u in singles.parts[part] for name in heard(u)}
        assert names == {(digit, name, take) for digit in range(10) for name in them for take in takes}
    assert singles.title == "FSDD, single digits: real speech"


def test_a_single_recording_is_as_long_as_its_file_and_says_its_digit(singles):
    for u in (u for part in ("train", "dev", "unseen") for u in singles.parts[part]):
        ((digit, speaker, take),) = heard(u)
        assert (u.text, u.speaker, dict(u.columns)) == (WORDS[digit], speaker, {"digit": digit})
        assert u.duration == (40 + take) / 8000
    assert singles.parts["train"][0].id == "fsdd-single-1-train-0_george_5"
    pairs = list(zip(singles.parts["unseen"], singles.parts["noisy"], strict=True))
    assert [(u.text, u.speaker, u.duration) for u, _ in pairs] == [
        (u.text, u.speaker, u.duration) for _, u in pairs
    ]
    assert all(set(u.columns) == {"digit", "snr", "noise"} for _, u in pairs)
    assert len({u.columns["snr"] for _, u in pairs}) > 500


KNOWN = {"train": set(range(10, 50)), "dev": set(range(5, 10)), "test": set(range(5))}


@pytest.mark.parametrize("strings", [pytest.param("single", marks=pytest.mark.slow), "short"])
def test_known_speakers_are_all_in_every_part_and_no_recording_is_in_two(numbered, tmp_path, strings):
    counts = {} if strings == "single" else {"train": 600, "dev": 120, "test": 120}
    corpus = fsdd(Fsdd(strings=strings, speakers="known", **counts), numbered, tmp_path)
    assert list(corpus.parts) == ["train", "dev", "test", "noisy"]
    for part, takes in KNOWN.items():
        assert {take for u in corpus.parts[part] for _, _, take in heard(u)} == takes
        assert speakers(corpus.parts[part]) == set(SPEAKERS)
    said = [[(u.text, u.speaker, u.duration) for u in corpus.parts[part]] for part in ("test", "noisy")]
    assert said[0] == said[1]
    sizes = [len(us) for us in corpus.parts.values()]
    assert sizes == ([2400, 300, 300, 300] if strings == "single" else [600, 120, 120, 120])
    assert "of known speakers" in corpus.title
    assert all(u.id.startswith(f"fsdd-{strings}-known-{part}-") for part in KNOWN for u in corpus.parts[part])


@pytest.mark.slow
@pytest.mark.corpus
def test_real_single_digits_are_the_data_sets_own_recordings(fsdd_source, tmp_path):
    corpus = fsdd(Fsdd(strings="single", speakers="known"), fsdd_source, tmp_path)
    source = fsdd_source / "free-spoken-digit-dataset" / "recordings"
    for u in corpus.parts["test"][::37]:
        wave, rate = soundfile.read(u.audio, dtype="int16")
        recorded, _ = soundfile.read(source / f"{u.id.split('-')[-1]}.wav", dtype="int16")
        assert rate == 8000
        assert np.array_equal(wave, recorded)
    lasting = [u.duration for us in corpus.parts.values() for u in us]
    assert 0.1 < min(lasting) < max(lasting) < 3
