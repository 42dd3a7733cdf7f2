"""From rows that name image files to an `ExampleTable` in which every image can be decoded."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.table import ExampleTable, FilePayload, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.media.image_check import check_images

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def is_image_name(path: Path) -> bool:
    """Return whether the name ends like an image's, and is not hidden."""
    return path.suffix.casefold() in IMAGE_SUFFIXES and not path.name.startswith(".")


def build_image_table(
    name: str,
    frame: pd.DataFrame,
    targets: tuple[Target, ...],
    *,
    rejected: Iterable[tuple[str, str, str]] = (),
    progress: bool = True,
) -> ExampleTable:
    """Check every image and return the table of those that can be used.

    Images named twice (the same `example_id`) are kept once; a file that is missing or cannot be
    decoded is rejected as damaged.

    Args:
        name: the data set's short name.
        frame: the rows with `example_id`, `split`, `source`, the targets' columns and `path`, the
            file of each row: a `Path` where names may be other than UTF-8, which pandas cannot
            hold as text. `width` and `height` (pixels) are added; `subject` is left empty and
            `group` is the row itself unless the frame has them.
        targets: what can be predicted.
        rejected: what the reader has set aside already.
        progress: whether to show a progress bar.

    Raises:
        UserError: when there is not a single source example.
    """
    rejected = list(rejected)
    if frame.empty and not rejected:
        raise UserError(
            f"{name}: the folder has the right parts, but no .jpg, .jpeg or .png file and no label "
            "in them. Unpack the whole archive."
        )
    repeated = frame["example_id"].duplicated().to_numpy()
    for row in frame[repeated].itertuples():
        reason = f"listed more than once in {row.source}: the first row is kept"
        rejected.append((row.example_id, "excluded", reason))
    frame = frame[~repeated].reset_index(drop=True)
    facts, reasons = check_images(list(frame["path"]), progress=progress)
    usable = np.array([fact is not None for fact in facts], dtype=bool)
    for row in np.flatnonzero(~usable):
        reason = reasons[row]
        if not os.path.lexists(frame["path"][row]):
            reason = f"{frame['source'][row]} names it, but there is no such file"
        rejected.append((frame["example_id"][row], "damaged", reason))
    sizes = [(fact.width, fact.height) for fact in facts if fact is not None]
    frame = frame[usable].reset_index(drop=True)
    frame[["width", "height"]] = np.array(sizes, dtype=np.int64).reshape(-1, 2)
    paths = np.array([os.fspath(path) for path in frame.pop("path")], dtype=object)
    return ExampleTable(
        name=name,
        frame=with_default_columns(frame),
        targets=targets,
        payload=FilePayload(paths),
        groups_known="group" in frame,
        rejected=rejected_frame(rejected),
        read=len(frame) + len(rejected),
    )


def with_default_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with an empty `subject` and each row as its own `group` where missing."""
    if "subject" not in frame:
        frame = frame.assign(subject="")
    if "group" not in frame:
        frame = frame.assign(group=frame["example_id"])
    return frame
