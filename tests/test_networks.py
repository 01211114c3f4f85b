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

class Fussy(nn.Module):
    def __init__(self, mel, vocab, width=1):
        raise ValueError(f"width is {width}; expected an even one")

class Layer(nn.Module):
    vocabulary = "of no network"
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "models").mkdir()
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "odd.py").write_text(NETWORKS)
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
        pytest.param("models.odd.Fussy", {"width": 3}, "width is 3; expected an even one", id="refused"),
        pytest.param(
            "models.odd.Deaf", {}, "has no method 'transcribe'; expected loss and transcribe", id="contract"
        ),
    ],
)
def test_a_mistake_is_named(lab, path, arguments, message):
    with pytest.raises(UserError) as caught:
        built(lab, path, **arguments)
    assert message in str(caught.value)
    assert "network" in str(caught.value)


def test_the_known_networks_are_those_that_take_a_vocabulary(lab):
    assert known_networks(lab) == ["models.odd.Deaf", "models.odd.Fussy"]


def test_a_module_that_a_network_needs_and_that_is_missing_is_not_called_unknown(lab):
    (lab / "models" / "needy.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        built(lab, "models.needy.Network")
    (lab / "models" / "needy.py").unlink()


def test_outputs_are_as_many_as_a_network_says_and_else_as_many_as_it_gets(root, lab):
    assert outputs_of(built(root, "models.bilstm.BiLSTMCTC", width=8, depth=1), 100) < 30
    with on_path(lab):
        from torch import nn
    assert outputs_of(nn.Linear(1, 1), 100) == 100
