"""Tests of two arms on the same rows, and what several of them together are worth."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

# Differences of metrics that are equal by definition differ in their last digits.
ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class McNemar:
    """How often exactly one of two models is right, and the exact two-sided p-value."""

    only_reference: int
    only_arm: int
    p_value: float


def mcnemar_exact(reference_right: np.ndarray, arm_right: np.ndarray) -> McNemar:
    """Test whether two models are right equally often, by the rows on which one of them is.

    Given that exactly one is right, either is with probability 1/2 (McNemar 1947; the exact
    binomial form). Every row counts as independent: with several rows per group the p-value is too
    small.

    Args:
        reference_right, arm_right: bool `(rows,)`.
    """
    reference_right = np.asarray(reference_right, dtype=bool)
    arm_right = np.asarray(arm_right, dtype=bool)
    if reference_right.shape != arm_right.shape:
        raise ValueError(
            "`reference_right` and `arm_right` must be of one shape. "
            f"Received: {reference_right.shape} and {arm_right.shape}"
        )
    only_reference = int(np.sum(reference_right & ~arm_right))
    only_arm = int(np.sum(arm_right & ~reference_right))
    both = only_reference + only_arm
    p_value = float(stats.binomtest(only_arm, both).pvalue) if both else 1.0
    return McNemar(only_reference, only_arm, p_value)


def sign_flip_p_value(
    reference: np.ndarray,
    arm: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray],
    *,
    repetitions: int = 10_000,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of exchanging two models' predictions group by group.

    If it makes no difference which model said what of a group, every exchange is as likely as what
    was seen: the test keeps its size however few groups there are and however many rows they have,
    where bootstrap tests and normal quantiles reject too often (Good 2005, Permutation, Parametric
    and Bootstrap Tests of Hypotheses, chapter 3). With n groups that differ it cannot fall below
    2 / 2ⁿ. Where the exchanges are no more than `repetitions` all are tried; else that many are
    drawn, and what was seen counts as one of them (Phipson & Smyth 2010).

    Args:
        reference, arm: counts `(groups, classes, classes)`.
        metric: maps counts `(repetitions, classes, classes)` to `(repetitions,)`.
    """
    start = np.stack([reference.sum(axis=0), arm.sum(axis=0)]).astype(float)
    change = (arm - reference).reshape(len(arm), -1).astype(float)
    change = change[np.any(change != 0, axis=1)]
    seen = abs(np.subtract(*metric(start)))
    every = len(change) < 60 and 2 ** len(change) <= repetitions
    if every:
        flips = (np.arange(2 ** len(change))[:, None] >> np.arange(len(change))) & 1
    else:
        flips = np.random.default_rng(seed).integers(2, size=(repetitions, len(change)))
    moved = (flips.astype(float) @ change).reshape(-1, *start.shape[1:])
    differences = abs(metric(start[0] + moved) - metric(start[1] - moved))
    extreme = int(np.sum(differences >= seen - ROUNDING))
    return extreme / len(flips) if every else (1 + extreme) / (1 + len(flips))


def t_p_value(difference: float, standard_error: float, degrees: float) -> float:
    """Return the two-sided p-value of Student's t; without any spread 1 for no difference or 0."""
    if standard_error == 0:
        return 1.0 if difference == 0 else 0.0
    return float(2 * stats.t.sf(abs(difference) / standard_error, degrees))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that keep the chance of any false alarm among all of them (Holm 1979).

    The smallest is multiplied by their number, the next by one less, and so on; none falls below
    the one before it, nor above 1.
    """
    p_values = np.asarray(p_values, dtype=float)
    if np.any(~((p_values >= 0) & (p_values <= 1))):
        raise ValueError(f"`p_values` must be in [0, 1]. Received: {p_values.tolist()}")
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted.tolist()


def cohens_h(reference: float, arm: float) -> float:
    """Return Cohen's h of two shares: 2 arcsin √arm - 2 arcsin √reference.

    It measures what a difference of accuracies is worth wherever they lie: from 0.95 to 0.97 two of
    five mistakes are gone, from 0.50 to 0.52 one of 25. Cohen 1988, chapter 6, calls 0.2 small, 0.5
    medium, 0.8 large. Cohen's g, made for McNemar's table, would only speak of the rows on which
    the models disagree, and know no seeds.
    """
    for name, share in (("reference", reference), ("arm", arm)):
        if not 0 <= share <= 1:
            raise ValueError(f"`{name}` must be in [0, 1]. Received: {name}={share}")
    return float(2 * np.arcsin(np.sqrt(arm)) - 2 * np.arcsin(np.sqrt(reference)))
