import json

import numpy as np
import pytest
from test_results import change, utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.comparing.gathered import gathered

VOICES = {"anna": "f", "bert": "m", "carl": "m", "dora": "f", "emil": "m", "fran": "f"}


def rows(label, seed, fold, rates, count=30):
    """Half of the voices are unseen in each fold, everybody is in dev; each policy has a rate for each gender."""
    chance = np.random.default_rng([seed, fold, sum(map(ord, label))])
    found = []
    for part, voices in (("dev", list(VOICES)), ("unseen", list(VOICES)[fold::2])):
        for voice in voices:
            for i in range(count):
                words, gender = 3 + i % 5, VOICES[voice]
                wrong = int(chance.binomial(words, rates[gender]))
                columns = {"gender": gender, "snr": float(i)} if part == "unseen" else {"gender": gender}
                name = f"{part}-{fold}-{voice}-{i:02}"
                found.append(utterance(part, name, voice, words, wrong, 0, i % 2, **columns))
    return found


RATES = {"None": {"f": 0.3, "m": 0.35}, "LD": {"f": 0.1, "m": 0.65}}


def study(root, rates=RATES, seeds=3, folds=2, count=30):
    """Runs of every policy in `rates`, which gives its rate of errors for each gender."""
    for label, own in rates.items():
        for seed in range(seeds):
            for fold in range(folds):
                spoken = rows(label, seed, fold, own, count)
                write_run(root / f"{label}-{seed}-{fold}", spoken, label, seed, fold)
    return root


def edit(folder, line, **fields):
    """Other fields in one row of a run."""
    file = folder / "hypotheses.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[line] = json.dumps(json.loads(lines[line]) | fields)
    file.write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


def lines_of(runs, label, seed, part):
    for fold in range(2):
        text = (runs / f"{label}-{seed}-{fold}" / "hypotheses.jsonl").read_text(encoding="utf-8")
        yield from (row for row in map(json.loads, text.splitlines()) if row["part"] == part)


def test_each_run_has_its_texts_and_errors_beside_the_same_utterances(runs):
    found = gathered([runs])
    assert [part.name for part in found.parts] == ["unseen", "dev"]
    for part in found.parts:
        assert len(set(part.ids)) == len(part.ids)
        for label in RATES:
            for seed in range(3):
                rows = {row["id"]: row for row in lines_of(runs, label, seed, part.name)}
                assert sorted(part.ids) == sorted(rows)
                mine = [rows[name] for name in part.ids]
                errors = [row["substitutions"] + row["deletions"] + row["insertions"] for row in mine]
                assert part.errors[label][seed].tolist() == errors
                assert part.hypotheses[label][seed] == tuple(row["hypothesis"] for row in mine)
                assert part.references == tuple(row["reference"] for row in mine)
                for name in ("speaker", "words", "gender", "snr"):
                    assert part.column(name).values == tuple(row.get(name) for row in mine)


def test_what_is_compared_is_what_a_comparison_compares(runs):
    found, compared = gathered([runs], baseline="LD"), compare([runs], "LD")
    assert (found.title, found.baseline) == (compared.title, compared.baseline)
    assert found.seeds == {row.label: row.seeds for row in compared.rows}
    assert found.others == ["None"]
    assert [part.choosing for part in found.parts] == [False, True]


def test_seeds_without_all_folds_are_left_out_and_said(tmp_path):
    runs = study(tmp_path)
    (runs / "LD-2-1" / "result.json").unlink()
    found = gathered([runs])
    assert found.seeds == {"None": (0, 1, 2), "LD": (0, 1)}
    assert set(found.parts[0].errors["LD"]) == {0, 1}
    assert any("LD, seed 2 is left out" in note for note in found.notes)
    assert [folder.name for folder in found.unfinished] == ["LD-2-1"]


def test_a_column_may_be_missing_in_a_fold(tmp_path):
    for fold, columns in enumerate(({}, {"gender": "f"})):
        row = utterance("test", f"u{fold}", "anna", 3, 1, **columns)
        write_run(tmp_path / str(fold), [row], fold=fold)
    (part,) = gathered([tmp_path]).parts
    assert part.column("gender").values == (None, "f")
    assert part.column("gender").lacking == ()
    assert part.column("age").values == (None, None)


def test_runs_of_two_networks_are_not_mixed(tmp_path):
    runs = study(tmp_path, folds=1)
    for seed in range(3):
        network = {"path": "models.toy.Toy", "arguments": {"width": 16}, "parameters": 99}
        change(runs / f"LD-{seed}-0" / "result.json", ("network",), network)
    with pytest.raises(UserError, match=r"runs of 2 systems \(Toy width=16; Toy width=8\); expected one"):
        gathered([runs])


def test_a_folder_without_finished_runs_is_named(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        gathered([tmp_path])
