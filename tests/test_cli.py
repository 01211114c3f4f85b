import subprocess
import sys

import pytest

from specaug import cli

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


def test_help_names_every_verb_and_shows_examples(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(verb in said for verb in ("train", "ablate", "compare", "data", "init", "keep", "tables"))
    assert "specaug ablate experiments/" in said


@pytest.mark.parametrize("verb", ["train", "ablate"])
def test_print_config_prints_a_recipe_of_the_same_run(tiny, tmp_path, capsys, verb):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main([verb, recipe, "policy=LD", "--print-config"]) == 0
    first = capsys.readouterr().out
    (tmp_path / "printed.yaml").write_text(first)
    assert cli.main([verb, str(tmp_path / "printed.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == first


def test_policies_and_seeds_of_an_ablation_go_before_the_recipes(tiny, capsys):
    recipe = str(tiny / "experiments" / "tiny.yaml")
    assert cli.main(["ablate", recipe, "--policies", "SM", "--seeds", "4,5", "--print-config"]) == 0
    assert "policies:\n- name: SM\n  scale: 1.0\nseeds:\n- 4\n- 5\n" in capsys.readouterr().out


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
def test_a_mistake_in_the_command_ends_with_status_2_and_its_usage(capsys, arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("usage: specaug")


@pytest.mark.parametrize("kept", [True, False], ids=["whole", "damaged"])
def test_data_check_prints_each_problem_and_says_so_by_its_status(laboratory, capsys, kept):
    manifest = laboratory / "data" / "train.jsonl"
    if not kept:
        manifest.write_text(manifest.read_text().replace('"cab"', '"c7b"') + "{}\n")
    assert cli.main(["data", "check", str(manifest), "--alphabet", " abc"]) == (0 if kept else 2)
    problems = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in problems] == ([] if kept else [f"{manifest}:7", f"{manifest}:6"])


def test_data_make_counts_the_utterances_of_each_part(laboratory, capsys):
    assert cli.main(["data", "make", str(laboratory / "experiments" / "tiny.yaml")]) == 0
    lines = [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [["train", "6 utterances"], ["dev", "2 utterances"], ["test", "2 utterances"]]
    assert not (laboratory / "runs" / "tiny").exists()


def test_a_message_of_several_lines_is_made_one(capsys):
    assert cli.complain("first\n  second", 2) == 2
    assert capsys.readouterr().err == "specaug: first second\n"
