"""Applying: a pure function of features and draws. Nothing here is random."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from specaug.augment import plain
from specaug.augment.drawn import Drawn, moved, tensors
from specaug.augment.draws import Draws
from specaug.augment.engines import engine_for, numba_path, triton_path
from specaug.augment.lengths import require_lengths, require_tensor, require_tensors, shown
from specaug.augment.masks import Masks, Spans
from specaug.augment.warp import Warp


def apply(
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    draws: Draws,
    out: Float[Tensor, "batch time mel"] | None = None,
    engine: str | None = None,
) -> Float[Tensor, "batch time mel"]:
    """The features with what was drawn done to each utterance; a new tensor, or `out`; the padding as it was.

    `draws.shortened(lengths)` are the lengths afterwards. `engine` names the code that does it (`engines.py`);
    without it the fastest that can. Draws and lengths may lie on the host for features on a GPU.

    Shape:
        features: (batch, time, mel), log-mel energies with mean 0, so that a fill of 0 is neutral
        lengths:  (batch,), frames before the padding, 0 <= length <= time
        output:   (batch, time, mel)

    Raises TypeError where an argument is of another kind, ValueError naming the one that does not fit.
    """
    checked(features, lengths, out)
    matched(features, draws)
    lengths = lengths.long()
    if features.device.type != "cpu":
        lengths, draws = moved(lengths, features.device), draws.to(features.device)
    chosen = engine_for(features, engine)
    # A gradient would go back through every slice that is written, and take the whole batch along
    graded = features.requires_grad and torch.is_grad_enabled()
    groups = [[step] for step in draws.steps] if graded else list(grouped(draws.steps))
    result = features
    for place, group in enumerate(groups):
        if graded or not fuses(group[0]):
            result = group[0].apply(result, lengths)
        elif result is not features and only_hides(group, chosen):
            result = fused(result, lengths, group, result, chosen)
        else:
            last = all(only_hides(later, chosen) for later in groups[place + 1 :])
            result = fused(result, lengths, group, out if last else None, chosen)
        for step in group:
            lengths = step.shortened(lengths)
    if out is not None:
        # A kernel writes by address: what autograd keeps of `out` from an earlier call is no longer what it was
        torch.autograd.graph.increment_version(out)
        return result if result is out else out.copy_(result)
    return features.clone() if result is features else result


def fuses(step: Drawn) -> bool:
    """Whether a step can be part of one pass: a linear warp, or masks whose fill is one value an utterance."""
    return (isinstance(step, Warp) and step.kind == "linear") or (isinstance(step, Masks) and step.fills.flat)


def only_hides(group: Sequence[Drawn], engine: str) -> bool:
    """Whether a group can be done in place, in what another has made: masks without a warp, on the host."""
    return engine != "triton" and fuses(group[0]) and not isinstance(group[0], Warp)


def grouped(steps: Sequence[Drawn]) -> Iterator[list[Drawn]]:
    """The steps in groups that one pass does: a warp and the masks after it, if these have one fill; else alone.

    A mean is that of the features as the mask finds them, so no step that changes them goes before it in its pass.
    """
    group: list[Drawn] = []
    for step in steps:
        last = group[-1] if group else None
        alike = (
            isinstance(step, Masks)
            and step.fills.fill != "mean"
            and (isinstance(last, Warp) or (isinstance(last, Masks) and last.fills.fill == step.fills.fill))
        )
        if last is not None and not (fuses(step) and fuses(last) and alike):
            yield group
            group = []
        group.append(step)
    if group:
        yield group


def fused(
    features: Float[Tensor, "batch time mel"],
    lengths: Int[Tensor, " batch"],
    group: Sequence[Drawn],
    out: Float[Tensor, "batch time mel"] | None,
    engine: str,
) -> Float[Tensor, "batch time mel"]:
    """A warp, if there is one, and masks of one fill, in one pass of the engine; in the features, where these are `out`."""
    masks = [step for step in group if isinstance(step, Masks)]
    freq, time = (joined([m.spans for m in masks if m.axis == axis], lengths) for axis in ("freq", "time"))
    still = torch.zeros_like(lengths)
    code = {"numba": numba_path, "triton": triton_path}.get(engine, lambda: None)() or plain
    fill = masks[0].fills.values(features, lengths, code.means) if masks else still.float()
    warp = group[0] if isinstance(group[0], Warp) else Warp(still, still, lengths)
    spans = (freq.start, freq.width), (time.start, time.width)
    code = plain if out is features else code  # in place it reads nothing, and a pass would read all
    result: Tensor = code.warp_and_mask(
        features, lengths, warp.centre, warp.shift, warp.last, *spans, fill, out
    )
    return result


def joined(spans: Sequence[Spans], lengths: Int[Tensor, " batch"]) -> Spans:
    """All intervals of an axis side by side."""
    if len(spans) == 1:
        return spans[0]
    none = lengths.new_zeros(len(lengths), 0)
    starts, widths = [s.start for s in spans] or [none], [s.width for s in spans] or [none]
    return Spans(torch.cat(starts, dim=1), torch.cat(widths, dim=1))


def checked(features: Tensor, lengths: Tensor, out: Tensor | None) -> None:
    """Raise where an argument is no tensor, or does not fit; what lies on a GPU is not read for it."""
    require_tensors(features=features, out=out)
    require_tensor("lengths", lengths)
    if features.ndim != 3:
        raise ValueError(f"features are of shape {tuple(features.shape)}; expected (batch, time, mel)")
    if not features.is_floating_point():
        raise ValueError(f"features are {features.dtype}; expected a floating-point type")
    require_lengths(lengths, len(features), features.shape[1])
    require_near("lengths", lengths, features)
    if out is not None and (out.shape, out.dtype, out.device) != (
        features.shape,
        features.dtype,
        features.device,
    ):
        got = f"{tuple(out.shape)} {out.dtype} on {out.device}"
        raise ValueError(
            f"out is {got}; expected {tuple(features.shape)} {features.dtype} on {features.device}"
        )
    if out is not None and overlap(features, out):
        raise ValueError("out lies in the memory of the features; expected another tensor")
    if out is not None and folded(out):
        raise ValueError(
            f"out has strides {out.stride()}, so that its cells share memory; expected one place for each"
        )


def matched(features: Tensor, draws: Draws) -> None:
    """Raise where draws are none, of another batch, or lie where the features' device cannot read them."""
    if not isinstance(draws, Draws):
        raise TypeError(f"{shown('draws', draws)}; expected Draws, from draw(policy, lengths, mel, keys)")
    for step in draws.steps:
        for drawn in tensors(step):
            require_near("draws", drawn, features)
            if len(drawn) != len(features):
                due = f"the {len(features)} of the features"
                raise ValueError(f"draws are of {len(drawn)} utterances; expected {due}")


def require_near(name: str, given: Tensor, features: Tensor) -> None:
    """Raise ValueError where something lies neither on the host nor with the features."""
    if given.device.type != "cpu" and given.device != features.device:
        where = f"{given.device} and features on {features.device}"
        raise ValueError(f"{name} are on {where}; expected the device of the features, or the host")


def overlap(one: Tensor, other: Tensor) -> bool:
    """Whether the stretches of memory in which two tensors lie have a byte in common."""
    if not one.numel() or not other.numel() or one.device.type == "meta":
        return False
    (start, end), (first, last) = (
        (
            t.data_ptr(),
            t.data_ptr()
            + t.element_size() * sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True)),
        )
        for t in (one, other)
    )
    return start <= last and first <= end


def folded(tensor: Tensor) -> bool:
    """Whether cells of it may share memory: an axis, from the shortest stride on, that steps not beyond those before it."""
    reach = 0
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return True
        reach += stride * (size - 1)
    return False
