import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from trees import SOUNDS, esc50_tree

from specaug.errors import UserError
from specaug.speech.audio import write_audio
from specaug.speech.corpora.esc50 import esc50
from specaug.speech.corpora.options import Esc50
from specaug.speech.corpus import Corpus
from specaug.speech.manifest import Utterance
from specaug.study.corpora import open_corpus
from specaug.study.load import load
from specaug.study.places import Places


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return esc50_tree(tmp_path_factory.mktemp("laid-out")).parent


@pytest.fixture
def root(laid_out: Path, tmp_path: Path) -> Path:
    """A tree of a test's own."""
    shutil.copytree(laid_out, tmp_path / "data")
    return tmp_path / "data" / "ESC-50"


def read(root: Path, **options: int) -> Corpus:
    return esc50(Esc50(**options), root.parent, root.parent.parent / "cache")


@pytest.fixture(scope="module")
def folds(laid_out: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    cache = tmp_path_factory.mktemp("cache")
    return [esc50(Esc50(fold=fold), laid_out, cache) for fold in range(5)]


def folds_of(utterances: list[Utterance]) -> list[int]:
    """The data set's own folds, as the names of its files begin."""
    return sorted({int(u.id[0]) for u in utterances})


def test_a_fold_is_tested_the_next_is_dev_and_three_train(folds):
    assert [{part: folds_of(us) for part, us in corpus.parts.items()} for corpus in folds] == [
        {"train": [3, 4, 5], "dev": [2], "test": [1]},
        {"train": [1, 4, 5], "dev": [3], "test": [2]},
        {"train": [1, 2, 5], "dev": [4], "test": [3]},
        {"train": [1, 2, 3], "dev": [5], "test": [4]},
        {"train": [2, 3, 4], "dev": [1], "test": [5]},
    ]
    assert all([len(us) for us in corpus.parts.values()] == [24, 8, 8] for corpus in folds)


def test_every_clip_is_tested_once(folds):
    tested = [u.id for corpus in folds for u in corpus.parts["test"]]
    assert len(set(tested)) == len(tested) == 40


def test_no_source_is_in_two_parts(folds):
    for corpus in folds:
        sources = [{u.speaker for u in us} for us in corpus.parts.values()]
        assert len(set.union(*sources)) == sum(map(len, sources)) == 20


def test_a_clip_is_what_its_line_says(folds, laid_out):
    u = next(u for u in folds[0].parts["test"] if u.id == "1-100011-B-1")
    assert (u.text, u.speaker, dict(u.columns), u.duration) == (
        "vacuum_cleaner",
        "100011",
        {"category": "vacuum_cleaner"},
        0.1,
    )
    assert u.audio.samefile(laid_out / "ESC-50" / "audio" / "1-100011-B-1.wav")
    assert {u.text for u in folds[0].parts["train"]} == set(SOUNDS)
    assert (folds[0].name, folds[0].title, folds[0].tests) == (
        "esc50",
        "ESC-50: environmental sounds",
        ["test"],
    )


def test_esc_10_is_the_clips_that_say_so(root):
    corpus = read(root, only_10=True)
    for utterances in corpus.parts.values():
        assert {u.text for u in utterances} == {"dog", "chainsaw"}
    assert [len(us) for us in corpus.parts.values()] == [12, 4, 4]
    assert corpus.title == "ESC-10: environmental sounds"


def table(root: Path) -> Path:
    return root / "meta" / "esc50.csv"


def rewrite(root: Path, old: str, new: str) -> None:
    """The first `old` of the table becomes `new`."""
    text = table(root).read_text()
    assert old in text
    table(root).write_text(text.replace(old, new, 1))


def test_a_table_of_other_columns_in_another_order_with_spaces_and_quotes_reads_alike(root):
    before = read(root)
    rows = [line.split(",") for line in table(root).read_text().split()]
    kept = [(row[3].replace("_", " ").title() if n else row[3], *row[::-1]) for n, row in enumerate(rows)]
    lines = [",".join(f'"{field}"' for field in row[:1] + row[1:4] + row[5:]) for row in kept]
    table(root).write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    after = read(root)
    assert lines[2] == '"Dog","B","100010","True","0","1","1-100010-B-0.wav"'
    assert lines[3].startswith('"Vacuum Cleaner"')
    assert [[(u.id, u.text) for u in us] for us in after.parts.values()] == [
        [(u.id, u.text) for u in us] for us in before.parts.values()
    ]


def test_it_is_found_as_githubs_archive_unpacks(root):
    root.rename(root.with_name("ESC-50-master"))
    assert len(read(root).parts["train"]) == 24


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: rewrite(root, "dog", "cat"), id="a class of the same length"),
        pytest.param(
            lambda root: write_audio(root / "audio" / "1-100010-A-0.wav", np.ones(999, np.float32), 44100), id="audio"
        ),
    ],
)  # fmt: skip
def test_a_changed_source_makes_other_manifests(root, change):
    before = read(root)
    change(root)
    assert read(root).parts != before.parts


def test_the_manifests_are_made_once_for_each_choice(root, tmp_path):
    seen = []
    for options in (Esc50(), Esc50(), Esc50(fold=1), Esc50(only_10=True)):
        esc50(options, root.parent, tmp_path / "cache", lambda *facts: seen.append(facts))
    assert [facts for facts in seen if facts[1] == facts[2]] == [
        *[("esc50 train", 24, 24), ("esc50 dev", 8, 8), ("esc50 test", 8, 8)] * 2,
        *[("esc50 train", 12, 12), ("esc50 dev", 4, 4), ("esc50 test", 4, 4)],
    ]


def test_a_recipe_names_it_and_its_folds(laboratory, laid_out, tmp_path):
    path = laboratory / "experiments" / "sounds.yaml"
    path.write_text("corpus: {name: esc50}\nseeds: [0]\npolicies: [LB]\nfolds: [0, 1, 2, 3, 4]\n")
    places = Places(laboratory, laid_out, tmp_path / "cache", tmp_path / "runs")
    tested = [folds_of(open_corpus(run.corpus, places).parts["test"]) for run in load(path).runs()]
    assert tested == [[1], [2], [3], [4], [5]]
    path.write_text("corpus: {name: esc50}\nfolds: [5]\n")
    with pytest.raises(UserError, match="fold is 5; expected 0 to 4"):
        load(path)


@pytest.mark.parametrize("fold", [-1, 5])
def test_there_are_five_folds(fold):
    with pytest.raises(ValueError, match=f"fold is {fold}; expected 0 to 4"):
        Esc50(fold=fold)


def drop(root: Path, pattern: str) -> None:
    """Leave out the lines that match."""
    lines = table(root).read_text().splitlines(keepends=True)
    table(root).write_text("".join(line for line in lines if not re.match(pattern, line)))


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        pytest.param(shutil.rmtree, "ESC-50: no such folder (or ESC-50-master); expected it in the folder of --data DIR", id="no tree"),
        pytest.param(lambda root: table(root).unlink(), "esc50.csv: no such file; expected the table", id="no table"),
        pytest.param(lambda root: table(root).write_text(""), "esc50.csv: empty", id="an empty table"),
        pytest.param(lambda root: rewrite(root, "category", "class"), "esc50.csv: no column 'category'; expected filename, fold, category, esc10, src_file", id="no category"),
        pytest.param(lambda root: rewrite(root, "esc10", "esc"), "esc50.csv: no column 'esc10'", id="no esc10"),
        pytest.param(lambda root: rewrite(root, "src_file", "source"), "esc50.csv: no column 'src_file'", id="no source"),
        pytest.param(lambda root: rewrite(root, ",A\n", "\n"), "esc50.csv:2: 6 fields; expected 7", id="a field too few"),
        pytest.param(lambda root: rewrite(root, ",A\n", ",A,B\n"), "esc50.csv:2: 8 fields; expected 7", id="a field too many"),
        pytest.param(lambda root: rewrite(root, "wav,1", "wav,6"), "esc50.csv:2: fold is '6'; expected one of 1, 2, 3, 4, 5", id="no such fold"),
        pytest.param(lambda root: rewrite(root, "True", "yes"), "esc50.csv:2: esc10 is 'yes'; expected one of true, false", id="neither true nor false"),
        pytest.param(lambda root: rewrite(root, "dog", " "), "esc50.csv:2: category is empty", id="no class"),
        pytest.param(lambda root: rewrite(root, "True,100010", "True,"), "esc50.csv:2: src_file is empty", id="nameless source"),
        pytest.param(lambda root: rewrite(root, "1-100010-A-0.wav", ""), "esc50.csv:2: filename is empty", id="no file name"),
        pytest.param(lambda root: (root / "audio" / "1-100010-B-0.wav").unlink(), "esc50.csv:3: no file {root}/audio/1-100010-B-0.wav; expected each", id="listed and missing"),
        pytest.param(lambda root: rewrite(root, "B-0.wav", "A-0.wav"), "esc50.csv:3: id '1-100010-A-0' is already used at", id="listed twice"),
        pytest.param(lambda root: rewrite(root, "100021,A", "100010,A"), "src_file 100010 is in fold 1 as well; expected one fold", id="a source in two folds"),
        pytest.param(lambda root: drop(root, "3-"), "esc50.csv: no clip of fold 3 in it; expected folds 1 to 5", id="a fold without clips"),
        pytest.param(lambda root: table(root).write_text("x" * 200_000), "esc50.csv:1: field larger than field limit", id="no table but a line"),
        pytest.param(lambda root: (root / "audio" / "4-100040-A-0.wav").write_bytes(b""), "meta/esc50.csv:26: audio file {root}/audio/4-100040-A-0.wav is empty", id="empty audio"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tree_is_told_in_a_line_and_nothing_is_kept(root, tmp_path, harm, complaint):
    harm(root)
    with pytest.raises(UserError) as caught:
        read(root)
    assert complaint.format(root=root) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "cache").glob("*") if path.suffix != ".lock"]


def test_a_fold_without_clips_of_esc_10_is_told_where_those_are_asked_for(root):
    drop(root, r"2-.*True")
    assert read(root).parts["dev"]
    with pytest.raises(UserError, match=r"esc50.csv: no clip of ESC-10 of fold 2 in it"):
        read(root, only_10=True)
