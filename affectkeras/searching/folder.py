"""The folder of a search: `search.json`, `trials.csv`, and a folder for each trial."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.environment import environment
from affectkeras.errors import UserError
from affectkeras.files import write_csv, write_json

STATE_FILE = "oracle.json"
SEARCH_FILE = "search.json"
TRIALS_FILE = "trials.csv"
COLUMNS = ("trial", "status", "cause", "objective", "seconds", "worker", "ended")


@dataclasses.dataclass(frozen=True)
class TrialFacts:
    """What came of a trial.

    Args:
        objective: what it found; None: it failed.
        measures: further numbers by name.
        cause: why it failed, a line; empty: it did not.
        seconds: how long it took.
        worker: who ran it.
    """

    objective: float | None = None
    measures: dict = dataclasses.field(default_factory=dict)
    cause: str = ""
    seconds: float | None = None
    worker: str = ""


def read_state(folder: Path) -> dict | None:
    """Return what the oracle wrote when it was last asked or told something; None: never."""
    path = Path(folder) / STATE_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write_trials(folder: Path, rows: Sequence[dict]) -> None:
    """Write `trials.csv`: a row per trial, a column per hyperparameter and further measure."""
    values = list(dict.fromkeys(name for row in rows for name in row["values"]))
    measures = list(dict.fromkeys(name for row in rows for name in row["measures"]))
    flat = [
        {name: row[name] for name in COLUMNS}
        | {f"measure:{name}": row["measures"].get(name) for name in measures}
        | {f"value:{name}": row["values"].get(name) for name in values}
        for row in rows
    ]
    columns = [*COLUMNS, *(f"measure:{one}" for one in measures), *(f"value:{n}" for n in values)]
    write_csv(folder / TRIALS_FILE, pd.DataFrame(flat, columns=columns))


def read_trials(folder: Path) -> list[dict]:
    """Return the rows of `trials.csv` as `write_trials` was given them."""
    path = Path(folder) / TRIALS_FILE
    if not path.exists():
        return []
    words = dict.fromkeys(("trial", "status", "cause", "worker"), str)
    frame = pd.read_csv(path, dtype=words, keep_default_na=False, na_values={
        name: [""] for name in pd.read_csv(path, nrows=0).columns if name not in words
    })  # fmt: skip
    rows = []
    for record in frame.to_dict("records"):
        record = {name: None if pd.isna(one) else one for name, one in record.items()}
        rows.append(
            {name: record[name] for name in COLUMNS}
            | {kind + "s": _of_kind(record, kind) for kind in ("measure", "value")}
        )
    return rows


def _of_kind(record: dict, kind: str) -> dict:
    found = {name: value for name, value in record.items() if name.startswith(f"{kind}:")}
    return {
        name.removeprefix(f"{kind}:"): value for name, value in found.items() if value is not None
    }


def write_search(folder: Path, facts: dict) -> None:
    """Write `search.json`."""
    write_json(folder / SEARCH_FILE, {"schema": 1, **facts, "environment": environment()})


def read_search(folder: Path) -> dict:
    """Return `search.json`.

    Raises:
        UserError: when the folder is none of a search.
    """
    path = Path(folder) / SEARCH_FILE
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"--resume: {folder} is no search: it holds no {SEARCH_FILE}. Give the folder that a "
            "search made."
        ) from None
    except ValueError as error:
        raise UserError(f"--resume: {path} cannot be read ({error}). Start anew.") from None


def drop_models(folder: Path, rows: Sequence[dict], direction: str, keep: int) -> None:
    """Delete the models of all but the best trials."""
    done = [row for row in rows if row["status"] == "completed"]
    done.sort(key=lambda row: row["objective"], reverse=direction == "max")
    for row in done[keep:]:
        (folder / "trials" / row["trial"] / "model.keras").unlink(missing_ok=True)


def drop_leftovers(folder: Path) -> None:
    """Delete what only a search that goes on needs."""
    for part in (folder / "trials").glob("*"):
        for left in (*part.glob("*.npz"), part / ".lock"):
            left.unlink(missing_ok=True)
    shutil.rmtree(folder / "logs", ignore_errors=True)
