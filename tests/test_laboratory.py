import importlib
import py_compile
import sys
from pathlib import Path

import pytest

from specaug.errors import UserError
from specaug.study.laboratory import FOLDERS, find, init, on_path


def make_laboratory(folder: Path, word: str) -> Path:
    """A laboratory whose one network says `word`."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "parrot.py").write_text(f"WORD = {word!r}\n")
    return folder


def heard() -> str:
    return importlib.import_module("models.parrot").WORD


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_init_writes_the_three_folders_of_the_checkout(tmp_path, root):
    written = init(tmp_path / "lab")
    assert {path.relative_to(tmp_path / "lab").parts[0] for path in written} == set(FOLDERS)
    assert all(
        path.read_bytes() == (root / path.relative_to(tmp_path / "lab")).read_bytes() for path in written
    )
    assert {str(path) for path in written} == {
        str(tmp_path / "lab" / name) for name in contents(tmp_path / "lab")
    }


def test_init_leaves_no_file_of_the_checkout_out(tmp_path, root):
    init(tmp_path)
    for folder in FOLDERS:
        files = {name for name in contents(root / folder) if "__pycache__" not in name}
        assert contents(tmp_path / folder).keys() == files


def test_init_brings_no_compiled_files(tmp_path, root):
    compiled = py_compile.compile(str(root / "models" / "__init__.py"))
    assert "__pycache__" in str(compiled)
    assert not [path for path in init(tmp_path) if "__pycache__" in path.parts]


@pytest.mark.parametrize("blocker", ["models/__init__.py", "sweeps/README.md"])
def test_init_names_the_file_in_its_way_and_writes_nothing(tmp_path, blocker):
    (tmp_path / blocker).parent.mkdir()
    (tmp_path / blocker).write_text("mine")
    with pytest.raises(UserError, match=f"{tmp_path / blocker}: is already there"):
        init(tmp_path)
    assert contents(tmp_path) == {blocker: b"mine"}


def test_init_keeps_a_dangling_link(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is already there"):
        init(tmp_path)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("blocker", ["lab", "lab/sweeps"])
def test_init_names_a_file_that_lies_where_a_folder_should(tmp_path, blocker):
    (tmp_path / blocker).parent.mkdir(exist_ok=True)
    (tmp_path / blocker).write_text("mine")
    with pytest.raises(UserError, match=f"{tmp_path / blocker}: is a file; expected a folder"):
        init(tmp_path / "lab")
    assert contents(tmp_path) == {blocker: b"mine"}


def test_init_keeps_strangers_in_the_folder(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    init(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_laboratory_is_the_nearest_parent_that_holds_models(tmp_path):
    make_laboratory(tmp_path, "outer")
    inner = make_laboratory(tmp_path / "work" / "inner", "inner")
    assert find(inner / "a.yaml") == inner.resolve()
    assert find(inner / "experiments" / "deep" / "a.yaml") == inner.resolve()
    assert find(tmp_path / "work" / "a.yaml") == tmp_path.resolve()


def test_a_recipe_given_from_inside_its_folder_finds_its_laboratory(tmp_path, monkeypatch):
    lab = make_laboratory(tmp_path / "lab", "here")
    (lab / "experiments").mkdir()
    monkeypatch.chdir(lab / "experiments")
    assert find(Path("a.yaml")) == lab.resolve()
    assert find(Path("../experiments/a.yaml")) == lab.resolve()


def test_dots_in_a_path_are_followed_before_the_search(tmp_path):
    lab = make_laboratory(tmp_path / "lab", "detour")
    (tmp_path / "elsewhere").mkdir()
    assert find(tmp_path / "elsewhere" / ".." / "lab" / "a.yaml") == lab.resolve()
    with pytest.raises(UserError):
        find(lab / ".." / "elsewhere" / "a.yaml")


def test_a_file_called_models_makes_no_laboratory(tmp_path):
    lab = make_laboratory(tmp_path, "outer")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "models").touch()
    assert find(tmp_path / "inner" / "a.yaml") == lab.resolve()


def test_a_recipe_outside_any_laboratory_is_told_how_to_make_one(tmp_path):
    with pytest.raises(UserError, match=r"a\.yaml: no folder above it holds models/.*specaug init DIR"):
        find(tmp_path / "a.yaml")


def test_networks_come_from_the_laboratory_on_the_path(tmp_path):
    with on_path(make_laboratory(tmp_path, "here")):
        assert heard() == "here"


def test_a_second_laboratory_is_not_answered_by_the_first(tmp_path):
    first, second = (make_laboratory(tmp_path / word, word) for word in ("first", "second"))
    with on_path(first):
        network = importlib.import_module("models.parrot")
        assert network.WORD == "first"
        with on_path(second):
            assert heard() == "second"
        assert importlib.import_module("models.parrot") is network
    with on_path(second):
        assert heard() == "second"


def modules() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "models"}


def fail_in(laboratory: Path) -> None:
    with on_path(laboratory):
        assert sys.path[0] == str(laboratory.resolve())
        assert heard() == "here"
        raise ZeroDivisionError


def test_the_path_and_the_modules_are_as_before_even_after_a_failure(tmp_path):
    laboratory, path, before = make_laboratory(tmp_path, "here"), list(sys.path), modules()
    with pytest.raises(ZeroDivisionError):
        fail_in(laboratory)
    assert sys.path == path
    assert modules() == before


def test_networks_imported_in_the_laboratory_in_force_are_kept(tmp_path):
    laboratory = make_laboratory(tmp_path, "here")
    with on_path(laboratory):
        importlib.import_module("models")
        with on_path(laboratory):
            network = importlib.import_module("models.parrot")
        assert importlib.import_module("models.parrot") is network
