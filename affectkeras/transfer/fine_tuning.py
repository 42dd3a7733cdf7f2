"""Training a backbone classifier through its stages, and reading its clean predictions."""

import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from affectkeras.callbacks.training_loop import fit_epochs
from affectkeras.callbacks.training_state import TrainingState, read_position, restore
from affectkeras.files import copy_whole
from affectkeras.models.backbone_classifier import head_of
from affectkeras.transfer.stages import Stage, prepare_stage


@dataclasses.dataclass(frozen=True)
class Branch:
    """The common trunk of trainings that differ only after some epoch, trained once.

    Arms of one seed see the same batches with the same weights until the first of them removes
    rows. The first training leaves its state at the end of that epoch; the others begin there. What
    they reach is what they would have reached alone.

    Args:
        path: where the state is kept.
        epochs: how many epochs are common.
    """

    path: Path
    epochs: int


def fine_tune(
    model: keras.Model,
    stages: Sequence[Stage],
    stream,
    sampler,
    *,
    validation_rows: np.ndarray,
    state_path: Path,
    features=None,
    make_removal: Callable | None = None,
    branch: Branch | None = None,
    loss: keras.losses.Loss | None = None,
    verbose: int | None = None,
) -> tuple[list[dict], keras.callbacks.Callback | None]:
    """Train the model through all stages, going on from `state_path` where a run was cut off.

    Every epoch ends with `TrainingState`, so a process killed at any moment loses at most the
    epoch it was in, and the resumed run ends with the same weights.

    Args:
        model: a backbone classifier.
        stages: from a plan of `affectkeras.transfer.stages`.
        stream: gives the images, such as `pipelines.images.ImagePipeline`: `training(sampler,
            first_epoch, last_epoch)`, `clean(rows)`, `targets` and `seal` (`None` without one).
        sampler: the `RowSampler` of the training rows.
        validation_rows: table rows watched after every epoch; nothing is chosen by them here.
        state_path: where the state of the training is kept.
        features: gives the frozen backbone's cached outputs in the same form as `stream`; stages
            that train the head alone then never compute an image. `None`: they do.
        make_removal: `make_removal(score)` returns the callback that removes rows; `score(rows)`
            are their clean losses.
        branch: where trainings that are equal up to an epoch share those epochs.
        loss: of numbers, see `prepare_stage`; absent: that of classes.
        verbose: as in `keras.Model.fit`; absent: a bar on a terminal, else a line per epoch.

    Returns:
        The history rows, and the removal callback with its logs (`None` without one).
    """

    def score(rows):
        return row_losses(trained, source, rows)

    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    removal = make_removal(score) if make_removal else None
    held = {"sampler": sampler, "seal": stream.seal, "removal": removal}
    parts = {name: part for name, part in held.items() if part is not None}
    history: list[dict] = []
    # The schedule of a stage is laid out for the full training set, so that a run resumed after a
    # removal has the same learning rates as one that went straight through.
    steps = sampler.steps
    if branch is not None and branch.path.exists() and not state_path.exists():
        copy_whole(branch.path, state_path)
        print(f"epochs 1 to {branch.epochs}: as in this seed's first arm", flush=True)
    position = read_position(state_path)
    for index, stage in enumerate(stages):
        if position is not None and index < position.stage:
            continue
        trained, source, stage = choose_stream(model, stage, stream, features)
        prepare_stage(trained, stage, steps, loss)
        first = stage.first_epoch
        if position is not None and index == position.stage:
            first = restore(state_path, trained, parts).next_epoch
            history[:] = position.history
            if position.stopped:
                break
        if first >= stage.last_epoch:
            continue
        callbacks = [removal] if removal else []
        callbacks.append(TrainingState(state_path, parts, history, stage=index))
        if branch is not None:
            callbacks.append(_KeepBranch(branch, state_path))
        fit_epochs(
            trained,
            functools.partial(source.training, sampler),
            sampler,
            first_epoch=first,
            last_epoch=stage.last_epoch,
            callbacks=callbacks,
            validation_data=source.clean(validation_rows),
            stage=stage.name,
            history=history,
            steps_per_call=getattr(source, "steps_per_call", 1),
            verbose=verbose,
        )
        if history[-1]["epoch"] < stage.last_epoch:
            break
    return history, removal


def choose_stream(model: keras.Model, stage: Stage, stream, features) -> tuple:
    """Return what a stage trains and on what: the head alone on features where it can.

    Args:
        model: a backbone classifier.
        stage: of its training.
        stream, features: as in `fine_tune`.

    Returns:
        the model that is compiled, its source, and the stage as that model sees it.
    """
    if stage.trainable == "head" and features is not None:
        return head_of(model), features, dataclasses.replace(stage, trainable="all")
    return model, stream, stage


class _KeepBranch(keras.callbacks.Callback):
    """Keeps a copy of the state that `TrainingState` has just written; stands after it."""

    def __init__(self, branch: Branch, state_path: Path):
        super().__init__()
        self.branch = branch
        self.state_path = state_path

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.branch.epochs and not self.branch.path.exists():
            copy_whole(self.state_path, self.branch.path)


def predict_logits(model: keras.Model, source, rows: np.ndarray) -> np.ndarray:
    """Return the clean logits of table rows, `(rows, classes)` float32, in their order.

    Args:
        model: a backbone classifier, or the head of one where the source gives features.
        source: gives images, or with `gives_features` what the frozen backbone makes of them.
        rows: of the table.
    """
    if getattr(source, "gives_features", False) and model.name != "head":
        model = head_of(model)
    # A stream for several devices fills its last batch up.
    return model.predict(source.clean(rows), verbose=0)[: len(rows)]


def row_losses(model: keras.Model, source, rows: np.ndarray) -> np.ndarray:
    """Return each row's cross-entropy against its hard or soft target, `(rows,)` float64.

    A clean inference pass: no dropout, no augmentation (section 2.3 of the BDR paper leaves open
    which pass its losses come from; a noisy one would mistake bad luck for an outlier).
    """
    logits = predict_logits(model, source, rows).astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(source.targets[rows] * log_probabilities).sum(axis=1)


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits along the last axis, in float64."""
    exponent = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponent / exponent.sum(axis=-1, keepdims=True)
