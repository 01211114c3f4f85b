"""Parts that were decoded in more than one way: `unseen`, and `unseen+lm` with a language model."""

import json

import pytest
from test_compare import rows
from test_results import utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.compare import compare
from specaug.study.tables.table import as_markdown, as_text


def decoded(root, name="lm", seeds=3, parts=("unseen", "dev"), change=lambda row: row):
    """Runs whose parts are also decoded with a language model, which mends every error but insertions."""
    for label in ("None", "LD"):
        for seed in range(seeds):
            plain = rows(0, 0.2 if label == "LD" else 0.6, seed)
            mended = [
                utterance(f"{r['part']}+{name}", r["id"], r["speaker"], r["words"], 0, 0, r["insertions"])
                for r in plain
                if r["part"] in parts
            ]
            write_run(root / f"{label}-{seed}", [*map(change, mended), *plain], label, seed)
    return root


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    return compare([decoded(tmp_path_factory.mktemp("decoded"))])


def test_a_decoding_stands_right_of_its_part_and_dev_in_either_is_last(compared):
    found = [(part.name, part.plain, part.decoding) for part in compared.parts]
    assert found == [
        ("unseen", "unseen", ""),
        ("unseen+lm", "unseen", "lm"),
        ("dev", "dev", ""),
        ("dev+lm", "dev", "lm"),
    ]


def test_what_was_decoded_otherwise_has_a_rate_and_a_difference_of_its_own(compared):
    for row in compared.rows:
        assert row.scores["unseen+lm"].wer.value == pytest.approx(8 / 84)  # 4 insertions a speaker, 42 words
        assert row.scores["unseen+lm"].wer.value < row.scores["unseen"].wer.value
    assert compared.rows[1].scores["unseen+lm"].difference.value == 0


def test_the_text_puts_decodings_beside_each_other_and_leaves_dev_out(compared):
    lines = as_text(compared).splitlines()
    start = next(i for i, line in enumerate(lines) if line.endswith("with LM"))
    assert lines[start - 1].split() == ["unseen"]
    assert lines[start].split() == ["policy", "without", "LM", "with", "LM"]
    (none, masked), rates = compared.rows, ["unseen", "unseen+lm"]
    for line, row in zip(lines[start + 1 : start + 3], (none, masked), strict=True):
        label, *cells = line.replace("*", "").split("  ")
        wers = [row.scores[part].wer for part in rates]
        shown = [f"{100 * w.value:.2f} [{100 * w.low:.2f}, {100 * w.high:.2f}]" for w in wers]
        assert [label, *filter(None, map(str.strip, cells))] == [row.label, *shown]


def test_headings_say_how_a_part_was_decoded(compared):
    shown = as_text(compared)
    for name in ("unseen without LM", "unseen with LM"):
        assert f"\n{name}: 84 words in 24 utterances\n" in shown
    for name in ("dev without LM", "dev with LM"):
        assert f"\n{name} (used for choosing, not for reporting): 168 words" in shown
    assert "| policy | unseen without LM | unseen with LM |" in as_markdown(compared)


def test_other_ways_of_decoding_are_printed_as_they_are_called(tmp_path):
    for name in ("beam", "lm"):
        decoded(tmp_path / name, name, seeds=1, parts=("unseen",))
    shown = as_text(compare([tmp_path / "beam"]))
    assert "without beam" in shown
    assert "with beam" in shown
    both = [row | {"part": part} for row in rows() for part in _ways(row["part"])]
    write_run(tmp_path / "c" / "a", both)
    header = next(line for line in as_text(compare([tmp_path / "c"])).splitlines() if "with beam" in line)
    assert [cell for cell in header.split("  ") if cell] == ["policy", "plainly", "with LM", "with beam"]


def _ways(part):
    return [part] if part == "dev" else [part, f"{part}+lm", f"{part}+beam"]


def test_a_plus_in_a_name_is_no_decoding_where_there_is_no_such_part(tmp_path):
    write_run(tmp_path / "a", [row | {"part": row["part"].replace("unseen", "clean+far")} for row in rows()])
    part = compare([tmp_path]).parts[0]
    assert (part.name, part.plain, part.decoding) == ("clean+far", "clean+far", "")
    assert "clean+far: 84 words" in as_text(compare([tmp_path]))


def test_a_decoding_of_other_utterances_is_refused(tmp_path):
    decoded(tmp_path, seeds=1, parts=("unseen",), change=lambda row: row | {"speaker": "zoe"})
    with pytest.raises(
        UserError, match=r"speakers of part unseen\+lm differ from part unseen of the same run"
    ):
        compare([tmp_path])


GRID = {"label": "lm", "weight": [0.1, 0.3, 0.5], "coverage": [0.0, 0.2], "lm": {}}


def chosen(root, *weights, seeds=3, decoding=GRID, **more):
    """Runs of None and LD that took such weights, seed by seed, and of LD the greatest coverage."""
    for label in ("None", "LD"):
        for seed, weight in zip(range(seeds), weights, strict=True):
            taken = {"weight": weight} | ({"coverage": 0.2} if label == "LD" else {})
            folder = write_run(root / f"{label}-{seed}", rows(), label, seed, decodings={"lm": taken}, **more)
            recipe = json.loads((folder / "recipe.yaml").read_text())
            (folder / "recipe.yaml").write_text(json.dumps(recipe | {"decodings": [decoding]}))
    return root


def told_of_ends(root) -> list[str]:
    return [line for line in as_text(compare([root])).splitlines() if "of those tried" in line]


def test_a_value_at_the_end_of_those_tried_is_told(tmp_path):
    shown = as_markdown(compare([chosen(tmp_path, 0.1, 0.1, 0.3)]))
    assert (
        "Decoding lm: weight 0.1, the least of those tried, in 2 of 3 runs of None, 2 of 3 runs of LD."
        in shown
    )
    assert "Decoding lm: coverage 0, the least of those tried, in 3 of 3 runs of None." in shown
    assert "Decoding lm: coverage 0.2, the greatest of those tried, in 3 of 3 runs of LD." in shown


@pytest.mark.parametrize(
    ("weights", "decoding"),
    [
        ((0.1, 0.3, 0.5), {**GRID, "coverage": 0.2}),
        ((0.3, 0.3, 0.3), {**GRID, "coverage": 0.2}),
        ((0.1, 0.1, 0.1), {**GRID, "weight": 0.1, "coverage": 0.2}),
    ],
    ids=["no end in most", "between", "one value"],
)
def test_a_value_that_is_no_end_of_several_is_not(tmp_path, weights, decoding):
    assert not told_of_ends(chosen(tmp_path, *weights, decoding=decoding))


def test_older_results_do_not_say_what_was_chosen(tmp_path):
    for path in chosen(tmp_path, 0.1, 0.1, 0.1).rglob("result.json"):
        facts = json.loads(path.read_text())
        del facts["decodings"]
        path.write_text(json.dumps(facts))
    assert not told_of_ends(tmp_path)
