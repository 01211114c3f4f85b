"""What the pretrainings cost that the runs of a recipe begin with."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from conftest import lay_out
from hypothesis import given
from hypothesis import strategies as st
from pretexts import small
from pretrained import RECIPE, recipe_in

from benchmarks.cost import compared
from models.maskspec import MaskSpec
from models.ssast import SSAST
from specaug import cli
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding
from specaug.errors import UserError
from specaug.study.cost import costs as module
from specaug.study.cost.corpus import Lengths
from specaug.study.cost.costs import laws_of
from specaug.study.cost.counting import Counted, counted
from specaug.study.cost.laws import Law, lengths_for
from specaug.study.cost.machines import GIB, Machine, named
from specaug.study.cost.made_up import batch_of, made_up
from specaug.study.cost.memory import Need, needed_by, sketched
from specaug.study.cost.plan import Plan, planned
from specaug.study.cost.pretrained import PretrainCosts, distinct, fitting, in_proportion
from specaug.study.laboratory import on_path
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.pretraining.run import ready
from specaug.study.recipe import Recipe
from specaug.training.options import Training
from specaug.training.pretrain_module import FIXED, hidden_of, loss_under, pretext_loss
from specaug.training.schedule import Schedule

GPU = named("2xH100")
BEGUN = """extends: tiny.yaml
network:
  path: models.ast.ASTCTC
  arguments: {width: 12, depth: 2, heads: 2, frames: 64}
  pretraining: {recipe: pretraining/tiny.yaml}
"""
FOLDED = """corpus: CORPUS
network: {path: models.ast.ASTCTC, pretraining: {recipe: pretraining/tiny.yaml}}
seeds: [0, 1, 2]
policies: [None, LD]
"""
PARTS = {"train": [100, 200, 300, 400, 500], "dev": [100, 300], "test": [200]}
LAW = {
    "flops": Law(0.0, 0.0, 1e7, 100.0),
    "moved": Law(1e6, 1e3, 1e5, 0.0),
    "launches": Law(500.0, 2.0, 0.0, 0.0),
    "activations": Law(1e6, 0.0, 1e4, 1.0),
}


@pytest.fixture
def patient(monkeypatch) -> None:
    """Plans of this machine that time little."""
    monkeypatch.setattr(module, "SAMPLE", 2)


def lab_in(folder: Path, text: str = RECIPE) -> Path:
    recipe_in(lay_out(folder), text)
    (folder / "experiments" / "begun.yaml").write_text(BEGUN)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A laboratory whose recipe begins with a pretraining."""
    return lab_in(tmp_path_factory.mktemp("begun") / "laboratory")


@pytest.fixture
def own(laboratory) -> Path:
    """The same, of a test's own."""
    recipe_in(laboratory)
    (laboratory / "experiments" / "begun.yaml").write_text(BEGUN)
    return laboratory


def plan_of(lab: Path, *overrides: str, machine: Machine | None = GPU) -> Plan:
    return planned(load(lab / "experiments" / "begun.yaml", overrides), Places.of(lab), machine, patience=0.1)


def pretrained(plan: Plan) -> PretrainCosts:
    assert plan.pretrained is not None
    return plan.pretrained


def override(*said: str) -> str:
    return f"network.pretraining.overrides=[{', '.join(said)}]"


@pytest.mark.parametrize(
    ("corpus", "before", "folds", "count"),
    [
        ("{name: fsdd}", "{name: fsdd}", "[0, 1]", 6),
        ("{name: fsdd}", "{name: fsdd}", "[]", 3),
        ("{name: fsdd}", "spoken", "[0, 1]", 3),
        ("spoken", "{name: fsdd}", "[]", 3),
    ],
)
def test_there_is_one_of_each_seed_and_of_each_fold_where_both_have_some(
    laboratory, corpus, before, folds, count
):
    recipe_in(laboratory, f"corpus: {before}\n")
    path = laboratory / "experiments" / "folded.yaml"
    path.write_text(FOLDED.replace("CORPUS", corpus) + f"folds: {folds}\n")
    found = distinct(load(path), Places.of(laboratory))
    assert len(found) == len({one.folder for one in found}) == count


def by_hand(machine: Machine, pretrainings: int = 3) -> PretrainCosts:
    """Costs whose numbers can be told by hand."""
    schedule = Schedule(s_r=1, s_i=2, s_f=8)
    return PretrainCosts(
        recipe=Pretraining(training=Training(batch=5, schedule=schedule, evaluate_every=3)),
        machine=machine,
        lengths=Lengths(PARTS, 0.1),
        parameters=1_000_000,
        laws=LAW,
        name="before",
        pretrainings=pretrainings,
        needed=Need(1.0, 2.0, 3.0),
        too_short=0,
    )


def test_a_pretraining_is_its_steps_and_its_passes_over_dev_alone():
    costs = by_hand(named("2xH100"))
    heard = {part: sum(1e7 * n + 100 * n**2 for n in frames) for part, frames in PARTS.items()}
    share = heard["dev"] / heard["train"]
    assert (costs.epochs, costs.steps, costs.beside) == (8, 8, 2)
    assert costs.evaluation == pytest.approx(3 * costs.EVALUATED * share * costs.step)
    assert costs.run == 8 * costs.step + costs.evaluation
    assert costs.all_runs == 2 * costs.run
    assert costs.need.of(4) == 15
    assert costs.EVALUATED < Plan.EVALUATED


@pytest.mark.parametrize("pretrainings", [1, 2, 3])
def test_all_of_it_is_the_pretrainings_and_then_the_runs(pretrainings):
    first = by_hand(GPU, pretrainings)
    plan = Plan(Recipe(), GPU, Lengths(PARTS, 0.1), 1000, LAW)
    assert plan.everything == plan.all_runs
    assert replace(plan, pretrained=first).everything == plan.all_runs + first.all_runs


HIDINGS = st.one_of(
    st.builds(
        PatchHiding, grid=st.just(PatchGrid(t=4, f=8)), number=st.integers(1, 60), c_high=st.integers(1, 3)
    ),
    st.builds(PatchHiding, grid=st.just(PatchGrid(t=16, f=16)), share=st.floats(0.001, 0.999)),
)
FRAMES = st.lists(st.integers(0, 400), max_size=6)


def countable(hiding: PatchHiding, frames: int) -> bool:
    try:
        hiding.count(frames, 16)
    except ValueError:
        return False
    return True


@given(FRAMES, FRAMES, FRAMES, HIDINGS)
def test_utterances_that_are_too_short_for_what_is_hidden_are_left_out(train, dev, test, hiding):
    lengths = Lengths({"train": [*train, 1000], "dev": dev, "test": test}, 0.1)
    found, count = fitting(lengths, hiding, 16) if countable(hiding, 1000) else (None, 0)
    if found is None:
        return
    assert found.frames["train"] == [n for n in [*train, 1000] if countable(hiding, n)]
    assert found.frames["dev"] == [n for n in dev if countable(hiding, n)]
    assert found.frames["test"] == test
    assert count == sum(not countable(hiding, n) for n in [*train, *dev])


def test_where_none_is_left_it_is_told():
    hiding = PatchHiding(grid=PatchGrid(t=4, f=8), number=50)
    with pytest.raises(UserError, match=r"no training utterance is long enough: an utterance of 90 frames"):
        fitting(Lengths({"train": [40, 90], "dev": [900]}, 0.1), hiding, 16)


@given(HIDINGS, st.integers(128, 4000))
def test_a_network_is_shown_what_can_be_hidden_as_much_as_of_the_typical(hiding, typical):
    if not countable(hiding, typical):
        return
    shown = in_proportion(hiding, typical, 16)
    for frames in lengths_for(typical):
        assert 1 <= shown.count(frames, 16) < hiding.grid.whole(frames) * hiding.grid.columns(16)
    least = in_proportion(replace(hiding, number=None, share=1e-9), typical, 16).share
    if shown.share != least:
        assert shown.count(typical, 16) == hiding.count(typical, 16)
    assert (shown.grid, shown.c_low, shown.c_high) == (hiding.grid, hiding.c_low, hiding.c_high)


@pytest.mark.parametrize("kind", [SSAST, MaskSpec])
def test_laws_of_an_objective_hold_for_long_utterances(kind):
    network = kind(small(frames=800), **({"width": 12, "depth": 1, "heads": 3} if kind is MaskSpec else {}))
    hiding = PatchHiding(grid=PatchGrid(t=4, f=8), share=0.6)

    def count(frames: Sequence[int]) -> Counted:
        batch = batch_of(made_up(frames, 0.0, 16, 1))
        return counted(network, batch, loss=partial(loss_under, hidden_of(hiding, batch, *FIXED)))

    there, laws = count([480] * 3), laws_of(count, 640)
    for name in ("flops", "activations"):
        assert laws[name].of(3, 480) == pytest.approx(getattr(there, name), rel=0.05), name


@pytest.mark.parametrize("hidden", ["share: 0.6", "number: 5"])
def test_the_memory_is_what_a_pretraining_looks_at_before_it_begins(tmp_path, hidden):
    lab = lab_in(tmp_path / "laboratory", RECIPE.replace("share: 0.6", hidden))
    plan, places = plan_of(lab), Places.of(lab)
    (first, _) = distinct(plan.recipe, places)
    with on_path(lab):
        real = ready(first)
    need = needed_by(
        real.network, real.data.parts["train"], first.recipe.training, partial(pretext_loss, real.hiding)
    )
    found = pretrained(plan)
    assert found.need == need
    assert found.lengths.train == list(real.data.parts["train"].frames)
    assert (found.runs, found.steps, found.too_short) == (2, 12, 0)


def test_without_a_pretraining_nothing_is_said_of_one(lab, capsys):
    words = ["plan", str(lab / "experiments" / "tiny.yaml"), "--gpus", "H100"]
    assert cli.main(words) == 0
    assert "pretraining" not in capsys.readouterr().out


def test_a_file_to_start_from_is_no_pretraining(lab):
    recipe = load(lab / "experiments" / "tiny.yaml", ["network.init=encoder.safetensors"])
    assert distinct(recipe, Places.of(lab)) == []


def test_programs_read_the_pretrainings_and_the_time_of_all(lab, capsys):
    words = ["plan", str(lab / "experiments" / "begun.yaml"), "--gpus", "2xH100", "--format", "tsv"]
    assert cli.main([*words, "seeds=[0,1,2]"]) == 0
    told = [line.split("\t") for line in capsys.readouterr().out.splitlines() if line[0] != "#"]
    rows = {name: value for name, value, _ in told[1:]}
    assert len(rows) == len(told) - 1
    assert (rows["pretrainings"], rows["steps of a pretraining"], rows["runs"]) == ("3", "12", "6")
    one, every = (float(rows[f"time of {what}"]) for what in ("a pretraining", "all pretrainings"))
    assert every == pytest.approx(2 * one)
    whole = float(rows["time of all runs and pretrainings"])
    assert whole == pytest.approx(float(rows["time of all runs"]) + every)
    assert float(rows["memory of a pretraining"]) > 16 * float(rows["parameters pretrained"])


def test_remarks_of_a_pretraining_say_that_they_are(lab, capsys, monkeypatch):
    need = pretrained(plan_of(lab)).need
    tight = replace(named("H100"), memory=need.of(3) / 0.89)
    monkeypatch.setattr("specaug.study.cost.machines.named", lambda gpus: tight)
    words = ["plan", str(lab / "experiments" / "begun.yaml"), "--gpus", "H100"]
    assert cli.main([*words, override("training.batch=6", "hidden.share=null", "hidden.number=25")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "pretraining tiny: does not fit: training.batch is 6: 6 utterances at once" in told
    assert "pretraining tiny: left out, being too short for what is hidden: 3 utterances." in told
    assert told.count("assumed, not measured") == 1


@pytest.mark.usefixtures("patient")
def test_on_this_machine_a_pretraining_is_timed(own):
    found = pretrained(plan_of(own, machine=None))
    assert found.timed is not None
    assert found.step > 0
    assert found.run > found.training
    assert not (own / "runs").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("objective.path=models.none.None", "unknown objective 'models.none.None'"),
        ("hidden.share=0.001", "no training utterance is long enough"),
        ("training.batch=0", "batch"),
    ],
)
def test_what_is_wrong_with_a_pretraining_is_told(lab, said, told):
    with pytest.raises(UserError, match=told):
        plan_of(lab, override(said))


def test_an_objective_that_fails_is_named(own):
    (own / "models" / "odd.py").write_text(
        "from models.ssast import SSAST\n"
        "class Odd(SSAST):\n"
        "    def loss(self, features, lengths, hidden): raise RuntimeError('three is no shape')\n"
    )
    with pytest.raises(UserError, match="objective Odd fails on a batch: RuntimeError: three is no shape"):
        plan_of(own, override("objective.path=models.odd.Odd"))


def test_an_objective_with_no_room_here_is_told(lab, monkeypatch):
    limit = Machine("a stand-in", 1, 4.0 * GIB, shared=True)
    monkeypatch.setattr(module, "here", lambda: limit)
    with pytest.raises(
        UserError, match=r"objective models.ssast.SSAST: to count what a step takes its .* need"
    ):
        plan_of(lab, override("network.arguments.width=20000"))


def test_what_cannot_be_sketched_is_left_to_be_built():
    def fails() -> None:
        raise UserError("no such class")

    assert sketched(fails) is None


@pytest.mark.usefixtures("patient")
@pytest.mark.slow
def test_the_benchmark_compares_a_pretraining_as_well(own):
    found = compared(own / "experiments" / "begun.yaml", [], None, 0.01)
    assert [row.what for row in found][2:] == ["a step, pretraining", "a pass over dev, pretraining"]
    assert all(math.isfinite(row.ratio) and row.ratio > 0 for row in found)
    assert not (own / "runs").exists()
