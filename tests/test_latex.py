import re
import shutil
import string
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import study
from test_compare_decodings import decoded
from test_compare_systems import system

from specaug.study.comparing.compare import compare
from specaug.study.tables.latex import as_latex, escaped
from specaug.study.tables.text_table import printable

NASTY = string.printable + "±é\u202e"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("latex")
    system(root / "a")
    system(root / "b", 16, 2000)
    return compare([root])


def read_by_hand(text):
    """What LaTeX prints of text in which all specials are escaped; fails on any that is not."""
    said = {"textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|"}
    said |= {"textless": "<", "textgreater": ">", "char34": '"'}
    shown = ""
    while text:
        found = re.match(
            r"\\\(\\pm\\\)|\\([a-z]+(?:34)?)\{\}|\\([{}$&#_%])|\{([\[*`',-])\}|([^\\{}$&#_%~^<>|\"`'*\[])",
            text,
        )
        assert found, text
        shown += "±" if found[0] == r"\(\pm\)" else said.get(found[1]) or found[2] or found[3] or found[4]
        text = text[found.end() :]
    return shown


@given(st.text(st.sampled_from(NASTY), max_size=30))
def test_escaped_text_is_printed_as_it_was(text):
    assert read_by_hand(escaped(text)) == printable(text).replace("\N{REPLACEMENT CHARACTER}", "?")


@given(st.text(st.sampled_from("-,`'ab"), max_size=12))
def test_no_two_signs_are_drawn_as_one(text):
    assert not re.search("--|,,|``|''|[?!]`", escaped(f"?{text}!{text}"))


def lines(text, start, end):
    found = text.splitlines()
    return found[found.index(start) + 1 : found.index(end)]


def test_a_row_has_a_cell_for_every_column(compared):
    shown = as_latex(compared)
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", shown)[1]
    assert columns == "llr"  # network, policy, unseen; what everything is chosen on is left out
    for line in lines(shown, r"    \midrule", r"    \bottomrule"):
        assert line.strip() == r"\addlinespace" or len(re.split(r"(?<!\\)&", line)) == len(columns)


def test_decodings_stand_under_their_part(tmp_path):
    shown = as_latex(compare([decoded(tmp_path)]))
    assert lines(shown, r"    \toprule", r"    \midrule") == [
        r"     & \multicolumn{2}{c}{unseen} \\",
        r"    \cmidrule(lr){2-3}",
        r"    policy & without LM & with LM \\",
    ]


def test_rates_and_intervals_are_those_of_the_comparison(compared):
    shown = as_latex(compared).replace(r"\textbf{", "").replace("}", "")
    for row in compared.rows:
        wer = row.scores["unseen"].wer
        interval = f"[{100 * wer.low:.2f}, {100 * wer.high:.2f}]"
        expected = rf"{row.label} & {100 * wer.value:.2f} \\" + "\n     &  & " + rf"\scriptsize {interval} \\"
        assert expected in shown


def test_below_the_rates_every_network_and_run_is_printed(compared):
    text = as_latex(compared)
    note = lines(text, r"  \begin{minipage}{\linewidth}\footnotesize\raggedright", r"  \end{minipage}")
    told = [read_by_hand(line.strip().removesuffix(r"\par")) for line in note]
    assert [line.partition(": ")[2].partition(" parameters")[0] for line in told[:2]] == (
        [f"models.toy.{system.short}, {system.parameters:,}" for system in compared.systems]
    )
    assert told[2:] == [
        f"Runs of {row.system}, {row.label}: {' '.join(run[:8] for run in row.runs)}" for row in compared.rows
    ]


def test_what_else_there_is_to_say_follows_in_comments(compared):
    text = as_latex(compared)
    below = text[text.index(r"\end{table}") :].splitlines()[1:]
    assert all(line.startswith("% ") for line in below)
    assert not any("Runs of" in line for line in below)
    for row in compared.rows:
        assert any(line.startswith(f"% CER of {row.system} {row.label}: ") for line in below)


def test_the_caption_says_seeds_intervals_and_how_many_are_compared(compared, tmp_path):
    caption = re.search(r"\\caption\{(.*)\}", as_latex(compared))[1]
    assert "mean over 3 seeds; in brackets 95 \\% intervals" in caption
    assert "4 speakers (unseen)" in caption
    assert "Holm, 2 compared in each part" in caption
    few = as_latex(compare([study(tmp_path, seeds=1)]))
    assert "too few seeds for intervals and verdicts" in re.search(r"\\caption\{(.*)\}", few)[1]
    assert r"\scriptsize" not in few


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_pdflatex_takes_the_table_whatever_a_label_says(tmp_path):
    label = printable(string.printable + "-- '' `` ?` ^^M")
    facts = {"name": "t", "title": f"[{label}", "synthetic": False, "fingerprint": "f"}
    study(tmp_path / "runs", ["None", f"[{label}", f"*{label}"], folds=1, corpus=facts)
    table = as_latex(compare([tmp_path / "runs"]))
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}" + f"\n{table}" + r"\end{document}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
