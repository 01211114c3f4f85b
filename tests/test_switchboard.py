import itertools
import re
import shutil
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from trees import switchboard_tree

from specaug.cli import main
from specaug.errors import UserError
from specaug.speech.audio import read_audio
from specaug.speech.corpora.options import Switchboard
from specaug.speech.corpora.switchboard import Stretch, _fewer, _longer, switchboard
from specaug.speech.corpora.telephone_text import referred, spelled_words, transcribed
from specaug.speech.corpus import Corpus
from specaug.study.corpora import open_corpus
from specaug.study.load import load
from specaug.study.places import Places

STM = Path("LDC2002T43", "2000_hub5_eng_eval_tr", "reference", "hub5e00.english.000405.stm")
CALLS = Path("LDC97S62", "swb1_d1", "data")
TEXTS = Path("swb_ms98_transcriptions")
FIRST = TEXTS / "20" / "2001" / "sw2001A-ms98-a-trans.text"
OPTIONS = Switchboard(dev=1)


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid-out")
    switchboard_tree(folder)
    return folder


@pytest.fixture
def data(laid_out: Path, tmp_path: Path) -> Path:
    """A data folder of a test's own."""
    shutil.copytree(laid_out, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def read(laid_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return switchboard(OPTIONS, laid_out, tmp_path_factory.mktemp("cache"))


def test_the_command_says_what_is_there_and_what_is_missing(data, capsys):
    words = ["data", "switchboard", "--data", str(data)]
    assert main(words) == 0
    told = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert told == {
        "calls (LDC97S62)": "4",
        "transcripts (swb_ms98_transcriptions)": "8",
        "tested calls (LDC2002S09)": "2",
        "references (LDC2002T43)": "1",
    }
    for name in ("LDC97S62", "LDC2002T43"):
        shutil.rmtree(data / "switchboard" / name)
    assert main(words) == 2
    said = capsys.readouterr()
    assert "calls (LDC97S62)\t0\n" in said.out
    assert "no calls (LDC97S62), no references (LDC2002T43); expected LDC's folders in it" in said.err


def test_the_parts_are_conversations_and_no_speaker_is_in_two(read):
    speakers = {part: sorted({u.speaker for u in us}) for part, us in read.parts.items()}
    assert speakers == {
        "train": [f"sw0{number}-{side}" for number in (2002, 2003, 2004) for side in "AB"],
        "dev": ["sw02001-A", "sw02001-B"],
        "swbd": ["sw_4390-A", "sw_4390-B"],
        "callhome": ["en_4156-A", "en_4156-B"],
    }
    assert list(read.parts) == ["train", "dev", "swbd", "callhome"]
    assert [len(us) for us in read.parts.values()] == [24, 8, 8, 8]
    assert (read.name, read.synthetic, read.tests) == ("switchboard", False, ["swbd", "callhome"])


def test_an_utterance_is_its_stretch_of_its_own_side(read, laid_out):
    u = next(u for u in read.parts["train"] if u.id == "sw2002B-ms98-a-0002")
    assert (u.offset, u.duration, u.speaker) == (3.0, 3.0, "sw02002-B")
    both, rate = soundfile.read(laid_out / "switchboard" / CALLS / "sw02002.sph", dtype="float32")
    assert rate == 8000
    wave, rate = read_audio(u)
    assert rate == 8000
    assert np.array_equal(wave, both[24000:48000, 1])
    assert np.abs(wave).max() > 0.2
    assert np.array_equal(read_audio(read.parts["train"][0])[0], both[:24000, 0])


def test_tested_utterances_tell_the_speakers_gender_and_are_longer_at_either_end(read):
    first, second = read.parts["callhome"][:2]
    assert (first.offset, first.duration) == (0.0, 2.05)  # to the middle of a gap of 0.1 s
    assert (second.offset, second.duration) == (5.9, 2.15)
    assert second.id == "en_4156-A_000600-000800"
    genders = {u.speaker: u.columns["gender"] for part in read.tests for u in read.parts[part]}
    assert genders == dict(zip(("sw_4390-A", "sw_4390-B", "en_4156-A", "en_4156-B"), ("male", "female", "female", "male"), strict=True))  # fmt: skip


def test_training_and_dev_are_what_lhotse_reads(read, laid_out):
    recipe = pytest.importorskip("lhotse.recipes.switchboard")
    from lhotse.audio.backend import audio_backend

    root = laid_out / "switchboard"
    with audio_backend("LibsndfileBackend"):  # its own choice for such files is a program
        theirs = recipe.prepare_switchboard(root / "LDC97S62", root / TEXTS, absolute_paths=True)
    expected = {
        s.id: (
            s.start,
            s.duration,
            f"sw02{s.recording_id[-3:]}-{'AB'[s.channel]}",
            s.text.replace(" [laughter]", ""),
        )
        for s in theirs["supervisions"]
    }
    ours = {
        u.id: (u.offset, u.duration, u.speaker, u.text) for part in ("train", "dev") for u in read.parts[part]
    }
    assert ours == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("hi [noise] yeah [laughter]", "hi yeah", id="noises"),
        pytest.param("[silence]", "", id="silence"),
        pytest.param("<b_aside> come [vocalized-noise] in <e_aside>", "come in", id="aside"),
        pytest.param("that's [laughter-so] [laughter-[it'n/isn't]] it", "that's so it'n it", id="laughing"),
        pytest.param("i thi[nk]- -[th]ink ammu[n]it- so w- -y", "i so", id="partial words"),
        pytest.param("[lem[guini]-/linguini] with [cheeps/chips]", "with cheeps", id="slips"),
        pytest.param("{yuppiedom} is them_1 them_1's", "yuppiedom is them them's", id="coined, and variants"),
        pytest.param("um uh well huh", "well", id="hesitations"),
        pytest.param("uh-huh um-hum mhm uh-uh", "uhhuh uhhuh uhhuh uhuh", id="backchannels"),
        pytest.param("twenty-one Semi-Official", "twenty one semi official", id="hyphens, capitals"),
        pytest.param("my tv and tvs", "my t v and t v's", id="spelled"),
    ],
)
def test_a_transcript_says_the_words_alone(written, said):
    assert transcribed(written, {"tv": "t v", "tvs": "t v's"}) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param("HE IS A POLICE OFFICER", "he is a police officer", id="capitals"),
        pytest.param("(%HESITATION) I (TH-) THINK %UH ((SO)) UM", "i think", id="what may be left out"),
        pytest.param("<B_ASIDE> YES <CONTRACTION X=Y> <E_ASIDE>", "yes", id="tags"),
        pytest.param("{ GONNA / GOING TO } GO { @ / UH }", "gonna go", id="readings"),
        pytest.param("OH {BREATH} [NOISE] NO", "oh no", id="noises"),
        pytest.param("I. B. M.'S T.V. WELL, NO", "i b m 's t v well no", id="marks"),
        pytest.param("UH-HUH MHM HUH-UH TWENTY-ONE", "uhhuh uhhuh uhuh twenty one", id="backchannels"),
    ],
)
def test_a_reference_says_the_words_alone(written, said):
    assert referred(written) == said


@given(st.lists(st.text(string.ascii_letters + "[]{}<>()/-_%@'.1", max_size=9), max_size=6))
def test_whatever_is_written_comes_out_as_words_and_coming_again_changes_nothing(words):
    for normal in (lambda text: transcribed(text, {}), referred):
        said = normal(" ".join(words))
        assert not set(said) & set(string.ascii_uppercase + "[]{}()<>-.")
        assert said == " ".join(said.split())
        assert normal(said) in (said, normal(normal(said)))


def test_words_that_are_said_letter_by_letter_are_found_in_the_dictionary(tmp_path):
    path = tmp_path / "dictionary"
    path.write_text(
        "# a dictionary\n\n"
        "TV t iy v iy\n"
        "tvs t iy v iy z\n"
        "ibm's ay b iy eh m z\n"
        "gps jh iy p iy eh s\n"
        "us ah s\n"
        "ok ow k ey n\n"
        "a ey\n"
        "as ey z\n"
        "be b iy\n"
        "x-rays eh k s r ey z\n"
        "word\n"
    )
    assert spelled_words(path) == {"tv": "t v", "tvs": "t v's", "ibm's": "i b m's", "gps": "g p s"}


def test_the_dictionary_of_the_tree_is_used(data, tmp_path):
    path = data / "switchboard" / TEXTS / "20" / "2002" / "sw2002A-ms98-a-trans.text"
    path.write_text("sw2002A-ms98-a-0001 0.0 3.0 tvs\n")
    assert {u.text for u in switchboard(OPTIONS, data, tmp_path / "cache").parts["train"]} >= {"t v's"}
    (data / "switchboard" / TEXTS / "sw-ms98-dict.text").unlink()
    assert {u.text for u in switchboard(OPTIONS, data, tmp_path / "cache").parts["train"]} >= {"tvs"}


def stretch(start: float, end: float, text: str = "a") -> Stretch:
    return Stretch(f"{start}", "sw_1", "A", float(start), float(end), text, "")


@given(
    st.lists(st.tuples(st.floats(0, 9), st.floats(0.01, 3)), min_size=1, max_size=6, unique_by=lambda s: s[0])
)
def test_longer_stretches_keep_their_own_and_run_into_no_neighbour(pairs):
    side = [stretch(start, start + length) for start, length in pairs]
    longer = _longer(side)
    side.sort(key=lambda s: s.start)
    for before, after in zip(side, longer, strict=True):
        assert max(0.0, before.start - 0.1 - 1e-9) <= after.start <= before.start
        assert before.end <= after.end <= before.end + 0.1 + 1e-9
    for (a, b), (c, d) in zip(itertools.pairwise(side), itertools.pairwise(longer), strict=True):
        room = b.start - a.end
        assert (d.start - c.end) == pytest.approx(min(room, max(0.0, room - 0.2)))
    assert longer[-1].end == pytest.approx(side[-1].end + 0.1)


def test_the_same_words_are_kept_so_many_times_in_training_alone():
    side = [stretch(n, n + 1, text) for n, text in enumerate("abaabab")]
    assert [s.start for s in _fewer(side, 2)] == [0, 1, 2, 4]
    assert _fewer(side, 0) == side


def test_training_has_fewer_repeats_and_dev_has_all(data, tmp_path):
    for path in (data / "switchboard" / TEXTS).rglob("*-trans.text"):
        name = path.name.partition("-")[0]
        path.write_text("".join(f"{name}-ms98-a-{n:04d} {n}.0 {n + 1}.0 yeah\n" for n in range(3)))
    corpus = switchboard(Switchboard(dev=1, repeats=4, test=()), data, tmp_path / "cache")
    assert {part: len(us) for part, us in corpus.parts.items()} == {"train": 4, "dev": 6}


def test_folders_may_be_links_and_called_anything(data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (data / "switchboard" / "LDC97S62").rename(elsewhere)
    (data / "switchboard" / "calls").symlink_to(elsewhere)
    path = elsewhere / "swb1_d1" / "data" / "sw02001.sph"
    path.rename(path.with_name("SW02001.SPH"))
    assert len(switchboard(OPTIONS, data, tmp_path / "cache").parts["train"]) == 24


def test_training_needs_no_evaluation(data, tmp_path):
    for name in ("LDC2002S09", "LDC2002T43"):
        shutil.rmtree(data / "switchboard" / name)
    assert list(switchboard(Switchboard(dev=1, test=()), data, tmp_path / "cache").parts) == ["train", "dev"]


def test_one_part_of_the_evaluation_needs_the_calls_of_that_part_alone(data, tmp_path):
    (data / "switchboard" / "LDC2002S09" / "hub5e_00" / "english" / "en_4156.sph").unlink()
    corpus = switchboard(Switchboard(dev=1, test=("swbd",)), data, tmp_path / "cache")
    assert corpus.tests == ["swbd"]


def folders(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()} if cache.is_dir() else set()


def test_the_corpus_is_made_once_and_is_read_from_the_cache_wherever_the_tree_lies(data, tmp_path):
    seen: list[tuple[object, ...]] = []
    first = switchboard(OPTIONS, data, tmp_path / "cache", lambda *facts: seen.append(facts))
    moved = data.rename(tmp_path / "moved")
    assert switchboard(OPTIONS, moved, tmp_path / "cache", lambda *facts: seen.append(facts)) == first
    assert len(folders(tmp_path / "cache")) == 1
    assert seen.count(("switchboard train", 3, 3)) == 1
    assert all(u.audio.is_relative_to(tmp_path / "cache") for us in first.parts.values() for u in us)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: (root / STM).write_text((root / STM).read_text().replace("ONE", "TWO")), id="reference"),
        pytest.param(lambda root: (root / FIRST).write_text((root / FIRST).read_text().replace("no", "on")), id="text"),
        pytest.param(lambda root: (root / TEXTS / "sw-ms98-dict.text").unlink(), id="dictionary"),
        pytest.param(
            lambda root: soundfile.write(root / CALLS / "sw02001.sph", np.ones((8000 * 25, 2)), 8000, format="NIST"),
            id="audio",
        ),
    ],
)  # fmt: skip
def test_a_changed_source_makes_another_corpus(data, tmp_path, change):
    switchboard(OPTIONS, data, tmp_path / "cache")
    change(data / "switchboard")
    switchboard(OPTIONS, data, tmp_path / "cache")
    assert len(folders(tmp_path / "cache")) == 2


def complaint(data: Path, options: Switchboard = OPTIONS) -> str:
    with pytest.raises(UserError) as caught:
        switchboard(options, data, data / "cache")
    assert "\n" not in str(caught.value)
    assert folders(data / "cache") == set()
    return str(caught.value)


def compress(path: Path) -> None:
    whole = path.read_bytes()
    coding = b"sample_coding -s26 ulaw,embedded-shorten-v2.00\n"
    header = whole[:1024].replace(b"sample_coding -s4 ulaw\n", coding)[:1024]
    path.write_bytes(header + whole[1024:])


def cut(path: Path, share: float = 0.5) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def again(path: Path) -> None:
    (path.parent / "copy").mkdir()
    shutil.copy(path, path.parent / "copy")


def lines(*changed: str) -> Callable[[Path], None]:
    return lambda path: path.write_text("".join(f"{line}\n" for line in changed))


CALL, TESTED = CALLS / "sw02003.sph", Path("LDC2002S09", "hub5e_00", "english", "sw_4390.sph")


@pytest.mark.parametrize(
    ("where", "harm", "words"),
    [
        pytest.param("", shutil.rmtree, "switchboard: no such folder; expected LDC's folders in it", id="no tree"),
        pytest.param(CALLS, shutil.rmtree, "no sw0NNNN.sph in it; expected the calls of LDC97S62", id="no calls"),
        pytest.param(TEXTS, shutil.rmtree, "expected the folder swb_ms98_transcriptions", id="no transcripts"),
        pytest.param("LDC2002T43", shutil.rmtree, r"expected LDC2002T43, or corpus.test=\[\]", id="no reference"),
        pytest.param("LDC2002S09", shutil.rmtree, "000405.stm:[0-9]+: no call sw_4390.sph for it; expected LDC2002S09", id="no tested calls"),
        pytest.param(CALL, Path.unlink, "sw2003A-ms98-a-trans.text: no call sw02003.sph for it", id="no call"),
        pytest.param(FIRST, Path.unlink, "sw02001.sph: no transcript sw2001A-ms98-a-trans.text for it", id="no transcript"),
        pytest.param(CALL, again, "sw02003.sph as well; expected one of them", id="twice"),
        pytest.param(CALL, compress, "ulaw,embedded-shorten-v2.00, which cannot be read here; expected it decompressed: sph2pipe -f sph sw02003.sph", id="compressed"),
        pytest.param(TESTED, compress, "sph2pipe -f sph sw_4390.sph OUT.sph", id="compressed, tested"),
        pytest.param(CALL, cut, "sw02003.sph: cut short: 95744 samples of 192000", id="cut short"),
        pytest.param(CALL, lambda path: cut(path, 0.999), "sw02003.sph: cut short", id="cut a little short"),
        pytest.param(CALL, lambda path: cut(path, 0.001), "sw02003.sph cannot be read", id="cut in the header"),
        pytest.param(CALL, lambda path: path.write_bytes(b""), r"sw02003.sph is empty \(0 bytes\)", id="empty"),
        pytest.param(CALL, lambda path: path.write_text("hello"), "sw02003.sph cannot be read", id="no audio"),
        pytest.param(
            CALL, lambda path: soundfile.write(path, np.zeros(9), 8000, format="NIST"), "1 channels at 8000 Hz; expected 2", id="mono"
        ),
        pytest.param(
            CALL, lambda path: soundfile.write(path, np.zeros((9, 2)), 16000, format="NIST"), "at 16000 Hz; expected 2 channels at 8000", id="rate"
        ),
        pytest.param(FIRST, lines("x 0.0 1.0 one", "x 1.0 2.0 two"), "id 'x' is already used", id="an id twice"),
        pytest.param(FIRST, lines("x 0.0"), "text:1: no times '0.0'; expected ID START END WORDS", id="no end"),
        pytest.param(FIRST, lines("x 1.0 one two"), "text:1: no times '1.0 one'", id="a word for a time"),
        pytest.param(FIRST, lines("x 2.0 1.0 one"), "text:1: 2.0 to 1.0 s is no stretch", id="backwards"),
        pytest.param(FIRST, lines("x nan 1.0 one"), "text:1: nan to 1.0 s is no stretch", id="NaN"),
        pytest.param(FIRST, lines("x 23.0 24.7 one"), "text:1: 23.00 to 24.70 s is no stretch of .*sw02001.sph, which has 24.00 s", id="beyond"),
        pytest.param(FIRST, lines("x 24.0 24.1 one"), "text:1: 24.00 to 24.10 s is no stretch", id="behind"),
        pytest.param(FIRST, lines(), "trans.text: empty", id="nothing written"),
        pytest.param(STM, lines("fsh_1 A s 0.0 1.0 <O,F> HI"), "stm:1: fsh_1 A; expected sw_NNNN or en_NNNN, and A or B", id="a strange call"),
        pytest.param(STM, lines("sw_4390 C s 0.0 1.0 <O,F> HI"), "stm:1: sw_4390 C; expected", id="a strange side"),
        pytest.param(STM, lines("sw_4390 A s"), "stm:1: no times ' '; expected CALL SIDE", id="no columns"),
        pytest.param(STM, lines("sw_4390 A s 0.0 1.0 <O,sw,F,sw-F> HI"), "no words in part callhome", id="a part without words"),
    ],
)  # fmt: skip
def test_a_bad_tree_is_told_in_one_line_and_nothing_is_kept(data, where, harm, words):

    harm(data / "switchboard" / where)
    assert re.search(words, complaint(data))


def test_a_stretch_that_ends_a_little_after_its_call_is_cut(data, tmp_path):
    (data / "switchboard" / FIRST).write_text("x 23.0 24.4 one\n")
    corpus = switchboard(OPTIONS, data, tmp_path / "cache")
    assert next(u.duration for u in corpus.parts["dev"] if u.id == "x") == 1.0


def test_dev_leaves_something_to_train_on(data):
    assert "corpus.dev is 4; expected fewer than the 4 conversations" in complaint(data, Switchboard(dev=4))
    assert "corpus.dev is 40; " in complaint(data, Switchboard())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"dev": 0}, "dev is 0; expected 1 conversation or more", id="no dev"),
        pytest.param({"repeats": -1}, "repeats is -1; expected 0", id="repeats"),
        pytest.param({"test": ("swbd", "swbd")}, "test is swbd, swbd; expected each part once", id="twice"),
    ],
)
def test_an_option_out_of_range_says_what_was_expected(given, words):
    with pytest.raises(ValueError, match=words):
        Switchboard(**given)


RECIPE = "corpus: {name: switchboard, dev: 1}\nfeatures: {mel: 40}\npolicies: [None]\nseeds: [0]\n"


def test_a_recipe_names_it(laboratory, data, tmp_path):
    path = laboratory / "experiments" / "telephone.yaml"
    path.write_text(RECIPE)
    places = Places(laboratory, data, tmp_path / "cache", tmp_path / "runs")
    corpus = open_corpus(load(path).corpus, places)
    assert {part: len(us) for part, us in corpus.parts.items()} == {
        "train": 24,
        "dev": 8,
        "swbd": 8,
        "callhome": 8,
    }
    path.write_text(RECIPE.replace("dev: 1", "test: [fisher]"))
    with pytest.raises(UserError, match=r"corpus\.test"):
        load(path)
