"""Classification metrics as pure functions of labels and probabilities.

Labels are class indices 0 … classes-1 throughout. The per-class and macro figures run over *all*
classes of the data set, with 0 where a ratio has no denominator: a class that is neither in the
truth nor predicted counts 0. That is scikit-learn's `labels=range(classes), zero_division=0`; its
default leaves such a class out, which would make figures of different test parts incomparable.
"""

import numpy as np


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of rows whose class is predicted rightly (the paper's equation 3)."""
    true, predicted = _paired(true, predicted)
    return float(np.mean(true == predicted))


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count rows by class: int64 `(classes, classes)`, true classes down, predicted across."""
    true, predicted = _paired(true, predicted)
    for name, labels in (("true", true), ("predicted", predicted)):
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(
                f"`{name}` must hold class indices in [0, {classes}). "
                f"Received: {labels.min()} to {labels.max()}"
            )
    counts = np.bincount(true * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return `precision`, `recall`, `f1` and `support` of every class.

    Args:
        confusion: counts `(…, classes, classes)`; leading axes (seeds, repetitions) are kept.
    """
    confusion = np.asarray(confusion)
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    predicted = confusion.sum(axis=-2)
    support = confusion.sum(axis=-1)
    return {
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, predicted + support),
        "support": support,
    }


def macro_f1_of(confusion: np.ndarray) -> np.ndarray:
    """Return the mean F1 over all classes of counts `(…, classes, classes)`, shape `(…)`."""
    return per_class(confusion)["f1"].mean(axis=-1)


def accuracy_of(confusion: np.ndarray) -> np.ndarray:
    """Return the accuracy of counts `(…, classes, classes)`, shape `(…)`; NaN without rows."""
    confusion = np.asarray(confusion)
    right = np.trace(confusion, axis1=-2, axis2=-1).astype(float)
    total = confusion.sum(axis=(-2, -1))
    return np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)


def macro_f1(true: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Return the unweighted mean of the F1 of all classes; an absent class counts 0."""
    return float(macro_f1_of(confusion_matrix(true, predicted, classes)))


def cross_entropy(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of `-Σ target · log(probability)` in nats (the paper's equation 2).

    Args:
        probabilities: `(rows, classes)`, each row summing to 1. They are kept away from 0 by
            1e-7, as Keras does, so that one certain mistake does not make the mean infinite.
        targets: class indices `(rows,)` or distributions `(rows, classes)`.
    """
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.ndim != 2 or not len(probabilities):
        raise ValueError(
            "`probabilities` must have the shape (rows, classes) with at least one row. "
            f"Received: shape={probabilities.shape}"
        )
    sums = probabilities.sum(axis=1)
    if probabilities.min() < 0 or not np.allclose(sums, 1.0, atol=1e-3):
        raise ValueError(
            "each row of `probabilities` must sum to 1 without negative entries (logits need a "
            f"softmax first). Received: sums from {sums.min()} to {sums.max()}, smallest entry "
            f"{probabilities.min()}"
        )
    targets = np.asarray(targets)
    logs = np.log(np.clip(probabilities, 1e-7, 1.0))
    if targets.ndim == 1 and len(targets) == len(logs):
        return float(-logs[np.arange(len(logs)), targets].mean())
    if targets.shape == logs.shape:
        return float(-(targets * logs).sum(axis=1).mean())
    raise ValueError(
        f"`targets` must have the shape ({len(logs)},) or {logs.shape}. "
        f"Received: shape={targets.shape}"
    )


def _paired(true: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 1 or not len(true):
        raise ValueError(
            "`true` and `predicted` must be of one length, at least 1. "
            f"Received: shapes {true.shape} and {predicted.shape}"
        )
    return true, predicted


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)
