"""Looking for a learning rate: a short training whose rate grows from step to step.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3 (the range
test). As in later toolkits the rate grows exponentially, and the training ends once the loss has
left its lowest value far behind. Afterwards everything is as it was before.
"""

import dataclasses
import math
from collections.abc import Iterable

import keras
import numpy as np

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
MEMORY = 0.9  # of the running mean that tells when to stop
DIVERGED = 4.0  # times the lowest running mean
WIDTH = 3.0  # standard deviation of the smoothing, in steps
MARGIN = 10.0  # the suggestion lies so many times below the rate of the lowest loss
LEAST_FALL = 0.02  # share of the first loss; less is no fall


@dataclasses.dataclass(frozen=True)
class RateCurve:
    """What a range test found.

    Args:
        rates: of each step, of the head where the backbone has rates of its own.
        losses: of the batch of each step, before the step.
        smoothed: the losses, smoothed over neighbouring steps alike on both sides.
        lowest: the rate with the lowest smoothed loss.
        steepest: the rate before it where the smoothed loss falls fastest over the logarithm of
            the rate; None where it does not fall.
        suggestion: a tenth of `lowest`; None where the loss does not fall.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest: float
    steepest: float | None
    suggestion: float | None


def find_learning_rate(
    model: keras.Model,
    batches: Iterable,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> RateCurve:
    """Train for a few steps at growing rates, and put everything back as it was.

    Weights, statistics, seeds of dropout, and the optimizer's moments, step and rates are exactly
    what they were before, also where an error ends the test.

    Args:
        model: compiled, its optimizer built and without a schedule; several rates keep their
            ratios.
        batches: `(inputs, targets)` of training rows; where there are fewer than `steps`, the test
            ends with them.
        lowest, highest: rates of the first and the last step.
        steps: how many steps there are at most.

    Raises:
        ValueError: for rates out of order, a schedule, or fewer than 10 batches.
    """
    if not 0 < lowest < highest:
        raise ValueError(
            "`lowest` must be above 0 and below `highest`. "
            f"Received: lowest={lowest}, highest={highest}"
        )
    parts = _parts(model.optimizer)
    shares = _shares(parts)
    growth = (highest / lowest) ** (1 / max(steps - 1, 1))
    rates: list[float] = []
    losses: list[float] = []
    kept = _keep(model)
    try:
        running, best = 0.0, math.inf
        for (inputs, targets), step in zip(batches, range(steps), strict=False):
            rate = lowest * growth**step
            for part, share in zip(parts, shares, strict=True):
                part.learning_rate = rate * share
            model.reset_metrics()
            loss = float(model.train_on_batch(inputs, targets, return_dict=True)["loss"])
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            running = MEMORY * running + (1 - MEMORY) * loss
            mean = running / (1 - MEMORY ** len(losses))
            best = min(best, mean)
            if mean > DIVERGED * best:
                break
    finally:
        model.reset_metrics()  # those that the first step made were not there to be kept
        _put_back(kept)
    return read_curve(rates, losses)


def read_curve(rates: Iterable[float], losses: Iterable[float]) -> RateCurve:
    """Return the smoothed curve and what it suggests.

    Args:
        rates: growing by the same factor from step to step.
        losses: of each step.

    Raises:
        ValueError: when there are fewer than 10 steps.
    """
    rates, losses = np.array(list(rates), np.float64), np.array(list(losses), np.float64)
    if len(rates) < 10:
        raise ValueError(
            f"A range test needs at least 10 steps with a finite loss. Received: {len(rates)}"
        )
    smoothed = _smooth(losses)
    place = int(smoothed.argmin())
    fall = smoothed[0] - smoothed[place]
    steepest = suggestion = None
    if fall > LEAST_FALL * abs(smoothed[0]):
        slopes = np.diff(smoothed[: place + 1])
        steepest = float(rates[int(slopes.argmin())])
        suggestion = float(rates[place] / MARGIN)
    return RateCurve(
        tuple(rates.tolist()),
        tuple(losses.tolist()),
        tuple(smoothed.tolist()),
        float(rates[place]),
        steepest,
        suggestion,
    )


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return a Gaussian mean of neighbours; at the ends of those there are."""
    places = np.arange(len(values))
    weights = np.exp(-0.5 * ((places[:, None] - places[None, :]) / WIDTH) ** 2)
    return weights @ values / weights.sum(axis=1)


def _parts(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Return the optimizers that have a rate of their own."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a loss scale
    parts = list(getattr(inner, "optimizers", [inner]))
    for part in parts:
        if isinstance(part.get_config()["learning_rate"], dict):
            raise ValueError(
                "`model` must have an optimizer with a constant rate. Received: a schedule"
            )
    return parts


def _shares(parts: list[keras.optimizers.Optimizer]) -> list[float]:
    """Return each rate as a share of the highest, which is the head's."""
    rates = [float(keras.ops.convert_to_numpy(part.learning_rate)) for part in parts]
    return [rate / max(rates) for rate in rates]


def _keep(model: keras.Model) -> list[tuple[keras.Variable, np.ndarray]]:
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    # Copied: on the TensorFlow backend the array may be the variable's own memory.
    return [(one, np.array(keras.ops.convert_to_numpy(one))) for one in variables]


def _put_back(kept: list[tuple[keras.Variable, np.ndarray]]) -> None:
    for variable, value in kept:
        variable.assign(value)
