"""A training small enough to run, kill and resume many times; used by the tests beside it.

`python -m tests.callbacks.tiny_training FOLDER NAME/SCENARIO …` trains once per scenario in the
folder NAME below FOLDER, each in a child process of its own, and prints how each child ended.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from affectkeras.callbacks import training_state
from affectkeras.callbacks.bimodal_distribution_removal import BimodalDistributionRemoval
from affectkeras.callbacks.training_loop import fit_epochs
from affectkeras.pipelines.sampler import RowSampler

ROWS, CLASSES, EPOCHS = 37, 3, 5


def make_data() -> tuple[np.ndarray, np.ndarray]:
    """Return features (37, 4) whose class is learnable, and labels of which a few are wrong."""
    generator = np.random.default_rng(5)
    labels = np.arange(ROWS) % CLASSES
    features = generator.normal(size=(ROWS, 4)).astype(np.float32)
    features[np.arange(ROWS), labels] += 4.0
    labels[[3, 17, 30]] = (labels[[3, 17, 30]] + 1) % CLASSES
    return features, labels


def build_model(seed: int = 0, rate: float = 0.3) -> keras.Model:
    """Return a compiled classifier with Dropout and BatchNormalization, giving logits."""
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(8, kernel_initializer=keras.initializers.GlorotUniform(seed)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(rate, seed=seed),
            keras.layers.Dense(
                CLASSES, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)
            ),
        ]
    )
    compile_model(model)
    return model


def compile_model(model: keras.Model, learning_rate: float = 0.05) -> None:
    # XLA would take longer to compile than all these trainings take.
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )


def losses_of(model: keras.Model, features: np.ndarray, labels: np.ndarray):
    """Return `score(rows)`: cross-entropies of a clean pass."""

    def score(rows: np.ndarray) -> np.ndarray:
        logits = keras.ops.convert_to_numpy(model(features[rows], training=False))
        exponents = logits - logits.max(axis=1, keepdims=True)
        log_p = exponents - np.log(np.exp(exponents).sum(axis=1, keepdims=True))
        return -log_p[np.arange(len(rows)), labels[rows]]

    return score


def batches_of(sampler: RowSampler, features: np.ndarray, labels: np.ndarray, seen=None):
    """Return `make_dataset(first, last)`; the rows of every batch are appended to `seen`."""

    def make_dataset(first: int, last: int):
        for epoch in range(first, last):
            order = sampler.order(epoch)
            for start in range(0, len(order), sampler.batch_size):
                rows = order[start : start + sampler.batch_size]
                if seen is not None:
                    seen.append((epoch, rows))
                yield features[rows], labels[rows]

    return make_dataset


def train(folder: Path, *, extra=(), epochs: int = EPOCHS) -> tuple[keras.Model, list[dict], list]:
    """Train from the checkpoint in the folder, if any; return the model, history and removals."""
    features, labels = make_data()
    model = build_model()
    sampler = RowSampler(np.arange(ROWS), seed=0, batch_size=8)
    removal = BimodalDistributionRemoval(
        sampler, losses_of(model, features, labels), labels, start_epoch=2, max_rounds=2
    )
    parts = {"sampler": sampler, "removal": removal}
    path = folder / "checkpoint.npz"
    position = training_state.restore(path, model, parts)
    history = position.history if position else []
    fit_epochs(
        model,
        batches_of(sampler, features, labels),
        sampler,
        first_epoch=position.next_epoch if position else 0,
        last_epoch=epochs,
        callbacks=[*extra, removal, training_state.TrainingState(path, parts, history)],
        history=history,
        verbose=0,
    )
    return model, history, removal.removals


class KillAt(keras.callbacks.Callback):
    """Sends SIGKILL to its own process at a batch of an epoch (both counted from 0)."""

    def __init__(self, epoch: int, batch: int):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.current, batch) == (self.epoch, self.batch):
            os.kill(os.getpid(), signal.SIGKILL)


def kill_while_saving(call: int, moment: str) -> None:
    """Make the n-th save die: with half a file `written`, before its `rename`, or `after` it."""
    saves = 0
    replace, savez = os.replace, np.savez

    def count(original, when, act):
        def wrapper(*arguments, **arrays):
            nonlocal saves
            saves += moment == when
            if moment == when and saves == call:
                act(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **arrays)

        return wrapper

    def write_half(file):
        file.write(b"PK\x03\x04 half a file")
        file.flush()

    np.savez = count(savez, "written", write_half)
    os.replace = count(replace, "rename", lambda *_: None)
    if moment == "after":
        os.replace = count(replace, "after", replace)


def run_scenario(folder: Path, scenario: str) -> None:
    """`run`, `batch:EPOCH:BATCH` or `save:CALL:MOMENT`; a finished run writes weights.npz."""
    kind, *values = scenario.split(":")
    extra = [KillAt(int(values[0]), int(values[1]))] if kind == "batch" else []
    if kind == "save":
        kill_while_saving(int(values[0]), values[1])
    model, history, removals = train(folder, extra=extra)
    arrays = {str(index): value for index, value in enumerate(model.get_weights())}
    arrays["rows"] = np.array([row["rows"] for row in history])
    arrays["removed"] = np.array([entry["row"] for entry in removals])
    np.savez(folder / "weights.npz", **arrays)


def main() -> None:
    folder = Path(sys.argv[1])
    for argument in sys.argv[2:]:
        name, scenario = argument.split("/")
        # A child after the slow import of the backend, before any of its threads exist.
        child = os.fork()
        if child == 0:
            run_scenario(folder / name, scenario)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(argument, "killed" if killed else os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
