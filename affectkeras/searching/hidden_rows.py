"""Tables of which some rows cannot be read by anyone, by mistake or otherwise."""

import dataclasses

import numpy as np

from affectkeras.datasets.table import ArrayPayload, ExampleTable, FilePayload

NOWHERE = "/hidden/test-row"  # no such file: whoever reads it fails


def hide_rows(table: ExampleTable, rows: np.ndarray) -> ExampleTable:
    """Return the table with these rows in their places, but without content or label.

    The other rows keep their numbers, so that random changes keyed by them are the same.

    Args:
        table: files or arrays.
        rows: which to hide.

    Raises:
        ValueError: for a table of recordings, whose rows lie in what other rows need, too.
    """
    rows = np.asarray(rows, np.int64)
    frame = table.frame.copy()
    for target in table.targets:
        column = frame.columns.get_loc(target.name)
        frame.iloc[rows, column] = 0 if target.kind == "class" else np.nan
        for name in target.distribution:
            frame.iloc[rows, frame.columns.get_loc(name)] = 1 / len(target.class_names)
    return dataclasses.replace(table, frame=frame, payload=_hidden(table.payload, rows))


def _hidden(payload, rows: np.ndarray):
    if isinstance(payload, FilePayload):
        paths = payload.paths.copy()
        paths[rows] = NOWHERE
        return FilePayload(paths)
    if isinstance(payload, ArrayPayload):
        index = payload.index.copy()
        index[rows] = max(len(array) for array in payload.arrays.values())  # beyond its end
        return ArrayPayload(payload.arrays, index)
    raise ValueError(
        f"`table` must hold files or arrays. Received: payload of {type(payload).__name__}"
    )
