"""How the probabilities of several classifiers become one: averaged, weighted or stacked.

Everything works on log-probabilities `(members, rows, classes)` in nats: of a classifier's logits
only their differences within a row mean anything, and `log_softmax` keeps those.

Weights are fitted on rows that no member was trained on. Figures on those same rows would flatter,
so `cross_fit` predicts every group by weights that were fitted without it.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.linalg import solve
from scipy.special import log_softmax, logsumexp

from affectkeras.errors import UserError
from affectkeras.evaluation.folds import grouped_folds

Rule = Literal["uniform", "weighted", "stacked"]
RULES: tuple[Rule, ...] = ("uniform", "weighted", "stacked")
FOLDS = 5
# How many groups of rows a rule needs to be fitted and, by other groups, measured.
LEAST_GROUPS = {"uniform": 1, "weighted": 2, "stacked": 3}
# From a free multinomial regression to the plain average of logits.
PENALTIES = tuple(10.0**power for power in range(-4, 2))
LEAST_WEIGHT = 1e-3  # a member that weighs less costs more to serve than it gives
GAP = 1e-7  # nats per row by which fitted weights may miss the best
STEPS = 20_000
LEFT = 1e-12  # nats per row that a fitted regression may still promise
NEWTON_STEPS = 50  # it takes about seven
SHORTEST = 1e-8  # of a step: where rounding hides any gain


@dataclasses.dataclass(frozen=True, eq=False)
class Average:
    """A weighted mean of probabilities.

    Args:
        weights: `(members,)`, none negative, summing to 1.
    """

    weights: np.ndarray

    def combine(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Return the mean's log-probabilities `(rows, classes)`."""
        held = np.flatnonzero(self.weights)
        logs = np.log(self.weights[held])[:, None, None]
        return logsumexp(log_probabilities[held] + logs, axis=0)

    @property
    def shares(self) -> np.ndarray:
        """What each member weighs, `(members,)`."""
        return self.weights


@dataclasses.dataclass(frozen=True, eq=False)
class Stack:
    """A multinomial logistic regression on the members' log-probabilities.

    Args:
        kernel: `(members · classes, classes)`, the first member's classes first.
        bias: `(classes,)`.
        penalty: under which it was fitted.
    """

    kernel: np.ndarray
    bias: np.ndarray
    penalty: float

    def combine(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Return the regression's log-probabilities `(rows, classes)`."""
        return log_softmax(_side_by_side(log_probabilities) @ self.kernel + self.bias, axis=1)

    @property
    def shares(self) -> np.ndarray:
        """What a member's word on a class counts for that class, mean over classes `(members,)`.

        1 over the number of members where nothing was learnt beyond their average.
        """
        classes = len(self.bias)
        blocks = self.kernel.reshape(-1, classes, classes)
        return np.trace(blocks, axis1=1, axis2=2) / classes


Combination = Average | Stack
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Combination]


def average_uniformly(members: int) -> Average:
    """Return the average in which every member weighs the same."""
    if members < 1:
        raise ValueError(f"`members` must be at least 1. Received: members={members}")
    return Average(np.full(members, 1 / members))


def fit_average(log_probabilities: np.ndarray, true: np.ndarray) -> Average:
    """Return the weights under which the mean of probabilities says most about the true classes.

    They maximise the mean over rows of `log Σ weight · probability of the true class`, which is
    concave: there is one best. Found by expectation maximisation; a step's gap to the best is at
    most the largest mean ratio of a member's probability to the average's, less 1 (the gradient
    of Lindsay 1983, "The geometry of mixture likelihoods"), and the search ends when that is below
    `GAP`. Members under `LEAST_WEIGHT` are left out.

    Args:
        log_probabilities: `(members, rows, classes)`.
        true: class indices `(rows,)`.
    """
    log_probabilities, true = _checked(log_probabilities, true)
    right = log_probabilities[:, np.arange(len(true)), true]
    # A row's common factor changes no ratio, and keeps hopeless rows away from 0.
    right = np.exp(right - right.max(axis=0))
    weights = average_uniformly(len(right)).weights
    for _ in range(STEPS):
        ratios = (right / (weights @ right)).mean(axis=1)
        if ratios.max() - 1 < GAP:
            break
        weights = weights * ratios
        weights /= weights.sum()
    weights = np.where(weights < LEAST_WEIGHT, 0.0, weights)
    return Average(weights / weights.sum())


def fit_stack(log_probabilities: np.ndarray, true: np.ndarray, penalty: float) -> Stack:
    """Return the regression that minimises the cross-entropy plus a penalty on what it changes.

    Cross-entropy in nats, mean over rows, plus `penalty / 2` times the squared distance of kernel
    and bias from those that average the members' logits. So with few rows, or a strong penalty, the
    answer is that average, not a kernel of zeros; it is unique, also where a class has no row.
    Found by Newton's method.

    Args:
        log_probabilities: `(members, rows, classes)`.
        true: class indices `(rows,)`.
        penalty: above 0.
    """
    if not penalty > 0:
        raise ValueError(f"`penalty` must be above 0. Received: penalty={penalty}")
    log_probabilities, true = _checked(log_probabilities, true)
    members, rows, classes = log_probabilities.shape
    inputs = np.hstack([_side_by_side(log_probabilities), np.ones((rows, 1))])
    start = np.vstack([np.tile(np.eye(classes) / members, (members, 1)), np.zeros((1, classes))])
    wanted = np.eye(classes)[true]

    change = np.zeros_like(start)
    loss, probabilities = _measure(inputs, wanted, start, change, penalty)
    for _ in range(NEWTON_STEPS):
        gradient = inputs.T @ (probabilities - wanted) / rows + penalty * change
        curvature = _curvature(inputs, probabilities) + penalty * np.eye(start.size)
        step = solve(curvature, gradient.ravel(), assume_a="pos").reshape(start.shape)
        promise = (gradient * step).sum()  # twice what is left to gain, close to the best
        length = 1.0
        # Halved until it gains a share of what the slope promises (Armijo's rule).
        while length > SHORTEST:
            tried = change - length * step
            found = _measure(inputs, wanted, start, tried, penalty)
            if found[0] <= loss - 1e-4 * length * promise:
                change, (loss, probabilities) = tried, found
                break
            length /= 2
        if promise < LEFT or length <= SHORTEST:
            break
    fitted = start + change
    return Stack(fitted[:-1], fitted[-1], float(penalty))


def fit_stack_by_groups(
    log_probabilities: np.ndarray, true: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> Stack:
    """Return `fit_stack` under the penalty of `PENALTIES` that predicts left-out groups best.

    Args:
        log_probabilities: `(members, rows, classes)`.
        true: class indices `(rows,)`.
        groups: `(rows,)`; each is left out once, in at most `FOLDS` folds.
        seed: of the folds.
    """
    losses = []
    for penalty in PENALTIES:
        found = cross_fit(
            lambda logs, truth, _, penalty=penalty: fit_stack(logs, truth, penalty),
            log_probabilities,
            true,
            groups,
            seed=seed,
        )
        losses.append(-found[np.arange(len(true)), true].mean())
    # Of equals the strongest: it changes least.
    best = max(range(len(PENALTIES)), key=lambda place: (-losses[place], place))
    return fit_stack(log_probabilities, true, PENALTIES[best])


def fit_rule(
    rule: Rule,
    log_probabilities: np.ndarray,
    true: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int = 0,
) -> Combination:
    """Return what a rule makes of members on rows that none of them was trained on.

    Args:
        rule: `"uniform"`; `"weighted"`: `fit_average`; `"stacked"`: `fit_stack_by_groups`.
        log_probabilities: `(members, rows, classes)`.
        true: class indices `(rows,)`.
        groups: `(rows,)`, the smallest sets that must not be split.
        seed: of the folds.

    Raises:
        UserError: where there are fewer groups than the rule needs.
    """
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {', '.join(RULES)}. Received: rule={rule!r}")
    if rule == "uniform":
        return average_uniformly(len(log_probabilities))
    demand_groups(rule, groups, LEAST_GROUPS[rule] - 1)
    if rule == "weighted":
        return fit_average(log_probabilities, true)
    return fit_stack_by_groups(log_probabilities, true, groups, seed=seed)


def cross_fit(
    fit: Fit, log_probabilities: np.ndarray, true: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """Return log-probabilities `(rows, classes)`, each row's by a fit without the row's group.

    Args:
        fit: `fit(log_probabilities, true, groups)` of the other groups' rows.
        log_probabilities: `(members, rows, classes)`.
        true: class indices `(rows,)`.
        groups: `(rows,)`, in at most `FOLDS` folds.
        seed: of the folds.
    """
    log_probabilities, true = _checked(log_probabilities, true)
    groups = np.asarray(groups)
    found = np.full(log_probabilities.shape[1:], np.nan)
    folds = min(FOLDS, len(np.unique(groups)))
    for fold in grouped_folds(groups, folds=folds, seed=seed, labels=true):
        kept = fold.train
        fitted = fit(log_probabilities[:, kept], true[kept], groups[kept])
        found[fold.test] = fitted.combine(log_probabilities[:, fold.test])
    return found


def predict_left_out(
    rule: Rule,
    log_probabilities: np.ndarray,
    true: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int = 0,
) -> np.ndarray:
    """Return what a rule predicts for the rows it is fitted on, without flattering itself.

    Weights that are fitted are fitted without the row's group; a penalty is chosen without it too.

    Args:
        rule … seed: as in `fit_rule`.

    Raises:
        UserError: where there are fewer groups than the rule needs to be measured.
    """
    if rule == "uniform":
        return average_uniformly(len(log_probabilities)).combine(log_probabilities)
    demand_groups(rule, groups)
    return cross_fit(
        lambda logs, truth, kept: fit_rule(rule, logs, truth, kept, seed=seed),
        log_probabilities,
        true,
        groups,
        seed=seed,
    )


def demand_groups(rule: Rule, groups: np.ndarray, least: int | None = None) -> None:
    """Refuse rows of too few groups to fit a rule's weights on some and measure them on others.

    Args:
        rule: of `RULES`.
        groups: `(rows,)`.
        least: how many there must be; absent: what the rule needs to be measured too.

    Raises:
        UserError: where there are fewer.
    """
    least = LEAST_GROUPS[rule] if least is None else least
    found = len(np.unique(groups))
    if found < least:
        raise UserError(
            f"--rules {rule} fits weights on some groups of validation rows and measures them on "
            f"others: it needs {least} groups, there {'is' if found == 1 else 'are'} {found}. "
            "Choose --rules uniform, or a split with more groups."
        )


def _measure(inputs, wanted, start, change, penalty) -> tuple[float, np.ndarray]:
    """Return the penalised cross-entropy and the probabilities `(rows, classes)`."""
    logs = log_softmax(inputs @ (start + change), axis=1)
    loss = -(wanted * logs).sum() / len(inputs) + penalty / 2 * (change**2).sum()
    return float(loss), np.exp(logs)


def _curvature(inputs: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the second derivatives of the cross-entropy by the kernel, `(numbers, numbers)`."""
    rows, width = inputs.shape
    classes = probabilities.shape[1]
    weighted = inputs[:, :, None] * probabilities[:, None, :]
    flat = weighted.reshape(rows, -1)
    found = (-flat.T @ flat).reshape(width, classes, width, classes)
    for one in range(classes):
        found[:, one, :, one] += weighted[:, :, one].T @ inputs
    return found.reshape(width * classes, -1) / rows


def _side_by_side(log_probabilities: np.ndarray) -> np.ndarray:
    """Return `(rows, members · classes)`, the first member's classes first."""
    return np.concatenate(list(log_probabilities), axis=1)


def _checked(log_probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    log_probabilities = np.asarray(log_probabilities, dtype=float)
    true = np.asarray(true)
    if log_probabilities.ndim != 3 or log_probabilities.shape[1] != len(true) or not len(true):
        raise ValueError(
            "`log_probabilities` must have the shape (members, rows, classes) with a row for each "
            f"of `true`. Received: shapes {log_probabilities.shape} and {true.shape}"
        )
    if not np.isfinite(log_probabilities).all():
        raise ValueError("`log_probabilities` must be finite: take `log_softmax` of logits.")
    if not np.allclose(logsumexp(log_probabilities, axis=2), 0.0, atol=1e-3):
        raise ValueError(
            "the probabilities of a row must sum to 1: take `log_softmax` of logits. Received: "
            f"sums up to {np.exp(logsumexp(log_probabilities, axis=2).max()):.3g}"
        )
    if true.min() < 0 or true.max() >= log_probabilities.shape[2]:
        raise ValueError(
            f"`true` must hold class indices in [0, {log_probabilities.shape[2]}). "
            f"Received: {true.min()} to {true.max()}"
        )
    return log_probabilities, true
