"""Cross-validation as splits: every row is tested once, and validates once in another fold."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import divide
from affectkeras.evaluation.draft import SplitDraft
from affectkeras.evaluation.splits import Split, ties_of

LEAST_FOLDS = 3  # one trains, one validates, one is tested
HELD_OUT_FRAMES = (0.72, 0.08, 0.20)  # of all frames; a tenth of the training's 80 % validates


def subject_splits(
    frame: pd.DataFrame,
    target_column: str,
    *,
    folds: int,
    seed: int,
    copies: Sequence[np.ndarray] = (),
) -> tuple[Split, ...]:
    """Divide the subjects into folds: each is tested once, and validates in the fold before.

    Nobody stands on two sides: neither a subject, nor a group, dyad, video or clip, nor copies of
    one picture.

    Args:
        frame: an `ExampleTable`'s frame, with the column `subject`.
        target_column: the class index of each row; class shares are evened over the folds.
        folds: how many, at least 3 and at most as many as there are subjects.
        seed: the same seed gives the same folds.
        copies: sets of rows that show the same picture.

    Raises:
        UserError: for too few subjects, rows without one, or a number of folds below 3.
    """
    if folds < LEAST_FOLDS:
        raise UserError(
            f"--folds must be at least {LEAST_FOLDS}: one to test, one to validate, the others to "
            f"train. Received: {folds}"
        )
    blank = np.flatnonzero(frame["subject"].isna() | (frame["subject"] == ""))
    if len(blank):
        raise UserError(
            f"--protocol subject needs the subject of every row; {len(blank)} have none, such as "
            f"{frame['example_id'].iloc[blank[0]]!r}."
        )
    labels = frame[target_column].to_numpy()
    units = SplitDraft(frame, target_column, ties_of(frame, True, list(copies)), True, seed).units
    if len(np.unique(units)) < folds:
        raise UserError(
            f"--folds {folds} needs as many subjects that share nothing; there are "
            f"{len(np.unique(units))}. Give fewer folds (at least {LEAST_FOLDS}) or more subjects."
        )
    fold = divide(units, labels, (1 / folds,) * folds, seed=seed)
    whole = (
        f"{folds} folds by subject, {frame['subject'].nunique()} subjects: each subject is tested "
        "once, by a network that never saw it, and validates in another fold."
    )
    return _rotate(fold, labels, name="subject", said=whole)


def frame_folds(
    frame: pd.DataFrame, target_column: str, *, folds: int, seed: int
) -> tuple[Split, ...]:
    """Divide single frames into folds as `subject_splits` divides subjects. This leaks.

    Frames of one clip stand on both sides, as in the StressNet paper; every row is tested once,
    after as many training rows as with subjects: what differs in the figures is the leak.
    """
    labels = frame[target_column].to_numpy()
    fold = divide(np.arange(len(frame)), labels, (1 / folds,) * folds, seed=seed)
    said = f"{folds} folds of single frames, as published: frames of one clip stand on both sides."
    return _rotate(fold, labels, name="paper", said=said)


def frames_split(frame: pd.DataFrame, target_column: str, *, seed: int) -> Split:
    """Divide single frames at random within each class, as the StressNet paper does.

    80 % train (a tenth of them validates) and 20 % test (section 2.1). This leaks: frames of one
    clip stand on both sides.
    """
    labels = frame[target_column].to_numpy()
    part = divide(np.arange(len(frame)), labels, HELD_OUT_FRAMES, seed=seed, complete_first=True)
    said = (
        "As published: all frames divided at random within each class, 80 % for training (a tenth "
        "of them validates) and 20 % for the test. This leaks: frames of one clip, a moment apart, "
        "stand on both sides, so the figures flatter."
    )
    return _split(*(part == number for number in range(3)), labels, name="paper", said=said)


def join_folds(splits: Sequence[Split]) -> Split:
    """Return what the folds are as a whole: every row that any of them tests, in the part `test`.

    What only some folds set aside, such as the partner of a tested subject, is tested in others:
    `set_aside` keeps what no fold uses. `notes` are those of all folds. A single split is returned
    as it is.
    """
    if len(splits) == 1:
        return splits[0]
    tested = np.concatenate([split.test for split in splits])
    if len(np.unique(tested)) != len(tested):
        raise ValueError("`splits` must not test a row twice.")
    aside = splits[0].set_aside
    for split in splits[1:]:
        aside = aside[aside["row"].isin(split.set_aside["row"])]
    nothing = np.empty(0, np.int64)
    return dataclasses.replace(
        splits[0],
        train=nothing,
        validation=nothing,
        test=np.sort(tested).astype(np.int64),
        set_aside=aside.reset_index(drop=True),
        notes=tuple(dict.fromkeys(note for split in splits for note in split.notes)),
    )


def _rotate(fold: np.ndarray, labels: np.ndarray, *, name: str, said: str) -> tuple[Split, ...]:
    """Return a split per fold: it is tested, the next one validates, the others train."""
    splits = []
    folds = int(fold.max()) + 1
    for number in range(folds):
        test, validation = fold == number, fold == (number + 1) % folds
        splits.append(_split(~test & ~validation, validation, test, labels, name=name, said=said))
    return tuple(splits)


def _split(train, validation, test, labels, *, name: str, said: str) -> Split:
    parts = {"train": train, "validation": validation, "test": test}
    rows = {part: np.flatnonzero(mask).astype(np.int64) for part, mask in parts.items()}
    for part, found in rows.items():
        lacking = np.setdiff1d(labels, labels[found])
        if len(lacking):
            raise UserError(
                f"--protocol {name} leaves the {part} part without a row of class "
                f"{int(lacking[0])}. Add recordings, or give fewer folds."
            )
    aside = pd.DataFrame({"row": np.empty(0, np.int64), "reason": np.empty(0, object)})
    return Split(**rows, name=name, description=said, set_aside=aside, groups_known=True)
