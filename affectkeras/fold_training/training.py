"""Training all folds: those that fit into memory together, one lot of folds after the other."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from affectkeras.fold_training.group import FoldGroup
from affectkeras.fold_training.jobs import FoldJob, FoldOutcome, FoldPlan, check_jobs, steps_of
from affectkeras.fold_training.memory import folds_that_fit
from affectkeras.fold_training.network import check_layers, check_model
from affectkeras.fold_training.processes import fit_in_processes
from affectkeras.fold_training.program import program_of


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

    The folds go through one program, whose weights have a fold in front. A model with a layer that
    it has no function for goes through `model.fit` instead, each fold in a process; that is
    printed, and told by the outcomes' `way`. (A script that gets there needs the usual
    `if __name__ == "__main__":`.)

    Args:
        model: a functional model of one input whose output are logits `(batch, classes)`. All
            folds start at its weights, which are left as they are; the statistics of its
            Normalization layers are taken from each fold's training rows.
        inputs: what the model takes, for all rows, float32.
        labels: class of each row, from 0.
        jobs: the folds.
        plan: settings of all folds.
        together: how many folds are trained at the same time; by default as many as fit into half
            of the memory that is free, or in processes one per processor.
        on_epoch: called with how many epochs are done and how many there are: of all lots of
            folds, or in processes of all folds.

    Returns:
        An outcome for each job, in their order. A fold's outcome is the same whichever folds are
        trained beside it, to rounding.

    Raises:
        ValueError: when an argument is out of range or does not fit the model.
    """
    inputs, labels, jobs = np.asarray(inputs, np.float32), np.asarray(labels), list(jobs)
    check_model(model)
    _check(model, inputs, labels, together)
    check_jobs(jobs, len(inputs))
    try:
        check_layers(model)
    except ValueError as reason:
        print(f"{reason} Each fold is trained by model.fit in a process of its own.")
        return fit_in_processes(model, inputs, labels, jobs, plan, together, on_epoch)
    together = together or folds_that_fit(model, plan.batch_size)
    # Folds of a lot wait for the longest: so they are of like length.
    order = np.argsort([steps_of(job, plan) for job in jobs], kind="stable")
    lots = np.array_split(order, -(-len(jobs) // together))
    program = program_of(model, plan.schedule)
    rows, classes = tf.constant(inputs), tf.constant(labels, tf.int32)
    outcomes: dict[int, FoldOutcome] = {}
    epochs = len(lots) * plan.epochs
    with tqdm(total=epochs, desc=f"{len(jobs)} folds", unit="epoch", disable=None) as bar:
        for lot in lots:
            chosen = [jobs[fold] for fold in lot]
            group = FoldGroup(program, model, rows, classes, chosen, plan, len(lots[0]))
            for epoch in range(plan.epochs):
                group.train_epoch(epoch)
                bar.update()
                if on_epoch is not None:
                    on_epoch(len(outcomes) // len(lots[0]) * plan.epochs + epoch + 1, epochs)
            outcomes |= zip(lot.tolist(), group.outcomes(), strict=True)
    return [outcomes[fold] for fold in range(len(jobs))]


def set_weights(model: keras.Model, weights: Sequence[np.ndarray]) -> None:
    """Give a model the weights of an outcome.

    After `model.set_weights` alone a Normalization layer keeps the statistics that it had.
    """
    model.set_weights(weights)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    # What was traced before holds the old statistics as constants.
    model.predict_function = model.train_function = model.test_function = None


def _check(model, inputs, labels, together) -> None:
    if inputs.shape[1:] != tuple(model.input_shape[1:]):
        raise ValueError(
            f"`inputs` must be rows of what the model takes, {model.input_shape[1:]}. "
            f"Received: shape {inputs.shape}"
        )
    if labels.shape != inputs.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be a whole number for each of {len(inputs)} rows. "
            f"Received: {labels.dtype} of shape {labels.shape}"
        )
    classes = model.output_shape[-1]
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"`labels` must be from 0 to {classes - 1}. Received: {labels.min()} to {labels.max()}"
        )
    if together is not None and together < 1:
        raise ValueError(f"`together` must be at least 1. Received: together={together}")
