import pytest
from standins import OneLayer, Plan

from specaug.errors import UserError
from specaug.training.fit import train
from specaug.training.smoothing import require_smoothing


class Smooth(OneLayer):
    """Keeps the share that it was told at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.label_smoothing = 0.0
        self.shares: list[float] = []

    def loss(self, *batch):
        if self.training:
            self.shares.append(self.label_smoothing)
        return super().loss(*batch)


@pytest.mark.parametrize(("until", "smooth"), [(0, 12), (5, 5), (12, 12)])
def test_labels_are_smoothed_until_a_step(tone_corpus, tmp_path, until, smooth):
    network = Smooth()
    options = {"label_smoothing": 0.1, "smooth_until": until}
    train(Plan(folder=tmp_path, prepared=tone_corpus, network=network, options=options).job())
    assert network.shares == [0.1] * smooth + [0.0] * (12 - smooth)


def test_a_network_that_cannot_smooth_is_refused():
    require_smoothing(OneLayer(), 0.0)
    require_smoothing(Smooth(), 0.1)
    with pytest.raises(UserError, match=r"label_smoothing is 0\.1; expected 0: network OneLayer has no"):
        require_smoothing(OneLayer(), 0.1)
