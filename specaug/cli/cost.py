"""`specaug plan RECIPE`: what training a recipe will cost."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from specaug.cli.common import refuse
from specaug.cli.runs import RUN
from specaug.errors import UserError

if TYPE_CHECKING:
    from specaug.study.cost.costs import Costs
    from specaug.study.cost.plan import Plan
    from specaug.study.cost.pretrained import PretrainCosts

SEEDS_ALONE = (  # options of the other plan
    *("effect", "power", "pairs", "runs", "policy", "baseline", "part"),
    *("speakers", "seed_sd", "speaker_sd", "residual_sd"),
)
COLUMNS = ("quantity", "value", "unit")
HOUR = 3600.0
PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Line(NamedTuple):
    """One quantity: its number in plain units for programs, and as people read it."""

    quantity: str
    value: int | float
    unit: str
    told: str


def cost(arguments: argparse.Namespace) -> int:
    """Print what a recipe will cost."""
    from specaug.study.cost.machines import named
    from specaug.study.cost.plan import planned
    from specaug.study.laboratory import find
    from specaug.study.load import load
    from specaug.study.places import Places
    from specaug.study.screen import Screen
    from specaug.study.tables.text_table import aligned, filled, printable

    for name in SEEDS_ALONE:
        if getattr(arguments, name) is not None:
            raise UserError(
                f"--{name.replace('_', '-')} plans seeds, and {arguments.recipe} cost; expected one of them"
            )
    machine = None if arguments.gpus is None else named(arguments.gpus)
    refuse(arguments.overrides, "train", RUN)
    recipe = load(arguments.recipe, arguments.overrides)
    places = Places.of(find(arguments.recipe), arguments.data)
    with Screen(1) as screen:
        plan = planned(recipe, places, machine, screen.loading)
    lines, told = lines_of(plan), remarks(plan)
    if arguments.format == "tsv":
        rows = [COLUMNS, *((line.quantity.strip(), f"{line.value:.10g}", line.unit) for line in lines)]
        text = ["\t".join(row) for row in rows] + [f"# {printable(remark)}" for remark in told]
        sys.stdout.write("".join(f"{line}\n" for line in text))
        return 0
    heading = printable(f"{arguments.recipe} on {plan.machine.name}: {recipe.network.path}")
    table = aligned([(line.quantity, line.told) for line in lines])
    sys.stdout.write(f"{heading}\n\n{table}\n\n{filled(map(printable, told))}\n")
    return 0


def lines_of(plan: "Plan") -> list[Line]:
    """The quantities of a plan."""
    from specaug.study.cost.memory import GRADIENT, MOMENTS, WEIGHT, largest, states, unit_of

    need, count, options = plan.need, plan.parameters, plan.recipe.training
    seconds = sum(plan.lengths.train) * plan.recipe.features.shift
    extra = states(options) - WEIGHT - GRADIENT - MOMENTS
    first = plan.pretrained
    in_all = [duration("time of all runs and pretrainings", plan.everything)] if first else []
    copies = [memory("  copies of the weights", count * extra)] if extra else []
    return [
        whole("parameters", count),
        whole("training utterances", len(plan.lengths.train)),
        duration("training speech", seconds),
        whole("steps of an epoch", len(plan.shares)),
        whole("epochs", plan.epochs),
        whole("steps of a run", plan.steps),
        Line("FLOPs of a step", plan.flops, "FLOP", scaled(plan.flops, "FLOP")),
        Line("bytes moved by a step", plan.moved, "bytes", scaled(plan.moved, "B")),
        Line("time of a step", plan.step, "seconds", f"{plan.step:.3g} s"),
        duration("time of a run", plan.run),
        duration("  evaluation in it", plan.evaluation),
        whole("runs", plan.runs),
        duration("time of all runs, one by one", plan.runs * plan.run),
        whole("runs at a time", plan.beside),
        duration("time of all runs", plan.all_runs),
        *in_all,
        whole("utterances at once", plan.at_once),
        memory("memory of a process", need.of(plan.at_once)),
        memory("  weights", count * WEIGHT),
        memory("  gradients", count * GRADIENT),
        memory("  Adam's moments", count * MOMENTS),
        *copies,
        memory("  activations", need.of(plan.at_once) - need.weights),
        memory("memory that a process may take", plan.room),
        whole("largest batch that fits", largest(options, plan.lengths.longest, plan.most), unit_of(options)),
        memory("features on disk", plan.storage),
        *(lines_of_pretrainings(first) if first else []),
    ]


def lines_of_pretrainings(costs: "PretrainCosts") -> list[Line]:
    """What the pretrainings add that the runs begin with."""
    from specaug.study.cost.memory import largest, unit_of

    options, longest = costs.recipe.training, costs.lengths.longest
    return [
        whole("pretrainings", costs.runs),
        whole("  parameters pretrained", costs.parameters),
        whole("  utterances of a pretraining", len(costs.lengths.train)),
        whole("  epochs of a pretraining", costs.epochs),
        whole("  steps of a pretraining", costs.steps),
        Line("  time of its step", costs.step, "seconds", f"{costs.step:.3g} s"),
        duration("  time of a pretraining", costs.run),
        duration("  time of all pretrainings", costs.all_runs),
        memory("  memory of a pretraining", costs.need.of(costs.at_once)),
        whole("  largest batch of it that fits", largest(options, longest, costs.most), unit_of(options)),
        memory("  its features on disk", costs.storage),
    ]


def remarks(plan: "Plan") -> list[str]:
    """What a reader has to know of the numbers."""
    from specaug.study.plural import counted

    lines, text = doubts(plan), plan.recipe.text
    if text.pieces:
        lines.append("word pieces of 4 characters are assumed.")
    if text.classes:
        lines.append(f"{text.labels - 1} classes are assumed; training counts those of the corpus.")
    if first := plan.pretrained:
        told = [line for line in doubts(first) if line not in lines]
        if first.too_short:
            few = counted(first.too_short, "utterance")
            told.append(f"left out, being too short for what is hidden: {few}.")
        lines += [f"pretraining {first.name}: {line}" for line in told]
    more = ["beam searches and language models"] if plan.recipe.decodings else []
    if plan.recipe.training.devices > 1:
        more.append("what processes tell each other")
    return [*lines, *idle(plan), *([f"not counted: {', '.join(more)}."] if more else [])]


def idle(plan: "Plan") -> list[str]:
    """How many of the GPUs the runs take at a time, where that is not all; and how a run would take all of them."""
    from specaug.study.plural import counted

    options, there = plan.recipe.training, plan.machine.devices
    used = plan.beside * options.devices
    if plan.machine.shared or used == there:
        return []
    by = f"by {counted(plan.beside, 'run')} at a time with training.devices={options.devices}"
    told = f"used: {used} of the {there} GPUs, {by}"
    shares = -(-options.devices * options.accumulate // there)
    try:
        replace(options, devices=there, accumulate=shares)
    except ValueError:  # fewer utterances than GPUs
        return [f"{told}."]
    return [f"{told}; a run takes all with training.devices={there} training.accumulate={shares}."]


def doubts(costs: "Costs") -> list[str]:
    """What is assumed, how fast this machine was, and whether a batch fits."""
    from specaug.study.cost.costs import LAUNCH, STREAMED, USED
    from specaug.study.cost.memory import too_large

    options, machine = costs.recipe.training, costs.machine
    lines = [costs.lengths.assumed] if costs.lengths.assumed else []
    if costs.need.of(costs.at_once) > costs.room:
        lines.append(f"does not fit: {too_large(costs.need, options, costs.lengths.longest, machine)}")
    if kind := machine.kind:
        used = f"{100 * USED:.0f} % of the peak of {scaled(kind.peak(options.precision), 'FLOP/s')} in {options.precision}"
        rest = (
            f"{100 * STREAMED:.0f} % of {scaled(kind.bandwidth, 'B/s')}, {1e6 * LAUNCH:.0f} us an operation"
        )
        lines.append(f"assumed, not measured: {used}, {rest} ({kind.sheet}).")
    elif costs.timed:
        rate = scaled(costs.timed.rate(costs.laws["flops"]), "FLOP/s")
        cut = "" if costs.timed.whole else ", on smaller batches than training has"
        lines.append(f"measured here: {rate} in the passes of {len(costs.timed.shapes)} batches{cut}.")
    return lines


def whole(quantity: str, value: int, unit: str = "") -> Line:
    """A number of things."""
    return Line(quantity, value, unit, f"{value:,} {unit}".rstrip())


def duration(quantity: str, seconds: int | float) -> Line:
    """A time in hours."""
    return Line(quantity, seconds / HOUR, "hours", hours(seconds))


def memory(quantity: str, size: int | float) -> Line:
    """A size in bytes, told in GiB."""
    from specaug.study.cost.memory import gib

    return Line(quantity, size, "bytes", gib(size))


def hours(seconds: int | float) -> str:
    """A time in hours, in three digits.

    >>> hours(5400), hours(36), hours(3.6e6)
    ('1.5 h', '0.01 h', '1,000 h')
    """
    value = seconds / HOUR
    return f"{value:,.0f} h" if value >= 100 else f"{value:.3g} h"


def scaled(value: int | float, unit: str) -> str:
    """A number with the prefix that leaves one to three digits before the point.

    >>> scaled(1.234e10, "FLOP"), scaled(12, "B")
    ('12.3 GFLOP', '12 B')
    """
    size, prefix = next(((size, prefix) for size, prefix in PREFIXES if value >= size), (1.0, ""))
    return f"{value / size:.3g} {prefix}{unit}"


def chosen(arguments: argparse.Namespace, others: Sequence[str]) -> bool:
    """Whether cost is planned: a recipe is given. Raises UserError where neither it nor --effect is, or they are mixed."""
    if arguments.recipe is not None:
        return True
    if arguments.effect is None:
        raise UserError("nothing to plan: expected a RECIPE, whose cost is planned, or --effect, for seeds")
    for name in others:
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name} is for the cost of a RECIPE; expected one, or --effect alone")
    return False
