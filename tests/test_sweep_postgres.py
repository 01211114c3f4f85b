import time
from collections.abc import Iterator

import chaos
import pytest
from servers import Postgres, driver, free_port, postgres

from specaug.errors import UserError
from specaug.study.sweep.storage import open_storage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as made:
        yield made


@pytest.fixture(autouse=True)
def _without_wandb(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")


@pytest.fixture(scope="module")
def unharmed(tiny, tmp_path_factory) -> dict[int, chaos.Row]:
    """What the sweep comes to when nobody disturbs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        return chaos.undisturbed(chaos.planned(tiny), tiny, tmp_path_factory.mktemp("unharmed"))


def named(tiny, name: str) -> chaos.Plan:
    """The sweep under another name, so that tests share a server."""
    return chaos.renamed(chaos.planned(tiny), name)


def test_workers_that_are_killed_and_stopped_come_to_the_same_to_the_bit(tiny, server, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    plan = chaos.renamed(
        chaos.planned(tiny, "trials=10"), "killed"
    )  # or it would be done before all has struck
    unharmed = chaos.undisturbed(plan, tiny, tmp_path / "unharmed")
    words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
    with chaos.begun_at(plan, server.url) as study:
        with chaos.team_of(3, words, tmp_path / "words") as team:
            chaos.chaos(study, team, seed=1)
            chaos.done(team)
        assert chaos.deaths(study) >= 3
        assert chaos.finished_once(study, tmp_path / "runs" / plan.name) == unharmed


def test_a_server_that_crashes_and_comes_back_costs_nothing(tiny, server, unharmed, tmp_path):
    plan = named(tiny, "crashed")
    words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
    with chaos.begun_at(plan, server.url) as study:
        with chaos.team_of(3, words, tmp_path / "words") as team:
            assert chaos.until(lambda: len(chaos.running(study, team)) == 3, team)
            server.stop("immediate")
            time.sleep(4)
            server.start()
            chaos.done(team)
        assert chaos.finished_once(study, tmp_path / "runs" / plan.name) == unharmed


def test_three_workers_may_start_at_one_moment(tiny, server, tmp_path):
    plan = chaos.renamed(chaos.planned(tiny, "trials=3", "seeds=[0]"), "together")
    words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
    with chaos.begun_at(plan, server.url) as study:
        with chaos.team_of(3, words, tmp_path / "words") as team:
            chaos.done(team)
        assert team.left == [0, 0, 0], team.words()
        assert len(chaos.finished_once(study, tmp_path / "runs" / plan.name)) == 3


def test_a_server_that_does_not_answer_is_named_without_its_password():
    if not driver():
        pytest.skip("no psycopg (pip install -e '.[cluster]')")
    url = f"postgresql+{driver()}://bench:s3cret@127.0.0.1:{free_port()}/postgres"
    with pytest.raises(UserError) as caught:
        open_storage(url)
    said = str(caught.value)
    assert said.startswith(f"{url.replace('s3cret', '***')}: cannot be reached (")
    assert "s3cret" not in said
    assert "\n" not in said


def test_a_password_that_the_server_refuses_is_not_printed(server):
    with pytest.raises(UserError) as caught:
        open_storage(server.url.replace(server.password, "wrong3"))
    assert "cannot be reached" in str(caught.value)
    assert "wrong3" not in str(caught.value)
