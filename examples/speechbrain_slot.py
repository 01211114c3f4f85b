"""SpecAugment in SpeechBrain's slot for the augmentation of features: an adapter of one line of arithmetic.

    python examples/speechbrain_slot.py

SpeechBrain's lengths are shares of the longest utterance, ours are frames. In a recipe's YAML the slot is
`fea_augment: !new:speechbrain.augment.augmenter.Augmenter`, and its `augmentations` list the adapter.
"""

import torch
from speechbrain import Brain, Stage
from speechbrain.augment.augmenter import Augmenter
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from specaug import LD, SpecAugment

FRAMES = torch.tensor([600, 550, 421, 300])  # an utterance each
EPOCHS = 2


class Relative(nn.Module):
    """SpecAugment with lengths in (0, 1]; `lengths` has to be called so, the Augmenter looks for the name."""

    def __init__(self, augment: SpecAugment) -> None:
        super().__init__()
        self.augment = augment

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        frames = (lengths * features.shape[1]).round().long()  # as SpeechBrain's own losses round
        return self.augment(features, frames)


class Recognizer(Brain):
    """The slot is used as in SpeechBrain's recipes, and what came out of it is kept.

    The stage decides: a Brain calls train() and eval() on its modules, and hparams are not among them.
    """

    def compute_forward(self, batch: list[Tensor], stage: Stage) -> Tensor:
        features, lengths, _ = batch
        if stage == Stage.TRAIN:
            features, lengths = self.hparams.fea_augment(features, lengths)
        seen[stage].append(features)
        return self.modules.network(features)

    def compute_objectives(self, predictions: Tensor, batch: list[Tensor], stage: Stage) -> Tensor:
        return nn.functional.cross_entropy(predictions.transpose(1, 2), batch[2])


torch.manual_seed(0)
seen: dict[Stage, list[Tensor]] = {Stage.TRAIN: [], Stage.VALID: []}
features = torch.randn(4, 600, 80)
batches = DataLoader(TensorDataset(features, FRAMES / 600, torch.randint(10, (4, 600))), batch_size=4)
slot = Augmenter(augmentations=[Relative(SpecAugment(LD, seed=0))])
brain = Recognizer({"network": nn.Linear(80, 10)}, torch.optim.Adam, {"fea_augment": slot}, {"device": "cpu"})
brain.fit(range(EPOCHS), batches, batches, progressbar=False)

again = SpecAugment(LD, seed=0)
for masked in seen[Stage.TRAIN]:
    assert torch.equal(masked, again(features, FRAMES))  # the shares have become the frames that they were
    assert not torch.equal(masked, features)
    for utterance, length in enumerate(FRAMES):
        assert torch.equal(masked[utterance, length:], features[utterance, length:])
assert all(torch.equal(unmasked, features) for unmasked in seen[Stage.VALID])

hidden = [(masked == 0).float().mean().item() for masked in seen[Stage.TRAIN]]
print(
    f"A Brain trained {EPOCHS} epochs with {', '.join(f'{share:.0%}' for share in hidden)} of the cells hidden,"
)
print("none of them padding, and validated on what it was given.")
