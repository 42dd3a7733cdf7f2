"""What moves a measured difference of two arms: other test groups, and other seeds.

Both are random. Seeds are to us what readers are to a study of diagnostic images read by several
readers, and test groups are its cases; the variance below is that of Obuchowski & Rockette 1995
(Communications in Statistics 24(2)) with the degrees of freedom of Hillis 2007 (Statistics in
Medicine 26(3)), which is known to keep its size with three readers. For S seeds

    variance = spread between seeds / S + covariance between seeds

The spread between the seeds' differences is seen directly and holds what a seed's training does,
and the noise that test groups bring to one seed alone; the covariance is what the choice of test
groups does to all seeds alike, and comes from resampling groups. Degrees of freedom follow
Satterthwaite: few seeds, or few groups, give wide intervals. With one seed only groups count, and
of them those in which the arms differ at all: the others tell nothing of how large differences are.
"""

import dataclasses

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class DifferenceVariance:
    """The variance of a difference by its sources, in squared shares.

    Args:
        groups: brought by the choice of test groups to all seeds alike.
        differing: in how many groups the arms differ; one less is the degrees of freedom.
        seeds: brought by each set of seeds, already divided by their number: one entry where seeds
            are paired, two (reference, arm) where they are not, none where training was not
            repeated in both arms.
        shrinking: how much of each entry of `seeds` more test rows would take away.
        degrees: the degrees of freedom of each entry of `seeds`.
    """

    groups: float
    differing: int
    seeds: tuple[float, ...] = ()
    shrinking: tuple[float, ...] = ()
    degrees: tuple[int, ...] = ()

    def at(self, scale: float | np.ndarray = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return variance and degrees of freedom with `scale` times as many test groups."""
        scale = np.asarray(scale, dtype=float)
        parts = [self.groups / scale]
        weights = [np.maximum(self.differing * scale - 1, 1)]
        for seeds, shrinking, degrees in zip(self.seeds, self.shrinking, self.degrees, strict=True):
            parts.append(seeds - shrinking + shrinking / scale)
            weights.append(np.full_like(scale, degrees))
        total = sum(parts)
        squares = sum(part**2 / weight for part, weight in zip(parts, weights, strict=True))
        degrees = np.divide(total**2, squares, out=np.array(weights[0]), where=squares > 0)
        return total, degrees


def difference_variance(
    drawn: np.ndarray,
    measured: np.ndarray,
    reference_seeds: int,
    *,
    groups: int,
    differing: int,
    paired: bool,
) -> DifferenceVariance:
    """Return the variance of mean(arm) - mean(reference).

    Args:
        drawn: `(repetitions, seeds)`, a metric for every seed, those of the reference first, where
            each repetition drew as many groups as there are.
        measured: `(seeds,)`, the metric on the test rows themselves.
        reference_seeds: how many of the seeds are the reference's.
        groups: how many groups there are, at least 2.
        differing: in how many of them the arms differ.
        paired: whether both arms have the same seeds, in the same order.
    """
    # A bootstrap of n units has (n - 1) / n times the variance it estimates.
    covariance = np.atleast_2d(np.cov(drawn, rowvar=False)) * groups / (groups - 1)
    seeds = drawn.shape[1]
    arm_seeds = seeds - reference_seeds
    if min(reference_seeds, arm_seeds) < 2:
        means = np.repeat([-1 / reference_seeds, 1 / arm_seeds], [reference_seeds, arm_seeds])
        return DifferenceVariance(max(float(means @ covariance @ means), 0.0), differing)
    if paired:
        pairing = np.hstack([-np.eye(reference_seeds), np.eye(arm_seeds)])
        own, shared = _own_and_shared(pairing @ covariance @ pairing.T)
        sets, owns = [pairing @ measured], [own - shared]
    else:
        first, second = slice(0, reference_seeds), slice(reference_seeds, seeds)
        sets, owns, shared = [], [], -2 * covariance[first, second].mean()
        for part in (first, second):
            own, between = _own_and_shared(covariance[part, part])
            sets.append(measured[part])
            owns.append(own - between)
            shared += between
    spreads = [values.var(ddof=1) / len(values) for values in sets]
    noise = [max(own, 0.0) / len(values) for own, values in zip(owns, sets, strict=True)]
    return DifferenceVariance(
        groups=max(float(shared), 0.0),
        differing=differing,
        seeds=tuple(float(one) for one in spreads),
        shrinking=tuple(float(min(pair)) for pair in zip(spreads, noise, strict=True)),
        degrees=tuple(len(values) - 1 for values in sets),
    )


def rows_needed(
    variance: DifferenceVariance,
    rows: int,
    difference: float,
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> float | None:
    """Return how many test rows would show a difference, or None where no number would.

    A two-sided test at `1 - level` finds `difference` with probability `power` once

        difference ≥ (t[(1 + level) / 2] + t[power]) · √variance(N)

    with Student's quantiles at the degrees of freedom that N rows give. N rows are taken in groups
    of the present size, with as many seeds as now. With one seed and many groups this is the known
    N = (1.96 + 0.84)² · (discordance - observed²) · design effect / difference² (Connor 1987,
    Biometrics 43(1), times the design effect of Kish 1965): the variance measured by group over n
    rows is (discordance - observed²) · design effect / n.

    Args:
        variance: measured on `rows` test rows.
        difference: the true difference to find, a share above 0.
    """
    if not difference > 0:
        raise ValueError(f"`difference` must be above 0. Received: difference={difference}")
    if variance.at()[0] <= 0:
        return None
    scale = np.geomspace(1e-4, 1e6, 20_001)
    scale = scale[variance.differing * scale >= 2]
    spread, degrees = variance.at(scale)
    quantiles = stats.t.ppf((1 + level) / 2, degrees) + stats.t.ppf(power, degrees)
    enough = np.flatnonzero(quantiles * np.sqrt(spread) <= difference)
    return float(rows * scale[enough[0]]) if len(enough) else None


def _own_and_shared(covariance: np.ndarray) -> tuple[float, float]:
    """Return the mean on and off the diagonal of `(seeds, seeds)`."""
    seeds = len(covariance)
    own = np.trace(covariance) / seeds
    shared = (covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1))
    return own, shared
