import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDERS = ("experiments", "models", "sweeps")
IMPORTED_AS = {"pyyaml": "yaml", "espeakng-loader": "espeakng_loader"}


def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> list[str]:
    return [re.split(r"[<>=!~\[; ]", requirement)[0].lower() for requirement in requirements]


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every module that a file under `folder` imports, anywhere in it."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                yield path, node.module or ""


def strangers(folder: Path, friends: set[str]) -> list[str]:
    known = friends | set(sys.stdlib_module_names)
    return [
        f"{path}: {module}"
        for path, module in imported(folder)
        if not any(module == friend or module.startswith(f"{friend}.") for friend in known)
    ]


@pytest.mark.parametrize(
    ("folder", "friends"),
    [
        pytest.param(
            "specaug/augment", {"specaug.augment", "specaug.errors", "torch", "jaxtyping"}, id="augment"
        ),
        pytest.param("models", {"models", "torch", "torchaudio", "jaxtyping"}, id="models"),
    ],
)
def test_the_lowest_layers_import_torch_and_themselves(root, folder, friends):
    assert list(imported(root / folder))
    optional = {
        "specaug/augment": {
            "fused_cpu.py": {"numba", "numpy"},
            "fused_cuda.py": {"triton"},
            "fused_draws.py": {"numba", "numpy"},
            "team.py": {"numba"},
        },
        "models": {"ngrams.py": {"kenlm"}},
    }
    found: dict[str, set[str]] = {}
    for line in strangers(root / folder, friends):
        name, _, module = line.rpartition("/")[2].partition(": ")
        found.setdefault(name, set()).add(module.partition(".")[0])
    assert found == optional.get(folder, {})


def test_the_extras_that_one_is_told_to_install_are_there(root):
    sources = [path.read_text() for path in (root / "specaug").rglob("*.py")]
    told = {extra for source in sources for extra in re.findall(r"installing\(['\"](\w+)['\"]\)", source)}
    assert told == {"cluster", "lm", "ray", "tts"} <= project(root)["optional-dependencies"].keys()
    assert not any("pip install specaug" in source for source in sources)  # it lies in no registry


def test_the_transform_works_where_the_laboratory_is_not_installed(root):
    extras = project(root)["optional-dependencies"]
    absent = [
        IMPORTED_AS.get(name, name)
        for extra in ("lab", "fast", "tts", "convert")
        for name in names(extras[extra])
    ]
    program = f"""
import sys
sys.modules.update(dict.fromkeys({absent}))  # None: importing it fails
import torch
from specaug import LD, SpecAugment
features = torch.ones(2, 50, 80)
masked = SpecAugment(LD)(features, torch.tensor([50, 30]))
assert masked.shape == features.shape and (masked == 0).any() and (features == 1).all()
assert not [name for name in {absent} if sys.modules[name]]
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, cwd=root)


def test_every_constraint_is_one_exact_version(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)] == []


def test_every_dependency_is_constrained(root):
    pinned = {line.split("==")[0].lower() for line in (root / "constraints.txt").read_text().splitlines()}
    extras = project(root)["optional-dependencies"].values()
    asked = [*project(root)["dependencies"], *(requirement for extra in extras for requirement in extra)]
    assert set(names(asked)) - pinned == set()


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(root)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_installs_the_package_alone(root, wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"specaug", f"specaug-{project(root)['version']}.dist-info"}


def test_a_wheel_carries_every_file_of_the_package_and_the_laboratory_and_no_other(root, wheel):
    checkout = {
        **{path: path.relative_to(root) for path in (root / "specaug").rglob("*")},
        **{
            path: Path("specaug/_laboratory") / path.relative_to(root)
            for folder in FOLDERS
            for path in (root / folder).rglob("*")
        },
    }
    expected = {
        str(name): path.read_bytes()
        for path, name in checkout.items()
        if path.is_file() and "__pycache__" not in path.parts
    }
    archive = zipfile.ZipFile(wheel)
    carried = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert carried.keys() == expected.keys()
    assert carried == expected
    assert "specaug/py.typed" in carried


def test_a_wheel_holds_the_licence_and_the_command(root, wheel):
    archive, info = zipfile.ZipFile(wheel), f"specaug-{project(root)['version']}.dist-info"
    assert archive.read(f"{info}/licenses/LICENSE") == (root / "LICENSE").read_bytes()
    assert "specaug = specaug.cli:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_an_installed_wheel_lays_out_a_laboratory_whose_networks_can_be_imported(root, wheel, tmp_path):
    bare, lab = tmp_path / "bare", tmp_path / "lab"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(bare), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    program = f"""
import importlib.util
from pathlib import Path
import specaug
from specaug.study import laboratory
assert Path(specaug.__file__).parent == Path({str(bare / "specaug")!r})
assert importlib.util.find_spec("models") is None
lab = Path({str(lab)!r})
print(*(path.relative_to(lab) for path in laboratory.init(lab)), sep="\\n")
with laboratory.on_path(laboratory.find(lab / "experiments" / "any.yaml")):
    import models
assert Path(models.__file__).parent == lab / "models"
"""
    # -S: the site folder is read, but not the links in it, which lead back to the checkout
    path = f"{bare}:{sysconfig.get_path('purelib')}"
    run = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": path},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    files = {
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(run.stdout.split()) == files
