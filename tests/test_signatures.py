"""That tests hold calls against signatures (conftest): a hook that no longer works says nothing."""

import pytest
import torch
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError

from models.ctc import valid
from specaug.augment.rows import frames_at
from specaug.study.choose import chosen


def test_shapes_of_one_call_are_held_against_each_other():
    with pytest.raises(TypeCheckError):
        frames_at(torch.zeros(2, 5, 3), torch.zeros(1, 5, dtype=torch.int64))
    with pytest.raises(TypeCheckError):
        valid(torch.zeros(2, 2, dtype=torch.int64), 3)


def test_where_no_shapes_are_said_types_are_still_checked():
    with pytest.raises(BeartypeCallHintParamViolation):
        chosen(3, [])
