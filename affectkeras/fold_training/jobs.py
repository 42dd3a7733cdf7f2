"""What is to be trained: the rows of each fold, the settings of all, and what comes out."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras.pipelines.sampler import RowSampler

SCHEDULES = ("constant", "cosine")


@dataclasses.dataclass(frozen=True, eq=False)
class FoldJob:
    """One fold.

    Args:
        train: rows it is trained on, each at most once.
        predict: rows whose probabilities are wanted after training; may be empty.
        name: stands in messages and in the outcome.
    """

    train: Sequence[int]
    predict: Sequence[int]
    name: str


@dataclasses.dataclass(frozen=True)
class FoldPlan:
    """How all folds are trained: Adam with Keras's defaults, cross-entropy of logits.

    Args:
        epochs: passes over the rows of each fold.
        batch_size: rows of a step; the last step of an epoch takes what is left.
        learning_rate: of the first step.
        schedule: `"constant"`, or `"cosine"`: falling to 0 after the fold's last step, as Keras's
            `CosineDecay`.
        balanced: whether a row counts by its class: n / (classes · rows of the class), from the
            job's training rows.
        seed: of the order of the rows and of dropout; 0 or above.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "constant"
    balanced: bool = True
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={getattr(self, name)}"
                )
        if not self.learning_rate > 0:
            raise ValueError(
                f"`learning_rate` must be above 0. Received: learning_rate={self.learning_rate}"
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"`schedule` must be one of {', '.join(SCHEDULES)}. "
                f"Received: schedule={self.schedule!r}"
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be 0 or above. Received: seed={self.seed}")


@dataclasses.dataclass(frozen=True, eq=False)
class FoldOutcome:
    """What became of one fold.

    Args:
        name: of its job.
        weights: as `model.get_weights()` gives them; `set_weights` puts them into a model.
        history: a row per epoch: epoch (from 0), loss (weighted as in training), accuracy.
        probabilities: of the rows of `predict`, float32 `(rows, classes)`.
        seconds: its share of the time that it and the folds trained with it took.
        way: `"together"`, in one program, or `"processes"`, by `model.fit`.
    """

    name: str
    weights: list[np.ndarray]
    history: pd.DataFrame
    probabilities: np.ndarray
    seconds: float
    way: str


def check_jobs(jobs: Sequence[FoldJob], rows: int) -> None:
    """Raise a ValueError that names the first job whose rows cannot be used."""
    if not jobs:
        raise ValueError("`jobs` must hold at least one job.")
    for job in jobs:
        if len(job.train) == 0:
            raise ValueError(f"Job {job.name!r} has no rows to train on.")
        for name in ("train", "predict"):
            chosen = np.asarray(getattr(job, name))
            if chosen.ndim != 1 or (len(chosen) and chosen.dtype.kind not in "iu"):
                raise ValueError(
                    f"Job {job.name!r}: `{name}` must be a list of row numbers. "
                    f"Received: {chosen.dtype} of shape {chosen.shape}"
                )
            if len(chosen) and (chosen.min() < 0 or chosen.max() >= rows):
                raise ValueError(
                    f"Job {job.name!r}: `{name}` must hold rows from 0 to {rows - 1}. "
                    f"Received: {chosen.min()} to {chosen.max()}"
                )


def sampler_of(job: FoldJob, plan: FoldPlan) -> RowSampler:
    """Return what orders a job's rows in every epoch; the same whoever is trained beside it."""
    return RowSampler(job.train, seed=plan.seed, batch_size=plan.batch_size)


def steps_of(job: FoldJob, plan: FoldPlan) -> int:
    """Return the steps of an epoch."""
    return math.ceil(len(job.train) / plan.batch_size)


def class_weights(labels: np.ndarray, classes: int, balanced: bool) -> np.ndarray:
    """Return what a row of each class counts: n / (classes · rows of it), 0 where it has none."""
    if not balanced:
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    present = np.maximum(counts, 1)
    return np.where(counts > 0, len(labels) / (classes * present), 0).astype(np.float32)
