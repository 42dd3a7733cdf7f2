"""Accuracy against size over all trials of a search, and the small network that is good enough."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.files import read_csv, write_csv

SWEEP_FILE = "sweep.csv"  # of a trial: what each threshold leaves of its network
PARETO_FILE = "pareto.csv"
TUNED = "-tuned"  # behind the arm of a pruned network that was trained on
WITHIN = 0.01  # accuracy that a smaller network may lose against the best of all


def join_sweeps(folder: Path, rows: Sequence[dict]) -> pd.DataFrame:
    """Return every network of every completed trial and write them as `pareto.csv`.

    Args:
        folder: of the search.
        rows: of its `trials.csv`.

    Returns:
        The columns `trial`, `arm`, `threshold` (missing: the whole network), `maps_removed`,
        `parameters`, `macs`, `accuracy` and `pareto` (whether no other network of any trial is as
        good with fewer parameters, or better with as many).
    """
    from affectkeras.pruning.sweep import pareto

    done = [row["trial"] for row in rows if row["status"] == "completed"]
    sweeps = [read_csv(folder / "trials" / name / SWEEP_FILE).assign(trial=name) for name in done]
    columns = ["trial", "arm", "threshold", "maps_removed", "parameters", "macs", "accuracy"]
    points = pd.concat(sweeps, ignore_index=True)[columns]
    # Two sweeps of a trial, at one place and everywhere, begin with the same whole network.
    points = points.drop_duplicates(["trial", "parameters", "accuracy"], ignore_index=True)
    points["pareto"] = pareto(points["parameters"].to_numpy(), points["accuracy"].to_numpy())
    points = points.sort_values(["parameters", "trial"], kind="stable", ignore_index=True)
    write_csv(folder / PARETO_FILE, points)
    return points


def choose_small(points: pd.DataFrame, within: float = WITHIN) -> pd.Series:
    """Return the smallest network whose accuracy is at most so much below the best of all."""
    good = points[points["accuracy"] >= points["accuracy"].max() - within - 1e-9]
    order = good.sort_values(["parameters", "accuracy"], ascending=[True, False], kind="stable")
    return order.iloc[0]


def best_of(points: pd.DataFrame) -> pd.Series:
    """Return the network with the best accuracy, of equals the smallest."""
    order = points.sort_values(["accuracy", "parameters"], ascending=[False, True], kind="stable")
    return order.iloc[0]
