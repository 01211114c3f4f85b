"""How far a study is, as text or as rows separated by tabs."""

import optuna

from specaug.study.sweep.book import Plan
from specaug.study.sweep.objective import POLICY, RUNS
from specaug.study.sweep.progress import Standing, standing
from specaug.study.sweep.scores import masked_in
from specaug.study.sweep.slots import STOP, stage_of, why
from specaug.study.sweep.storage import hidden, reaching
from specaug.study.sweep.worker import AT, WORKER

TOP = 5  # trials that are named


def told(study: optuna.Study, plan: Plan, url: str, form: str) -> str:
    """The state of a study; what went stale meanwhile is put back first."""
    with reaching(url):
        now = looked_at(study)
        if form == "tsv":
            return rows(now)
        lines = [f"study {plan.name} at {hidden(url)}", *text(now, "trials", study.user_attrs.get(STOP))]
        stage = stage_of(study)
        if stage is not None and now.over == len(now.slots):  # or it confirms what was best before
            lines.append(f"confirm stage {stage.study_name}")
            lines += text(looked_at(stage), "runs", stage.user_attrs.get(STOP))
    return "".join(f"{line}\n" for line in lines)


def finished(study: optuna.Study, plan: Plan, url: str) -> bool:
    """Whether nothing is left to be done in a study, nor in its confirm stage where it has one."""
    with reaching(url):
        stage = stage_of(study)
        if stage is None and plan.sweep is not None and plan.sweep.confirm.top:
            return False
        return all(now.over == len(now.slots) for now in map(looked_at, filter(None, (study, stage))))


def looked_at(study: optuna.Study) -> Standing:
    """Where a study stands, without those who are dead."""
    optuna.storages.fail_stale_trials(study)
    return standing(study)


def text(now: Standing, what: str, stopping: bool | None) -> list[str]:
    """For people."""
    waiting = len(now.slots) - now.over - len(now.running)
    lines = [
        f"{len(now.slots)} {what}: {now.over - len(now.failed)} finished, {len(now.running)} under way, "
        f"{waiting} waiting, {len(now.failed)} failed{'; told to stop' if stopping else ''}",
    ]
    lines += [f"  {place}. {score.said()}" for place, score in enumerate(now.scores[:TOP], 1)]
    for trial in now.running:
        where = trial.user_attrs.get(AT, ["starting", 0.0])[0]
        lines.append(f"  under way at {trial.user_attrs.get(WORKER, '?')}: {where}")
    for trial in now.failed:
        lines.append(f"  failed {why(trial)}")
    return lines


def rows(now: Standing) -> str:
    """For scripts: a row a slot."""
    header = ("slot", "state", "value", "attempts", "policy", "worker", "masked_cells")
    table = [header]
    for slot in now.slots:
        trial = slot.done or slot.running or slot.trials[-1]
        value = "" if trial.value is None else f"{trial.value:.6f}"
        given = slot.failed is not None
        state = "failed" if given else trial.state.name.lower()
        told = trial.user_attrs
        table.append(
            (
                str(slot.number),
                state,
                value,
                str(len(slot.trials)),
                told.get(POLICY, ""),
                told.get(WORKER, ""),
                "" if (masked := masked_in(told.get(RUNS, []))) is None else f"{masked:.6f}",
            )
        )
    return "".join("\t".join(row) + "\n" for row in table)
