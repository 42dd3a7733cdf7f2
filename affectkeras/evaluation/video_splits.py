"""Dividing videos: all frames of one stand on one side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import divide
from affectkeras.evaluation.draft import SplitDraft
from affectkeras.evaluation.splits import Split, ties_of

LEAST_VIDEOS = 3  # one trains, one validates, one is tested


def video_split(
    frame: pd.DataFrame,
    kinds: np.ndarray,
    *,
    test: float,
    validation: float,
    seed: int,
    copies: Sequence[np.ndarray] = (),
) -> Split:
    """Divide the rows of a table by video.

    Args:
        frame: an `ExampleTable`'s frame; `group` is the video.
        kinds: a number for each row, such as the quadrant of its valence and arousal, whose shares
            are evened over the parts.
        test, validation: shares of the rows.
        seed: the same seed gives the same split.
        copies: sets of rows that show the same picture: their videos stay together.

    Raises:
        UserError: for shares that leave no part, or fewer than three videos.
    """
    train = 1 - test - validation
    if not (test > 0 and validation > 0 and train > 0):
        raise UserError(
            "--test-share and --validation-share must be above 0 and together below 1. "
            f"Received: {test:g} and {validation:g}"
        )
    work = frame.assign(kind=kinds)
    units = SplitDraft(work, "kind", ties_of(work, True, list(copies)), True, seed).units
    if len(np.unique(units)) < LEAST_VIDEOS:
        raise UserError(
            f"at least {LEAST_VIDEOS} videos that share nothing are needed: one to train, one to "
            f"validate, one to test. Found: {len(np.unique(units))}"
        )
    part = divide(units, np.asarray(kinds), (train, validation, test), seed=seed)
    rows = [np.flatnonzero(part == number).astype(np.int64) for number in range(3)]
    groups = [frame["group"].iloc[one].nunique() for one in rows]
    said = (
        f"{sum(groups)} videos divided {100 * train:.0f}/{100 * validation:.0f}/{100 * test:.0f} "
        f"by video: {groups[0]} train, {groups[1]} validate, {groups[2]} are tested. Who is seen "
        "is not told: a person may stand on both sides with two videos."
    )
    return _split(rows, "grouped", said)


def official_split(frame: pd.DataFrame, *, validation: float, seed: int) -> Split:
    """Test on the owner's validation part; a share of the owner's training videos validates.

    Raises:
        UserError: where the owner has no validation part, or too few training videos.
    """
    owner = frame["split"].to_numpy()
    if not (owner == "validation").any() or not (owner == "train").any():
        raise UserError(
            "--protocol official needs the owner's training and validation parts, and there is "
            "only one. Choose --protocol grouped."
        )
    tested = set(frame.loc[owner == "validation", "group"])
    free = (owner == "train") & ~frame["group"].isin(tested).to_numpy()
    videos = np.unique(frame["group"].to_numpy(dtype=str)[free])
    if len(videos) < 2:
        raise UserError(
            f"--protocol official needs at least two training videos. Found: {len(videos)}"
        )
    count = min(len(videos) - 1, max(1, round(validation * len(videos))))
    held = np.random.default_rng(seed).permutation(videos)[:count]
    validates = free & frame["group"].isin(held).to_numpy()
    rows = [
        np.flatnonzero(mask).astype(np.int64)
        for mask in (free & ~validates, validates, owner == "validation")
    ]
    said = (
        f"Test: the owner's validation part, {len(tested)} videos; of the other "
        f"{len(videos)} training videos {count} validate."
    )
    left_out = np.flatnonzero(~free & (owner != "validation"))
    reasons = np.where(
        owner[left_out] == "train",
        "of a video that is tested",
        "neither in the owner's training nor validation part",
    )
    aside = pd.DataFrame({"row": left_out, "reason": reasons.astype(object)})
    return _split(rows, "official", said, aside)


def _split(rows, name: str, said: str, aside: pd.DataFrame | None = None) -> Split:
    if aside is None:
        aside = pd.DataFrame({"row": np.empty(0, np.int64), "reason": np.empty(0, object)})
    return Split(*rows, name=name, description=said, set_aside=aside, groups_known=True)
