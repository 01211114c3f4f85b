from statistics import fmean, median

import pytest

from specaug.errors import UserError
from specaug.study.page.curves import DEV, TRAIN, WER, band, read_curves, trained
from specaug.study.page.figures import banded, bounds, losses, rates

HEAD = "epoch,step,learning_rate,train/loss,dev/loss,dev/wer,dev/cer"


def write(folder, *lines, head=HEAD):
    folder.mkdir(exist_ok=True)
    (folder / "curves.csv").write_text("".join(f"{line}\n" for line in (head, *lines)))
    return folder


def test_a_curve_holds_the_epochs_at_which_it_was_measured(tmp_path):
    curves = read_curves(write(tmp_path, "1,3,0.1,2.5,,,", "2,6,0.1,1.5,0.75,0.25,0.1"))
    assert curves == {TRAIN: {1: 2.5, 2: 1.5}, DEV: {2: 0.75}, WER: {2: 0.25}}


def test_a_column_that_is_not_drawn_changes_nothing(tmp_path):
    lines = "1,3,0.1,2.5,,,", "2,6,0.1,1.5,0.75,0.25,0.1"
    more = write(tmp_path / "more", *(f"{line},0.5" for line in lines), head=f"{HEAD},strength")
    assert read_curves(more) == read_curves(write(tmp_path / "less", *lines))


def test_what_is_not_finite_is_left_out(tmp_path):
    assert read_curves(write(tmp_path, "1,3,0.1,inf,nan,0.5,"))[TRAIN] == {}


def test_a_run_without_curves_has_none(tmp_path):
    assert read_curves(tmp_path) == {TRAIN: {}, DEV: {}, WER: {}}


@pytest.mark.parametrize(
    ("line", "said"), [("1,3,0.1,x,,,", "train/loss is 'x'"), ("one,3,0.1,1.0,,,", "is '1.0'")]
)
def test_a_line_that_holds_no_number_is_named(tmp_path, line, said):
    with pytest.raises(UserError, match=rf"curves\.csv:3: .*{said}.*; expected"):
        read_curves(write(tmp_path, "1,3,0.1,2.5,,,", line))


def test_a_band_is_the_median_and_the_ends_of_the_means_of_folds():
    runs = [
        (0, {1: 1.0, 2: 2.0}),
        (0, {1: 3.0, 2: 4.0}),
        (1, {1: 5.0, 2: 9.0}),
        (2, {1: 0.5, 2: 7.0, 3: 1.0}),
    ]
    found = band(runs)
    assert found.epochs == (1, 2)  # that all have
    for place, values in enumerate(([fmean([1.0, 3.0]), 5.0, 0.5], [fmean([2.0, 4.0]), 9.0, 7.0])):
        assert (found.low[place], found.middle[place], found.high[place]) == (
            min(values),
            median(values),
            max(values),
        )


def test_no_runs_give_no_band():
    assert band([]).epochs == ()


def test_a_figure_shows_the_numbers_of_the_band(tmp_path):
    for seed in range(3):
        write(
            tmp_path / str(seed),
            f"1,3,0.1,{2 + seed},{1 + seed},{0.1 * seed},",
            f"2,6,0.1,1.0,{3 + seed},0.5,",
        )
    policy = trained("LD <x>", [(seed, tmp_path / str(seed)) for seed in range(3)])
    veil, line = rates([policy]).data
    assert list(line.y) == pytest.approx([10.0, 50.0])
    assert list(veil.y) == pytest.approx(
        [20.0, 50.0, 50.0, 0.0]
    )  # up along the highest, back along the lowest
    assert line.name == "LD &lt;x&gt;"
    assert bounds([policy]) == (1.0, 5.0)
    names = [trace.name for trace in losses(policy, 1.0, 5.0).data if trace.name]
    assert names == ["train", "dev"]
    assert list(losses(policy, 1.0, 5.0).data[-1].y) == [2.0, 4.0]


def test_what_was_not_measured_is_not_drawn():
    assert banded(band([]), "x", "#000000", "solid") == []
    assert bounds([]) is None
