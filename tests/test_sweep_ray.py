from collections.abc import Iterator
from typing import Any

import chaos
import pytest
from servers import postgres

from specaug.study.sweep.on_ray import on_ray

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def cluster(monkeypatch) -> Iterator[Any]:
    """A Ray cluster on this machine, whose one node has no cores to work with."""
    ray = pytest.importorskip("ray", reason="no ray (pip install -e '.[ray]')")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # it listens on this machine alone
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_sweep_that_loses_a_node_comes_to_what_an_undisturbed_one_comes_to(
    tiny, cluster, tmp_path, monkeypatch
):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    plan = chaos.planned(tiny, "trials=4", "seeds=[0]")
    lost = [cluster.add_node(num_cpus=2)]  # all that works is on it, however slowly it starts
    with postgres() as server, chaos.begun_at(plan, server.url) as study:

        def look() -> None:
            if lost and chaos.at_work(study):
                with chaos.held(study) as at:
                    if at:
                        cluster.remove_node(lost.pop(), allow_graceful=False)
                        cluster.add_node(num_cpus=3)

        words = chaos.command(plan, server.url, tiny, tmp_path / "runs")
        on_ray(words, 3, tmp_path / "words", look)
        found = chaos.finished_once(study, tmp_path / "runs" / plan.name)
        assert not lost
        assert chaos.deaths(study) >= 1
    assert found == chaos.undisturbed(plan, tiny, tmp_path / "plain")
