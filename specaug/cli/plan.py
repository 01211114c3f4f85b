"""`specaug plan`: how many seeds show a difference of a given size, or what a recipe costs (cost.py)."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specaug.cli.common import add_data, add_verb
from specaug.cli.cost import chosen, cost
from specaug.errors import UserError
from specaug.study.cost.gpus import GPUS

if TYPE_CHECKING:
    from specaug.study.comparing.pilot import Pilot
    from specaug.study.stats.power import Deviations

POWER = 0.8
SEEDS = (3, 4, 5, 6, 8, 10, 15, 20, 30, 50)  # rows of the table
ASSUMED = {"speakers": 40, "seed_sd": 0.3, "speaker_sd": 1.0, "residual_sd": 1.0}  # points of WER; test-clean
COLUMNS = ("part", "policies", "baseline", *ASSUMED, "seeds", "detectable", "power")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is planned for, and where it comes from."""

    part: str
    policies: str
    baseline: str
    units: int
    unit: str
    deviations: "Deviations"
    pairs: int  # that are corrected for
    sources: tuple[str, ...]
    left_out: tuple[str, ...]


def add_plan(verbs: Any) -> None:
    """`specaug plan`."""
    example = "\n  ".join(
        (
            "specaug plan --effect 0.5 --runs runs/fsdd --policy LD",
            "specaug plan --effect 0.5 --seed-sd 0.3 --speaker-sd 1 --residual-sd 1 --speakers 40",
            "specaug plan experiments/librispeech-100-conformer.yaml --gpus 8xH100 training.batch=128",
        )
    )
    what = "how many seeds show a true difference of a given size, or what training a recipe costs"
    verb = add_verb(verbs, "plan", what, plan, example)
    verb.add_argument("recipe", nargs="?", type=Path, metavar="RECIPE", help="plan its cost, and not seeds")
    verb.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="training.batch=8 seeds=0,1")
    kinds = f"of a RECIPE's cost: 8xH100 (else this machine); kinds: {', '.join(GPUS)}"
    verb.add_argument("--gpus", metavar="NxKIND", help=kinds)
    add_data(verb)
    verb.add_argument("--effect", type=float, metavar="POINTS", help="the difference, in WER")
    verb.add_argument("--power", type=float, help=f"the share of comparisons that see it ({POWER})")
    pairs = "policies compared with the baseline, for Holm (those in RUNS, else 1)"
    verb.add_argument("--pairs", type=int, metavar="N", help=pairs)
    verb.add_argument("--runs", nargs="+", type=Path, metavar="RUNS", help="finished runs to learn from")
    verb.add_argument("--policy", help="whose difference varies so (the mean over all in RUNS)")
    verb.add_argument("--baseline", metavar="POLICY", help="the policy compared with (None, else the first)")
    verb.add_argument("--part", help="the part of the corpus (the first that is reported)")
    for name, value in ASSUMED.items():
        where = "else as in RUNS, else assumed"
        flag = f"--{name.replace('_', '-')}"
        kind = "N" if name == "speakers" else "POINTS"
        verb.add_argument(flag, type=type(value), metavar=kind, help=f"{where}: {value}")
    verb.add_argument("--format", choices=("text", "tsv"), default="text")


def plan(arguments: argparse.Namespace) -> int:
    """Print the table of seeds and what they show; with a recipe what it costs."""
    from specaug.study.tables.text_table import aligned, printable

    if chosen(arguments, ("gpus", "data")):
        return cost(arguments)
    arguments.power = POWER if arguments.power is None else arguments.power
    _check(arguments)
    setting = _setting(arguments)
    rows, remarks = _rows(arguments, setting), _remarks(arguments, setting)
    if arguments.format == "tsv":
        named = (setting.part, setting.policies, setting.baseline)
        facts = (*map(printable, named), str(setting.units), *_points(setting))
        lines = ["\t".join(COLUMNS), *("\t".join((*facts, *row)) for row in rows)]
        sys.stdout.write(
            "".join(f"{line}\n" for line in [*lines, *(f"# {printable(line)}" for line in remarks)])
        )
        return 0
    header = ("seeds", "detectable", f"power at {arguments.effect:g}")
    blocks = [
        "\n".join(map(printable, setting.sources)),
        _deviations(setting),
        aligned([header, *rows]),
        "\n".join(map(printable, remarks)),
    ]
    sys.stdout.write("\n\n".join(blocks) + "\n")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not 0 < arguments.effect <= 100:
        raise UserError(f"--effect is {arguments.effect:g}; expected points of WER above 0, as in 0.5")
    if not 0.05 <= arguments.power <= 0.99:
        raise UserError(f"--power is {arguments.power:g}; expected a share from 0.05 to 0.99")
    if arguments.pairs is not None and arguments.pairs < 1:
        raise UserError(f"--pairs is {arguments.pairs}; expected at least 1")
    for name in ASSUMED:
        value, least = getattr(arguments, name), 2 if name == "speakers" else 0
        if value is not None and not least <= value < 1e6:
            raise UserError(f"--{name.replace('_', '-')} is {value:g}; expected {least} or more")
    for name in ("policy", "baseline", "part"):
        if getattr(arguments, name) is not None and not arguments.runs:
            raise UserError(f"--{name} is {getattr(arguments, name)!r} without --runs; expected both")


def _setting(arguments: argparse.Namespace) -> Setting:
    from specaug.study.comparing.pilot import read_pilot
    from specaug.study.stats.power import Deviations
    from specaug.study.tables.remarks import left_out

    given = {name: getattr(arguments, name) for name in ASSUMED if getattr(arguments, name) is not None}
    part = policies = baseline = "-"
    known, unit = dict(ASSUMED), "speakers"
    pairs, sources, remarks = 1, [], []
    if arguments.runs:
        found = read_pilot(arguments.runs, arguments.policy, arguments.baseline, arguments.part)
        part, policies, baseline, unit = found.part, ", ".join(found.policies), found.baseline, found.unit
        read = found.deviations
        sizes = (found.units, 100 * read.seed, 100 * read.unit, 100 * read.residual)
        known = dict(zip(ASSUMED, sizes, strict=True))
        pairs, remarks = found.pairs, left_out(found.unfinished, found.notes)
        told = f"{policies} less {baseline} on {part}: {found.seeds} seeds, {found.units} {unit}"
        sources += [f"from {', '.join(map(str, arguments.runs))}: {told}", *_doubts(found)]
    assumed = given if arguments.runs else {**known, **given}
    if assumed:
        sources.append(
            "assumed: " + ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in assumed.items())
        )
    known |= given
    deviations = Deviations(*(known[name] / 100 for name in ("seed_sd", "speaker_sd", "residual_sd")))
    return Setting(
        part=part,
        policies=policies,
        baseline=baseline,
        units=int(known["speakers"]),
        unit=unit,
        deviations=deviations,
        pairs=arguments.pairs or pairs,
        sources=tuple(sources),
        left_out=tuple(remarks),
    )


def _doubts(pilot: "Pilot") -> list[str]:
    from specaug.study.stats.power import doubt

    lines = []
    for count, what in ((pilot.seeds, "seeds"), (pilot.units, pilot.unit)):
        low, high = doubt(count)
        lines.append(
            f"rough: with {count} {what} the true deviation may be {low:.1f} to {high:.1f} times as large"
        )
    return lines


def _rows(arguments: argparse.Namespace, setting: Setting) -> list[tuple[str, str, str]]:
    from specaug.study.stats.power import ENDLESS, detectable, power, seeds_needed

    effect, share, pairs = arguments.effect / 100, arguments.power, setting.pairs
    deviations, units = setting.deviations, setting.units
    needed = seeds_needed(deviations, units, effect, share, pairs)
    rows = []
    for seeds in [*sorted({*SEEDS, needed or SEEDS[0]}), ENDLESS]:
        size = 100 * detectable(deviations, seeds, units, share, pairs)
        seen = power(deviations, seeds, units, effect, pairs)
        rows.append(("endless" if seeds == ENDLESS else str(seeds), f"{size:.2f}", f"{seen:.2f}"))
    return rows


def _remarks(arguments: argparse.Namespace, setting: Setting) -> list[str]:
    from specaug.study.stats.power import ENDLESS, MOST_SEEDS, MOST_UNITS, best, seeds_needed, units_needed

    effect, share, pairs = arguments.effect / 100, arguments.power, setting.pairs
    deviations, units, unit = setting.deviations, setting.units, setting.unit
    what = f"a true difference of {arguments.effect:g} in {100 * share:g} % of comparisons"
    least, seeds = best(deviations, units, share, pairs)
    many = "endless" if seeds == ENDLESS else str(seeds)
    if needed := seeds_needed(deviations, units, effect, share, pairs):
        lines = [f"{needed} seeds show {what}."]
    elif least > effect:
        wanted = units_needed(deviations, effect, share, pairs)
        told = f"it takes at least {wanted} {unit}" if wanted else f"more than {MOST_UNITS:,} would be needed"
        lines = [f"No number of seeds shows {what} with {units} {unit}: {told}."]
    else:
        lines = [f"More than {MOST_SEEDS:,} seeds would be needed to show {what}."]
    correction = "" if pairs == 1 else f", corrected (Holm) as the strictest of {pairs} pairs"
    return [
        *lines,
        f"What {units} {unit} allow at best, with {many} seeds: {100 * least:.2f}.",
        f"Points of WER; verdicts at 95 %{correction}, as `specaug compare` gives them.",
        *setting.left_out,
    ]


def _points(setting: Setting) -> tuple[str, str, str]:
    found = setting.deviations
    return f"{100 * found.seed:.2f}", f"{100 * found.unit:.2f}", f"{100 * found.residual:.2f}"


def _deviations(setting: Setting) -> str:
    from specaug.study.tables.text_table import aligned

    names = ("seed", setting.unit.removesuffix("s"), "rest")
    return aligned([("the difference varies by", "points"), *zip(names, _points(setting), strict=True)])
