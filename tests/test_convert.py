import builtins
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import AudioSource, CutSet, Features, MonoCut, MultiCut, Recording, SupervisionSegment

from specaug.errors import UserError
from specaug.speech.audio import read_audio, write_audio
from specaug.speech.convert import from_kaldi, from_lhotse
from specaug.speech.manifest import Utterance, read_manifest, write_manifest

RATE = 8000


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """A folder with rec1.wav (3 s) and rec2.wav (2 s) whose sample n is n steps of 16 bits."""
    for name, length in (("rec1", 3), ("rec2", 2)):
        wave = (np.arange(length * RATE) / 32768).astype(np.float32)
        write_audio(tmp_path / "audio" / f"{name}.wav", wave, RATE)
    return tmp_path / "audio"


def kaldi(folder: Path, audio: Path, **files: str) -> Path:
    """A data directory of two recordings with three segments; `files` replaces some of it, "" removes."""
    written = {
        "wav.scp": f"rec1 {audio}/rec1.wav\nrec2\t{audio}/rec2.wav\n",
        "segments": "u1 rec1 0.5 1.25\nu2 rec1 1.5 -1\nu3 rec2 0 2.01\n",
        "text": "u1 one\tTWO\nu2  three\nu3\n",
        "utt2spk": "u1 ann\nu2 ann\nu3 bob\n",
        "spk2gender": "ann f\nbob m\n",
    }
    folder.mkdir(exist_ok=True)
    for name, content in {
        **written,
        **{name.replace("_", "."): text for name, text in files.items()},
    }.items():
        if content:
            (folder / name).write_text(content)
    return folder


def test_a_kaldi_directory_with_segments_becomes_utterances(tmp_path, audio):
    folder = kaldi(tmp_path / "kaldi", audio)
    one, two, three = from_kaldi(folder)
    assert one == Utterance(
        id="u1",
        text="one TWO",
        speaker="ann",
        duration=0.75,
        audio=audio / "rec1.wav",
        offset=0.5,
        columns={"gender": "female"},
        where=f"{folder}/text:1",
    )
    assert (two.text, two.offset, two.duration) == ("three", 1.5, 1.5)
    assert (three.text, three.duration, dict(three.columns)) == ("", 2.0, {"gender": "male"})
    wave, _ = read_audio(one)
    assert (len(wave), round(wave[0] * 32768)) == (6000, 4000)


WHOLE = {"segments": "", "text": "rec1 one\nrec2 two\n", "utt2spk": "rec1 ann\nrec2 bob\n", "spk2gender": ""}


def test_without_segments_a_recording_is_an_utterance(tmp_path, audio):
    utterances = from_kaldi(kaldi(tmp_path / "kaldi", audio, **WHOLE))
    assert [(u.id, u.offset, u.duration, dict(u.columns)) for u in utterances] == [
        ("rec1", 0.0, 3.0, {}),
        ("rec2", 0.0, 2.0, {}),
    ]


def test_a_recording_that_is_cut_short_is_named_by_its_line(tmp_path, audio):
    (audio / "rec2.wav").write_bytes((audio / "rec2.wav").read_bytes()[:600])
    with pytest.raises(UserError, match=r"wav.scp:2: audio file .*rec2.wav is cut short: 556 of 32000 bytes"):
        from_kaldi(kaldi(tmp_path / "kaldi", audio))


def test_the_paths_of_wav_scp_start_at_the_working_folder(tmp_path, audio, monkeypatch):
    folder = kaldi(tmp_path / "kaldi", Path("audio"), **WHOLE)
    monkeypatch.chdir(tmp_path)
    assert from_kaldi(folder)[0].audio == audio / "rec1.wav"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        pytest.param({"wav_scp": "rec1 sph2pipe -f wav a.sph |\n"}, r"wav.scp:1: .* is a command; expected the path", id="pipe"),
        pytest.param({"wav_scp": "rec1 -\n"}, "wav.scp:1: '-' is a command", id="standard input"),
        pytest.param({"wav_scp": "rec1 /none/a.wav\n"}, "wav.scp:1: audio file /none/a.wav does not", id="no audio"),
        pytest.param({"wav_scp": ""}, "wav.scp: no such file", id="no wav.scp"),
        pytest.param({"text": ""}, "text: no such file", id="no text"),
        pytest.param({"utt2spk": ""}, "utt2spk: no such file", id="no speakers"),
        pytest.param({"text": "u1 a\nu1 b\n"}, "text:2: u1 is already at .*text:1", id="twice"),
        pytest.param({"text": "u1 a\nu2 b\nu3 c\nu4 d\n"}, "u4 is in text and not in utt2spk$", id="nobody's"),
        pytest.param({"text": "u1 a\n"}, r"u2 is in utt2spk and not in text \(and 1 more\)$", id="no words"),
        pytest.param({"segments": "u1 rec1 0 1\nu3 rec2 0 1\n"}, "u2 is in text and not in segments", id="no span"),
        pytest.param({**WHOLE, "text": "rec1 a\n", "utt2spk": "rec1 x\n"}, "rec2 is in wav.scp and not in text", id="silent"),
        pytest.param({"segments": "u1 rec9 0 1\n"}, "segments:1: recording rec9 is not in wav.scp", id="no recording"),
        pytest.param({"segments": "u1 rec1 0\n"}, "segments:1: 'rec1 0'; expected a recording", id="no end"),
        pytest.param({"segments": "u1 rec1 0 1 2\n"}, "segments:1: 'rec1 0 1 2'; expected a recording", id="a channel"),
        pytest.param({"segments": "u1 rec1 0 x\n"}, "segments:1: 'rec1 0 x'; expected a recording", id="no number"),
        pytest.param({"segments": "u1 rec1 1 1\n"}, "segments:1: 1 to 1 s is no stretch of rec1, which has 3.00 s", id="nil"),
        pytest.param({"segments": "u1 rec1 -2 1\n"}, "segments:1: -2 to 1 s is no stretch", id="before the start"),
        pytest.param({"segments": "u1 rec1 2 3.2\n"}, "segments:1: 2 to 3.2 s is no stretch", id="behind the end"),
        pytest.param({"segments": "u1 rec1 nan 3\n"}, "segments:1: nan to 3 s is no stretch", id="not a number"),
        pytest.param({"segments": "u1 rec1 0 nan\n"}, "segments:1: 0 to nan s is no stretch", id="no number at the end"),
        pytest.param({"spk2gender": "ann f\n"}, "utt2spk:3: speaker bob is not in .*spk2gender", id="no gender"),
    ],
)  # fmt: skip
def test_kaldi_files_that_disagree_are_named_with_the_utterance(tmp_path, audio, files, complaint):
    with pytest.raises(UserError, match=complaint) as error:
        from_kaldi(kaldi(tmp_path / "kaldi", audio, **files))
    assert "\n" not in str(error.value)


def supervision(**fields: object) -> SupervisionSegment:
    given = {
        "id": "s1",
        "recording_id": "rec1",
        "start": 0.0,
        "duration": 1.5,
        "text": "one",
        "speaker": "ann",
    }
    return SupervisionSegment(**{**given, **fields})


def cut(audio: Path, *supervisions: SupervisionSegment, **fields: object) -> MonoCut:
    recording = Recording.from_file(audio / "rec1.wav")
    given = {"id": "c1", "start": 0.5, "duration": 2.0, "channel": 0, "recording": recording}
    return MonoCut(supervisions=list(supervisions), **{**given, **fields})


def converted(tmp_path: Path, *cuts: object, ending: str = "jsonl.gz") -> list[Utterance]:
    path = tmp_path / f"cuts.{ending}"
    CutSet.from_cuts(cuts).to_file(path)
    return from_lhotse(path)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_a_cut_with_one_supervision_is_an_utterance_as_it_is(tmp_path, audio, ending):
    spoken = supervision(start=0.1, gender="F", language="en", custom={"snr": 3, "words": ["one"]})
    (got,) = converted(tmp_path, cut(audio, spoken, custom={"room": "r1"}), ending=ending)
    assert got == Utterance(
        id="c1",
        text="one",
        speaker="ann",
        duration=2.0,
        audio=audio / "rec1.wav",
        offset=0.5,
        columns={"gender": "female", "language": "en", "room": "r1", "snr": 3},
        where=f"{tmp_path}/cuts.{ending}:1",
    )


def test_a_cut_with_several_supervisions_is_trimmed_to_each_as_lhotse_trims_it(tmp_path, audio):
    spoken = [
        supervision(id="s1", duration=0.75),
        supervision(id="s2", start=1.0, duration=1.0, text="two", speaker="bob"),
    ]
    whole = cut(audio, *spoken)
    got = converted(tmp_path, whole)
    trimmed = list(whole.trim_to_supervisions(keep_overlapping=False))
    assert [u.id for u in got] == ["s1", "s2"]
    assert [(u.text, u.speaker) for u in got] == [("one", "ann"), ("two", "bob")]
    for u, oracle in zip(got, trimmed, strict=True):
        assert np.array_equal(read_audio(u)[0], oracle.load_audio()[0])


def test_what_lhotse_wrote_makes_a_manifest_that_reads_the_same_samples(tmp_path, audio):
    cuts = [cut(audio, supervision()), cut(audio, supervision(), id="c2", start=1.0)]
    utterances = converted(tmp_path, *cuts)
    write_manifest(tmp_path / "made" / "train.jsonl", utterances)
    for u, original in zip(read_manifest(tmp_path / "made" / "train.jsonl"), cuts, strict=True):
        assert np.array_equal(read_audio(u)[0], original.load_audio()[0])


def piped(audio: Path) -> Recording:
    return replace(
        Recording.from_file(audio / "rec1.wav"), sources=[AudioSource("command", [0], "cat a.wav")]
    )


def two_channels(audio: Path) -> Recording:
    soundfile.write(audio / "stereo.wav", np.zeros((3 * RATE, 2), np.float32), RATE)
    return Recording.from_file(audio / "stereo.wav")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(cut, "cut c1 has no supervision", id="no supervision"),
        pytest.param(lambda a: cut(a, supervision(text=None)), "supervision s1 has no text", id="no text"),
        pytest.param(lambda a: cut(a, supervision(speaker=None)), "supervision s1 has no speaker", id="no speaker"),
        pytest.param(lambda a: cut(a, supervision(start=-0.1)), "s1 overhangs its cut of 2.0 s", id="starts before"),
        pytest.param(lambda a: cut(a, supervision(duration=2.1)), "s1 overhangs its cut of 2.0 s", id="ends behind"),
        pytest.param(lambda a: cut(a, supervision(custom={"text": "x"})), "custom field 'text' has the name", id="a name"),
        pytest.param(lambda a: cut(a, supervision(gender="F", custom={"gender": "x"})), "custom field 'gender'", id="2nd"),
        pytest.param(lambda a: cut(a, supervision()).resample(16000), "augmented or resampled", id="resampled"),
        pytest.param(lambda a: cut(a, supervision()).pad(3.0), "a MixedCut; expected a MonoCut", id="padded"),
        pytest.param(lambda a: cut(a, supervision(), recording=piped(a)), "from: command; expected one", id="piped"),
        pytest.param(lambda a: cut(a, supervision(), recording=two_channels(a)), "has 2 channels", id="stereo"),
        pytest.param(
            lambda a: MultiCut("c1", 0.0, 2.0, [0, 1], [supervision()], recording=two_channels(a)),
            "a MultiCut; expected a MonoCut",
            id="many channels",
        ),
        pytest.param(lambda a: supervision(), "a SupervisionSegment; expected a MonoCut", id="not a cut"),
    ],
)  # fmt: skip
def test_a_cut_that_no_manifest_can_say_is_refused_with_its_line(tmp_path, audio, make, complaint):
    good = cut(audio, supervision(), id="c0")
    path = tmp_path / "cuts.jsonl"
    with CutSet.open_writer(path) as writer:
        writer.write(good)
        writer.write(make(audio))
    with pytest.raises(UserError, match=f"^{path}:2: .*{complaint}"):
        from_lhotse(path)


def test_features_alone_are_refused(tmp_path, audio):
    stored = {
        "type": "fbank",
        "num_frames": 200,
        "num_features": 80,
        "frame_shift": 0.01,
        "sampling_rate": RATE,
    }
    stored |= {
        "start": 0.5,
        "duration": 2.0,
        "storage_type": "numpy_files",
        "storage_path": "x",
        "storage_key": "y",
    }
    with pytest.raises(UserError, match="cut c1 has no recording"):
        converted(tmp_path, cut(audio, supervision(), recording=None, features=Features(**stored)))


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", "3", '{"id": 3}', '{"type": "MonoCut"}', '{"type": "Odd"}']
)
def test_a_line_that_is_no_cut_is_refused(tmp_path, line):
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(gzip.compress(f"\n{line}\n".encode()))
    with pytest.raises(UserError, match=f"^{path}:2: no cut of lhotse's") as error:
        from_lhotse(path)
    assert "\n" not in str(error.value)


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"expected a CutSet in \.jsonl or \.jsonl\.gz"):
        from_lhotse(tmp_path / "cuts.yaml")


def test_without_lhotse_the_error_says_what_to_install(tmp_path, monkeypatch):
    found = builtins.__import__

    def missing(name: str, *rest: object) -> object:
        if name.startswith("lhotse"):
            raise ModuleNotFoundError(name=name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match="pip install lhotse"):
        from_lhotse(tmp_path / "cuts.jsonl")
