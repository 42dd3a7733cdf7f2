"""Metrics of sums agree with those of the series, whichever groups are drawn."""

import numpy as np
import pytest

from affectkeras.evaluation import number_metrics
from affectkeras.evaluation.number_sums import (
    NUMBER_METRICS,
    ccc_of,
    mse_of,
    number_sums,
    pcc_of,
    rmse_of,
)

SERIES = {
    "mse": number_metrics.mean_squared_error,
    "rmse": number_metrics.root_mean_squared_error,
    "pcc": number_metrics.pearson_correlation,
    "ccc": number_metrics.concordance,
}


def simulated(groups=7, rows=200, *, seeds=2, level=0.0):
    """Return truth, prediction, group and seed of rows; group 2 has constant truth."""
    generator = np.random.default_rng(3)
    group = np.tile(np.sort(generator.integers(groups, size=rows)), seeds)
    seed = np.repeat(np.arange(seeds), rows)
    true = np.tile(generator.normal(0, 0.3, rows), seeds) + 0.1 * group
    true[group == 2] = 0.2
    predicted = 0.5 * true + generator.normal(0, 0.2, rows * seeds) + 0.1 * seed
    return true + level, predicted + level, group, seed


def sums_of(true, predicted):
    zeros = np.zeros(len(true), dtype=int)
    return number_sums(np.array(true), np.array(predicted), zeros, zeros, (1, 1))[0, 0]


@pytest.mark.parametrize("metric", NUMBER_METRICS)
@pytest.mark.parametrize("level", [0.0, 1e4])
def test_any_draw_of_groups_gives_what_its_rows_give(metric, level):
    true, predicted, group, seed = simulated(level=level)
    totals = number_sums(true, predicted, group, seed, (7, 2))
    for drawn in ([0, 1, 2, 3, 4, 5, 6], [2, 2, 5, 0], [6], [2, 2]):
        found = NUMBER_METRICS[metric](totals[drawn].sum(axis=0))
        for number in (0, 1):
            rows = [np.flatnonzero((group == one) & (seed == number)) for one in drawn]
            rows = np.concatenate(rows)
            expected = SERIES[metric](true[rows], predicted[rows])
            np.testing.assert_allclose(found[number], expected, rtol=1e-6, atol=1e-12)


def test_the_hand_worked_case_agrees():
    sums = sums_of([1.0, 2.0, 3.0], [2.0, 2.0, 5.0])
    assert mse_of(sums) == pytest.approx(5 / 3)
    assert rmse_of(sums) == pytest.approx((5 / 3) ** 0.5)
    assert pcc_of(sums) == pytest.approx(3 / 12**0.5)
    assert ccc_of(sums) == pytest.approx(2 / (2 / 3 + 2 + 1))


def test_metrics_keep_leading_axes():
    sums = np.stack([sums_of([0.0, 1.0], [0.0, 1.0]), sums_of([0.0, 1.0], [1.0, 0.0])])
    assert ccc_of(sums).tolist() == pytest.approx([1, -1])
    assert ccc_of(sums[:, None]).shape == (2, 1)


@pytest.mark.parametrize("value", [0.1, -0.7, 1e6 + 0.1])
def test_a_constant_series_has_concordance_zero_and_no_correlation(value):
    varied = np.random.default_rng(0).normal(size=101)
    constant = np.full(101, value)
    for sums in (sums_of(varied, constant), sums_of(constant, varied)):
        assert ccc_of(sums) == 0
        assert np.isnan(pcc_of(sums))
    assert ccc_of(sums_of(constant, constant + 1)) == 0
    assert np.isnan(ccc_of(sums_of(constant, constant)))


def test_a_group_of_equal_numbers_far_from_the_others_stays_constant():
    # About the median of all rows its mean square is large and its variance only rounding.
    true = np.concatenate([np.full(97, 0.7000001), np.random.default_rng(0).normal(size=400)])
    predicted = np.random.default_rng(1).normal(size=497)
    group = np.repeat([0, 1], [97, 400])
    totals = number_sums(true, predicted, group, np.zeros(497, int), (2, 1))
    assert ccc_of(13 * totals[0, 0]) == 0
    assert np.isnan(pcc_of(13 * totals[0, 0]))


def test_predictions_that_hardly_vary_keep_their_correlation():
    true = np.random.default_rng(0).normal(size=500)
    predicted = 0.5 + 1e-5 * true
    assert pcc_of(sums_of(true, predicted)) == pytest.approx(1, abs=1e-6)


def test_without_rows_there_is_no_figure():
    zeros = np.zeros(1, dtype=int)
    totals = number_sums(np.array([0.1]), np.array([0.2]), zeros, zeros, (1, 2))
    assert totals[0, 0, 0] == 1
    for metric in NUMBER_METRICS.values():
        assert np.isnan(metric(totals[0, 1]))


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="`predicted` must be finite. Received: nan in row 1"):
        sums_of([0.0, 1.0], [0.0, np.nan])
