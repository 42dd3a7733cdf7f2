"""Levels from ratings, weights of classes, and the form in which an LSTM takes a pulse."""

import dataclasses

import numpy as np

from affectkeras.datasets.table import ExampleTable, Target
from affectkeras.errors import UserError

LEVEL = "level"
LEVELS = ("low", "high")
LOWEST, HIGHEST = 1, 5


def binary_levels(table: ExampleTable, target: str, *, high_from: int = 4) -> ExampleTable:
    """Return the table with the class target `level`, low or high, beside the ratings.

    Args:
        table: of stretches or of windows, with ratings from 1 to 5.
        target: which of them, such as `"arousal"`. Rows without it are rejected as unlabelled.
        high_from: the lowest rating that counts as high: 4 in the lecture (low is 1–3), 3 in the
            K-EmoCon authors' own work (low is 1–2).

    Raises:
        UserError: when the table has no such number, or its values are no ratings from 1 to 5.
    """
    if high_from not in range(LOWEST + 1, HIGHEST + 1):
        raise ValueError(f"`high_from` must be from 2 to 5. Received: high_from={high_from}")
    if table.target(target).kind != "number":
        known = [one.name for one in table.targets if one.kind == "number"]
        raise UserError(
            f"{table.name}: {target} is a class and no rating. Ratings: "
            f"{', '.join(known) or 'none'}."
        )
    if LEVEL in table.frame:
        raise ValueError(f"`table` has the column {LEVEL!r} already.")
    ratings = table.frame[target].to_numpy(np.float64)
    beyond = ratings[(ratings < LOWEST) | (ratings > HIGHEST)]
    if len(beyond):
        raise UserError(f"{table.name}: {target} is no rating from 1 to 5: it holds {beyond[0]:g}.")
    rated = ~np.isnan(ratings)
    table = table.keep(rated, f"no rating of {target}", kind="unlabelled")
    return dataclasses.replace(
        table,
        frame=table.frame.assign(**{LEVEL: (ratings[rated] >= high_from).astype(np.int64)}),
        targets=(*table.targets, Target(LEVEL, "class", LEVELS)),
    )


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return weights that make every class count the same in a sum: n / (classes * count).

    Args:
        labels: class indices, `(rows,)`.
        classes: how many there are.

    Returns:
        float32 `(classes,)`; 0 for a class of which there is none.
    """
    counts = np.bincount(np.asarray(labels, np.int64), minlength=classes)
    if len(counts) > classes:
        raise ValueError(f"`labels` must be below {classes}. Received: {len(counts) - 1}")
    weights = len(labels) / (classes * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 0).astype(np.float32)


def as_seconds(signals: np.ndarray, rate: int = 64) -> np.ndarray:
    """Return windows of one channel with a second to a row.

    Args:
        signals: `(windows, seconds * rate, 1)`.
        rate: values per second.

    Returns:
        `(windows, seconds, rate)`.
    """
    if signals.ndim != 3 or signals.shape[2] != 1 or signals.shape[1] % rate:
        raise ValueError(
            f"`signals` must be (windows, seconds * {rate}, 1). Received: {signals.shape}"
        )
    return signals.reshape(len(signals), signals.shape[1] // rate, rate)
