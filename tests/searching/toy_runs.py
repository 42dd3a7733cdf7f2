"""Starting the search that trains nothing, in processes that start in a second."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from affectkeras.searching.folder import read_trials

ROOT = Path(__file__).resolve().parents[2]
LIGHT = ROOT / "tests" / "searching" / "without_keras"


def start(*arguments, **variables) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(LIGHT)} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "tests.searching.toy_search", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A program that was started in the background ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run(*arguments, status=0) -> str:
    process = start(*arguments)
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == status, printed[-4000:]
    return printed


def state(folder: Path) -> dict:
    path = folder / "oracle.json"
    return json.loads(path.read_text()) if path.exists() else {"deaths": {}, "trials": []}


def completed(folder: Path) -> dict:
    """Return objective and values of every completed trial."""
    rows = read_trials(folder)
    return {
        row["trial"]: (row["objective"], row["values"])
        for row in rows
        if row["status"] == "completed"
    }


def times_run(folder: Path) -> dict:
    """Return how often each trial was begun."""
    return {
        part.name: len((part / "ran.txt").read_text().splitlines())
        for part in (folder / "trials").iterdir()
        if (part / "ran.txt").exists()
    }


def assert_whole(folder: Path, trials: int, begun_again=()) -> None:
    """Hold that a search ended with all its trials, none run again after it was finished.

    Of `begun_again` the search was stopped in the middle, without blame.
    """
    search = json.loads((folder / "search.json").read_text())
    assert search["status"] == "complete"
    rows = read_trials(folder)
    assert len(rows) == trials
    assert all(row["status"] in ("completed", "failed") for row in rows)
    deaths, runs = state(folder)["deaths"], times_run(folder)
    for row in rows:
        name = row["trial"]
        if row["status"] == "failed":
            assert row["cause"] == "killed the process twice"
        else:
            # A process may die before its trial notes that it was run, or after.
            assert 1 <= runs[name] <= 1 + deaths.get(name, 0) + (name in begun_again), name
    values = [tuple(sorted(row["values"].items())) for row in rows]
    assert len(set(values)) == len(values)
    assert (folder / "best" / "result.json").exists()
