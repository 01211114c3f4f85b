from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from specaug.training.fields import get, known, named, put, tensor

GIVEN = {"x": torch.zeros(2, 5, 3), "n": torch.tensor([5, 4]), "ids": ["a", "b"]}


class Fetched(UserDict):
    """As Hugging Face's BatchFeature and BatchEncoding: items are attributes as well."""

    def __init__(self, data: dict[str, Any], kind: str = "pt") -> None:
        super().__init__(data)
        self.kind = kind

    def __getattr__(self, name: str) -> Any:
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(name) from None


MAPPINGS = [dict, OrderedDict, UserDict, Fetched]


@pytest.mark.parametrize("kind", MAPPINGS)
def test_a_mapping_is_read_by_its_keys(kind):
    batch = kind(GIVEN)
    assert get(batch, "ids", "ids") is GIVEN["ids"]
    assert known(batch) == ["x", "n", "ids"]
    with pytest.raises(ValueError, match=f"features is 'mel'; .* a {kind.__name__}: 'x', 'n', 'ids'$"):
        get(batch, "mel", "features")


@pytest.mark.parametrize("kind", MAPPINGS)
def test_a_copy_of_a_mapping_has_another_value_and_the_mapping_keeps_its_own(kind):
    batch, value = kind(GIVEN), torch.ones(2, 5, 3)
    made = put(batch, "x", value)
    assert type(made) is kind
    assert get(made, "x", "features") is value
    made["more"] = 1
    assert batch == kind(GIVEN)
    assert get(made, "ids", "ids") is get(batch, "ids", "ids")
    assert getattr(made, "x", value) is value
    assert getattr(made, "kind", "pt") == "pt"


def test_hugging_faces_batches_are_mappings():
    transformers = pytest.importorskip("transformers")
    for kind in (transformers.BatchFeature, transformers.BatchEncoding):
        batch = kind(GIVEN)
        made = put(batch, "x", torch.ones(2, 5, 3))
        assert isinstance(made, kind)
        assert float(made.x.sum()) == 30
        assert float(batch.x.sum()) == 0


@pytest.mark.parametrize("batch", [MappingProxyType(GIVEN), object()])
def test_what_no_copy_can_be_made_of_is_named(batch):
    kind = type(batch).__name__
    with pytest.raises(
        TypeError, match=f"batch is a {kind}; expected a tuple, list, dataclass, dictionary or"
    ):
        put(batch, "x", GIVEN["x"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param([5, 4], r"\[5, 4\] is a list", id="list"),
        pytest.param(np.array([5, 4]), r"array\(\[5, 4\]\) is a ndarray", id="array"),
        pytest.param(None, "None is a NoneType", id="nothing"),
    ],
)
def test_a_field_that_holds_no_tensor_is_named(value, said):
    with pytest.raises(TypeError, match=rf"^lengths \('n' of the batch\): {said}; expected a torch\.Tensor"):
        tensor({"n": value}, "n", "lengths")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(None, "None is a NoneType", id="nothing"),
        pytest.param(7, "7 is a int", id="number"),
        pytest.param(torch.tensor(7), r"tensor\(7\) is a Tensor", id="tensor without a dimension"),
        pytest.param("ab", "'ab' is a str", id="text"),
        pytest.param({"a", "b"}, ".* is a set", id="set"),
    ],
)
def test_names_that_are_no_sequence_are_refused_with_the_field_that_holds_them(value, said):
    with pytest.raises(
        TypeError, match=rf"^ids \(1 of the batch\): {said}; expected a list, array or tensor"
    ):
        named((GIVEN["x"], value), 1, "ids")
