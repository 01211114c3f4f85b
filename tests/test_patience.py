import pytest

from specaug.errors import UserError
from specaug.study.sweep.patience import MOST, QUICK, Patience


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "worker-0.log"
    path.write_text("first\nlast words\n")
    return path


def test_workers_that_die_at_their_start_are_replaced_a_few_times(log):
    patience = Patience()
    for _ in range(MOST - 1):
        patience.died(1, QUICK / 2, log)
    with pytest.raises(UserError, match=r"worker-0\.log: workers die at their start \(last words\)"):
        patience.died(1, QUICK / 2, log)


def test_one_that_lived_for_long_shows_that_workers_can_live(log):
    patience = Patience()
    for _ in range(3):
        for _ in range(MOST - 1):
            patience.died(-9, 0.0, log)
        patience.died(-9, QUICK, log)


def test_a_mistake_of_the_user_is_not_made_twice(log):
    with pytest.raises(UserError, match="last words"):
        Patience().died(2, 10 * QUICK, log)


def test_a_worker_that_said_nothing_is_quoted_so(tmp_path):
    with pytest.raises(UserError, match="no word"):
        Patience().died(2, 0.0, tmp_path / "nothing.log")
