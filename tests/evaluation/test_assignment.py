import numpy as np
import pytest

from affectkeras.evaluation.assignment import divide, join_units


def test_rows_of_a_group_share_a_unit_numbered_by_first_appearance():
    groups = np.array([5, 5, 2, 5, 9])
    np.testing.assert_array_equal(join_units(groups, []), [0, 0, 1, 0, 2])


def test_identical_rows_join_their_groups():
    groups = np.array([0, 0, 1, 1, 2])
    units = join_units(groups, [np.array([1, 3])])
    np.testing.assert_array_equal(units, [0, 0, 0, 0, 1])


def test_chains_of_identical_rows_join_into_one_unit():
    units = join_units(np.arange(5), [np.array([0, 1]), np.array([1, 4])])
    np.testing.assert_array_equal(units, [0, 0, 1, 2, 0])


@pytest.mark.parametrize("seed", range(8))
def test_units_stay_whole_and_no_part_is_empty(seed):
    generator = np.random.default_rng(seed)
    units = generator.integers(12, size=80)
    labels = generator.integers(4, size=80)
    parts = divide(units, labels, (0.7, 0.15, 0.15), seed=seed)
    for unit in np.unique(units):
        assert len(set(parts[units == unit])) == 1
    assert set(parts) == {0, 1, 2}


def test_single_rows_are_halved_class_by_class_as_in_the_paper():
    # The labels of SFEW's validation part, and the halves of the paper's figure 3.
    labels = np.repeat(np.arange(7), [77, 23, 46, 72, 84, 73, 56])
    parts = divide(np.arange(431), labels, (0.5, 0.5), seed=3)
    first = np.bincount(labels[parts == 0])
    second = np.bincount(labels[parts == 1])
    assert (first.sum(), second.sum()) == (215, 216)
    assert np.abs(first - second).max() == 1


def test_groups_of_mixed_sizes_are_divided_with_like_class_shares():
    generator = np.random.default_rng(1)
    units = np.repeat(np.arange(60), generator.integers(1, 14, size=60))
    labels = generator.integers(7, size=len(units))
    parts = divide(units, labels, (0.5, 0.5), seed=0)
    first = np.bincount(labels[parts == 0], minlength=7)
    second = np.bincount(labels[parts == 1], minlength=7)
    assert np.abs(first - second).max() <= 3


def test_a_class_of_one_unit_goes_to_training():
    units = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    for seed in range(10):
        parts = divide(units, labels, (0.7, 0.15, 0.15), seed=seed, complete_first=True)
        assert parts[6] == 0


def test_three_equal_units_fill_three_parts():
    units = np.repeat(np.arange(3), 10)
    parts = divide(units, np.zeros(30, int), (0.7, 0.15, 0.15), seed=0)
    assert sorted(np.unique(parts)) == [0, 1, 2]


def test_the_same_seed_divides_the_same_and_another_differently():
    labels = np.tile(np.arange(4), 50)
    first = divide(np.arange(200), labels, (0.5, 0.5), seed=0)
    np.testing.assert_array_equal(first, divide(np.arange(200), labels, (0.5, 0.5), seed=0))
    assert np.any(first != divide(np.arange(200), labels, (0.5, 0.5), seed=1))
