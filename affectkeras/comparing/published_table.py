"""A paper's comparison table again: every method it names, and what runs of ours measured."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from affectkeras.errors import UserError

COLUMNS = (
    *("dataset", "method", "published", "published_on", "run", "arm"),
    *("accuracy", "low", "high", "n", "measured_on", "comparable", "note"),
)


@dataclasses.dataclass(frozen=True)
class PublishedRow:
    """A row of the paper's table.

    Args:
        dataset, method: as the paper names them.
        value: the accuracy as published, a share.
        part: the part of the data it was measured on.
        recipe, arm: what repeats it; empty where nothing does.
        model: of a recipe with several models, which.
        data, protocol: of ours that may stand beside it.
    """

    dataset: str
    method: str
    value: float
    part: str = "test"
    recipe: str = ""
    arm: str = ""
    model: str = ""
    data: str = "sfew"
    protocol: str = "paper"

    def is_repeated_by(self, result: dict, arm: str) -> bool:
        """Return whether an arm of a run is this method."""
        model = result["served"].removesuffix(f"-{result['served_arm']}")
        same = (self.recipe, self.arm) == (result["recipe"], arm)
        return same and self.model in ("", model)


def read_class_result(run: Path) -> dict:
    """Return the result of a finished run that tells classes.

    Raises:
        UserError: when it is none.
    """
    try:
        result = json.loads((Path(run) / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"--with {run}: this holds no finished run ({error}). Give the folder of a run that "
            "has ended, such as runs/sfew_resnet/<time>."
        ) from None
    arms = result.get("arms") or {}
    if result.get("status") != "complete" or not all(
        "accuracy" in (found.get("test") or {}) for found in arms.values()
    ):
        raise UserError(f"--with {run}: this run tells no accuracy on a test part.")
    return result


def compare_with_published(
    published: Sequence[PublishedRow], runs: Sequence[tuple[str, dict]]
) -> pd.DataFrame:
    """Return the paper's rows in their order, each with ours; then what it does not have.

    Args:
        published: the paper's rows.
        runs: names and results of runs. A method that several repeat has a row of each.

    Returns:
        A frame with `COLUMNS`. `accuracy` with its 95 % interval `low`, `high` is on our test part
        of `n` rows; `published_on` and `measured_on` tell the parts, data and protocol, and
        `comparable` whether the two may be held against each other.
    """
    rows, placed = [], set()
    for row in published:
        told = {
            "dataset": row.dataset,
            "method": row.method,
            "published": row.value,
            "published_on": row.part,
        }
        ours = [
            (name, result, arm)
            for name, result in runs
            for arm in result["arms"]
            if row.is_repeated_by(result, arm)
        ]
        placed |= {(name, arm) for name, _, arm in ours}
        rows += [told | _figures(*one, row) for one in ours] or [told]
    for name, result in runs:
        model = result["served"].removesuffix(f"-{result['served_arm']}")
        for arm in result["arms"]:
            if (name, arm) not in placed:
                method = {"dataset": result["dataset"]["name"], "method": f"{model}, {arm}"}
                rows.append(method | _figures(name, result, arm))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _figures(name: str, result: dict, arm: str, row: PublishedRow | None = None) -> dict:
    test = result["arms"][arm]["test"]
    low, high = test["accuracy"]["ci95"]
    data, protocol = result["dataset"], result["protocol"]["name"]
    notes = ["rendered sample data"] if data["sample"] else []
    notes += ["quick run"] if data["quick"] else []
    if row is not None:
        notes += [f"published on {row.data}"] if data["name"] != row.data else []
        notes += ["published under another division"] if protocol != row.protocol else []
    comparable = row is not None and not notes
    notes += ["the split leaks, as published"] if protocol == "paper" else []
    return {
        "run": name,
        "arm": arm,
        "accuracy": test["accuracy"]["mean"],
        "low": low,
        "high": high,
        "n": test["n"],
        "measured_on": f"{data['name']}, {protocol}",
        "comparable": comparable,
        "note": "; ".join(notes),
    }
