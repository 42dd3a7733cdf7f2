"""Folds that go through one program together: their rows, where they stand, what they become."""

import time
from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from affectkeras.fold_training.jobs import (
    FoldJob,
    FoldOutcome,
    FoldPlan,
    class_weights,
    sampler_of,
    steps_of,
)
from affectkeras.fold_training.network import normalizations, weights_of_folds
from affectkeras.fold_training.program import FoldData, FoldProgram


class FoldGroup:
    """Folds trained together.

    Args:
        program: of a model built alike.
        model: all folds start at its weights.
        inputs: of all rows, `(rows, …)`.
        labels: int32 `(rows,)`.
        jobs: at most `size` of them. Places left are filled with folds that have no rows, so that
            groups of one size share a compiled program.
        plan: settings of all folds.
        size: folds of the program.
    """

    def __init__(
        self,
        program: FoldProgram,
        model: keras.Model,
        inputs: tf.Tensor,
        labels: tf.Tensor,
        jobs: Sequence[FoldJob],
        plan: FoldPlan,
        size: int,
    ):
        self.program, self.jobs, self.plan, self.size = program, jobs, plan, size
        self._began = time.perf_counter()
        self._samplers = [sampler_of(job, plan) for job in jobs]
        self._history = []
        weights = weights_of_folds(model, size)
        weights |= _statistics(model, inputs.numpy(), jobs, size)
        self._state = program.start(weights)
        self._classes = model.output_shape[-1]
        balance = np.ones((size, self._classes), np.float32)
        total = np.ones(size, np.int32)
        for fold, job in enumerate(jobs):
            balance[fold] = class_weights(labels.numpy()[job.train], self._classes, plan.balanced)
            total[fold] = steps_of(job, plan) * plan.epochs
        self._data = FoldData(
            inputs,
            labels,
            tf.constant(balance),
            tf.constant(total),
            tf.constant(plan.learning_rate, tf.float32),
            tf.constant(plan.seed % 2**31, tf.int32),
        )

    def train_epoch(self, epoch: int) -> None:
        """Train all folds for an epoch, counted from 0."""
        order, real = self._orders(epoch)
        self._state, loss, correct = self.program.train_epoch(
            self._state, epoch, self._data, order, real
        )
        rows = np.maximum(real.sum((0, 2)), 1)
        self._history.append((loss / rows, correct / rows))

    def outcomes(self) -> list[FoldOutcome]:
        """Return what became of the folds; each took its share of the time since the beginning."""
        probabilities = self._predict()
        arrays = [self._state.weights[one.path].numpy() for one in self.program.model.weights]
        seconds = (time.perf_counter() - self._began) / len(self.jobs)
        return [
            FoldOutcome(
                job.name,
                [array[fold].copy() for array in arrays],
                pd.DataFrame(
                    {
                        "epoch": range(len(self._history)),
                        "loss": [float(loss[fold]) for loss, _ in self._history],
                        "accuracy": [float(accuracy[fold]) for _, accuracy in self._history],
                    }
                ),
                probabilities[fold, : len(job.predict)].copy(),
                seconds,
                "together",
            )
            for fold, job in enumerate(self.jobs)
        ]

    def _orders(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of every step `(steps, folds, batch)`, and 1 where they are no filling."""
        batch_size = self.plan.batch_size
        steps = max(sampler.steps for sampler in self._samplers)
        order = np.zeros((self.size, steps * batch_size), np.int32)
        real = np.zeros(order.shape, np.float32)
        for fold, sampler in enumerate(self._samplers):
            order[fold, : len(sampler)] = sampler.order(epoch)
            real[fold, : len(sampler)] = 1
        shape = (self.size, steps, batch_size)
        order, real = (one.reshape(shape).swapaxes(0, 1) for one in (order, real))
        return np.ascontiguousarray(order), np.ascontiguousarray(real)

    def _predict(self) -> np.ndarray:
        """Return probabilities `(folds, rows, classes)`, of row 0 where a fold has fewer rows."""
        batch_size = self.plan.batch_size
        longest = max(len(job.predict) for job in self.jobs)
        rows = np.zeros((self.size, -(-longest // batch_size) * batch_size), np.int32)
        for fold, job in enumerate(self.jobs):
            rows[fold, : len(job.predict)] = job.predict
        parts = [np.zeros((self.size, 0, self._classes), np.float32)]
        for start in range(0, rows.shape[1], batch_size):
            part = rows[:, start : start + batch_size]
            parts.append(self.program.predict(self._state.weights, self._data.inputs, part))
        return np.concatenate(parts, 1)


def _statistics(model, inputs, jobs, size) -> dict[str, tf.Tensor]:
    """Return the statistics of Normalization layers, by path, of each job's training rows."""
    found = {}
    for layer in normalizations(model):
        axes = layer._reduce_axis
        means = np.zeros((size, *layer.adapt_mean.shape), np.float32)
        variances = np.ones(means.shape, np.float32)
        for fold, job in enumerate(jobs):
            chosen = inputs[job.train]
            means[fold] = chosen.mean(axes, dtype=np.float64)
            variances[fold] = chosen.var(axes, dtype=np.float64)
        found[layer.adapt_mean.path] = tf.constant(means)
        found[layer.adapt_variance.path] = tf.constant(variances)
    return found
