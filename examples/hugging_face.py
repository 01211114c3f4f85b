"""SpecAugment on Whisper in a transformers Trainer: where the loss is computed, with the utterances' own lengths.

    python examples/hugging_face.py

Five traps are marked. For wav2vec2, which hides latent frames, see `wav2vec2.py`.
"""

import tempfile
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, WhisperConfig, WhisperFeatureExtractor
from transformers import WhisperForConditionalGeneration as Whisper

from specaug import FrequencyMask, Policy, SpecAugment, TimeMask, TimeWarp, make_keys

SECONDS = (4.0, 2.5, 7.0, 3.3)  # an utterance each

# Trap 1: Whisper's features do not have mean 0, so that 0 is a sound of its own and hides nothing.
LD = Policy((TimeWarp(W=80), FrequencyMask(F=27, m_F=2, fill="mean"), TimeMask(T=100, m_T=2, fill="mean")))
augment = SpecAugment(LD)
extractor = WhisperFeatureExtractor()
seen: list[
    tuple[bool, int, str, torch.Tensor, torch.Tensor]
] = []  # trained or not, epoch, name, before, after


class AugmentingTrainer(Trainer):
    """Augments where the loss is computed; a data collator would augment the evaluation as well."""

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *rest: Any, **options: Any) -> Any:
        given = dict(inputs)
        names, epoch = given.pop("name"), int(self.state.epoch or 0)
        # Trap 2: all is padded to 30 s, and the attention mask alone knows how long an utterance is.
        lengths = given["attention_mask"].sum(dim=1)
        before = given["input_features"].transpose(1, 2)  # Trap 3: the layout is (batch, mel, time).
        after = augment.train(model.training)(before, lengths, make_keys(self.args.seed, epoch, names))
        seen.extend((model.training, epoch, *one) for one in zip(names, before, after, strict=True))
        given["input_features"] = after.transpose(1, 2)
        return super().compute_loss(model, given, *rest, **options)


def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch, with the attention mask: the extractor leaves it out unless it is asked for."""
    waves, labels, names = zip(*(row.values() for row in rows), strict=True)
    batch = extractor(list(waves), sampling_rate=16000, return_attention_mask=True, return_tensors="pt")
    return {**batch, "labels": torch.stack(labels), "name": list(names)}


torch.manual_seed(0)
rows = [
    {"wave": torch.randn(int(16000 * s)).numpy(), "labels": torch.arange(3, 9), "name": f"utterance-{i}"}
    for i, s in enumerate(SECONDS)
]
# Trap 4: with apply_spec_augment Whisper masks by itself, too, and in place.
config = WhisperConfig(
    d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
    encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=64, decoder_start_token_id=1, pad_token_id=0,
    bos_token_id=1, eos_token_id=2, apply_spec_augment=False,
)  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    # Trap 5: the Trainer drops what the model's forward does not name, and so the utterances' names.
    arguments = TrainingArguments(
        folder, num_train_epochs=2, per_device_train_batch_size=2, remove_unused_columns=False,
        use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = AugmentingTrainer(Whisper(config), arguments, collate, train_dataset=rows, eval_dataset=rows)
    trainer.train()
    trainer.evaluate()

hidden = []
for trained, epoch, name, before, after in seen:
    frames = int(100 * SECONDS[int(name[-1])])
    keys = make_keys(arguments.seed, epoch, [name])
    alone = augment.train(trained)(before[None, :frames], keys=keys)[
        0
    ]  # its masks do not depend on its batch
    assert torch.equal(after[:frames], alone)
    assert torch.equal(after[frames:], before[frames:])
    assert trained or torch.equal(after, before)
    fill = after[:frames].flatten().mode().values  # what is hidden holds one value, over and over
    hidden += [(after[:frames] == fill).float().mean().item()] * trained
assert [epoch for trained, epoch, *_ in seen if trained] == [0] * len(rows) + [1] * len(rows)
assert all(share > 0.01 for share in hidden)

print(
    f"{len(hidden)} times an utterance was warped and masked, {', '.join(f'{s:.0%}' for s in hidden)} of it;"
)
print("the padding and the evaluation stayed as they were.")
