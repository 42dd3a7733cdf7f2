"""Training all folds: those that fit into memory together, one batch of folds after the other."""

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tqdm import tqdm

from affectkeras.fold_training.jobs import (
    FoldJob,
    FoldOutcome,
    FoldPlan,
    check_jobs,
    class_weights,
    epoch_order,
    steps_of,
)
from affectkeras.fold_training.network import check_network, weights_of_folds
from affectkeras.fold_training.program import FoldProgram

ROWS_PREDICTED = 256  # of each fold at once


def train_folds(
    model: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    jobs: Sequence[FoldJob],
    plan: FoldPlan,
    *,
    together: int | None = None,
    on_epoch: Callable[[int, int], None] | None = None,
) -> list[FoldOutcome]:
    """Train a model anew for every fold, all folds at once, and return what became of each.

    Args:
        model: a functional model of one input whose output are logits `(batch, classes)`. All
            folds start at its weights, which are left as they are; the statistics of its
            Normalization layers are taken from each fold's training rows.
        inputs: what the model takes, for all rows, float32.
        labels: class of each row, from 0.
        jobs: the folds.
        plan: settings of all folds.
        together: how many folds are trained in one program; by default as many as fit into half
            of the memory that is free.
        on_epoch: called after each epoch with how many epochs are done and how many there are.

    Returns:
        An outcome for each job, in their order. A fold's outcome is the same whichever folds are
        trained beside it, to rounding.

    Raises:
        ValueError: when an argument is out of range or does not fit the model.
    """
    inputs, labels = np.asarray(inputs, np.float32), np.asarray(labels)
    check_jobs(jobs, len(inputs))
    check_network(model)
    together = together or len(jobs)
    outcomes = []
    program = FoldProgram(model, plan)
    for start in range(0, len(jobs), together):
        outcomes += _train_together(
            model, program, inputs, labels, jobs[start : start + together], plan, on_epoch
        )
    return outcomes


def set_weights(model: keras.Model, weights: Sequence[np.ndarray]) -> None:
    """Give a model the weights of an outcome.

    `model.set_weights` alone leaves a Normalization layer with the statistics that it had.
    """
    model.set_weights(weights)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # What was compiled before holds the old statistics as constants.
    model.make_predict_function(force=True)


def _train_together(model, program, inputs, labels, jobs, plan, on_epoch):
    began = time.perf_counter()
    weights = weights_of_folds(model, len(jobs))
    weights |= _statistics(model, inputs, jobs)
    state = program.start(weights)
    classes = model.output_shape[-1]
    steps = np.array([steps_of(job, plan) for job in jobs])
    data = {
        "inputs": tf.constant(inputs),
        "labels": tf.constant(labels, tf.int32),
        "class_weights": tf.constant(
            np.stack([class_weights(labels[job.train], classes, plan.balanced) for job in jobs])
        ),
        "total_steps": tf.constant(steps * plan.epochs, tf.int32),
    }
    sizes = np.array([len(job.train) for job in jobs])
    histories = []
    for epoch in tqdm(range(plan.epochs), desc=f"{len(jobs)} folds", unit="epoch", disable=None):
        order, real = _orders(jobs, plan, epoch)
        state, sums = program.train_epoch(state, epoch, {**data, "order": order, "real": real})
        histories.append((sums["loss"] / sizes, sums["correct"] / sizes))
    probabilities = _predict(program, state.weights, data["inputs"], jobs, classes)
    arrays = [state.weights[one.path].numpy() for one in model.weights]
    seconds = (time.perf_counter() - began) / len(jobs)
    return [
        FoldOutcome(
            job.name,
            [array[fold] for array in arrays],
            pd.DataFrame(
                {
                    "epoch": range(plan.epochs),
                    "loss": [loss[fold] for loss, _ in histories],
                    "accuracy": [accuracy[fold] for _, accuracy in histories],
                }
            ),
            probabilities[fold],
            seconds,
            "together",
        )
        for fold, job in enumerate(jobs)
    ]


def _orders(jobs, plan, epoch):
    """Return rows of every step `(steps, folds, batch)`, and 1 where they are no filling."""
    steps = max(steps_of(job, plan) for job in jobs)
    order = np.zeros((len(jobs), steps * plan.batch_size), np.int32)
    real = np.zeros(order.shape, np.float32)
    for fold, job in enumerate(jobs):
        order[fold, : len(job.train)] = epoch_order(job, plan, epoch)
        real[fold, : len(job.train)] = 1
    shape = (len(jobs), steps, plan.batch_size)
    return (np.ascontiguousarray(one.reshape(shape).swapaxes(0, 1)) for one in (order, real))


def _statistics(model, inputs, jobs):
    """Return the statistics of the Normalization layers, of each job's training rows."""
    found = {}
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            if layer.input is not model.input:
                raise ValueError(
                    f"Layer {layer.name!r} must stand at the model's input: its statistics are "
                    "those of the inputs."
                )
            axes = layer._reduce_axis
            chosen = [inputs[job.train] for job in jobs]
            means = np.stack([one.mean(axes, dtype=np.float64) for one in chosen])
            variances = np.stack([one.var(axes, dtype=np.float64) for one in chosen])
            found[layer.adapt_mean.path] = tf.constant(means, tf.float32)
            found[layer.adapt_variance.path] = tf.constant(variances, tf.float32)
    return found


def _predict(program, weights, inputs, jobs, classes):
    longest = max(len(job.predict) for job in jobs)
    rows = np.zeros((len(jobs), -(-longest // ROWS_PREDICTED) * ROWS_PREDICTED), np.int32)
    for fold, job in enumerate(jobs):
        rows[fold, : len(job.predict)] = job.predict
    parts = [np.zeros((len(jobs), 0, classes), np.float32)]
    for start in range(0, rows.shape[1], ROWS_PREDICTED):
        part = rows[:, start : start + ROWS_PREDICTED]
        parts.append(program.predict(weights, inputs, part).numpy())
    found = np.concatenate(parts, 1)
    return [found[fold, : len(job.predict)] for fold, job in enumerate(jobs)]
