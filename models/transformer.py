"""Blocks of a transformer over tokens that may be missing, with or without a preference for near ones."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

UNSEEN = torch.finfo(torch.float16).min  # nats: nothing is left of a weight, and every precision holds it
STEEPER = 4.0  # how much less each head's attention falls than that of the head before


class Body(nn.Module):
    """Blocks of a transformer, and layer norm: a state for each token. Tokens that are not there are not attended to.

    With a `slope` above 0, attention falls with the distance between tokens (ALiBi, Press et al. 2022): in the first
    head by `slope` nats for each unit in which `places` are told, in each further head by a quarter of that.
    """

    def __init__(self, width: int, depth: int, heads: int, dropout: float = 0.0, slope: float = 0.0) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"heads is {heads}; expected 1 or more")
        if width < 1 or width % heads:
            raise ValueError(f"width is {width}; expected a multiple of heads ({heads})")
        if not 0 <= slope < float("inf"):
            raise ValueError(f"slope is {slope}; expected 0 or more nats")
        self.slopes = [slope / STEEPER**head for head in range(heads)] if slope else []
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        there: Bool[Tensor, "batch token"],
        places: Float[Tensor, "batch token"],
    ) -> Float[Tensor, "batch token width"]:
        mask = there[:, None, None, :]
        if self.slopes:
            mask = falling(places, self.slopes).masked_fill(~mask, UNSEEN)
        for block in self.blocks:
            tokens = block(tokens, mask)
        states: Tensor = self.norm(tokens)
        return states


def falling(
    places: Float[Tensor, "batch token"], slopes: list[float]
) -> Float[Tensor, "batch head token token"]:
    """What is added to the scores of attention: less, the further a token is, in each head by its slope."""
    distance = (places[:, :, None] - places[:, None, :]).abs()
    steep = torch.tensor(slopes, device=places.device)
    return -steep[:, None, None] * distance[:, None]


class Block(nn.Module):
    """x + attention, + feed-forward (Vaswani et al. 2017), layer norm before each (Dosovitskiy et al. 2021)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = widened(width, nn.GELU(), dropout)

    def forward(
        self,
        hidden: Float[Tensor, "batch token width"],
        mask: Bool[Tensor, "batch 1 1 token"] | Float[Tensor, "batch heads token token"],
    ) -> Float[Tensor, "batch token width"]:
        """`mask` is True at what may be attended to, or what is added to the scores of attention."""
        query, key, value = in_heads(self.inputs(self.norm(hidden)), self.heads)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = hidden + self.dropout(self.output(seen.transpose(1, 2).flatten(2)))
        states: Tensor = hidden + self.feed_forward(hidden)
        return states


def widened(width: int, activation: nn.Module, dropout: float) -> nn.Sequential:
    """Layer norm, four times as wide with the activation, and back."""
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        activation,
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
        nn.Dropout(dropout),
    )


def in_heads(
    projected: Float[Tensor, "batch token three_widths"], heads: int
) -> Float[Tensor, "3 batch {heads} token part"]:
    """Queries, keys and values, which lie side by side, by head."""
    batch, tokens, _ = projected.shape
    return projected.view(batch, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
