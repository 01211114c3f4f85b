import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specaug.errors import UserError
from specaug.speech import cores
from specaug.speech.audio import read_wave, write_audio
from specaug.speech.corpus import Corpus
from specaug.speech.features import log_mel, normalised
from specaug.speech.manifest import Utterance, write_manifest
from specaug.speech.options import Features, Text
from specaug.speech.prepare import Prepared, prepare

RATE = 8000
FEATURES = Features(mel=4)
TEXT = Text(alphabet=" ab")
SKIP = replace(TEXT, on_bad_utterance="skip")


def noise(folder: Path, name: str, seconds: float = 0.3, text: str = "ab", rate: int = RATE) -> Utterance:
    wave = np.random.default_rng(len(name)).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
    write_audio(folder / f"{name}.wav", wave, rate)
    where = f"m.jsonl:{name}"
    return Utterance(
        id=name, text=text, speaker="s", duration=seconds, audio=folder / f"{name}.wav", where=where
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    folder = tmp_path / "audio"
    parts = {
        "train": [noise(folder, "t1"), noise(folder, "t22", 0.5), noise(folder, "t333", 0.4, "a b")],
        "dev": [noise(folder, "d1")],
        "test": [noise(folder, "e1", 0.2, "b")],
    }
    return Corpus("noise", "noise", True, parts)


def halved(frames: int) -> int:
    return frames // 2


def prepared(corpus: Corpus, cache: Path, text: Text = TEXT, features: Features = FEATURES) -> Prepared:
    return prepare(corpus, features, text, halved, cache)


def with_bad(corpus: Corpus, bad: Utterance) -> Corpus:
    """`corpus` with one more utterance in the middle of train."""
    first, *rest = corpus.parts["train"]
    return replace(corpus, parts={**corpus.parts, "train": [first, bad, *rest]})


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def arrays(ready: Prepared) -> dict[str, bytes]:
    return {
        name: part.features(place).tobytes()
        for part in ready.parts.values()
        for place, name in enumerate(part.ids)
    }


def test_each_utterance_has_its_own_normalised_features_labels_and_frames(corpus, tmp_path):
    ready = prepared(corpus, tmp_path / "cache")
    assert list(ready.parts) == ["train", "dev", "test"]
    assert ready.parts["train"].labels == [[2, 3], [2, 3], [2, 1, 3]]
    for name, part in ready.parts.items():
        assert part.ids == [u.id for u in corpus.parts[name]]
        for place, u in enumerate(part.utterances):
            wave = torch.from_numpy(read_wave(u.audio)[0])
            expected = normalised(log_mel(wave, RATE, FEATURES)).numpy()
            assert np.array_equal(part.features(place), expected)
            assert part.frames[place] == len(expected)


def test_features_in_files_are_normalised_and_need_no_audio(tmp_path):
    array = np.random.default_rng(0).normal(5, 3, (20, 4))
    np.save(tmp_path / "u.npy", array)
    u = Utterance(id="u", text="ab", speaker="s", duration=0.2, features=tmp_path / "u.npy")
    corpus = Corpus("given", "given", False, {"train": [u]})
    got = prepared(corpus, tmp_path / "cache").parts["train"].features(0)
    assert got.dtype == np.float32
    assert got == pytest.approx((array - array.mean(axis=0)) / array.std(axis=0), abs=1e-5)


def test_the_cache_is_used_again_and_gives_the_same_bits(corpus, tmp_path):
    seen: list[tuple[str, int, int]] = []
    once, again = (
        prepare(corpus, FEATURES, TEXT, halved, tmp_path / "cache", lambda *told: seen.append(told))
        for _ in range(2)
    )
    assert seen == [("features", done, 5) for done in range(1, 6)]  # computed once
    assert arrays(once) == arrays(again)
    assert once.fingerprint == again.fingerprint
    assert len(left_in(tmp_path / "cache")) == 1


def test_the_same_files_under_other_ids_get_another_folder(corpus, tmp_path):
    prepared(corpus, tmp_path / "cache")
    corpus.parts["dev"][0] = replace(corpus.parts["dev"][0], id="another")
    ready = prepared(corpus, tmp_path / "cache")
    assert len(left_in(tmp_path / "cache")) == 2
    assert ready.parts["dev"].ids == ["another"]


def test_a_file_of_the_same_size_with_other_contents_is_read_again(corpus, tmp_path):
    before = prepared(corpus, tmp_path / "cache")
    path = before.parts["train"].utterances[0].audio
    wave, rate = read_wave(path)
    size = path.stat().st_size
    write_audio(path, wave[::-1].copy(), rate)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # a clock may be coarser than this test
    after = prepared(corpus, tmp_path / "cache")
    assert path.stat().st_size == size
    assert not np.array_equal(before.parts["train"].features(0), after.parts["train"].features(0))


def test_what_is_done_to_features_leaves_the_cache_as_it_was(corpus, tmp_path):
    before = arrays(prepared(corpus, tmp_path / "cache"))
    prepared(corpus, tmp_path / "cache").parts["train"].features(0)[:] = 7
    assert arrays(prepared(corpus, tmp_path / "cache")) == before


@pytest.mark.parametrize(
    "features",
    [
        pytest.param(Features(mel=5), id="mel"),
        pytest.param(Features(mel=4, window=0.03), id="window"),
        pytest.param(Features(mel=4, shift=0.02), id="shift"),
        pytest.param(Features(mel=4, lowest=50.0), id="lowest"),
        pytest.param(Features(mel=4, highest=400.0), id="highest"),
    ],
)
def test_other_options_of_features_get_another_folder(corpus, tmp_path, features):
    plain = prepared(corpus, tmp_path / "cache")
    other = prepared(corpus, tmp_path / "cache", features=features)
    assert len(left_in(tmp_path / "cache")) == 2
    assert arrays(plain) != arrays(other)


def test_another_content_gets_another_folder(corpus, tmp_path):
    prepared(corpus, tmp_path / "cache")
    corpus.parts["dev"][0] = noise(tmp_path / "audio", "d1", 0.4)
    ready = prepared(corpus, tmp_path / "cache")
    assert len(left_in(tmp_path / "cache")) == 2
    assert ready.parts["dev"].frames == [38]  # 1 + floor((400 - 25) / 10)


def test_another_alphabet_or_network_shares_the_folder(corpus, tmp_path):
    prepared(corpus, tmp_path / "cache")
    prepare(corpus, FEATURES, Text(alphabet="ab "), lambda frames: frames, tmp_path / "cache")
    assert len(left_in(tmp_path / "cache")) == 1


def foreign_text(folder: Path) -> Utterance:
    return noise(folder, "bad", text="a!")


def too_short(folder: Path) -> Utterance:
    return noise(folder, "bad", 0.05, "abab")


def missing(folder: Path) -> Utterance:
    return replace(noise(folder, "bad"), audio=folder / "gone.wav")


def broken(folder: Path) -> Utterance:
    u = noise(folder, "bad")
    u.audio.write_bytes(b"RIFF")
    return u


BAD = [
    pytest.param(foreign_text, "characters '!' are not in the alphabet", id="foreign character"),
    pytest.param(too_short, "too short for its transcript: 3 frames make 1 outputs", id="too short"),
    pytest.param(missing, "gone.wav does not exist", id="missing file"),
    pytest.param(broken, "bad.wav cannot be read", id="broken file"),
]


@pytest.mark.parametrize(("make", "words"), BAD)
def test_a_bad_utterance_is_an_error_that_names_it_and_leaves_nothing_behind(corpus, tmp_path, make, words):
    corpus = with_bad(corpus, make(tmp_path / "audio"))
    with pytest.raises(UserError, match=words) as caught:
        prepared(corpus, tmp_path / "cache")
    assert str(caught.value).startswith("m.jsonl:bad: ")
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize(("make", "words"), BAD)
def test_a_bad_utterance_is_skipped_and_listed_and_the_rest_is_as_without_it(corpus, tmp_path, make, words):
    ready = prepared(with_bad(corpus, make(tmp_path / "audio")), tmp_path / "cache", SKIP)
    assert [problem.where for problem in ready.skipped] == ["m.jsonl:bad"]
    assert words in str(ready.skipped[0])
    assert ready.parts["train"].ids == [u.id for u in ready.corpus.parts["train"]] == ["t1", "t22", "t333"]
    assert arrays(ready) == arrays(prepared(corpus, tmp_path / "cache"))


def test_what_skip_cached_is_still_an_error_where_the_recipe_asks_for_one(corpus, tmp_path):
    corpus = with_bad(corpus, missing(tmp_path / "audio"))
    prepared(corpus, tmp_path / "cache", SKIP)
    with pytest.raises(UserError, match=r"gone.wav does not exist"):
        prepared(corpus, tmp_path / "cache")


def test_a_part_without_a_good_utterance_is_an_error_even_where_bad_ones_are_skipped(corpus, tmp_path):
    corpus.parts["dev"][:] = [foreign_text(tmp_path / "audio")]
    with pytest.raises(UserError, match="part dev has no utterance left of 1"):
        prepared(corpus, tmp_path / "cache", SKIP)


def test_what_is_too_short_to_be_trained_on_is_tested_on_and_what_is_too_foreign_is_not(corpus, tmp_path):
    corpus.parts["test"].append(too_short(tmp_path / "audio"))
    assert prepared(corpus, tmp_path / "cache").parts["test"].ids == ["e1", "bad"]
    corpus.parts["test"][1] = foreign_text(tmp_path / "audio")
    with pytest.raises(UserError, match="characters '!'"):
        prepared(corpus, tmp_path / "cache")


def test_an_id_that_is_used_twice_and_a_second_sample_rate_are_errors(corpus, tmp_path):
    twice = replace(noise(tmp_path / "audio", "bad", 0.6), id="t22")
    with pytest.raises(UserError, match="id 't22' is already used"):
        prepared(with_bad(corpus, twice), tmp_path / "cache", SKIP)
    with pytest.raises(UserError, match="expected one sample rate"):
        prepared(with_bad(corpus, noise(tmp_path / "audio", "fast", rate=16000)), tmp_path / "cache")


def test_nothing_is_left_of_a_build_that_is_interrupted(corpus, tmp_path):
    def interrupt(_what: str, done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, FEATURES, TEXT, halved, tmp_path / "cache", interrupt)
    assert left_in(tmp_path / "cache") == []
    assert len(arrays(prepared(corpus, tmp_path / "cache"))) == 5


PROCESS = """
import hashlib, json, sys
from pathlib import Path
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import read_manifest
from specaug.speech.options import Features, Text
from specaug.speech.prepare import prepare

print("ready", flush=True)
sys.stdin.readline()
folder, computed = Path(sys.argv[1]), []
corpus = Corpus("noise", "noise", True, {"train": read_manifest(folder / "train.jsonl")})
told = lambda *told: computed.append(told)
part = prepare(corpus, Features(mel=4), Text(alphabet=" ab"), lambda n: n, folder / "cache", told).parts["train"]
print(json.dumps([len(computed), hashlib.sha256(part.rows.tobytes()).hexdigest()]))
"""


def test_the_number_of_cores_changes_no_bit_and_no_place(corpus, tmp_path, monkeypatch):
    for count in (1, 4):
        monkeypatch.setattr(cores, "cores", lambda count=count: count)
        prepared(corpus, tmp_path / str(count))
    one, four = (
        {path.name: path.read_bytes() for path in (tmp_path / count).glob("features-*/*")} for count in "14"
    )
    assert one == four
    assert set(one) == {"features.f32", "index.json"}


@pytest.mark.slow
def test_of_two_processes_at_once_one_computes_and_both_have_the_same(tmp_path):
    write_manifest(tmp_path / "train.jsonl", [noise(tmp_path, f"u{n}", 1.0) for n in range(60)])
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n"] * 2
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [json.loads(process.communicate()[0]) for process in both]
    assert sorted(computed for computed, _ in said) == [0, 60]
    assert said[0][1] == said[1][1]
    assert len(left_in(tmp_path / "cache")) == 1
