"""Whether anything a model learnt from stands on another side of a split.

`check_split` looks at a split before anything is trained; `seal.Seal` watches what is read and
fitted while it is. Together they answer the questions named in `CHECKS`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.splits import PARTS, Split

EXAMPLES = 5
PAIRS = 12

# Check → columns that may tell it, the first that is there counts.
COLUMN_CHECKS = {
    "subject_on_two_sides": ("subject",),
    "group_on_two_sides": ("group",),
    "video_on_two_sides": ("video", "clip"),
    "dyad_on_two_sides": ("dyad",),
}
# Check → kind of pair, as `media.near_duplicates` names them.
COPY_CHECKS = {
    "pixel_identical_on_two_sides": "identical",
    "copy_on_two_sides": "copy",
    "mirrored_copy_on_two_sides": "mirrored",
}
ORDER_CHECKS = ("overlapping_windows_on_two_sides", "neighbouring_frames_on_two_sides")
SEAL_CHECKS = ("normalisation_beyond_training", "selection_beyond_training", "test_read_early")
CHECKS = ("row_on_two_sides", *COLUMN_CHECKS, *COPY_CHECKS, *ORDER_CHECKS, *SEAL_CHECKS)


def check_split(frame: pd.DataFrame, split: Split, copies: pd.DataFrame | None = None) -> dict:
    """Look for rows, subjects, groups, videos, dyads, copies, windows and frames on two sides.

    Args:
        frame: the table's frame: `example_id`, and what there is of `subject`, `group`, `video` or
            `clip`, `dyad`, `frame_number`, and `recording`, `window_start_s`, `window_end_s` (s).
            A blank is no subject and no dyad.
        split: the split of its rows.
        copies: pairs of rows that show the same picture: `first`, `second`, `kind` (`identical`,
            `copy`: encoded or sized anew, `mirrored`); None if nobody looked for them.

    Returns:
        `{"passed", "checks": {name: {"passed", "count", "examples", "pairs"}}, "not_checked":
        {name: why}}`, ready for JSON. `count` is the number of rows, subjects, groups … or pairs on
        more than one side; `pairs` are `example_id`s that stand against each other.
    """
    placed = _placed(frame, split)
    checks, not_checked = {"row_on_two_sides": _shared(placed, "row", str)}, {}
    for name, columns in COLUMN_CHECKS.items():
        column = next((one for one in columns if one in frame.columns), None)
        known = column is not None and (column != "group" or split.groups_known)
        told = placed[placed[column].map(_is_told)] if known else placed[:0]
        if len(told):
            checks[name] = _shared(told, column, lambda key, column=column: f"{column} {key}")
        else:
            word = name.split("_")[0]
            not_checked[name] = f"the data set does not tell its {word}s"
    for name, kind in COPY_CHECKS.items():
        if copies is None:
            not_checked[name] = (
                "the examples are no images"
                if "window_start_s" in frame.columns
                else "the images were not compared"
            )
        else:
            checks[name] = _copies(placed, copies[copies["kind"] == kind], frame)
    _check_order(placed, checks, not_checked)
    passed = all(check["passed"] for check in checks.values())
    return {"passed": passed, "checks": checks, "not_checked": not_checked}


def join_findings(findings: Sequence[dict]) -> dict:
    """Return the findings of several folds as one: a check passes where it passes in every fold."""
    checks = {}
    for name in findings[0]["checks"]:
        found = [one["checks"][name] for one in findings]
        checks[name] = {
            "passed": all(one["passed"] for one in found),
            "count": sum(one["count"] for one in found),
            "examples": [text for one in found for text in one["examples"]][:EXAMPLES],
            "pairs": [pair for one in found for pair in one["pairs"]][:PAIRS],
        }
    passed = all(one["passed"] for one in findings)
    return {"passed": passed, "checks": checks, "not_checked": findings[0]["not_checked"]}


def refuse_leak(findings: dict, protocol: str) -> None:
    """Raise `UserError` when a split leaks, unless the protocol says that it does.

    `paper` follows what was published: there a leak is reported wherever the figures stand.
    """
    if findings["passed"] or protocol == "paper":
        return
    lines = [
        f"{name.replace('_', ' ')}: {check['count']}, such as {check['examples'][0]}"
        for name, check in findings["checks"].items()
        if not check["passed"]
    ]
    raise UserError(
        f"--protocol {protocol} leaks. Nothing was trained. {'; '.join(lines)}. Check what tells "
        "the groups (such as the group pattern), or choose --protocol grouped, which keeps groups "
        "and copies on one side."
    )


def complete_findings(findings: dict, watched: Iterable[dict]) -> dict:
    """Return the findings of `check_split` with those of the seals of every training.

    Args:
        findings: of `check_split`.
        watched: `Seal.facts()` of each training of the run.

    Raises:
        ValueError: when a training read no test row in the end, or trained on none: its rows then
            went another way than through the seal.
    """
    watched = list(watched)
    for facts in watched:
        if not facts["test_rows_read"] or "weights" not in facts["fitted"]:
            raise ValueError(
                "every training must fit and read its rows through a `Seal`. "
                f"Received: {facts['test_rows_read']} test rows read, fitted {facts['fitted']}"
            )
    checks = dict(findings["checks"])
    for name, kind in (
        ("normalisation_beyond_training", "normalisation"),
        ("selection_beyond_training", "selection"),
    ):
        fitted = {
            f"{what}: fitted on training rows only"
            for facts in watched
            for what in facts["fitted"].get(kind, {})
        }
        # What goes beyond training never gets here: the seal raises at once.
        checks[name] = _nothing(sorted(fitted) or ["nothing of the kind was fitted"])
    checks["test_read_early"] = _nothing(["test rows were read in the final evaluation only"])
    return {**findings, "checks": checks}


def _nothing(notes: list[str]) -> dict:
    return {"passed": True, "count": 0, "examples": [], "pairs": [], "notes": notes}


def _placed(frame: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Return the frame's rows as the parts hold them, with `row` and `side`."""
    parts = split.parts()
    rows = np.concatenate(list(parts.values())).astype(np.int64)
    placed = frame.iloc[rows].reset_index(drop=True)
    placed["row"] = placed["example_id"]
    placed["side"] = np.repeat(np.asarray(PARTS, dtype=object), [len(r) for r in parts.values()])
    placed["place"] = rows
    return placed


def _is_told(value) -> bool:
    return not (value is None or value == "" or value != value)


def _shared(placed: pd.DataFrame, column: str, describe) -> dict:
    """Report the keys of a column that stand on more than one side."""
    firsts = placed.drop_duplicates([column, "side"])
    firsts = firsts[firsts[column].duplicated(keep=False)]
    examples, pairs = [], []
    for key, found in firsts.groupby(column, sort=True):
        examples.append(f"{describe(key)} (in {' and '.join(found['side'])})")
        pairs.append(found["example_id"].iloc[:2].tolist())
    return _found(examples, pairs)


def _copies(placed: pd.DataFrame, pairs: pd.DataFrame, frame: pd.DataFrame) -> dict:
    side_of = np.full(len(frame), "", dtype=object)
    side_of[placed["place"]] = placed["side"]
    first, second = pairs["first"].to_numpy(np.int64), pairs["second"].to_numpy(np.int64)
    across = (side_of[first] != "") & (side_of[second] != "") & (side_of[first] != side_of[second])
    names = frame["example_id"].to_numpy(dtype=object)
    found = [(names[one], names[other]) for one, other in zip(first[across], second[across])]  # noqa: B905 - of one length
    sides = zip(side_of[first[across]], side_of[second[across]], strict=True)
    examples = [
        f"{one} and {other} (in {left} and {right})"
        for (one, other), (left, right) in zip(found, sides, strict=True)
    ]
    return _found(examples, [list(pair) for pair in found])


def _check_order(placed: pd.DataFrame, checks: dict, not_checked: dict) -> None:
    windows, frames = ORDER_CHECKS
    if {"recording", "window_start_s", "window_end_s"} <= set(placed.columns):
        ordered = placed.sort_values(["recording", "window_start_s", "window_end_s"])
        checks[windows] = _overlaps(ordered)
    else:
        not_checked[windows] = "the examples are no windows of recordings"
    video = next((one for one in ("video", "clip") if one in placed.columns), None)
    if video and "frame_number" in placed.columns:
        told = placed[placed[video].map(_is_told)]
        checks[frames] = _neighbours(told.sort_values([video, "frame_number"]), video)
    else:
        not_checked[frames] = "the examples are no numbered frames of videos"


def _overlaps(ordered: pd.DataFrame) -> dict:
    """Report windows that share time with a window of another side of their recording."""
    examples, pairs = [], []
    # Where whole subjects are left out, hardly a recording has two sides.
    sides = ordered.groupby("recording", sort=False)["side"].transform("nunique")
    for recording, windows in ordered[sides > 1].groupby("recording", sort=False):
        latest: dict[str, tuple] = {}  # side → the window that ends last so far
        for window in windows.itertuples():
            for side, (end, name) in latest.items():
                if side != window.side and end > window.window_start_s:
                    examples.append(
                        f"{recording}: {name} and {window.example_id} share "
                        f"{min(end, window.window_end_s) - window.window_start_s:g} s "
                        f"(in {side} and {window.side})"
                    )
                    pairs.append([name, window.example_id])
            if window.side not in latest or window.window_end_s > latest[window.side][0]:
                latest[window.side] = (window.window_end_s, window.example_id)
    return _found(examples, pairs)


def _neighbours(ordered: pd.DataFrame, video: str) -> dict:
    """Report frames whose next frame of the same video stands on another side."""
    one, other = ordered.iloc[:-1], ordered.iloc[1:]
    same = one[video].to_numpy() == other[video].to_numpy()
    across = same & (one["side"].to_numpy() != other["side"].to_numpy())
    one, other = one[across], other[across]
    # The closest first: they look most alike.
    gaps = other["frame_number"].to_numpy() - one["frame_number"].to_numpy()
    nearest = np.argsort(gaps, kind="stable")
    one, other = one.iloc[nearest], other.iloc[nearest]
    pairs = [list(p) for p in zip(one["example_id"], other["example_id"], strict=True)]
    described = zip(pairs, gaps[nearest], one["side"], other["side"], strict=True)
    examples = [
        f"{left} and {right}, {gap} frames apart (in {side} and {against})"
        for (left, right), gap, side, against in described
    ]
    return _found(examples, pairs)


def _found(examples: list[str], pairs: list[list[str]]) -> dict:
    return {
        "passed": not examples,
        "count": len(examples),
        "examples": examples[:EXAMPLES],
        "pairs": pairs[:PAIRS],
    }
