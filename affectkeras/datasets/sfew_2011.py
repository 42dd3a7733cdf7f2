"""The SFEW of 2011: 700 stills, a folder per class right below the top, without an owner's split.

Its table `SFEW.xlsx` (675 rows: name, label, LPQ and PHOG components) holds no images.
"""

import os
import re
from pathlib import Path

import pandas as pd

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.folders import find_tops, list_folder
from affectkeras.datasets.sfew_folders import (
    FILM_COLUMNS,
    find_classes,
    read_classes,
    tell_films,
    tells_film,
)
from affectkeras.datasets.table import example_id
from affectkeras.errors import UserError

PUBLISHED = "700 stills, in 675 of which a face was detected"

_SOURCE = "SFEW 2011"
# Train, Val_Aligned_Faces_new …; a .zip is unpacked into its name and 16 digits.
_PART = re.compile(
    r"(?:train(?:ing)?|val(?:idation)?|test(?:ing)?)(?:_aligned_faces\w*)?(?:-[0-9a-f]{16})?",
    re.IGNORECASE,
)


def looks_like_2011(place: Path, class_names: tuple[str, ...]) -> bool:
    """Return whether `place` holds folders of several classes and is no part of SFEW 2.0."""
    return len(find_classes(place, class_names)) > 1 and not _is_part(place)


def read_2011(
    top: Path, class_names: tuple[str, ...]
) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Return the rows and what was set aside.

    The columns `FILM_COLUMNS` are there unless no file name at all tells a film: then the names
    are others than the owner's, and nothing is rejected for its name.

    Raises:
        UserError: when there is no image, but the table of features.
    """
    images, rejected = read_classes(top, lambda path: example_id(path, top), class_names)
    if not images:
        refuse_features(top)
    columns = ["example_id", "expression", "path"]
    if any(map(tells_film, images)):
        images, nameless = tell_films(images)
        rejected += nameless
        columns += FILM_COLUMNS
    frame = pd.DataFrame(images, columns=columns)
    return frame.assign(split="", source=_SOURCE), rejected


def is_features(path: Path) -> bool:
    """Return whether a path is the table of features."""
    name = path.name.casefold()
    return name.startswith("sfew") and name.endswith((".xlsx", ".xls")) and path.is_file()


def refuse_features(folder: Path) -> None:
    """Raise `UserError` where `folder` is, or holds, the table of features."""
    if is_features(folder):
        found = [folder]
    else:
        places = find_tops(folder, lambda place: any(map(is_features, list_folder(place))))
        found = [path for place in places for path in list_folder(place) if is_features(path)]
    if found:
        raise UserError(
            f"{found[0]}: this is the table of features of the SFEW of 2011 (name, label, LPQ and "
            "PHOG components); the images themselves are needed, and none are here. Ask the owners "
            "of SFEW for the 700 stills of 2011 or for SFEW 2.0, and name the folder with the "
            "images (python -m affectkeras doctor sfew shows the layout). The table is read by "
            "--dataset sfew_features of recipes.sfew_baselines."
        )


def refuse_part(folder: Path, class_names: tuple[str, ...]) -> None:
    """Raise `UserError` where `folder` is one part of SFEW 2.0, by its name and class folders."""
    place = open_folder(folder)
    if _is_part(place) and find_classes(place, class_names):
        raise UserError(
            f"{folder}: by its name this is one part of SFEW 2.0. Name the folder that holds the "
            "parts, so that the owner's split is kept. If it is the whole set of 2011, rename the "
            "folder, for example to SFEW_2011."
        )


def _is_part(place: Path) -> bool:
    return _PART.fullmatch(os.path.basename(os.path.abspath(place))) is not None
