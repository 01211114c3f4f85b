import pytest

from specaug.errors import UserError
from specaug.study.laboratory import on_path
from specaug.study.networks import build, known_networks, outputs_of
from specaug.study.recipe import Network

NETWORKS = """from torch import nn

class Deaf(nn.Module):
    def __init__(self, mel, vocab):
        super().__init__()

    def loss(self): ...
    def transcribe(self): ...

class Mute(nn.Module):
    def __init__(self, mel, vocab):
        super().__init__()

    def loss(self): ...

class Speaking(nn.Module):
    def loss(self): ...
    def transcribe(self): ...

class Fussy(Speaking):
    def __init__(self, mel, vocab, width=1):
        raise ValueError(f"width is {width}; expected an even one")

class Fuss(Mute):
    def __init__(self, width, vocab): ...

class Layer(nn.Module):
    vocabulary = "of no network"
"""
OWN = """from torch import nn

class Typed(nn.Module):
    def __init__(
        self, mel, vocab, width: int = 8, dropout: "float" = 0.1, front: str = "a", deep: bool = False,
        other: int | None = None, bare=None,
    ):
        super().__init__()
        if front == "unwritten":
            return undefined
        if front == "lost":
            lookup("width")
        if front == "negative":
            nn.Linear(-1, width)

    def loss(self): ...
    def transcribe(self): ...

class Needy(nn.Module):
    def __init__(self, mel, vocab, width): ...

def lookup(name):
    return {}[name]
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "models").mkdir()
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "odd.py").write_text(NETWORKS)
    (folder / "mine.py").write_text(OWN)
    return folder


def built(lab, path, **arguments):
    with on_path(lab):
        return build(Network(path=path, arguments=arguments), 32, 28, lab)


def test_the_arguments_are_given_by_name(root):
    network = built(root, "models.bilstm.BiLSTMCTC", width=8, depth=1)
    assert network.output.weight.shape == (28, 16)
    assert len(network.layers) == 1


@pytest.mark.parametrize(
    ("path", "arguments", "message"),
    [
        pytest.param(
            "mine.Typed",
            {"front": "unwritten"},
            "network mine.Typed: mine.py:10: NameError: name 'undefined' is not defined",
            id="name",
        ),
        pytest.param("mine.Typed", {"front": "lost"}, "Typed: mine.py:23: KeyError: 'width'", id="key"),
        pytest.param("mine.Typed", {"front": "negative"}, "Typed: mine.py:14: RuntimeError: ", id="torch's"),
        pytest.param(
            "mine.Needy",
            {},
            "mine.Needy: TypeError: Needy.__init__() missing 1 required",
            id="missing",
        ),
        pytest.param("mine.Typed", {"width": "wide"}, "argument width is 'wide'; expected a whole", id="int"),
        pytest.param(
            "mine.Typed", {"width": 1.5}, "argument width is 1.5; expected a whole number", id="no int"
        ),
        pytest.param("mine.Typed", {"width": True}, "argument width is True; expected a whole", id="truth"),
        pytest.param(
            "mine.Typed",
            {"dropout": "1e-1"},
            "argument dropout is '1e-1'; expected a number (0.1 or 1.0e-1)",
            id="float",
        ),
        pytest.param("mine.Typed", {"front": 3}, "argument front is 3; expected text", id="str"),
        pytest.param("mine.Typed", {"deep": 1}, "argument deep is 1; expected true or false", id="bool"),
        pytest.param(
            "models.odd.Daef",
            {},
            "unknown network 'models.odd.Daef'; did you mean 'models.odd.Deaf'",
            id="class",
        ),
        pytest.param(
            "models.od.Deaf", {}, "unknown network 'models.od.Deaf'; did you mean 'models.odd.De", id="module"
        ),
        pytest.param(
            "Deaf", {}, "unknown network 'Deaf'; known: models.odd.Deaf, models.odd.Fussy", id="no module"
        ),
        pytest.param("models.odd.nn", {}, "unknown network 'models.odd.nn'", id="no class"),
        pytest.param("builtins.dict", {}, "unknown network 'builtins.dict'", id="no network"),
        pytest.param(
            "models.odd.Fussy", {"widht": 1}, "unknown argument 'widht'; did you mean 'width'?", id="argument"
        ),
        pytest.param("models.odd.Fussy", {"mel": 1}, "unknown argument 'mel'", id="not the user's"),
        pytest.param(
            "models.odd.Fussy", {"width": 3}, "models.odd.Fussy: width is 3; expected an", id="refused"
        ),
        pytest.param(
            "models.odd.Mute", {}, "has no method 'transcribe'; expected loss and transcribe", id="contract"
        ),
    ],
)
def test_a_mistake_is_named(lab, path, arguments, message):
    with pytest.raises(UserError) as caught:
        built(lab, path, **arguments)
    assert message in str(caught.value)
    assert "network" in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [{"dropout": 1}, {"dropout": 0.5, "width": 3, "front": "b", "deep": True}, {"other": "x", "bare": 1.5}],
    ids=str,
)
def test_arguments_that_the_code_takes_are_given(lab, arguments):
    assert built(lab, "mine.Typed", **arguments).loss


def test_the_known_networks_are_those_that_take_a_vocabulary_and_answer(lab):
    assert known_networks(lab) == ["models.odd.Deaf", "models.odd.Fussy"]


def test_of_the_laboratory_that_is_handed_out_those_are_known_that_a_recipe_can_name(root):
    known = {path.rpartition(".")[2] for path in known_networks(root)}
    assert {"BiLSTMCTC", "ConformerCTC", "LAS", "ConformerTransducer", "ASTCTC"} <= known
    assert not known & {"Speller", "LSTMLM", "CTC", "AST", "SSAST"}


def test_classes_that_name_each_other_are_not_followed_for_ever(tmp_path):
    (tmp_path / "models").mkdir()
    circle = "class A(other.B):\n  def __init__(self, mel, vocab): ...\nclass B(other.A): ..."
    (tmp_path / "models" / "circle.py").write_text(circle)
    assert known_networks(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param(
            b"import no_such_module_at_all",
            "models/broken.py:1: ModuleNotFoundError: No module named",
            id="module",
        ),
        pytest.param(
            b"import models.no_such",
            "models/broken.py:1: ModuleNotFoundError: No module named",
            id="neighbour",
        ),
        pytest.param(
            b"\nfrom torch import no_such",
            "models/broken.py:2: ImportError: cannot import name 'no_such'",
            id="name",
        ),
        pytest.param(b"\n\ndef f(:\n", "models/broken.py:3: SyntaxError: invalid syntax", id="syntax"),
        pytest.param(
            b"\nif True:\npass\n",
            "models/broken.py:3: IndentationError: expected an indented",
            id="indentation",
        ),
        pytest.param(
            b"undefined", "models/broken.py:1: NameError: name 'undefined' is not defined", id="undefined"
        ),
        pytest.param(b"x = '\xff'", "SyntaxError: ", id="no text"),
    ],
)
def test_code_that_cannot_be_imported_is_told_by_its_line_and_is_in_nobodys_way(lab, code, message):
    (lab / "models" / "broken.py").write_bytes(code)
    try:
        with pytest.raises(UserError) as caught:
            built(lab, "models.broken.Network")
        assert str(caught.value).startswith("network models.broken.Network: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=r"did you mean 'models\.odd\.Deaf'"):
            built(lab, "models.odd.Daef")
    finally:
        (lab / "models" / "broken.py").unlink()


def test_outputs_are_as_many_as_a_network_says_and_else_as_many_as_it_gets(root, lab):
    assert outputs_of(built(root, "models.bilstm.BiLSTMCTC", width=8, depth=1), 100) < 30
    with on_path(lab):
        from torch import nn
    assert outputs_of(nn.Linear(1, 1), 100) == 100
