import numpy as np
import pytest

from affectkeras.evaluation.difference_variance import (
    DifferenceVariance,
    difference_variance,
    rows_needed,
)


def drawn_with(covariance):
    """Return repetitions whose sample covariance is exactly this."""
    covariance = np.asarray(covariance, dtype=float)
    noise = np.random.default_rng(0).normal(size=(50, len(covariance)))
    noise -= noise.mean(axis=0)
    whitened = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise, rowvar=False))).T
    return whitened @ np.linalg.cholesky(covariance).T


def test_with_one_seed_an_arm_only_groups_count():
    # var(a) + var(r) - 2 cov = 4 + 3 - 2 · 1 = 5, times 10/9 for the ten groups.
    found = difference_variance(
        drawn_with([[4, 1], [1, 3]]), np.zeros(2), 1, groups=10, differing=6, paired=True
    )
    assert found.groups == pytest.approx(5 * 10 / 9)
    variance, degrees = found.at()
    assert (variance, degrees) == (pytest.approx(5 * 10 / 9), pytest.approx(5))


def test_paired_seeds_add_the_spread_of_their_differences():
    # Differences 1, 2, 6: variance 7, over 3 seeds 7/3. Cells are independent with variance 1 in
    # each arm: of a difference's own 2 · 100/99, the arms share nothing.
    found = difference_variance(
        drawn_with(np.eye(6)),
        np.array([0, 0, 0, 1, 2, 6.0]),
        3,
        groups=100,
        differing=50,
        paired=True,
    )
    assert found.groups == pytest.approx(0, abs=1e-12)
    assert found.seeds == (pytest.approx(7 / 3),)
    assert found.shrinking == (pytest.approx(2 * 100 / 99 / 3),)
    assert found.at()[1] == pytest.approx(2)


def test_what_groups_do_to_all_seeds_alike_is_the_covariance_between_seeds():
    # Every arm's cells: variance 3, covariance 2 within the arm, 1 between the arms. A difference's
    # covariance with another seed's: 2 + 2 - 1 - 1 = 2; with other seeds the same.
    covariance = np.full((4, 4), 1.0)
    covariance[:2, :2] = covariance[2:, 2:] = 2
    np.fill_diagonal(covariance, 3)
    measured = np.array([0, 2, 0, 4.0])
    paired = difference_variance(
        drawn_with(covariance), measured, 2, groups=1000, differing=500, paired=True
    )
    others = difference_variance(
        drawn_with(covariance), measured, 2, groups=1000, differing=500, paired=False
    )
    assert paired.groups == pytest.approx(2, rel=0.01)
    assert others.groups == pytest.approx(2, rel=0.01)
    assert paired.seeds == (pytest.approx(1),)  # differences 0, 2: variance 2, over 2 seeds
    assert others.seeds == (pytest.approx(1), pytest.approx(4))  # 0, 2 and 0, 4
    assert others.degrees == (1, 1)


def test_degrees_of_freedom_follow_satterthwaite():
    found = DifferenceVariance(2.0, 11, (1.0,), (0.0,), (2,))
    variance, degrees = found.at()
    assert variance == 3
    assert degrees == pytest.approx(9 / (1 / 2 + 4 / 10))


def test_more_groups_shrink_what_groups_bring_and_leave_what_seeds_bring():
    found = DifferenceVariance(2.0, 11, (1.0,), (0.4,), (2,))
    assert found.at(10.0)[0] == pytest.approx(0.2 + 0.6 + 0.04)


def test_rows_needed_follow_the_formula_for_one_seed():
    # Discordance 0.2, no difference, design effect 2, 1,000 rows: variance 0.2 · 2 / 1000.
    found = DifferenceVariance(0.2 * 2 / 1000, 400)
    expected = (1.959964 + 0.841621) ** 2 * 0.2 * 2 / 0.03**2
    assert expected == pytest.approx(3488, rel=0.001)
    assert rows_needed(found, 1000, 0.03) == pytest.approx(expected, rel=0.01)


def test_no_number_of_rows_makes_up_for_seeds_that_differ():
    found = DifferenceVariance(1e-4, 400, (1e-3,), (1e-5,), (2,))
    assert rows_needed(found, 1000, 0.03) is None


def test_that_many_rows_find_the_difference_four_times_in_five():
    rows, rate = 400, 0.3
    needed = rows_needed(DifferenceVariance(rate / rows, round(rate * rows)), rows, 0.08)
    generator = np.random.default_rng(0)
    shares = [rate / 2 - 0.04, rate / 2 + 0.04, 1 - rate]
    counts = generator.multinomial(round(needed), shares, size=4000)
    difference = (counts[:, 1] - counts[:, 0]) / needed
    error = np.sqrt(((counts[:, 1] + counts[:, 0]) / needed - difference**2) / needed)
    assert np.mean(abs(difference) > 1.96 * error) == pytest.approx(0.8, abs=0.03)


def test_without_any_spread_no_number_is_named():
    assert rows_needed(DifferenceVariance(0.0, 0), 100, 0.03) is None


def test_a_difference_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`difference` must be above 0. Received: difference=0"):
        rows_needed(DifferenceVariance(0.1, 5), 100, 0)
