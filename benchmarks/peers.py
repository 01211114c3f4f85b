"""Training speed beside what people write with SpeechBrain, and with Lightning and torchaudio.

    python benchmarks/peers.py --data DIR                      # both networks, one thread, each in a process of its own
    python benchmarks/peers.py --data DIR --rounds 9 --threads 2 --networks BiLSTMCTC

The corpus is FSDD's strings of 3-7 digits (train of fold 0), the same recordings for all. Each variant trains in a
process of its own, and they take turns: one epoch each in every round, while the others wait; the first warms up:

    bare         cached features, batches of like length, masks of LD, a loop without Lightning
    ours         the same through this harness, callbacks and all
    speechbrain  Brain and DynamicItemDataset, Fbank on the fly, two SpectrogramDrops, sorted by length
    lightning    MelSpectrogram and torchaudio's masks for each utterance, shuffled batches

All have the same convolutions, blocks and sizes. The peers' LSTM is torch's bidirectional one over padded batches, as
their users write it: its backward direction reads the padding, ours does not. Speed is seconds of speech trained on
in a second; memory the largest resident set of the process.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
VARIANTS = ("bare", "ours", "speechbrain", "lightning")
NETWORKS = ("BiLSTMCTC", "ConformerCTC")
BATCH, RATE, EPOCHS = 16, 8000, 1000  # no turn comes so late
Round = dict[str, dict[str, float]]  # of each variant, what it tells of its epoch
COLUMNS = ("network", "variant", "speech s/s", "ms/step", "x bare", "padding", "MB")


class Clock:
    """Times the epochs of a process that is given turns: told to stop at the end of each, it tells what it did in it."""

    def begin(self) -> None:
        """An epoch begins, when it is its turn."""
        if not sys.stdin.readline():
            os._exit(0)
        self.frames = self.padded = 0.0
        self.steps = 0
        self.started = time.perf_counter()

    def step(self, frames: Tensor) -> None:
        """A batch of so many frames of 10 ms was trained on."""
        self.steps += 1
        self.frames += float(frames.sum())
        self.padded += len(frames) * float(frames.max())

    def end(self) -> None:
        """It is over."""
        seconds = time.perf_counter() - self.started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"ms": 1000 * seconds / self.steps, "speed": self.frames / 100 / seconds}
        print(json.dumps({**told, "padding": 1 - self.frames / self.padded, "MB": memory}), flush=True)


def network(name: str, unpacked: bool) -> nn.Module:
    """The network with its default sizes; `unpacked` with torch's bidirectional LSTM."""
    from models.bilstm import BiLSTMCTC
    from models.conformer import ConformerCTC

    torch.manual_seed(0)
    built = {"BiLSTMCTC": BiLSTMCTC, "ConformerCTC": ConformerCTC}[name](mel=80, vocab=29)
    if unpacked and name == "BiLSTMCTC":
        built.layers = nn.ModuleList(Unpacked(layer.forwards) for layer in built.layers)
    return built


class Unpacked(nn.Module):
    """A bidirectional layer that also reads the padding."""

    def __init__(self, like: nn.LSTM) -> None:
        super().__init__()
        self.layer = nn.LSTM(like.input_size, like.hidden_size, batch_first=True, bidirectional=True)

    def forward(self, hidden: Tensor, _: Tensor) -> Tensor:
        return self.layer(hidden)[0]


def prepared(data: Path) -> Any:
    """FSDD's training strings, ready."""
    from specaug.speech.corpora.fsdd import fsdd
    from specaug.speech.corpora.options import Fsdd
    from specaug.speech.options import Features, Text
    from specaug.speech.prepare import prepare

    cache = Path(tempfile.gettempdir()) / "specaug-peers"
    corpus = fsdd(Fsdd(train=600, dev=8, test=8), data, cache)
    return prepare(corpus, Features(), Text(), lambda frames: frames // 4, cache)


def settings() -> Any:
    """How all are trained."""
    from specaug.training.options import Training

    return Training(batch=BATCH)


def masked_loop(net: nn.Module, part: Any, clock: Clock) -> None:
    """The bare loop, with masks."""
    from specaug import LD, apply, draw, make_keys
    from specaug.training.data import training_loader

    options, policy = settings(), LD.scaled(time=0.25)
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.peak, fused=True)
    loader = training_loader(part, BATCH, 0)
    for epoch in range(EPOCHS):
        loader.sampler.set_epoch(epoch)
        clock.begin()
        for batch in loader:
            draws = draw(policy, batch.lengths, 80, make_keys(0, epoch, batch.ids))
            features = apply(batch.features, batch.lengths, draws)
            loss = net.loss(features, batch.lengths, batch.targets, batch.target_lengths)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), options.clip)
            optimizer.step()
            clock.step(batch.lengths)
        clock.end()


def harness(net: nn.Module, part: Any, clock: Clock) -> None:
    """Ours, callbacks and all."""
    import lightning as L

    from specaug import LD
    from specaug.training.augment import Augment
    from specaug.training.callbacks import Curves, Report, Reseed
    from specaug.training.data import training_loader
    from specaug.training.fit import quieten
    from specaug.training.module import Recognizer

    quieten()
    augment = Augment(LD.scaled(time=0.25))
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [Reseed(0), augment, timer(clock), Curves(Path(folder), augment), Report(lambda _: None)]
        trainer = L.Trainer(**quiet(folder), callbacks=callbacks, gradient_clip_val=1.0)
        trainer.fit(Recognizer(net, settings()), training_loader(part, BATCH, 0))


def quiet(folder: str) -> dict[str, Any]:
    """A trainer that writes nothing."""
    return {
        "max_epochs": EPOCHS,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
    }


def timer(clock: Clock) -> Any:
    """The clock as a callback; batches say their lengths in frames."""
    import lightning as L

    class Timer(L.Callback):
        def on_train_epoch_start(self, *_: Any) -> None:
            clock.begin()

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, place: int) -> None:
            clock.step(batch.lengths if hasattr(batch, "lengths") else batch[1])

        def on_train_epoch_end(self, *_: Any) -> None:
            clock.end()

    return Timer()


def plain_lightning(net: nn.Module, part: Any, clock: Clock) -> None:
    """What is written with Lightning and torchaudio."""
    import lightning as L
    import torchaudio
    from torch.utils.data import DataLoader

    from specaug.speech.audio import read_audio

    mel = torchaudio.transforms.MelSpectrogram(RATE, n_fft=256, win_length=200, hop_length=80, n_mels=80)
    masks = nn.Sequential(
        *[torchaudio.transforms.FrequencyMasking(27), torchaudio.transforms.TimeMasking(25)] * 2
    )

    def item(place: int) -> tuple[Tensor, Tensor]:
        wave, _ = read_audio(part.utterances[place])
        features = torch.log(mel(torch.from_numpy(wave)) + 1e-6)
        features = (features - features.mean(1, keepdim=True)) / (features.std(1, keepdim=True) + 1e-5)
        return masks(features[None])[0].T, torch.tensor(part.labels[place])

    def together(items: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, ...]:
        pad = nn.utils.rnn.pad_sequence
        features, labels = zip(*items, strict=True)
        sizes = [torch.tensor([len(one) for one in rows]) for rows in (features, labels)]
        return pad(features, batch_first=True), sizes[0], pad(labels, batch_first=True), sizes[1]

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = net

        def training_step(self, batch: Any, place: int) -> Tensor:
            return self.network.loss(*batch)

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    class Items(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(part.ids)

        def __getitem__(self, place: int) -> Any:
            return item(place)

    loader = DataLoader(Items(), batch_size=BATCH, shuffle=True, collate_fn=together)
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(**quiet(folder), callbacks=[timer(clock)], gradient_clip_val=1.0)
        trainer.fit(Module(), loader)


def brain(net: nn.Module, part: Any, clock: Clock) -> None:
    """What is written with SpeechBrain."""
    import speechbrain as sb
    from speechbrain.augment.augmenter import Augmenter
    from speechbrain.augment.freq_domain import SpectrogramDrop
    from speechbrain.dataio.dataset import DynamicItemDataset
    from speechbrain.lobes.features import Fbank
    from speechbrain.processing.features import InputNormalization

    from specaug.speech.audio import read_audio

    places = {name: place for place, name in enumerate(part.ids)}
    rows = {u.id: {"duration": u.duration, "wav": str(u.audio)} for u in part.utterances}
    items = DynamicItemDataset(rows)
    items.add_dynamic_item(
        lambda name: torch.from_numpy(read_audio(part.utterances[places[name]])[0]),
        takes="id",
        provides="sig",
    )
    items.add_dynamic_item(
        lambda name: torch.tensor(part.labels[places[name]]), takes="id", provides="tokens"
    )
    items.set_output_keys(["id", "sig", "tokens"])
    drops = [
        SpectrogramDrop(1, 27, 2, 2, dim=2, replace="zeros"),
        SpectrogramDrop(1, 25, 2, 2, dim=1, replace="zeros"),
    ]
    hparams = {
        "fbank": Fbank(sample_rate=RATE, n_mels=80, n_fft=256),
        "normalize": InputNormalization(norm_type="sentence"),
        "augment": Augmenter(min_augmentations=2, max_augmentations=2, augmentations=drops),
    }

    class Recognizer(sb.Brain):
        def compute_forward(self, batch: Any, stage: Any) -> Any:
            waves, shares = batch.sig
            features = self.hparams.normalize(self.hparams.fbank(waves), shares)
            if stage == sb.Stage.TRAIN:
                features, shares = self.hparams.augment(features, shares)
            lengths = (shares * features.shape[1]).round().long()
            clock.step(lengths)
            return self.modules.network(features, lengths)

        def compute_objectives(self, predictions: Any, batch: Any, stage: Any) -> Tensor:
            log_probs, frames = predictions
            tokens, shares = batch.tokens
            return sb.nnet.losses.ctc_loss(
                log_probs, tokens, frames / log_probs.shape[1], shares, blank_index=0
            )

        def on_stage_start(self, stage: Any, epoch: Any = None) -> None:
            clock.begin()

        def on_stage_end(self, stage: Any, stage_loss: Any, epoch: Any = None) -> None:
            clock.end()

    loop = Recognizer(
        {"network": net}, lambda weights: torch.optim.AdamW(weights, lr=1e-3), hparams, {"device": "cpu"}
    )
    ordered = items.filtered_sorted(sort_key="duration")
    loop.fit(range(EPOCHS), ordered, train_loader_kwargs={"batch_size": BATCH}, progressbar=False)


TRAINERS: dict[str, Callable[[nn.Module, Any, Clock], None]] = {
    "bare": masked_loop,
    "ours": harness,
    "speechbrain": brain,
    "lightning": plain_lightning,
}


def train(variant: str, name: str, data: Path, threads: int) -> None:
    """One variant in this process, while it is given turns."""
    torch.set_num_threads(threads)
    part = prepared(data).parts["train"]
    TRAINERS[variant](network(name, unpacked=variant in ("speechbrain", "lightning")), part, Clock())


def main() -> None:
    """Print a table, tab-separated."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--data", type=Path, default=Path(os.environ.get("SPECAUG_DATA") or ROOT / "data"))
    options.add_argument("--networks", default=",".join(NETWORKS))
    options.add_argument("--variants", default=",".join(VARIANTS))
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument(
        "--one", action="store_true", help="train the first of both here, an epoch for each line read"
    )
    given = options.parse_args()
    networks, variants = given.networks.split(","), given.variants.split(",")
    if given.one:
        train(variants[0], networks[0], given.data, given.threads)
        return
    print("\t".join(COLUMNS), flush=True)
    for name in networks:
        rounds = in_turns(name, variants, given)
        for variant in variants:
            print("\t".join(row(name, variant, rounds)), flush=True)


def in_turns(name: str, variants: list[str], given: argparse.Namespace) -> list[Round]:
    """What each variant tells of its epoch in each round."""
    with ExitStack() as stack:
        team = {one: stack.enter_context(apart(one, name, given)) for one in variants}
        found = []
        for number in range(given.rounds + 1):
            order = variants if number % 2 == 0 else variants[::-1]
            found.append({variant: turn(team[variant]) for variant in order})
        for process in team.values():
            process.kill()
    return found[1:]


def apart(variant: str, name: str, given: argparse.Namespace) -> subprocess.Popen[str]:
    """One variant in a process of its own, which waits for its first turn."""
    words = ["--one", "--variants", variant, "--networks", name]
    words += ["--data", str(given.data), "--threads", str(given.threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, __file__, *words], text=True, **pipes)


def turn(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a variant tells of its next epoch."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    raise SystemExit(f"{process.args!r} ended with {process.wait()}; its error is above")


def row(name: str, variant: str, rounds: list[Round]) -> list[str]:
    """The medians of a variant, and of its time through the bare loop's in the same round."""
    middle = {key: statistics.median(one[variant][key] for one in rounds) for key in rounds[0][variant]}
    ratios = [one[variant]["ms"] / one["bare"]["ms"] for one in rounds if "bare" in one]
    ratio = f"{statistics.median(ratios):.2f}" if ratios else "-"
    cells = (f"{middle['speed']:.0f}", f"{middle['ms']:.1f}", ratio, f"{middle['padding']:.1%}")
    return [name, variant, *cells, f"{middle['MB']:.0f}"]


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
