import os
import subprocess
import sys

import pytest
import torch
from counting import philox_by_hand
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.draws import draw
from specaug.augment.engines import engine_for
from specaug.augment.keys import make_keys
from specaug.augment.operation import BOUNDS
from specaug.augment.operations import FrequencyMask, TimeMask, TimeWarp
from specaug.augment.policy import Policy

pytest.importorskip("numba")

from specaug.augment.fused_draws import cell_words, philox_words

U32 = st.integers(0, 2**32 - 1)


@given(st.lists(st.lists(U32, min_size=5, max_size=5), max_size=3), st.lists(U32, max_size=3))
def test_words_are_those_of_philox(keys, blocks):
    got = philox_words(torch.tensor(keys).long().reshape(-1, 5), torch.tensor(blocks).long())
    assert got.shape == (len(keys), len(blocks), 4)
    assert got.tolist() == [[philox_by_hand([block, *key[2:]], key[:2]) for block in blocks] for key in keys]


@given(st.lists(st.lists(U32, min_size=6, max_size=6), max_size=3))
def test_the_words_of_a_cell_are_those_of_philox(cells):
    table = torch.tensor(cells).long().reshape(-1, 6)
    got = cell_words(table[:, :5], table[:, 5])
    assert got.shape == (len(cells), 4)
    assert got.tolist() == [philox_by_hand([block, *key[2:]], key[:2]) for *key, block in cells]


POLICIES = {
    f"{bounds}, {what}": Policy(
        (TimeWarp(W=W, bounds=bounds), FrequencyMask(F=6, m_F=2, bounds=bounds), mask)
    )
    for bounds in BOUNDS
    for what, W, mask in (
        ("fixed", 4, TimeMask(T=20, p=0.7, m_T=3, bounds=bounds)),
        ("adaptive", 30, TimeMask(p_S=0.4, p_M=0.1, m_T=4, bounds=bounds)),
        ("capped", 1, TimeMask(T=9, p=0.04, m_T=2, bounds=bounds)),
    )
}
EVERYTHING = """
import sys, torch
sys.path.insert(0, "tests")
from test_fused_draws import POLICIES, drawn
from specaug import engine_for
torch.save({name: drawn(policy) for name, policy in POLICIES.items()}, sys.argv[1])
print(engine_for(torch.zeros(1, 2, 8)))
"""


def drawn(policy: Policy) -> list[torch.Tensor]:
    """All numbers that 40 utterances of 0 to 79 frames draw."""
    keys = make_keys(11, 2, [str(place) for place in range(40)])
    warp, freq, time = draw(policy, torch.arange(0, 80, 2), 8, keys).steps
    spans = (freq.spans, time.spans)
    return [
        warp.centre,
        warp.shift,
        warp.last,
        *(part for span in spans for part in (span.start, span.width)),
    ]


def test_every_draw_is_that_of_plain_torch_to_the_bit(root, tmp_path):
    command = [sys.executable, "-c", EVERYTHING, str(tmp_path / "plain.pt")]
    environment = {**os.environ, "SPECAUG_ENGINE": "plain"}
    done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["plain"]
    assert engine_for(torch.zeros(1, 2, 8)) == "numba"
    plain = torch.load(tmp_path / "plain.pt", weights_only=True)
    for name, policy in POLICIES.items():
        assert all(map(torch.equal, drawn(policy), plain[name])), name
