"""Is one arm better than another on the same test rows?

Differences are arm minus reference, on rows that both predicted. Intervals are the difference plus
and minus Student's quantile times its standard error, with test groups and (where both arms were
trained with several seeds) seeds as what could have come out otherwise: `difference_variance`.
Percentiles of a bootstrap are not used here: with three seeds, or eight films, they are too narrow.
The p-value is that of the same t statistic; with one seed in each arm it comes from exchanging the
arms' predictions group by group (`sign_flip_p_value`), which is exact with few groups.

One seed per arm compares two trained models, not two ways of training: `seeds_repeated` is False.
Only class targets are known. A difference of number targets needs no more than another metric of
sums over rows in the place of counts `(classes, classes)`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from affectkeras.evaluation.difference_variance import DifferenceVariance, difference_variance
from affectkeras.evaluation.intervals import group_confusions, resampled_sums
from affectkeras.evaluation.metrics import accuracy_of, macro_f1_of
from affectkeras.evaluation.paired_tests import (
    McNemar,
    cohens_h,
    holm,
    mcnemar_exact,
    sign_flip_p_value,
    t_p_value,
)

METRICS = {"accuracy": accuracy_of, "macro_f1": macro_f1_of}
LEVEL = 0.95
ALPHA = 0.05


@dataclasses.dataclass(frozen=True, eq=False)
class ArmPredictions:
    """What one arm predicted for the test rows.

    Args:
        name: of the arm.
        seeds: one or more, different.
        predicted: class indices `(seeds, rows)`.
    """

    name: str
    seeds: tuple[int, ...]
    predicted: np.ndarray


@dataclasses.dataclass(frozen=True)
class Difference:
    """A metric's difference, as shares. `low`, `high` and `p_value` are NaN with one group.

    Args:
        reference, arm: the metric's mean over the seeds of each.
        p_adjusted: Holm's, over all arms compared with this reference by this metric.
        test: `"sign flips by group"` or `"Student's t"`.
    """

    metric: str
    reference: float
    arm: float
    difference: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    test: str
    p_value: float
    p_adjusted: float
    variance: DifferenceVariance

    @property
    def shown(self) -> bool:
        """Whether the test, corrected for the number of comparisons, rejects "no difference"."""
        return self.p_adjusted < ALPHA


@dataclasses.dataclass(frozen=True)
class Comparison:
    """An arm beside the reference.

    Args:
        differences: metric → `Difference`.
        comparisons: how many arms were compared with the reference.
        rows, groups: of the test part.
        reference_seeds, arm_seeds: ascending.
        discordance: the share of rows on which exactly one arm is right, mean over pairs of seeds.
        design_effect: the variance of the accuracy's difference by group over that by row.
        cohens_h: the effect size of the accuracy.
        mcnemar: by rows, with one seed in each arm; else None.
    """

    reference: str
    arm: str
    differences: dict[str, Difference]
    comparisons: int
    rows: int
    groups: int
    reference_seeds: tuple[int, ...]
    arm_seeds: tuple[int, ...]
    discordance: float
    design_effect: float
    cohens_h: float
    mcnemar: McNemar | None

    @property
    def seeds_paired(self) -> bool:
        """Whether both arms have the same seeds, so that a seed's difference means something."""
        return self.reference_seeds == self.arm_seeds

    @property
    def seeds_repeated(self) -> bool:
        """Whether seeds were repeated in both arms."""
        return min(len(self.reference_seeds), len(self.arm_seeds)) > 1


def compare_arms(
    true: np.ndarray,
    groups: np.ndarray,
    classes: int,
    arms: Sequence[ArmPredictions],
    *,
    repetitions: int = 2000,
    seed: int = 0,
) -> list[Comparison]:
    """Compare every arm with the first.

    Args:
        true: class indices `(rows,)`.
        groups: `(rows,)`, the group of each row.
        classes: how many classes the data set has.
        arms: two or more; the first is the reference.
        repetitions, seed: of the bootstrap; exchanges by group are five times as many.
    """
    if len(arms) < 2:
        raise ValueError(f"`arms` must be two or more. Received: {len(arms)}")
    for arm in arms:
        if len(set(arm.seeds)) != len(arm.seeds) or not arm.seeds:
            raise ValueError(f"`seeds` must be different, at least one. Received: {arm.seeds}")
        if np.shape(arm.predicted) != (len(arm.seeds), len(true)):
            raise ValueError(
                f"`predicted` must have the shape {(len(arm.seeds), len(true))}. "
                f"Received: {np.shape(arm.predicted)}"
            )
    reference, *others = map(_sorted_by_seed, arms)
    true, groups = np.asarray(true), np.asarray(groups)
    compared = [
        _compare(true, groups, classes, reference, arm, len(others), repetitions, seed)
        for arm in others
    ]
    for metric in METRICS:
        p_values = [one.differences[metric].p_value for one in compared]
        if np.all(np.isfinite(p_values)):
            for one, adjusted in zip(compared, holm(p_values), strict=True):
                found = one.differences[metric]
                one.differences[metric] = dataclasses.replace(found, p_adjusted=adjusted)
    return compared


def _sorted_by_seed(arm: ArmPredictions) -> ArmPredictions:
    order = np.argsort(arm.seeds)
    seeds = tuple(int(arm.seeds[place]) for place in order)
    return dataclasses.replace(arm, seeds=seeds, predicted=np.asarray(arm.predicted)[order])


def _compare(true, groups, classes, reference, arm, comparisons, repetitions, seed) -> Comparison:
    predicted = np.concatenate([reference.predicted, arm.predicted])
    totals = np.stack([group_confusions(true, one, groups, classes) for one in predicted], axis=1)
    drawn = _resample(totals, repetitions, seed)
    differences = {
        metric: _difference(metric, totals, drawn, reference.seeds, arm.seeds, repetitions, seed)
        for metric in METRICS
    }
    right = predicted == true
    first, second = right[: len(reference.seeds)], right[len(reference.seeds) :]
    paired = reference.seeds == arm.seeds
    single = len(first) == len(second) == 1
    return Comparison(
        reference=reference.name,
        arm=arm.name,
        differences=differences,
        comparisons=comparisons,
        rows=len(true),
        groups=len(totals),
        reference_seeds=reference.seeds,
        arm_seeds=arm.seeds,
        discordance=discordance(first, second, paired=paired),
        design_effect=design_effect(second.mean(axis=0) - first.mean(axis=0), groups),
        cohens_h=cohens_h(first.mean(), second.mean()),
        mcnemar=mcnemar_exact(first[0], second[0]) if single else None,
    )


def _resample(totals: np.ndarray, repetitions: int, seed: int) -> dict[str, np.ndarray]:
    """Return metric → `(repetitions, seeds)` over drawn groups, the same for all metrics."""
    generator = np.random.default_rng(seed)
    found = {metric: [] for metric in METRICS}
    for sums in resampled_sums(totals, repetitions, generator):
        for metric, values in found.items():
            values.append(METRICS[metric](sums))
    return {metric: np.concatenate(values) for metric, values in found.items()}


def _difference(metric, totals, drawn, reference_seeds, arm_seeds, repetitions, seed) -> Difference:
    number, groups = len(reference_seeds), len(totals)
    measured = METRICS[metric](totals.sum(axis=0))
    reference, arm = float(measured[:number].mean()), float(measured[number:].mean())
    difference = arm - reference
    single = totals.shape[1] == 2
    test = "sign flips by group" if single else "Student's t"
    if groups < 2:
        unknown, none = [float("nan")] * 6, DifferenceVariance(float("nan"), 0)
        low, high, error, degrees, p_value, adjusted = unknown
        return Difference(
            metric, reference, arm, difference, low, high, error, degrees, test, p_value,
            adjusted, none,
        )  # fmt: skip
    variance = difference_variance(
        drawn[metric],
        measured,
        number,
        groups=groups,
        differing=_differing_groups(metric, totals, number),
        paired=reference_seeds == arm_seeds,
    )
    squared, degrees = map(float, variance.at())
    error = squared**0.5
    if single:
        p_value = sign_flip_p_value(
            totals[:, 0], totals[:, 1], METRICS[metric], repetitions=5 * repetitions, seed=seed
        )
    else:
        p_value = t_p_value(difference, error, degrees)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    low, high = max(difference - reach, -1.0), min(difference + reach, 1.0)
    return Difference(
        metric, reference, arm, difference, low, high, error, degrees, test, p_value, p_value,
        variance,
    )  # fmt: skip


def _differing_groups(metric: str, totals: np.ndarray, reference_seeds: int) -> int:
    """Count the groups whose part in a metric differs between the arms' means over seeds."""
    if metric == "accuracy":
        totals = np.trace(totals, axis1=-2, axis2=-1)[..., None, None]
    reference = totals[:, :reference_seeds].mean(axis=1)
    arm = totals[:, reference_seeds:].mean(axis=1)
    return int(np.any(~np.isclose(reference, arm), axis=(-2, -1)).sum())


def discordance(reference_right: np.ndarray, arm_right: np.ndarray, *, paired: bool) -> float:
    """Return the share of rows on which exactly one of two models is right.

    Args:
        reference_right, arm_right: bool `(seeds, rows)`.
        paired: mean over seeds of both in turn; else over all pairs of a seed of each.
    """
    if paired:
        return float(np.mean(reference_right != arm_right))
    reference, arm = reference_right.mean(axis=0), arm_right.mean(axis=0)
    return float(np.mean(reference * (1 - arm) + arm * (1 - reference)))


def design_effect(differences: np.ndarray, groups: np.ndarray) -> float:
    """Return the variance of a mean by group over that by row (Kish 1965); NaN without spread.

    Args:
        differences: `(rows,)`, of each row.
        groups: `(rows,)`.
    """
    residuals = differences - differences.mean()
    names, code = np.unique(groups, return_inverse=True)
    by_row = np.sum(residuals**2) / (len(residuals) - 1) if len(residuals) > 1 else 0.0
    if len(names) < 2 or by_row == 0:
        return float("nan")
    sums = np.bincount(code, weights=residuals)
    by_group = np.sum(sums**2) * len(names) / (len(names) - 1) / len(residuals)
    return float(by_group / by_row)
