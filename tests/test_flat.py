import csv
import io
import json

import pytest
from test_compare import study
from test_compare_systems import system

from specaug.study.comparing.compare import compare
from specaug.study.tables.flat import as_csv, as_tsv


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("flat")
    system(root / "a")
    system(root / "b", 16, 2000)
    return compare([root])


def from_tsv(text):
    header, *found = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [dict(zip(header, row, strict=True)) for row in found]


def from_csv(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_values_read_back_as_the_comparison(compared):
    told = {(row["part"], row["system"], row["policy"]): row for row in from_tsv(as_tsv(compared))}
    assert len(told) == 2 * 2 * 2
    for row in compared.rows:
        for part, score in row.scores.items():
            found = told[part, row.system, row.label]
            shares = [
                score.wer.value,
                score.wer.low,
                score.wer.high,
                *score.kinds,
                row.masked.frames,
                score.cer,
            ]
            names = [
                "wer",
                "wer_low",
                "wer_high",
                "substitutions",
                "deletions",
                "insertions",
                "masked_frames",
                "cer",
            ]
            assert [float(found[name]) for name in names] == pytest.approx(
                [100 * s for s in shares], rel=1e-4
            )
            difference = score.difference
            if difference is None:
                assert {found[name] for name in ("difference", "p", "p_holm", "verdict")} == {""}
            else:
                assert float(found["difference_low"]) == pytest.approx(100 * difference.low, rel=1e-4)
                assert float(found["p_holm"]) == pytest.approx(difference.adjusted, rel=1e-4)
                assert found["verdict"] == difference.verdict


def test_every_line_names_its_runs_its_corpus_and_its_system(compared):
    found = from_csv(as_csv(compared))
    systems = {system.name: system for system in compared.systems}
    for line, row in zip(found, [*compared.rows, *compared.rows], strict=True):
        told = systems[line["system"]]
        assert line["run_ids"].split() == list(row.runs)
        assert (line["corpus"], line["baseline"], line["policy"]) == ("Toy corpus", "None", row.label)
        assert json.loads(line["arguments"]) == told.arguments
        assert (line["network"], line["parameters"]) == (told.network, str(told.parameters))
        assert line["schedule"] == "s_r=1 s_i=2 s_f=3000 batch=16 peak=0.001"
        assert (line["begun"], line["labelled"]) == ("", "1.0")


def test_commas_and_tabs_separate_the_same_values(compared):
    assert from_csv(as_csv(compared)) == from_tsv(as_tsv(compared))


def test_lines_end_as_the_standard_of_csv_says(compared):
    text = as_csv(compared)
    assert text.endswith("\r\n")
    assert text.count("\r\n") == text.count("\n") == text.count("\r") == 1 + len(from_csv(text))


def test_text_from_the_data_stays_in_its_cell(tmp_path):
    label, title = 'a,"b"\t\r\nc|', '"=1+1", x'
    facts = {"name": "t", "title": title, "synthetic": False, "fingerprint": "f"}
    study(tmp_path, [label], seeds=1, folds=1, corpus=facts)
    for found in (from_csv(as_csv(compare([tmp_path]))), from_tsv(as_tsv(compare([tmp_path])))):
        assert {row["policy"] for row in found} == {'a,"b"\ufffd\ufffd\ufffdc|'}
        assert {row["corpus"] for row in found} == {title}
        assert len(found) == 2
