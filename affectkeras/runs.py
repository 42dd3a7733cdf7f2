"""One folder per run: made once, locked while in use, written so that nobody sees half a file."""

import contextlib
import dataclasses
import datetime
import json
import os
import re
import shlex
import shutil
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from affectkeras.environment import environment as environment
from affectkeras.errors import UserError
from affectkeras.files import as_user_error, atomic_file
from affectkeras.files import read_csv as read_csv
from affectkeras.files import write_csv as write_csv
from affectkeras.files import write_json as write_json
from affectkeras.given import without_option

PART_FILES = (
    *("history.csv", "predictions.csv", "removals.csv", "scores.csv"),
    *("sweep.csv", "modules.csv", "masks.csv", "tuning.csv", "ensemble.csv"),
)
LOCK_FILE = ".lock"


def create_run(recipe: str, config, run_dir: str | os.PathLike | None = None) -> Path:
    """Make a run folder and write its `config.json`.

    Args:
        recipe: the recipe's name.
        config: its `Config`, a dataclass of plain values, paths and tuples.
        run_dir: the folder; by default `runs/<recipe>/<YYYYmmdd-HHMMSS>`.

    Raises:
        UserError: when the folder holds something already, is in use, or cannot be made.
    """
    run = _new_default_folder(recipe) if run_dir is None else Path(run_dir)
    with as_user_error(run, "made"):
        run.mkdir(parents=True, exist_ok=True)
    with lock_run(run):
        if any(path.name != LOCK_FILE for path in run.iterdir()):
            raise UserError(
                f"--run-dir {run} is not empty: a new run needs a new folder. Go on with the "
                "unfinished run that lies there by --resume, or give another folder."
            )
        saved = {
            "schema": 1,
            "recipe": recipe,
            "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "config": dataclasses.asdict(config),
        }
        write_json(run / "config.json", saved)
    return run


def take_up(
    recipe: str,
    config,
    settle: Callable[[typing.Any], typing.Any],
    banners: Callable[[typing.Any], Sequence[str]],
) -> tuple[Path | None, typing.Any]:
    """Return the run to go on with, None for a new one, and its settings; print what must be said.

    A new run has no folder yet: make it once nothing can refuse to start any more.

    Args:
        recipe: the recipe's name.
        config: its `Config` as it was given.
        settle: gives the settings of a new run.
        banners: gives what must stand wherever the figures of a run are shown.

    Raises:
        UserError: when the run to go on with is none of this recipe's, or what `settle` raises.
    """
    if config.resume is None:
        run, config = None, settle(config)
    else:
        run = config.resume
        config = restore_config(type(config), open_run(run, recipe))
    for text in banners(config):
        print(f"*** {text}")
    return run, config


def open_run(run_dir: str | os.PathLike, recipe: str | None = None) -> dict:
    """Return the `config.json` of an unfinished run, to go on with it.

    Raises:
        UserError: when there is no such run, it is another recipe's, or it is complete.
    """
    run = Path(run_dir)
    if not run.is_dir():
        raise UserError(f"--resume: there is no folder {run}. Give the folder of a run.")
    try:
        saved = json.loads((run / "config.json").read_text(encoding="utf-8"))
        found, _ = saved["recipe"], saved["config"]
    except FileNotFoundError:
        raise UserError(
            f"--resume: {run} is no run: it holds no config.json. Give the folder that a recipe "
            "made, such as runs/<recipe>/<date-time>."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--resume: {run / 'config.json'} cannot be read as a run's settings ({error!r}). "
            "Start a new run."
        ) from None
    if recipe is not None and found != recipe:
        raise UserError(f"--resume: {run} is a run of {found}, not of {recipe}.")
    if (run / "result.json").exists():
        raise UserError(
            f"--resume: the run in {run} is complete. Read its report.html or result.json, or "
            "start a new run without --resume."
        )
    return saved


def restore_config(config_class: type, saved: dict):
    """Return the `Config` a run was started with.

    Args:
        config_class: the recipe's dataclass.
        saved: what `open_run` returned.

    Raises:
        UserError: when the run was written by a version with other settings.
    """
    values = saved["config"]
    known = {field.name for field in dataclasses.fields(config_class)}
    differing = sorted(known ^ set(values))
    if differing:
        raise UserError(
            f"config.json was written by another version of {saved['recipe']}: it and this "
            f"version differ in the settings {', '.join(differing)}. Start a new run."
        )
    hints = typing.get_type_hints(config_class)
    return config_class(**{name: _coerce(value, hints[name]) for name, value in values.items()})


@contextlib.contextmanager
def lock_run(run: Path) -> Iterator[None]:
    """Hold a run folder for this process; another that wants it is told so at once."""
    lock = filelock.FileLock(run / LOCK_FILE, timeout=0)
    try:
        with as_user_error(run, "locked"):
            lock.acquire()
    except filelock.Timeout:
        raise UserError(
            f"the run folder {run} is in use by another process. Wait until it has ended, or "
            "give another --run-dir."
        ) from None
    try:
        yield
    finally:
        lock.release()


def part_dir(run: Path, seed: int, arm: str) -> Path:
    """Return (and make) the folder of one seed and arm: `parts/seed-<seed>-<arm>`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", arm):
        raise ValueError(
            f"`arm` must be letters, digits, '.', '_' and '-', as it names a folder. "
            f"Received: arm={arm!r}"
        )
    part = Path(run) / "parts" / f"seed-{int(seed)}-{arm}"
    part.mkdir(parents=True, exist_ok=True)
    return part


def finish_part(part: Path, facts: dict | None = None) -> None:
    """Mark a part as done, with facts about it, and drop its checkpoint."""
    write_json(part / "done.json", facts or {})
    (part / "checkpoint.npz").unlink(missing_ok=True)


def is_done(part: Path) -> bool:
    """Return whether a part was finished."""
    return (part / "done.json").exists()


def part_facts(part: Path) -> dict:
    """Return what `finish_part` was given."""
    return json.loads((part / "done.json").read_text(encoding="utf-8"))


def merge_parts(run: Path) -> list[Path]:
    """Join the parts' CSV files in the run folder, by seed, then arm; return the parts.

    Raises:
        ValueError: when a part is not done or two parts' files differ in their columns.
    """
    parts = sorted((Path(run) / "parts").glob("seed-*"), key=_seed_and_arm)
    unfinished = [part.name for part in parts if not is_done(part)]
    if unfinished or not parts:
        raise ValueError(f"{run}: parts still to be finished: {unfinished or 'all'}")
    for name in PART_FILES:
        files = [part / name for part in parts if (part / name).exists()]
        if files:
            _join_csv(files, Path(run) / name)
    return parts


def recipe_of(run: Path) -> str:
    """Return the name of the recipe that a run is of."""
    return _saved(run)["recipe"]


def command_of(run: Path) -> str:
    """Return the command line that started a run, as one would type it to start another."""
    saved = _saved(run)
    words = without_option(saved["command"][1:], "--run-dir")  # it holds this one
    return " ".join(["python", "-m", f"recipes.{saved['recipe']}", *map(shlex.quote, words)])


def _saved(run: Path) -> dict:
    return json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))


def drop_parts(run: Path) -> None:
    """Delete the parts of a complete run: everything worth keeping was joined or packaged."""
    shutil.rmtree(Path(run) / "parts", ignore_errors=True)


def _join_csv(files: list[Path], path: Path) -> None:
    header = files[0].open("rb").readline()
    with atomic_file(path) as joined:
        joined.write(header)
        for one in files:
            with one.open("rb") as file:
                if file.readline() != header:
                    raise ValueError(f"{one} has other columns than {files[0]}")
                shutil.copyfileobj(file, joined)


def _seed_and_arm(part: Path) -> tuple[int, str]:
    seed, arm = re.fullmatch(r"seed-(-?\d+)-(.+)", part.name).groups()
    return int(seed), arm


def _new_default_folder(recipe: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    parent = Path("runs") / recipe
    with as_user_error(parent, "made"):
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            run = parent / (stamp if number == 1 else f"{stamp}-{number}")
            with contextlib.suppress(FileExistsError):
                run.mkdir()
                return run
    raise UserError(f"{parent} holds a thousand runs of this second. Give a --run-dir.")


def _coerce(value, hint):
    """Turn a JSON value back into what a settings field holds: paths and tuples."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        options = [option for option in options if option is not type(None)]
        return _coerce(value, options[0]) if len(options) == 1 else value
    if origin is tuple and isinstance(value, list):
        if options[-1] is Ellipsis:
            return tuple(_coerce(one, options[0]) for one in value)
        return tuple(_coerce(one, option) for one, option in zip(value, options, strict=True))
    if hint is Path:
        return Path(value)
    return value
