"""SpecAugment in a plain PyTorch loop: one line in the training step, none in evaluation.

    python examples/plain_pytorch.py

The module sits in front of the network, and train() and eval() switch it as they switch dropout.
"""

import torch
from torch import nn

from specaug import LD, SpecAugment

EPOCHS = 3

torch.manual_seed(0)
network = nn.Sequential(SpecAugment(LD, seed=0), nn.Linear(80, 32), nn.ReLU(), nn.Linear(32, 10))
augment = network[0]
optimizer = torch.optim.Adam(network.parameters())
features = torch.randn(
    4, 600, 80
)  # (batch, frames, mel), log-mel energies with mean 0: masks hold 0, the mean
lengths = torch.tensor([600, 550, 420, 300])  # frames before the padding, which is never touched
labels = torch.randint(10, (4, 600))

seen = []
for _ in range(EPOCHS):
    network.train()
    masked = augment(features, lengths)
    seen.append(masked)
    loss = nn.functional.cross_entropy(network[1:](masked).transpose(1, 2), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    network.eval()
    assert torch.equal(augment(features, lengths), features)

hidden = [((masked == 0) & (features != 0)).float().mean().item() for masked in seen]
assert all(share > 0 for share in hidden)
assert not torch.equal(seen[0], seen[1])  # every call draws anew
for masked in seen:
    for utterance, length in enumerate(lengths):
        assert torch.equal(masked[utterance, length:], features[utterance, length:])

torch.manual_seed(123)  # the masks have a generator of their own, which torch's seed does not move
again = SpecAugment(LD, seed=0)
for masked in seen:
    assert torch.equal(again(features, lengths), masked)

print(f"{augment}: hid {', '.join(f'{share:.0%}' for share in hidden)} of the cells in {EPOCHS} epochs;")
print("evaluation was the identity, the padding stayed, and seed 0 gave the same masks a second time.")
