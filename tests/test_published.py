from pathlib import Path

import pytest
from test_results import utterance, write_run

from specaug.cli import main
from specaug.errors import UserError
from specaug.study.load import as_yaml, load
from specaug.study.published.beside import OTHER_DATA, OTHER_TRAINING, beside
from specaug.study.published.tables import chosen, table, tables
from specaug.study.results import find_runs

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


def test_cells_are_as_the_paper_prints_them():
    """Some typed again (Park et al. 2019)."""
    last = table("table-2").rows[-1]
    assert (last.plain, last.lm) == ((3.2, 7.7), (2.7, 6.5))
    assert [cell.told for cell in table("table-2").cells(last)] == ["3.2†", "7.7†", "2.7†", "6.5"]
    assert [row.plain for row in table("table-6").rows] == [
        (3.7, 10.0),
        (3.8, 10.1),
        (4.0, 11.0),
        (4.1, 10.9),
    ]
    assert [row.lm for row in table("table-3").rows] == [(3.2, 9.8), (2.5, 5.8)]
    assert [row.plain for row in table("table-5").rows] == [(11.2, 21.6), (7.2, 14.6), (7.3, 14.4)]
    assert [row.plain for row in table("table-4").rows] == [
        (12.1, 22.6),
        (11.2, 21.6),
        (9.5, 18.8),
        (8.5, 16.1),
        (9.7, 18.2),
        (8.6, 16.3),
    ]
    assert [cell.told for cell in table("table-4").cells(table("table-4").rows[0])] == ["12.1†", "22.6†"]


def finished(folder: Path, recipe_file: str, errors: dict[str, int], *overrides: str, seed: int = 0) -> None:
    """A run of a row's recipe, with so many errors in the hundred words of each part."""
    (recipe,) = load(EXPERIMENTS / recipe_file, [*overrides, f"seeds=[{seed}]"]).runs()
    rows = [utterance(part, "u1", "s1", 100, count, 0, 0) for part, count in errors.items()]
    write_run(folder, rows, recipe.policy.label, seed)
    (folder / "recipe.yaml").write_text(as_yaml(recipe))


ROW = table("table-2").rows[1]  # LAS-4-1024 B LB: 3.7 10.0 3.4 8.3


def compared(folder: Path, *overrides: str) -> list[tuple[str, ...]]:
    told = beside(table("table-2"), [ROW], find_runs([folder]).finished, EXPERIMENTS, overrides)
    return [tuple(line[1:]) for line in told.table[1:]]


def test_ours_stand_beside_the_papers_with_the_difference(tmp_path):
    errors = {"dev": 1, "test-clean": 9, "test-clean+beam": 4, "test-other": 11, "test-clean+lm": 3}
    finished(tmp_path / "a", ROW.recipe, errors)
    finished(tmp_path / "b", ROW.recipe, {part: count + 1 for part, count in errors.items()}, seed=1)
    finished(tmp_path / "c", table("table-2").rows[0].recipe, errors)  # another policy
    assert compared(tmp_path) == [
        ("test-clean", "without", "4.5", "3.7", "+0.8", "2", ""),
        ("test-other", "without", "11.5", "10.0", "+1.5", "2", ""),
        ("test-clean", "with", "3.5", "3.4", "+0.1", "2", ""),
        ("test-other", "with", "-", "8.3", "-", "2", ""),
    ]


def test_without_runs_the_paper_stands_alone(tmp_path):
    assert compared(tmp_path)[0] == ("test-clean", "without", "-", "3.7", "-", "-", "")


@pytest.mark.parametrize(
    ("overrides", "remark"),
    [
        (["corpus.train=[train-clean-100]"], OTHER_DATA),
        (["network.arguments.width=8"], OTHER_TRAINING),
        (["network.init=encoder.safetensors"], OTHER_TRAINING),
        (["training.batch=64"], OTHER_TRAINING),
        (["training.label_smoothing=0.1"], OTHER_TRAINING),
        (["features.mel=60"], OTHER_TRAINING),
        (["text.pieces=100"], OTHER_TRAINING),
        (["training.report=best", "training.evaluate_every=2"], OTHER_TRAINING),
    ],
)
def test_what_differs_is_not_compared(tmp_path, overrides, remark):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9}, *overrides)
    assert compared(tmp_path, *overrides)[0] == ("test-clean", "without", "9.0", "3.7", "-", "1", remark)


@pytest.mark.parametrize(
    "override",
    ["training.devices=2", "training.accumulate=2", "training.precision=bf16", "training.evaluate_every=2"],
)
def test_how_a_machine_goes_about_it_changes_no_row(tmp_path, override):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9}, override)
    assert compared(tmp_path)[0] == ("test-clean", "without", "9.0", "3.7", "+5.3", "1", "")


@pytest.mark.parametrize("override", ["training.weight_noise=0", "training.peak=0.002", "text.pieces=100"])
def test_runs_that_were_trained_otherwise_are_not_those_of_a_row(tmp_path, override):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9}, override)
    assert compared(tmp_path)[0] == ("test-clean", "without", "-", "3.7", "-", "-", "")


def test_runs_on_the_rows_own_data_go_before_others(tmp_path):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9}, "corpus.train=[train-clean-100]")
    finished(tmp_path / "b", ROW.recipe, {"test-clean": 5})
    assert compared(tmp_path)[0] == ("test-clean", "without", "5.0", "3.7", "+1.3", "1", "")


def test_rows_are_chosen_by_their_places():
    whole = table("table-2")
    assert chosen(whole, "") == list(whole.rows)
    assert chosen(whole, "3,1-2,2") == [whole.rows[2], *whole.rows[:2]]


@pytest.mark.parametrize("rows", ["0", "13", "2-", "a", "5-3", ","])
def test_places_that_there_are_not_are_refused(rows):
    with pytest.raises(UserError, match="expected places from 1 to 12, as in 1,4-6"):
        chosen(table("table-2"), rows)


def test_a_table_that_nobody_typed_is_refused_with_the_nearest(capsys):
    assert main(["reproduce", "tabel-2", "--list"]) == 2
    assert capsys.readouterr().err == "specaug: unknown table 'tabel-2'; did you mean 'table-2'?\n"


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


def test_compare_prints_ours_beside_the_published_ones(tmp_path, capsys):
    finished(tmp_path / "a", ROW.recipe, {"test-clean": 9, "dev": 1})
    assert main(["compare", str(tmp_path), "--published", "table-2", "--format", "tsv"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["LAS-4-1024 B LB", "test-clean", "without", "9.0", "3.7", "+5.3", "1", ""] in lines
    assert main(["compare", str(tmp_path), "--published", "table-2", "--baseline", "LB"]) == 2
    assert "--baseline is 'LB' with --published alone; expected none" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["compare", str(tmp_path / "none"), "--published", "table-2"]) == 2
    assert "no finished run" in capsys.readouterr().err
