"""Does one arm predict numbers better than another on the same test rows?

As `comparison` for classes: differences are arm minus reference, intervals by Student's t with test
groups (videos) drawn again and, where both arms were trained with several seeds, seeds as random
too (`difference_variance`). A difference is shown where its interval leaves zero out.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from affectkeras.evaluation.difference_variance import DifferenceVariance, difference_variance
from affectkeras.evaluation.intervals import UNDEFINED_ALLOWED, resampled_sums
from affectkeras.evaluation.number_sums import ccc_of, mse_of, number_sums

METRICS = {"ccc": ccc_of, "mse": mse_of}  # pooled over all rows
LEVEL = 0.95


@dataclasses.dataclass(frozen=True, eq=False)
class NumberPredictions:
    """What one arm predicted for the test rows.

    Args:
        name: of the arm.
        seeds: one or more, different, ascending.
        predicted: target → numbers `(seeds, rows)`.
    """

    name: str
    seeds: tuple[int, ...]
    predicted: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class NumberDifference:
    """A metric's difference for one target. `low` and `high` are NaN where `reason` says why.

    Args:
        reference, arm: the metric's mean over the seeds of each.
    """

    target: str
    metric: str
    reference: float
    arm: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    variance: DifferenceVariance
    reason: str = ""

    @property
    def difference(self) -> float:
        """Arm minus reference."""
        return self.arm - self.reference

    @property
    def shown(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclasses.dataclass(frozen=True)
class NumberComparison:
    """An arm beside the reference, for every target that both predict.

    Args:
        differences: of every target and metric.
        rows, groups: of the test part.
    """

    reference: str
    arm: str
    differences: tuple[NumberDifference, ...]
    rows: int
    groups: int
    reference_seeds: tuple[int, ...]
    arm_seeds: tuple[int, ...]

    @property
    def seeds_repeated(self) -> bool:
        """Whether seeds were repeated in both arms."""
        return min(len(self.reference_seeds), len(self.arm_seeds)) > 1


def compare_numbers(
    true: Mapping[str, np.ndarray],
    groups: np.ndarray,
    arms: Sequence[NumberPredictions],
    *,
    repetitions: int = 2000,
    seed: int = 0,
) -> list[NumberComparison]:
    """Compare every arm with the first that predicts the same target.

    Args:
        true: target → numbers `(rows,)`.
        groups: `(rows,)`, the group of each row.
        arms: two or more; the first that predicts a target is that target's reference.
        repetitions, seed: of the bootstrap.

    Returns:
        a comparison per arm and reference, none where an arm is the first of all its targets.
    """
    if len(arms) < 2:
        raise ValueError(f"`arms` must be two or more. Received: {len(arms)}")
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    totals = [_totals(true, code, len(names), arm) for arm in arms]
    first, pairs = {}, {}
    for number, own in enumerate(totals):
        for target in own:
            reference = first.setdefault(target, number)
            if reference != number:
                pairs.setdefault((reference, number), []).append(target)
    compared = []
    for (reference, number), targets in pairs.items():
        one, arm = arms[reference], arms[number]
        differences = tuple(
            _difference(
                target,
                metric,
                totals[reference][target],
                totals[number][target],
                one.seeds == arm.seeds,
                repetitions,
                seed,
            )
            for target in targets
            for metric in METRICS
        )
        compared.append(
            NumberComparison(
                one.name, arm.name, differences, len(code), len(names), one.seeds, arm.seeds
            )
        )
    return compared


def _totals(true, code, groups: int, arm: NumberPredictions) -> dict[str, np.ndarray]:
    """Return target → what each group and seed adds to the sums of its metrics."""
    found = {}
    for target, predicted in arm.predicted.items():
        if np.shape(predicted) != (len(arm.seeds), len(code)):
            raise ValueError(
                f"`predicted` must have the shape {(len(arm.seeds), len(code))}. "
                f"Received: {np.shape(predicted)}"
            )
        # A seed at a time: a collapsed one is centred on its own constant.
        here = np.zeros(len(code), dtype=int)
        found[target] = np.concatenate(
            [number_sums(true[target], one, code, here, (groups, 1)) for one in predicted], axis=1
        )
    return found


def _difference(target, metric, reference, arm, paired, repetitions, seed) -> NumberDifference:
    totals, number, groups = np.concatenate([reference, arm], axis=1), reference.shape[1], len(arm)
    function = METRICS[metric]
    measured = function(totals.sum(axis=0))
    means = float(measured[:number].mean()), float(measured[number:].mean())
    reason, nothing = "", DifferenceVariance(float("nan"), 0)
    if groups < 2:
        reason = "all test rows are of one group, which tells nothing of others"
    elif not np.isfinite(measured).all():
        reason = "with some seed it has no figure, as truth and prediction are one constant"
    else:
        generator = np.random.default_rng(seed)
        drawn = np.concatenate(
            [function(sums) for sums in resampled_sums(totals, repetitions, generator)]
        )
        defined = np.isfinite(drawn).all(axis=1)
        if defined.mean() < 1 - UNDEFINED_ALLOWED:
            reason = f"it has no figure in {1 - defined.mean():.0%} of the draws"
    if reason:
        unknown = [float("nan")] * 4
        return NumberDifference(target, metric, *means, *unknown, nothing, reason)
    apart = ~np.isclose(reference.mean(axis=1), arm.mean(axis=1))
    variance = difference_variance(
        drawn[defined],
        measured,
        number,
        groups=groups,
        differing=int(apart.any(axis=-1).sum()),
        paired=paired,
    )
    squared, degrees = map(float, variance.at())
    error = squared**0.5
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    difference = means[1] - means[0]
    return NumberDifference(
        target, metric, *means, difference - reach, difference + reach, error, degrees, variance
    )
