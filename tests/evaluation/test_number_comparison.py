"""Arms that predict numbers, compared on the same rows."""

import numpy as np
import pytest
from scipy import stats

from affectkeras.evaluation import number_metrics
from affectkeras.evaluation.number_comparison import NumberPredictions, compare_numbers


def simulated(generator, *, groups=25, frames=8, seeds=1, skills=(0.5, 0.5), seed_spread=0.0):
    """Return truth, groups and two arms whose predictions hold a share of the truth."""
    code = np.repeat(np.arange(groups), frames)
    true = generator.normal(0, 0.3, groups)[code] + generator.normal(0, 0.1, len(code))
    arms = []
    for name, skill in zip(("gru", "lstm"), skills, strict=True):
        noise = generator.normal(0, 0.15, (seeds, groups))[:, code]
        noise = noise + generator.normal(0, seed_spread, (seeds, 1)) * true
        predicted = skill * true + noise + generator.normal(0, 0.1, (seeds, len(code)))
        arms.append(NumberPredictions(name, tuple(range(seeds)), {"valence": predicted}))
    return {"valence": true}, code, arms


def found_of(compared, metric="ccc"):
    (found,) = [one for one in compared[0].differences if one.metric == metric]
    return found


@pytest.mark.parametrize(
    ("metric", "function"),
    [("ccc", number_metrics.concordance), ("mse", number_metrics.mean_squared_error)],
)
def test_the_difference_is_that_of_the_means_over_seeds(metric, function):
    true, groups, arms = simulated(np.random.default_rng(0), seeds=3, skills=(0.8, 0.3))
    (one,) = compared = compare_numbers(true, groups, arms, repetitions=200)
    means = [
        np.mean([function(true["valence"], row) for row in arm.predicted["valence"]])
        for arm in arms
    ]
    found = found_of(compared, metric)
    assert (found.reference, found.arm) == (pytest.approx(means[0]), pytest.approx(means[1]))
    assert found.difference == pytest.approx(means[1] - means[0])
    assert (one.rows, one.groups, one.arm_seeds, one.seeds_repeated) == (200, 25, (0, 1, 2), True)
    assert found.low < found.difference < found.high


def test_with_one_seed_the_interval_is_students_about_a_slow_bootstrap_of_groups():
    true, groups, arms = simulated(np.random.default_rng(1), skills=(0.8, 0.3))
    found = found_of(compare_numbers(true, groups, arms, repetitions=4000))
    generator, slow = np.random.default_rng(5), []
    values = [true["valence"], *(arm.predicted["valence"][0] for arm in arms)]
    for _ in range(1500):
        drawn = generator.integers(25, size=25)
        rows = np.concatenate([np.flatnonzero(groups == one) for one in drawn])
        figures = [number_metrics.concordance(values[0][rows], one[rows]) for one in values[1:]]
        slow.append(figures[1] - figures[0])
    error = np.std(slow) * np.sqrt(25 / 24)
    assert found.standard_error == pytest.approx(error, rel=0.08)
    assert found.degrees_of_freedom == 24
    reach = stats.t.ppf(0.975, 24) * found.standard_error
    assert found.high - found.difference == pytest.approx(reach)
    assert found.shown == (found.low > 0 or found.high < 0)


def test_coverage_of_no_difference_is_about_nominal():
    generator, covered = np.random.default_rng(2), []
    for trial in range(200):
        true, groups, arms = simulated(generator, frames=3)
        found = found_of(compare_numbers(true, groups, arms, repetitions=200, seed=trial))
        covered.append(not found.shown)
    assert 0.90 <= np.mean(covered) <= 0.99


def test_seeds_that_differ_widen_the_interval():
    steady = simulated(np.random.default_rng(3), seeds=3, seed_spread=0.0)
    moved = simulated(np.random.default_rng(3), seeds=3, seed_spread=0.5)
    narrow, wide = [found_of(compare_numbers(*one, repetitions=300)) for one in (steady, moved)]
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_target_is_compared_with_the_first_arm_that_predicts_it():
    true, groups, (gru, lstm) = simulated(np.random.default_rng(4))
    true["arousal"] = -true["valence"]
    alone = NumberPredictions("other", (0,), {"arousal": -gru.predicted["valence"]})
    both = NumberPredictions("both", (0,), {**lstm.predicted, **alone.predicted})
    compared = compare_numbers(true, groups, [gru, alone, both], repetitions=50)
    assert [(one.reference, one.arm) for one in compared] == [("gru", "both"), ("other", "both")]
    targets = [[found.target for found in one.differences] for one in compared]
    assert targets == [["valence"] * 2, ["arousal"] * 2]
    assert compared[1].differences[0].difference == pytest.approx(0)
    assert compare_numbers(true, groups, [gru, alone], repetitions=50) == []


def test_a_collapsed_seed_counts_as_concordance_zero():
    true, groups, arms = simulated(np.random.default_rng(5), seeds=2)
    arms[1].predicted["valence"][1] = 0.123
    found = found_of(compare_numbers(true, groups, arms, repetitions=100))
    first = number_metrics.concordance(true["valence"], arms[1].predicted["valence"][0])
    assert found.arm == pytest.approx(first / 2)
    assert found.reason == ""


def test_one_group_tells_nothing_of_others():
    true, groups, arms = simulated(np.random.default_rng(6), groups=1, frames=30)
    found = found_of(compare_numbers(true, groups, arms))
    assert found.reason == "all test rows are of one group, which tells nothing of others"
    assert np.isnan([found.low, found.high]).all()
    assert not found.shown


def test_draws_without_a_figure_leave_no_interval():
    # In most videos truth and prediction are one constant: drawn alone they have no concordance.
    true = {"valence": np.concatenate([np.zeros(12), [0.1, 0.5]])}
    groups = np.concatenate([np.repeat([0, 1], 6), [2, 2]])
    arms = [
        NumberPredictions(name, (0,), {"valence": np.concatenate([np.zeros(12), [0.2, end]])[None]})
        for name, end in (("gru", 0.4), ("lstm", 0.3))
    ]
    found = found_of(compare_numbers(true, groups, arms))
    assert found.reason.startswith("it has no figure in 3")
    assert np.isfinite(found.difference)


def test_a_figure_that_a_seed_has_not_is_said():
    constant = np.full((1, 4), 0.2)
    arms = [NumberPredictions(name, (0,), {"valence": constant}) for name in ("gru", "lstm")]
    found = found_of(compare_numbers({"valence": constant[0]}, np.arange(4), arms))
    assert found.reason.startswith("with some seed it has no figure")


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (1, "`arms` must be two or more. Received: 1"),
        (2, r"`predicted` must have the shape \(2, 200\). Received: \(1, 200\)"),
    ],
)
def test_what_cannot_be_compared_is_refused(arms, message):
    true, groups, pair = simulated(np.random.default_rng(0))
    pair[1] = NumberPredictions("lstm", (0, 1), pair[1].predicted)
    with pytest.raises(ValueError, match=message):
        compare_numbers(true, groups, pair[:arms])
