"""Split makers for cross-validation: indices of rows, never a group on two sides.

All of them demand groups, and give the same folds for the same seed. Where the data set tells no
groups, clusters of copies stand in: `copies_as_groups`.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from affectkeras.evaluation.assignment import divide, join_units


@dataclasses.dataclass(frozen=True)
class Fold:
    """Row numbers of one fold, ascending int64, and what is held out (a number or a name)."""

    train: np.ndarray
    test: np.ndarray
    name: str


def grouped_folds(
    groups: np.ndarray, *, folds: int, seed: int, labels: np.ndarray | None = None
) -> Iterator[Fold]:
    """Yield k folds with whole groups; every row is tested once.

    Args:
        groups: `(rows,)`, such as movies, subjects or videos.
        folds: how many, at least 2 and at most as many as there are groups.
        seed: of the division.
        labels: `(rows,)` classes: folds get class shares as even as the groups allow (stratified
            grouped k-fold). None: sizes are evened only.

    Raises:
        ValueError: without groups, with a blank one, or with fewer groups than folds.
    """
    groups = _demand_groups(groups, folds, "folds")
    labels = np.zeros(len(groups)) if labels is None else _as_long(labels, groups)
    part = divide(groups, labels, (1 / folds,) * folds, seed=seed)
    for number in range(folds):
        yield Fold(np.flatnonzero(part != number), np.flatnonzero(part == number), str(number))


def hold_out(
    groups: np.ndarray, *, share: float, seed: int, labels: np.ndarray | None = None
) -> Fold:
    """Return one fold that holds out about `share` of the rows in whole groups.

    Args:
        groups, seed, labels: as in `grouped_folds`.
        share: of the rows, in (0, 1).

    Raises:
        ValueError: as `grouped_folds`, or where `share` is no share.
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be in (0, 1). Received: share={share}")
    groups = _demand_groups(groups, 2, "parts")
    labels = np.zeros(len(groups)) if labels is None else _as_long(labels, groups)
    part = divide(groups, labels, (1 - share, share), seed=seed, complete_first=True)
    return Fold(np.flatnonzero(part == 0), np.flatnonzero(part == 1), "held out")


def leave_one_out(groups: np.ndarray) -> Iterator[Fold]:
    """Yield a fold per group, which it holds out: leave one subject out, leave one dyad out.

    Groups come in sorted order (numbers by size). Give subjects, or dyads, whose members then stay
    together.

    Raises:
        ValueError: without groups, with a blank one, or with fewer than two.
    """
    groups = _demand_groups(groups, 2, "groups")
    for name in np.unique(groups):
        held = groups == name
        yield Fold(np.flatnonzero(~held), np.flatnonzero(held), str(name))


def nested(
    outer: Iterator[Fold], groups: np.ndarray, *, folds: int, seed: int, labels=None
) -> Iterator[tuple[Fold, list[Fold]]]:
    """Yield every outer fold with the inner folds of its training rows, for searches.

    Settings are chosen on the inner folds, whose row numbers are those of the whole table; the
    outer test rows are in none of them.

    Args:
        outer: of `grouped_folds` or `leave_one_out`.
        groups, folds, seed, labels: of the inner `grouped_folds`; the seed is mixed with the
            number of the outer fold.
    """
    groups = np.asarray(groups)
    for number, fold in enumerate(outer):
        inner = grouped_folds(
            groups[fold.train],
            folds=folds,
            seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
            labels=None if labels is None else np.asarray(labels)[fold.train],
        )
        yield (
            fold,
            [Fold(fold.train[one.train], fold.train[one.test], one.name) for one in inner],
        )


def copies_as_groups(rows: int, copies: list[np.ndarray]) -> np.ndarray:
    """Return groups where none are known: copies of one picture share one, others stand alone.

    Args:
        rows: how many rows the table has.
        copies: sets of row numbers (`media.near_duplicates`).

    Returns:
        int64 `(rows,)`.
    """
    return join_units(np.arange(rows), copies)


def _demand_groups(groups, least: int, what: str) -> np.ndarray:
    groups = np.asarray(groups)
    if groups.ndim != 1 or not len(groups):
        raise ValueError(
            "`groups` must have the shape (rows,): who or what each row shows. Where nothing tells "
            f"it, use `copies_as_groups`. Received: shape {groups.shape}"
        )
    blank = [place for place, group in enumerate(groups) if group is None or group in ("",)]
    blank += np.flatnonzero(groups != groups).tolist()  # NaN
    if blank:
        raise ValueError(
            f"`groups` must tell the group of every row. Received: {len(blank)} blank, the first "
            f"at row {min(blank)}"
        )
    if groups.dtype == object:
        groups = groups.astype(str)
    found = len(np.unique(groups))
    if least < 2 or found < least:
        raise ValueError(
            f"`groups` must hold at least as many groups as {what}, and 2. "
            f"Received: {found} groups for {least} {what}"
        )
    return groups


def _as_long(labels, groups: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != groups.shape:
        raise ValueError(
            "`labels` must be as long as `groups`. "
            f"Received: shapes {labels.shape} and {groups.shape}"
        )
    return labels
