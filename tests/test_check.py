import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.audio import write_audio
from specaug.speech.check import (
    Expected,
    Problem,
    Reading,
    check_manifest,
    check_utterances,
    fault_of,
    frames_of,
    mixed_rates,
    problems_of,
    read_features,
    read_file,
    repeated_ids,
    screen,
    screen_corpus,
)
from specaug.speech.corpus import Corpus
from specaug.speech.features import log_mel
from specaug.speech.manifest import Utterance, write_manifest
from specaug.speech.options import Features

RATE = 8000
FEATURES = Features(mel=4)
EXPECTED = Expected(features=FEATURES, alphabet=" abc")


def utterance(id_: str = "u", **fields: object) -> Utterance:
    given = {"text": "ab", "speaker": "s", "duration": 1.0, "where": f"m.jsonl:{id_}"}
    return Utterance(id=id_, **{**given, **fields})


def spoken(
    folder: Path, id_: str = "u", rate: int = RATE, length: float = 1.0, **fields: object
) -> Utterance:
    path = folder / f"{id_}.wav"
    write_audio(path, np.zeros(round(length * rate), np.float32), rate)
    return utterance(id_, audio=path, duration=length, **fields)


def stored(folder: Path, array: np.ndarray, id_: str = "u", **fields: object) -> Utterance:
    path = folder / f"{id_}.npy"
    np.save(path, array)
    return utterance(id_, features=path, **fields)


def found(u: Utterance, expected: Expected = EXPECTED) -> list[str]:
    return [str(problem) for problem in check_utterances([u], expected)]


def test_good_utterances_have_no_problem(tmp_path):
    good = [spoken(tmp_path, "a"), spoken(tmp_path, "b"), stored(tmp_path, np.ones((10, 4), np.float32), "c")]
    assert list(check_utterances(good, EXPECTED)) == []
    assert screen(good, EXPECTED, "error") == (good, [])


def test_a_problem_is_one_line_of_where_and_what():
    assert str(Problem("m.jsonl:3", "no")) == "m.jsonl:3: no"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "the transcript is empty", id="empty"),
        pytest.param("  ", "the transcript is empty", id="spaces"),
        pytest.param("b7é7", "characters '7é' are not in the alphabet ' abc'", id="foreign"),
    ],
)
def test_a_transcript_is_of_the_alphabet(tmp_path, text, complaint):
    (problem,) = found(spoken(tmp_path, text=text))
    assert problem == problem.strip()
    assert problem.startswith(f"m.jsonl:u: {complaint}")


def test_without_an_alphabet_any_character_will_do(tmp_path):
    assert found(spoken(tmp_path, text="b7é7"), Expected(features=FEATURES)) == []


def test_several_problems_of_an_utterance_are_all_told(tmp_path):
    u = utterance(audio=tmp_path / "none.wav", text="x")
    assert [problem.split(": ")[1][:10] for problem in found(u)] == ["audio file", "characters"]


def fewest_frames_by_hand(text: str) -> int:
    """The length of the shortest string over the labels and a blank that collapses to `text`."""
    frames, last = 0, ""
    for character in text:
        frames += 2 if character == last else 1
        last = character
    return frames


@given(text=st.text("ab", min_size=1, max_size=8), frames=st.integers(1, 40), factor=st.integers(1, 4))
def test_an_utterance_is_too_short_where_ctc_has_no_path(text, frames, factor):
    expected = Expected(features=FEATURES, outputs=lambda n: n // factor)
    short = bool(list(problems_of(utterance(text=text), Reading(frames), expected)))
    assert short == (frames // factor < fewest_frames_by_hand(text))


def test_a_short_utterance_is_told_with_its_numbers():
    halved = replace(EXPECTED, outputs=lambda n: n // 2)
    (problem,) = problems_of(utterance(text="aab"), Reading(7), halved)
    assert problem.what == (
        "too short for its transcript: 7 frames make 3 outputs, and 4 are needed for 3 characters"
    )


@example(samples=200, rate=8000)  # exactly one window
@given(samples=st.integers(0, 2000), rate=st.sampled_from([8000, 11025, 16000, 22050]))
def test_frames_are_counted_as_the_features_come_out(samples, rate):
    assert frames_of(samples, rate, FEATURES) == len(log_mel(torch.zeros(samples), rate, FEATURES))


def test_audio_shorter_than_a_window_is_too_short_for_anything(tmp_path):
    for u in (spoken(tmp_path, length=0.02, text="a"), stored(tmp_path, np.ones((0, 4)), text="a")):
        (problem,) = found(u)
        assert "0 frames make 0 outputs" in problem


def test_a_reading_tells_frames_and_rate(tmp_path):
    assert read_file(spoken(tmp_path), FEATURES) == Reading(98, RATE)  # 1 + floor((1 s - 25 ms) / 10 ms)
    assert read_file(stored(tmp_path, np.ones((12, 4), np.float16)), FEATURES) == Reading(12)


def nan_audio(folder: Path) -> Utterance:
    soundfile.write(folder / "u.wav", np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    return utterance(audio=folder / "u.wav")


def with_hole(value: float) -> np.ndarray:
    array = np.ones((10, 4), np.float32)
    array[9, 3] = value
    return array


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(lambda f: utterance(audio=f / "no.wav"), "no.wav does not exist", id="audio missing"),
        pytest.param(lambda f: replace(spoken(f), duration=2.0), "cut short: 1.00 s of 2.00 s", id="truncated"),
        pytest.param(nan_audio, "holds NaN or infinity", id="audio with NaN"),
        pytest.param(lambda f: utterance(features=f / "no.npy"), "no.npy does not exist", id="features missing"),
        pytest.param(lambda f: stored(f, np.ones(4)), "holds float64 (4,); expected floats (frames, mel)", id="rank 1"),
        pytest.param(lambda f: stored(f, np.ones((1, 9, 4))), "holds float64 (1, 9, 4); expected", id="rank 3"),
        pytest.param(lambda f: stored(f, np.ones((9, 4), int)), "holds int64 (9, 4); expected floats", id="integers"),
        pytest.param(lambda f: stored(f, np.ones((9, 5))), "has 5 mel channels; expected 4", id="mel"),
        pytest.param(lambda f: stored(f, with_hole(np.nan)), "holds NaN or infinity", id="NaN"),
        pytest.param(lambda f: stored(f, with_hole(np.inf)), "holds NaN or infinity", id="infinity"),
        pytest.param(lambda f: stored(f, np.array([[{}]])), "cannot be read as .npy", id="a pickle"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_with_its_place_once(tmp_path, make, complaint):
    (problem,) = found(make(tmp_path))
    assert problem.startswith("m.jsonl:u: ")
    assert problem.count("m.jsonl:u") == 1
    assert complaint in problem
    assert "\n" not in problem


def test_feature_files_are_mapped_and_not_read(tmp_path):
    assert isinstance(read_features(stored(tmp_path, np.ones((3, 4)))), np.memmap)


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)

    u = stored(tmp_path, np.array([[Trap()]], dtype=object))
    assert found(u)
    np.savez(tmp_path / "u.npz", a=np.ones((3, 4)))
    (tmp_path / "u.npz").rename(tmp_path / "u.npy")
    assert found(u)
    assert not (tmp_path / "sprung").exists()


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


WHOLE = saved(np.ones((3, 4), np.float32))


@given(data=st.data())
def test_any_bytes_make_a_reading_and_no_crash(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.npy"
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 80))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    reading = read_file(utterance(features=path), FEATURES)
    assert "\n" not in (reading.fault or "")


@given(length=st.integers(0, len(WHOLE) - 1))
def test_a_truncated_feature_file_is_a_fault(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "cut.npy"
    path.write_bytes(WHOLE[:length])
    assert "cannot be read as .npy" in (read_file(utterance(features=path), FEATURES).fault or "")


def test_a_repeated_id_is_told_with_both_places():
    same = [
        utterance("a", where="m:1"),
        utterance("b"),
        utterance("a", where="m:3"),
        utterance("a", where="m:4"),
    ]
    assert [str(problem) for problem in repeated_ids(same)] == [
        "m:3: id 'a' is already used at m:1; ids must be unique",
        "m:4: id 'a' is already used at m:1; ids must be unique",
    ]


def test_two_sample_rates_are_told_with_both_files(tmp_path):
    mixed = [
        spoken(tmp_path, name, rate=rate)
        for name, rate in {"a": 8000, "b": 8000, "c": 16000, "d": 16000}.items()
    ]
    (problem,) = check_utterances(mixed, EXPECTED)
    assert problem == Problem(
        "m.jsonl:c",
        f"{tmp_path}/c.wav has 16000 Hz and {tmp_path}/a.wav has 8000 Hz; expected one sample rate",
    )


def test_features_and_faults_have_no_sample_rate():
    readings = [Reading(5), Reading(5, 8000), Reading(fault="no"), Reading(5, 8000)]
    assert list(mixed_rates([utterance() for _ in readings], readings)) == []


def test_a_reader_of_ones_own_is_asked_once_for_each_utterance():
    asked = []

    def read(u: Utterance) -> Reading:
        asked.append(u.id)
        return fault_of(u, UserError(f"{u.where}: no such tape")) if u.id == "b" else Reading(9, RATE)

    everyone = [utterance(name) for name in "abc"]
    assert list(check_utterances(everyone, EXPECTED, read)) == [Problem("m.jsonl:b", "no such tape")]
    good, problems = screen(everyone, EXPECTED, "skip", read)
    assert [u.id for u in good] == ["a", "c"]
    assert problems == [Problem("m.jsonl:b", "no such tape")]
    assert asked == [*"abc", *"abc"]


def whole(_: Utterance) -> Reading:
    return Reading(50, RATE)


def bad(id_: str) -> Utterance:
    return utterance(id_, text="x")


def test_on_error_the_first_problem_is_told_and_the_others_counted():
    with pytest.raises(UserError, match=r"^m.jsonl:b: characters 'x' are not in the alphabet ' abc'$"):
        screen([utterance("a"), bad("b")], EXPECTED, "error", whole)
    with pytest.raises(UserError, match=r"^m.jsonl:b: characters 'x' .* \(and 2 more\)$"):
        screen([utterance("a"), bad("b"), bad("c"), bad("d")], EXPECTED, "error", whole)


def never(_: Utterance) -> Reading:
    pytest.fail("read although an id is repeated")


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_what_skipping_cannot_mend_is_an_error_either_way(on_bad):
    rates = {"a": 8000, "b": 16000}
    with pytest.raises(UserError, match="expected one sample rate"):
        screen([utterance("a"), utterance("b")], EXPECTED, on_bad, lambda u: Reading(50, rates[u.id]))
    with pytest.raises(UserError, match="ids must be unique"):
        screen([utterance("a"), utterance("a")], EXPECTED, on_bad, never)
    with pytest.raises(UserError, match="no utterance left of 0"):
        screen([], EXPECTED, on_bad, whole)


def test_the_rate_of_what_is_skipped_does_not_count():
    rates = {"a": 8000, "b": 16000}
    good, _ = screen([bad("a"), utterance("b")], EXPECTED, "skip", lambda u: Reading(50, rates[u.id]))
    assert [u.id for u in good] == ["b"]


def corpus(**parts: list[Utterance]) -> Corpus:
    return Corpus("c", "c", False, parts)


def test_the_parts_of_a_corpus_are_screened_together():
    given = corpus(train=[utterance("a"), bad("b")], dev=[utterance("c")], far=[bad("d"), utterance("e")])
    kept, problems = screen_corpus(given, EXPECTED, "skip", whole)
    assert kept == corpus(train=[utterance("a")], dev=[utterance("c")], far=[utterance("e")])
    assert [problem.where for problem in problems] == ["m.jsonl:b", "m.jsonl:d"]
    with pytest.raises(UserError, match=r"^m.jsonl:b: "):
        screen_corpus(given, EXPECTED, "error", whole)
    with pytest.raises(UserError, match="ids must be unique"):
        screen_corpus(corpus(train=[utterance("a")], dev=[utterance("a")]), EXPECTED, "skip", whole)
    rates = {"a": 8000, "b": 16000}
    two = corpus(train=[utterance("a")], dev=[utterance("b")])
    with pytest.raises(UserError, match="expected one sample rate"):
        screen_corpus(two, EXPECTED, "skip", lambda u: Reading(50, rates[u.id]))


def test_a_part_that_is_left_empty_is_an_error_that_tells_its_own_first_problem():
    given = corpus(train=[utterance("a"), bad("b")], dev=[bad("c"), bad("d")])
    with pytest.raises(UserError, match=r"^part dev has no utterance left of 2; .* problem: m.jsonl:c: char"):
        screen_corpus(given, EXPECTED, "skip", whole)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    write_manifest(tmp_path / "m.jsonl", [spoken(tmp_path, "a"), utterance("b", audio=tmp_path / "b.wav")])
    return tmp_path / "m.jsonl"


def test_a_manifest_is_checked_to_its_end_past_lines_that_are_none(manifest):
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], "nonsense", lines[1], "{}"]))
    assert [(p.where, p.what[:10]) for p in check_manifest(manifest, EXPECTED)] == [
        (f"{manifest}:2", "not JSON ("),
        (f"{manifest}:4", "expected e"),
        (f"{manifest}:3", "audio file"),
    ]


def test_a_manifest_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        list(check_manifest(tmp_path / "m.jsonl", EXPECTED))
