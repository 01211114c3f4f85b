from dataclasses import replace

import numpy as np
import pytest
from test_gathered import RATES, VOICES, edit, lines_of, study
from test_results import utterance, write_run

from specaug.errors import UserError
from specaug.study.comparing.bins import ALL, NOT_GIVEN
from specaug.study.comparing.columns import Column
from specaug.study.comparing.compare import compare
from specaug.study.comparing.gaps import gaps
from specaug.study.comparing.gathered import gathered
from specaug.study.comparing.groups import grouped
from specaug.study.stats import statistics
from specaug.study.stats.statistics import Runs

KINDS = ("substitutions", "deletions", "insertions")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return study(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def found(runs):
    return gathered([runs])


@pytest.fixture(scope="module")
def by_gender(found):
    return grouped(found, "gender")


def rates_by_hand(runs, label, part, wanted):
    """The rate with each seed of the utterances of which `wanted` says True."""
    rates = []
    for seed in range(3):
        mine = [row for row in lines_of(runs, label, seed, part) if wanted(row)]
        errors = sum(row[kind] for row in mine for kind in KINDS)
        rates.append(errors / sum(row["words"] for row in mine))
    return rates


def test_a_group_has_the_rate_of_its_utterances_and_the_difference_to_the_baseline(runs, by_gender):
    for part in by_gender.parts:
        for gender in "fm":
            ours, theirs = (
                np.mean(rates_by_hand(runs, label, part.name, lambda row, g=gender: row["gender"] == g))
                for label in ("LD", "None")
            )
            scores = part.scores[gender]
            assert (scores["LD"].wer.value, scores["None"].wer.value) == pytest.approx((ours, theirs))
            assert scores["LD"].contrast.difference.value == pytest.approx(ours - theirs)
            assert scores["LD"].wer.low < ours < scores["LD"].wer.high
            assert scores["None"].contrast is None


def test_all_together_are_as_in_the_comparison(runs, by_gender):
    compared = compare([runs])
    for part in by_gender.parts:
        for row in compared.rows:
            ours, theirs = part.scores[ALL][row.label], row.scores[part.name]
            assert (ours.wer.value, ours.wer.low) == pytest.approx((theirs.wer.value, theirs.wer.low))
            if theirs.difference:
                assert ours.contrast.difference.adjusted == pytest.approx(theirs.difference.adjusted)


def test_groups_hold_every_utterance_once(by_gender):
    for part in by_gender.parts:
        whole, *rest = part.groups
        for name in ("utterances", "words", "speakers"):
            assert getattr(whole, name) == sum(getattr(group, name) for group in rest)


def test_speakers_are_resampled_and_in_a_group_of_one_its_utterances(found):
    by_gender, by_speaker = (grouped(found, column).parts[0] for column in ("gender", "speaker"))
    assert [(group.unit, group.units) for group in by_gender.groups[1:]] == [("speakers", 3)] * 2
    assert [(group.unit, group.units) for group in by_speaker.groups[1:]] == [("utterances", 30)] * 6
    assert [group.name for group in by_speaker.groups[1:]] == sorted(VOICES)


def holm_by_hand(p_values):
    """Each p times the number of those not smaller, and no less than those before it."""
    order = sorted(p_values, key=p_values.get)
    adjusted, largest = {}, 0.0
    for place, key in enumerate(order):
        largest = max(largest, min(1.0, p_values[key] * (len(order) - place)))
        adjusted[key] = largest
    return adjusted


def test_verdicts_are_corrected_for_all_groups_and_policies_of_a_part(tmp_path):
    rates = {**RATES, "LB": {"f": 0.28, "m": 0.36}}
    part = grouped(gathered([study(tmp_path, rates)]), "gender").parts[0]
    told = {
        (gender, label): part.scores[gender][label].contrast.difference
        for gender in "fm"
        for label in ("LD", "LB")
    }
    expected = holm_by_hand({key: difference.p for key, difference in told.items()})
    assert {key: difference.adjusted for key, difference in told.items()} == pytest.approx(expected)
    for difference in told.values():
        side = "better" if difference.value < 0 else "worse"
        assert difference.verdict == (side if difference.adjusted < 0.05 else "no difference seen")
    assert {"better", "worse"} <= {difference.verdict for difference in told.values()}


def test_seeds_agree_where_their_difference_has_the_sign_of_the_mean(runs, found):
    part = grouped(found, "words").parts[0]
    agreed = set()
    for group in part.groups[1:]:
        low, _, high = group.name.partition(" to ")
        wanted = range(int(low), int(high or low) + 1)
        ours, theirs = (
            np.array(rates_by_hand(runs, label, "unseen", lambda row, w=wanted: row["words"] in w))
            for label in ("LD", "None")
        )
        contrast = part.scores[group.name]["LD"].contrast
        same = int((np.sign(ours - theirs) == np.sign((ours - theirs).mean())).sum())
        assert (contrast.agreeing, contrast.seeds) == (same, 3)
        agreed.add(same)
    assert len(agreed) > 1


def test_ranges_are_the_same_in_every_part(found):
    unseen, dev = (part.groups[1:] for part in grouped(found, "words").parts)
    assert [group.name for group in unseen] == [group.name for group in dev]
    assert len(unseen) == 4


def test_utterances_without_the_column_are_a_group_and_said(tmp_path):
    runs = study(tmp_path, seeds=3, folds=1)
    for label in RATES:
        for seed in range(3):
            for line in (0, 1):
                edit(runs / f"{label}-{seed}-0", line, gender=None)
    told = grouped(gathered([runs]), "gender")
    dev = told.parts[1]
    assert [(group.name, group.utterances) for group in dev.groups] == [
        (ALL, 180),
        ("f", 88),
        ("m", 90),
        (NOT_GIVEN, 2),
    ]
    assert "2 of 180 utterances of dev have no gender" in told.notes
    assert any(note.startswith("not asked for the gap in dev: (not given)") for note in told.notes)


def test_a_part_without_the_column_is_left_out_and_said(found):
    told = grouped(found, "snr")
    assert [part.name for part in told.parts] == ["unseen"]
    assert told.notes == ["360 of 360 utterances of dev have no snr"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        pytest.param("Speakr", "did you mean 'speaker'", id="near"),
        pytest.param("xyz", "known: speaker, words, gender, snr", id="far"),
        pytest.param("errors", "no utterance has a column 'errors'", id="an outcome"),
        pytest.param("hypothesis", "no utterance has a column 'hypothesis'", id="what was written"),
    ],
)
def test_a_column_that_nobody_has_is_named_with_the_nearest(found, column, said):
    with pytest.raises(UserError, match=said):
        grouped(found, column)


def test_the_gap_lies_between_the_groups_that_are_worst_and_best(by_gender):
    for part in by_gender.parts:
        for label, gap in part.gaps.items():
            rates = {gender: part.scores[gender][label].wer.value for gender in "fm"}
            assert (gap.best, gap.worst) == (min(rates, key=rates.get), max(rates, key=rates.get))
            assert gap.value == pytest.approx(rates[gap.worst] - rates[gap.best])
    assert by_gender.parts[0].gaps["LD"].change.verdict == "widens"


def runs_by_hand(part, wanted, units):
    """The errors of the utterances of which `wanted` says True, added by `units`, which names one for each."""
    order = sorted(set(units))
    words, errors = np.zeros(len(order)), {label: np.zeros((3, len(order))) for label in RATES}
    for place, unit in enumerate(units):
        if wanted(place):
            words[order.index(unit)] += part.words[place]
            for label, by_seed in part.errors.items():
                for seed, counts in by_seed.items():
                    errors[label][seed, order.index(unit)] += counts[place]
    return {label: Runs((0, 1, 2), counts, words) for label, counts in errors.items()}


def test_a_speaker_in_several_groups_is_drawn_for_all_of_them_at_once(found):
    part, told = found.parts[0], grouped(found, "words").parts[0]
    by_hand = {}
    for group in told.groups[1:]:
        low, _, high = group.name.partition(" to ")
        wanted = range(int(low), int(high or low) + 1)
        by_hand[group.name] = runs_by_hand(part, lambda i, w=wanted: part.words[i] in w, part.speakers)
    assert told.gaps == gaps(by_hand, "None", shared=True) != gaps(by_hand, "None", shared=False)


def test_speakers_in_one_group_each_are_drawn_by_group(found):
    part, told = found.parts[0], grouped(found, "gender").parts[0]
    by_hand = {}
    for gender in "fm":
        places = [i for i, name in enumerate(part.speakers) if VOICES[name] == gender]
        alone = replace(
            part,
            words=part.words[places],
            errors={
                label: {seed: counts[places] for seed, counts in by_seed.items()}
                for label, by_seed in part.errors.items()
            },
        )
        by_hand[gender] = runs_by_hand(alone, lambda i: True, [part.speakers[i] for i in places])
    assert told.gaps == gaps(by_hand, "None", shared=False)


def test_groups_of_few_words_are_not_asked_for_the_gap(tmp_path):
    for label in RATES:
        for seed in range(3):
            spoken = [
                utterance("test", f"{name}-{i}", f"{name}{i % 2}", 5, (i + seed) % 3, accent=name)
                for name, count in (("many", 20), ("some", 20), ("few", 19))
                for i in range(count)
            ]
            write_run(tmp_path / f"{label}-{seed}", spoken, label, seed)
    told = grouped(gathered([tmp_path]), "accent")
    assert told.notes == [
        "not asked for the gap in test: few (fewer than 100 words or 2 units, or (not given))"
    ]
    assert {gap.best for gap in told.parts[0].gaps.values()} <= {"many", "some"}


def test_one_group_has_no_gap(found):
    (part,) = found.parts[:1]
    accent = Column(("north",) * len(part.ids))
    north = replace(part, columns={**part.columns, "accent": accent})
    told = grouped(replace(found, parts=[north]), "accent")
    assert told.parts[0].gaps == {}
    ours, whole = (told.parts[0].scores[name]["LD"] for name in ("north", ALL))
    assert (ours.wer, ours.contrast.agreeing) == (whole.wer, whole.contrast.agreeing)


def test_a_column_that_names_utterances_is_no_group(tmp_path):
    spoken = [utterance("test", f"u{i}", "anna", 2, take=f"take {i}") for i in range(201)]
    write_run(tmp_path / "run", spoken)
    with pytest.raises(UserError, match=r"column 'take' has 201 values in part test; expected at most 200"):
        grouped(gathered([tmp_path]), "take")


def test_too_few_seeds_have_rates_and_no_verdicts(tmp_path):
    part = grouped(gathered([study(tmp_path, seeds=2, folds=1)]), "gender").parts[0]
    contrast = part.scores["f"]["LD"].contrast
    assert (contrast.difference.low, contrast.difference.verdict) == (None, None)
    assert (contrast.agreeing, contrast.seeds) == (2, 2)


def test_a_plain_difference_is_told_however_many_groups_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "REPLICATES", 100)  # the least p would be 0.02, and 0.12 with Holm
    runs = study(tmp_path, {"None": {"f": 0.1, "m": 0.1}, "LD": {"f": 0.8, "m": 0.8}}, folds=1)
    part = grouped(gathered([runs]), "speaker").parts[1]
    verdicts = [part.scores[group.name]["LD"].contrast.difference.verdict for group in part.groups[1:]]
    assert verdicts == ["worse"] * 6


def test_the_kept_runs_say_by_speaker_what_the_log_says(root):
    told = grouped(gathered([root / "docs" / "results" / "fsdd"]), "speaker").parts[0]
    log = (root / "docs" / "log.md").read_text(encoding="utf-8")
    for group in told.groups[1:]:
        rates = [f"{100 * told.scores[group.name][label].wer.value:.1f}" for label in told.scores[ALL]]
        assert f"| {group.name} | {' | '.join(rates)} |" in log
    assert list(told.scores[ALL]) == ["None", "LB x 0.25", "LD x 0.25"]
