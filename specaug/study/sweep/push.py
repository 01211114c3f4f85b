"""What a sweep found, put where people look: beside the study in optuna-dashboard, and in W&B."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.sweep.book import Plan
from specaug.study.sweep.objective import POLICY, RUNS
from specaug.study.sweep.progress import standing
from specaug.study.sweep.scores import masked_in
from specaug.study.sweep.slots import SLOT
from specaug.study.tables.table import SHORT, as_markdown

COLUMNS = ("slot", "policy", "value, %", "masked, %", "seconds", "runs")
TOP = 10  # trials in the note


def push(
    study: optuna.Study,
    plan: Plan,
    figures: Mapping[str, Any],
    folder: Path,
    confirmed: Sequence[Path] = (),
    online: bool = False,
) -> list[str]:
    """What was done, in a line each: the figures and the table are beside the study, and in a run of W&B in `folder`.

    `confirmed` are the finished runs of the confirm stage. Raises UserError where W&B cannot be reached.
    """
    return [*to_dashboard(study, figures, confirmed), *to_wandb(study, plan, figures, folder, online)]


def to_dashboard(study: optuna.Study, figures: Mapping[str, Any], confirmed: Sequence[Path]) -> list[str]:
    """Put the note and the figures into the study, where optuna-dashboard shows them."""
    try:
        from optuna_dashboard import save_note, save_plotly_graph_object
    except ModuleNotFoundError:
        return ["optuna-dashboard is not installed; the study has no note and no figures"]
    save_note(study, note(study, confirmed))
    for name, figure in figures.items():
        save_plotly_graph_object(study, figure, graph_object_id=name.replace(" ", "-"))
    return [f"optuna-dashboard: a note and {len(figures)} figures are in the study"]


def note(study: optuna.Study, confirmed: Sequence[Path]) -> str:
    """The best trials and the comparison of the confirm stage, as Markdown."""
    table = [COLUMNS, ("---",) * len(COLUMNS), *rows(study)[:TOP]]
    lines = [f"| {' | '.join(safe(str(cell)) for cell in row)} |" for row in table]
    blocks = [f"Best trials on dev, by {standing(study).metric.name}", "\n".join(lines)]
    return "\n\n".join([*blocks, as_markdown(compare(confirmed))] if confirmed else blocks)


def safe(text: str) -> str:
    """Text that a table of Markdown does not take for its own signs."""
    for sign, other in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("_", "\\_"), ("*", "\\*")):
        text = text.replace(sign, other)
    return text


def rows(study: optuna.Study) -> list[tuple[Any, ...]]:
    """The finished trials, best first, under COLUMNS."""
    found: list[tuple[Any, ...]] = []
    now = standing(study)
    for trial in now.finished:
        runs = trial.user_attrs.get(RUNS, [])
        found.append(
            (
                trial.user_attrs[SLOT],
                trial.user_attrs.get(POLICY, ""),
                round(now.metric.percent(trial.value or 0.0), 2),
                round(100 * (masked_in(runs) or 0.0), 1),
                round(sum(one["seconds"] for one in runs)),
                " ".join(one["run"][:SHORT] for one in runs),
            )
        )
    return found


def to_wandb(
    study: optuna.Study, plan: Plan, figures: Mapping[str, Any], folder: Path, online: bool
) -> list[str]:
    """Log the figures and the trials as a run of W&B, offline unless asked; nothing where WANDB_MODE=disabled."""
    if os.environ.get("WANDB_MODE") == "disabled":
        return []
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    try:
        run = wandb.init(
            name=plan.name,
            id=f"{plan.name}-sweep",
            project=plan.name,
            job_type="sweep",
            dir=folder,
            mode="online" if online else "offline",
            config=plan.told,
            resume="allow" if online else None,
            settings=wandb.Settings(silent=True),
        )
    except wandb.Error as error:
        raise UserError(f"W&B: {error}; expected that, or a start without --online") from None
    failed = True
    try:
        run.log({name: wandb.Plotly(figure) for name, figure in figures.items()})
        columns: list[str | int] = list(COLUMNS)
        run.log({"trials": wandb.Table(columns=columns, data=[list(row) for row in rows(study)])})
        now = standing(study)
        run.summary["best"] = now.metric.percent(now.scores[0].value) / 100
        failed = False
    finally:
        run.finish(exit_code=int(failed))
    return [f"W&B: the run {plan.name}-sweep is in {folder / 'wandb'}"]
