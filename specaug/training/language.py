"""Training a language model: a plain loop, on a GPU where there is one."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from specaug.speech.batching import bucketed
from specaug.training.decoding import LanguageModel
from specaug.training.schedule import Schedule


def trained_language(
    network: nn.Module,
    sentences: Sequence[Sequence[int]],
    options: LanguageModel,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Train a network that answers `loss(targets, target_lengths)` on sentences of labels, with AdamW.

    The same bits for the same network, sentences and options, on one kind of device. The rate decays over the last
    two thirds. The network comes back on the CPU.
    """
    torch.manual_seed(options.seed)
    network.to("cuda" if torch.cuda.is_available() else "cpu").train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.peak)
    schedule = Schedule(s_r=options.steps // 20, s_i=options.steps // 3, s_f=options.steps)
    names, sizes = [str(place) for place in range(len(sentences))], [len(one) for one in sentences]
    step = epoch = 0
    while step < options.steps:
        for places in bucketed(names, sizes, options.batch, options.seed, epoch)[: options.steps - step]:
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = options.peak * schedule.factor(step)
            optimizer.zero_grad()
            loss_of(network, [sentences[place] for place in places]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            tell(step, options.steps)
        epoch += 1
    network.cpu().eval()


def loss_of(network: nn.Module, sentences: Sequence[Sequence[int]]) -> torch.Tensor:
    """The loss of some sentences, in nats per label."""
    device = next(network.parameters()).device
    rows = [torch.tensor(sentence, dtype=torch.long) for sentence in sentences]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    padded = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)
    loss: torch.Tensor = network.loss(padded, lengths)  # type: ignore[operator]
    return loss
