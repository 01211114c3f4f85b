"""Runs that make the pretraining of their own seed first."""

import base64
import hashlib
import json
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import deaths
import pytest
import torch
from conftest import lay_out
from filelock import FileLock
from pretrained import recipe_in

from specaug import cli
from specaug.errors import UserError
from specaug.study.comparing.systems import systems
from specaug.study.load import as_yaml, load, load_as, plain, validated
from specaug.study.loggers import OFFLINE
from specaug.study.places import Places
from specaug.study.pretraining import first
from specaug.study.pretraining.recipe import Pretraining
from specaug.study.pretraining.results import read_pretraining
from specaug.study.pretraining.run import PretrainRun
from specaug.study.recipe import Network, Pretrained, Recipe, run_id
from specaug.study.results import begun_with, find_runs
from specaug.study.run import Run, execute
from specaug.study.turns import picked
from specaug.training.callbacks import Progress, Report

NETWORK = "{path: models.ast.ASTCTC, arguments: {width: 12, depth: 2, heads: 2, frames: 64}"
BEGUN = f"""extends: tiny.yaml
network: {NETWORK}, pretraining: {{recipe: pretraining/tiny.yaml}}}}
"""
COUNTED = """import os
from pathlib import Path

from models.ssast import SSAST


class Counted(SSAST):
    def loss(self, *given, **named):
        with Path(os.environ["COUNTED"]).open("a") as file:
            file.write(f"{os.getpid()}\\n")
        return super().loss(*given, **named)
"""
STEPS = 12  # of a pretraining


def with_recipes(lab: Path) -> Path:
    recipe_in(lab)
    (lab / "experiments" / "begun.yaml").write_text(BEGUN)
    return lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """A laboratory whose recipe begins with a pretraining."""
    return with_recipes(lay_out(tmp_path_factory.mktemp("begun") / "laboratory"))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(first, "POLL", 0.02)


def command(lab: Path, runs: Path, *words: str, verb: str = "train", recipe: str = "begun.yaml") -> list[str]:
    path = str(lab / "experiments" / recipe)
    return [verb, path, *words, "--runs", str(runs), "--logger", "none"]


def run_of(lab: Path, runs: Path, *overrides: str) -> Run:
    recipe = load(lab / "experiments" / "begun.yaml", overrides).run()
    return Run("begun", recipe, Places.of(lab, None, runs))


def pretraining_of(run: Run) -> PretrainRun:
    found = first.pretraining_of(run.recipe, run.places)
    assert found is not None
    return found


def weights(path: Path) -> dict[str, list[float]]:
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: tensor.flatten().tolist() for name, tensor in state.items()}


def left(run: Run) -> tuple[Any, ...]:
    """What a run and its pretraining leave, but for times."""
    result = json.loads((run.folder / "result.json").read_text())
    del result["wall_seconds"]
    encoder = (pretraining_of(run).folder / "encoder.safetensors").read_bytes()
    return encoder, weights(run.folder / "last.ckpt"), (run.folder / "hypotheses.jsonl").read_bytes(), result


@pytest.fixture(scope="module")
def finished(lab, tmp_path_factory) -> Path:
    """The runs folder of a run of seed 0, undisturbed."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        assert cli.main(command(lab, runs)) == 0
    return runs


def test_a_run_makes_its_pretraining_starts_from_it_and_says_which(lab, finished):
    run = run_of(lab, finished)
    before = pretraining_of(run)
    result = json.loads((run.folder / "result.json").read_text())
    assert before.folder.parent == finished / "pretraining" / "tiny"
    assert result["network"]["pretraining"] == {"name": "tiny", "run": before.id}
    content = (before.folder / "encoder.safetensors").read_bytes()
    assert result["network"]["init_sha256"] == hashlib.sha256(content).hexdigest()
    assert load(run.folder / "recipe.yaml").run() == run.recipe


def test_its_page_shows_the_pretraining_while_that_is_at_hand(lab, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "runs")
    words = ["report", str(tmp_path / "runs" / "begun"), "--laboratory", str(lab), "--utterances", "0"]
    assert cli.main([*words, "--out", str(tmp_path / "with.html")]) == 0
    result = json.loads(next((tmp_path / "runs" / "pretraining").glob("*/*/result.json")).read_text())
    page = (tmp_path / "with.html").read_text()
    told = page[page.index('<section id="pretraining">') :]
    assert all(f"{result['final'][name]:.4f}" in told for name in ("loss", "contrastive", "retrieval"))
    picture = next((tmp_path / "runs" / "pretraining").glob("*/*/reconstructions.png")).read_bytes()
    assert base64.b64encode(picture).decode() in told
    shutil.rmtree(tmp_path / "runs" / "pretraining")
    assert cli.main([*words, "--out", str(tmp_path / "without.html")]) == 0
    assert '<section id="pretraining">' not in (tmp_path / "without.html").read_text()


def test_a_pretraining_that_an_older_version_finished_is_begun_with_and_found_by_the_id_that_it_has(
    lab, finished, tmp_path
):
    shutil.copytree(finished / "pretraining", tmp_path / "pretraining")
    today = pretraining_of(run_of(lab, tmp_path)).folder
    older = today.rename(today.with_name("seed-0-0123456789ab"))
    assert cli.main(command(lab, tmp_path)) == 0
    assert not today.exists()
    (result,) = find_runs([tmp_path]).finished
    assert result.pretraining == ("tiny", "0123456789ab")
    assert begun_with(result) == older


def test_the_page_of_kept_runs_shows_the_pretraining_that_is_kept_beside_them(lab, finished, tmp_path):
    for name in ("begun", "pretraining/tiny"):
        assert cli.main(["keep", str(finished / name), str(tmp_path / name)]) == 0
    told = ["report", str(tmp_path / "begun"), "--laboratory", str(lab), "--utterances", "0"]
    assert cli.main([*told, "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert base64.b64encode(next(tmp_path.rglob("reconstructions.png")).read_bytes()).decode() in page
    assert not list(tmp_path.rglob("*.safetensors"))


def test_by_itself_it_is_called_what_the_runs_call_it_that_begin_with_it(lab, finished):
    run = run_of(lab, finished)
    assert read_pretraining(pretraining_of(run).folder).start == run.recipe.network.start


def test_it_is_the_one_that_the_command_makes_of_the_same_recipe_and_is_found_finished(lab, finished, capsys):
    path = lab / "experiments" / "pretraining" / "tiny.yaml"
    run = pretraining_of(run_of(lab, finished))
    before = (run.folder / "result.json").stat().st_mtime_ns
    assert cli.main(["pretrain", str(path), "--runs", str(finished)]) == 0
    assert capsys.readouterr().out == f"{run.folder / 'encoder.safetensors'}\n"
    assert (run.folder / "result.json").stat().st_mtime_ns == before


def test_a_run_that_finds_its_pretraining_finished_has_the_bits_of_the_one_that_made_it(
    lab, finished, tmp_path
):
    shutil.copytree(finished / "pretraining", tmp_path / "pretraining")
    assert cli.main(command(lab, tmp_path)) == 0
    assert left(run_of(lab, tmp_path)) == left(run_of(lab, finished))


@pytest.mark.slow
def test_killed_amid_pretraining_and_started_again_it_has_the_same_bits(lab, finished, tmp_path):
    fast = {"WANDB_MODE": "disabled"}
    assert deaths.killed("pretraining", command(lab, tmp_path), fast) == -signal.SIGKILL
    run = run_of(lab, tmp_path)
    assert (pretraining_of(run).folder / "last.ckpt").is_file()
    assert not run.folder.exists()
    assert cli.main(command(lab, tmp_path)) == 0
    assert left(run) == left(run_of(lab, finished))


def test_no_worker_waits_for_a_pretraining_while_there_is_other_work(lab, finished, tmp_path):
    path, places = lab / "experiments" / "begun.yaml", Places.of(lab, None, tmp_path)
    runs = [Run("begun", one, places) for one in load(path).runs()]
    waiting, busy = deque(runs), []
    for _ in runs:
        busy.append(picked(waiting, busy[-1:]))
    names = [(run.recipe.seed, run.recipe.policy.label) for run in busy]
    assert names == [(0, "None"), (1, "None"), (0, "LD x 0.1"), (1, "LD x 0.1")]
    assert picked(deque(runs[1:2]), runs[:1]) is runs[1]  # where there is none, it waits
    places = Places.of(lab, None, finished)
    made = [Run("begun", one, places) for one in load(path).runs()]
    assert picked(deque(made[1:]), made[:1]) is made[1]
    plain = [Run("tiny", one, places) for one in load(lab / "experiments" / "tiny.yaml").runs()]
    assert picked(deque(plain[1:]), plain[:1]) is plain[1]


@pytest.mark.slow
def test_seeds_have_encoders_of_their_own_and_workers_that_want_one_make_it_once(
    laboratory, tmp_path, monkeypatch
):
    with_recipes(laboratory)
    (laboratory / "models" / "counted.py").write_text(COUNTED)
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    runs = tmp_path / "runs"
    words = ("network.pretraining.overrides=[objective.path=models.counted.Counted]", "--workers", "2")
    assert cli.main(command(laboratory, runs, *words, verb="ablate")) == 0
    results = [json.loads(path.read_text()) for path in runs.glob("begun/*/result.json")]
    started = {(one["seed"], one["network"]["init_sha256"]) for one in results}
    assert (len(results), len(started), len({digest for _, digest in started})) == (4, 2, 2)
    assert len(list(runs.glob("pretraining/tiny/*/result.json"))) == 2
    calls = (tmp_path / "counted").read_text().split()
    counts = {pid: calls.count(pid) for pid in set(calls)}
    looked = counts.pop(str(os.getpid()))  # before any worker: at the first run
    assert sum(counts.values()) < 2 * (STEPS + looked) + STEPS
    (found,) = systems(find_runs([runs]).finished)  # one, however many encoders
    assert len(found[1]) == 4


class Gone(Exception):  # noqa: N818 (not an error)
    """What an attempt hears that is no longer wanted."""


def going(at: Progress) -> None:
    if at.epoch > 2:
        assert at.stage == "pretraining"
        raise Gone


def test_an_attempt_goes_on_from_the_checkpoint_of_one_that_went_and_leaves_nothing_of_it(
    lab, finished, tmp_path, monkeypatch
):
    monkeypatch.setattr(Report, "INTERVAL", 0.0)
    run = run_of(lab, tmp_path)
    with pytest.raises(Gone):
        execute(run, OFFLINE, training=going, attempt="try-1")
    before = pretraining_of(run)
    (own,) = before.folder.parent.glob(f"{before.folder.name}.*")
    assert own.name == f"{before.folder.name}.begun-try-1"
    seen: list[Progress] = []
    execute(run, OFFLINE, training=seen.append, attempt="try-2")
    assert next(at.epoch for at in seen) == 3
    assert left(run) == left(run_of(lab, finished))
    assert [path.name for path in before.folder.parent.iterdir() if path.is_dir()] == [before.folder.name]


def waiting(run: Run, attempt: str, heard: Callable[[Progress], None]) -> None:
    """Make a run's pretraining while another process has the turn."""
    folder = pretraining_of(run).folder
    folder.parent.mkdir(parents=True)
    with FileLock(folder.parent / f".{folder.name}.turn"):
        first.made(run.recipe, run.places, OFFLINE, lambda *_: None, heard, attempt, lambda _: None)


def test_whoever_finds_another_at_it_waits_until_that_is_finished_and_says_so(lab, finished, tmp_path):
    run, heard = run_of(lab, tmp_path), []

    def hear(at: Progress) -> None:
        heard.append(at)
        if len(heard) == 3:
            shutil.copytree(pretraining_of(run_of(lab, finished)).folder, pretraining_of(run).folder)

    waiting(run, "s-try-1", hear)
    assert [at.place for at in heard] == ["pretraining, by another process"] * 3


def test_an_attempt_does_not_wait_for_one_that_gives_no_sign_of_life_and_a_run_without_one_does(
    lab, tmp_path, monkeypatch
):
    monkeypatch.setattr(first, "SILENT", -1.0)
    run = run_of(lab, tmp_path)
    waiting(run, "s-try-1", lambda at: None)
    assert pretraining_of(run).finished
    other = run_of(lab, tmp_path / "other")

    def patient(at: Progress) -> None:
        assert at is first.WAITING
        raise Gone

    with pytest.raises(Gone):
        waiting(other, "", patient)


def test_signs_of_life_are_judged_by_how_long_nothing_was_new(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(first.time, "monotonic", lambda: clock[0])
    life = first.Life(tmp_path / "life")
    clock[0] = 50.0
    assert not life.silent()
    life.show()
    clock[0] = 100.0
    assert not life.silent()  # it is new
    clock[0] = 150.0
    assert not life.silent()
    clock[0] = 170.0
    assert life.silent()
    os.utime(tmp_path / "life", (1, 1))  # by the clock of another machine
    assert not life.silent()


def test_while_the_command_is_at_it_a_run_waits(lab, finished, tmp_path):
    run = run_of(lab, tmp_path)
    before = pretraining_of(run)
    shutil.copytree(pretraining_of(run_of(lab, finished)).folder, before.folder)
    (before.folder / "result.json").rename(tmp_path / "aside")

    def hear(_: Progress) -> None:
        (tmp_path / "aside").rename(before.folder / "result.json")

    with FileLock(before.folder / ".lock"):
        first.made(run.recipe, run.places, OFFLINE, lambda *_: None, hear, "", lambda _: None)
    assert before.finished


def test_a_run_that_was_finished_before_there_was_such_a_key_is_found_again(lab, tmp_path):
    run = load(lab / "experiments" / "tiny.yaml").run()
    printed = as_yaml(run)
    assert printed.count("  pretraining: null\n") == 1
    folder = tmp_path / "tiny" / "None-seed-0-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(printed.replace("  pretraining: null\n", ""))
    (folder / "result.json").touch()
    assert Run("tiny", run, Places.of(lab, None, tmp_path)).folder == folder


def test_what_a_network_starts_from_is_told_by_name_and_content(lab):
    begun = lab / "experiments" / "begun.yaml"
    one, other, plain = (
        load(begun),
        load(begun, ["network.pretraining.overrides=[choose=contrastive]"]),
        Network(),
    )
    assert one.network.start.startswith("tiny-")
    assert one.network.start != other.network.start
    assert (plain.start, Network(init="a").start) == ("none", "a")


def ids(path: Path, *overrides: str) -> list[str]:
    return [run_id(run) for run in load(path, overrides).runs()]


def test_the_id_of_a_run_is_of_what_the_pretraining_is_and_not_of_where_it_lies(lab, tmp_path):
    elsewhere = tmp_path / "laboratory"
    shutil.copytree(lab / "experiments", elsewhere / "experiments")
    begun, moved = (folder / "experiments" / "begun.yaml" for folder in (lab, elsewhere))
    (elsewhere / "experiments" / "pretraining" / "tiny.yaml").rename(elsewhere / "mine.yaml")
    moved.write_text(BEGUN.replace("pretraining/tiny", "../mine"))
    assert ids(begun) == ids(moved)
    assert not set(ids(begun)) & set(ids(begun, "network.pretraining.overrides=[hidden.share=0.5]"))
    assert not set(ids(begun)) & set(ids(lab / "experiments" / "tiny.yaml", f"network={NETWORK}}}"))
    assert ids(begun) == ids(begun, "network.pretraining.overrides=[hidden.share=0.6]")
    with (elsewhere / "mine.yaml").open("a") as file:
        file.write("seeds: [7, 8]\n")
    assert ids(begun) == ids(moved)
    with (elsewhere / "mine.yaml").open("a") as file:
        file.write("choose: contrastive\n")
    assert not set(ids(begun)) & set(ids(moved))


def test_a_recipe_prints_all_that_its_pretraining_says(lab, tmp_path):
    recipe = load(lab / "experiments" / "begun.yaml", ["network.pretraining.overrides=[hidden.share=0.5]"])
    (tmp_path / "printed.yaml").write_text(as_yaml(recipe))
    again = load(tmp_path / "printed.yaml")
    assert again == recipe
    told = load(tmp_path / "printed.yaml", ["network.pretraining.overrides=[hidden.share=0.25]"])
    assert told.network.pretraining.content["hidden"]["share"] == 0.25
    assert again.network.pretraining.content["hidden"]["share"] == 0.5
    raw = plain(recipe)
    raw["network"]["pretraining"]["overrides"] = ["hidden.share=0.25"]
    assert validated(raw, "given").network == told.network
    assert raw["network"]["pretraining"]["content"]["hidden"]["share"] == 0.5


def test_a_recipe_that_has_gained_a_key_of_pretraining_is_the_run_that_it_was(lab):
    run = run_of(lab, lab / "runs").recipe
    raw = plain(run)
    del raw["network"]["pretraining"]["content"]["choose"]
    assert run_id(validated(raw, "older").run()) == run_id(run)


def test_a_child_takes_over_the_pretraining_of_a_parent_in_another_folder(lab, tmp_path):
    parent = os.path.relpath(lab / "experiments" / "begun.yaml", tmp_path)
    (tmp_path / "child.yaml").write_text(f"extends: {parent}\nseeds: [3]\n")
    child = load(tmp_path / "child.yaml")
    assert child.network == load(lab / "experiments" / "begun.yaml").network


@pytest.mark.parametrize(
    ("pretrained", "corpus", "folds"),
    [
        pytest.param("{name: fsdd, fold: 2}", "fsdd", {0: 0, 1: 1}, id="both"),
        pytest.param("{name: esc50, fold: 2, only_10: true}", "esc50", {0: 0, 4: 4}, id="of ESC-10"),
        pytest.param("{name: fsdd, fold: 2}", "esc50", {0: 2, 2: 2, 4: 2}, id="of another corpus"),
        pytest.param("{name: fsdd, fold: 2}", "spoken", {None: 2}, id="of its own alone"),
        pytest.param("spoken", "fsdd", {0: None, 2: None}, id="of the run alone"),
        pytest.param("{name: fsdd, speakers: known}", "{name: fsdd, speakers: known}", {None: 0}, id="none"),
    ],
)
def test_the_pretraining_has_the_fold_of_the_run_where_both_are_of_one_corpus(
    tmp_path, pretrained, corpus, folds
):
    (tmp_path / "p.yaml").write_text(f"{{corpus: {pretrained}, seed: 5}}")
    (tmp_path / "e.yaml").write_text(
        f"{{corpus: {corpus}, seed: 3, network: {{pretraining: {{recipe: p.yaml}}}}}}"
    )
    mine = load_as(Pretraining, tmp_path / "p.yaml", ["seed=3"]).run()
    for fold, expected in folds.items():
        said = [] if fold is None else [f"corpus.fold={fold}"]
        found = first.pretraining_of(load(tmp_path / "e.yaml", said).run(), Places.of(tmp_path))
        assert found.recipe == replace(
            mine, corpus=mine.corpus if expected is None else replace(mine.corpus, fold=expected)
        )
        assert found.experiment == "p"


@pytest.mark.parametrize("verb", ["train", "ablate"])
@pytest.mark.parametrize(
    ("pretrained", "run", "differs"),
    [
        pytest.param(
            "{name: fsdd, speakers: known}",
            "{name: fsdd, fold: 1}",
            "corpus.speakers is disjoint; expected known, corpus.fold is 1; expected 0",
            id="has heard all",
        ),
        pytest.param(
            "fsdd",
            "{name: fsdd, speakers: known}",
            "corpus.speakers is known; expected disjoint",
            id="has heard in dev what is tested",
        ),
    ],
)
def test_a_pretraining_of_another_split_is_one_line_before_it_is_made(
    lab, tmp_path, capsys, verb, pretrained, run, differs
):
    words = (f"network.pretraining.overrides=['corpus={pretrained}']", f"corpus={run}")
    assert cli.main(command(lab, tmp_path / "runs", *words, verb=verb)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"specaug: network.pretraining: tiny: pretrained on what is tested here: {differs}, or" in said
    assert not list((tmp_path / "runs").glob("*/*/*"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param(
            ["network.pretraining.recipe=pretraining/tinny.yaml"],
            "pretraining/tinny.yaml: no such recipe; did you mean 'tiny.yaml'?",
            id="file",
        ),
        pytest.param(
            ["network.init=a"],
            "begun.yaml: network: init is a, and there is a pretraining; expected one of the two",
            id="init",
        ),
        pytest.param(
            ["network.pretraining.overrides=[hidden.shar=0.5]"],
            "pretraining/tiny.yaml: unknown key 'hidden.shar'; did you mean 'share'?",
            id="key",
        ),
        pytest.param(
            ["network.pretraining.overrides=[hidden.share=1.0]"], "hidden: share is 1.0; expected", id="all"
        ),
        pytest.param(
            ["network.pretraining.overrides=[hidden.share=0.01]"],
            "share 0.01 hides 0; expected 1 at least",
            id="none",
        ),
        pytest.param(
            ["network.pretraining.overrides=[hidden]"], "override 'hidden': expected key=value", id="override"
        ),
        pytest.param(
            ["network.pretraining.overrides=[seed=1]"],
            "network.pretraining.overrides has 'seed=1'; the seed is the run's own",
            id="seed",
        ),
        pytest.param(
            ["network.pretraining.reciep=a"],
            "unknown key 'network.pretraining.reciep'; did you mean 'recipe'?",
            id="name",
        ),
        pytest.param(
            ["network.pretraining.content={seed: 1}"],
            "tiny.yaml'; expected a name beside content, or a file alone",
            id="content",
        ),
        pytest.param(
            ["network.path=models.bilstm.BiLSTMCTC", "network.arguments={width: 8, depth: 1}"],
            "network.pretraining is tiny; expected a network that has an encoder, and models.bilstm.BiLSTMCTC",
            id="no encoder",
        ),
        pytest.param(
            ["network.arguments.width=6"],
            "network.pretraining: tiny: of another encoder: width 12, expected 6",
            id="width",
        ),
        pytest.param(
            ["features.mel=64"],
            "of another encoder: mel channels 32, expected 64; channels of a patch (f) 32, expected 64",
            id="mel",
        ),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(lab, tmp_path, capsys, overrides, message):
    words = command(lab, tmp_path / "runs", *overrides, "policies=None", "seeds=0", verb="ablate")
    assert cli.main(words) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("specaug: ")
    assert message in said[-1]
    assert not list((tmp_path / "runs").glob("*/*/*"))


def test_a_pretraining_that_was_not_read_is_a_mistake_of_ours(tmp_path):
    recipe = Recipe(network=Network(pretraining=Pretrained(recipe="a.yaml")))
    with pytest.raises(ValueError, match=r"network.pretraining.recipe a.yaml was not read; expected its"):
        first.pretraining_of(recipe, Places.of(tmp_path))


def test_its_data_are_looked_at_before_it_is_made(laboratory, capsys):
    with_recipes(laboratory)
    words = "network.pretraining.overrides=[corpus.dev=data/no.jsonl]"
    assert cli.main(command(laboratory, laboratory / "runs", words)) == 2
    assert "data/no.jsonl: no such file" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"data/no\.jsonl: no such file"):
        execute(run_of(laboratory, laboratory / "runs", words))
