"""Dividing units that must stay whole (films, clips, twins) into parts with like class shares."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

TRIALS = 64


def join_units(groups: np.ndarray, together: list[np.ndarray]) -> np.ndarray:
    """Return the unit of every row: rows of one group, or of one set, share a unit.

    Args:
        groups: `(rows,)`, the group of each row as an integer code.
        together: sets of row numbers that must not be parted, such as copies of one picture.

    Returns:
        int64 `(rows,)`: units numbered from 0 in the order in which they first appear.
    """
    rows = np.arange(len(groups))
    _, first_of_group, code = np.unique(groups, return_index=True, return_inverse=True)
    ends = [first_of_group[code], *(np.full(len(twins), twins[0]) for twins in together)]
    starts = [rows, *together]
    left, right = np.concatenate(starts), np.concatenate(ends)
    links = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(rows), len(rows)))
    _, unit = connected_components(links, directed=False)
    _, first, code = np.unique(unit, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code].astype(np.int64)


def divide(
    units: np.ndarray,
    labels: np.ndarray,
    shares: tuple[float, ...],
    *,
    seed: int,
    complete_first: bool = False,
) -> np.ndarray:
    """Divide rows into parts of the wanted shares, no unit on two sides, classes as even as can be.

    Units of several rows are placed first, the large ones before the small, each where it lowers
    the distance to the wanted class counts most; single rows then fill each class's gaps. Of
    several seeded orders the best is taken.

    Args:
        units: `(rows,)`, the unit of each row.
        labels: `(rows,)`, the class of each row.
        shares: the wanted share of each part; they sum to 1.
        seed: the same seed gives the same division.
        complete_first: prefer divisions whose first part (training) holds every class.

    Returns:
        int64 `(rows,)`: the part of each row. No part is empty while there are units enough.
    """
    generator = np.random.default_rng(seed)
    _, unit_code = np.unique(units, return_inverse=True)
    classes, label_code = np.unique(labels, return_inverse=True)
    counts = np.zeros((unit_code.max() + 1, len(classes)))
    np.add.at(counts, (unit_code, label_code), 1)
    wanted = np.asarray(shares)[:, None] * counts.sum(axis=0)

    large = np.flatnonzero(counts.sum(axis=1) > 1)
    single = np.flatnonzero(counts.sum(axis=1) == 1)
    single_class = counts[single].argmax(axis=1)
    single_counts = np.bincount(single_class, minlength=len(classes))
    placed = _place_large(counts[large], wanted, generator)
    held = np.stack([_held(parts, counts[large], len(shares)) for parts in placed])
    filled = np.stack([_fill(single_counts, wanted - one) for one in held])
    best = int(np.argmin([_distance(one, wanted, complete_first) for one in held + filled]))

    part_of_unit = np.empty(len(counts), dtype=np.int64)
    part_of_unit[large] = placed[best]
    for class_code in range(len(classes)):
        members = generator.permutation(single[single_class == class_code])
        part_of_unit[members] = np.repeat(np.arange(len(shares)), filled[best, :, class_code])
    _fill_empty_parts(part_of_unit, counts, len(shares))
    return part_of_unit[unit_code]


def _place_large(counts: np.ndarray, wanted: np.ndarray, generator) -> np.ndarray:
    """Place units `(units, classes)` greedily in several orders: parts `(trials, units)`."""
    trials = TRIALS if len(counts) else 1
    sizes = counts.sum(axis=1)
    # The large come first, since the small can still even out what they left; shaking the sizes
    # makes the orders differ.
    keys = sizes * generator.uniform(0.5, 1.0, (trials, len(counts)))
    orders = np.argsort(-keys, axis=1)
    held = np.zeros((trials, *wanted.shape))
    placed = np.zeros((trials, len(counts)), dtype=np.int64)
    everyone = np.arange(trials)
    for step in range(len(counts)):
        unit = orders[:, step]
        added = counts[unit][:, None, :]
        change = (added * (added + 2 * (held - wanted)) / np.maximum(wanted, 1e-9)).sum(axis=2)
        part = change.argmin(axis=1)
        held[everyone, part] += counts[unit]
        placed[everyone, unit] = part
    return placed


def _held(parts: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    held = np.zeros((number, counts.shape[1]))
    np.add.at(held, parts, counts)
    return held


def _fill(singles: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Share out single rows by what each part still misses.

    Args:
        singles: `(classes,)`, how many single rows there are of each class.
        missing: `(parts, classes)`, the wanted counts less the counts held.

    Returns:
        int64 `(parts, classes)`: columns sum to `singles`. The largest remainders win; a tie goes
        to the part that lacks most rows so far, then to the later part.
    """
    need = np.maximum(missing, 0)
    given = np.zeros(missing.shape, dtype=np.int64)
    behind = np.zeros(len(missing))
    for column in np.flatnonzero(singles):
        quota = singles[column] * need[:, column] / need[:, column].sum()
        given[:, column] = np.floor(quota + 1e-9)
        remainder = np.round(quota - given[:, column], 9)
        lacking = behind + quota - given[:, column]
        ranked = np.lexsort((np.arange(len(quota)), np.round(lacking, 9), remainder))[::-1]
        given[ranked[: singles[column] - given[:, column].sum()], column] += 1
        behind += quota - given[:, column]
    return given


def _distance(held: np.ndarray, wanted: np.ndarray, complete_first: bool) -> float:
    distance = ((held - wanted) ** 2 / np.maximum(wanted, 1e-9)).sum()
    missing = np.sum(held[0] == 0) if complete_first else 0
    return float(distance + 1e6 * missing)


def _fill_empty_parts(part_of_unit: np.ndarray, counts: np.ndarray, number: int) -> None:
    """Give every empty part the smallest unit of the part with most units, in place."""
    for empty in range(number):
        units_held = np.bincount(part_of_unit, minlength=number)
        donor = int(units_held.argmax())
        if units_held[empty] or units_held[donor] < 2:
            continue
        candidates = np.flatnonzero(part_of_unit == donor)
        left = counts[candidates].sum(axis=0) - counts[candidates]
        lost = ((left == 0) & (counts[candidates] > 0)).sum(axis=1)
        order = np.lexsort((counts[candidates].sum(axis=1), lost))
        part_of_unit[candidates[order[0]]] = empty
