import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import optuna
import pytest

from specaug import cli
from specaug.cli import EXAMPLES, UNREAD
from specaug.cli.common import TABLES
from specaug.cli.runs import RUN
from specaug.speech.manifest import KNOWN
from specaug.study.load import load
from specaug.study.recipe import Recipe
from specaug.study.sweep.book import Plan, opened
from specaug.study.sweep.options import Axis, Confirm, Sweep
from specaug.study.sweep.slots import CONFIRM
from specaug.study.sweep.storage import default_storage, open_storage

MAIN = "import sys; from specaug.cli import main; sys.exit(main())"
WATCH = """
import sys
from specaug.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as left:
    status = left.code
slow = {"torch", "lightning", "wandb", "torchaudio", "scipy"} & set(sys.modules)
sys.exit(f"imported {slow}" if slow else status)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["train", "--help"], id="train help"),
        pytest.param(["train", "RECIPE", "--print-config"], id="train"),
        pytest.param(["ablate", "RECIPE", "--print-config"], id="ablate"),
        pytest.param(["train", "RECIPE", "sed=1"], id="mistake"),
    ],
)
def test_help_and_print_config_import_nothing_slow(tiny, arguments):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    command = [sys.executable, "-c", WATCH, *(recipe if a == "RECIPE" else a for a in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "sed=1" in arguments else 0), done.stderr


def test_a_reader_who_has_read_enough_is_no_mistake():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", MAIN, "show", "--policies"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (UNREAD, "")


def test_help_names_every_verb_and_shows_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(verb in said for verb in ("train", "ablate", "compare", "data", "init", "keep", "tables"))
    assert "specaug ablate experiments/" in said


@pytest.mark.parametrize("option", ["--online", "--logger=none"])
@pytest.mark.parametrize("verb", ["sweep status S", "sweep stop S", "data make RECIPE"])
def test_verbs_that_show_no_curves_offer_no_logger(verb, option):
    with pytest.raises(SystemExit) as left:
        cli.parser().parse_args([*cli.sweep.joined(verb.split()), option])
    assert left.value.code == 2


def test_printing_the_config_of_a_corpus_makes_none(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SPECAUG_CACHE", str(tmp_path / "cache"))
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert (
        cli.main(["data", "make", recipe, "features.mel=40", "--runs", str(tmp_path), "--print-config"]) == 0
    )
    assert "mel: 40" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"specaug {version('specaug')}\n"


def test_every_example_of_the_help_is_a_command_that_is_understood():
    for line in EXAMPLES.splitlines()[1:]:
        words = shlex.split(re.split(r"\s{2,}", line.strip())[0])
        assert cli.parser().parse_args(cli.sweep.joined(words[1:])).verb


def test_the_example_of_triage_says_whose_errors():
    (words,) = [line.split() for line in EXAMPLES.splitlines() if "triage" in line]
    given = cli.parser().parse_args(words[1:8])
    assert given.policy
    assert given.out


@pytest.mark.parametrize("verb", ["data", "triage"])
def test_a_verb_that_has_verbs_shows_one_in_use(capsys, verb):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    assert f"example:\n  specaug {verb} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "override", "expected"),
    [
        ("ablate", "policy=SM", "policy is for `specaug train`; expected policies=LB,LD or policies="),
        ("ablate", "policy.F=15", "policy is for `specaug train`; expected policies=LB,LD or policies="),
        ("ablate", "seed=3", "seed is for `specaug train`; expected seeds=0,1"),
        ("train", "policies=SM", "policies is for `specaug ablate`; expected policy=LD"),
        ("train", "seeds=0,1", "seeds is for `specaug ablate`; expected seed=0"),
        ("train", "folds=0,1", "folds is for `specaug ablate`; expected corpus.fold=0"),
        ("data make", "folds=0,1", "folds is for `specaug ablate`; expected corpus.fold=0"),
    ],
)
def test_an_override_that_a_verb_would_pass_over_is_refused(tiny, capsys, verb, override, expected):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main([*verb.split(), recipe, override, "--print-config"]) == 2
    assert capsys.readouterr().err.startswith(f"specaug: override {override!r}: {expected}")


def test_what_is_advised_instead_can_be_said(tiny, capsys):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    words = shlex.split(RUN["policy"].split(" or ")[1])
    assert cli.main(["ablate", recipe, *words, "--print-config"]) == 0
    assert "policies:\n- name: LD\n  F: 15\n" in capsys.readouterr().out


@pytest.mark.parametrize(("verb", "override"), [("train", "policy=LD"), ("ablate", "policies=LD")])
def test_print_config_prints_a_recipe_of_the_same_run(tiny, tmp_path, capsys, verb, override):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main([verb, recipe, override, "--print-config"]) == 0
    first = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(first)
    assert cli.main([verb, str(tmp_path / "printed.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == first


def test_policies_and_seeds_of_an_ablation_go_before_the_recipes(tiny, capsys):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main(["ablate", recipe, "--policies", "SM", "--seeds", "4,5", "--print-config"]) == 0
    assert "policies:\n- name: SM\nseeds:\n- 4\n- 5\n" in capsys.readouterr().out


def test_overrides_may_stand_behind_an_option(tiny, capsys):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main(["train", recipe, "--print-config", "seed=9"]) == 0
    assert "\nseed: 9\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no verb"),
        pytest.param(["trian"], id="unknown verb"),
        pytest.param(["train", "r.yaml", "--sedes", "1"], id="unknown option"),
        pytest.param(["init", "a", "b"], id="too many"),
    ],
)
def test_a_mistake_in_the_command_is_told_in_one_line_with_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("specaug: ")


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser and those of its verbs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                yield from parsers(verb)


NEEDING = [one for one in parsers(cli.parser()) if any(a.required and a.nargs != "*" for a in one._actions)]


@pytest.mark.parametrize("parser", NEEDING, ids=lambda one: one.prog)
def test_a_verb_alone_is_told_the_first_thing_that_it_needs_and_what_that_is(capsys, parser):
    with pytest.raises(SystemExit) as left:
        parser.parse_args([])
    assert left.value.code == 2
    assert re.fullmatch(
        r"specaug: no [A-Z|]+; expected (a|one of|folders|Label|the) .+\n", capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("train", "no RECIPE; expected a YAML file in a laboratory"),
        ("reproduce", f"no TABLE; expected one of {', '.join(TABLES)}"),
        ("triage export runs", "no --out; expected a folder for the tasks"),
        ("data convert", "no KIND; expected one of kaldi, lhotse"),
        ("ablate r.yaml --sedes 1", "specaug ablate takes no --sedes 1; did you mean '--seeds'?\n"),
        ("ablate r.yaml --folds 0", "specaug ablate takes no --folds 0; see specaug ablate --help\n"),
        ("init a b", "specaug init takes no b; see specaug init --help\n"),
        ("compre runs", "VERB is 'compre'; did you mean 'compare'?\n"),
        ("compare runs --format tvs", "--format is 'tvs'; did you mean 'tsv'?\n"),
        ("compare runs --pairs 7", "--pairs is '7'; known: all, networks, gains\n"),
        (
            "sweep s.yaml --workers two",
            "argument --workers: invalid int value: 'two'; see specaug sweep --help",
        ),
    ],
)
def test_what_a_command_lacks_is_named(capsys, words, told):
    with pytest.raises(SystemExit):
        cli.main(words.split())
    assert capsys.readouterr().err.startswith(f"specaug: {told}")


@pytest.mark.parametrize("kept", [True, False], ids=["whole", "damaged"])
def test_data_check_prints_each_problem_and_says_so_by_its_status(laboratory, capsys, kept):
    manifest = laboratory / "data" / "train.jsonl"
    if not kept:
        manifest.write_text(manifest.read_text().replace('"cab"', '"c7b"') + "{}\n")
    assert cli.main(["data", "check", str(manifest), "--alphabet", " abc"]) == (0 if kept else 2)
    problems = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in problems] == ([] if kept else [f"{manifest}:7", f"{manifest}:6"])


def test_the_recipe_in_the_help_of_data_check_is_one(laboratory, capsys):
    with pytest.raises(SystemExit):
        cli.main(["data", "check", "--help"])
    said = capsys.readouterr().out
    assert all(f"  {name}" in said for name in KNOWN if name not in ("feature_filepath", "offset", "speaker"))
    recipe = said.partition("experiments/own.yaml:\n")[2]
    (laboratory / "experiments" / "own.yaml").write_text(recipe)
    read = load(laboratory / "experiments" / "own.yaml")
    assert read.corpus == load(laboratory / "experiments" / "tiny.yaml").corpus


def test_data_make_counts_the_utterances_of_each_part(laboratory, capsys):
    assert cli.main(["data", "make", str(laboratory / "experiments" / "tiny.yaml")]) == 0
    lines = [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["train", "6 utterances"], ["dev", "2 utterances"], ["test", "2 utterances"]]
    assert not (laboratory / "runs" / "tiny").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--storage", "postgresql://me:s3cret@host/x"], "--storage 'postgresql://me:***@host/x'"),
        (["--storage=postgresql://me:s3 cret@host/x"], "'--storage=postgresql://me:***@host/x'"),
        (["--storage", "postgresql://me@host/x?password=s3cret"], "'postgresql://me@host/x?password=***'"),
        (["--storage", "postgresql://me:s3cret@host:port/x"], "--storage 'the storage'"),
        (["trials=4"], "trials=4"),
    ],
)
def test_how_to_go_on_after_ctrl_c_is_said_without_passwords(monkeypatch, capsys, words, said):
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("specaug.cli.sweep.sweep", interrupted)
    assert cli.main(["sweep", "s.yaml", *words]) == 130
    told = capsys.readouterr().err
    assert told.startswith("specaug: interrupted; what is done is kept. To go on: specaug sweep s.yaml ")
    assert said in told
    assert "cret" not in told


def test_an_unknown_option_is_named_without_passwords(capsys):
    with pytest.raises(SystemExit):
        cli.main(["sweep", "s.yaml", "--sorage", "postgresql://me:s3cret@host/x"])
    told = capsys.readouterr().err
    assert "takes no --sorage postgresql://me:***@host/x; did you mean '--storage'?" in told


def study_in(runs: Path, top: int = 3) -> optuna.Study:
    """The study of a sweep that nobody has worked at, and which would confirm so many."""
    sweep = Sweep(experiment="e.yaml", space={"W": Axis(low=0, high=80)}, trials=1, confirm=Confirm(top=top))
    url = default_storage(runs / "widths")
    return opened(Plan("widths", Recipe(), sweep), open_storage(url), url)[0]


@pytest.mark.parametrize(
    ("top", "trials", "stages", "over"),
    [
        pytest.param(0, 0, 0, False, id="begun"),
        pytest.param(0, 1, 0, True, id="searched"),
        pytest.param(3, 1, 0, False, id="not confirmed"),
        pytest.param(3, 1, 1, True, id="confirmed"),
        pytest.param(3, 0, 1, False, id="more trials since"),
    ],
)
def test_stop_says_where_nobody_is_left_to_be_stopped(tmp_path, capsys, top, trials, stages, over):
    study = study_in(tmp_path, top)
    for _ in range(trials):
        study.optimize(lambda trial: 0.5, n_trials=1)
    if stages:
        optuna.create_study(storage=study._storage, study_name="stage")
        study.set_user_attr(CONFIRM, "stage")
    words = ["widths", "--runs", str(tmp_path), "--laboratory", str(tmp_path)]
    assert cli.main(["sweep", "stop", *words]) == 0
    finished = "widths: it is finished, and nobody is at it\n"
    assert (capsys.readouterr().out == finished) == over


def test_a_study_that_is_looked_for_in_vain_is_refused_with_the_nearest_and_leaves_no_trace(tmp_path, capsys):
    study_in(tmp_path)
    words = ["--runs", str(tmp_path), "--laboratory", str(tmp_path)]
    assert cli.main(["sweep", "status", "widht", *words]) == 2
    assert re.match(r"specaug: no study 'widht': .*; did you mean 'widths'\?$", capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["widths"]


@pytest.mark.skipif(not Path("/proc/self/mounts").is_file(), reason="no /proc/self/mounts")
def test_who_opens_a_study_on_a_network_disk_is_warned(tmp_path, capsys, monkeypatch):
    study_in(tmp_path)
    words = ["--runs", str(tmp_path), "--laboratory", str(tmp_path)]
    assert cli.main(["sweep", "status", "widths", *words]) == 0
    assert not capsys.readouterr().err
    kinds = {line.split()[2] for line in Path("/proc/self/mounts").read_text().splitlines()}
    monkeypatch.setattr("specaug.study.sweep.storage.NETWORK", tuple(kinds))  # as if this disk were one
    assert cli.main(["sweep", "status", "widths", *words]) == 0
    warned = capsys.readouterr()
    assert warned.err.startswith("specaug: warning: sqlite:///")
    assert "network disk" in warned.err
    assert warned.out.startswith("study widths")


def test_a_message_of_several_lines_is_made_one(capsys):
    assert cli.complain("first\n  second", 2) == 2
    assert capsys.readouterr().err == "specaug: first second\n"
