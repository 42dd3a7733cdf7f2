"""Classifiers that are no networks: chosen by grouped folds, fitted, and asked for probabilities.

Every one takes features `(rows, features)` and class indices. What depends on the size of numbers
scales them by the rows it is fitted on first. None draws at random beyond its seed.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

# Of the natural logarithm of a temperature: wide enough for any support vector machine.
_LOG_SCALES = (-5.0, 5.0)
_LEAST_DEVIATION = 1e-6


@dataclasses.dataclass(frozen=True)
class Family:
    """A kind of classifier and the settings it is tried with.

    Args:
        name: of its arm.
        build: `build(seed, **settings)` returns an unfitted scikit-learn classifier.
        choices: settings to choose among, the usual ones first.
        linear: whether what was fitted is one matrix: it can become a Dense layer.
    """

    name: str
    build: Callable[..., ClassifierMixin]
    choices: tuple[dict, ...]
    linear: bool = False


def _logistic(seed: int, strength: float):
    return make_pipeline(_Scaler(), LogisticRegression(C=strength, max_iter=2000))


def _linear_svm(seed: int, strength: float):
    machine = LinearSVC(C=strength, dual="auto", max_iter=20_000, random_state=seed)
    return make_pipeline(_Scaler(), machine)


def _rbf_svm(seed: int, strength: float, width: float):
    # scikit-learn's "scale" is 1 / (features · variance); `width` is a factor of it.
    return make_pipeline(_Scaler(), _Radial(C=strength, width=width))


def _tree(seed: int, depth: int, leaf: int):
    return DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=seed)


def _forest(seed: int, share: float, leaf: int):
    return RandomForestClassifier(
        200, max_features=share, min_samples_leaf=leaf, random_state=seed, n_jobs=-1
    )


def _boosting(seed: int, rate: float, leaves: int):
    return HistGradientBoostingClassifier(
        learning_rate=rate,
        max_iter=100,
        max_leaf_nodes=leaves,
        early_stopping=False,  # it would hold out rows without a look at groups
        random_state=seed,
    )


class _Scaler(StandardScaler):
    """Zero mean and unit deviation; what hardly varies stays as small as it is.

    Features of a network are float32: below `_LEAST_DEVIATION` they are rounding, which depends on
    the batch, and must not be blown up.
    """

    def fit(self, features, labels=None, sample_weight=None):
        super().fit(features, labels, sample_weight)
        self.scale_ = np.where(self.scale_ < _LEAST_DEVIATION, 1.0, self.scale_)
        return self


class _Radial(SVC):
    """A support vector machine whose kernel's width is a factor of scikit-learn's "scale"."""

    def __init__(self, C=1.0, width=1.0):
        super().__init__(C=C, kernel="rbf", cache_size=500)
        self.width = width

    def fit(self, features, labels):
        self.gamma = self.width / (features.shape[1] * features.var())
        return super().fit(features, labels)


LOGISTIC = Family(
    "logistic",
    _logistic,
    tuple({"strength": strength} for strength in (0.1, 0.001, 0.01, 1.0)),
    linear=True,
)
LINEAR_SVM = Family(
    "linear-svm",
    _linear_svm,
    tuple({"strength": strength} for strength in (0.01, 0.0001, 0.001, 0.1)),
    linear=True,
)
RBF_SVM = Family(
    "rbf-svm",
    _rbf_svm,
    tuple(
        {"strength": strength, "width": width}
        for strength, width in ((1.0, 1.0), (1.0, 0.3), (10.0, 1.0), (10.0, 0.3), (10.0, 0.1))
    ),
)
TREE = Family(
    "tree",
    _tree,
    tuple({"depth": depth, "leaf": leaf} for depth in (8, 5, 12) for leaf in (20, 5)),
)
FOREST = Family(
    "forest",
    _forest,
    tuple({"share": share, "leaf": leaf} for share, leaf in ((0.06, 1), (0.06, 5), (0.12, 1))),
)
BOOSTING = Family(
    "boosting",
    _boosting,
    tuple({"rate": rate, "leaves": leaves} for rate, leaves in ((0.1, 15), (0.05, 15), (0.1, 31))),
)
FAMILIES = (LOGISTIC, LINEAR_SVM, RBF_SVM, TREE, FOREST, BOOSTING)


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What the folds of the training rows said of a family.

    Args:
        settings: those of the highest accuracy; of equals the first.
        scale: what scores are multiplied with before the softmax; None where the classifier gives
            probabilities of its own.
        rows: one dict per choice: `settings`, `accuracy` (of all rows, each told once by a
            classifier of other groups), `sd` (over folds, ddof 1), `seconds`.
    """

    settings: dict
    scale: float | None
    rows: tuple[dict, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted classifier.

    Args:
        estimator: scikit-learn's.
        classes: how many classes there are, also those without a training row.
        scale: as in `Tuned`.
    """

    estimator: ClassifierMixin
    classes: int
    scale: float | None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return float64 `(rows, classes)`."""
        if self.scale is None:
            found = np.zeros((len(features), self.classes))
            found[:, self.estimator.classes_] = self.estimator.predict_proba(features)
            return found
        return softmax(self.scale * scores(self.estimator, features, self.classes))


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
    """Logits of features: `(features - mean) / scale @ kernel + bias`.

    Args:
        mean, scale: `(features,)`.
        kernel: `(features, classes)`.
        bias: `(classes,)`.
    """

    mean: np.ndarray
    scale: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return `(rows, classes)`."""
        return (features - self.mean) / self.scale @ self.kernel + self.bias


def tune(
    family: Family,
    features: np.ndarray,
    labels: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    classes: int,
    seed: int,
) -> Tuned:
    """Choose the settings of a family.

    Args:
        family: what to tune.
        features, labels: of training rows.
        folds: pairs `(train, validation)` of places in them, no group on both sides; together the
            validation places are all.
        classes: how many classes there are.
        seed: of classifiers that draw.

    Returns:
        The settings, and the scale of the scores where there are no probabilities: a softmax of
        scaled scores names the same class and, over all folds, has the least cross-entropy.
    """
    rows, told = [], []
    for settings in family.choices:
        began = time.perf_counter()
        outputs = [
            _outputs(
                family.build(seed, **settings).fit(features[train], labels[train]),
                features[seen],
                classes,
            )
            for train, seen in folds
        ]
        right = [
            found.argmax(axis=1) == labels[seen]
            for found, (_, seen) in zip(outputs, folds, strict=True)
        ]
        per_fold = [one.mean() for one in right]
        rows.append(
            {
                "settings": settings,
                "accuracy": float(np.concatenate(right).mean()),
                "sd": float(np.std(per_fold, ddof=1)),
                "seconds": time.perf_counter() - began,
            }
        )
        told.append(outputs)
    best = max(range(len(rows)), key=lambda place: rows[place]["accuracy"])
    seen = np.concatenate([labels[seen] for _, seen in folds])
    needs_scale = not hasattr(family.build(seed, **family.choices[best]), "predict_proba")
    scale = find_scale(np.concatenate(told[best]), seen) if needs_scale else None
    return Tuned(family.choices[best], scale, tuple(rows))


def fit(
    family: Family,
    tuned: Tuned,
    features: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    seed: int,
) -> Fitted:
    """Return the classifier of the chosen settings, fitted on all given rows."""
    estimator = family.build(seed, **tuned.settings).fit(features, labels)
    return Fitted(estimator, classes, tuned.scale)


def as_linear(fitted: Fitted) -> Linear:
    """Return what a linear classifier computes, as a Dense layer would hold it.

    Raises:
        ValueError: when the classifier is no linear one, or a class had no training row.
    """
    scaler, machine = (step for _, step in getattr(fitted.estimator, "steps", [("", None)] * 2))
    if not hasattr(machine, "coef_"):
        raise ValueError(
            f"`fitted` must be a linear classifier. Received: {type(fitted.estimator).__name__}"
        )
    if len(machine.classes_) != fitted.classes:
        raise ValueError(
            "`fitted` must have been fitted on rows of every class. "
            f"Received: {len(machine.classes_)} of {fitted.classes} classes"
        )
    kernel, bias = machine.coef_.T, machine.intercept_
    if kernel.shape[1] == 1:  # of two classes scikit-learn keeps one score
        lower = 0.0 if fitted.scale is None else -1.0
        kernel, bias = kernel * [lower, 1.0], bias * np.array([lower, 1.0])
    factor = 1.0 if fitted.scale is None else fitted.scale
    return Linear(scaler.mean_, scaler.scale_, factor * kernel, factor * bias)


def scores(estimator, features: np.ndarray, classes: int) -> np.ndarray:
    """Return the decision scores of all classes, `(rows, classes)`.

    A class that had no training row gets less than any other.
    """
    found = estimator.decision_function(features)
    if found.ndim == 1:
        found = np.stack([-found, found], axis=1)
    whole = np.full((len(features), classes), found.min() - 1.0)
    whole[:, estimator.classes_] = found
    return whole


def find_scale(found: np.ndarray, labels: np.ndarray) -> float:
    """Return the factor of scores `(rows, classes)` whose softmax has the least cross-entropy."""

    def loss(logarithm):
        probabilities = softmax(np.exp(logarithm) * found)
        told = probabilities[np.arange(len(labels)), labels]
        return -np.log(np.maximum(told, 1e-300)).mean()

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_SCALES, method="bounded").x))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the softmax along the last axis."""
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponent / exponent.sum(axis=-1, keepdims=True)


def _outputs(estimator, features: np.ndarray, classes: int) -> np.ndarray:
    """Return what the class with most of it is named by: probabilities, or scores."""
    if not hasattr(estimator, "predict_proba"):
        return scores(estimator, features, classes)
    return Fitted(estimator, classes, None).probabilities(features)
