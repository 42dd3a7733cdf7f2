import numpy as np
import pytest
from sklearn import metrics as reference

from affectkeras.evaluation import metrics

# Worked by hand: class 0 has 2 of 3 found and 2 of 2 named rightly; class 1 has 1 of 1 found and
# 1 of 2 named rightly; class 2 is never seen and never named.
TRUE = np.array([0, 0, 0, 1])
PREDICTED = np.array([0, 0, 1, 1])


def random_labels(seed, rows=200, classes=7):
    generator = np.random.default_rng(seed)
    return generator.integers(classes, size=rows), generator.integers(classes, size=rows)


def test_accuracy_counts_the_right_rows():
    assert metrics.accuracy(TRUE, PREDICTED) == 0.75


def test_confusion_has_truth_down_and_prediction_across():
    expected = [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(metrics.confusion_matrix(TRUE, PREDICTED, 3), expected)


def test_per_class_agrees_with_the_hand_worked_case():
    found = metrics.per_class(metrics.confusion_matrix(TRUE, PREDICTED, 3))
    np.testing.assert_allclose(found["precision"], [1, 1 / 2, 0])
    np.testing.assert_allclose(found["recall"], [2 / 3, 1, 0])
    np.testing.assert_allclose(found["f1"], [4 / 5, 2 / 3, 0])
    np.testing.assert_array_equal(found["support"], [3, 1, 0])


def test_an_absent_class_counts_zero_in_macro_f1():
    assert metrics.macro_f1(TRUE, PREDICTED, 3) == pytest.approx((4 / 5 + 2 / 3) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed):
    true, predicted = random_labels(seed)
    options = {"labels": range(9), "average": None, "zero_division": 0}
    expected = reference.precision_recall_fscore_support(true, predicted, **options)
    found = metrics.per_class(metrics.confusion_matrix(true, predicted, 9))
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(found[name], values)
    options["average"] = "macro"
    assert metrics.macro_f1(true, predicted, 9) == pytest.approx(
        reference.f1_score(true, predicted, **options)
    )
    assert metrics.accuracy(true, predicted) == reference.accuracy_score(true, predicted)
    np.testing.assert_array_equal(
        metrics.confusion_matrix(true, predicted, 9),
        reference.confusion_matrix(true, predicted, labels=range(9)),
    )


def test_stacked_confusions_give_one_figure_each():
    stack = np.stack([metrics.confusion_matrix(*random_labels(seed), 7) for seed in range(3)])
    for seed in range(3):
        true, predicted = random_labels(seed)
        assert metrics.macro_f1_of(stack)[seed] == pytest.approx(
            metrics.macro_f1(true, predicted, 7)
        )
        assert metrics.accuracy_of(stack)[seed] == metrics.accuracy(true, predicted)


def test_cross_entropy_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(4), size=50)
    true = generator.integers(4, size=50)
    expected = reference.log_loss(true, probabilities, labels=range(4))
    assert metrics.cross_entropy(probabilities, true) == pytest.approx(expected)
    assert metrics.cross_entropy(probabilities, np.eye(4)[true]) == pytest.approx(expected)


def test_cross_entropy_of_soft_targets_is_the_weighted_sum_of_logs():
    expected = -(0.25 * np.log(0.5) + 0.75 * np.log(0.5))
    found = metrics.cross_entropy(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))
    assert found == pytest.approx(expected)


def test_a_certain_mistake_stays_finite():
    found = metrics.cross_entropy(np.array([[1.0, 0.0]]), np.array([1]))
    assert found == pytest.approx(-np.log(1e-7))


def test_logits_are_refused_as_probabilities():
    with pytest.raises(ValueError, match="logits need a softmax first"):
        metrics.cross_entropy(np.array([[2.0, -1.0]]), np.array([0]))


def test_targets_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"`targets` must have the shape \(1,\) or \(1, 2\)"):
        metrics.cross_entropy(np.array([[0.5, 0.5]]), np.array([0, 1]))


def test_labels_outside_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"`predicted` must hold class indices in \[0, 2\)"):
        metrics.confusion_matrix(np.array([0, 1]), np.array([0, 2]), 2)


def test_no_rows_have_no_accuracy():
    with pytest.raises(ValueError, match="of one length, at least 1"):
        metrics.accuracy(np.array([], int), np.array([], int))
