import subprocess
import sys

import pytest
import torch

from specaug.augment.apply import apply
from specaug.augment.draws import Draws
from specaug.augment.engines import ENGINES, OVERRIDE, engine_for

X = torch.ones(1, 4, 3)
NONE = Draws(())


@pytest.fixture
def unsaid(monkeypatch):
    monkeypatch.delenv(OVERRIDE, raising=False)


def test_an_unknown_engine_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="engine is 'fast'; expected one of plain, numba, triton"):
        engine_for(X, "fast")
    with pytest.raises(ValueError, match="engine is 'fast'; expected one of plain, numba, triton"):
        apply(X, torch.tensor([4]), NONE, engine="fast")


def test_an_unknown_engine_of_the_environment_is_refused_as_well(monkeypatch):
    monkeypatch.setenv(OVERRIDE, "fats")
    with pytest.raises(ValueError, match="engine is 'fats'; expected one of plain, numba, triton"):
        engine_for(X)


@pytest.mark.usefixtures("unsaid")
def test_the_plain_engine_takes_everything():
    for dtype in (torch.float16, torch.float64):
        assert engine_for(X.to(dtype), "plain") == "plain"
    assert engine_for(X.clone().requires_grad_(), "plain") == "plain"


@pytest.mark.usefixtures("unsaid")
def test_features_that_need_a_gradient_go_the_plain_way():
    features = X.clone().requires_grad_()
    assert engine_for(features) == "plain"
    with pytest.raises(ValueError, match=r"for torch.float32 on cpu with gradient it is 'plain'"):
        engine_for(features, "numba")


@pytest.mark.usefixtures("unsaid")
def test_an_engine_that_is_not_able_is_refused():
    with pytest.raises(
        ValueError, match=r"engine is 'triton'; for torch.float32 on cpu without gradient it is"
    ):
        engine_for(X, "triton")


def test_the_environment_may_ask_for_plain(monkeypatch):
    monkeypatch.setenv(OVERRIDE, "plain")
    assert engine_for(X) == "plain"


@pytest.mark.parametrize(("said", "expected"), [("", "numba"), ("plain", "plain")])
def test_features_on_the_cpu_take_the_fused_pass_unless_the_environment_says_plain(root, said, expected):
    pytest.importorskip("numba")
    # In a process of its own, since the engines are looked for once in a process
    program = f"""
import os
os.environ["{OVERRIDE}"] = "{said}"
import torch
from specaug import engine_for
print(engine_for(torch.ones(1, 4, 3)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    assert run.stdout.strip() == expected
    assert expected in ENGINES
