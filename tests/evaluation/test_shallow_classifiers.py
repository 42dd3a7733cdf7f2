"""Classifiers without a network: chosen by folds, fitted, and as a Dense layer."""

import re

import numpy as np
import pytest

from affectkeras.evaluation.folds import grouped_folds
from affectkeras.evaluation.shallow_classifiers import (
    BOOSTING,
    FAMILIES,
    FOREST,
    LINEAR_SVM,
    LOGISTIC,
    RBF_SVM,
    TREE,
    Family,
    Fitted,
    Tuned,
    as_linear,
    find_scale,
    fit,
    scores,
    softmax,
    tune,
)


def blobs(rows=120, classes=3, features=4, seed=0, apart=2.0):
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    middles = random.normal(0, apart, (classes, features))
    scales = np.array([1, 100, 0.01, 5])[:features]  # numbers of very different size
    return (middles[labels] + random.normal(size=(rows, features))) * scales, labels


def folds_of(labels, folds=3):
    groups = np.arange(len(labels)) // 2
    made = grouped_folds(groups, folds=folds, seed=0, labels=labels)
    return [(fold.train, fold.test) for fold in made]


def smallest(family):
    return Family(family.name, family.build, family.choices[:2], family.linear)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_learns_what_is_there_to_learn(family):
    if family in (FOREST, BOOSTING):
        family = Family(family.name, family.build, family.choices[:1])
    features, labels = blobs()
    tuned = tune(family, features, labels, folds_of(labels), classes=3, seed=0)
    assert tuned.settings in family.choices
    assert [row["settings"] for row in tuned.rows] == list(family.choices)
    best = max(row["accuracy"] for row in tuned.rows)
    assert best > 0.75
    chosen = next(row for row in tuned.rows if row["accuracy"] == best)
    assert chosen["settings"] == tuned.settings
    fitted = fit(family, tuned, features, labels, classes=3, seed=0)
    fresh, true = blobs(60)
    found = fitted.probabilities(fresh)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == true).mean() > 0.75


def test_the_accuracy_of_a_choice_is_that_of_rows_told_by_others():
    class Nearest:
        """Tells a row's own label where it was fitted on it: the closest row's."""

        def fit(self, features, labels):
            self.features, self.labels, self.classes_ = features, labels, np.unique(labels)
            return self

        def predict_proba(self, features):
            place = np.abs(features[:, :1] - self.features[:, 0]).argmin(axis=1)
            return np.eye(len(self.classes_))[np.searchsorted(self.classes_, self.labels[place])]

    # Pairs of equal features and labels: whoever parts them is always right.
    features = np.repeat(np.arange(20.0), 2)[:, None]
    labels = np.repeat(np.random.default_rng(0).integers(0, 2, 20), 2)
    family = Family("nearest", lambda seed: Nearest(), ({},))
    parted = [
        (np.arange(0, 40, 2), np.arange(1, 40, 2)),
        (np.arange(1, 40, 2), np.arange(0, 40, 2)),
    ]
    assert tune(family, features, labels, parted, classes=2, seed=0).rows[0]["accuracy"] == 1
    whole = folds_of(labels, 2)
    assert tune(family, features, labels, whole, classes=2, seed=0).rows[0]["accuracy"] < 0.9


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("family", [LOGISTIC, LINEAR_SVM], ids=lambda family: family.name)
def test_a_linear_classifier_is_one_dense_layer(family, classes):
    features, labels = blobs(classes=classes)
    tuned = tune(smallest(family), features, labels, folds_of(labels), classes=classes, seed=0)
    fitted = fit(family, tuned, features, labels, classes=classes, seed=0)
    linear = as_linear(fitted)
    assert linear.kernel.shape == (4, classes)
    found = softmax(linear.logits(features))
    np.testing.assert_allclose(found, fitted.probabilities(features), atol=1e-9)


def test_what_is_no_linear_classifier_of_all_classes_is_no_dense_layer():
    features, labels = blobs()
    for family in (RBF_SVM, TREE):
        fitted = Fitted(family.build(0, **family.choices[0]).fit(features, labels), 3, None)
        with pytest.raises(ValueError, match="`fitted` must be a linear classifier. Received: "):
            as_linear(fitted)
    fitted = Fitted(LOGISTIC.build(0, strength=1).fit(features, labels), 4, None)
    with pytest.raises(ValueError, match="Received: 3 of 4 classes"):
        as_linear(fitted)


@pytest.mark.parametrize("family", [LOGISTIC, LINEAR_SVM, RBF_SVM, TREE], ids=lambda f: f.name)
def test_a_class_without_training_row_is_never_named(family):
    features, labels = blobs()
    kept = labels != 1
    tuned = Tuned(family.choices[0], None if family in (LOGISTIC, TREE) else 1.0, ())
    fitted = fit(family, tuned, features[kept], labels[kept], classes=3, seed=0)
    found = fitted.probabilities(features)
    assert found.shape == (120, 3)
    assert not (found.argmax(axis=1) == 1).any()


def test_the_scale_leaves_the_named_class_and_makes_honest_probabilities():
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (4000, 3))
    drawn = (softmax(logits).cumsum(axis=1) > random.random((4000, 1))).argmax(axis=1)
    assert find_scale(logits / 7, drawn) == pytest.approx(7, rel=0.1)
    assert find_scale(logits, drawn) == pytest.approx(1, rel=0.1)


def test_scores_of_two_classes_are_one_number_and_its_negative():
    features, labels = blobs(classes=2)
    machine = LINEAR_SVM.build(0, strength=0.01).fit(features, labels)
    found = scores(machine, features, 2)
    np.testing.assert_array_equal(found[:, 0], -found[:, 1])
    np.testing.assert_array_equal(found.argmax(axis=1), machine.predict(features))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_same_seed_gives_the_same_classifier(family):
    features, labels = blobs(60)
    tuned = Tuned(family.choices[0], 1.0 if re.search("svm", family.name) else None, ())
    first, second = (
        fit(family, tuned, features, labels, classes=3, seed=4).probabilities(features)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_what_is_only_rounding_is_not_blown_up():
    features, labels = blobs()
    features = np.concatenate([features, 1e-12 * np.random.default_rng(3).normal(size=(120, 1))], 1)
    fitted = Fitted(LOGISTIC.build(0, strength=1.0).fit(features, labels), 3, None)
    moved = features + [0, 0, 0, 0, 1e-10]
    np.testing.assert_allclose(
        fitted.probabilities(moved), fitted.probabilities(features), atol=1e-8
    )
