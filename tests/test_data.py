import lightning as L
import pytest
import torch
from standins import quiet_trainer

from specaug.speech.batching import Batch, bucketed
from specaug.training.data import evaluation_loader, training_loader
from specaug.training.ranks import Rank


def lists(loader: object) -> list[list[str]]:
    return [batch.ids for batch in loader]


def test_a_batch_has_the_features_and_labels_of_its_utterances(tone_corpus):
    part = tone_corpus.parts["train"]
    for batch in training_loader(part, 2, 0):
        assert isinstance(batch, Batch)
        for row, name in enumerate(batch.ids):
            place = part.ids.index(name)
            frames = part.frames[place]
            assert batch.lengths[row] == frames
            assert torch.equal(batch.features[row, :frames], torch.from_numpy(part.features(place)))
            assert batch.targets[row, : batch.target_lengths[row]].tolist() == part.labels[place]


def test_training_batches_are_those_of_seed_and_epoch(tone_corpus):
    part = tone_corpus.parts["train"]
    loader = training_loader(part, 2, 7)
    assert len(loader) == 3
    for epoch in (0, 1, 5):
        loader.sampler.set_epoch(epoch)
        expected = bucketed(part.ids, part.frames, 2, 7, epoch)
        assert lists(loader) == [[part.ids[place] for place in batch] for batch in expected]


def test_evaluation_batches_go_by_length_and_are_always_the_same(tone_corpus):
    part = tone_corpus.parts["train"]
    loader = evaluation_loader(part, 2)
    assert lists(loader) == lists(loader)
    assert [n for batch in loader for n in batch.lengths.tolist()] == sorted(part.frames)


def test_going_through_a_part_draws_no_number_from_torch(tone_corpus):
    before = torch.get_rng_state()
    for loader in (
        training_loader(tone_corpus.parts["train"], 2, 0),
        evaluation_loader(tone_corpus.parts["dev"], 2),
    ):
        lists(loader)
    assert torch.equal(torch.get_rng_state(), before)


class Listening(L.LightningModule):
    """Keeps the ids of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.epochs: dict[int, list[list[str]]] = {}

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.epochs.setdefault(self.current_epoch, []).append(batch.ids)
        return 0 * self.weight

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
def test_lightning_tells_the_epoch(tone_corpus):
    part, module = tone_corpus.parts["train"], Listening()
    quiet_trainer(3).fit(module, training_loader(part, 2, 7))
    for epoch in range(3):
        expected = bucketed(part.ids, part.frames, 2, 7, epoch)
        assert module.epochs[epoch] == [[part.ids[place] for place in batch] for batch in expected]


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_ranks_take_shares_of_the_very_batches_of_one_process(tone_corpus, ranks):
    part = tone_corpus.parts["train"]
    loaders = [training_loader(part, 4, 7, Rank(number, ranks)) for number in range(ranks)]
    assert {len(loader) for loader in loaders} == {2}  # four utterances and one
    for epoch in (0, 3):
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        for batch, *shares in zip(bucketed(part.ids, part.frames, 4, 7, epoch), *loaders, strict=True):
            seen = [name for mine in shares if mine.weight for name in mine.ids]
            assert sorted(seen) == sorted(part.ids[place] for place in batch)
            idle = [mine.ids for mine in shares if not mine.weight]
            assert idle == [[part.ids[batch[0]]]] * max(0, ranks - len(batch))


def test_the_ranks_evaluate_whole_batches_as_many_each(tone_corpus):
    part = tone_corpus.parts["train"]
    whole = lists(evaluation_loader(part, 2))
    shares = [lists(evaluation_loader(part, 2, Rank(number, 2))) for number in (0, 1)]
    assert shares == [[whole[0], whole[2]], [whole[1], whole[0]]]
