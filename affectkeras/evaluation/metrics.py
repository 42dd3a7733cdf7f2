"""Classification metrics as pure functions of labels and probabilities.

Labels are class indices 0 … classes-1 throughout. The per-class and macro F1 figures run over *all*
classes of the data set, with 0 where a ratio has no denominator: a class that is neither in the
truth nor predicted counts 0. That is scikit-learn's `labels=range(classes), zero_division=0`; its
default leaves such a class out, which would make figures of different test parts incomparable.
"""

import dataclasses

import numpy as np
from scipy.stats import rankdata


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of rows whose class is predicted rightly (the paper's equation 3)."""
    true, predicted = _paired(true, predicted)
    return float(np.mean(true == predicted))


def confusion_matrix(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count rows by class: int64 `(classes, classes)`, true classes down, predicted across."""
    true, predicted = _paired(true, predicted)
    _refuse_foreign("true", true, classes)
    _refuse_foreign("predicted", predicted, classes)
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


def balanced_accuracy_of(confusion: np.ndarray) -> np.ndarray:
    """Return the mean recall of counts `(…, classes, classes)`, shape `(…)`; NaN without rows.

    A class without true rows has no recall and is left out of the mean, as in scikit-learn: with
    every class that occurs found whole, the figure is 1. Naming one class throughout gives 1 over
    the number of classes that occur.
    """
    found = per_class(confusion)
    occur = (found["support"] > 0).sum(axis=-1)
    total = found["recall"].sum(axis=-1)
    return np.divide(total, occur, out=np.full_like(total, np.nan), where=occur > 0)


def balanced_accuracy(true: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Return the mean recall over the classes that occur in `true`."""
    return float(balanced_accuracy_of(confusion_matrix(true, predicted, classes)))


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
    probabilities = _checked_probabilities(probabilities)
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


def auc(true: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve of two classes; NaN where only one of them occurs.

    It is the chance that a random row of class 1 scores above a random row of class 0, a tie
    counting one half (Mann and Whitney's U over the number of pairs; Hanley & McNeil 1982).

    Args:
        true: `(rows,)` of 0 and 1, or booleans.
        scores: `(rows,)`, higher for class 1; only their order matters.
    """
    true, scores = _paired(true, scores, "scores")
    if not np.isin(true, (0, 1)).all():
        raise ValueError(f"`true` must hold 0 and 1 only. Received: {np.unique(true)[:5]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"`scores` must be finite. Received: {scores[~np.isfinite(scores)][0]}")
    positive = true == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return float("nan")
    rank_sum = rankdata(scores)[positive].sum()
    return float((rank_sum - ones * (ones + 1) / 2) / (ones * zeros))


def class_aucs(true: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return each class's AUC against all others, `(classes,)`.

    Args:
        true: class indices `(rows,)`.
        scores: `(rows, classes)`, such as probabilities. A class of no row, or of every row, has
            NaN: there is no pair to put in order.
    """
    true, scores = np.asarray(true), np.asarray(scores, dtype=float)
    if scores.ndim != 2 or true.shape != scores.shape[:1] or not len(scores):
        raise ValueError(
            "`scores` must have the shape (rows, classes) with a row for each of `true`. "
            f"Received: shapes {scores.shape} and {true.shape}"
        )
    _refuse_foreign("true", true, scores.shape[1])
    return np.array([auc(true == one, scores[:, one]) for one in range(scores.shape[1])])


def macro_auc(true: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean of `class_aucs` over the classes that have one; NaN where none has."""
    found = class_aucs(true, scores)
    found = found[~np.isnan(found)]
    return float(found.mean()) if len(found) else float("nan")


@dataclasses.dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Rows by confidence, for a reliability diagram.

    Args:
        edges: `(bins + 1,)` from 0 to 1; bin b holds confidences in `(edges[b], edges[b + 1]]`,
            the first one 0 as well.
        counts: rows of each bin, `(bins,)`.
        confidence, accuracy: the bin's mean confidence and share of right rows, `(bins,)`; NaN
            where it is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The mean over rows of the bins' distance between confidence and accuracy (ECE)."""
        held = self.counts > 0
        distance = np.abs(self.confidence[held] - self.accuracy[held])
        return float((self.counts[held] * distance).sum() / self.counts.sum())


def calibration_bins(
    true: np.ndarray, probabilities: np.ndarray, *, bins: int = 15
) -> CalibrationBins:
    """Sort rows into bins of equal width by the probability of the class they are given.

    Args:
        true: class indices `(rows,)`.
        probabilities: `(rows, classes)`; the likeliest class is the prediction (of equals the
            first) and its probability the confidence.
        bins: how many; 15 as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    if not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"`bins` must be a whole number above 0. Received: bins={bins}")
    probabilities = _checked_probabilities(probabilities)
    true, predicted = _paired(true, probabilities.argmax(axis=1))
    _refuse_foreign("true", true, probabilities.shape[1])
    # A sum that rounding leaves above 1 by a little must not fall out of the last bin.
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    edges = np.linspace(0, 1, bins + 1)
    place = np.maximum(np.searchsorted(edges, confidence, side="left") - 1, 0)
    counts = np.bincount(place, minlength=bins)
    empty = np.full(bins, np.nan)

    def mean(values):
        sums = np.bincount(place, weights=values, minlength=bins)
        return np.divide(sums, counts, out=empty.copy(), where=counts > 0)

    return CalibrationBins(edges, counts, mean(confidence), mean((true == predicted).astype(float)))


def expected_calibration_error(
    true: np.ndarray, probabilities: np.ndarray, *, bins: int = 15
) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3) of `calibration_bins`.

    0 where confidence is the share of right rows in every bin. It depends on the binning: figures
    of another number of bins, or of bins of equal count, are not comparable.
    """
    return calibration_bins(true, probabilities, bins=bins).error


def _checked_probabilities(probabilities: np.ndarray) -> np.ndarray:
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
    return probabilities


def _refuse_foreign(name: str, labels: np.ndarray, classes: int) -> None:
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"`{name}` must hold class indices in [0, {classes}). "
            f"Received: {labels.min()} to {labels.max()}"
        )


def _paired(
    true: np.ndarray, predicted: np.ndarray, name: str = "predicted"
) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(true), np.asarray(predicted)
    if true.shape != predicted.shape or true.ndim != 1 or not len(true):
        raise ValueError(
            f"`true` and `{name}` must be of one length, at least 1. "
            f"Received: shapes {true.shape} and {predicted.shape}"
        )
    return true, predicted


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=float), where=bottom > 0)
