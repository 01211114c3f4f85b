"""SpecAugment in the `spec_augmentation` slot of NeMo's models: an adapter of two transposes.

    python examples/nemo_slot.py

The slot is called with input_spec (batch, mel, time) and length (batch,), in training mode only: here by a small CTC
model of NeMo's own, after its own features. Without NeMo `python examples/nemo_slot.py --without` checks our side
alone, the adapter, by a call that is made as we read that the model makes it.
"""

import sys

import torch
from torch import Tensor, nn

from specaug import LD, SpecAugment

SECONDS = (4.0, 2.5, 7.0, 3.3)  # an utterance each


class Slot(nn.Module):
    """SpecAugment as NeMo calls it; its features have mean 0 with `normalize: per_feature`, the value of masks."""

    def __init__(self, augment: SpecAugment) -> None:
        super().__init__()
        self.augment = augment
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []  # for this demonstration

    def forward(self, input_spec: Tensor, length: Tensor) -> Tensor:
        masked = self.augment(input_spec.transpose(1, 2), length).transpose(1, 2)
        self.seen.append((input_spec, masked, length))
        return masked


def nemo_model() -> nn.Module:
    """A CTC model of NeMo's with random weights; no `spec_augment` in its configuration, the slot is ours."""
    from nemo.collections.asr.models import EncDecCTCModel
    from omegaconf import OmegaConf

    modules = "nemo.collections.asr.modules"
    layer = {"filters": 16, "repeat": 1, "kernel": [3], "stride": [2], "dilation": [1], "dropout": 0.0}
    preprocessor = {"_target_": f"{modules}.AudioToMelSpectrogramPreprocessor", "features": 80}
    encoder = {"_target_": f"{modules}.ConvASREncoder", "feat_in": 80, "activation": "relu"}
    decoder = {"_target_": f"{modules}.ConvASRDecoder", "feat_in": 16, "num_classes": 3}
    config = {
        "preprocessor": {**preprocessor, "normalize": "per_feature"},
        "encoder": {**encoder, "jasper": [{**layer, "residual": False}]},
        "decoder": {**decoder, "vocabulary": ["a", "b", "c"]},
    }
    return EncDecCTCModel(OmegaConf.create(config))


torch.manual_seed(0)
slot = Slot(SpecAugment(LD, seed=0))
without = "--without" in sys.argv
if without:
    frames = torch.tensor([int(100 * seconds) for seconds in SECONDS])
    slot(input_spec=torch.randn(len(SECONDS), 80, int(frames.max())), length=frames)
else:
    samples = torch.tensor([int(16000 * seconds) for seconds in SECONDS])
    waves = 0.1 * torch.randn(len(SECONDS), int(samples.max()))
    model = nemo_model()
    model.spec_augmentation = slot
    for mode in (True, False):  # in evaluation the model leaves the slot out
        model.train(mode)(input_signal=waves, input_signal_length=samples)

[(given, masked, lengths)] = slot.seen
assert masked.shape == given.shape
assert not torch.equal(masked, given)
for utterance, length in enumerate(lengths):
    assert torch.equal(masked[utterance, :, length:], given[utterance, :, length:])
again = SpecAugment(LD, seed=0)(given.transpose(1, 2), lengths)
assert torch.equal(again, masked.transpose(1, 2))

hidden = ((masked == 0) & (given != 0)).sum() / (80 * lengths.sum())
caller = "Our side alone, without NeMo," if without else "NeMo's model"
print(f"{caller} had {hidden:.0%} of the utterances' cells hidden, and none of the padding.")
