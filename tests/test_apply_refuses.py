"""What `apply` and the transform refuse, in a process where annotations are not checked before the values are."""

import json
import subprocess
import sys

import pytest
import torch

from specaug.augment.apply import folded, overlap

PROGRAM = """
import json, torch
from specaug import LD, Policy, SpecAugment, TimeMask, apply, draw, make_keys
x, n = torch.ones(2, 9, 80), torch.tensor([9, 5])
wrong = {
    "axes": (torch.ones(9, 80), n, None),
    "no axes": (torch.tensor(1.0), None, None),
    "whole features": (torch.ones(2, 9, 80, dtype=torch.int32), n, None),
    "too long": (x, torch.tensor([10, 5]), None),
    "negative": (x, torch.tensor([-1, 5]), None),
    "fractions": (x, torch.tensor([9.0, 5.0]), None),
    "truth values": (x, torch.tensor([True, False]), None),
    "count": (x, torch.tensor([9]), None),
    "shape": (x, torch.tensor([[9], [5]]), None),
    "device": (x, n.to("meta"), None),
    "narrow": (x[:, :, :20], n, None),
    "out of another shape": (x, n, torch.ones(2, 9, 81)),
    "out of another type": (x, n, torch.ones(2, 9, 80, dtype=torch.float64)),
    "out on another device": (x, n, torch.ones(2, 9, 80, device="meta")),
    "out that is the features": (x, n, x),
    "out in the features": (x[:, :8], torch.tensor([8, 5]), x[:, 1:]),
    "out of one utterance": (x, n, torch.ones(1, 9, 80).expand(2, 9, 80)),
    "out of frames that overlap": (x, n, torch.ones(2000).as_strided((2, 9, 80), (1000, 79, 1))),
}
said = {}
for name, (features, lengths, out) in wrong.items():
    try:
        SpecAugment(LD)(features, lengths, out=out)
    except ValueError as error:
        said[name] = str(error)
three = draw(Policy((TimeMask(),)), torch.tensor([9, 5, 5]), 80, make_keys(0, 0, "abc"))
drawn = {
    "draws on another device": draw(LD, n, 80, make_keys(0, 0, "ab")).to(torch.device("meta")),
    "draws of another batch": three,
}
for name, draws in drawn.items():
    for engine in ("plain", None):
        try:
            apply(x, n, draws, engine=engine)
        except ValueError as error:
            said[f"{name}, {engine}"] = str(error)
kinds = {
    "a list of lengths": (x, [9, 5], three),
    "no lengths": (x, None, three),
    "a policy for draws": (x, n, LD),
}
for name, given in kinds.items():
    try:
        apply(*given)
    except TypeError as error:
        said[name] = str(error)
print(json.dumps(said))
"""
WHOLE = "expected whole numbers of shape (2,), one per utterance"
MESSAGES = {
    "axes": "features are of shape (9, 80); expected (batch, time, mel)",
    "no axes": "features are of shape (); expected (batch, time, mel)",
    "whole features": "features are torch.int32; expected a floating-point type",
    "too long": "lengths are [10, 5]; expected 0 to the 9 frames of the features",
    "negative": "lengths are [-1, 5]; expected 0 to the 9 frames of the features",
    "fractions": f"lengths are torch.float32 of shape (2,); {WHOLE}",
    "truth values": f"lengths are torch.bool of shape (2,); {WHOLE}",
    "count": f"lengths are torch.int64 of shape (1,); {WHOLE}",
    "shape": f"lengths are torch.int64 of shape (2, 1); {WHOLE}",
    "device": "lengths are on meta and features on cpu; expected the device of the features, or the host",
    "narrow": "FrequencyMask ({'F': 27, 'm_F': 2, 'fill': 0.0, 'bounds': 'closed'}) needs 27 mel channels; "
    "the features have 20",
    "out of another shape": "out is (2, 9, 81) torch.float32 on cpu; expected (2, 9, 80) torch.float32 on cpu",
    "out of another type": "out is (2, 9, 80) torch.float64 on cpu; expected (2, 9, 80) torch.float32 on cpu",
    "out on another device": "out is (2, 9, 80) torch.float32 on meta; expected (2, 9, 80) torch.float32 on cpu",
    "out that is the features": "out lies in the memory of the features; expected another tensor",
    "out in the features": "out lies in the memory of the features; expected another tensor",
    "out of one utterance": "out has strides (0, 80, 1), so that its cells share memory; expected one place for each",
    "out of frames that overlap": "out has strides (1000, 79, 1), so that its cells share memory; expected one place for each",
    "a list of lengths": "lengths: [9, 5] is a list; expected a torch.Tensor (see torch.as_tensor)",
    "no lengths": "lengths: None is a NoneType; expected a torch.Tensor (see torch.as_tensor)",
    "a policy for draws": "draws: Policy(W=80 F=27 m_F=2 T=100 p=1.0 m_T=2 is a Policy; expected Draws, from draw(policy, lengths, mel, keys)",
    **{
        f"draws on another device, {engine}": "draws are on meta and features on cpu; "
        "expected the device of the features, or the host"
        for engine in ("plain", None)
    },
    **{
        f"draws of another batch, {engine}": "draws are of 3 utterances; expected the 2 of the features"
        for engine in ("plain", None)
    },
}


@pytest.fixture(scope="module")
def said(root) -> dict[str, str]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, check=True, capture_output=True, text=True
    )
    return json.loads(run.stdout)


@pytest.mark.parametrize("mistake", MESSAGES)
def test_what_does_not_fit_is_refused_by_name_and_value(said, mistake):
    assert said.get(mistake) == MESSAGES[mistake]


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        pytest.param(slice(0, 4), slice(4, 8), False, id="side by side"),
        pytest.param(slice(0, 5), slice(4, 8), True, id="one in common"),
        pytest.param(slice(4, 8), slice(0, 5), True, id="the other way round"),
        pytest.param(slice(0, 8, 7), slice(3, 4), True, id="one inside the other"),
        pytest.param(slice(0, 0), slice(0, 8), False, id="none"),
    ],
)
def test_tensors_overlap_where_their_stretches_of_memory_do(one, other, shared):
    memory = torch.zeros(8)
    assert overlap(memory[one], memory[other]) is shared


def test_tensors_of_other_memory_do_not_overlap():
    assert not overlap(torch.zeros(2, 3).T, torch.zeros(3, 2))


@pytest.mark.parametrize(
    ("shape", "strides", "shared"),
    [
        pytest.param((2, 9, 80), (720, 80, 1), False, id="in order"),
        pytest.param((2, 9, 80), (1, 160, 2), False, id="in another order"),
        pytest.param((2, 9, 80), (5000, 100, 1), False, id="with room between"),
        pytest.param((1, 9, 80), (0, 80, 1), False, id="an axis of one"),
        pytest.param((2, 0, 80), (80, 80, 1), False, id="none"),
        pytest.param((2, 9, 80), (719, 80, 1), True, id="the last with the first of the next"),
        pytest.param((2, 9, 80), (0, 80, 1), True, id="one for all"),
    ],
)
def test_a_tensor_is_folded_where_two_cells_may_share_memory(shape, strides, shared):
    assert folded(torch.zeros(6000).as_strided(shape, strides)) is shared
