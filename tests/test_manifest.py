import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.errors import UserError
from specaug.speech.check import refuse, repeated_ids
from specaug.speech.corpus import Corpus, build_once, check_disjoint
from specaug.speech.manifest import (
    KNOWN,
    Utterance,
    fingerprint,
    gender,
    manifest_line,
    numbered_lines,
    parse_line,
    read_manifest,
    write_manifest,
)

ROW = {"id": "a", "audio_filepath": "a.wav", "duration": 1.5, "text": "one", "speaker": "s"}

# JSON cannot carry surrogates to UTF-8, and no file name has a slash or NUL.
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=8
)
values = st.one_of(
    words, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
utterances = st.builds(
    Utterance,
    id=words,
    text=words,
    speaker=words,
    duration=st.floats(0.01, 100),
    audio=names.map(lambda name: Path("/corpus/audio") / f"{name}.wav"),
    offset=st.floats(0, 100),
    columns=st.dictionaries(words.filter(lambda name: name not in KNOWN), values, max_size=3),
)


def utterance(**fields: object) -> Utterance:
    return Utterance(**{"id": "a", "text": "one", "speaker": "s", "duration": 1.5} | fields)


def row(**fields: object) -> str:
    return json.dumps({name: value for name, value in {**ROW, **fields}.items() if value is not ...})


@given(st.lists(utterances, min_size=1, max_size=4))
def test_a_manifest_reads_back_as_it_was_written(tmp_path_factory, listed):
    path = tmp_path_factory.mktemp("manifest") / "train.jsonl"
    write_manifest(path, listed)
    assert [file.name for file in path.parent.iterdir()] == ["train.jsonl"]
    for got, wanted in zip(read_manifest(path), listed, strict=True):
        assert got.audio.resolve() == wanted.audio.resolve()
        assert (got.id, got.text, got.speaker, got.duration) == (
            wanted.id,
            wanted.text,
            wanted.speaker,
            wanted.duration,
        )
        assert (got.offset, dict(got.columns)) == (wanted.offset, dict(wanted.columns))


def test_paths_are_relative_to_the_manifest_even_through_a_link(tmp_path):
    (tmp_path / "far" / "deep" / "cache").mkdir(parents=True)
    (tmp_path / "cache").symlink_to(tmp_path / "far" / "deep" / "cache")
    audio = tmp_path / "data" / "a.wav"
    audio.parent.mkdir()
    audio.touch()
    write_manifest(tmp_path / "cache" / "train.jsonl", [utterance(audio=audio)])
    (read,) = read_manifest(tmp_path / "cache" / "train.jsonl")
    assert read.audio.samefile(audio)


def test_a_way_up_from_a_link_is_walked_as_the_file_system_walks_it(tmp_path):
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "deep")
    (tmp_path / "far" / "a.wav").touch()
    write_manifest(tmp_path / "train.jsonl", [utterance(audio=tmp_path / "link" / ".." / "a.wav")])
    assert read_manifest(tmp_path / "train.jsonl")[0].audio == tmp_path / "far" / "a.wav"


@pytest.mark.parametrize(
    ("fields", "id_"),
    [
        ({"audio_filepath": "wavs/far.1/a.b.wav"}, "wavs/far.1/a.b"),
        ({"audio_filepath": "../a.wav", "offset": 1.0}, "../a"),
        ({"audio_filepath": ..., "feature_filepath": "/disk/a.npy"}, "/disk/a"),
        ({"id": "u"}, "u"),
    ],
)
def test_without_an_id_it_is_the_path_as_it_is_written(tmp_path, fields, id_):
    assert parse_line(row(**{"id": ..., **fields}), "m.jsonl:1", tmp_path).id == id_


def test_an_id_that_comes_from_a_path_is_told_so_where_it_is_not_unique(tmp_path):
    lines = [row(id=..., offset=place) for place in range(2)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    (tmp_path / "dev.jsonl").write_text(row(id="a", audio_filepath="b.wav"))
    train, dev = (read_manifest(tmp_path / f"{part}.jsonl") for part in ("train", "dev"))
    without = r"ids must be unique \(without a field id it is the path, also of several stretches"
    for told in (lambda parts: refuse(repeated_ids(parts)), lambda parts: disjoint(parts, [])):
        with pytest.raises(UserError, match=rf"train.jsonl:2: id 'a' is already used at .*:1; {without}"):
            told(train)
        with pytest.raises(UserError, match=r"dev.jsonl:1: id 'a' is already .*; ids must be unique$"):
            told([*train[:1], *dev])


def disjoint(train: list[Utterance], dev: list[Utterance]) -> None:
    check_disjoint(Corpus("c", "c", False, {"train": train, "dev": dev}), [])


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    path = tmp_path / "m.jsonl"
    odd = manifest_line(utterance(id="b", text="line\u2028feed\x85", audio=Path("a.wav")), Path())
    path.write_text(f"{row()}\n\n{odd}\n", encoding="utf-8")
    assert [u.where for u in read_manifest(path)] == [f"{path}:1", f"{path}:3"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param("{", "not JSON", id="half a line"),
        pytest.param("1" * 5000, "not JSON that can be read", id="too many digits"),
        pytest.param("[" * 100_000, "not JSON that can be read", id="too deep"),
        pytest.param("[1]", "a list; expected one JSON object", id="a list"),
        pytest.param(row(audio_filepath=...), "exactly one of audio_filepath", id="no file"),
        pytest.param(row(feature_filepath="a.npy"), "exactly one of audio_filepath", id="two files"),
        pytest.param(row(audio_filepath=3), "field audio_filepath is 3; expected str", id="a numbered file"),
        pytest.param(row(duration=0), "duration is 0.0; expected more than 0 seconds", id="no length"),
        pytest.param(row(duration=...), "field duration is None", id="no duration"),
        pytest.param(row(duration=True), "field duration is True", id="true seconds"),
        pytest.param(row(duration=float("nan")), "field duration is nan", id="nan seconds"),
        pytest.param(row(duration=float("inf")), "field duration is inf", id="infinite seconds"),
        pytest.param(row(duration=10**400), "field duration is 1000", id="more than a float holds"),
        pytest.param(row(offset=-1), "field offset is -1", id="before the start"),
        pytest.param(row(id=7), "field id is 7; expected str", id="a numbered id"),
        pytest.param(row(text=...), "field text is missing", id="no text"),
        pytest.param(row(speaker=7), "field speaker is 7; expected str", id="a numbered speaker"),
        pytest.param(
            row(words=["one"]), "field words is a list; expected text or a number", id="a list inside"
        ),
    ],
)
def test_a_bad_line_is_named_with_its_place_and_its_field(line, complaint):
    with pytest.raises(UserError) as error:
        parse_line(line, "m.jsonl:7", Path())
    assert str(error.value).startswith("m.jsonl:7: ")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_text_file_is_an_error_of_one_line(tmp_path):
    path = tmp_path / "m.jsonl"
    for content, complaint in [(b"", "empty"), (b" \n\n", "empty"), (b"\xff\xfe", "not UTF-8")]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=complaint):
            read_manifest(path)
    with pytest.raises(UserError, match="no such file"):
        read_manifest(tmp_path / "other.jsonl")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_manifest(tmp_path)
    for content in (b"text", b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(20)):
        (tmp_path / "m.jsonl.gz").write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            numbered_lines(tmp_path / "m.jsonl.gz")


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "m.jsonl").write_text(row(), encoding="utf-8-sig")
    assert read_manifest(tmp_path / "m.jsonl")[0].id == "a"


def test_a_manifest_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "m.jsonl"
    write_manifest(path, [utterance(audio=tmp_path / "a.wav")])
    before = path.read_text()
    with pytest.raises(TypeError):
        write_manifest(path, [utterance(audio=tmp_path / "a.wav", columns={"x": object()})])
    assert path.read_text() == before


@pytest.mark.parametrize("field", ["id", "text", "speaker", "duration", "offset", "columns"])
def test_the_fingerprint_depends_on_every_field(field):
    other = {"id": "b", "text": "two", "speaker": "t", "duration": 2.0, "offset": 1.0, "columns": {"snr": 3}}
    assert fingerprint([utterance()]) != fingerprint([utterance(**{field: other[field]})])


def test_the_fingerprint_depends_on_the_size_of_the_files_and_not_on_their_place(tmp_path):
    for name, content in {"a": b"12", "b": b"34", "c": b"567"}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c = (fingerprint([utterance(audio=tmp_path / name)]) for name in "abc")
    assert a == b != c


def test_the_line_of_an_utterance_has_nemos_names():
    line = manifest_line(
        utterance(audio=Path("/data/x/a.wav"), offset=0.5, columns={"snr": 3}), Path("/data/m")
    )
    assert json.loads(line) == {**ROW, "audio_filepath": "../x/a.wav", "offset": 0.5, "snr": 3}


@pytest.mark.parametrize(("word", "known"), [("F", "female"), ("m", "male"), ("Male", "male"), ("x", "x")])
def test_genders_have_one_word_each(word, known):
    assert gender(word) == known


def test_a_manifest_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_manifest(tmp_path / "m.jsonl", [utterance(text="half of a pair: \ud800")])
    assert list(tmp_path.iterdir()) == []


def corpus_of(folder: Path, **speakers: str) -> Corpus:
    parts = {
        part: [utterance(id=f"{part}-{s}", speaker=s, audio=folder / "a.wav") for s in names]
        for part, names in speakers.items()
    }
    return Corpus("name", "title", True, parts)


def test_a_corpus_is_built_once_and_read_afterwards(tmp_path):
    built = []

    def write(folder: Path) -> Corpus:
        built.append(folder)
        return corpus_of(folder, train="ab", dev="a", far="c", near="d")

    first, second = (build_once(tmp_path / "cache" / "corpus", write) for _ in range(2))
    assert first == second
    assert len(built) == 1
    assert (first.name, first.title, first.synthetic, first.tests) == ("name", "title", True, ["far", "near"])
    assert first.parts["far"][0].audio.resolve() == tmp_path / "cache" / "corpus" / "a.wav"


def test_a_corpus_that_fails_leaves_nothing_behind(tmp_path):
    def fail(folder: Path) -> Corpus:
        (folder / "half").touch()
        raise UserError("no")

    def unreadable(folder: Path) -> Corpus:
        return corpus_of(folder, train="a", dev="")

    for write in (fail, unreadable):
        with pytest.raises(UserError):
            build_once(tmp_path / "corpus", write)
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_corpus_that_is_there_is_read_without_writing(tmp_path):
    folder = tmp_path / "corpus"
    build_once(folder, lambda folder: corpus_of(folder, train="a", dev="a"))
    folder.with_name("corpus.lock").unlink(missing_ok=True)
    build_once(folder, lambda _: pytest.fail("built again"))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_speaker_of_train_may_be_in_dev_and_not_in_a_test_part(tmp_path):
    check_disjoint(corpus_of(tmp_path, train="ab", dev="a", test="c"), apart=["test"])
    with pytest.raises(UserError, match="speaker 'b' of part test is also in train"):
        check_disjoint(corpus_of(tmp_path, train="ab", dev="a", test="cb"), apart=["test"])


def test_an_id_is_used_once_in_a_corpus():
    parts = {"train": [utterance(where="t:1")], "dev": [utterance(where="d:2")]}
    with pytest.raises(UserError, match="d:2: id 'a' is already used at t:1"):
        check_disjoint(Corpus("c", "c", False, parts), apart=[])
