"""What every operation must do, and every one that is added to OPERATIONS: none is named here but where it differs."""

from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
import torch

from specaug.augment.draws import block_numbers, draw
from specaug.augment.keys import CELLS, PATCHES, make_keys
from specaug.augment.operation import BOUNDS, FILLS, MOST, Operation
from specaug.augment.operations import OPERATIONS, SpecSwap, SpliceOut
from specaug.augment.policy import Policy
from specaug.augment.transform import SpecAugment

NAN = float("nan")
LENGTHS = torch.tensor([64, 41, 0, 1, 2, 3])
TIME, MEL = 64, 64
NAMES = ["a", "b", "c", "d", "e", "f"]
FRAMES = {"W", "T", "t_max"}  # symbols that count frames; a patch keeps its shape


def others(operation: Operation, symbol: str, *values: Any) -> Iterator[Operation]:
    """The operation with each value that the symbol takes and does not have."""
    for value in values:
        if value != getattr(operation, symbol):
            try:
                yield replace(operation, **{symbol: value})
            except (TypeError, ValueError):  # the former where the tests check types
                continue


def lively(kind: type[Operation]) -> Operation:
    """One that changes something: the usual, and 5 where a usual count or width is 0."""
    operation = kind()
    for field in fields(operation):
        if field.type is int and field.default == 0:
            operation = replace(operation, **{field.name: 5})
    return operation


def named(operation: Operation) -> Any:
    usual = lively(type(operation)).symbols().items()
    changed = [
        f"{symbol}={getattr(operation, symbol)}"
        for symbol, value in usual
        if operation.symbols()[symbol] != value
    ]
    return pytest.param(operation, id=" ".join([type(operation).__name__, *changed]))


USUAL = [lively(kind) for kind in OPERATIONS.values()]
VARIANTS = [  # each kind as it is, and with each word that one of its symbols takes
    *USUAL,
    *(
        other
        for operation in USUAL
        for symbol in operation.symbols()
        for other in others(operation, symbol, *FILLS, *BOUNDS, *operation.kinds)
    ),
]
SYMBOLS = [(operation, symbol) for operation in USUAL for symbol in operation.symbols()]
each = pytest.mark.parametrize("operation", [named(operation) for operation in VARIANTS])
each_kind = pytest.mark.parametrize("operation", [named(operation) for operation in USUAL])
each_symbol = pytest.mark.parametrize(
    ("operation", "symbol"),
    [pytest.param(o, symbol, id=f"{type(o).__name__}.{symbol}") for o, symbol in SYMBOLS],
)


def noise(
    batch: int = 6, time: int = TIME, mel: int = MEL, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """No zeros, the same each time."""
    return (torch.rand(batch, time, mel, generator=torch.Generator().manual_seed(0)) + 0.5).to(dtype)


def augmented(
    operation: Operation,
    features: torch.Tensor,
    lengths: torch.Tensor = LENGTHS,
    names: Any = NAMES,
    epoch: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The features and their lengths afterwards."""
    keys = make_keys(0, epoch, list(names))
    return SpecAugment(Policy((operation,))).shortening(features, lengths, keys)


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    """To the bit, and what is no number where the other has none."""
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def outside(lengths: torch.Tensor, time: int = TIME) -> torch.Tensor:
    """True in the padding."""
    return torch.arange(time) >= lengths[:, None]


def test_every_class_of_operations_can_be_listed_by_its_name():
    known = {
        kind.__name__: kind for kind in Operation.__subclasses__() if kind.__module__.startswith("specaug")
    }
    assert known == OPERATIONS


@each
def test_it_changes_an_utterance_and_never_one_without_frames(operation):
    got, left = augmented(operation, noise())
    assert not torch.equal(got[0], noise()[0])
    same(got[2], noise()[2])
    assert left[2] == 0


@each
def test_an_utterance_alone_comes_out_as_it_does_in_any_batch(operation):
    for epoch, order in enumerate([[0, 1, 2, 3, 4, 5], [5, 1, 3], [4, 0, 1, 2], [1, 1]]):
        names, lengths = [NAMES[i] for i in order], LENGTHS[order]
        got, left = augmented(operation, noise()[order], lengths, names, epoch)
        for place, (name, n) in enumerate(zip(names, lengths.tolist(), strict=True)):
            speech = noise()[order[place], None, :n]
            alone, short = augmented(operation, speech, lengths[[place]], [name], epoch)
            same(alone[0], got[place, :n])
            assert short == left[place]


@each
def test_the_padding_is_neither_touched_nor_read(operation):
    padding = outside(LENGTHS)
    spoilt = noise().masked_fill(padding[:, :, None], NAN)
    for epoch in range(4):
        one, two = (augmented(operation, features, epoch=epoch)[0] for features in (noise(), spoilt))
        assert torch.equal(one[padding], noise()[padding])
        assert two[padding].isnan().all()
        assert torch.equal(one[~padding], two[~padding])


@each
def test_frames_that_an_utterance_has_lost_are_0(operation):
    got, left = augmented(operation, noise())
    assert (left <= LENGTHS).all()
    assert not got[outside(left) & ~outside(LENGTHS)].any()


@each
def test_the_input_is_never_modified(operation):
    features, lengths, keys = noise(), LENGTHS.clone(), make_keys(0, 0, NAMES)
    got, _ = SpecAugment(Policy((operation,))).shortening(features, lengths, keys)
    got.fill_(7.0)
    same(features, noise())
    assert torch.equal(lengths, LENGTHS)
    assert torch.equal(keys, make_keys(0, 0, NAMES))


@each_kind
def test_evaluation_is_the_identity(operation):
    got, left = SpecAugment(Policy((operation,))).eval().shortening(noise(), LENGTHS)
    same(got, noise())
    assert torch.equal(left, LENGTHS)


@each_symbol
def test_a_count_or_width_of_0_draws_nothing_and_changes_nothing(operation, symbol):
    works = isinstance(operation, SpecSwap)  # whose other half works on
    for idle in others(operation, symbol, 0, 0.0):
        changed = [not torch.equal(augmented(idle, noise(), epoch=epoch)[0], noise()) for epoch in range(3)]
        assert any(changed) == (idle.draws > 0) == (not Policy((idle,)).idle) == works
        steps = draw(Policy((idle,)), LENGTHS, MEL, make_keys(0, 0, NAMES)).steps
        assert len(steps) == (idle.draws > 0)


@each_kind
def test_with_every_value_at_0_it_is_idle(operation):
    for symbol in operation.symbols():
        operation = next(others(operation, symbol, 0, 0.0), operation)
    assert operation.draws == 0


@each_symbol
def test_every_symbol_matters(operation, symbol):
    before = augmented(operation, noise())[0]
    changed = others(operation, symbol, 0.25, 1, 2, 4, *FILLS, *BOUNDS, *operation.kinds)
    assert any(not torch.equal(augmented(other, noise())[0], before) for other in changed)


@each
def test_a_value_that_is_not_a_number_reaches_the_cells_that_read_it_and_no_others(operation):
    for epoch, (frame, channel) in enumerate([(0, 0), (9, 31), (40, 63), (22, 5)]):
        larger, spoilt = noise(), noise()
        larger[:, frame, channel] += 1000
        spoilt[:, frame, channel] = NAN
        before, after, got = (augmented(operation, x, epoch=epoch)[0] for x in (noise(), larger, spoilt))
        assert not (got.isnan() & (after == before)).any()
        if getattr(operation, "fill", None) != "mean":  # which leaves out what is not a number
            assert torch.equal(got.isnan(), after != before)


@each_kind
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_features_keep_their_type_and_their_precision(operation, dtype):
    got = augmented(operation, noise(dtype=dtype))[0]
    exact = augmented(operation, noise(dtype=dtype).double())[0]
    near = torch.finfo(dtype).eps / 2 * exact.abs() + 1e-6
    assert got.dtype == dtype
    assert ((got.double() - exact).abs() <= near).all()


@each_kind
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(lambda x: x[:, ::2, ::2], id="steps"),
        pytest.param(lambda x: x[:, :TIME, :MEL].transpose(1, 2), id="transposed"),
        pytest.param(lambda x: x[:1, :TIME, :MEL].expand(6, -1, -1), id="expanded"),
    ],
)
def test_features_may_lie_in_memory_in_any_way(operation, view):
    features = view(noise(time=2 * TIME, mel=2 * MEL))
    assert not features.is_contiguous()
    one, other = (augmented(operation, x)[0] for x in (features, features.contiguous()))
    assert torch.allclose(one, other, rtol=0, atol=1e-6)  # sums of two frames may be rounded otherwise


@each
def test_the_shortest_utterances_come_out_whole(operation):
    for length, epoch in product(range(3), range(3)):
        got, left = augmented(operation, noise(1, length), torch.tensor([length]), "a", epoch)
        assert got.shape == (1, length, MEL)
        assert got.isfinite().all()
        assert 0 <= left <= length


@each_kind
@pytest.mark.parametrize(("batch", "time"), [(0, TIME), (0, 0), (2, 0)])
def test_a_batch_may_be_empty(operation, batch, time):
    got, left = augmented(operation, noise(batch, time), torch.full((batch,), time), NAMES[:batch])
    assert got.shape == (batch, time, MEL)
    assert left.shape == (batch,)


@each_kind
def test_as_many_channels_as_it_says_are_enough_and_one_less_is_too_few(operation):
    needed = operation.channels
    augmented(operation, noise(mel=needed))
    if needed > 1:
        with pytest.raises(ValueError, match=rf"{type(operation).__name__} .* needs {needed} mel channels"):
            augmented(operation, noise(mel=needed - 1))


@each
def test_the_global_random_state_is_neither_read_nor_moved(operation):
    outputs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        outputs.append(augmented(operation, noise())[0])
        assert torch.equal(torch.get_rng_state(), before)
    same(*outputs)


def test_no_two_operations_share_a_number_of_the_generator():
    blocks = block_numbers(tuple(USUAL)).tolist()
    assert len(blocks) == len(set(blocks)) == sum(operation.draws for operation in USUAL)
    assert len({kind.stream for kind in OPERATIONS.values()}) == len(OPERATIONS)
    assert all((kind.stream + 1) * MOST <= PATCHES < CELLS for kind in OPERATIONS.values())


@each_kind
def test_it_draws_the_same_whatever_else_the_policy_lists(operation):
    keys = make_keys(0, 0, NAMES)
    alone = draw(Policy((operation,)), LENGTHS, MEL, keys).steps[0].apply(noise(), LENGTHS)
    for other in USUAL:
        if type(other) is not type(operation) and not isinstance(
            other, SpliceOut
        ):  # which changes the lengths
            after = draw(Policy((other, operation)), LENGTHS, MEL, keys).steps[1]
            before = draw(Policy((operation, other)), LENGTHS, MEL, keys).steps[0]
            same(after.apply(noise(), LENGTHS), alone)
            same(before.apply(noise(), LENGTHS), alone)


@each_symbol
def test_scaling_multiplies_numbers_of_frames_and_nothing_else(operation, symbol):
    before = getattr(operation, symbol)
    for time in (0.3, 2.0):
        after = getattr(Policy((operation,)).scaled(time).operations[0], symbol)
        counted = symbol in FRAMES and before is not None
        assert after == (round(Fraction(str(time)) * before) if counted else before)
