import numpy as np
import pytest
from scipy import stats

from affectkeras.evaluation import metrics
from affectkeras.evaluation.comparison import (
    ArmPredictions,
    compare_arms,
    design_effect,
    discordance,
)


def arm(name, *predicted, seeds=None):
    return ArmPredictions(name, seeds or tuple(range(len(predicted))), np.array(predicted))


def random_arms(seeds=3, rows=90, groups=15, seed=0):
    generator = np.random.default_rng(seed)
    true = generator.integers(3, size=rows)
    noise = generator.integers(3, size=(2, seeds, rows))
    wrong = generator.random((2, seeds, rows)) < np.array([0.4, 0.3])[:, None, None]
    first, second = np.where(wrong, noise, true)
    return true, generator.integers(groups, size=rows), arm("none", *first), arm("bdr", *second)


def test_differences_are_those_of_the_means_over_seeds():
    true = np.array([0, 0, 1, 1])
    reference = arm("none", [0, 0, 1, 0], [0, 1, 1, 0])  # 3/4 and 2/4 right
    treated = arm("bdr", [0, 0, 1, 1], [0, 0, 1, 0])  # 4/4 and 3/4 right
    found = compare_arms(true, np.arange(4), 2, [reference, treated], repetitions=200)[0]
    accuracy = found.differences["accuracy"]
    assert (accuracy.reference, accuracy.arm) == (0.625, 0.875)
    assert accuracy.difference == 0.25
    expected = np.mean([metrics.macro_f1(true, one, 2) for one in treated.predicted])
    assert found.differences["macro_f1"].arm == pytest.approx(expected)
    assert (found.reference_seeds, found.seeds_paired, found.seeds_repeated) == ((0, 1), True, True)
    assert found.discordance == 0.25  # a row in each seed
    assert found.mcnemar is None


def test_the_interval_of_a_case_that_can_be_enumerated():
    # Three groups of one row, differences +1, 0, 0. Of 27 draws the mean is k/3 with a binomial k
    # of (3, 1/3): variance 3 · 1/3 · 2/3 / 9 = 2/27; times 3/2 for three groups: 1/9. One group
    # differs: one degree of freedom, 12.7 · 1/3 reaches beyond a share's ends.
    found = compare_arms(
        np.zeros(3, int), np.arange(3), 2, [arm("none", [1, 1, 1]), arm("bdr", [0, 1, 1])]
    )[0]
    accuracy = found.differences["accuracy"]
    assert accuracy.difference == pytest.approx(1 / 3)
    assert accuracy.standard_error == pytest.approx(1 / 3, rel=0.05)
    assert accuracy.degrees_of_freedom == 1
    assert (accuracy.low, accuracy.high) == (-1, 1)
    assert accuracy.p_value == 1.0  # both exchanges of the one group are as extreme


def test_the_standard_error_agrees_with_a_slow_bootstrap_of_rows_by_group():
    true, groups, reference, treated = random_arms(seeds=1)
    found = compare_arms(true, groups, 3, [reference, treated], repetitions=4000)[0]
    generator, names = np.random.default_rng(8), np.unique(groups)
    slow = {"accuracy": [], "macro_f1": []}
    for _ in range(2000):
        drawn = generator.choice(names, size=len(names))
        rows = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
        ours, theirs = treated.predicted[0, rows], reference.predicted[0, rows]
        slow["accuracy"].append(np.mean(ours == true[rows]) - np.mean(theirs == true[rows]))
        slow["macro_f1"].append(
            metrics.macro_f1(true[rows], ours, 3) - metrics.macro_f1(true[rows], theirs, 3)
        )
    for metric, values in slow.items():
        difference = found.differences[metric]
        error = np.std(values, ddof=1) * np.sqrt(len(names) / (len(names) - 1))
        assert difference.standard_error == pytest.approx(error, rel=0.06)
        reach = stats.t.ppf(0.975, difference.degrees_of_freedom) * difference.standard_error
        assert difference.high == pytest.approx(difference.difference + reach)


def test_seeds_widen_the_interval_as_a_slow_sum_of_both_sources_says():
    true, groups, reference, treated = random_arms(seeds=4)
    found = compare_arms(true, groups, 3, [reference, treated], repetitions=6000)[0]
    right = (treated.predicted == true).astype(float) - (reference.predicted == true)
    generator, names, draws = np.random.default_rng(3), np.unique(groups), []
    for _ in range(3000):
        drawn = generator.choice(names, size=len(names))
        rows = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
        draws.append(right[:, rows].mean(axis=1))
    covariance = np.cov(np.array(draws), rowvar=False) * len(names) / (len(names) - 1)
    between = np.mean([covariance[a, b] for a in range(4) for b in range(4) if a != b])
    variance = right.mean(axis=1).var(ddof=1) / 4 + max(between, 0)
    accuracy = found.differences["accuracy"]
    assert accuracy.standard_error == pytest.approx(np.sqrt(variance), rel=0.08)
    assert accuracy.test == "Student's t"


def test_several_arms_are_corrected_together():
    true, groups, reference, treated = random_arms()
    other = ArmPredictions("random", reference.seeds, reference.predicted[::-1])
    found = compare_arms(true, groups, 3, [reference, treated, other], repetitions=300)
    first, second = (one.differences["accuracy"] for one in found)
    low, high = sorted([first, second], key=lambda one: one.p_value)
    assert low.p_adjusted == pytest.approx(min(1, 2 * low.p_value))
    assert high.p_adjusted == pytest.approx(max(low.p_adjusted, high.p_value))
    assert [one.comparisons for one in found] == [2, 2]


def test_seeds_are_paired_by_their_numbers_whatever_their_order():
    true, groups, reference, treated = random_arms()
    turned = ArmPredictions("bdr", (2, 1, 0), treated.predicted[::-1])
    assert (
        compare_arms(true, groups, 3, [reference, treated], repetitions=100)[0]
        == compare_arms(true, groups, 3, [reference, turned], repetitions=100)[0]
    )


def test_one_seed_beside_three_counts_as_not_repeated():
    true, groups, reference, treated = random_arms()
    single = ArmPredictions("none", (0,), reference.predicted[:1])
    found = compare_arms(true, groups, 3, [single, treated], repetitions=100)[0]
    assert (found.seeds_repeated, found.seeds_paired, found.mcnemar) == (False, False, None)
    assert found.differences["accuracy"].variance.seeds == ()


def test_equal_predictions_differ_by_nothing():
    true, groups, reference, _ = random_arms(seeds=1)
    same = ArmPredictions("bdr", (0,), reference.predicted)
    found = compare_arms(true, groups, 3, [reference, same], repetitions=100)[0]
    accuracy = found.differences["accuracy"]
    assert (accuracy.low, accuracy.high, accuracy.p_value) == (0, 0, 1)
    assert not accuracy.shown


def test_one_group_has_neither_interval_nor_p_value():
    true, _, reference, treated = random_arms(seeds=1)
    found = compare_arms(true, np.zeros(90), 3, [reference, treated], repetitions=100)[0]
    accuracy = found.differences["accuracy"]
    assert np.isnan([accuracy.low, accuracy.high, accuracy.p_value, accuracy.p_adjusted]).all()
    assert not accuracy.shown


def test_discordance_over_pairs_of_seeds():
    reference = np.array([[True, False], [True, True]])
    treated = np.array([[False, False], [True, True]])
    assert discordance(reference, treated, paired=True) == 0.25
    # Pairs: 1/2, 0/2 + …: seed 0 with 0: 1/2, 0 with 1: 1/2, 1 with 0: 2/2, 1 with 1: 0.
    assert discordance(reference, treated, paired=False) == 0.5


def test_the_design_effect_of_rows_that_repeat_each_other_is_their_number():
    values = np.repeat(np.random.default_rng(0).normal(size=400), 5)
    assert design_effect(values, np.repeat(np.arange(400), 5)) == pytest.approx(5, rel=0.01)
    assert design_effect(values, np.arange(2000)) == pytest.approx(1)
    assert np.isnan(design_effect(np.zeros(4), np.arange(4)))


def test_predictions_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"`predicted` must have the shape \(1, 3\). Received"):
        compare_arms(np.zeros(3, int), np.arange(3), 2, [arm("none", [0, 1]), arm("bdr", [0, 1])])


def test_seeds_that_repeat_are_refused():
    twice = arm("none", [0, 1], [0, 1], seeds=(1, 1))
    with pytest.raises(ValueError, match=r"`seeds` must be different, at least one. Received"):
        compare_arms(np.zeros(2, int), np.arange(2), 2, [twice, twice])


def test_one_arm_alone_is_refused():
    with pytest.raises(ValueError, match="`arms` must be two or more. Received: 1"):
        compare_arms(np.zeros(2, int), np.arange(2), 2, [arm("none", [0, 1])])
