"""Systems: a network with the way in which it is trained. Policies are compared within one system."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from specaug.errors import UserError
from specaug.study.comparing.comparable import same
from specaug.study.comparing.starts import called, fewest
from specaug.study.load import validated
from specaug.study.recipe import Recipe
from specaug.study.results import RECIPE, Result

Settings = Mapping[str, int | float | str]

NOTHING = "none"  # as recipes spell it
SCHEDULE = ("s_r", "s_i", "s_f", "batch", "peak")  # as they are printed together
NAMING = (
    "s_f",
    "s_i",
    "s_r",
    "peak",
    "batch",
)  # the order in which they tell two systems apart; others follow


@dataclass(frozen=True, slots=True)
class System:
    """A network and how it was trained: the same for all runs of the system, whatever the policy."""

    short: str  # the network as printed: its class, with the arguments that not all networks of it share
    told: str  # the settings by which systems with one network are told apart; empty where none need be
    network: str  # dotted path
    arguments: Mapping[str, Any]
    parameters: int
    settings: Settings  # of training and features, what it started from as printed, and the share of labelled utterances

    @property
    def name(self) -> str:
        """As printed, and no other system of the table has it."""
        return f"{self.short}, {self.told}" if self.told else self.short

    @property
    def built(self) -> str:
        """The dotted path with the arguments."""
        return spelled(self.network, self.arguments)

    @property
    def schedule(self) -> str:
        """The schedule under the paper's symbols (Park et al. 2019, 3.2), with the batch and the peak."""
        return " ".join(f"{key}={self.settings[key]}" for key in SCHEDULE if key in self.settings)

    @property
    def begun(self) -> str:
        """What the weights started from, and what was frozen; else nothing."""
        start, frozen = (str(self.settings.get(key, NOTHING)) for key in ("init", "freeze"))
        told = [f"started from {start}"] if start != NOTHING else []
        return ", ".join([*told, *([f"{frozen} frozen"] if frozen != NOTHING else [])])

    @property
    def share(self) -> str:
        """Of how many training utterances the labels were used; nothing where of all."""
        share = float(self.settings.get("labelled", 1.0))
        return "" if share == 1 else f"{100 * share:.3g} % of the labels"


def systems(results: Sequence[Result]) -> list[tuple[System, list[Result]]]:
    """The systems of some runs, each with its runs: the smaller network first, then the shorter schedule.

    Raises UserError where a recipe cannot be read, one network has different numbers of parameters, or a file to start
    from was another one for some of its runs.
    """
    groups: dict[str, tuple[Settings, list[Result]]] = {}
    for result in results:
        settings = settings_of(result)
        key = json.dumps([result.network, result.arguments, settings], sort_keys=True)
        groups.setdefault(key, (settings, []))[1].append(result)
    starts = called({str(settings["init"]): _pretraining(runs[0]) for settings, runs in groups.values()})
    printed = [
        ({**settings, "init": starts[str(settings["init"])]}, runs) for settings, runs in groups.values()
    ]
    ordered = sorted(printed, key=lambda group: _place(*group))
    found = []
    for names, (settings, runs) in zip(_names(ordered), ordered, strict=True):
        first = runs[0]
        system = System(*names, first.network, first.arguments, first.parameters, settings)
        for run in runs:
            same(first, run, f"parameters of {system.built}", first.parameters, run.parameters)
            if run.pretraining is None:  # of which each run has its own
                same(first, run, f"SHA-256 of network.init {settings['init']}", first.start, run.start)
        found.append((system, runs))
    return found


def settings_of(result: Result) -> Settings:
    """How a run was trained, by the recipe in its folder. Raises UserError where that cannot be."""
    told = {
        key: result.recipe[key] for key in ("training", "features", "network", "text") if key in result.recipe
    }
    return settings_in(validated(told, str(result.folder / RECIPE)))


def settings_in(recipe: Recipe) -> Settings:
    """How a recipe trains."""
    training = asdict(recipe.training)
    schedule = training.pop("schedule")
    if recipe.training.report == "last":
        del training["evaluate_every"]  # what is tested does not depend on it
    start = {
        "init": recipe.network.start,
        "freeze": recipe.network.freeze,
        "labelled": recipe.text.labelled,
    }
    return {**schedule, **training, **asdict(recipe.features), **start}


def _place(settings: Settings, runs: Sequence[Result]) -> tuple[object, ...]:
    first, steps = runs[0], settings["s_f"]
    rest = json.dumps([first.arguments, settings], sort_keys=True)
    return first.parameters, first.network, steps, rest


def _names(groups: Sequence[tuple[Settings, Sequence[Result]]]) -> Iterator[tuple[str, str]]:
    """For each the network as printed, and the settings that tell systems with one network apart."""
    bases = [_base(runs[0], [others[0] for _, others in groups]) for _, runs in groups]
    telling: set[str] = set()
    for base in bases:
        alike = [settings for name, (settings, _) in zip(bases, groups, strict=True) if name == base]
        telling |= set(_telling(base, alike))
    keys = [*(key for key in NAMING if key in telling), *sorted(telling - set(NAMING))]
    for base, (settings, _) in zip(bases, groups, strict=True):
        yield base, " ".join(f"{key}={settings[key]}" for key in keys if key in settings)


def _pretraining(result: Result) -> Mapping[str, Any]:
    """The recipe of the pretraining that a run began with; empty where it made none."""
    network = result.recipe.get("network") or {}
    return (network.get("pretraining") or {}).get("content") or {}


def _base(result: Result, all_of_them: Sequence[Result]) -> str:
    """The class of the network, by its whole path where another's is called the same, and what not all of it share."""
    name = result.network.rpartition(".")[2]
    if len({other.network for other in all_of_them if other.network.rpartition(".")[2] == name}) > 1:
        name = result.network
    alike = [other.arguments for other in all_of_them if other.network == result.network]
    shared = {key for key in result.arguments if len({repr(each.get(key, ...)) for each in alike}) == 1}
    return spelled(name, {key: value for key, value in result.arguments.items() if key not in shared})


def spelled(network: str, arguments: Mapping[str, Any]) -> str:
    """A network and its arguments in one line."""
    return " ".join([network, *(f"{key}={value}" for key, value in arguments.items())])


def _telling(base: str, alike: Sequence[Settings]) -> tuple[str, ...]:
    """The fewest settings, of those that all have, that tell all of these apart."""
    known = [*NAMING, *sorted(set.intersection(*map(set, alike)) - set(NAMING))]
    keys = fewest(known, alike)
    if keys is None:
        raise UserError(
            f"two networks are both called {base}; expected arguments that are printed differently"
        )
    return keys
