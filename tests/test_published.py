import json
from pathlib import Path

import pytest
from test_results import utterance, write_run

from specaug.cli import main
from specaug.cli.common import TABLES
from specaug.errors import UserError
from specaug.study.load import as_yaml, load
from specaug.study.published.beside import OTHER_DATA, OTHER_TRAINING, beside
from specaug.study.published.tables import Row, chosen, table, tables
from specaug.study.results import find_runs
from specaug.study.tables.plain_table import Plain

ROOT = Path(__file__).resolve().parent.parent
EXPERIMENTS = ROOT / "experiments"
ROWS = [(name, row) for name, whole in tables().items() for row in whole.rows]
STEPS = {"B": 80_000, "D": 160_000, "L": 320_000}


@pytest.mark.parametrize(("name", "row"), ROWS, ids=lambda value: getattr(value, "recipe", value))
def test_the_recipe_of_a_row_is_what_its_name_says(name, row):
    recipe = load(EXPERIMENTS / row.recipe)
    depth, width, schedule, *policy = Path(row.recipe).stem.removeprefix("las-").split("-")
    assert recipe.network.arguments == {"depth": int(depth), "width": int(width), "deltas": True}
    assert recipe.training.schedule.s_f == STEPS[schedule]
    assert (recipe.training.batch, recipe.training.peak) == (512, 1e-3)
    assert recipe.training.weight_noise == 0.075
    (only,) = recipe.policies
    assert only.name == policy[0]
    assert only.scale is None
    assert recipe.scale == 1
    assert [decoding.label for decoding in recipe.decodings] == ["beam", "lm"]
    assert {decoding.beam for decoding in recipe.decodings} == {8}
    telephone = Path(row.recipe).parent.name == "switchboard-300-las"
    smoothed = schedule == "L" or policy[1:] == ["smoothed"]
    assert recipe.training.label_smoothing == (0.1 if smoothed else 0)
    assert recipe.training.smooth_until == (140_000 if smoothed and not telephone else 0)
    assert tables()[name].parts == (("swbd", "callhome") if telephone else ("test-clean", "test-other"))


def test_a_row_names_whether_its_labels_are_smoothed():
    for row in table("table-4").rows:
        smoothed = load(EXPERIMENTS / row.recipe).training.label_smoothing > 0
        assert row.row.endswith(" + label smoothing") == smoothed


PRINTED = {  # Park et al. 2019 and 2020, typed a second time: rows from top to bottom, LM behind the slash
    "table-2": """
        4.7† 14.3† / 3.6† 10.9†
        3.7  10.0  / 3.4   8.3
        3.6†  9.2† / 2.8†  7.5†
        4.4† 13.3† / 3.5† 10.4†
        3.4†  9.2† / 2.7†  7.3†
        3.4†  8.3† / 2.8†  6.8†
        4.5† 13.1† / 3.6† 10.3†
        3.4†  8.6† / 2.6†  6.7†
        3.2†  8.0† / 2.6†  6.5†
        4.3† 12.9† / 3.5† 10.5
        3.4†  8.7† / 2.8†  7.1
        3.2†  7.7† / 2.7†  6.5
    """,
    "table-3": """
        4.1 12.5 / 3.2 9.8
        2.8  6.8 / 2.5 5.8
    """,
    "table-4": """
        12.1† 22.6† /
        11.2† 21.6† /
         9.5† 18.8† /
         8.5† 16.1† /
         9.7† 18.2† /
         8.6† 16.3† /
    """,
    "table-5": """
        11.2 21.6 / 10.9 19.4
         7.2 14.6 /  6.8 14.1
         7.3 14.4 /  7.1 14.0
    """,
    "table-6": """
        3.7 10.0 /
        3.8 10.1 /
        4.0 11.0 /
        4.1 10.9 /
    """,
    "park-2020": "/ 2.2 5.2",
}


@pytest.mark.parametrize("name", tables())
def test_cells_are_as_the_paper_prints_them(name):
    whole = table(name)
    for row, line in zip(whole.rows, PRINTED[name].strip().splitlines(), strict=True):
        cells = {kind: [cell for cell in whole.cells(row) if cell.kind == kind] for kind in ("plain", "lm")}
        plain, lm = (half.split() for half in line.split("/"))
        assert [cell.told for cell in cells["plain"]] == plain, row
        assert [cell.told for cell in cells["lm"]] == lm, row
        assert all(tuple(cell.part for cell in some) in ((), whole.parts) for some in cells.values())


SIZES = {"dev": 5_567, "test-clean": 2_620, "test-other": 2_939, "swbd": 1_750, "callhome": 2_500}
TRAINED = {"librispeech": 281_241, "switchboard": 190_000}


def finished(
    folder: Path,
    recipe_file: str,
    errors: dict[str, int],
    *overrides: str,
    seed: int = 0,
    trained: int | None = None,
    **tested: int,
) -> None:
    """A run of a row's recipe, with so many errors in the hundred words of each part, and utterances as the corpus has."""
    (recipe,) = load(EXPERIMENTS / recipe_file, [*overrides, f"seeds=[{seed}]"]).runs()
    rows = [utterance(part, "u1", "s1", 100, count, 0, 0) for part, count in errors.items()]
    write_run(folder, rows, recipe.policy.label, seed)
    (folder / "recipe.yaml").write_text(as_yaml(recipe))
    facts = json.loads((folder / "result.json").read_text())
    facts["corpus"]["utterances"] = {"train": trained or TRAINED[recipe.corpus.name]}
    for part, told in facts["parts"].items():
        plain = part.partition("+")[0]
        told["utterances"] = tested.get(plain.replace("-", "_"), SIZES[plain])
    (folder / "result.json").write_text(json.dumps(facts))


ROW = table("table-2").rows[1]  # LAS-4-1024 B LB: 3.7 10.0 3.4 8.3
BEAM = {"test-clean+beam": 9, "test-clean": 10}


def told(folder: Path, *overrides: str, name: str = "table-2", row: Row = ROW) -> Plain:
    return beside(table(name), [row], find_runs([folder]).finished, EXPERIMENTS, overrides)


def compared(folder: Path, *overrides: str) -> list[tuple[str, ...]]:
    return [tuple(line[1:]) for line in told(folder, *overrides).table[1:]]


def test_ours_stand_beside_the_papers_with_the_difference(tmp_path):
    errors = {"dev": 1, "test-clean": 9, "test-clean+beam": 4, "test-other+beam": 11, "test-clean+lm": 3}
    finished(tmp_path / "a", ROW.recipe, errors)
    finished(tmp_path / "b", ROW.recipe, {part: count + 1 for part, count in errors.items()}, seed=1)
    finished(tmp_path / "c", table("table-2").rows[0].recipe, errors)  # another policy
    assert compared(tmp_path) == [
        ("test-clean", "without", "4.5", "3.7", "+0.8", "2", ""),
        ("test-other", "without", "11.5", "10.0", "+1.5", "2", ""),
        ("test-clean", "with", "3.5", "3.4", "+0.1", "2", ""),
        ("test-other", "with", "-", "8.3", "-", "2", ""),
    ]
    assert "In no row above: 1 of 3 finished runs." in told(tmp_path).remarks


def test_nothing_is_said_of_runs_that_all_stand_in_a_row(tmp_path):
    finished(tmp_path / "a", ROW.recipe, BEAM)
    assert not any("no row" in remark for remark in told(tmp_path).remarks)


def test_without_runs_the_paper_stands_alone(tmp_path):
    assert compared(tmp_path)[0] == ("test-clean", "without", "-", "3.7", "-", "-", "")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["corpus.train=[train-clean-100]"], OTHER_DATA),
        (["network.arguments.width=8"], OTHER_TRAINING),
        (["network.init=encoder.safetensors"], OTHER_TRAINING),
        (["training.batch=64"], OTHER_TRAINING),
        (["training.label_smoothing=0.1"], OTHER_TRAINING),
        (["features.mel=60"], OTHER_TRAINING),
        (["text.pieces=100"], OTHER_TRAINING),
        (["training.report=best", "training.evaluate_every=2"], OTHER_TRAINING),
        (["policies=[{name: LB, strength: {start: 100}}]"], OTHER_TRAINING),
    ],
)
def test_what_differs_is_not_compared(tmp_path, overrides, reason):
    finished(tmp_path / "a", ROW.recipe, BEAM, *overrides)
    assert compared(tmp_path, *overrides)[0] == (
        "test-clean", "without", "9.0", "3.7", "-", "1", f"not comparable: {reason}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"trained": 4}, "trained on 4 utterances, where there are 281,241"),
        ({"trained": 281_200, "test_clean": 7}, "tested on 7 utterances, where there are 2,620"),
        ({"test_clean": 2_600}, "tested on 2,600 utterances, where there are 2,620"),
        ({"trained": 281_200, "test_other": 7}, ""),
    ],
)
def test_runs_on_a_part_of_the_corpus_are_not_compared(tmp_path, counts, reason):
    finished(tmp_path / "a", ROW.recipe, BEAM, **counts)
    *_, less, seeds, remark = compared(tmp_path)[0]
    assert (less, seeds, remark) == (("-", "1", f"not comparable: {reason}") if reason else ("+5.3", "1", ""))


def test_runs_that_do_not_say_on_how_many_utterances_are_not_compared(tmp_path):
    finished(tmp_path / "a", ROW.recipe, BEAM)
    facts = json.loads((tmp_path / "a" / "result.json").read_text())
    del facts["corpus"]["utterances"]
    (tmp_path / "a" / "result.json").write_text(json.dumps(facts))
    assert compared(tmp_path)[0][-1].endswith(
        "trained on a number of utterances that the result does not say"
    )


def test_the_numbers_of_switchboard_are_rough(tmp_path):
    row = table("table-5").rows[1]
    errors = {"swbd+beam": 9, "callhome+beam": 9}
    finished(tmp_path / "a", row.recipe, errors, callhome=900)
    near, far, *_ = told(tmp_path, name="table-5", row=row).table[1:]
    assert near[5:] == ("+1.8", "1", "")
    assert far[5:] == ("-", "1", "not comparable: tested on 900 utterances, where there are 2,628")


GREEDILY = ("test-clean", "without", "9.0", "3.7", "-", "1", "not comparable: greedy")


def test_greedy_transcripts_are_shown_and_not_compared(tmp_path):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9, "test-other": 9, "test-other+beam": 9})
    greedy, beam, *_ = compared(tmp_path)
    assert greedy == GREEDILY
    assert beam == ("test-other", "without", "9.0", "10.0", "-1.0", "1", "")


LM = "{arguments: {width: 1024, depth: 2}, steps: 100000, batch: 128, peak: 1.0e-3}"


@pytest.mark.parametrize(
    ("decodings", "plain", "lm"),
    [
        ("{label: beam, beam: 8, coverage: 0.1}, {beam: 8, weight: 0.9, lm: LM}", "", ""),  # dev may choose
        ("{label: beam, beam: 4}, {beam: 4, weight: 0.3, lm: LM}", "beam", "beam"),
        ("{label: beam}, {weight: 0.3, lm: {steps: 9}}", "", "language model"),
        ("{label: beam}, {weight: 0, lm: LM}", "", "language model"),
        ("{label: beam, weight: 1, lm: LM}, {beam: 2}", "language model", "beam and language model"),
    ],
)
def test_runs_that_were_decoded_otherwise_are_not_compared(tmp_path, decodings, plain, lm):
    given = f"decodings=[{decodings.replace('LM', LM)}]"
    finished(tmp_path / "a", ROW.recipe, {"test-clean+beam": 9, "test-clean+lm": 9}, given)
    lines = compared(tmp_path)
    for (*_, less, _, remark), reason in ((lines[0], plain), (lines[2], lm)):
        assert remark == (f"not comparable: decoded with another {reason}" if reason else "")
        assert (less == "-") == bool(reason)


@pytest.mark.parametrize(
    "override",
    ["training.devices=2", "training.accumulate=2", "training.precision=bf16", "training.evaluate_every=2"],
)
def test_how_a_machine_goes_about_it_changes_no_row(tmp_path, override):
    finished(tmp_path / "a", ROW.recipe, BEAM, override)
    assert compared(tmp_path)[0] == ("test-clean", "without", "9.0", "3.7", "+5.3", "1", "")


@pytest.mark.parametrize(
    "override",
    [
        "training.weight_noise=0",
        "training.peak=0.002",
        "text.pieces=100",
        "policies=[{name: LB, strength: {end: 100}}]",
    ],
)
def test_runs_that_were_trained_otherwise_are_not_those_of_a_row(tmp_path, override):
    finished(tmp_path / "a", ROW.recipe, BEAM, override)
    assert compared(tmp_path)[0] == ("test-clean", "without", "-", "3.7", "-", "-", "")


def test_runs_on_the_rows_own_data_go_before_others(tmp_path):
    finished(tmp_path / "a", ROW.recipe, BEAM, "corpus.train=[train-clean-100]")
    finished(tmp_path / "b", ROW.recipe, BEAM, trained=4)
    finished(tmp_path / "c", ROW.recipe, {"test-clean+beam": 5})
    assert compared(tmp_path)[0] == ("test-clean", "without", "5.0", "3.7", "+1.3", "1", "")


def test_rows_are_chosen_by_their_places():
    whole = table("table-2")
    assert chosen(whole, "") == list(whole.rows)
    assert chosen(whole, "3,1-2,2") == [whole.rows[2], *whole.rows[:2]]


@pytest.mark.parametrize("rows", ["0", "13", "2-", "a", "5-3", ","])
def test_places_that_there_are_not_are_refused(rows):
    with pytest.raises(UserError, match="expected places from 1 to 12, as in 1,4-6"):
        chosen(table("table-2"), rows)


def test_a_table_that_nobody_typed_is_refused_with_those_that_are_there(capsys):
    assert main(["reproduce", "table-9", "--list"]) == 2
    expected = f"expected one of {', '.join(tables())}"
    assert capsys.readouterr().err == f"specaug: unknown table 'table-9'; {expected}\n"


@pytest.mark.parametrize("verb", ["reproduce", "compare"])
def test_help_names_every_table(verb, capsys):
    assert TABLES == tuple(tables())
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in TABLES)


def test_the_rows_are_listed_with_what_is_done(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert (
        main(["reproduce", "table-6", "--list", "--rows", "2", "--format", "tsv", "--runs", str(tmp_path)])
        == 0
    )
    header, line = (row.split("\t") for row in capsys.readouterr().out.splitlines()[1:3])
    assert header == ["row", "name", "recipe", "runs", "finished", "published"]
    recipe = "experiments/librispeech-960-las/las-4-1024-B-LB-without-warp.yaml"
    assert line == ["2", "LB without warp", recipe, "1", "0", "3.8 10.1"]


@pytest.mark.parametrize(("name", "doubts"), [("table-4", 1), ("table-5", 0)])
def test_the_dagger_is_explained_wherever_it_stands(name, doubts, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["reproduce", name, "--list", "--format", "tsv", "--runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("# † typed from one recollection") == doubts
    printed = beside(table(name), table(name).rows, [], EXPERIMENTS)
    assert sum("† typed from one" in remark for remark in printed.remarks) == doubts


def test_what_was_read_with_a_language_model_is_told_as_such(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(["reproduce", "park-2020", "--list", "--format", "tsv", "--runs", str(tmp_path)]) == 0
    assert "\tLM 2.2 5.2\n" in capsys.readouterr().out
    (row,) = table("park-2020").rows
    finished(tmp_path / "a", row.recipe, {"test-clean": 9, "test-clean+lm": 3})
    lines = told(tmp_path, name="park-2020", row=row)
    assert [line[1:6] for line in lines.table[1:]] == [
        ("test-clean", "with", "3.0", "2.2", "+0.8"),
        ("test-other", "with", "-", "5.2", "-"),
    ]
    assert not any("without" in remark for remark in lines.remarks)


def test_compare_prints_ours_beside_the_published_ones(tmp_path, capsys):
    finished(tmp_path / "a", ROW.recipe, {**BEAM, "dev": 1})
    assert main(["compare", str(tmp_path), "--published", "table-2", "--format", "tsv"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["LAS-4-1024 B LB", "test-clean", "without", "9.0", "3.7", "+5.3", "1", ""] in lines
    assert main(["compare", str(tmp_path), "--published", "table-2", "--baseline", "LB"]) == 2
    assert "--baseline is 'LB' with --published alone; expected none" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["compare", str(tmp_path / "none"), "--published", "table-2"]) == 2
    assert "no finished run" in capsys.readouterr().err
