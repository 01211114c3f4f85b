"""How far a study is, as text or as rows separated by tabs."""

import optuna

from specaug.study.sweep.book import Plan
from specaug.study.sweep.objective import POLICY
from specaug.study.sweep.progress import Standing, scored, standing
from specaug.study.sweep.slots import STOP, why
from specaug.study.sweep.storage import hidden, reaching
from specaug.study.sweep.worker import AT, WORKER

TOP = 5  # trials that are named


def told(study: optuna.Study, plan: Plan, url: str, form: str) -> str:
    """The state of a study; what went stale meanwhile is put back first."""
    with reaching(url):
        optuna.storages.fail_stale_trials(study)
        now = standing(study)
        stopping = bool(study.user_attrs.get(STOP))
    return rows(now) if form == "tsv" else text(now, plan, url, stopping)


def text(now: Standing, plan: Plan, url: str, stopping: bool) -> str:
    """For people."""
    waiting = len(now.slots) - now.over - len(now.running)
    lines = [
        f"study {plan.name} at {hidden(url)}",
        f"{len(now.slots)} trials: {now.over - len(now.failed)} finished, {len(now.running)} under way, "
        f"{waiting} waiting, {len(now.failed)} failed{'; told to stop' if stopping else ''}",
    ]
    lines += [f"  {place}. {scored(trial)}" for place, trial in enumerate(now.best[:TOP], 1)]
    for trial in now.running:
        where = trial.user_attrs.get(AT, ["starting", 0.0])[0]
        lines.append(f"  under way at {trial.user_attrs.get(WORKER, '?')}: {where}")
    for trial in now.failed:
        lines.append(f"  failed {why(trial)}")
    return "".join(f"{line}\n" for line in lines)


def rows(now: Standing) -> str:
    """For scripts: a row a slot."""
    header = ("slot", "state", "value", "attempts", "policy", "worker")
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
            )
        )
    return "".join("\t".join(row) + "\n" for row in table)
