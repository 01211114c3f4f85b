"""SpecAugment in place of wav2vec2's own masking, in a transformers Trainer: on the latent frames.

    python examples/wav2vec2.py

wav2vec2 hides latent frames by spans of a fixed width, behind a vector that it learns (transformers does that in
`_mask_hidden_states`, from numpy's global generator). Here that is switched off, and a hook on the feature
projection hides frames and features by the paper's masks, which depend on the utterance and the epoch alone.

A hidden cell holds 0, as hidden features do in transformers too. In this network, which starts from nothing, the
vector (`model.wav2vec2.masked_spec_embed`) is noise as yet; a pretrained encoder knows it as a sign that something is
hidden, and who fine-tunes one may write it into the frames that `draw` says are hidden.
"""

import tempfile
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments, Wav2Vec2Config, Wav2Vec2ForCTC

from specaug import FrequencyMask, Policy, SpecAugment, TimeMask, make_keys

SECONDS = (1.9, 1.2, 0.7)  # an utterance each; a latent frame is 20 ms

# Latent features have no order: F=8 of 32 are neighbours by chance.
augment = SpecAugment(Policy((FrequencyMask(F=8), TimeMask(p_S=0.1, m_T=4))))
told: list[tuple[bool, Tensor, Tensor]] = []  # trained or not, frames, keys
before: list[Tensor] = []
read: list[Tensor] = []  # by the encoder


class MaskingTrainer(Trainer):
    """Masks where the loss is computed, which knows the utterances and how long they are."""

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *rest: Any, **options: Any) -> Any:
        given = dict(inputs)
        keys = make_keys(self.args.seed, int(self.state.epoch or 0), given.pop("name"))
        frames = model._get_feat_extract_output_lengths(given["attention_mask"].sum(dim=1))
        told.append((model.training, frames, keys))

        def hide(module: torch.nn.Module, _: Any, output: Any) -> Any:
            """The projected frames, masked while the model trains; what quantisation would read stays as it is."""
            hidden, extracted = output
            return augment.train(module.training)(hidden, frames, keys), extracted

        hook = model.wav2vec2.feature_projection.register_forward_hook(hide)
        try:
            return super().compute_loss(model, given, *rest, **options)
        finally:
            hook.remove()


def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of waves, with the attention mask that knows how long each is."""
    waves, labels, names = zip(*(row.values() for row in rows), strict=True)
    padded = torch.nn.utils.rnn.pad_sequence(waves, batch_first=True)
    there = torch.arange(padded.shape[1]) < torch.tensor([len(wave) for wave in waves])[:, None]
    batch = {"input_values": padded, "attention_mask": there.long(), "labels": torch.stack(labels)}
    return {**batch, "name": list(names)}


torch.manual_seed(0)
rows = [
    {"wave": torch.randn(int(16000 * s)), "labels": torch.arange(1, 6), "name": f"utterance-{i}"}
    for i, s in enumerate(SECONDS)
]
config = Wav2Vec2Config(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=12,
    conv_dim=(16,) * 7, num_feat_extract_group_norm_groups=16, feat_extract_norm="layer", do_stable_layer_norm=True,
    num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, apply_spec_augment=False, feat_proj_dropout=0.0,
)  # fmt: skip
model = Wav2Vec2ForCTC(config)
# Copies, since the encoder zeroes the padding in place.
model.wav2vec2.feature_projection.register_forward_hook(lambda *given: before.append(given[2][0].clone()))
model.wav2vec2.encoder.register_forward_pre_hook(lambda _, given: read.append(given[0].clone()))
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, num_train_epochs=2, per_device_train_batch_size=3, remove_unused_columns=False,
        use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = MaskingTrainer(model, arguments, collate, train_dataset=rows, eval_dataset=rows)
    trainer.train()
    trainer.evaluate()

assert [trained for trained, *_ in told] == [True, True, False]  # a step in each of two epochs
hidden = []
for (trained, frames, keys), clean, masked in zip(told, before, read, strict=True):
    for utterance, n in enumerate(frames):
        one = slice(utterance, utterance + 1)
        alone = augment.train(trained)(clean[one, :n], keys=keys[one])
        assert torch.equal(masked[utterance, :n], alone[0])  # and nothing else is hidden
        assert torch.equal(masked[utterance, n:], clean[utterance, n:])
        hidden += [(alone == 0).float().mean().item()] * trained
    assert trained or torch.equal(masked, clean)
assert all(share > 0 for share in hidden)
first, second = (set(map(tuple, keys.tolist())) for _, _, keys in told[:2])
assert first.isdisjoint(second)  # another epoch, other masks

print(
    f"In two steps {', '.join(f'{share:.0%}' for share in hidden)} of the utterances' latent cells were hidden;"
)
print("the padding and the evaluation stayed as they were.")
