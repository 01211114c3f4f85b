from dataclasses import asdict

import pytest

from specaug.augment.coverage import Coverage
from specaug.speech.corpus import TRAIN
from specaug.study.ablation import ready
from specaug.study.expected import expected, hides
from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.run import Run, check
from specaug.study.screen import Screen
from specaug.study.views.shown import Shown
from specaug.training.strength import Strength

CONSTANT, LATE = "{name: LD}", "{name: LD, strength: {start: 1000000}}"
UNTOLD = "{name: LB, operations: [SpecSub]}"  # there is no closed form


def prepared(tiny, runs, policy):
    recipe = load(tiny / "experiments" / "tiny.yaml", [f"policy={policy}"])
    run = Run("tiny", recipe.run(), Places.of(tiny, runs=runs))
    return run, check(run)


def test_a_policy_of_constant_strength_hides_what_its_coverage_says(tiny, tmp_path):
    run, data = prepared(tiny, tmp_path, CONSTANT)
    policy = run.recipe.policy.policy()
    assert expected(run.recipe, data) == policy.coverage(data.parts[TRAIN].frames, 32)
    assert expected(run.recipe, data).cells > 0


@pytest.mark.parametrize("policy", [LATE, "{name: LD, strength: {end: 5}}", UNTOLD])
def test_what_a_policy_hides_is_not_known_where_its_strength_changes_or_there_is_no_closed_form(
    tiny, tmp_path, policy
):
    run, data = prepared(tiny, tmp_path, policy)
    assert expected(run.recipe, data) is None


@pytest.mark.parametrize("policy", [CONSTANT, LATE, UNTOLD])
def test_what_every_logger_shows_says_what_is_not_known(tiny, tmp_path, policy):
    run, data = prepared(tiny, tmp_path, policy)
    config = Shown("tiny", run.recipe, run.id, tmp_path, data).config
    known = expected(run.recipe, data)
    assert config["expected_masked"] == ("not known beforehand" if known is None else asdict(known))


@pytest.mark.parametrize(
    ("policy", "end"),
    [(CONSTANT, "on average"), (LATE, "on average at full strength")],
    ids=["constant", "late"],
)
def test_an_ablation_says_what_a_policy_hides_and_at_what_strength(tiny, tmp_path, capsys, policy, end):
    run, data = prepared(tiny, tmp_path, policy)
    recipe = load(tiny / "experiments" / "tiny.yaml", [f"policies=[{policy}]", "seeds=[0]"])
    ready("tiny", recipe, Places.of(tiny, runs=tmp_path), Screen(1))
    share = run.recipe.policy.policy().coverage(data.parts[TRAIN].frames, 32)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(
        f"{run.recipe.policy.label}: {run.recipe.policy.policy()}; hides {share.cells:.1%} of"
    )
    assert line.endswith(f" {end}")


def test_a_share_is_said_in_words():
    share = Coverage(0.5, 0.25, 0.125)
    said = "; hides 50.0% of the cells (25.0% of the frames, 12.5% of the channels) on average"
    assert hides(share) == said
    assert hides(share, Strength(rise=0.1)) == f"{said} at full strength"
    assert hides(None) == "; no closed form for what it hides"
