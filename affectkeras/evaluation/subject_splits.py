"""Leave one subject out, leave one dyad out: every row is tested by a model that never saw it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import join_units
from affectkeras.evaluation.folds import grouped_folds, leave_one_out
from affectkeras.evaluation.splits import Split

# What else must not be parted by a fold, and why its rows are set aside, the first that holds.
SHARED = {
    "dyad": "its dyad is tested in this fold: partners share the conversation",
    "group": "its group is tested in this fold",
    "video": "its video is tested in this fold",
    "clip": "its clip is tested in this fold",
}


def leave_one_out_splits(
    frame: pd.DataFrame,
    target_column: str,
    unit: Literal["subject", "dyad"] = "subject",
    *,
    partners_aside: bool = True,
    class_names: Sequence[str] = (),
) -> tuple[Split, ...]:
    """Return a split per subject, or per dyad, which it tests; all others train.

    The validation part is empty: a fold has nobody to spare. Settings are chosen by
    `inner_folds` of its training rows.

    Where two people talk, both recordings hold the one conversation, so with unit "subject" the
    rows of the tested subject's partner are set aside in that fold (and tested in another). The
    same goes for whatever else shares a `group`, `video` or `clip` with the tested rows.

    Args:
        frame: an `ExampleTable`'s frame, with the column `subject`, or `dyad`.
        target_column: the class index of each row, for the notes.
        unit: what is left out, and the name of the splits.
        partners_aside: False trains on the partner and on all others who share a group or dyad,
            as published in the lecture ("Generalized model: LOSO"). This leaks; the splits are
            then named "paper". Where no two subjects share anything it changes nothing.
        class_names: for messages.

    Returns:
        The splits, the subjects or dyads in sorted order; `notes` tell whose test or training rows
        lack a class.

    Raises:
        UserError: where the unit is not told, of a single one, or when a fold leaves no rows to
            train on, or rows of one class only.
    """
    if unit not in ("subject", "dyad"):
        raise ValueError(f"`unit` must be 'subject' or 'dyad'. Received: {unit!r}")
    units = _units(frame, unit)
    labels = frame[target_column].to_numpy()
    classes = np.unique(labels)
    tied = [_shared_rows(frame, units == name) for name in np.unique(units)]
    leaks = not partners_aside and any(reasons.any() for reasons in tied)
    splits = []
    for fold, reasons in zip(leave_one_out(units), tied, strict=True):
        aside = np.flatnonzero(reasons) if partners_aside else np.empty(0, np.int64)
        train = np.setdiff1d(fold.train, aside)
        what = f"--protocol {'paper' if leaks else unit}, {unit} {fold.name} left out,"
        _refuse_untrainable(labels, train, what)
        splits.append(
            Split(
                train=train.astype(np.int64),
                validation=np.empty(0, np.int64),
                test=fold.test.astype(np.int64),
                name="paper" if leaks else unit,
                description=_description(unit, units, leaks, any(one.any() for one in tied)),
                set_aside=pd.DataFrame({"row": aside, "reason": reasons[aside]}),
                groups_known=True,
                notes=_notes(f"{unit} {fold.name}", labels, train, fold.test, classes, class_names),
            )
        )
    return tuple(splits)


def inner_folds(
    split: Split,
    frame: pd.DataFrame,
    folds: int,
    seed: int,
    *,
    target_column: str | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Divide the training rows of a split for the choice of settings.

    Args:
        split: its training rows are divided, no other row is used.
        frame: the table's frame; subjects, dyads, groups, videos and clips stay whole.
        folds: how many, at least 2.
        seed: the same seed gives the same folds.
        target_column: where given, class shares are evened over the folds.

    Returns:
        `folds` pairs `(train, validation)` of row numbers of the whole table, ascending; every
        training row validates once.

    Raises:
        UserError: for fewer than two folds, or fewer groups than folds.
    """
    rows = frame.iloc[split.train]
    ties = [column for column in ("subject", *SHARED) if column in frame.columns]
    together = [
        found
        for column in ties
        for found in rows.reset_index(drop=True).groupby(_told(rows[column])).indices.values()
    ]
    units = join_units(np.arange(len(rows)), together)
    found = len(np.unique(units))
    if folds < 2 or found < folds:
        raise UserError(
            f"{folds} inner folds need at least 2, and as many training subjects that share "
            f"nothing; there are {found}. Ask for fewer inner folds, or give more subjects."
        )
    labels = None if target_column is None else rows[target_column].to_numpy()
    inner = grouped_folds(units, folds=folds, seed=seed, labels=labels)
    return tuple((split.train[one.train], split.train[one.test]) for one in inner)


def _units(frame: pd.DataFrame, unit: str) -> np.ndarray:
    other = "--protocol subject" if unit == "dyad" else "a data set that tells it"
    if unit not in frame.columns:
        raise UserError(
            f"--protocol {unit} needs the {unit} of every row, and this data set tells none. "
            f"Choose {other}."
        )
    told = _told(frame[unit])
    blank = np.flatnonzero(told.isna())
    if len(blank):
        raise UserError(
            f"--protocol {unit} needs the {unit} of every row; {len(blank)} have none, such as "
            f"{frame['example_id'].iloc[blank[0]]!r}."
        )
    if told.nunique() < 2:
        raise UserError(
            f"--protocol {unit} needs at least two of them: one is tested, the others train. "
            f"Found: {told.nunique()}"
        )
    return told.to_numpy(dtype=str)


def _told(column: pd.Series) -> pd.Series:
    """Return a column as words, with NaN for blanks, whatever it holds."""
    words = column.where(column.isna(), column.astype(str)).reset_index(drop=True)
    return words.mask(words == "")


def _shared_rows(frame: pd.DataFrame, tested: np.ndarray) -> np.ndarray:
    """Return why each row cannot train while others are tested, object `(rows,)`, "" if it can."""
    reasons = np.full(len(frame), "", dtype=object)
    for column, reason in SHARED.items():
        if column in frame.columns:
            told = _told(frame[column])
            shared = told.isin(told[tested].dropna().unique()).to_numpy() & ~tested
            reasons[shared & (reasons == "")] = reason
    return reasons


def _refuse_untrainable(labels: np.ndarray, train: np.ndarray, what: str) -> None:
    found = len(np.unique(labels[train]))
    if found < 2:
        held = "no row to train on" if not len(train) else "training rows of one class only"
        raise UserError(f"{what} leaves {held}. Give more subjects, or choose another --protocol.")


def _description(unit: str, units: np.ndarray, leaks: bool, shares: bool) -> str:
    count = len(np.unique(units))
    said = f"Leave one {unit} out: {count} folds, each {unit} is tested once by a model of others."
    if leaks:
        return (
            f"{said} As published, the tested subject's partner trains, who shares the "
            "conversation. This leaks, so the figures may flatter."
        )
    if shares:
        said += f" Rows of others who share a conversation or group with the tested {unit} are "
        said += "set aside in that fold."
    return f"{said} No validation part: settings are chosen by inner folds of the training rows."


def _notes(whose: str, labels, train, test, classes, class_names) -> tuple[str, ...]:
    def lacking(rows):
        return [
            str(class_names[one]) if len(class_names) else str(int(one))
            for one in np.setdiff1d(classes, labels[rows])
        ]

    notes = []
    if lacking(test):
        notes.append(f"The test rows of {whose} hold no {' or '.join(lacking(test))}.")
    if lacking(train):
        notes.append(
            f"Without {whose} nothing trains {' or '.join(lacking(train))}: its rows of that class "
            "cannot be predicted."
        )
    return tuple(notes)
