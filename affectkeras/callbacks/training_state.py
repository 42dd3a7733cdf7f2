"""Saving a training after an epoch so that a killed run goes on as if nothing had happened."""

import dataclasses
import json
import os
import re
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from affectkeras.errors import UserError

FORMAT = 1

# What NumPy, zip and JSON raise for a file that was cut, emptied or changed.
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a saved training stands.

    Args:
        next_epoch: the epoch to train next, counted from 0.
        stage: the index of the stage of the last epoch trained: prepare (compile) that stage before
            restoring, also where it has no epoch left.
        stopped: whether a callback ended the training there: nothing is left to train.
        history: the history rows so far.
    """

    next_epoch: int
    stage: int
    stopped: bool
    history: list[dict]


class TrainingState(keras.callbacks.Callback):
    """Writes one file at an epoch's end that holds all that training goes on from.

    The file is an npz without pickles: every variable of the model (weights, BatchNormalization's
    statistics, the seeds of Dropout) and of the optimizer (step, learning rate, moments), the
    states of the parts, the position and the history. It is written beside its place, forced to
    the disk and then renamed, so that a kill or a power cut leaves the old file or the new one.

    Not saved: inner counters of Keras's own callbacks (such as EarlyStopping's patience), which
    start anew in a resumed run.

    Args:
        path: the file, such as `checkpoint.npz`. Its folder must exist.
        parts: name → object with `get_state()` (a dict of arrays and JSON values) and
            `set_state(dict)`: the sampler, the removal callback.
        history: the list that `fit_epochs` appends its rows to.
        stage: index of the stage that is being trained.
        save_every: epochs between saves; the last epoch and a stop are always saved.
    """

    def __init__(
        self, path, parts: dict, history: list[dict], *, stage: int = 0, save_every: int = 1
    ):
        super().__init__()
        if save_every < 1:
            raise ValueError(f"`save_every` must be at least 1. Received: save_every={save_every}")
        self.path = Path(path)
        self.parts = parts
        self.history = history
        self.stage = stage
        self.save_every = save_every

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if (epoch + 1) % self.save_every and not last and not self.model.stop_training:
            return
        position = Position(epoch + 1, self.stage, bool(self.model.stop_training), self.history)
        _write(self.path, _collect(self.model, self.parts, position))


def read_position(path) -> Position | None:
    """Return where a saved training stands, `None` where nothing was saved.

    Raises:
        UserError: where the file is damaged.
    """
    saved = _read(Path(path))
    return None if saved is None else _position(saved[0])


def restore(path, model: keras.Model, parts: dict) -> Position | None:
    """Put a saved training back into a compiled model and its parts.

    Everything is checked first: an error leaves the model as it was.

    Compile the stage that `read_position` names before: a stage's optimizer is its own.

    Returns:
        Where to go on, or `None` where nothing was saved.

    Raises:
        UserError: where the file is damaged, or was saved from another model, optimizer or parts.
    """
    path = Path(path)
    saved = _read(path)
    if saved is None:
        return None
    facts, arrays = saved
    _build_optimizer(model)
    owners = {"model": model.variables, "optimizer": model.optimizer.variables}
    for owner, variables in owners.items():
        _check_variables(path, owner, facts[owner], [_describe(each) for each in variables])
    if set(facts["parts"]) != set(parts):
        raise UserError(
            f"{path}: was saved with the parts {sorted(facts['parts'])}, but this run has "
            f"{sorted(parts)}. {_mend(path)}"
        )
    for name, part in parts.items():
        prefix = f"parts/{name}/"
        held = {key[len(prefix) :]: arrays[key] for key in arrays if key.startswith(prefix)}
        try:
            part.set_state(facts["parts"][name] | held)
        except ValueError as error:
            raise UserError(f"{path}: {error}") from error
    for owner, variables in owners.items():
        for index, variable in enumerate(variables):
            variable.assign(arrays[f"{owner}/{index:05d}"])
    return _position(facts)


def _position(facts: dict) -> Position:
    return Position(**facts["position"])


def _mend(path: Path) -> str:
    return f"Resume with the settings it was saved with, or delete {path.name} to start again."


def _build_optimizer(model: keras.Model) -> None:
    if getattr(model, "optimizer", None) is None:
        raise ValueError("`model` must be compiled before its training is saved or restored.")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _collect(model: keras.Model, parts: dict, position: Position) -> dict[str, np.ndarray]:
    _build_optimizer(model)
    facts = {"format": FORMAT, "position": dataclasses.asdict(position), "parts": {}}
    arrays = {}
    for owner, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        facts[owner] = [_describe(variable) for variable in variables]
        for index, variable in enumerate(variables):
            value = variable.numpy()
            # NumPy's format cannot name bfloat16 and its like; float32 holds them exactly.
            arrays[f"{owner}/{index:05d}"] = (
                value.astype(np.float32) if value.dtype.kind == "V" else value
            )
    for name, part in parts.items():
        state = part.get_state()
        held = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
        arrays |= {f"parts/{name}/{key}": value for key, value in held.items()}
        facts["parts"][name] = {key: state[key] for key in state if key not in held}
    text = json.dumps(facts, default=_plain_number)
    return {"facts": np.frombuffer(text.encode(), dtype=np.uint8)} | arrays


def _plain_number(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"A part's state must be arrays and JSON values. Received: {type(value)}")


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path} could not be written: {error.strerror or error}. Check the permissions and "
            "the free space; what was saved before is still whole, so --resume goes on from it."
        ) from error
    if os.name == "posix":
        # The rename itself lives in the folder, which is forced to the disk as well.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]] | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as members:
            arrays = {name: members[name] for name in members.files}
        facts = json.loads(arrays.pop("facts").tobytes())
        found = facts["format"]
    except FileNotFoundError:
        return None
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as e:
        raise UserError(
            f"{path}: cannot be read as a saved training ({type(e).__name__}: {e}). It was damaged "
            f"after it was written. Delete {path.name} to start this training again."
        ) from e
    if found != FORMAT:
        raise UserError(f"{path}: format {found}, expected {FORMAT}. {_mend(path)}")
    return facts, arrays


def _describe(variable) -> list:
    """Return the variable's path without running numbers, its shape and its dtype.

    Keras numbers layers by what was built before in the same process (dense_3), which a resumed
    run need not repeat.
    """
    path = re.sub(r"_\d+(?=_|/|$)", "", variable.path)
    return [path, [int(size) for size in variable.shape], str(variable.dtype)]


def _check_variables(path: Path, owner: str, saved: list, present: list) -> None:
    if len(saved) != len(present):
        raise UserError(
            f"{path}: was saved with {len(saved)} variables of the {owner}, but this run's {owner} "
            f"has {len(present)}. {_mend(path)}"
        )
    for old, new in zip(saved, present, strict=True):
        if old != new:
            raise UserError(
                f"{path}: was saved from another {owner}: it holds {old[0]} {tuple(old[1])} "
                f"{old[2]} where this run has {new[0]} {tuple(new[1])} {new[2]}. {_mend(path)}"
            )
