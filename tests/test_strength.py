import csv
import subprocess
import sys
from dataclasses import replace

import lightning as L
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.loggers import CSVLogger
from ranks import looped
from standins import quiet_trainer

from specaug.augment.apply import apply
from specaug.augment.draws import draw
from specaug.augment.keys import make_keys
from specaug.augment.operations import OPERATIONS, FilterAugment, FrequencyMask, PatchMask, SpecSub, TimeMask
from specaug.augment.policy import LD, NONE, Policy
from specaug.training.augment import Augment
from specaug.training.ranks import together
from specaug.training.strength import Loop, Strength, curves, weakened

pytestmark = pytest.mark.filterwarnings(r"ignore:The '\w+_dataloader' does not have many workers")


@pytest.mark.parametrize(
    ("strength", "step", "epoch", "expected"),
    [
        pytest.param(Strength(), 0, 0, 1.0, id="the default is full strength"),
        pytest.param(Strength(start=5), 4, 9, 0.0, id="nothing before the start"),
        pytest.param(Strength(start=5), 5, 0, 1.0, id="all of it from the start on"),
        pytest.param(Strength(start=4, end=8), 5, 0, 0.25, id="a quarter of the way up"),
        pytest.param(Strength(end=8), 80, 0, 1.0, id="past the ramp"),
        pytest.param(Strength(epochs=((2, 0.3), (5, 0.8))), 99, 1, 0.0, id="before the first epoch named"),
        pytest.param(Strength(epochs=((2, 0.3), (5, 0.8))), 0, 4, 0.3, id="between two epochs"),
        pytest.param(Strength(epochs=((2, 0.9), (5, 0.1))), 0, 5, 0.1, id="down from an epoch on"),
        pytest.param(Strength(rise=0.1), 7, 3, 0.4, id="the level of the loop"),
        pytest.param(Strength(rise=0.1, start=9), 7, 3, 0.0, id="a loop that has not started"),
    ],
)
def test_the_strength_at_a_step(strength, step, epoch, expected):
    assert strength.at(step, epoch, level=0.4) == pytest.approx(expected)


@given(start=st.integers(0, 50), more=st.integers(1, 50))
def test_a_ramp_never_falls_and_starts_at_0_and_ends_at_1(start, more):
    ramp = [Strength(start=start, end=start + more).at(step, 0, 0.0) for step in range(start + more + 2)]
    assert ramp == sorted(ramp)
    assert ramp[start] == 0.0
    assert ramp[start + more] == ramp[-1] == 1.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"of": "depths"}, "of is 'depths'; expected one of widths, counts"),
        ({"start": -1}, "start is -1; expected a whole number, 0 or more"),
        ({"patience": True}, "patience is True; expected a whole number"),
        ({"start": 5, "end": 5}, "start is 5 and end 5; expected steps, 0 <= start < end"),
        ({"rise": 1.5}, r"rise is 1.5; expected a share in \[0, 1\]"),
        ({"patience": 0}, "patience is 0; expected a whole number, 1 or more"),
        ({"end": 5, "rise": 0.1}, "exclude each other"),
        ({"epochs": ((3, 0.5), (1, 1.0))}, "whole, from 0 on and in order"),
        ({"epochs": ((3, 1.5),)}, r"epochs are \(\(3, 1\.5\),\); expected \(epoch, strength in"),
        ({"epochs": ((-1, 0.5),)}, "whole, from 0 on and in order"),
    ],
)
def test_a_strength_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Strength(**fields)


def test_a_number_that_is_not_whole_is_refused(root):
    # In a process of its own, where the annotations are not checked before the values are
    wrong = [("start", 2.5), ("end", 2.0), ("patience", 1.5), ("epochs", ((0.5, 0.5),))]
    program = f"""
from specaug.training.strength import Strength
for name, value in {wrong}:
    try:
        Strength(**{{name: value}})
    except ValueError as error:
        print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True
    )
    said = [line.split(";")[0] for line in run.stdout.splitlines()]
    expected = [f"{name} {'are' if name == 'epochs' else 'is'} {value}" for name, value in wrong]
    assert said == expected


def test_widths_are_multiplied_and_half_a_frame_counts_as_one():
    assert str(weakened(LD, 0.25)) == "W=20 F=7 m_F=2 T=25 p=1.0 m_T=2"
    assert str(weakened(LD.replaced(T=50), 0.01)) == "W=1 F=0 m_F=2 T=1 p=1.0 m_T=2"


def test_counts_are_multiplied_and_the_widths_of_what_has_none():
    assert str(weakened(LD, 0.5, of="counts")) == "W=40 F=27 m_F=1 T=100 p=1.0 m_T=1"


def test_values_without_a_unit_are_multiplied_as_they_are():
    policy = Policy((TimeMask(p_S=0.04, p_M=0.1, m_T=20), FilterAugment(g=6.0), PatchMask(share=0.5)))
    half = weakened(policy, 0.5)
    assert [half.operations[0].p_S, half.operations[1].g, half.operations[2].share] == [0.02, 3, 0.25]
    assert weakened(policy, 0.5, of="counts").operations[0] == TimeMask(p_S=0.04, p_M=0.05, m_T=10)


@pytest.mark.parametrize("of", ["widths", "counts"])
def test_full_strength_is_the_policy_and_none_is_nothing(of):
    assert weakened(LD, 1.0, of) == LD
    assert weakened(LD, 0.0, of) == NONE


@pytest.mark.parametrize(("strength", "of"), [(1.1, "widths"), (-0.1, "widths"), (0.5, "depths")])
def test_a_strength_out_of_range_is_refused(strength, of):
    with pytest.raises(ValueError, match=f"of is '{of}' and strength {strength}; expected"):
        weakened(LD, strength, of)


FULL = [
    kind(**{symbol: 8 for symbol in ("W", "F", "T", "m_F", "m_T", "N") if symbol in kind().symbols()})
    for kind in OPERATIONS.values()
]
BY_SHARE = [TimeMask(p=0.4, m_T=8), TimeMask(p=0.4, p_S=0.2, m_T=8), TimeMask(p=0.4, p_M=0.1, m_T=8)]


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("of", ["widths", "counts"])
@pytest.mark.parametrize("full", [*FULL, *BY_SHARE], ids=str)
def test_every_operation_is_weaker_below_full_strength(full, of, share):
    before, after = full.symbols(), weakened(Policy((full,)), share, of).operations[0].symbols()
    changed = [symbol for symbol in before if after[symbol] != before[symbol]]
    assert changed
    assert all(after[symbol] < before[symbol] for symbol in changed)


def test_what_a_weaker_policy_hides_a_stronger_one_hides_from_the_same_start_or_before():
    lengths, keys = torch.full((50,), 300), make_keys(0, 0, [str(i) for i in range(50)])
    weak, strong = (draw(weakened(LD, share), lengths, 80, keys).steps[2].spans for share in (0.3, 0.9))
    assert (weak.width <= strong.width).all()
    assert (strong.start <= weak.start).all()


def test_a_loop_rises_while_the_error_falls_and_falls_back_when_it_stops():
    loop = Loop(rise=0.25, patience=2)
    levels = []
    for wer in (0.9, 0.8, 0.85, 0.82, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7):
        loop.heard(wer)
        levels.append(loop.level)
    assert levels == [0.25, 0.5, 0.5, 0.25, 0.5, 0.5, 0.25, 0.25, 0.0, 0.0, 0.0]


def test_a_loop_stops_at_full_strength():
    loop = Loop(rise=0.4, patience=1)
    for wer in (0.9, 0.8, 0.7, 0.6):
        loop.heard(wer)
    assert loop.level == 1.0


def test_an_error_that_is_not_a_number_is_no_improvement():
    loop = Loop(rise=0.5, patience=1)
    loop.heard(float("nan"))
    assert loop.level == 0.0


class Somebodys(L.LightningModule):
    """Keeps its batches, and logs a WER of its own."""

    def __init__(self, wers: list[float], name: str = "dev/wer") -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.wers, self.name, self.seen = wers, name, []

    def training_step(self, batch, batch_idx):
        self.seen.append(batch["features"])
        return 0 * self.weight

    def validation_step(self, batch, batch_idx):
        self.log(self.name, self.wers[self.current_epoch], batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


FEATURES = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(0)) + 5
LENGTHS, IDS = torch.tensor([40, 31]), ["a", "b"]
SMALL = LD.scaled(0.1).replaced(F=8)


def batches(count: int) -> torch.utils.data.DataLoader:
    """The same batch so many times."""
    batch = {"features": FEATURES, "lengths": LENGTHS, "ids": IDS}
    return torch.utils.data.DataLoader([batch] * count, batch_size=None)


def fitted(
    strength: Strength, wers: list[float], name: str = "dev/wer", steps: int = 2
) -> tuple[Augment, list]:
    augment, module = Augment(SMALL, seed=3, strength=strength), Somebodys(wers, name)
    quiet_trainer(len(wers), augment).fit(module, batches(steps), batches(1))
    return augment, module.seen


def by_hand(strengths: list[float], of: str = "widths") -> list[torch.Tensor]:
    """What two steps an epoch see at these strengths, one after the other."""
    seen = []
    for step, share in enumerate(strengths):
        draws = draw(weakened(SMALL, float(share), of), LENGTHS, 16, make_keys(3, step // 2, IDS))
        seen.append(apply(FEATURES, LENGTHS, draws))
    return seen


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        pytest.param(Strength(start=3), [0, 0, 0, 1, 1, 1], id="from a step on"),
        pytest.param(Strength(start=1, end=5), [0, 0, 0.25, 0.5, 0.75, 1], id="ramp of widths"),
        pytest.param(Strength(end=4, of="counts"), [0, 0.25, 0.5, 0.75, 1, 1], id="ramp of counts"),
        pytest.param(Strength(epochs=((1, 0.5),)), [0, 0, 0.5, 0.5, 0.5, 0.5], id="by epoch"),
        pytest.param(Strength(rise=0.5), [0, 0, 0.5, 0.5, 0, 0], id="closed loop"),
        pytest.param(Strength(rise=0.5, start=3), [0, 0, 0, 0, 0.5, 0.5], id="closed loop from a step on"),
        pytest.param(
            Strength(rise=0.5, start=4), [0, 0, 0, 0, 0.5, 0.5], id="from a step with a pass over dev"
        ),
    ],
)
def test_each_step_sees_the_policy_at_its_strength(strength, expected):
    _, seen = fitted(strength, [0.5, 0.6, 0.7])
    assert all(map(torch.equal, seen, by_hand(expected, strength.of)))


def test_the_policies_in_force_are_kept_with_the_steps_at_which_they_changed():
    augment, _ = fitted(Strength(start=1, end=3), [0.5, 0.5])
    assert augment.in_force == [(0, "nothing"), (2, str(weakened(SMALL, 0.5))), (3, str(SMALL))]


def test_a_loop_that_starts_late_begins_with_its_first_rise():
    augment, _ = fitted(Strength(rise=0.25, start=13), [0.9, 0.8, 0.7, 0.6, 0.5], steps=4)
    assert augment.in_force == [(0, "nothing"), (16, str(weakened(SMALL, 0.25)))]


def test_a_loop_does_not_hear_a_pass_over_dev_outside_training():
    augment = Augment(SMALL, strength=Strength(rise=0.25))
    trainer, module = quiet_trainer(1, augment), Somebodys([0.5])
    for rate in (0.5, 0.4):
        module.wers = [rate]
        trainer.validate(module, batches(1), verbose=False)
    assert augment.loop == Loop(0.25, 1)


@pytest.mark.parametrize("strength", [Strength(), Strength(start=1), Strength(end=4)], ids=str)
def test_the_loggers_are_told_at_every_step(tmp_path, strength):
    logger = CSVLogger(tmp_path)
    trainer = quiet_trainer(1, Augment(SMALL, strength=strength))
    trainer.loggers = [logger]
    trainer.fit(Somebodys([0.5]), batches(50), batches(1))
    logger.save()
    with next(tmp_path.rglob("metrics.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["policy/strength"]]
    told = {int(row["step"]): float(row["policy/strength"]) for row in rows}
    assert told == {step: strength.at(step, 0, 0.0) for step in range(50)}
    assert ("policy/TimeMask.T" in rows[0]) is not strength.constant
    if not strength.constant:
        widths = {int(row["step"]): float(row["policy/TimeMask.T"]) for row in rows}
        assert widths == {step: int(SMALL.operations[2].T * share + 0.5) for step, share in told.items()}


def test_the_loggers_are_told_each_width_and_count_by_its_operation():
    policy = Policy((TimeMask(T=7, m_T=2), FrequencyMask(F=3), TimeMask(T=None, p_S=0.25, p_M=0.5)))
    assert curves(policy) == {
        "policy/TimeMask.T": 7.0,
        "policy/TimeMask.m_T": 2.0,
        "policy/FrequencyMask.F": 3.0,
        "policy/FrequencyMask.m_F": 1.0,
        "policy/TimeMask2.m_T": 1.0,
        "policy/TimeMask2.p_S": 0.25,
        "policy/TimeMask2.p_M": 0.5,
    }


def test_a_metric_that_nobody_logs_is_refused_by_name():
    with pytest.raises(ValueError, match="watched is 'dev/wer'; expected a logged metric: error"):
        fitted(Strength(rise=0.5), [0.5], name="error")


@pytest.mark.slow
@pytest.mark.parametrize("first_alone", [False, True], ids=["each logs its own", "rank 0 logs alone"])
def test_all_ranks_follow_the_metric_of_rank_0(first_alone):
    heard: list[tuple[int, float, list[tuple[int, str]]]] = []
    together(looped, first_alone, 2, heard.append)
    (_, level, policies), (_, other, others) = sorted(heard)
    assert level == other == 0.75
    assert policies == others
    assert len(policies) == 3


def test_a_continued_loop_goes_on_where_it_was():
    augment, _ = fitted(Strength(rise=0.25, patience=2), [0.5, 0.4, 0.6])
    other = Augment(SMALL, strength=augment.strength)
    other.load_state_dict(augment.state_dict())
    assert other.loop == augment.loop == Loop(0.25, 2, level=0.5, best=float(torch.tensor(0.4)), waited=1)
    assert other.in_force == augment.in_force
    assert replace(other.loop, waited=0) != augment.loop


def test_substitutions_are_fewer_at_half_the_counts():
    assert weakened(Policy((SpecSub(N=4),)), 0.5, of="counts") == Policy((SpecSub(N=2),))
