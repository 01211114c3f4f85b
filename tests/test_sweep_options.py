import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from specaug.errors import UserError
from specaug.study.choice import SYMBOLS, PolicyChoice
from specaug.study.load import as_yaml
from specaug.study.sweep.book import load_plan, queued, validated_sweep
from specaug.study.sweep.options import Axis, Sweep, cautions
from specaug.study.sweep.space import policy_at

SWEEPS = sorted((Path(__file__).parent.parent / "sweeps").glob("*.yaml"))
OF_POLICIES = [path for path in SWEEPS if path.stem != "fsdd-hidden"]  # it searches what pretraining hides
WIDTHS = {"low": 0, "high": 8}
PAPER = [PolicyChoice(name=name) for name in ("None", "LB", "LD", "SM", "SS")]


def sweep(**changes: object) -> dict[str, object]:
    return {"experiment": "e.yaml", "space": {"W": WIDTHS}, **changes}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_sweep_is_read_and_its_printed_form_is_itself_one(path):
    sweep = load_plan(path).sweep
    assert validated_sweep(yaml.safe_load(as_yaml(sweep)), str(path)) == sweep


def test_the_sweep_in_the_readme_is_one(tmp_path, root):
    (shown,) = re.findall(r"```yaml\n(# sweeps/.*?)```", (root / "README.md").read_text(), flags=re.DOTALL)
    (tmp_path / "experiments").symlink_to(root / "experiments")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "s.yaml").write_text(shown)
    assert load_plan(tmp_path / "sweeps" / "s.yaml").trials == 44


@pytest.mark.parametrize("path", OF_POLICIES, ids=lambda path: path.stem)
def test_no_sweep_ends_below_the_papers_policies(path):
    plan = load_plan(path)
    points, left = queued(plan)
    tried = [policy_at(plan.sweep, point, (), plan.recipe.features.mel) for point in points if point]
    known = [one.policy() for one in (*tried, *map(plan.recipe.scaled, plan.sweep.confirm.policies))]
    assert all(plan.recipe.scaled(choice).policy() in known for choice in PAPER)
    assert not left


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param(sweep(space={"V": WIDTHS}), "space: unknown field 'V'; .*W", id="unknown field"),
        pytest.param(
            sweep(space={"W": {"low": 8, "high": 8}}), "low is 8 and high 8; expected low < high", id="empty"
        ),
        pytest.param(
            sweep(space={"W": {"low": 9, "high": 8}}),
            "low is 9 and high 8; expected low < high",
            id="reversed",
        ),
        pytest.param(
            sweep(space={"W": {"low": 9}}), "low is 9 and high None; expected both", id="half a range"
        ),
        pytest.param(
            sweep(space={"W": {}}), "expected low and high, or choices, or hides", id="nothing said"
        ),
        pytest.param(
            sweep(space={"W": {**WIDTHS, "choices": [1]}}),
            "expected low and high, or choices",
            id="both said",
        ),
        pytest.param(
            sweep(space={"W": {**WIDTHS, "step": 0}}), "step is 0; expected one above 0", id="no step"
        ),
        pytest.param(sweep(space={"W": {**WIDTHS, "log": True}}), "low is 0 with log", id="log from 0"),
        pytest.param(sweep(space={}), "space is empty", id="no space"),
        pytest.param(sweep(space={"T": {"hides": 0.1}}), "space is empty", id="nothing searched"),
        pytest.param(
            sweep(space={"W": WIDTHS, "T": {"hides": 1.0}}), "hides is 1.0; expected a share", id="all hidden"
        ),
        pytest.param(
            sweep(space={"W": WIDTHS, "p": {"hides": 0.1}}), r"space.p.hides: expected it for T or F", id="p"
        ),
        pytest.param(
            sweep(space={"T": {**WIDTHS, "when": "m_T > 0"}, "m_T": WIDTHS}),
            "space.T.when names 'm_T'; expected a symbol that is searched above it",
            id="condition below",
        ),
        pytest.param(
            sweep(space={"W": {**WIDTHS, "when": "m_T"}}), "when is 'm_T'; expected a comparison", id="when"
        ),
        pytest.param(sweep(space={"W": {"lo": 3}}), "unknown key .*'space.W.lo'.*low", id="unknown key"),
        pytest.param(
            sweep(part="test-clean"),
            "part is 'test-clean'; expected 'dev': .* too good there",
            id="test part",
        ),
        pytest.param(sweep(metric="wre"), "unknown metric 'wre'; did you mean 'wer'", id="metric"),
        pytest.param(sweep(sampler="tbe"), "unknown sampler 'tbe'; did you mean 'tpe'", id="sampler"),
        pytest.param(sweep(pruner="median"), "unknown pruner 'median'", id="pruner"),
        pytest.param(sweep(trials=0), "trials is 0", id="no trials"),
        pytest.param(
            sweep(seeds=[100]), "confirm.seeds hold 100, as seeds do; expected fresh", id="old seeds"
        ),
        pytest.param(sweep(confirm={"top": -1}), "top is -1", id="top"),
        pytest.param(
            sweep(confirm={"seeds": []}),
            "confirm: seeds are none and top is 3; expected at least one seed",
            id="no seed to confirm",
        ),
        pytest.param(
            sweep(space={"F": {"low": 3.5, "high": 27}}),
            r"space\.F\.low is 3\.5; expected a whole number",
            id="half a channel",
        ),
        pytest.param(
            sweep(space={"F": {**WIDTHS, "step": 0.5}}),
            r"space\.F\.step is 0\.5; expected a whole",
            id="half a step",
        ),
        pytest.param(
            sweep(space={"F": {"choices": [3, 3.5]}}),
            r"space\.F\.choices is 3\.5; expected a whole",
            id="half a choice",
        ),
        pytest.param(
            sweep(space={"W": {"low": 0, "high": float("inf")}}),
            r"space\.W: high is inf; expected a finite number",
            id="endless",
        ),
        pytest.param(
            sweep(space={"m_T": WIDTHS, "T": {**WIDTHS, "when": "m_T > ."}}),
            "space.T: when is 'm_T > .'; expected a comparison",
            id="no number",
        ),
        pytest.param(
            sweep(space={"fill": {"choices": [0.0, "mean"]}, "T": {**WIDTHS, "when": "fill > 0"}}),
            "space.T.when names 'fill', which may be 'mean'; expected a symbol whose values are numbers",
            id="words compared",
        ),
        pytest.param(
            sweep(
                space={
                    "m_T": WIDTHS,
                    "p_S": {"low": 0.1, "high": 0.2, "when": "m_T > 0"},
                    "T": {**WIDTHS, "when": "p_S > 0"},
                }
            ),
            "space.T.when names 'p_S', which may be None; expected a symbol whose values are numbers",
            id="nothing compared",
        ),
        pytest.param(
            sweep(space={"m_F": WIDTHS, "F": {"hides": 0.1}, "T": {**WIDTHS, "when": "F > 3"}}),
            "space.T.when names 'F'; expected a symbol that is searched above it: m_F",
            id="condition on what follows",
        ),
        pytest.param(sweep(sed=1), "unknown key 'sed'; did you mean 'seed'", id="typing error"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(given, complaint):
    with pytest.raises(UserError, match=rf"^s\.yaml: .*{complaint}") as raised:
        validated_sweep(given, "s.yaml")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        pytest.param(
            sweep(space={"W": {"low": -10, "high": 10}}),
            r"space\.W\.low: W \(TimeWarp\) is -10; expected a whole number, 0 or more",
            id="below 0",
        ),
        pytest.param(
            sweep(space={"p": {"low": 0.5, "high": 3.0}}),
            r"space\.p\.high: p \(TimeMask\) is 3\.0; expected a share",
            id="more than all",
        ),
        pytest.param(
            sweep(space={"F": {"choices": ["abc", 3]}}),
            r"space\.F\.choices is 'abc'; expected a whole number",
            id="a word",
        ),
        pytest.param(
            sweep(space={"warp": {"low": 0, "high": 1}}),
            r"space\.warp\.low is 0; expected a word",
            id="a number for a word",
        ),
        pytest.param(
            sweep(space={"warp": {"choices": ["linear", "spares"]}}),
            r"space\.warp\.choices: warp \(TimeWarp\) is 'spares'; expected one of linear, sparse",
            id="an unknown word",
        ),
        pytest.param(
            sweep(space={"F": {"low": 3, "high": 400}}),
            r"space\.F\.high: policy None F=400: F is 400; expected at most the 80 mel channels",
            id="wider than the features",
        ),
        pytest.param(
            sweep(policy={"F": 300}), "policy None F=300: F is 300; expected at most the 80", id="a wide base"
        ),
        pytest.param(
            sweep(space={"m_T": WIDTHS, "T": {"hides": 0.1}}),
            "space, at m_T=0: no T up to 1000 hides 10.0%; expected more masks",
            id="no masks to hide a share",
        ),
        pytest.param(
            sweep(space={"m_T": {"choices": [2, 0, 3]}, "T": {"hides": 0.1}}),
            "space, at m_T=0: no T up to",
            id="no masks among choices",
        ),
        pytest.param(
            sweep(space={"m_T": {"low": 1, "high": 70000}, "T": {"low": 1, "high": 9}}),
            "space, at m_T=70000 T=9: TimeMask draws 70000 times; expected at most",
            id="more masks than there can be",
        ),
        pytest.param(
            sweep(sampler="gp", space={"m_T": WIDTHS, "T": {**WIDTHS, "when": "m_T > 0"}}),
            "sampler is 'gp' and space.T has a when: .* all trials share; expected auto or tpe",
            id="a Gaussian process of what is not always there",
        ),
        pytest.param(sweep(seeds=[0, 0]), "seeds hold 0 twice; expected each once", id="a seed twice"),
        pytest.param(sweep(seeds=[-1]), r"seeds are \(0, -1\); expected .* 0 or more", id="a seed below 0"),
        pytest.param(
            sweep(confirm={"seeds": [100, 100]}), "confirm: seeds hold 100 twice", id="a fresh seed twice"
        ),
        pytest.param(
            sweep(confirm={"policies": ["LD", "LD"]}), "confirm: policies hold LD twice", id="a policy twice"
        ),
        pytest.param(
            sweep(confirm={"policies": [{"name": "LD", "F": 300}]}),
            "confirm: policy LD F=300: F is 300; expected at most the 80 mel channels",
            id="too wide to confirm",
        ),
    ],
)
def test_what_a_trial_or_a_confirm_run_would_be_refused_for_is_refused_at_once(tmp_path, given, complaint):
    (tmp_path / "e.yaml").write_text("{}")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
    with pytest.raises(UserError, match=rf"^{tmp_path}/s\.yaml: {complaint}") as raised:
        load_plan(tmp_path / "s.yaml")
    assert "\n" not in str(raised.value)


def test_what_is_not_confirmed_need_not_be_right(tmp_path):
    (tmp_path / "e.yaml").write_text("{}")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(sweep(confirm={"top": 0, "seeds": [-1]})))
    assert load_plan(tmp_path / "s.yaml").sweep.confirm.top == 0


@pytest.mark.parametrize("symbol", [symbol for symbol in SYMBOLS if symbol not in ("warp", "bounds")])
def test_whether_a_range_is_whole_is_the_symbols_affair_however_its_ends_are_written(symbol):
    counts = symbol in ("W", "F", "m_F", "T", "m_T")
    written = [Axis(low=0, high=1), Axis(low=0.0, high=1.0), Axis(low=0, high=1.0)]
    read = [Sweep(experiment="e", space={symbol: axis}).space[symbol] for axis in written]
    assert [axis.whole for axis in read] == [counts] * 3
    assert read[0].holds(0.5) != counts
    chosen = Sweep(experiment="e", space={symbol: Axis(choices=(0, 1.0))}).space[symbol].choices
    assert [type(choice) for choice in chosen] == [int if counts else float] * 2


def test_a_gaussian_process_may_have_a_width_that_follows_under_a_condition(tmp_path):
    space = {"m_T": {"low": 0, "high": 3}, "T": {"hides": 0.1, "when": "m_T > 0"}}
    (tmp_path / "e.yaml").write_text("{}")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(sweep(space=space, sampler="gp"), sort_keys=False))
    assert load_plan(tmp_path / "s.yaml").sweep.sampler == "gp"


def test_who_asks_for_a_pruner_is_told_what_it_risks():
    plain = Sweep(experiment="e", space={"W": Axis(low=0, high=8)})
    assert not cautions(plain)
    assert not cautions(None)
    (line,) = cautions(replace(plain, pruner="hyperband"))
    assert line.startswith("warning: pruner hyperband ends trials that start badly")
    assert "pruner: none is safe" in line


@pytest.mark.parametrize(
    ("axis", "inside", "outside"),
    [
        (Axis(low=0, high=8), [0, 3, 8], [-1, 9, 2.5, "a", None]),
        (Axis(low=3, high=27, step=3), [3, 27], [4, 28]),
        (Axis(low=0.5, high=1), [0.5, 0.75, 1], [0.4]),
        (Axis(choices=(0.1, 1.0)), [0.1, 1.0], [0.5]),
    ],
)
def test_an_axis_knows_what_the_search_can_come_upon(axis, inside, outside):
    assert all(map(axis.holds, inside))
    assert not any(map(axis.holds, outside))


@given(low=st.integers(-50, 50), step=st.integers(1, 30), steps=st.integers(1, 40), rest=st.integers(0, 29))
def test_the_values_of_a_range_of_decimals_are_those_that_optuna_knows_both_ends_among_them(
    low, step, steps, rest
):
    high = low + step * steps + rest % step
    axis = Axis(low=low / 100, high=high / 100, step=step / 100)
    values = [axis.at(place) for place in range(axis.steps + 1)]
    assert values == [(low + step * place) / 100 for place in range(steps + 1)]
    known = FloatDistribution(axis.low, values[-1], step=axis.step)
    assert all(axis.holds(value) and known._contains(value) for value in values)


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("m_T > 0", [1, 2]),
        ("m_T >= 1", [1, 2]),
        ("m_T==2", [2]),
        ("m_T != 1", [0, 2]),
        ("m_T < 1", [0]),
        ("m_T <= 1", [0, 1]),
    ],
)
def test_a_condition_compares(when, holds):
    axis = Axis(low=0, high=1, when=when)
    assert [count for count in range(3) if axis.applies({"m_T": count})] == holds
