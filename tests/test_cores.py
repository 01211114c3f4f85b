import threading
from contextlib import closing

import pytest

from specaug.speech import cores
from specaug.speech.cores import AHEAD, on_all_cores


@pytest.fixture(params=[1, 3])
def workers(request, monkeypatch) -> int:
    monkeypatch.setattr(cores, "cores", lambda: request.param)
    return request.param


@pytest.mark.usefixtures("workers")
def test_results_come_in_the_order_of_the_items():
    later = threading.Event()

    def slow(n: int) -> int:
        if n:
            later.set()
        else:
            later.wait(0.2)  # the first is the last to be done, where there are several threads
        return n * n

    assert list(on_all_cores(slow, range(50))) == [n * n for n in range(50)]
    assert list(on_all_cores(slow, [])) == []


def test_each_core_has_a_thread(workers):
    together = threading.Barrier(workers)
    assert sorted(on_all_cores(lambda _: together.wait(10), range(workers))) == list(range(workers))


def test_few_results_wait_however_many_items_there_are(workers):
    taken: list[int] = []
    with closing(on_all_cores(str, (taken.append(n) or n for n in range(10**6)))) as results:
        for count in (1, 2, 3):
            next(results)
            assert len(taken) == count + AHEAD * workers


@pytest.mark.usefixtures("workers")
def test_an_error_is_raised_in_its_turn_and_nothing_goes_on_after_it():
    seen: list[int] = []

    def fails(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    with pytest.raises(ValueError, match="two"):
        seen.extend(on_all_cores(fails, range(100)))
    assert seen == [0, 1]
