"""The page about a sweep: one HTML file that needs nothing else."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from plotly.offline import get_plotlyjs

from specaug.errors import UserError
from specaug.study import table
from specaug.study.compare import Comparison, compare
from specaug.study.sweep import diagnosis
from specaug.study.sweep.book import Plan
from specaug.study.sweep.findings import FEWEST, Findings, drawn, findings
from specaug.study.sweep.importance import SHUFFLES, Importance
from specaug.study.sweep.objective import POLICY, RUNS
from specaug.study.sweep.options import HIDING, Axis
from specaug.study.sweep.outcome import named, winner
from specaug.study.sweep.samplers import sampler_name
from specaug.study.sweep.slots import SLOT, why
from specaug.study.table import SHORT

TOP = 10  # trials in the table
ESCAPED = re.compile(r"\\([|\\`*_(])")  # as Markdown has it

Table = Sequence[Sequence[str]]  # rows of cells that are HTML already, the header first

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff; --soft: #5b5b5b; --rule: #dcdcdc; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181b; --soft: #a4a8ad; --rule: #363a40; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem; } h3 { font-size: 1rem; margin: 1rem 0 0; }
p, li { max-width: 44rem; overflow-wrap: anywhere; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { vertical-align: bottom; } .facts td, .facts th, td.left, th.left { text-align: left; }
.facts td { white-space: normal; overflow-wrap: anywhere; } .facts th { vertical-align: top; font-weight: 600; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .5rem 1rem; }
figure { margin: .4rem 0; min-width: 0; break-inside: avoid; } tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
.main-svg text { fill: var(--ink) !important; } .hoverlayer text { fill: #111111 !important; }
.gridlayer path { stroke: var(--rule) !important; }
@page { margin: 12mm; }
@media print { body { font-size: 10pt; } main { max-width: 178mm; padding: 0; } .wide { overflow: visible; }
  table { font-size: 7.5pt; } th, td { padding: .15rem .35rem; white-space: normal; } }
"""
FITTING = """
const fit = one => Plotly.Plots.resize(one), all = document.querySelectorAll(".js-plotly-plot");
const seen = new ResizeObserver(entries => entries.forEach(entry => fit(entry.target)));
all.forEach(one => seen.observe(one));
matchMedia("print").addEventListener("change", () => all.forEach(fit));
"""


def report(
    study: optuna.Study, plan: Plan, folders: Sequence[Path], out: Path, found: Findings | None = None
) -> Path:
    """The page, written; `folders` are the finished runs of the confirm stage. Raises UserError."""
    found = found or findings(study, plan)
    confirmed = compare(folders) if folders else None
    text = page(study, found, confirmed, folders)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(out)
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}; expected a file that can be written") from None
    finally:
        partial.unlink(missing_ok=True)
    return out


def page(study: optuna.Study, found: Findings, compared: Comparison | None, folders: Sequence[Path]) -> str:
    """The page's HTML."""
    shown = {name: division(name, figure) for name, figure in drawn(found).items()}
    title = f"Sweep {escape(found.name)}"
    parts = [
        f"<h1>{title}</h1>",
        *head(found, compared),
        "<h2>History</h2>",
        *captioned(
            shown["history"],
            f"Each dot is a finished trial, the line the best {found.metric} so far; orange: policies that were "
            "tried by name, before anything was searched.",
        ),
        *answers(found, shown),
        *matters(found, shown),
        f"<h2>Best {min(TOP, len(found.now.best))} policies</h2>",
        tabled(best(found)),
        *confirmed(study, compared, folders),
        "<h2>Would pruning be safe here?</h2>",
        *(f"<p>{escape(line)}.</p>" for line in diagnosis.said(found.now.finished)),
        *captioned(shown.get("pruning", ""), "How each epoch orders the trials, compared with the end."),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script></head>\n"
        f"<body><main>\n{body}\n</main><script>{FITTING}</script></body></html>\n"
    )


def division(name: str, figure: Any) -> str:
    """A figure's HTML; its name is what it is for those who do not see it."""
    options = {"displayModeBar": False, "responsive": True, "displaylogo": False}
    drawing = figure.to_html(
        full_html=False, include_plotlyjs=False, div_id=name.replace(" ", "-"), config=options
    )
    return f'<div role="img" aria-label="{escape(name)}">{drawing}</div>'


def captioned(drawing: str, caption: str) -> list[str]:
    """A figure over its caption; nothing where there is none."""
    if not drawing:
        return []
    return [f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"]


def tabled(rows: Table, kind: str = "") -> str:
    """An HTML table: the first column to the left, the others to the right."""
    lines = []
    for place, row in enumerate(rows):
        tag = "td" if place else "th"
        first = f'<{tag} class="left">{row[0]}</{tag}>'
        lines.append(f"<tr>{first}{''.join(f'<{tag}>{cell}</{tag}>' for cell in row[1:])}</tr>")
    return f'<div class="wide"><table class="{kind}">{"".join(lines)}</table></div>'


def head(found: Findings, compared: Comparison | None) -> list[str]:
    """What was searched, how, and how far it is."""
    sweep, now = found.sweep, found.now
    done = [slot.done for slot in now.slots if slot.done is not None]
    pruned = sum(trial.state == TrialState.PRUNED for trial in done)
    open_ = len(now.slots) - now.over
    count = f"{len(now.finished)} finished, {pruned} pruned, {len(now.failed)} failed" + (
        f", {open_} under way or waiting" if open_ else ""
    )
    facts = {
        "corpus": compared.title if compared else found.corpus,
        "experiment": " ".join([sweep.experiment, *sweep.overrides]),
        "network": found.plan.recipe.network.path,
        "minimised": f"{found.metric} on {sweep.part}, pooled over seeds {', '.join(map(str, sweep.seeds))}",
        "trials": f"{len(now.slots)}: {count}",
        "sampler": f"{sampler_name(sweep)}, seed {sweep.seed}; pruner {sweep.pruner}",
        "around": f"policy {sweep.policy.title()}",
    }
    space = [["searched", "values"]] + [
        [escape(symbol), escape(spelled(symbol, axis))] for symbol, axis in sweep.space.items()
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    return [f'<table class="facts">{rows}</table>', tabled(space, "facts"), *failures(found)]


def spelled(symbol: str, axis: Axis) -> str:
    """What an axis holds, in words."""
    if axis.hides is not None:
        return f"follows: the width that hides {axis.hides:.0%} of the {HIDING[symbol]}"
    if axis.choices:
        said = " or ".join(map(str, axis.choices))
    else:
        low, high = axis.ends
        step = f" in steps of {axis.step}" if axis.step else ""
        said = f"{low} to {high}{step}{', as its logarithm' if axis.log else ''}"
    return f"{said}; only where {axis.when}" if axis.when else said


def failures(found: Findings) -> Iterator[str]:
    """Why trials failed."""
    for trial in found.now.failed:
        line = f"trial {trial.user_attrs[SLOT]} failed {why(trial)}"
        yield f'<p class="soft">{escape(line)}</p>'


def answers(found: Findings, shown: Mapping[str, str]) -> list[str]:
    """How the error rate answers to each symbol."""
    title = f"<h2>{found.metric} by each value</h2>"
    if not found.curves:
        few = f"Nothing can be said of fewer than {FEWEST} finished trials."
        return [title, f"<p>{few}</p>"]
    caption = (
        "Line and band: mean and 95 % of a Gaussian process over the finished trials, on average over the other "
        "values that were tried, where the symbol varies. The band is of that average, not of single trials "
        "(dots). Where a flat line fits into the band, no effect can be told."
    )
    drawings = "".join(f"<figure>{shown[f'response to {curve.symbol}']}</figure>" for curve in found.curves)
    return [title, f'<p class="soft">{caption}</p>', f'<div class="grid">{drawings}</div>']


def matters(found: Findings, shown: Mapping[str, str]) -> list[str]:
    """Which symbols matter, and what chance would make of it."""
    if not found.important:
        return []
    caption = (
        "By what factor the error of predicting each trial from all others grows when its value is exchanged for "
        f"another trial's. Orange: 95 % of what {SHUFFLES} shuffles of the trials give lies below. Each symbol is "
        "judged alone: of twenty without effect, one is seen by chance."
    )
    header = ["symbol", "error times", "chance, 95 %", "p", ""]
    rows = [[*measured(one), "an effect" if one.seen else "no effect seen"] for one in found.important]
    return ["<h2>What matters</h2>", *captioned(shown["importance"], caption), tabled([header, *rows])]


def measured(one: Importance) -> list[str]:
    """The numbers of an importance."""
    return [escape(one.symbol), f"{one.factor:.2f}", f"{one.chance:.2f}", f"{one.p:.3f}"]


def best(found: Findings) -> Table:
    """The best trials."""
    header = ["policy", f"{found.metric}, %", "by run", "hidden, %", "seconds", "runs"]
    return [header] + [trial_row(trial, found.sweep.metric) for trial in found.now.best[:TOP]]


def trial_row(trial: FrozenTrial, metric: str) -> list[str]:
    """A trial as a row of the table."""
    runs = trial.user_attrs.get(RUNS, [])
    rates = [100 * one[metric][0] / max(1, one[metric][1]) for one in runs]
    spread = f"{min(rates):.1f} to {max(rates):.1f}" if len(rates) > 1 else "one run"
    hidden = f"{100 * sum(one['masked'] for one in runs) / len(runs):.1f}" if runs else ""
    return [
        escape(str(trial.user_attrs.get(POLICY, ""))),
        f"{100 * (trial.value or 0.0):.2f}",
        spread,
        hidden,
        f"{sum(one['seconds'] for one in runs):.0f}",
        escape(" ".join(one["run"][:SHORT] for one in runs)),
    ]


def confirmed(study: optuna.Study, compared: Comparison | None, folders: Sequence[Path]) -> list[str]:
    """The confirm stage: who won, and the comparison."""
    title = "<h2>Confirmed on fresh seeds</h2>"
    if compared is None:
        return [title, "<p>No run confirms the search yet; what it found best is likely to be flattered.</p>"]
    lines = named(winner(study, compared), compared, folders).splitlines()
    return [title, *(f"<p>{escape(line)}</p>" for line in lines), rendered(table.as_markdown(compared))]


def rendered(markdown: str) -> str:
    """The HTML of a comparison's Markdown, in which all text is escaped already."""
    blocks = []
    for block in markdown.strip().split("\n\n"):
        lines = block.splitlines()
        if block.startswith("| "):
            rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]
            blocks.append(tabled([[plain(cell) for cell in row] for row in rows if row[0] != "---"]))
        elif block.startswith("- "):
            items = "".join(f"<li>{plain(line.removeprefix('- '))}</li>" for line in lines)
            blocks.append(f'<ul class="soft">{items}</ul>')
        else:
            blocks.append(f"<h3>{plain(block.strip('*'))}</h3>")
    return "\n".join(blocks)


def plain(text: str) -> str:
    """The text without Markdown's backslashes."""
    return ESCAPED.sub(r"\1", text)
