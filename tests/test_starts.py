import pytest
from hypothesis import given
from hypothesis import strategies as st

from specaug.study.comparing.starts import called, fewest


def pretraining(objective="models.ssast.SSAST", share=0.75, **arguments):
    """The recipe of a pretraining, as far as it matters."""
    return {
        "objective": {"path": objective, "arguments": {}},
        "network": {"path": "models.ast.AST", "arguments": {"t": 2, "f": 80, **arguments}},
        "hidden": {"share": share},
    }


@pytest.mark.parametrize(
    ("starts", "printed"),
    [
        pytest.param({"fsdd-1": pretraining(), "none": {}}, ["fsdd(SSAST)", "none"], id="one"),
        pytest.param(
            {"fsdd-1": pretraining(), "fsdd-2": pretraining("models.maskspec.MaskSpec", width=8)},
            ["fsdd(SSAST)", "fsdd(MaskSpec)"],
            id="two objectives, the first of what differs",
        ),
        pytest.param(
            {
                "fsdd-1": pretraining(),
                "fsdd-2": pretraining("models.maskspec.MaskSpec"),
                "fsdd-3": pretraining(t=16, f=16),
            },
            ["fsdd(SSAST, t=2)", "fsdd(MaskSpec, t=2)", "fsdd(SSAST, t=16)"],
            id="two keys",
        ),
        pytest.param(
            {"a-b-1": pretraining(share=0.5), "a-b-2": pretraining()},
            ["a-b(SSAST, share=0.5)", "a-b(SSAST, share=0.75)"],
            id="a name with a dash",
        ),
        pytest.param(
            {"fsdd-1": pretraining(), "spoken-2": pretraining(share=0.5)},
            ["fsdd(SSAST)", "spoken(SSAST)"],
            id="two names",
        ),
        pytest.param(
            {
                "fsdd-1": pretraining(),
                "spoken-2": pretraining(t=16),
                "fsdd-3": pretraining(share=0.5),
                "spoken-4": pretraining(t=16, width=8),
            },
            ["fsdd(SSAST, share=0.75)", "spoken(SSAST)", "fsdd(SSAST, share=0.5)", "spoken(SSAST, width=8)"],
            id="two of each of two names",
        ),
        pytest.param(
            {"fsdd-1": pretraining(depth=2), "fsdd-2": pretraining()},
            ["fsdd(SSAST, depth=2)", "fsdd(SSAST)"],
            id="a key that only one has",
        ),
        pytest.param(
            {"fsdd-1": pretraining(), "fsdd-2": pretraining()}, ["fsdd-1", "fsdd-2"], id="nothing differs"
        ),
        pytest.param(
            {"/far/a/b.pt": {}, "/near/c/b.pt": {}, "fsdd-1": pretraining()},
            ["a/b.pt", "c/b.pt", "fsdd(SSAST)"],
            id="files",
        ),
        pytest.param(
            {"/far/a/b.pt": {}, "/near/a/b.pt": {}}, ["/far/a/b.pt", "/near/a/b.pt"], id="two alike"
        ),
    ],
)
def test_a_start_is_printed_as_short_as_tells_it_apart(starts, printed):
    assert list(called(starts).values()) == printed


VALUES = st.one_of(st.integers(0, 2), st.sampled_from(["a", "b"]), st.booleans())
RECIPES = st.dictionaries(st.sampled_from(["u.x", "v.x", "y", "objective.path"]), VALUES, max_size=4)


@given(st.lists(RECIPES, max_size=5))
def test_no_two_starts_are_printed_alike(recipes):
    starts = {f"name-{place}": {**recipe, "objective.path": "a.b"} for place, recipe in enumerate(recipes)}
    assert len(set(called(starts).values())) == len(starts)


@given(st.lists(RECIPES, max_size=5))
def test_the_fewest_keys_tell_all_apart_and_fewer_do_not(recipes):
    def apart(keys):
        return len({repr([recipe.get(key) for key in keys]) for recipe in recipes}) == len(recipes)

    keys = ["u.x", "v.x", "y", "objective.path"]
    found = fewest(keys, recipes)
    if found is None:
        assert not apart(keys)
    else:
        assert apart(found)
        assert not any(apart([key for key in found if key != left]) for left in found)
