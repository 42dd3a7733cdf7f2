"""Training with `model.fit` where the set of training rows may shrink between epochs."""

import time
import warnings
from collections.abc import Callable, Sequence

import keras

from affectkeras.callbacks.training_state import TrainingState


def fit_epochs(
    model: keras.Model,
    make_dataset: Callable,
    sampler,
    *,
    first_epoch: int,
    last_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    validation_data=None,
    stage: str = "",
    history: list[dict] | None = None,
    steps_per_call: int = 1,
    verbose="auto",
) -> list[dict]:
    """Train the epochs `first_epoch … last_epoch - 1` (counted from 0) of a compiled model.

    `model.fit` is called once per constant row set: a callback that calls `sampler.remove(...)` at
    an epoch's end makes the next epoch start on a fresh dataset of the rows that are left, with
    the same weights, optimizer state and compiled train step. For the callbacks all this is one
    training: `on_train_begin` and `on_train_end` run once, so that a patience goes on counting and
    a CSV file is not begun again. A callback that sets `model.stop_training` ends the training,
    also where rows were removed in the same epoch; the last history row then lies before
    `last_epoch`.

    Resuming is the same mechanism: restore (`training_state.restore`), then call with the next
    epoch and the history so far. With `use_ema` in the optimizer each new row set would start from
    the averaged weights, which Keras writes at the end of every `fit`.

    Args:
        make_dataset: `make_dataset(first, last)` gives the batches of those epochs one after
            another, `sampler.steps` an epoch, of the rows that the sampler then has.
        sampler: a `RowSampler`.
        callbacks: removal and pruning before `TrainingState` and among its parts, so that the
            saved state includes them.
        stage: written into the history rows.
        history: rows so far; new ones are appended to this list. Give the same list to
            `TrainingState`.
        steps_per_call: how many steps at most Keras runs in one call, without coming back to
            Python in between: the greatest number up to this that divides the steps of an epoch.
            Callbacks on batches see the last step of each call. It changes no weight.

    Returns:
        The history: dicts of `stage`, `epoch` (from 1), `step` (cumulative), `rows` (trained on in
        this epoch), the logs of Keras, `seconds` (training and validation, without what the other
        callbacks do at the epoch's end).

    Raises:
        ValueError: where `make_dataset` gives too few batches, callbacks are in wrong order,
            or one with a state is not among the parts of `TrainingState`.
    """
    _check_order(callbacks)
    history = [] if history is None else history
    recorder = _HistoryRecorder(sampler, stage, history)
    watcher = _RowSetWatcher(sampler)
    chain = _OneTraining([recorder, *callbacks, watcher], verbose, model)
    epoch = first_epoch
    while epoch < last_epoch:
        _set_steps_per_call(model, _greatest_divisor(sampler.steps, steps_per_call))
        chain.set_params(
            {
                "verbose": verbose,
                "epochs": last_epoch,
                "steps": sampler.steps,
                "sampler_version": sampler.version,
            }
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Your input ran out of data")
            try:
                model.fit(
                    make_dataset(epoch, last_epoch),
                    steps_per_epoch=sampler.steps,
                    initial_epoch=epoch,
                    epochs=last_epoch,
                    callbacks=chain,
                    validation_data=validation_data,
                    shuffle=False,  # the order is the sampler's
                    verbose=verbose,
                )
            except UserWarning as warning:
                raise ValueError(
                    f"`make_dataset({epoch}, {last_epoch})` must give {sampler.steps} batches for "
                    "each epoch. It ended before."
                ) from warning
        epoch = history[-1]["epoch"]
        if not watcher.rows_changed:
            break
    chain.finish()
    return history


def _greatest_divisor(number: int, most: int) -> int:
    return next(one for one in range(min(number, most), 0, -1) if number % one == 0)


def _set_steps_per_call(model: keras.Model, steps: int) -> None:
    if model.steps_per_execution != steps:
        model.steps_per_execution = steps
        # Those that Keras has made already count in the old steps.
        model.train_function = model.test_function = None


class _OneTraining(keras.callbacks.CallbackList):
    """Tells the callbacks of one beginning and one end, however often `fit` is called.

    Keras would begin and end all of them at every `fit`: EarlyStopping would put its best weights
    back in the middle of the training, CSVLogger would empty its file.
    """

    def __init__(self, callbacks, verbose, model):
        super().__init__(callbacks, add_history=True, add_progbar=verbose != 0, model=model)
        self._begun = False
        self._last_logs = None

    def on_train_begin(self, logs=None):
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs=None):
        self._last_logs = logs

    def finish(self):
        if self._begun:
            super().on_train_end(self._last_logs)


class _HistoryRecorder(keras.callbacks.Callback):
    """Appends one row per epoch; first of all callbacks, so that the others see the row."""

    def __init__(self, sampler, stage: str, history: list[dict]):
        super().__init__()
        self._sampler = sampler
        self._stage = stage
        self._history = history

    def on_epoch_begin(self, epoch, logs=None):
        self._began = time.perf_counter()
        self._rows = len(self._sampler.rows)
        self._steps = self._sampler.steps

    def on_epoch_end(self, epoch, logs=None):
        before = self._history[-1]["step"] if self._history else 0
        measured = {name: float(value) for name, value in (logs or {}).items()}
        self._history.append(
            {
                "stage": self._stage,
                "epoch": epoch + 1,
                "step": before + self._steps,
                "rows": self._rows,
                **measured,
                "seconds": time.perf_counter() - self._began,
            }
        )


class _RowSetWatcher(keras.callbacks.Callback):
    """Ends `fit` when rows were removed; last of all callbacks, so that it sees every wish."""

    def __init__(self, sampler):
        super().__init__()
        self._sampler = sampler
        self._version = sampler.version
        self.rows_changed = False

    def on_epoch_end(self, epoch, logs=None):
        changed = self._sampler.version != self._version
        self._version = self._sampler.version
        # Who asked for a stop in the same epoch means the end of the training.
        self.rows_changed = changed and not self.model.stop_training
        if changed:
            self.model.stop_training = True


def _check_order(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    saving = [callback for callback in callbacks if isinstance(callback, TrainingState)]
    parts = [id(part) for state in saving for part in state.parts.values()]
    saved_before: list[TrainingState] = []
    for callback in callbacks:
        if saving and hasattr(callback, "get_state") and id(callback) not in parts:
            raise ValueError(
                "`callbacks` that have a state must be among the `parts` of TrainingState, or a "
                f"resumed training would lack it. Received: {type(callback).__name__} without"
            )
        for state in saved_before:
            if any(callback is part for part in state.parts.values()):
                raise ValueError(
                    "`callbacks` must have TrainingState after the callbacks it saves. Received: "
                    f"{type(callback).__name__} after it"
                )
        if isinstance(callback, TrainingState):
            saved_before.append(callback)
