import chaos
import pytest

from specaug.study.sweep.storage import default_storage


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_killed_and_suspended_workers_change_nothing_on_sqlite(laboratory, tmp_path, seed):
    plan = chaos.planned(laboratory)
    expected = chaos.undisturbed(plan, laboratory, tmp_path / "calm")
    runs = tmp_path / "wild"
    url = default_storage(runs)
    study = chaos.begun(plan, url)
    with chaos.team_of(3, chaos.command(plan, url, laboratory, runs), tmp_path / "logs") as team:
        chaos.chaos(study, team, seed)
        chaos.done(team)
    assert chaos.finished_once(study, runs / plan.name) == expected
    assert chaos.deaths(study)
