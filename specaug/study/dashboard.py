"""The dashboard of an experiment: a W&B workspace as code, and the comparison of its policies as a run of W&B."""

import csv
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.measures import ACCURACY, MAP, WER, Measure, measures_of
from specaug.study.loggers import needed
from specaug.study.nearest import hint
from specaug.study.places import writable
from specaug.study.results import find_runs
from specaug.study.tables.table import FORMATS
from specaug.study.views.on_wandb import Log

NAME = "Policies"  # of the workspace
PACKAGE = "wandb-workspaces"
FILES = {"comparison.tsv": "tsv", "comparison.md": "markdown", "comparison.txt": "text"}  # names of FORMATS
TABLE = "comparison"  # the key of the table on W&B
LABELS = (  # columns of text, which may look like numbers
    *(
        "part",
        "policy",
        "verdict",
        "baseline",
        "system",
        "network",
        "arguments",
        "schedule",
        "corpus",
        "run_ids",
        "begun",
    ),
)


@dataclass(frozen=True)
class Subject:
    """What a dashboard is of: a W&B project, the parts that were tested, and the runs where they are here.

    Where they are not, they are taken to have written transcripts.
    """

    project: str
    parts: tuple[str, ...]
    runs: tuple[Path, ...] = ()
    measures: tuple[Measure, ...] = (WER,)  # in which results are told, the first one first


def subject(target: str, parts: Sequence[str] = (), project: str = "") -> Subject:
    """The subject by the folder of its runs, or by the project's name where its runs are elsewhere.

    A folder's project is its name, as it is while training. Raises UserError where nothing of either kind is meant.
    """
    folder = next((path for path in places(target) if path.is_dir()), None)
    if folder is None:
        if not target or Path(target).name != target:
            raise UserError(f"{target}: no such folder; expected one with runs, or the name of a W&B project")
        return Subject(project or target, tuple(parts) or ("test",))
    results = find_runs([folder]).finished
    tested = {part for result in results for part in result.parts}
    for part in parts:
        if tested and part not in tested:
            raise UserError(f"--parts: {folder} has no part {part!r}{hint(part, sorted(tested))}")
    return Subject(
        project or folder.resolve().name,
        tuple(parts) or tuple(sorted(tested - {"dev"})) or ("test",),
        (folder,),
        measures_of(results) if results else (WER,),
    )


def places(target: str) -> list[Path]:
    """Where the runs of a target may be."""
    return [Path(target), Path(os.environ.get("SPECAUG_RUNS") or "runs") / target]


def workspace(about: Subject, entity: str) -> Any:
    """The W&B workspace: what a policy does to the curves, to the final rates, to texts and to pictures.

    Raises UserError where the package is missing.
    """
    needed(PACKAGE, "the dashboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old forms inside the package
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws

    def lines(metric: str, x: str) -> Any:
        spread = {"groupby": "Group", "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
        over = "epochs" if x == "epoch" else "steps"
        return wr.LinePlot(title=f"{metric} over {over}, by policy", x=x, y=[metric], **spread)

    def bars(part: str, measure: Measure) -> Any:
        spread = {"groupby": "Group", "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
        return wr.BarPlot(
            title=f"{measure.name} on {part}, by policy", metrics=[f"{part}/final_{measure.key}"], **spread
        )

    rates = "Scores" if about.measures[0].right else "Error rates"
    sections = {
        f"{rates} while training": [
            lines(f"dev/{measure.key}", x) for measure in about.measures for x in ("epoch", "Step")
        ],
        "Losses": [lines("train/loss", "epoch"), lines("dev/loss", "epoch")],
        f"Final {rates.lower()}": [bars(part, m) for m in about.measures for part in (*about.parts, "dev")],
        "Comparison": [wr.WeavePanelSummaryTable(table_name=TABLE)],
        "Hypotheses": [wr.WeavePanelSummaryTable(table_name="hypotheses")],
        "Augmented batches": [wr.MediaBrowser(media_keys=["augmented batch"], num_columns=2)],
        "Runs side by side": [wr.RunComparer(diff_only="split")],
    }
    return ws.Workspace(
        entity=entity,
        project=about.project,
        name=NAME,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items()],
    )


def written(space: Any) -> str:
    """The workspace as the JSON that W&B is sent, but for the panels' random ids; made without a network."""
    view = space._to_model()
    spec = json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))
    for section in spec["section"]["panelBankConfig"]["sections"]:
        for place, panel in enumerate(section["panels"]):
            panel["__id__"] = f"{section['name']} {place}"
    named = {"entity": view.entity, "project": view.project, "name": view.display_name, "spec": spec}
    return json.dumps(named, indent=2, ensure_ascii=False) + "\n"


def create(about: Subject, entity: str = "") -> str:
    """Make the workspace in W&B, and give its address. Raises UserError where nobody is logged in."""
    needed(PACKAGE, "the dashboard")
    import wandb

    try:
        whose = entity or str(wandb.Api().default_entity)
        space = workspace(about, whose)
        space.save()
    except wandb.errors.UsageError as error:
        if "API key" in str(error):
            raise UserError("W&B: nobody is logged in; expected a key: run `wandb login` first") from None
        raise UserError(f"W&B: {error}; expected that") from None
    except (wandb.Error, wandb.errors.CommError, ValueError) as error:
        raise UserError(f"W&B: {error}; expected a project {about.project} that you may change") from None
    return str(space.url)


def push(about: Subject, online: bool = False, baseline: str | None = None, entity: str = "") -> str:
    """Log the comparison as a run of W&B with job type "compare": a table, and an artifact with the files.

    The run is named by what it says, so that the same comparison is one run however often it is pushed. Returns where
    the run is. Raises UserError where there is nothing to compare, or W&B cannot be reached.
    """
    import wandb

    if not about.runs:
        raise UserError(f"{about.project}: no such folder; expected the runs that are to be compared")
    comparison = compare(about.runs, baseline)
    texts = {name: FORMATS[form](comparison) for name, form in FILES.items()}
    tsv = texts["comparison.tsv"]
    columns, rows = table(tsv.splitlines())
    wanted = {
        "name": f"{about.project}: comparison",
        "id": f"compare-{hashlib.sha256(tsv.encode()).hexdigest()[:12]}",
        "project": about.project,
        **({"entity": entity} if entity else {}),
        "job_type": "compare",
        "config": {"baseline": comparison.baseline, "corpus": comparison.title},
    }
    folder = writable(about.runs[0])
    with Log(folder, wanted, online) as run:
        named: list[str | int] = list(columns)
        run.log({TABLE: wandb.Table(columns=named, data=rows)})
        artifact = wandb.Artifact(artifact_name(about.project), type="comparison")
        for name, text in texts.items():
            with artifact.new_file(name, encoding="utf-8") as file:
                file.write(text)
        run.log_artifact(artifact)
        run.summary.update(summary(columns, rows))
        where = Path(run.dir).parent
    return f"{wanted['id']}: {'on W&B, and ' if online else ''}in {where}"


def artifact_name(project: str) -> str:
    """What W&B allows as the name of an artifact."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', project)[:100]}-comparison"


def table(lines: Iterable[str]) -> tuple[list[str], list[list[Any]]]:
    """The columns and rows of tab-separated text without its remarks; numbers are numbers."""
    columns, *rows = csv.reader(
        (line for line in lines if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    return columns, [
        [cell if name in LABELS else number(cell) for name, cell in zip(columns, row, strict=True)]
        for row in rows
    ]


def number(cell: str) -> float | str | None:
    """A cell as a number where it is one; nothing where it is empty."""
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


def summary(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
    """The error rate of each policy on each part, or its accuracy and mAP, in percent; what is said of its difference."""
    told: dict[str, Any] = {}
    keys = [measure.key for measure in (ACCURACY, MAP) if measure.key in columns] or [WER.key]
    cells_of = [dict(zip(columns, row, strict=True)) for row in rows]
    several = len({cells["system"] for cells in cells_of}) > 1
    for cells in cells_of:
        policy = f"{cells['policy']}, {cells['system']}" if several else cells["policy"]
        name = f"{cells['part']}/{policy}"
        told |= {f"{name}/{key}": cells[key] for key in keys} | {f"{name}/verdict": cells["verdict"]}
    return told
