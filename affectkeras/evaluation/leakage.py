"""Whether anything a model learnt from stands on another side of a split."""

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.splits import PARTS, Split

EXAMPLES = 5


def check_split(
    frame: pd.DataFrame, split: Split, identical: list[np.ndarray] | None = None
) -> dict:
    """Look for rows, groups and pixel-identical images on two sides of a split.

    Args:
        frame: the table's frame with `example_id` and `group`.
        split: the split of its rows.
        identical: sets of pixel-identical rows; None if nobody looked for them.

    Returns:
        `{"passed", "checks": {name: {"passed", "count", "examples"}}, "not_checked": {name: why}}`,
        ready for JSON. `count` is the number of rows, groups or sets on more than one side.
    """
    parts = split.parts()
    rows = np.concatenate(list(parts.values()))
    sides = np.repeat(np.asarray(PARTS), [len(part) for part in parts.values()])
    names = frame["example_id"].to_numpy(dtype=str)
    not_checked = {}
    checks = {"row_on_two_sides": _finding(rows, sides, names.__getitem__)}
    if split.groups_known:
        groups = frame["group"].to_numpy(dtype=str)[rows]
        checks["group_on_two_sides"] = _finding(groups, sides, lambda group: f"group {group}")
    else:
        not_checked["group_on_two_sides"] = "the data set does not tell its groups"
    if identical is None:
        not_checked["pixel_identical_on_two_sides"] = "the images were not compared"
    else:
        set_of_row = np.full(len(frame), -1)
        for number, twins in enumerate(identical):
            set_of_row[twins] = number
        twin = set_of_row[rows] >= 0
        checks["pixel_identical_on_two_sides"] = _finding(
            set_of_row[rows][twin],
            sides[twin],
            lambda number: " = ".join(names[identical[number]][:3]),
        )
    passed = all(check["passed"] for check in checks.values())
    return {"passed": passed, "checks": checks, "not_checked": not_checked}


def refuse_leak(findings: dict, protocol: str) -> None:
    """Raise `UserError` when a protocol that promises whole groups leaks.

    `paper` and `official` follow what others have laid down: there a leak is reported in the
    result and refuses nothing.
    """
    if findings["passed"] or protocol in ("paper", "official"):
        return
    name, check = next(
        (name, check) for name, check in findings["checks"].items() if not check["passed"]
    )
    raise UserError(
        f"--protocol {protocol} leaks: {name.replace('_', ' ')}, {check['count']} found, the "
        f"first: {check['examples'][0]}. Nothing was trained. Check the group pattern, or choose "
        "--protocol official and read its leakage report."
    )


def _finding(keys: np.ndarray, sides: np.ndarray, describe) -> dict:
    """Report the keys that stand on more than one side."""
    pairs = pd.DataFrame({"key": keys, "side": sides}).drop_duplicates()
    pairs = pairs[pairs["key"].duplicated(keep=False)]
    spread = {key: list(found["side"]) for key, found in pairs.groupby("key", sort=True)}
    examples = [
        f"{describe(key)} (in {' and '.join(found)})"
        for key, found in list(spread.items())[:EXAMPLES]
    ]
    return {"passed": not len(spread), "count": len(spread), "examples": examples}
