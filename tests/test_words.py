from collections import Counter
from itertools import product

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_results import utterance, write_run

from specaug.study.comparing.gathered import gathered
from specaug.study.comparing.words import changed, edits_of, findings

TEXT = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=6).map(" ".join)
COUNTS = st.lists(
    st.tuples(*[st.dictionaries(st.sampled_from("abc"), st.integers(1, 5)).map(Counter)] * 2),
    min_size=1,
    max_size=5,
)


@given(reference=TEXT.filter(bool), hypothesis=TEXT)
def test_edits_are_as_many_of_each_kind_as_jiwer_counts(reference, hypothesis):
    edits = edits_of(reference, hypothesis)
    out = jiwer.process_words(reference, hypothesis)
    assert sum(n for (said, written), n in edits.items() if said and written) == out.substitutions
    assert sum(n for (_, written), n in edits.items() if not written) == out.deletions
    assert sum(n for (said, _), n in edits.items() if not said) == out.insertions


@pytest.mark.parametrize(
    ("reference", "hypothesis", "edits"),
    [
        pytest.param("one four two", "one five two", [("four", "five")], id="substituted"),
        pytest.param("one four two", "one two", [("four", "")], id="deleted"),
        pytest.param("one two", "one uh two", [("", "uh")], id="inserted"),
        pytest.param("one  two\u2028three", "one two three", [], id="spaces"),
        pytest.param("four four", "five five", [("four", "five")] * 2, id="twice"),
        pytest.param("four", "", [("four", "")], id="nothing written"),
        pytest.param("", "", [], id="nothing"),
    ],
)
def test_an_edit_names_what_was_said_and_what_was_written(reference, hypothesis, edits):
    assert edits_of(reference, hypothesis) == Counter(edits)


def by_seed(pairs):
    return [{seed: pair[side] for seed, pair in enumerate(pairs)} for side in (0, 1)]


@given(pairs=COUNTS)
def test_net_counts_are_policy_minus_baseline_and_the_largest_come_first(pairs):
    policy, baseline = by_seed(pairs)
    found = findings(policy, baseline)
    nets = {entry: tuple(p[entry] - b[entry] for p, b in pairs) for entry in "abc"}
    assert {one.entry: one.net for one in found} == {entry: net for entry, net in nets.items() if sum(net)}
    sizes = [abs(sum(one.net)) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    for one in found:
        assert (
            one.mean == pytest.approx(one.policy - one.baseline) == pytest.approx(sum(one.net) / len(pairs))
        )
        assert one.agreeing == sum(net * sum(one.net) > 0 for net in one.net)


@given(pairs=COUNTS)
def test_exchanging_the_policies_turns_the_counts_round(pairs):
    policy, baseline = by_seed(pairs)
    turned = [(one.entry, tuple(-net for net in one.net), one.chance) for one in findings(baseline, policy)]
    assert [(one.entry, one.net, one.chance) for one in findings(policy, baseline)] == turned


def chances_by_hand(nets):
    """Of all ways to swap seeds the share in which this or a smaller entry moves as far, never falling."""
    order = sorted(nets, key=lambda entry: (-abs(sum(nets[entry])), entry))
    seeds, told, least = len(next(iter(nets.values()))), {}, 0.0
    for place, entry in enumerate(order):
        hits = 0
        for signs in product((1, -1), repeat=seeds):
            moves = [abs(sum(s * n for s, n in zip(signs, nets[e], strict=True))) for e in order[place:]]
            hits += max(moves) >= abs(sum(nets[entry]))
        least = max(least, hits / 2**seeds)
        told[entry] = least
    return told


@given(pairs=COUNTS)
def test_chance_is_counted_over_all_ways_to_swap_the_seeds(pairs):
    policy, baseline = by_seed(pairs)
    entries = set().union(*(pair[0].keys() | pair[1].keys() for pair in pairs))
    by_hand = chances_by_hand({e: [p[e] - b[e] for p, b in pairs] for e in entries}) if entries else {}
    assert all(one.chance == pytest.approx(by_hand[one.entry]) for one in findings(policy, baseline))


def test_what_changes_alike_with_many_seeds_is_hardly_chance_but_never_impossible():
    policy = {seed: Counter(a=9, b=2 * (seed % 2)) for seed in range(14)}
    first, second = findings(policy, {seed: Counter(b=0 if seed == 1 else 1) for seed in range(14)})
    assert (first.entry, second.entry) == ("a", "b")
    assert 0 < first.chance < 0.01
    assert second.chance > 0.3


def write_study(root, written, seeds=2, part="test"):
    """Runs in which `written` gives the hypotheses of each policy for "four" and "two six"."""
    for label, hypotheses in written.items():
        for seed in range(seeds):
            spoken = []
            for place, (reference, hypothesis) in enumerate(
                zip(("four", "two six"), hypotheses, strict=True)
            ):
                out = jiwer.process_words(reference, hypothesis)
                row = utterance(part, f"u{place}", "anna", len(reference.split()))
                counts = {kind: getattr(out, kind) for kind in ("substitutions", "deletions", "insertions")}
                spoken.append(row | counts | {"reference": reference, "hypothesis": hypothesis})
            write_run(root / f"{part}-{label}-{seed}", spoken, label, seed)
    return root


def test_words_and_confusions_are_told_with_an_example(tmp_path):
    runs = write_study(tmp_path, {"None": ("four", "two three"), "LD": ("five", "two six oh")})
    (told,) = changed(gathered([runs]))
    assert (told.part, told.policy, told.baseline, told.seeds) == ("test", "LD", "None", (0, 1))
    assert {word.entry: word.net for word in told.words} == {"four": (1, 1), "six": (-1, -1)}
    assert told.said == {"four": 1, "six": 1}
    swaps = {swap.entry: (swap.net, e) for swap, e in zip(told.confusions, told.examples, strict=True)}
    assert {entry: net for entry, (net, _) in swaps.items()} == {
        ("four", "five"): (1, 1),
        ("six", "three"): (-1, -1),
        ("", "oh"): (1, 1),
    }
    example = swaps["six", "three"][1]
    assert (example.id, example.reference, example.baseline, example.policy) == (
        "u1",
        "two six",
        "two three",
        "two six oh",
    )


def test_an_example_has_the_error_in_one_policy_alone(tmp_path):
    said = ("four", "four one two")
    for label, hypotheses in {"None": ("five", "four x y"), "LD": ("five", "five x y")}.items():
        for seed in range(2):
            spoken = [
                utterance("test", f"u{i}", "anna", len(said[i].split()), len(edits_of(said[i], text)))
                | {"reference": said[i], "hypothesis": text}
                for i, text in enumerate(hypotheses)
            ]
            write_run(tmp_path / f"{label}-{seed}", spoken, label, seed)
    (told,) = changed(gathered([tmp_path]))
    assert [example.id for example in told.examples] == ["u1"]


def test_of_two_examples_that_with_fewer_other_errors_is_shown(tmp_path):
    texts = {"None": ("one four", "one two four"), "LD": ("nine five", "one two five")}
    said = texts["None"]
    for label, hypotheses in texts.items():
        for seed in range(2):
            spoken = [
                utterance("test", f"u{i}", "anna", len(said[i].split()), len(edits_of(said[i], text)))
                | {"reference": said[i], "hypothesis": text}
                for i, text in enumerate(hypotheses)
            ]
            write_run(tmp_path / f"{label}-{seed}", spoken, label, seed)
    (told,) = changed(gathered([tmp_path]), 1)
    assert (told.confusions[0].entry, told.examples[0].id) == (("four", "five"), "u1")


def test_no_more_are_told_than_asked_for(tmp_path):
    runs = write_study(tmp_path, {"None": ("four", "two six"), "LD": ("five", "six")})
    (told,) = changed(gathered([runs]), 1)
    assert (len(told.words), len(told.confusions), len(told.examples)) == (1, 1, 1)


def test_the_part_used_for_choosing_is_told_only_where_it_is_alone(tmp_path):
    written = {"None": ("four", "two six"), "LD": ("five", "two six")}
    assert [told.part for told in changed(gathered([write_study(tmp_path / "a", written, part="dev")]))] == [
        "dev"
    ]
    for label, (first, _) in written.items():
        wrong = int(first != "four")
        texts = {"reference": "four", "hypothesis": first}
        spoken = [utterance(part, "u", "anna", 1, wrong) | texts for part in ("dev", "test")]
        write_run(tmp_path / "b" / label, spoken, label)
    assert [told.part for told in changed(gathered([tmp_path / "b"]))] == ["test"]


def test_policies_without_a_common_seed_are_left_out(tmp_path):
    runs = write_study(tmp_path, {"None": ("four", "two six")}, seeds=1)
    spoken = [
        utterance("test", f"u{i}", "anna", len(t.split())) | {"reference": t, "hypothesis": t}
        for i, t in enumerate(("four", "two six"))
    ]
    write_run(tmp_path / "LD-7", spoken, "LD", 7)
    assert changed(gathered([runs])) == []


def test_policies_that_write_the_same_have_nothing_to_tell(tmp_path):
    (told,) = changed(gathered([write_study(tmp_path, dict.fromkeys(("None", "LD"), ("five", "two six")))]))
    assert (told.words, told.confusions, told.examples) == ([], [], [])
