import hashlib
import importlib.util
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.corpora import spoken as module
from specaug.speech.corpora.grammar import GRAMMARS, vocabulary
from specaug.speech.corpora.options import Spoken, content
from specaug.speech.corpora.spoken import (
    ACCENTS,
    OTHER_RATES,
    RATES,
    UNSEEN_ACCENTS,
    UNSEEN_VARIANTS,
    VARIANTS,
    Line,
    Role,
    Voice,
    cast,
    perform,
    share,
    spoken,
    voices,
    write_spoken,
)
from specaug.speech.espeak import RATE, speak

needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="needs pip install -e '.[tts]'"
)
TINY = Spoken(vocabulary="small", voices=3, train=7, dev=3, test=5, test_voices=2)
SENTENCE = "the old sailor sailed the wooden ship across the stormy sea because the wind was strong"


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return spoken(TINY, tmp_path_factory.mktemp("cache"))


@needs_espeak
def test_the_same_options_give_the_same_bytes_with_any_number_of_workers(tmp_path):
    for workers in (1, 3):
        write_spoken(TINY, tmp_path / str(workers), lambda *_: None, workers)
    alone, together = hashes(tmp_path / "1"), hashes(tmp_path / "3")
    assert len(alone) == 7 + 3 + 5 + 5
    assert alone == together


@needs_espeak
def test_a_corpus_is_spoken_once_and_says_so_as_it_goes(tmp_path):
    said: list[tuple[str, int, int]] = []
    first = spoken(TINY, tmp_path, lambda *report: said.append(report))
    assert said == [("spoken voices", done, 5) for done in range(6)]
    again = spoken(TINY, tmp_path, lambda *_: pytest.fail("spoken twice"))
    assert again == first
    assert spoken(Spoken(**{**vars(TINY), "train": 6}), tmp_path) != first


@needs_espeak
def test_every_part_has_the_sentences_and_voices_that_were_asked_for(tiny):
    assert {part: len(us) for part, us in tiny.parts.items()} == {
        "train": 7,
        "dev": 3,
        "test-clean": 5,
        "test-other": 5,
    }
    heard = {part: {u.speaker for u in us} for part, us in tiny.parts.items()}
    assert len(heard["train"]) == 3
    assert heard["dev"] == heard["train"]
    assert len(heard["test-clean"]) == 2
    assert heard["test-other"] == heard["test-clean"]
    assert tiny.synthetic
    assert "synthetic" in tiny.title


@needs_espeak
def test_files_are_as_long_as_the_manifest_says_and_six_to_twelve_seconds(tiny):
    for u in (u for us in tiny.parts.values() for u in us):
        file = soundfile.info(u.audio)
        assert (file.samplerate, file.channels) == (RATE, 1)
        assert file.frames / RATE == pytest.approx(u.duration, abs=1e-9)
        assert 6 <= u.duration <= 12


@needs_espeak
def test_columns_name_the_voice_the_rate_and_the_noise(tiny):
    for part, utterances in tiny.parts.items():
        noisy = part == "test-other"
        for u in utterances:
            assert u.speaker == f"{u.columns['accent']}+{u.columns['variant']}"
            assert u.columns["rate"] in (OTHER_RATES if noisy else RATES)
            assert set(u.columns) == {"accent", "variant", "rate"} | ({"snr", "noise"} if noisy else set())


@needs_espeak
def test_the_noise_is_as_far_below_the_speech_as_the_column_says(tiny):
    role = cast(TINY)[-1]
    clean = dict(
        zip(
            [line.text for line in role.lines],
            speak(f"gmw/{role.voice.name}", spoken_lines(role)),
            strict=True,
        )
    )
    for u in (u for u in tiny.parts["test-other"] if u.speaker == role.voice.name):
        noisy, _ = soundfile.read(u.audio)
        speech = clean[u.text].astype(np.float64)
        gain = noisy @ speech / (speech @ speech)  # what add_noise took back where the sum was too loud
        snr = 10 * np.log10(np.mean((gain * speech) ** 2) / np.mean((noisy - gain * speech) ** 2))
        assert snr == pytest.approx(u.columns["snr"], abs=0.3)


def spoken_lines(role: Role) -> list[tuple[str, int]]:
    return [(line.text, line.rate) for line in role.lines]


@needs_espeak
def test_a_sentence_of_a_wrong_length_gives_way_to_the_next(tmp_path):
    long = f"{SENTENCE} and then he went home to his family"
    lines = [Line("train", text, 150) for text in ("too short", long, f"now {long}")]
    kept = perform(Role(Voice("en-US", "f1"), {"train": 1}, lines), tmp_path)
    assert [(part, u.text) for part, u in kept] == [("train", long)]
    assert len(hashes(tmp_path)) == 1


@needs_espeak
def test_a_voice_that_runs_out_of_sentences_is_an_error(tmp_path):
    role = Role(Voice("en-US", "f1"), {"train": 1}, [Line("train", "too short", 150)])
    with pytest.raises(RuntimeError, match=r"en-US\+f1.*too few"):
        perform(role, tmp_path)


@needs_espeak
def test_the_same_lines_give_the_same_samples_from_one_second_to_the_next():
    # Left alone, eSpeak draws its jitter from the clock, in whole seconds.
    start, spoken_at, heard = int(time.time()), set(), set()
    while len(spoken_at) < 2 and time.time() < start + 30:
        waves = list(speak("gmw/en-029+f2", [(SENTENCE, 150), (SENTENCE, 150)]))
        heard.add(b"".join(wave.tobytes() for wave in waves))
        spoken_at.add(int(time.time()))
    assert len(spoken_at) == 2
    assert len(heard) == 1


@needs_espeak
def test_speech_depends_on_the_voice_and_the_rate():
    lines = [(SENTENCE, 120), (SENTENCE, 120), (SENTENCE, 240)]
    first = list(speak("gmw/en-US+f2", lines))
    assert 0.01 < np.std(first[0]) < 0.5
    assert np.abs(first[0]).max() <= 1
    assert 1.7 < len(first[0]) / len(first[2]) < 2.1
    (other,) = speak("gmw/en-US+m3", lines[:1])
    assert not np.array_equal(first[0], other)


@needs_espeak
def test_what_espeak_complains_of_is_passed_on():
    with pytest.raises(RuntimeError, match="no voice 'gmw/nobody'"):
        list(speak("gmw/nobody", [(SENTENCE, 150)]))


@needs_espeak
def test_every_accent_and_every_variant_is_a_sound_of_its_own():
    # eSpeak refuses an accent that it does not know, but speaks an unknown variant as the plain accent.
    voices = [f"{accent}+f1" for accent in ACCENTS[1:] + UNSEEN_ACCENTS] + ["en-US"]
    voices += [f"en-US+{variant}" for variant in VARIANTS + UNSEEN_VARIANTS]
    sounds = {voice: next(speak(f"gmw/{voice}", [("a small boat", 150)])).tobytes() for voice in voices}
    assert Counter(sounds.values()).most_common(1)[0][1] == 1


def test_without_espeak_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(UserError, match=r"expected it \(pip install -e '\.\[tts\]' in the checkout\)"):
        spoken(TINY, tmp_path)
    assert not list(tmp_path.glob("spoken-*/"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"train": 0}, "train is 0; expected 1 or more", id="no sentences"),
        pytest.param({"voices": 0}, "voices is 0; expected 1 to 288", id="no voices"),
        pytest.param({"voices": 289}, "voices is 289; expected 1 to 288", id="too many voices"),
        pytest.param({"test_voices": 61}, "test_voices is 61; expected 1 to 60", id="too many test voices"),
    ],
)
def test_an_option_out_of_range_is_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        spoken(Spoken(**change), tmp_path)


def test_a_vocabulary_that_runs_out_of_sentences_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    with pytest.raises(UserError, match="small vocabulary gave no new sentence"):
        cast(Spoken(vocabulary="small", train=20_000))


@pytest.mark.parametrize("vocabulary", ["small", "full"])
def test_no_sentence_occurs_twice_in_the_corpus(vocabulary):
    roles = cast(Spoken(vocabulary=vocabulary, train=600))
    times = Counter(line.text for role in roles for line in role.lines)
    assert max(times.values()) == 1


@given(voices=st.integers(1, 288), test_voices=st.integers(1, 60))
def test_voices_are_distinct_and_those_of_the_tests_are_new(voices, test_voices):
    roles = cast(Spoken(vocabulary="full", voices=voices, test_voices=test_voices, train=1, dev=1, test=1))
    names = [role.voice.name for role in roles]
    assert len(set(names)) == voices + test_voices
    train, test = roles[:voices], roles[voices:]
    assert not {role.voice.variant for role in train} & {role.voice.variant for role in test}
    assert {role.voice.accent for role in train} <= set(ACCENTS)
    assert sum(role.voice.accent in UNSEEN_ACCENTS for role in test) == test_voices // 2
    assert all(set(role.quota) == {"test-clean", "test-other"} for role in test)


def test_voices_take_each_accent_in_turn():
    some = voices(("x", "y"), ("a", "b", "c"), 6)
    assert [voice.name for voice in some] == ["x+a", "y+b", "x+c", "y+a", "x+b", "y+c"]


@given(count=st.integers(0, 500), among=st.integers(1, 60))
def test_shares_add_up_and_differ_by_one_at_most(count, among):
    shares = [share(count, among, i) for i in range(among)]
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1


def test_dev_can_have_voices_of_its_own(tmp_path):
    apart = spoken(replace(TINY, dev_voices=2), tmp_path / "apart")
    heard = {part: {u.speaker for u in apart.parts[part]} for part in apart.parts}
    assert len(heard["dev"]) == 2
    assert not heard["dev"] & (heard["train"] | heard["test-clean"])
    accents, variants = zip(*(name.split("+") for name in heard["dev"]), strict=True)
    assert not set(variants) & {name.split("+")[1] for name in heard["train"] | heard["test-clean"]}
    assert set(accents) <= set(ACCENTS)


def test_too_many_voices_of_dev_are_refused(tmp_path):
    most = len(ACCENTS) * len(VARIANTS)
    with pytest.raises(UserError, match=rf"dev_voices is {most}; expected 0 to {most - 3}"):
        spoken(replace(TINY, dev_voices=most), tmp_path)


KNOWN = replace(TINY, speakers="known", test_voices=16)
WORDS = replace(TINY, utterances="words", train=200, dev=20, test=30)


@needs_espeak
def test_with_known_speakers_every_part_is_by_the_voices_of_train(tmp_path):
    corpus = spoken(KNOWN, tmp_path)
    heard = {part: {u.speaker for u in corpus.parts[part]} for part in corpus.parts}
    assert len(heard["train"]) == 3
    assert set(map(frozenset, heard.values())) == {frozenset(heard["train"])}
    assert {part: len(found) for part, found in corpus.parts.items()} == {
        "train": 7,
        "dev": 3,
        "test-clean": 5,
        "test-other": 5,
    }
    assert "3 known voices" in corpus.title


@needs_espeak
def test_words_are_spoken_one_by_one(tmp_path):
    corpus = spoken(replace(WORDS, train=4, dev=1, test=3), tmp_path)
    utterances = [u for part in corpus.parts.values() for u in part]
    assert {len(u.text.split()) for u in utterances} == {1}
    assert {u.text for u in utterances} <= vocabulary(GRAMMARS["small"])
    assert all(0.1 < u.duration < 2 for u in utterances)
    assert "small vocabulary, single words, 3 voices" in corpus.title


@given(train=st.integers(1, 300), speakers=st.sampled_from(["disjoint", "known"]))
def test_words_come_equally_often_and_no_voice_says_one_twice_at_one_rate(train, speakers):
    roles = cast(replace(WORDS, train=train, speakers=speakers, test_voices=16))
    lines = [(role.voice, line) for role in roles for line in role.lines]
    assert len({(voice, line.text, line.rate) for voice, line in lines}) == len(lines) == train + 20 + 60
    times = Counter(line.text for _, line in lines if line.part == "train")
    assert sum(times.values()) == train
    if speakers == "disjoint" and train <= 60:  # so few that nobody has said one before
        assert max(times.values()) - min(times[word] for word in vocabulary(GRAMMARS["small"])) <= 1


def test_a_voice_that_has_said_all_words_at_all_rates_is_an_error():
    with pytest.raises(
        UserError, match=r"gave no new word for a voice after .*; expected fewer words in train"
    ):
        cast(replace(WORDS, voices=1, train=2000))


@pytest.mark.parametrize(
    ("change", "told"), [({"test_voices": 4}, "4; .* 16"), ({"dev_voices": 2}, "2; .* 0")]
)
def test_known_speakers_have_no_others_beside_them(tmp_path, change, told):
    (field,) = change
    value, usual = told.split("; .* ")
    with pytest.raises(
        UserError, match=rf"{field} is {value}; expected nothing \(or {usual}\), since with speakers: known"
    ):
        spoken(replace(KNOWN, **change), tmp_path)


def test_what_came_later_leaves_the_folders_of_other_corpora_as_they_were():
    plain = content(TINY, 1)
    assert "utterances" not in plain
    assert "speakers" not in plain
    assert len({plain, content(KNOWN, 1), content(replace(TINY, utterances="words"), 1)}) == 3
