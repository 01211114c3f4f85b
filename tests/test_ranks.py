import subprocess
import sys

import pytest
import torch
from ranks import FRAMES, IDS, POLICY, Utterances

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_masks_depend_on_the_utterance_and_not_on_its_process_worker_or_batch(root, tmp_path, workers):
    command = [sys.executable, str(root / "tests" / "ranks.py"), str(tmp_path), str(workers)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=240)
    ranks = [torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert [len(seen) for seen in ranks] == [12, 12]  # two epochs of six utterances each
    seen = ranks[0] | ranks[1]
    assert set(seen) == {(epoch, name) for epoch in (0, 1) for name in IDS}
    whole = torch.stack([Utterances()[place]["features"] for place in range(12)])
    lengths = torch.tensor(FRAMES)
    for epoch in (0, 1):
        by_hand = apply(whole, lengths, draw(POLICY, lengths, 16, make_keys(3, epoch, IDS)))
        for place, name in enumerate(IDS):
            assert torch.equal(seen[epoch, name], by_hand[place])
    assert not torch.equal(seen[0, IDS[0]], seen[1, IDS[0]])
