"""Training a language model: a plain loop, on a GPU where there is one; and how well it foretells what is said."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
from torch import nn

from specaug.speech.batching import bucketed, by_length
from specaug.training.checkpoints import STATE, read
from specaug.training.decoding import LanguageModel
from specaug.training.schedule import Schedule

EVERY = 500  # steps from one checkpoint to the next


def trained_language(
    network: nn.Module,
    sentences: Sequence[Sequence[int]],
    options: LanguageModel,
    checkpoint: Path,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Train a network that answers `loss(targets, target_lengths)` on sentences of labels, with AdamW.

    The same bits for the same network, sentences and options, on one kind of device, however often it is killed: it
    goes on from the `checkpoint`, which it leaves there. The rate decays over the last two thirds. The network comes
    back on the CPU. Raises UserError where the checkpoint is damaged.
    """
    torch.manual_seed(options.seed)
    network.to(device()).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.peak)
    schedule = Schedule(s_r=options.steps // 20, s_i=options.steps // 3, s_f=options.steps)
    done = gone_on(checkpoint, network, optimizer)
    batches = batches_from(done, sentences, options)
    for step in range(done + 1, options.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = options.peak * schedule.factor(step)
        optimizer.zero_grad()
        loss_of(network, [sentences[place] for place in next(batches)]).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % EVERY == 0:
            keep(checkpoint, network, optimizer, step)
        tell(step, options.steps)
    network.cpu().eval()


def batches_from(
    done: int, sentences: Sequence[Sequence[int]], options: LanguageModel
) -> Iterator[list[int]]:
    """The places of the sentences of each batch, epoch after epoch without an end, where so many are done."""
    names, sizes = [str(place) for place in range(len(sentences))], [len(one) for one in sentences]
    epoch, within = divmod(done, -(-len(sentences) // options.batch))
    for later in count(epoch):
        yield from bucketed(names, sizes, options.batch, options.seed, later)[within:]
        within = 0


def keep(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Save all that the further steps depend on, renamed into place."""
    partial = path.with_suffix(".partial")
    state = {STATE: network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save({**state, "chance": [chance.get_state() for chance in chances()]}, partial)
    partial.replace(path)


def gone_on(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Take everything back, where it was saved: how many steps are done. Raises UserError where it is damaged."""
    if not path.is_file():
        return 0
    kept = read(path)
    network.load_state_dict(kept[STATE])
    optimizer.load_state_dict(kept["optimizer"])
    for chance, state in zip(chances(), kept["chance"], strict=True):
        chance.set_state(state)
    return int(kept["step"])


def chances() -> list[torch.Generator]:
    """The generators that dropout draws from."""
    there = torch.cuda.is_available()
    return [torch.default_generator, *([torch.cuda.default_generators[0]] if there else [])]


@torch.no_grad()
def perplexity_of(network: nn.Module, sentences: Sequence[Sequence[int]], together: int) -> float:
    """E to the loss in nats per label, ends of sentences counted; so many sentences are looked at together."""
    network.to(device()).eval()
    total = 0.0
    for places in by_length([len(one) for one in sentences], together):
        batch = [sentences[place] for place in places]
        total += float(loss_of(network, batch)) * labels_of(batch)
    network.cpu()
    return math.exp(total / labels_of(sentences))


def labels_of(sentences: Sequence[Sequence[int]]) -> int:
    """Labels, and an end of each sentence."""
    return sum(len(one) + 1 for one in sentences)


def device() -> str:
    """Where language models are trained."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def loss_of(network: nn.Module, sentences: Sequence[Sequence[int]]) -> torch.Tensor:
    """The loss of some sentences, in nats per label."""
    place = next(network.parameters()).device
    rows = [torch.tensor(sentence, dtype=torch.long) for sentence in sentences]
    lengths = torch.tensor([len(row) for row in rows], device=place)
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(place)
    loss: torch.Tensor = network.loss(padded, lengths)  # type: ignore[operator]
    return loss
