"""Leaving classes out of a table, as where a comparison needs the classes that others have."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from affectkeras.datasets.table import ExampleTable
from affectkeras.errors import UserError


def leave_out_classes(table: ExampleTable, names: Sequence[str]) -> ExampleTable:
    """Return the table without the rows of some classes, the others numbered anew.

    The rows are counted as rejected, "excluded". Soft labels lose the shares of these classes and
    are scaled to sum to 1.

    Args:
        table: with a class target.
        names: of classes, such as `("contempt",)`.

    Raises:
        UserError: for a class that the data set has not, or fewer than two that are left.
    """
    target = table.class_target
    unknown = [name for name in names if name not in target.class_names]
    if unknown:
        raise UserError(
            f"{table.name} has no class {unknown[0]!r}. It has: {', '.join(target.class_names)}."
        )
    kept = [number for number, name in enumerate(target.class_names) if name not in names]
    if len(kept) < 2:
        raise UserError(
            f"{table.name}: leaving out {', '.join(names)} leaves fewer than 2 classes."
        )
    codes = table.frame[target.name].to_numpy()
    fewer = table.keep(np.isin(codes, kept), f"its class is left out ({', '.join(names)})")
    numbers = np.full(len(target.class_names), -1)
    numbers[kept] = np.arange(len(kept))
    frame = fewer.frame.copy()
    frame[target.name] = numbers[frame[target.name].to_numpy()]
    shares = [target.distribution[number] for number in kept] if target.distribution else []
    if shares:
        found = frame[shares].to_numpy()
        frame[shares] = found / found.sum(axis=1, keepdims=True)
    smaller = dataclasses.replace(
        target,
        class_names=tuple(target.class_names[number] for number in kept),
        distribution=tuple(shares),
    )
    targets = tuple(smaller if one == target else one for one in table.targets)
    return dataclasses.replace(fewer, frame=frame, targets=targets)
