from pathlib import Path

import pytest
import yaml

from specaug.errors import UserError
from specaug.study.load import as_yaml
from specaug.study.sweep.book import load_plan, validated_sweep
from specaug.study.sweep.options import Axis

SWEEPS = sorted((Path(__file__).parent.parent / "sweeps").glob("*.yaml"))
WIDTHS = {"low": 0, "high": 8}


def sweep(**changes: object) -> dict[str, object]:
    return {"experiment": "e.yaml", "space": {"W": WIDTHS}, **changes}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_sweep_is_read_and_its_printed_form_is_itself_one(path):
    sweep = load_plan(path).sweep
    assert validated_sweep(yaml.safe_load(as_yaml(sweep)), str(path)) == sweep


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
            "space.T.when names 'm_T'; expected a symbol above it",
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
        pytest.param(sweep(sed=1), "unknown key 'sed'; did you mean 'seed'", id="typing error"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(given, complaint):
    with pytest.raises(UserError, match=rf"^s\.yaml: .*{complaint}") as raised:
        validated_sweep(given, "s.yaml")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("axis", "inside", "outside"),
    [
        (Axis(low=0, high=8), [0, 3, 8], [-1, 9, 2.5, "a"]),
        (Axis(low=3, high=27, step=3), [3, 27], [4, 28]),
        (Axis(low=0.5, high=1), [0.5, 0.75, 1], [0.4]),
        (Axis(choices=(0.1, 1.0)), [0.1, 1.0], [0.5]),
    ],
)
def test_an_axis_knows_what_the_search_can_come_upon(axis, inside, outside):
    assert all(map(axis.holds, inside))
    assert not any(map(axis.holds, outside))


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
