import pytest
from scipy.stats import binomtest

from affectkeras.evaluation.proportions import difference_interval, wilson_interval


def test_wilsons_interval_agrees_with_the_hand_worked_case():
    # z = 1.96, z² = 3.8415; 2 of 4: middle (0.5 + 0.48018) / 1.96037 = 0.5, reach
    # 1.96 / 1.96037 · sqrt(0.0625 + 0.06002) = 0.99979 · 0.35003 = 0.34996.
    assert wilson_interval(0.5, 4) == pytest.approx((0.15004, 0.84996), abs=1e-5)


@pytest.mark.parametrize(("right", "rows"), [(0, 55), (1, 7), (99, 216), (55, 55)])
def test_wilsons_interval_agrees_with_scipy(right, rows):
    for level in (0.9, 0.95):
        expected = binomtest(right, rows).proportion_ci(level, method="wilson")
        found = wilson_interval(right / rows, rows, level)
        assert found == pytest.approx((expected.low, expected.high))


def test_the_difference_agrees_with_the_published_example():
    # Newcombe 1998b, Table II (a), method 10: 56/70 - 48/80.
    found = difference_interval(56 / 70, 48 / 80, 70, 80)
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_difference_turns_round_with_its_order():
    low, high = difference_interval(0.46, 0.42, 216, 216)
    assert difference_interval(0.42, 0.46, 216, 216) == pytest.approx((-high, -low))
    assert low < 0 < high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((46, 216), r"`share` must be in \[0, 1\]. Received: share=46"),
        ((0.5, 0), "`rows` must be at least 1. Received: rows=0"),
        ((0.5, 9, 1.0), r"`level` must be in \(0, 1\). Received: level=1.0"),
    ],
)
def test_what_is_no_share_of_rows_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wilson_interval(*arguments)
