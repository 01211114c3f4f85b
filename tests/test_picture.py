from itertools import pairwise

import pytest
import torch
from PIL import Image
from standins import sung

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operations import FrequencyMask, PatchMask, SpecSwap, SpliceOut, TimeMask, TimeWarp
from specaug.augment.policy import LD, NONE, Policy
from specaug.speech.audio import write_audio
from specaug.speech.features import filterbank
from specaug.speech.options import Features
from specaug.study.expected import hides
from specaug.study.picture import Spoken, panels, read, save, ticks

OPTIONS = Features(mel=40)
MIXED = Policy(
    (TimeWarp(W=9), FrequencyMask(F=9, m_F=2), TimeMask(T=9), SpecSwap(), PatchMask(share=0.3), SpliceOut())
)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Spoken:
    path = tmp_path_factory.mktemp("audio") / "song.wav"
    write_audio(path, sung("ab cab dad"), 8000)
    return read(path, OPTIONS)


def test_the_last_panel_is_what_training_sees(spoken):
    lengths = torch.tensor([len(spoken.features)])
    draws = draw(MIXED, lengths, 40, make_keys(5, 2, ["song"]))
    by_hand = apply(spoken.features[None], lengths, draws)[0, : int(draws.shortened(lengths))]
    assert torch.equal(panels(spoken, MIXED, 5, 2)[-1].features, by_hand)


def test_panels_follow_the_policy_and_masks_in_a_row_share_one(spoken):
    titles = [panel.title for panel in panels(spoken, MIXED, 0, 0)]
    assert [title.split(":")[0].split(",")[0] for title in titles] == [
        "before",
        "time warp",
        "masks",
        "SpecSwap",
        "masks",
        "SpliceOut",
        "after",
    ]


def test_what_a_panel_marks_is_the_fill_afterwards_and_nothing_else_is(spoken):
    shown = panels(spoken, LD.replaced(F=20, W=0), 1, 0)
    marked, after = shown[-2], shown[-1]
    assert torch.equal(marked.hidden, after.features == 0)
    assert torch.equal(marked.features, spoken.features)
    assert marked.title == f"masks: {float(marked.hidden.float().mean()):.0%} of the cells"


def test_nothing_is_shown_between_before_and_after_where_nothing_happens(spoken):
    assert [panel.title for panel in panels(spoken, NONE, 0, 0)] == ["before", "after"]


def test_a_frequency_stands_at_the_channel_whose_filter_answers_it_most():
    wide = Spoken("song", torch.zeros(9, 80), Features(), 16000)
    bank = filterbank(16000, Features())
    for place, name in zip(*ticks(wide), strict=True):
        hertz = int(name.replace(",", ""))
        loudest = int(bank[round(hertz / 8000 * (len(bank) - 1))].argmax())
        assert abs(place - loudest) <= 1
    assert [name for _, name in zip(*ticks(wide), strict=True)][-1] == "4,000"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_picture_is_written_whole(spoken, tmp_path, suffix):
    save(spoken, "mixed", MIXED, 0, [0], tmp_path / f"a{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]
    assert (tmp_path / f"a{suffix}").stat().st_size > 5000


def test_the_title_says_how_much_the_policy_hides(spoken, tmp_path):
    save(spoken, "LD", policy := LD.replaced(F=20), 0, [0], tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()  # what is drawn stands there in comments
    assert f"song, LD: {policy}" in text
    assert hides(policy.coverage([len(spoken.features)], 40)) in text


def test_an_animation_has_a_picture_an_epoch_and_no_two_are_alike(spoken, tmp_path):
    save(spoken, "LD", LD.replaced(F=20), 0, range(3), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as film:
        frames = [film.copy().convert("RGB").tobytes() for n in range(film.n_frames) if film.seek(n) is None]
    assert len(frames) == 3
    assert all(one != other for one, other in pairwise(frames))
