import csv
import html
import io
import re
from dataclasses import replace

import pytest
from test_gathered import RATES, study
from test_results import utterance, write_run

from specaug.study.comparing.gathered import gathered
from specaug.study.tables.groups_table import COLUMNS as GROUPS
from specaug.study.tables.groups_table import FORMATS, Report
from specaug.study.tables.text_table import safe
from specaug.study.tables.words_table import COLUMNS as WORDS

ENDS = {"tsv": "\t\n", "csv": "\r\n"}
EVIL = '<script>alert("x")</script>\x1b[31m|a\u202e`b*_c\u2028d'


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return gathered([study(tmp_path_factory.mktemp("runs"))])


@pytest.fixture(scope="module")
def report(found):
    return Report.of(found, ["gender", "speaker", "gender"], 3)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    """Two runs whose texts, ids, speakers, accents and labels are hostile."""
    root = tmp_path_factory.mktemp("evil")
    for label in ("None", f"LD {EVIL}"):
        for seed in range(2):
            word = "<b>oops|\x07</b>" if label != "None" else "w0"
            row = utterance("test", f"u{EVIL}\n\t1", EVIL, 1, int(label != "None"), accent=EVIL)
            write_run(root / f"{len(label)}-{seed}", [row | {"hypothesis": word}], label, seed)
    return Report.of(gathered([root]), ["accent", "speaker"], 5)


def percents(text):
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d\d\b", text)]


def rows_of(text):
    """The TSV's lines as dictionaries, the header that is in force for each."""
    header, rows = [], []
    for line in text.splitlines():
        cells = line.split("\t")
        if line.startswith(("column\t", "part\t")):
            header = cells
        elif not line.startswith("# "):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def test_a_line_of_text_says_what_was_found_of_a_group(report):
    text = FORMATS["text"](report)
    unseen = report.groups[0].parts[0]
    for gender in ("f", "m"):
        score = unseen.scores[gender]["LD"]
        difference = score.contrast.difference
        (line,) = [
            line
            for line in text.split("unseen by gender")[1].split("\n\n")[0].splitlines()
            if line.split()[:2] == ["LD", f"{100 * score.wer.value:.2f}"]
        ]
        told = (score.wer.value, score.wer.low, score.wer.high)
        told += (difference.value, difference.low, difference.high)
        assert percents(line)[:6] == [round(100 * share, 2) for share in told]
        assert f"{score.contrast.agreeing} of 3" in line
        assert difference.verdict in line


def test_a_line_of_text_says_what_was_found_of_the_gap(report):
    text = FORMATS["text"](report)
    gap = report.groups[0].parts[0].gaps["LD"]
    told = (gap.value, gap.change.value, gap.change.low, gap.change.high)
    assert [round(100 * share, 2) for share in told] in [
        percents(line)[:4] for line in text.splitlines() if line.split()[:3] == ["LD", gap.best, gap.worst]
    ]
    shown = f"= {gap.change.adjusted:.3f}" if gap.change.adjusted >= 0.001 else "< 0.001"
    assert f"widens (p {shown})" in text


def test_a_verdict_has_its_corrected_p(report):
    text = FORMATS["text"](report)
    scores = [
        score
        for by in report.groups
        for part in by.parts
        for of in part.scores.values()
        for score in of.values()
    ]
    told = [score.contrast.difference for score in scores if score.contrast]
    shown = {f"{one.verdict} (p = {one.adjusted:.3f})" for one in told if 0.001 <= one.adjusted < 0.05}
    assert shown
    assert all(verdict in text for verdict in shown)


def test_text_fits_a_terminal(report):
    assert max(map(len, FORMATS["text"](report).splitlines())) <= 110


def test_a_column_asked_for_twice_is_told_once(report):
    assert [by.column for by in report.groups] == ["gender", "speaker"]


def test_every_row_of_a_markdown_table_has_the_cells_of_its_header(report, evil):
    for shown in (FORMATS["markdown"](report), FORMATS["markdown"](evil)):
        tables = [block.splitlines() for block in shown.split("\n\n") if block.startswith("|")]
        assert len(tables) >= 4
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_tsv_holds_every_score_gap_word_and_confusion(report):
    rows = rows_of(FORMATS["tsv"](report))
    groups = [row for row in rows if "column" in row]
    for by in report.groups:
        for part in by.parts:
            mine = [r for r in groups if (r["column"], r["part"]) == (by.column, part.name)]
            assert len(mine) == len(RATES) * (len(part.groups) + 1)
            for group in part.groups:
                for label, score in part.scores[group.name].items():
                    (row,) = [r for r in mine if (r["group"], r["policy"]) == (group.name, label)]
                    assert float(row["wer"]) == pytest.approx(100 * score.wer.value, rel=1e-5)
                    assert (row["utterances"], row["words"]) == (str(group.utterances), str(group.words))
                    assert (row["verdict"] == "") == (label == "None")
            for label, gap in part.gaps.items():
                (row,) = [r for r in mine if (r["group"], r["policy"]) == ("(gap)", label)]
                assert float(row["wer"]) == pytest.approx(100 * gap.value, rel=1e-5)
                assert (row["best"], row["worst"]) == (gap.best, gap.worst)
                assert row["verdict"] == (gap.change.verdict if gap.change else "")
    for change in report.words:
        mine = [r for r in rows if r.get("kind") and r["part"] == change.part]
        told = {(r["said"], r["written"]): float(r["net"]) for r in mine if r["kind"] == "confusion"}
        assert told == pytest.approx({swap.entry: swap.mean for swap in change.confusions}, rel=1e-5)
        told = {r["said"]: int(r["occurrences"]) for r in mine if r["kind"] == "word"}
        assert told == change.said


def test_commas_separate_what_tabs_separate_and_every_line_names_the_corpus(found, report):
    for asked in (replace(report, words=[]), replace(report, groups=[])):
        header, *rows = csv.reader(io.StringIO(FORMATS["csv"](asked), newline=""))
        told = [dict(zip(header, row, strict=True)) for row in rows]
        assert {row.pop("about").partition(":")[0] for row in told} == {found.title}
        assert told == rows_of(FORMATS["tsv"](asked))
        assert {row["baseline"] for row in told} == {"None"}


def test_where_there_is_room_a_group_says_what_is_resampled(report):
    text, wide = (FORMATS[form](report) for form in ("text", "markdown"))
    for by in report.groups:
        for group in by.parts[0].groups:
            assert f"| {safe(group.name)} | None | {group.words:,} | {group.units} {group.unit} |" in wide
    assert "resampled |" in wide
    assert "resampled  " not in text


def test_a_finding_is_shown_with_its_range_over_the_seeds(report):
    text = FORMATS["text"](report)
    (change,) = report.words
    for word in change.words:
        row = (word.entry, f"{change.said[word.entry]}", f"{word.baseline:.1f}", f"{word.policy:.1f}")
        spread = f"{word.mean:+.1f} [{min(word.net):+}, {max(word.net):+}]"
        (line,) = [line for line in text.splitlines() if tuple(line.split()[:4]) == row]
        assert spread in line
        assert line.endswith(f"{word.agreeing} of 3   {word.chance:.3f}")
    assert "3 seeds cannot give less than 0.250" in " ".join(text.split())


def test_an_example_shows_all_three_texts(report):
    text = FORMATS["text"](report)
    (change,) = report.words
    for example in filter(None, change.examples):
        assert f"{example.id}, seed {example.seed}\n  said  {example.reference}\n" in text
        assert f"\n  None  {example.baseline}\n  LD    {example.policy}\n" in text


def test_what_is_deleted_or_inserted_is_named(tmp_path):
    for label, hypothesis in (("None", "w0"), ("LD", "w0 more")):
        for seed in range(2):
            row = utterance("test", "u", "anna", 1, insertions=int(label == "LD"))
            write_run(tmp_path / f"{label}-{seed}", [row | {"hypothesis": hypothesis}], label, seed)
    for baseline, shown in (("None", "(inserted) > more: u"), ("LD", "(inserted) > more: u")):
        assert shown in FORMATS["text"](Report.of(gathered([tmp_path], baseline), [], 3))


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_text_is_shown_as_text(evil, form):
    shown = FORMATS[form](evil)
    assert all(character.isprintable() or character in ENDS.get(form, "\n") for character in shown)
    assert "oops" in shown
    if form == "markdown":
        assert "<" not in shown
        assert "<b>oops" in html.unescape(shown).replace("\\", "")


def test_hostile_text_breaks_no_line_of_tsv(evil):
    rows = rows_of(FORMATS["tsv"](evil))
    assert len(rows) == 2 * 2 * 2 + 2  # (all) and one group by policy for two columns, a word and a confusion
    assert (
        len(list(csv.reader(io.StringIO(FORMATS["tsv"](evil)), delimiter="\t", quoting=csv.QUOTE_NONE))) > 10
    )
    assert {len(row) for row in rows} == {len(columns.split()) for columns in (GROUPS, WORDS)}


def test_the_part_used_for_choosing_is_marked(report):
    assert "dev by gender (used for choosing, not for reporting): " in FORMATS["text"](report)
    assert "unseen by gender: " in FORMATS["text"](report)


def test_one_voice_is_not_said_to_stand_for_others(found):
    text = " ".join(FORMATS["text"](Report.of(found, ["speaker"])).split())
    assert "holds for that voice" in text
    assert "that voice" not in FORMATS["text"](Report.of(found, ["gender"]))


def test_what_is_too_few_is_said(tmp_path):
    runs = study(tmp_path, seeds=2, folds=1)
    (runs / "LD-1-0" / "result.json").unlink()
    text = FORMATS["text"](Report.of(gathered([runs]), ["gender"], 1))
    assert "too few to say" in text
    assert "1 seed\n" in text
    assert "Unfinished, not counted: " in text
    assert "LD-1-0" in text


def test_notes_are_told_once_in_every_format(found):
    for form in ("text", "markdown", "tsv"):
        shown = FORMATS[form](Report.of(found, ["snr"]))
        assert shown.count("360 of 360 utterances of dev have no snr") == 1
