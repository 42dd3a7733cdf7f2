"""Split makers against scikit-learn where it has them, and against their promises elsewhere."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from affectkeras.evaluation import folds

RANDOM = np.random.default_rng(0)
GROUPS = RANDOM.integers(0, 30, 300)
LABELS = (GROUPS % 3 + (RANDOM.random(300) < 0.3)) % 3


def assert_whole_groups(fold, groups):
    assert not set(groups[fold.train]) & set(groups[fold.test])
    assert len(fold.train)
    assert len(fold.test)


@pytest.mark.parametrize("labels", [None, LABELS])
def test_grouped_folds_test_every_row_once_in_whole_groups(labels):
    made = list(folds.grouped_folds(GROUPS, folds=5, seed=1, labels=labels))
    assert sorted(np.concatenate([fold.test for fold in made])) == list(range(300))
    for fold in made:
        assert_whole_groups(fold, GROUPS)
        assert sorted([*fold.train, *fold.test]) == list(range(300))
        assert 40 <= len(fold.test) <= 80


def test_stratified_folds_have_the_class_shares_of_all_rows():
    whole = np.bincount(LABELS) / 300
    for fold in folds.grouped_folds(GROUPS, folds=5, seed=1, labels=LABELS):
        shares = np.bincount(LABELS[fold.test], minlength=3) / len(fold.test)
        np.testing.assert_allclose(shares, whole, atol=0.08)


def test_the_seed_alone_decides_the_folds():
    def made(seed):
        return [fold.test.tolist() for fold in folds.grouped_folds(GROUPS, folds=4, seed=seed)]

    assert made(3) == made(3)
    assert made(3) != made(4)


def test_hold_out_keeps_about_the_share_in_whole_groups():
    fold = folds.hold_out(GROUPS, share=0.2, seed=0, labels=LABELS)
    assert_whole_groups(fold, GROUPS)
    assert 45 <= len(fold.test) <= 75


def test_leave_one_out_is_that_of_scikit_learn():
    subjects = np.array(["P2", "P10", "P2", "P3", "P10", "P3", "P3"])
    expected = list(LeaveOneGroupOut().split(subjects, groups=subjects))
    made = list(folds.leave_one_out(subjects))
    assert [fold.name for fold in made] == ["P10", "P2", "P3"]
    for fold, (train, test) in zip(made, expected, strict=True):
        np.testing.assert_array_equal(fold.train, train)
        np.testing.assert_array_equal(fold.test, test)


def test_leaving_a_dyad_out_leaves_both_of_its_subjects_out():
    subjects = np.array([1, 2, 1, 3, 4, 2])
    dyads = np.array(["a", "a", "a", "b", "b", "a"])
    for fold in folds.leave_one_out(dyads):
        assert_whole_groups(fold, subjects)


def test_inner_folds_never_hold_a_test_row_of_their_outer_fold():
    outer = folds.leave_one_out(GROUPS)
    for fold, inner in folds.nested(outer, GROUPS, folds=3, seed=0, labels=LABELS):
        assert len(inner) == 3
        for one in inner:
            assert not set(one.train) & set(fold.test)
            assert not set(one.test) & set(fold.test)
            assert sorted([*one.train, *one.test]) == fold.train.tolist()
            assert_whole_groups(one, GROUPS)


def test_copies_stand_in_for_groups():
    groups = folds.copies_as_groups(6, [np.array([0, 4]), np.array([4, 5])])
    assert groups.tolist() == [0, 1, 2, 3, 0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: folds.hold_out(None, share=0.5, seed=0), "`groups` must have the shape"),
        (lambda: folds.hold_out(["a", ""], share=0.5, seed=0), "1 blank, the first at row 1"),
        (lambda: folds.hold_out([1.0, np.nan], share=0.5, seed=0), "1 blank, the first at row 1"),
        (lambda: folds.hold_out(["a", "b"], share=1.0, seed=0), "`share` must be in"),
        (lambda: list(folds.leave_one_out(["a", "a"])), "1 groups for 2 groups"),
        (lambda: list(folds.grouped_folds([1, 2, 2], folds=3, seed=0)), "2 groups for 3 folds"),
        (
            lambda: folds.hold_out([1, 2], share=0.5, seed=0, labels=[1]),
            r"`labels` must be as long as `groups`. Received: shapes \(1,\) and \(2,\)",
        ),
    ],
)
def test_groups_are_demanded(make, message):
    with pytest.raises(ValueError, match=message):
        make()
