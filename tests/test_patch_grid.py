from math import ceil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.patch_grid import PatchGrid, patchify, unpatchify

FRAMES = PatchGrid(t=2, f=128)
sizes = st.integers(1, 5)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@st.composite
def grids(draw: st.DrawFn) -> PatchGrid:
    t, f = draw(sizes), draw(sizes)
    return PatchGrid(
        t=t, f=f, stride_t=draw(st.integers(1, t) | st.none()), stride_f=draw(st.integers(1, f) | st.none())
    )


def channels(grid: PatchGrid, columns: int, left_over: int) -> int:
    """Mel channels for so many columns, and some that strides leave over where patches overlap."""
    return grid.f + (columns - 1) * grid.across + (left_over % grid.across) * (grid.across < grid.f)


def cells_by_hand(features: torch.Tensor, grid: PatchGrid, row: int, column: int) -> list[float]:
    """Cell by cell, 0 beyond the last frame."""
    time = features.shape[0]
    return [
        features[frame, column * grid.across + channel].item() if frame < time else 0.0
        for frame in range(row * grid.down, row * grid.down + grid.t)
        for channel in range(grid.f)
    ]


def rows_by_hand(grid: PatchGrid, frames: int) -> int:
    """Patches are laid down until the last frame is reached."""
    rows, reached = 0, 0
    while reached < frames:
        reached = rows * grid.down + grid.t
        rows += 1
    return rows


@given(grid=grids(), time=st.integers(0, 17), columns=st.integers(1, 4), left_over=st.integers(0, 4))
def test_a_patch_holds_its_cells_frame_by_frame(grid, time, columns, left_over):
    features = noise(2, time, channels(grid, columns, left_over))
    patches = patchify(features, grid)
    assert patches.shape == (2, rows_by_hand(grid, time), columns, grid.t * grid.f)
    for row in range(patches.shape[1]):
        for column in range(columns):
            for utterance in range(2):
                by_hand = cells_by_hand(features[utterance], grid, row, column)
                assert patches[utterance, row, column].tolist() == by_hand


@given(grid=grids(), time=st.integers(0, 17), columns=st.integers(1, 4), left_over=st.integers(0, 4))
def test_unpatchify_undoes_patchify(grid, time, columns, left_over):
    mel = channels(grid, columns, left_over)
    features = noise(2, time, mel)
    reached = grid.f + (columns - 1) * grid.across
    back = unpatchify(patchify(features, grid), grid, time, mel)
    assert (back - features)[:, :, :reached].abs().sum() <= 1e-5
    assert not back[:, :, reached:].any()
    assert grid.overlaps or torch.equal(back, features)


def test_a_cell_of_two_patches_is_the_mean_of_both():
    grid = PatchGrid(t=2, f=1, stride_t=1)
    patches = torch.tensor([[1.0, 2.0], [4.0, 8.0]])[None, :, None]
    assert unpatchify(patches, grid, 3, 1).flatten().tolist() == [1.0, 3.0, 8.0]


@given(grid=grids(), lengths=st.lists(st.integers(0, 17), min_size=1, max_size=4))
def test_what_an_utterance_holds_is_the_same_alone_and_beside_longer_ones(grid, lengths):
    time, mel = 17, channels(grid, 2, 0)
    held = grid.held(torch.tensor(lengths), time, mel)
    inside = grid.inside(torch.tensor(lengths), time, mel)
    assert held.shape == inside.shape == patchify(noise(len(lengths), time, mel), grid).shape[:3]
    for number, length in enumerate(lengths):
        rows = rows_by_hand(grid, length)
        assert held[number].all(dim=1).tolist() == [row < rows for row in range(held.shape[1])]
        ends = [row * grid.down + grid.t for row in range(held.shape[1])]
        assert inside[number].all(dim=1).tolist() == [end <= length for end in ends]
        assert grid.rows(length) == rows
        assert grid.whole(length) == int(inside[number, :, 0].sum())
        assert (inside[number] <= held[number]).all()


def test_the_grids_of_the_papers():
    patches, overlapping = PatchGrid(), PatchGrid(stride_t=10, stride_f=10)
    assert (patches.rows(1024), patches.columns(128)) == (64, 8)  # 512 patches (Gong et al. 2022)
    assert (FRAMES.rows(1024), FRAMES.columns(128)) == (512, 1)
    assert (overlapping.whole(1024), overlapping.columns(128)) == (
        101,
        12,
    )  # 1,212 patches (AST, Gong et al. 2021)
    assert overlapping.rows(1024) == 1 + ceil((1024 - 16) / 10)
    assert (patches.overlaps, overlapping.overlaps) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"t": 0}, "a patch is t=0 frames by f=16 channels; expected at least 1 by 1", id="no frames"
        ),
        pytest.param({"f": -1}, "a patch is t=16 frames by f=-1 channels", id="fewer than no channels"),
        pytest.param(
            {"stride_t": 17}, "stride_t is 17; expected 1 to 16, so that patches leave no gaps", id="gap"
        ),
        pytest.param({"f": 8, "stride_f": 9}, "stride_f is 9; expected 1 to 8", id="gap in frequency"),
        pytest.param({"stride_t": 0}, "stride_t is 0; expected 1 to 16", id="no stride"),
        pytest.param({"stride_f": 0}, "stride_f is 0; expected 1 to 16", id="no stride in frequency"),
    ],
)
def test_a_wrong_grid_is_refused_by_name_and_value(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatchGrid(**arguments)


@pytest.mark.parametrize(("grid", "mel"), [(PatchGrid(), 80 + 8), (PatchGrid(stride_f=10), 15), (FRAMES, 80)])
def test_channels_that_patches_do_not_fill_are_refused(grid, mel):
    message = rf"the features have {mel} mel channels; expected a multiple of the patch's {grid.f}"
    with pytest.raises(ValueError, match=message):
        patchify(noise(1, 40, mel), grid)


@pytest.mark.parametrize("shape", [(1, 2, 2, 256), (1, 3, 1, 256), (1, 3, 2, 255)])
def test_patches_of_other_features_are_refused(shape):
    with pytest.raises(ValueError, match=r"patches are . x . of 25. cells; expected 3 x 2 of 256"):
        unpatchify(noise(*shape), PatchGrid(), 33, 32)
