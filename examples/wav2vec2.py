"""SpecAugment in place of wav2vec2's own masking: on the latent frames, with each utterance's own length.

    python examples/wav2vec2.py

wav2vec2 hides latent frames by spans of a fixed width, behind a vector that it learns (transformers does that in
`_mask_hidden_states`, from numpy's global generator). Here that is switched off, and a hook on the feature
projection hides frames and features by the paper's masks, which depend on the utterance and the epoch alone.
"""

from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from specaug import FrequencyMask, Policy, SpecAugment, TimeMask, make_keys

SECONDS = (1.9, 1.2, 0.7)  # an utterance each; a latent frame is 20 ms
WIDTH = 32
POLICY = Policy(
    (FrequencyMask(F=8), TimeMask(p_S=0.1, m_T=4))
)  # latent features have no order: 8 of 32 neighbours

torch.manual_seed(0)
config = Wav2Vec2Config(
    hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=12,
    conv_dim=(16,) * 7, num_feat_extract_group_norm_groups=16, feat_extract_norm="layer", do_stable_layer_norm=True,
    num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, apply_spec_augment=False, hidden_dropout=0.0,
    attention_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0, final_dropout=0.0,
)  # fmt: skip
model = Wav2Vec2ForCTC(config)
augment = SpecAugment(POLICY)
seen: list[tuple[torch.Tensor, torch.Tensor]] = []  # before, after


def hide(module: torch.nn.Module, _: Any, output: Any) -> Any:
    """The projected frames, masked while the model trains; what quantisation would read stays as it is."""
    hidden, extracted = output
    after = augment.train(module.training)(hidden, frames, make_keys(0, epoch, names))
    seen.append((hidden.detach().clone(), after.detach().clone()))  # the encoder zeroes the padding in place
    return after, extracted


model.wav2vec2.feature_projection.register_forward_hook(hide)

names = [f"utterance-{place}" for place in range(len(SECONDS))]
samples = torch.tensor([int(16000 * s) for s in SECONDS])
waves = torch.randn(len(SECONDS), int(samples.max()))
there = (torch.arange(waves.shape[1]) < samples[:, None]).long()
labels = torch.randint(1, 12, (len(SECONDS), 5))
frames = model._get_feat_extract_output_lengths(samples)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for epoch in range(2):  # noqa: B007 (the hook reads it)
    loss = model.train()(waves, attention_mask=there, labels=labels).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    model.eval()(waves, attention_mask=there)

(first, masked), (_, later), (clean, same) = seen
padding = torch.arange(masked.shape[1]) >= frames[:, None]
assert torch.equal(masked[padding], first[padding])
assert not torch.equal(masked == 0, later == 0)  # another epoch, other masks
assert torch.equal(clean, same)  # evaluation
shares = [(masked[i, :n] == 0).float().mean().item() for i, n in enumerate(frames.tolist())]
assert all(share > 0 for share in shares)
print(f"{', '.join(f'{share:.0%}' for share in shares)} of the latent cells hidden; evaluation untouched.")
