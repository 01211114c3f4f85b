"""Every program in examples/ runs as it says, alone and offline."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
ASKED = 97  # exit status

# An audit hook sees what a library hides behind `except`: the program ends at once where one asks for a network.
OFFLINE = f"""
import os, runpy, sys

def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not str(host).startswith(("127.", "::1", "localhost")):
        print("a network was asked for", host, file=sys.stderr, flush=True)
        os._exit({ASKED})

sys.addaudithook(refuse)
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def missing(path: Path) -> list[str]:
    """The libraries that a program imports, at its top or in a function, and that are not installed."""
    names: list[str] = []
    for statement in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            names.append(str(statement.module))
    return sorted({root for root in (name.split(".")[0] for name in names) if find_spec(root) is None})


def run(path: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The program run in a folder, without a network, on one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OFFLINE, str(path), *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def program(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_offline_says_what_it_showed_and_leaves_nothing_behind(path, tmp_path):
    if absent := missing(path):
        pytest.skip(f"not installed: {', '.join(absent)}")
    folder = tmp_path / "empty"
    folder.mkdir()
    done = run(path, folder)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_our_side_of_the_slot_of_nemo_is_checked_without_nemo_and_says_so(tmp_path):
    done = run(FOLDER / "nemo_slot.py", tmp_path, "--without")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("Our side alone, without NeMo, had ")


@pytest.mark.skipif(find_spec("nemo") is not None, reason="nemo is installed")
def test_where_nemo_is_not_installed_its_slot_is_skipped_and_nemo_named():
    assert "nemo" in missing(FOLDER / "nemo_slot.py")


def test_a_program_that_looks_for_a_network_is_stopped_even_where_it_would_not_mind(tmp_path):
    text = (
        "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError:\n    pass\n"
    )
    assert run(program(tmp_path, text), tmp_path).returncode == ASKED


def test_a_program_whose_claim_is_false_fails(tmp_path):
    assert "claimed" in run(program(tmp_path, "assert 1 == 2, 'claimed'\n"), tmp_path).stderr


def test_a_library_that_is_not_there_is_named_and_one_that_is_there_is_not(tmp_path):
    text = "import os.path\nimport torch\nimport nowhere_a.b\nfrom nowhere_c.d import e\n"
    text += "def f():\n    import nowhere_f\n"
    assert missing(program(tmp_path, text)) == ["nowhere_a", "nowhere_c", "nowhere_f"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_says_how_to_run_it_checks_what_it_claims_and_prints(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    text = ast.get_docstring(tree, clean=False) or ""
    assert f"\n\n    python examples/{path.name}\n" in text
    assert any(isinstance(node, ast.Assert) for node in ast.walk(tree))
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert isinstance(last.value, ast.Call)
    assert ast.unparse(last.value.func) == "print"


def test_the_list_in_the_readme_is_the_folder():
    listed = re.findall(
        r"^- `(\w+\.py)`", (FOLDER / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert sorted(listed) == [path.name for path in EXAMPLES]
