"""SpecAugment on lhotse's batches, with keys from the cuts' ids: an utterance's masks do not depend on its batch.

    python examples/lhotse_batch.py

K2SpeechRecognitionDataset has a slot for it, `input_transforms`, but what stands there is told neither the ids nor the
epoch; and each of a loader's workers would have a copy that counts from 0, with the same masks as the other copies.
"""

from io import BytesIO
from typing import Any

import soundfile
import torch
from lhotse import CutSet, Fbank, Recording, SupervisionSegment
from lhotse.dataset import K2SpeechRecognitionDataset, OnTheFlyFeatures, SimpleCutSampler
from torch.utils.data import DataLoader

from specaug import FrequencyMask, Policy, SpecAugment, TimeMask, TimeWarp, make_keys

SECONDS = (4.0, 2.5, 7.0, 3.3, 5.1)  # an utterance each
SEED = 0

# lhotse's features do not have mean 0 unless something makes it so: hidden cells hold their utterance's mean.
LD = Policy((TimeWarp(W=80), FrequencyMask(F=27, m_F=2, fill="mean"), TimeMask(T=100, m_T=2, fill="mean")))
augment = SpecAugment(LD)


def augmented(batch: dict[str, Any], epoch: int) -> torch.Tensor:
    """The inputs of a batch (of return_cuts=True, one supervision a cut), augmented."""
    given = batch["supervisions"]
    lengths = given["start_frame"] + given["num_frames"]  # silence before the words counts, padding does not
    return augment(batch["inputs"], lengths, make_keys(SEED, epoch, [cut.id for cut in given["cut"]]))


def spoken(place: int, seconds: float) -> Any:
    """A cut of noise, kept in memory."""
    file = BytesIO()
    soundfile.write(file, 0.1 * torch.randn(int(16000 * seconds)).numpy(), 16000, format="WAV")
    name = f"utterance-{place}"
    cut = Recording.from_bytes(file.getvalue(), name).to_cut()
    cut.id, cut.supervisions = (
        name,
        [SupervisionSegment(name, name, start=0, duration=seconds, text="a word")],
    )
    return cut


def epoch_in_batches(of: int, epoch: int) -> dict[str, torch.Tensor]:
    """One epoch in batches of `of` cuts, shuffled: what each utterance looked like, without its padding."""
    sampler = SimpleCutSampler(cuts, max_cuts=of, shuffle=True, seed=of)
    sampler.set_epoch(epoch)
    seen = {}
    for batch in DataLoader(dataset, sampler=sampler, batch_size=None):
        lengths = batch["supervisions"]["num_frames"]
        masked = augmented(batch, epoch)
        for cut, before, after, n in zip(
            batch["supervisions"]["cut"], batch["inputs"], masked, lengths, strict=True
        ):
            assert torch.equal(before[n:], after[n:])
            assert not torch.equal(before[:n], after[:n])
            seen[cut.id] = after[:n]
    return seen


torch.manual_seed(0)
cuts = CutSet.from_cuts(spoken(place, seconds) for place, seconds in enumerate(SECONDS))
# Extracted one by one: in a batch of waves, the last frame of a shorter one hears the padding that follows.
strategy = OnTheFlyFeatures(Fbank(), use_batch_extract=False)
dataset = K2SpeechRecognitionDataset(return_cuts=True, input_strategy=strategy)
first, second = epoch_in_batches(of=2, epoch=0), epoch_in_batches(of=3, epoch=0)
later = epoch_in_batches(of=2, epoch=1)

assert len(first) == len(second) == len(SECONDS)
for name in first:
    assert torch.equal(first[name], second[name])
    assert not torch.equal(first[name], later[name])

print(f"{len(first)} utterances in batches of 2 and of 3: the same warp and masks whatever the batch,")
print("others in the next epoch, and the padding as it was.")
