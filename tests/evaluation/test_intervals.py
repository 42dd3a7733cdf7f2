import numpy as np
import pytest

from affectkeras.evaluation import metrics
from affectkeras.evaluation.intervals import (
    bootstrap_interval,
    bootstrap_seeds_and_groups,
    bootstrap_totals,
    group_confusions,
    macro_f1_interval,
)


def slow_bootstrap(values, groups, repetitions, seed):
    """Draw groups and average the rows of the drawn ones, row by row."""
    generator = np.random.default_rng(seed)
    names = np.unique(groups)
    found = []
    for _ in range(repetitions):
        drawn = generator.integers(len(names), size=len(names))
        rows = [value for name in names[drawn] for value in values[groups == name]]
        found.append(np.mean(rows))
    return np.quantile(found, [0.025, 0.975])


def test_two_groups_all_right_and_all_wrong_span_zero_to_one():
    # Drawn are RR, RW, WR, WW with probability 1/4 each: the 2.5 % quantile is 0, the 97.5 % is 1.
    interval = bootstrap_interval(np.array([1, 1, 0, 0]), np.array(["r", "r", "w", "w"]))
    assert (interval.low, interval.high) == (0.0, 1.0)
    assert interval.groups == 2


def test_the_interval_agrees_with_a_slow_group_bootstrap():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), generator.integers(1, 9, size=20))
    values = (generator.random(len(groups)) < 0.6).astype(float)
    interval = bootstrap_interval(values, groups, repetitions=4000)
    slow = slow_bootstrap(values, groups, 4000, seed=9)
    np.testing.assert_allclose([interval.low, interval.high], slow, atol=0.02)


def test_rows_as_their_own_groups_give_the_row_bootstrap():
    values = (np.arange(150) % 5 < 3).astype(float)
    interval = bootstrap_interval(values, np.arange(150), repetitions=4000)
    generator = np.random.default_rng(5)
    means = values[generator.integers(150, size=(4000, 150))].mean(axis=1)
    np.testing.assert_allclose(
        [interval.low, interval.high], np.quantile(means, [0.025, 0.975]), atol=0.01
    )


def test_grouped_rows_widen_the_interval():
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 10)
    values = np.repeat(generator.random(30) < 0.5, 10).astype(float)
    by_group = bootstrap_interval(values, groups)
    by_row = bootstrap_interval(values, np.arange(300))
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


def test_coverage_of_simulated_groups_is_about_nominal():
    generator = np.random.default_rng(7)
    covered = []
    for trial in range(300):
        rates = generator.beta(4, 2, size=40)  # mean 2/3
        groups = np.repeat(np.arange(40), 6)
        values = (generator.random(240) < rates[groups]).astype(float)
        interval = bootstrap_interval(values, groups, repetitions=400, seed=trial)
        covered.append(interval.low <= 2 / 3 <= interval.high)
    assert 0.90 <= np.mean(covered) <= 0.98


def test_macro_f1_interval_agrees_with_resampling_rows_by_hand():
    generator = np.random.default_rng(3)
    true, predicted = generator.integers(3, size=120), generator.integers(3, size=120)
    groups = generator.integers(25, size=120)
    interval = macro_f1_interval(true, predicted, groups, 3, repetitions=2000)
    names, slow = np.unique(groups), []
    for _ in range(1000):
        drawn = generator.choice(names, size=len(names))
        rows = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
        slow.append(metrics.macro_f1(true[rows], predicted[rows], 3))
    np.testing.assert_allclose(
        [interval.low, interval.high], np.quantile(slow, [0.025, 0.975]), atol=0.02
    )


def test_group_confusions_add_up_to_the_confusion():
    generator = np.random.default_rng(2)
    true, predicted = generator.integers(4, size=60), generator.integers(4, size=60)
    groups = generator.integers(9, size=60)
    totals = group_confusions(true, predicted, groups, 4)
    np.testing.assert_array_equal(totals.sum(axis=0), metrics.confusion_matrix(true, predicted, 4))
    np.testing.assert_array_equal(
        totals[3], metrics.confusion_matrix(true[groups == 3], predicted[groups == 3], 4)
    )


def test_the_same_seed_gives_the_same_interval_whatever_the_portions(monkeypatch):
    values, groups = np.arange(50) % 2, np.arange(50)
    first = bootstrap_interval(values, groups, seed=3)
    assert first == bootstrap_interval(values, groups, seed=3)
    monkeypatch.setattr("affectkeras.evaluation.intervals.DRAWS_AT_ONCE", 500)
    in_portions = bootstrap_interval(values, groups, seed=3)
    assert in_portions.low == pytest.approx(first.low, abs=0.04)


def test_one_group_has_no_interval_and_says_why():
    interval = bootstrap_interval(np.array([1, 0]), np.array(["a", "a"]))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason.startswith("one group only")


def counts_of(right, groups):
    """Return counts `(groups, seeds, 2)` of right and wrong from `right` `(seeds, rows)`."""
    names = np.unique(groups)
    return np.array(
        [[[seed[groups == name].sum(), (~seed[groups == name]).sum()] for seed in right]
         for name in names]
    )  # fmt: skip


def share_right(sums):
    return sums[..., 0] / np.maximum(sums.sum(axis=-1), 1)


def simulated_seeds(seeds=4, groups=15, spread=0.15):
    generator = np.random.default_rng(11)
    code = np.repeat(np.arange(groups), generator.integers(2, 7, size=groups))
    rates = 0.6 + spread * generator.normal(size=(seeds, 1))
    rates = rates + 0.2 * generator.normal(size=groups)[code]
    return generator.random(rates.shape) < rates, code


def test_with_one_seed_seeds_and_groups_give_what_groups_give():
    right, groups = simulated_seeds(seeds=1)
    totals = counts_of(right, groups)
    expected = bootstrap_totals(totals[:, 0], share_right, seed=5)
    assert bootstrap_seeds_and_groups(totals, share_right, seed=5) == expected


def test_drawn_seeds_agree_with_a_slow_bootstrap_of_seeds_and_groups():
    right, groups = simulated_seeds()
    interval = bootstrap_seeds_and_groups(counts_of(right, groups), share_right, repetitions=4000)
    generator, names, slow = np.random.default_rng(2), np.unique(groups), []
    for _ in range(4000):
        drawn_groups = generator.choice(names, size=len(names))
        rows = np.concatenate([np.flatnonzero(groups == name) for name in drawn_groups])
        drawn_seeds = generator.choice(len(right), size=len(right) - 1)
        slow.append(np.mean([right[seed, rows].mean() for seed in drawn_seeds]))
    np.testing.assert_allclose(
        [interval.low, interval.high], np.quantile(slow, [0.025, 0.975]), atol=0.02
    )


def test_a_right_and_a_wrong_seed_span_zero_to_one_whatever_the_groups():
    # One of two seeds is drawn: the figure is 1 or 0, each with probability 1/2.
    totals = np.array([[[3, 0], [0, 3]]] * 5)
    interval = bootstrap_seeds_and_groups(totals, share_right)
    assert (interval.low, interval.high, interval.groups) == (0.0, 1.0, 5)


def test_seeds_that_differ_widen_the_interval_of_groups():
    right, groups = simulated_seeds(spread=0.15)
    totals = counts_of(right, groups)
    by_groups = bootstrap_totals(totals, lambda sums: share_right(sums).mean(axis=1))
    both = bootstrap_seeds_and_groups(totals, share_right)
    assert both.high - both.low > 1.2 * (by_groups.high - by_groups.low)


def test_coverage_over_three_seeds_and_groups_is_about_nominal():
    generator = np.random.default_rng(3)
    covered = []
    for trial in range(300):
        values = (
            generator.normal(0, 1, (1, 3))
            + generator.normal(0, np.sqrt(35), (50, 1))
            + generator.normal(0, np.sqrt(15), (50, 3))
        )  # seeds and groups each move the mean by about as much: standard errors 0.6 and 0.9
        totals = np.stack([values + 1000, 1000 - values], axis=-1)
        interval = bootstrap_seeds_and_groups(totals, share_right, repetitions=300, seed=trial)
        covered.append(interval.low <= 0.5 <= interval.high)
    assert 0.90 <= np.mean(covered) <= 0.99


def test_a_drawn_seed_without_rows_of_the_drawn_groups_is_left_out():
    # Seed 0 was tested on group a, all right; seed 1 on group b, all wrong.
    totals = np.array([[[2, 0], [0, 0]], [[0, 0], [0, 2]]])
    interval = bootstrap_seeds_and_groups(totals, share_right)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_one_group_has_no_interval_over_seeds_either():
    interval = bootstrap_seeds_and_groups(np.ones((1, 3, 2)), share_right)
    assert interval.reason.startswith("one group only")


def test_a_level_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match=r"`level` must be in \(0, 1\). Received: level=95"):
        bootstrap_totals(np.ones((3, 2)), lambda sums: sums[:, 0], level=95)


def test_values_without_groups_are_refused():
    with pytest.raises(ValueError, match="Received: lengths 3 and 2"):
        bootstrap_interval(np.ones(3), np.ones(2))


def undefined_below(least):
    """Return a metric that has no figure where the mean is lower."""

    def metric(sums):
        mean = sums[..., 0] / sums[..., 1]
        return np.where(mean < least, np.nan, mean)

    return metric


def mean_totals(values):
    return np.stack([values, np.ones_like(values)], axis=-1)[:, None]


def test_draws_without_a_figure_are_left_out_and_counted():
    # Of five groups one is 0; where it is drawn four or five times there is no figure.
    totals = mean_totals(np.array([0.0, 1.0, 1.0, 1.0, 1.0]))
    interval = bootstrap_seeds_and_groups(totals, undefined_below(0.3))
    share = 5 * 0.2**4 * 0.8 + 0.2**5
    assert interval.undefined == pytest.approx(share, abs=0.005)
    whole = bootstrap_seeds_and_groups(totals, undefined_below(0.0))
    assert (whole.undefined, interval.high) == (0, whole.high)


def test_too_many_draws_without_a_figure_leave_no_interval():
    totals = mean_totals(np.array([0.0, 0.0, 1.0, 1.0]))
    interval = bootstrap_seeds_and_groups(totals, undefined_below(0.5))
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason.startswith("no figure in 3")
    assert interval.reason.endswith("% of the draws: a series is constant in them")


def test_a_drawn_seed_without_a_figure_leaves_its_whole_draw_out():
    # Seed 1 never has a figure: with one of two seeds drawn, half of the draws have none.
    totals = np.concatenate([mean_totals(np.ones(4)), mean_totals(-np.ones(4))], axis=1)
    interval = bootstrap_seeds_and_groups(totals, undefined_below(0.0))
    assert interval.undefined == pytest.approx(0.5, abs=0.05)


def test_sums_below_zero_count_as_rows():
    interval = bootstrap_seeds_and_groups(mean_totals(np.array([-3.0, -1.0])), undefined_below(-9))
    assert (interval.low, interval.high) == (-3, -1)
