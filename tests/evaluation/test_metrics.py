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


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur():
    # Class 0: 2 of 3 found; class 1: 1 of 1; class 2 never occurs.
    assert metrics.balanced_accuracy(TRUE, PREDICTED, 3) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_balanced_accuracy_agrees_with_scikit_learn(seed):
    true, predicted = random_labels(seed)
    found = metrics.balanced_accuracy(true, predicted, 9)
    assert found == pytest.approx(reference.balanced_accuracy_score(true, predicted))


def test_no_rows_have_no_balanced_accuracy():
    assert np.isnan(metrics.balanced_accuracy_of(np.zeros((2, 2), int)))


def test_auc_counts_the_pairs_in_order_and_a_tie_as_one_half():
    # Pairs of a one (0.8, 0.4) and a zero (0.4, 0.1): three in order but for one tie.
    found = metrics.auc(np.array([0, 0, 1, 1]), np.array([0.4, 0.1, 0.8, 0.4]))
    assert found == (1 + 1 + 0.5 + 1) / 4


def test_auc_of_equal_scores_is_one_half_and_of_reversed_ones_zero():
    true = np.array([0, 1, 1])
    assert metrics.auc(true, np.ones(3)) == 0.5
    assert metrics.auc(true, np.array([3, 2, 1])) == 0.0


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_no_auc(label):
    assert np.isnan(metrics.auc(np.full(3, label), np.array([0.1, 0.2, 0.3])))


def tied_probabilities(seed, rows=120, classes=4):
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 6, size=(rows, classes))
    true = np.concatenate([np.arange(classes), generator.integers(classes, size=rows - classes)])
    return true, counts / counts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
def test_aucs_with_ties_agree_with_scikit_learn(seed):
    true, probabilities = tied_probabilities(seed)
    expected = reference.roc_auc_score(true, probabilities, multi_class="ovr", average="macro")
    assert metrics.macro_auc(true, probabilities) == pytest.approx(expected)
    two_true, two = tied_probabilities(seed, classes=2)
    expected = reference.roc_auc_score(two_true, two[:, 1])
    assert metrics.auc(two_true, two[:, 1]) == pytest.approx(expected)
    assert metrics.macro_auc(two_true, two) == pytest.approx(expected)


def test_macro_auc_leaves_out_the_classes_that_do_not_occur():
    true = np.array([0, 0, 1])
    scores = np.array([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3], [0.2, 0.2, 0.6]])
    found = metrics.class_aucs(true, scores)
    # Class 0: both pairs in order. Class 1: 0.2 lies above 0.1 and below 0.3. Class 2: nobody's.
    np.testing.assert_array_equal(found, [1, 0.5, np.nan])
    assert metrics.macro_auc(true, scores) == 0.75
    assert np.isnan(metrics.macro_auc(np.zeros(3, int), scores))


def test_calibration_error_agrees_with_the_hand_worked_case():
    # Five bins. (0.4, 0.6]: confidence 0.6 and 0.5, one right: |0.55 - 0.5|; (0.8, 1]: 0.9 and 1,
    # one right: |0.95 - 0.5|. The edge 0.6 belongs to the lower bin.
    probabilities = np.array([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9], [1.0, 0.0]])
    true = np.array([0, 1, 1, 1])
    found = metrics.calibration_bins(true, probabilities, bins=5)
    np.testing.assert_array_equal(found.counts, [0, 0, 2, 0, 2])
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 0.55, np.nan, 0.95])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 0.5, np.nan, 0.5])
    np.testing.assert_allclose(found.edges, [0, 0.2, 0.4, 0.6, 0.8, 1])
    expected = (2 * 0.05 + 2 * 0.45) / 4
    assert found.error == pytest.approx(expected)
    error = metrics.expected_calibration_error(true, probabilities, bins=5)
    assert error == pytest.approx(expected)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_calibration_error_agrees_with_a_slow_loop(bins):
    true, probabilities = tied_probabilities(5, rows=200)
    total = 0.0
    for number in range(bins):
        inside = []
        for label, row in zip(true, probabilities, strict=True):
            if number / bins < max(row) <= (number + 1) / bins:
                inside.append((max(row), label == list(row).index(max(row))))
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += len(inside) / len(true) * abs(confidence - right)
    found = metrics.expected_calibration_error(true, probabilities, bins=bins)
    assert found == pytest.approx(total)


def test_a_model_that_is_right_as_often_as_it_says_has_no_calibration_error():
    probabilities = np.tile([0.75, 0.25], (4, 1))
    assert metrics.expected_calibration_error(np.array([0, 0, 1, 0]), probabilities) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.auc([0, 2], [0.1, 0.2]), "`true` must hold 0 and 1 only. Received: .0 2."),
        (lambda: metrics.auc([0, 1], [0.1]), "`true` and `scores` must be of one length"),
        (lambda: metrics.auc([0, 1], [0.1, np.nan]), "`scores` must be finite. Received: nan"),
        (lambda: metrics.macro_auc([0], [0.5, 0.5]), r"`scores` must have the shape \(rows, cla"),
        (lambda: metrics.macro_auc([2], [[0.5, 0.5]]), r"`true` must hold class indices in \[0, 2"),
        (lambda: metrics.calibration_bins([0], [[2.0, 1.0]]), "logits need a softmax first"),
        (lambda: metrics.calibration_bins([5], [[0.5, 0.5]]), r"class indices in \[0, 2\)"),
        (
            lambda: metrics.calibration_bins([0], [[1.0, 0.0]], bins=0),
            "`bins` must be a whole number above 0. Received: bins=0",
        ),
    ],
)
def test_what_a_metric_cannot_take_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
