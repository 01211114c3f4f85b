"""Comparisons of several networks and schedules."""

import csv
import io

import pytest
import yaml
from test_compare import study
from test_results import change

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.systems import System
from specaug.study.tables.table import FORMATS, as_markdown, as_text


def system(root, width=8, parameters=1000, s_f=3000, **other):
    """Runs of one network with one schedule."""
    network = {"path": "models.toy.Toy", "arguments": {"width": width}, "parameters": parameters}
    study(root, network=network, **other)
    for run in root.iterdir():
        recipe = {"training": {"schedule": {"s_r": 1, "s_i": 2, "s_f": s_f}}}
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("systems")
    system(root / "small", policies=["None", "LB", "LD"])
    system(root / "large", 16, 9000, policies=["LD", "None"])  # the policies do the reverse here
    return root


@pytest.fixture(scope="module")
def compared(runs):
    return compare([runs])


def of(compared, name):
    return {row.label: row for row in compared.rows if row.system == name}


def holm_by_hand(p_values):
    """The smallest is multiplied by how many there are, the next by one less; none falls below the one before."""
    corrected, left = {}, dict(p_values)
    before = 0.0
    while left:
        name = min(left, key=left.get)
        before = corrected[name] = max(before, min(1.0, len(left) * left.pop(name)))
    return corrected


@pytest.mark.parametrize(("folder", "name"), [("small", "Toy width=8"), ("large", "Toy width=16")])
def test_a_policy_is_compared_with_the_baseline_of_its_own_system(runs, compared, folder, name):
    alone = {row.label: row for row in compare([runs / folder]).rows}
    mine = of(compared, name)
    assert list(mine) == list(alone)
    for label, row in mine.items():
        for part, score in row.scores.items():
            expected = alone[label].scores[part]
            assert score.wer == expected.wer
            if label == "None":
                assert score.difference is None
            else:
                found, told = score.difference, expected.difference
                assert (found.value, found.low, found.high, found.p) == (
                    (told.value, told.low, told.high, told.p)
                )


def test_holm_corrects_for_the_policies_of_all_systems(compared):
    for part in ("unseen", "dev"):
        found = {
            (row.system, row.label): row.scores[part].difference
            for row in compared.rows
            if row.label != "None"
        }
        assert len(found) == 3
        expected = holm_by_hand({name: difference.p for name, difference in found.items()})
        assert {name: difference.adjusted for name, difference in found.items()} == pytest.approx(expected)


def test_the_rows_of_a_system_are_together_and_the_smaller_network_comes_first(compared):
    names = ["Toy width=8"] * 3 + ["Toy width=16"] * 2
    assert [row.system for row in compared.rows] == names
    assert [system.name for system in compared.systems] == list(dict.fromkeys(names))
    assert [system.parameters for system in compared.systems] == [1000, 9000]


def test_one_policy_and_seed_may_be_in_two_systems_but_not_twice_in_one(tmp_path):
    system(tmp_path / "a", seeds=1, folds=1)
    system(tmp_path / "b", s_f=50, seeds=1, folds=1)
    assert [s.name for s in compare([tmp_path]).systems] == ["Toy, s_f=50", "Toy, s_f=3000"]
    system(tmp_path / "c", seeds=1, folds=1)
    with pytest.raises(UserError, match=r"c/LD-0-0: policy LD, seed 0, fold 0 is also in .*a/LD-0-0"):
        compare([tmp_path])


def test_a_system_without_the_baseline_is_compared_with_nothing_and_that_is_said(tmp_path):
    system(tmp_path / "a", folds=1)
    system(tmp_path / "b", 16, policies=["LB", "LD"], folds=1)
    got = compare([tmp_path])
    assert got.baseline == "None"
    assert all(row.scores["dev"].difference is None for row in of(got, "Toy width=16").values())
    assert got.notes == ["Toy width=16 has no whole run of None, so its policies are compared with nothing"]
    other = compare([tmp_path], "LD")
    assert not other.notes
    assert of(other, "Toy width=16")["LB"].scores["dev"].difference is not None


def test_without_none_the_first_policy_that_all_systems_have_is_the_baseline(tmp_path):
    system(tmp_path / "a", policies=["LB", "SM"], seeds=1, folds=1)
    system(tmp_path / "b", 16, policies=["LD", "SM"], seeds=1, folds=1)
    assert compare([tmp_path]).baseline == "SM"


def test_what_is_uneven_in_a_system_is_noted_with_its_name(tmp_path):
    system(tmp_path / "a", folds=1)
    system(tmp_path / "b", 16, 9000, folds=2)
    system(tmp_path / "c", 32, 9001, folds=2)
    (tmp_path / "b" / "LD-1-0" / "result.json").unlink()
    (tmp_path / "c" / "None-2-0" / "result.json").unlink()
    change(tmp_path / "c" / "LD-0-0" / "result.json", ("epochs",), 7)
    change(tmp_path / "c" / "LD-0-0" / "result.json", ("skipped",), ["a"])
    notes = compare([tmp_path]).notes
    assert "Toy width=8: LD, seed 0 is left out: no result for fold 1" in notes
    assert "Toy width=16: LD and None are not paired on seed 1; difference over 2 seeds" in notes
    assert "Toy width=32: LD and None are not paired on seed 2; difference over 2 seeds" in notes
    assert "Toy width=32: runs differ in length: 3 to 7 epochs" in notes
    assert "Toy width=32: 1 of 11 runs skipped up to 1 utterance" in notes


def test_the_table_names_every_system_its_schedule_and_the_runs_of_every_row(compared):
    for shown in (" ".join(as_text(compared).split()), as_markdown(compared).replace("\\", "")):
        for told in compared.systems:
            built = f"models.toy.{told.short}, {told.parameters:,} parameters"
            line = f"{told.name}: {built}; trained with s_r=1 s_i=2 s_f=3000 batch=16 peak=0.001."
            assert line in shown
        for row in compared.rows:
            ids = " ".join(run[:8] for run in row.runs)
            assert f"Runs of {row.system}, {row.label}: {ids}" in shown
        assert "minus None: on the same network, schedule, seeds and utterances" in shown
        assert "corrected (Holm) for the 3 that can be judged in each part" in shown


def test_each_part_has_a_table_of_each_system(compared):
    shown = as_text(compared)
    for name in ("Toy width=8", "Toy width=16"):
        assert f"\nunseen, {name}: 168 words in 48 utterances\n" in shown
        assert f"\ndev (used for choosing, not for reporting), {name}: 336 words" in shown


def begun(root, **recipe):
    """Runs that started, froze and used labels as the recipe says."""
    study(root)
    for run in root.iterdir():
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return root


PROBE = {"init": "/far/away/runs/pretraining/seed-0-6a3e/encoder.safetensors", "freeze": "encoder"}


@pytest.mark.parametrize("form", ["text", "markdown", "tsv", "latex"])
@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        pytest.param(
            {"network": PROBE},
            "; started from seed-0-6a3e/encoder.safetensors, encoder frozen; trained with s_r=",
            id="a linear probe",
        ),
        pytest.param({"network": {"freeze": "encoder"}}, "; encoder frozen; trained with", id="its control"),
        pytest.param({"text": {"labelled": 0.125}}, "peak=0.001 on 12.5 % of the labels.", id="few labels"),
        pytest.param({}, "1,234,567 parameters; trained with", id="from scratch"),
    ],
)
def test_one_table_tells_what_a_network_started_from_what_was_frozen_and_how_much_was_labelled(
    tmp_path, form, recipe, said
):
    shown = FORMATS[form](compare([begun(tmp_path / "runs", **recipe)])).replace("\\", "")
    assert said in " ".join(shown.split())
    for word in ("started", "frozen", "labels"):
        assert (word in shown) == (word in said)
    assert "away" not in shown


def test_a_pretraining_that_each_run_makes_is_told_by_its_name_and_what_it_is():
    found = System("Net", "", "m.Net", {}, 7, {"init": "patches-0123456789ab", "freeze": "none"})
    assert found.begun == "started from patches-0123456789ab"


def test_csv_tells_the_start_and_the_labels_in_columns_of_their_own(tmp_path):
    told = begun(tmp_path / "runs", network=PROBE, text={"labelled": 0.1})
    lines = list(csv.DictReader(io.StringIO(FORMATS["csv"](compare([told])))))
    assert {line["begun"] for line in lines} == {
        "started from seed-0-6a3e/encoder.safetensors, encoder frozen"
    }
    assert {line["labelled"] for line in lines} == {"0.1"}


def test_two_starts_are_named_by_the_ends_of_their_paths_unless_these_are_the_same(tmp_path):
    for name, other in (("b", "/far/away/runs/c/encoder.pt"), ("c", "/near/b/encoder.pt")):
        root = tmp_path / name
        begun(root / "0", network={"init": "/far/away/runs/b/encoder.pt"})
        begun(root / "1", network={"init": other})
    told = [{system.name for system in compare([tmp_path / name]).systems} for name in "bc"]
    assert told[0] == {f"Toy, init={name}/encoder.pt" for name in "bc"}
    assert told[1] == {f"Toy, init={path}/b/encoder.pt" for path in ("/far/away/runs", "/near")}


def started(root, digests, **network):
    """Runs of a recipe that says so, whose results tell these starts; the last run that of the last one."""
    begun(root, network=network)
    *_, last = runs = sorted(root.glob("*/result.json"))
    for run in runs:
        change(run, ("network", "init_sha256"), digests[run == last])
    return last.parent


def test_runs_of_one_file_to_start_from_say_that_it_was_the_same(tmp_path):
    last = started(tmp_path / "runs", ["a1", "b2"], **PROBE)
    with pytest.raises(UserError) as caught:
        compare([tmp_path / "runs"])
    first = min(tmp_path.glob("runs/*"))
    what = "SHA-256 of network.init seed-0-6a3e/encoder.safetensors is 'b2'; expected 'a1'"
    assert str(caught.value) == f"{last}: {what} as in {first}"
    started(tmp_path / "runs-again", ["a1", "a1"], **PROBE)
    compare([tmp_path / "runs-again"])


def test_runs_that_make_their_own_start_have_one_each(tmp_path):
    root = tmp_path / "runs"
    started(root, ["a1", "b2"])
    for run in root.glob("*/result.json"):
        change(run, ("network", "pretraining"), {"name": "p", "run": run.parent.name})
    compare([root])
