"""The rows of a published table, with their recipes and what of them is done."""

from collections.abc import Sequence
from pathlib import Path

from specaug.study.load import load
from specaug.study.places import Places
from specaug.study.published.tables import Cell, Row, Table, experiment
from specaug.study.run import Run
from specaug.study.tables.plain_table import Plain

COLUMNS = ("row", "name", "recipe", "runs", "finished", "published")


def told(kind: str, cells: Sequence[Cell]) -> str:
    """The cells without a language model, or with one, as printed."""
    rates = " ".join(cell.told for cell in cells if cell.kind == kind)
    return f"LM {rates}" if kind == "lm" else rates


def listing(
    name: str, table: Table, rows: Sequence[Row], experiments: Path, places: Places, overrides: Sequence[str]
) -> Plain:
    """A line a row: how many runs its recipe has, and how many of them are finished."""
    lines = []
    for row in rows:
        recipe = load(experiments / row.recipe, overrides)
        runs = [Run(experiment(name, row), run, places) for run in recipe.runs()]
        done = sum(run.finished for run in runs)
        cells = "; ".join(told(kind, table.cells(row)) for kind in ("plain", "lm") if getattr(row, kind))
        lines.append(
            (table.place(row), row.row, f"experiments/{row.recipe}", str(len(runs)), str(done), cells)
        )
    parts = ", ".join(table.parts)
    remark = f"published: WER in percent on {parts}, without a language model and, behind LM, with one."
    return Plain(f"{table.paper}: {table.about}", [COLUMNS, *lines], 3, [remark, *table.doubts(rows)])
