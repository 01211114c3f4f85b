import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specaug.augment.operations import (
    OPERATIONS,
    FrequencyMask,
    PatchMask,
    SpecSub,
    SpecSwap,
    SpliceOut,
    TimeMask,
    TimeWarp,
)
from specaug.augment.policy import CONFORMER, LB, LD, NAMED, NONE, Policy, paper_policy
from specaug.study.choice import SYMBOLS, PolicyChoice, operation, spelled, values_of

GIVEN = {  # a value under each symbol that no named policy has
    "W": 9,
    "F": 7,
    "m_F": 3,
    "T": 8,
    "p": 0.3,
    "m_T": 4,
    "p_S": 0.5,
    "p_M": 0.25,
    "warp": "sparse",
    "bounds": "lingvo",
    "fill": "mean",
}
given_symbols = st.sets(st.sampled_from(SYMBOLS)).map(lambda some: {name: GIVEN[name] for name in some})
further = st.lists(st.sampled_from(["SpecSub", "SpliceOut", "SpecSwap", "PatchMask"]), unique=True)


@pytest.mark.parametrize("name", NAMED)
def test_a_name_alone_is_the_policy_of_that_name(name):
    assert PolicyChoice(name=name).policy() == NAMED[name]


@pytest.mark.parametrize("name", NAMED)
@given(time=st.sampled_from([0.1, 0.25, 0.5, 2.0]))
def test_the_scale_is_that_of_the_named_policy(name, time):
    assert PolicyChoice(name=name, scale=time).policy() == NAMED[name].scaled(time=time)


def test_values_that_are_given_are_taken_as_they_are():
    choice = PolicyChoice(name="LD", scale=0.1, T=33, operations=({"SpecSub": {"t_max": 20}},))
    assert choice.policy() == Policy((*LD.replaced(W=8, T=33).operations, SpecSub(t_max=20)))


@given(given_symbols.filter(lambda some: "T" in some or "p_S" in some))
def test_what_a_policy_prints_is_what_a_recipe_says_of_it(symbols):
    policy = PolicyChoice(**symbols).policy()
    printed = dict(word.split("=") for word in str(policy).split()) if not policy.idle else {}
    assert PolicyChoice(**{name: yaml.safe_load(value) for name, value in printed.items()}).policy() == policy


def test_every_symbol_is_the_argument_of_the_same_name():
    assert PolicyChoice(name="LD", **GIVEN).policy() == paper_policy(**GIVEN)
    assert PolicyChoice(**GIVEN).policy() == paper_policy(**GIVEN)


@pytest.mark.parametrize("name", ["warp", "bounds", "fill"])
def test_an_option_is_that_of_every_operation_of_the_named_policy_that_has_it(name):
    operations = PolicyChoice(name="LD", **{name: GIVEN[name]}).policy().operations
    having = [one.symbols()[name] for one in operations if name in one.symbols()]
    assert set(having) == {GIVEN[name]}
    assert len(having) == {"warp": 1, "bounds": 3, "fill": 2}[name]


def test_a_share_p_s_stands_for_a_width_where_the_named_policy_has_no_time_masks():
    assert PolicyChoice(p_S=0.05, m_T=10).policy() == Policy((TimeMask(T=None, p_S=0.05, m_T=10),))
    assert PolicyChoice(p_S=0.05, m_T=10, T=7).policy() == Policy((TimeMask(T=7, p_S=0.05, m_T=10),))
    assert PolicyChoice(name="LB", p_S=0.05).policy().operations[-1] == TimeMask(T=100, p_S=0.05)


def test_further_operations_come_after_those_of_the_named_policy_in_their_order():
    listed = ({"SpecSwap": {"F": 3}}, {"TimeMask": {"T": 5}}, {"SpliceOut": {}})
    expected = (*LB.operations, SpecSwap(F=3), TimeMask(T=5), SpliceOut())
    assert PolicyChoice(name="LB", operations=listed).policy() == Policy(expected)


def test_a_policy_may_be_of_further_operations_alone():
    assert PolicyChoice(operations=({"PatchMask": {}},)).policy() == Policy((PatchMask(),))
    assert PolicyChoice().policy() == NONE


@given(
    name=st.sampled_from(sorted(NAMED)),
    scale=st.sampled_from([None, 0.1, 1.0, 3.0]),
    symbols=given_symbols,
    kinds=further,
)
def test_what_is_resolved_is_the_same_policy_and_stays_as_it_is(name, scale, symbols, kinds):
    operations = tuple({kind: {}} for kind in kinds)
    choice = PolicyChoice(name=name, scale=scale, operations=operations, **symbols)
    whole = choice.resolved()
    assert whole.policy() == choice.policy()
    assert whole.resolved() == whole
    assert whole.label == choice.title()


def test_what_is_resolved_says_every_value():
    whole = PolicyChoice(name="LD", scale=0.1, operations=({"SpecSub": {"N": 2}},)).resolved()
    values = (8, 27, 2, 10, 1.0, 2, None, None, "linear", "closed", 0.0)  # in the order of SYMBOLS
    assert tuple(getattr(whole, symbol) for symbol in SYMBOLS) == values
    assert whole.operations == ({"SpecSub": {"t_max": 30, "N": 2}},)
    assert (whole.scale, PolicyChoice().resolved().scale) == (0.1, 1.0)


@pytest.mark.parametrize(
    ("choice", "title"),
    [
        pytest.param(PolicyChoice(name="LD", p_S=0.05, fill="mean"), "LD p_S=0.05 fill=mean", id="values"),
        pytest.param(PolicyChoice(name="Conformer", scale=0.5), "Conformer x 0.5", id="scale"),
        pytest.param(
            PolicyChoice(name="LB", operations=({"SpecSub": {"t_max": 20}},)),
            "LB + SpecSub(t_max=20)",
            id="and",
        ),
        pytest.param(
            PolicyChoice(operations=({"SpliceOut": {}}, {"PatchMask": {}})),
            "SpliceOut + PatchMask",
            id="alone",
        ),
        pytest.param(
            PolicyChoice(W=5, operations=({"SpliceOut": {}},)), "None W=5 + SpliceOut", id="values of None"
        ),
        pytest.param(PolicyChoice(name="LD", label="mine"), "LD", id="label"),
    ],
)
def test_a_policy_is_called_by_what_tells_it_from_its_name(choice, title):
    assert choice.title() == title


@pytest.mark.parametrize("name", NAMED)
def test_the_values_of_a_named_policy_make_it_again(name):
    assert paper_policy(**values_of(NAMED[name])) == NAMED[name]
    assert set(values_of(CONFORMER)) == set(SYMBOLS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_may_be_listed_by_its_name(name):
    assert operation(name, {}) == OPERATIONS[name]()
    assert PolicyChoice(operations=({name: {}},)).policy() == Policy((OPERATIONS[name](),))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PolicyChoice(name="Confomer"), r"unknown policy 'Confomer'; did you mean 'Conformer'\?"),
        (lambda: PolicyChoice(scale=-1.0), r"^scale is -1\.0; expected a factor above 0"),
        (lambda: operation("SpecSubb", {}), r"unknown operation 'SpecSubb'; did you mean 'SpecSub'\?"),
        (lambda: operation("Cutout", {}), "unknown operation 'Cutout'; "),
        (
            lambda: operation("SpecSub", {"tmax": 3}),
            r"unknown symbol 'tmax' of SpecSub; did you mean 't_max'\?",
        ),
        (lambda: operation("SpecSub", {"xyz": 3}), "unknown symbol 'xyz' of SpecSub; known: t_max, N"),
        (lambda: operation("SpecSub", {"N": -1}), r"N \(SpecSub\) is -1; expected a whole number"),
        (lambda: PolicyChoice(operations=({"SpecSwop": {}},)), r"did you mean 'SpecSwap'\?"),
        (
            lambda: PolicyChoice(name="LD", operations=({"TimeWarp": {"W": 3}},)),
            "operations hold TimeWarp twice",
        ),
        (
            lambda: PolicyChoice(bounds="open"),
            r"bounds \(TimeWarp\) is 'open'; expected one of closed, paper",
        ),
        (
            lambda: PolicyChoice(fill="black"),
            r"fill \(FrequencyMask\) is 'black'; expected a number, or one of",
        ),
        (lambda: PolicyChoice(warp="cubic"), r"warp \(TimeWarp\) is 'cubic'; expected one of linear, sparse"),
        (lambda: PolicyChoice(p_M=-0.5), r"p_M \(TimeMask\) is -0.5; expected a share"),
    ],
    ids=[
        "policy",
        "scale",
        "operation",
        "far",
        "symbol",
        "far symbol",
        "value",
        "listed",
        "twice",
        "bounds",
        "fill",
        "warp",
        "p_M",
    ],
)
def test_a_mistake_names_what_is_wrong_and_what_is_known(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("LD", {"name": "LD"}, id="a name"),
        pytest.param({"name": "LD", "F": 3}, {"name": "LD", "F": 3}, id="a mapping"),
        pytest.param(
            {"operations": ["SpecSub"]}, {"operations": [{"SpecSub": {}}]}, id="an operation's name"
        ),
        pytest.param(
            {"operations": [{"SpecSub": None}, {"TimeMask": {"T": 3}}]},
            {"operations": [{"SpecSub": {}}, {"TimeMask": {"T": 3}}]},
            id="an operation with and without values",
        ),
        pytest.param({"operations": "SpecSub"}, {"operations": "SpecSub"}, id="no list"),
        pytest.param(7, 7, id="neither"),
    ],
)
def test_what_a_recipe_may_leave_out_is_filled_in(written, meant):
    assert spelled(written) == meant


def test_operations_of_the_paper_may_be_put_in_another_order():
    listed = ({"TimeMask": {"T": 5}}, {"FrequencyMask": {"F": 3}}, {"TimeWarp": {"W": 4}})
    assert PolicyChoice(operations=listed).policy() == Policy(
        (TimeMask(T=5), FrequencyMask(F=3), TimeWarp(W=4))
    )
