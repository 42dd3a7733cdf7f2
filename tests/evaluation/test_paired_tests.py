import itertools

import numpy as np
import pytest
from scipy import stats

from affectkeras.evaluation.metrics import accuracy_of, macro_f1_of
from affectkeras.evaluation.paired_tests import (
    cohens_h,
    holm,
    mcnemar_exact,
    sign_flip_p_value,
    t_p_value,
)


def right(*counts):
    """Return two bool arrays with these counts of both, only first, only second, none right."""
    both, first, second, none = counts
    return (
        np.repeat([True, True, False, False], [both, first, second, none]),
        np.repeat([True, False, True, False], [both, first, second, none]),
    )


def group_counts(*right_of_two):
    """Return counts `(groups, 2, 2)` of groups with two rows of class 0, some of them right."""
    return np.array([[[one, 2 - one], [0, 0]] for one in right_of_two])


def test_mcnemar_on_a_known_table():
    # 1 against 6 of 7 discordant rows: 2 · (C(7,0) + C(7,1)) / 2⁷ = 16 / 128.
    found = mcnemar_exact(*right(10, 1, 6, 3))
    assert (found.only_reference, found.only_arm) == (1, 6)
    assert found.p_value == pytest.approx(0.125)


def test_mcnemar_without_discordant_rows_shows_nothing():
    assert mcnemar_exact(*right(5, 0, 0, 2)).p_value == 1.0


def test_mcnemar_refuses_arrays_of_two_lengths():
    with pytest.raises(ValueError, match=r"must be of one shape. Received: \(3,\) and \(2,\)"):
        mcnemar_exact(np.ones(3), np.ones(2))


def test_holm_on_a_worked_example():
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04 -> 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_one_is_itself_and_none_exceeds_one():
    assert holm([0.2]) == [0.2]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"`p_values` must be in \[0, 1\]. Received: \[0.1, 1.2\]"):
        holm([0.1, 1.2])


def test_cohens_h_from_a_half_to_three_quarters_is_a_twelfth_of_two_pi():
    # arcsin √0.75 = π/3, arcsin √0.5 = π/4.
    assert cohens_h(0.5, 0.75) == pytest.approx(np.pi / 6)
    assert cohens_h(0.75, 0.5) == pytest.approx(-np.pi / 6)


def test_cohens_h_refuses_what_is_no_share():
    with pytest.raises(ValueError, match=r"`arm` must be in \[0, 1\]. Received: arm=75"):
        cohens_h(0.5, 75)


def test_sign_flips_of_four_groups_enumerated_by_hand():
    # Differences +2, +1, +1, -1 sum to 3; of 16 sign patterns |sum| ≥ 3 holds for ±5 (1 each) and
    # ±3 (3 each): 8 / 16.
    reference, arm = group_counts(0, 0, 1, 1), group_counts(2, 1, 2, 0)
    assert sign_flip_p_value(reference, arm, accuracy_of) == pytest.approx(0.5)


def test_groups_in_which_both_agree_change_nothing():
    reference, arm = group_counts(0, 0, 1, 1), group_counts(2, 1, 2, 0)
    agreeing = group_counts(1, 2, 0)
    p_value = sign_flip_p_value(
        np.concatenate([reference, agreeing]), np.concatenate([arm, agreeing]), accuracy_of
    )
    assert p_value == pytest.approx(0.5)


def test_sign_flips_of_macro_f1_agree_with_exchanging_by_hand():
    generator = np.random.default_rng(4)
    reference, arm = generator.integers(4, size=(2, 6, 3, 3))
    seen = abs(macro_f1_of(arm.sum(axis=0)) - macro_f1_of(reference.sum(axis=0)))
    extreme = 0
    for swap in itertools.product([False, True], repeat=6):
        first = sum(b if s else a for a, b, s in zip(reference, arm, swap, strict=True))
        second = sum(a if s else b for a, b, s in zip(reference, arm, swap, strict=True))
        extreme += abs(macro_f1_of(second) - macro_f1_of(first)) >= seen - 1e-12
    assert sign_flip_p_value(reference, arm, macro_f1_of) == pytest.approx(extreme / 64)


def test_drawn_exchanges_come_near_to_all_of_them():
    reference, arm = np.random.default_rng(1).integers(3, size=(2, 12, 2, 2))
    exact = sign_flip_p_value(reference, arm, accuracy_of)
    drawn = sign_flip_p_value(reference, arm, accuracy_of, repetitions=4000)
    assert drawn == pytest.approx(exact, abs=0.03)


def test_equal_predictions_have_the_p_value_one():
    assert sign_flip_p_value(group_counts(1, 2), group_counts(1, 2), accuracy_of) == 1.0


def test_students_p_value_is_that_of_scipy_and_knows_no_spread():
    values = np.array([1.0, 2.0, 4.0, -1.0])
    error = values.std(ddof=1) / 2
    expected = stats.ttest_1samp(values, 0).pvalue
    assert t_p_value(values.mean(), error, 3) == pytest.approx(expected)
    assert (t_p_value(0.0, 0.0, 3), t_p_value(0.1, 0.0, 3)) == (1.0, 0.0)
