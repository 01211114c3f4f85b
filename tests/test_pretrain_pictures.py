"""What the pictures of a pretraining show, held against what is hidden and told of each utterance alone."""

import copy

import matplotlib as mpl
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pretexts import MEL, noise, small
from pretrained import pictures_of
from torch import Tensor, nn

from models.ssast import Generative
from specaug.augment.keys import make_keys
from specaug.augment.patch_grid import PatchGrid
from specaug.augment.patch_grid_masks import PatchHiding, draw_hidden
from specaug.speech.batching import bucketed, filled
from specaug.speech.options import Features
from specaug.speech.prepare import Part, Prepared
from specaug.study.pretraining.mirror import ShownPretraining, ending_of
from specaug.study.pretraining.picture import Rebuilt, drawn, rebuilt
from specaug.study.pretraining.recipe import Pretraining
from specaug.training.options import Training
from specaug.training.pretrain import Pretrained

T, F = 4, 8  # of a patch: two of them beside each other
HIDING = PatchHiding(grid=PatchGrid(t=T, f=F), share=0.6)


@pytest.fixture(scope="module")
def data(tone_corpus, tmp_path_factory) -> Prepared:
    """Five utterances to train on, two of dev; no two of a part are of one length."""
    return pictures_of(tone_corpus, tmp_path_factory.mktemp("cache"), HIDING)


def network() -> nn.Module:
    torch.manual_seed(0)
    return Generative(small(T, F, dropout=0.5))


def features_of(part: Part, name: str) -> Tensor:
    return torch.tensor(part.features(part.ids.index(name)))


def patches_of(part: Part, name: str, seed: int) -> Tensor:
    """What is hidden of an utterance alone before the first step: (1, row, column)."""
    frames = part.frames[part.ids.index(name)]
    return draw_hidden(HIDING, torch.tensor([frames]), frames, MEL, make_keys(seed, 0, [name]))


def cells_of(patches: Tensor, frames: int) -> Tensor:
    """The same, cell by cell: (frames, mel)."""
    return patches[0].repeat_interleave(T, dim=0).repeat_interleave(F, dim=1)[:frames]


def by_length(part: Part) -> list[str]:
    return [name for _, name in sorted(zip(part.frames, part.ids, strict=True))]


def test_what_is_rebuilt_is_what_the_network_tells_of_each_utterance_alone_with_what_evaluation_hides(data):
    part, given = data.parts["train"], network()
    alone = copy.deepcopy(given).eval()
    found = rebuilt(given, part, HIDING)
    assert len(found) == 4
    for one in found:
        features, patches = features_of(part, one.id), patches_of(part, one.id, seed=0)
        with torch.no_grad():
            told = alone.reconstruction(features[None], torch.tensor([len(features)]), patches)[0]
        assert torch.equal(one.features, features)
        assert torch.equal(one.hidden, cells_of(patches, len(features)))
        torch.testing.assert_close(one.told, told)
        assert torch.equal(one.told != one.features, one.hidden)


@pytest.mark.parametrize(("name", "places"), [("train", [0, 1, 3, 4]), ("dev", [0, 1])])
def test_those_that_are_rebuilt_are_spread_over_the_lengths_of_a_part(data, name, places):
    part = data.parts[name]
    shortest_first = by_length(part)
    assert [one.id for one in rebuilt(network(), part, HIDING)] == [shortest_first[place] for place in places]


def an_utterance(name: str, frames: int, seed: int) -> Rebuilt:
    features, told = (noise(frames, MEL, seed=seed + k) for k in range(2))
    return Rebuilt(name, features, noise(frames, MEL, seed=seed + 2) > 0.5, told)


SHOWN = [an_utterance("a", 12, 1), an_utterance("b", 7, 4)]


def test_a_row_of_the_picture_is_an_utterance_as_it_is_then_what_is_seen_of_it_then_what_is_told():
    figure = drawn(SHOWN, 0.01, "title")
    assert len(figure.axes) == 3 * len(SHOWN)
    for row, one in enumerate(SHOWN):
        axes = figure.axes[3 * row : 3 * row + 3]
        images = [axis.images[0] for axis in axes]
        seen = one.features.clone()
        seen[one.hidden] = torch.nan
        for image, cells in zip(images, (one.features, seen, one.told), strict=True):
            pixels = np.ma.filled(image.get_array(), np.nan)
            assert np.array_equal(pixels, cells.T.numpy(), equal_nan=True)
            assert (image.origin, *image.get_extent()) == ("lower", 0, 0.01 * len(one.features), -0.5, 15.5)
        hidden = 100 * int(one.hidden.sum()) / one.hidden.numel()
        assert [axis.get_title(loc="left") for axis in axes] == [
            f"original: {one.id}",
            f"masked: {hidden:.0f}% hidden (grey)",
            "reconstructed",
        ]


def shaded(cells: Tensor) -> NDArray[np.uint8]:
    """Cells (frames, mel) as dashboards show them, the lowest channel at the bottom: (mel, frames, 3)."""
    shades = np.clip((cells.numpy().T[::-1] + 2) / 4, 0, 1)
    return mpl.colormaps["viridis"](shades, bytes=True)[..., :3]


def test_on_a_dashboard_an_utterance_lies_below_what_is_seen_of_it_and_that_below_what_is_told():
    outcome = Pretrained({"epoch": 4, "loss": 0.5}, {"epoch": 3, "loss": 0.25}, 4, 12)
    ending = ending_of(outcome, SHOWN)
    for one, picture in zip(SHOWN, ending.reconstructions, strict=True):
        seen = one.features * ~one.hidden
        assert picture.utterance == one.id
        for third, cells in enumerate((one.told, seen, one.features)):
            assert np.array_equal(picture.pixels[MEL * third : MEL * (third + 1)], shaded(cells))
        assert len(picture.pixels) == 3 * MEL
    assert ending.numbers == {
        "dev/final_epoch": 4,
        "dev/final_loss": 0.5,
        "dev/best_epoch": 3,
        "dev/best_loss": 0.25,
    }


@pytest.mark.parametrize(
    "options", [Training(batch=3), Training(batch=1, frames=120)], ids=["batch", "frames"]
)
def test_the_masked_batch_is_the_first_of_training_each_with_its_hidden_cells_at_0_above_itself(
    data, tmp_path, options
):
    part, seed = data.parts["train"], 5  # whose first batch is not that of seed 0
    make, most = (filled, options.frames) if options.frames else (bucketed, options.batch)
    names = [part.ids[place] for place in make(part.ids, part.frames, most, seed, 0)[0]]
    recipe = Pretraining(features=Features(mel=MEL), training=options, seed=seed)
    shown = ShownPretraining("title", recipe, "0123456789ab", tmp_path, data, HIDING, ["loss"])
    pictures = shown.pictures()
    assert [picture.utterance for picture in pictures] == names
    time = max(len(features_of(part, name)) for name in names)
    for name, picture in zip(names, pictures, strict=True):
        features = features_of(part, name)
        hidden = cells_of(patches_of(part, name, seed), len(features))
        for half, cells in enumerate((features * ~hidden, features)):
            padded = torch.zeros(time, MEL)
            padded[: len(cells)] = cells
            assert np.array_equal(picture.pixels[MEL * half : MEL * (half + 1)], shaded(padded))
        assert len(picture.pixels) == 2 * MEL
