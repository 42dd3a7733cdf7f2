"""AFEW: clips from films, seven expressions.

Source: Dhall, Goecke, Lucey, Gedeon, "Collecting Large, Richly Annotated Facial-Expression
Databases from Movies", IEEE MultiMedia 2012. A clip's name is a number that tells no film, so a
clip is its own group.
"""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.folders import find_top, layout_error, list_folder, open_child
from affectkeras.datasets.image_rows import is_image_name
from affectkeras.datasets.table import (
    ExampleTable,
    FilePayload,
    Target,
    example_id,
    rejected_frame,
)
from affectkeras.errors import UserError
from affectkeras.media.parallel import map_in_threads
from affectkeras.media.video import VideoDamaged, VideoFacts, video_facts

NAME = "afew"
CLASS_NAMES = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
TARGET = Target("expression", "class", CLASS_NAMES)
LAYOUT = """
{Train_AFEW,Val_AFEW}/{Angry,Disgust,Fear,Happy,Neutral,Sad,Surprise}/<clip>.avi
AlignedFaces_LBPTOP_Points/AlignedFaces_LBPTOP_Points/Faces/<clip>/*.jpg         may be absent
AlignedFaces_LBPTOP_Points_Val/…                                                 may be absent
Each part, and each class, may still be a .zip.
"""

_PARTS = {
    "train": ("Train_AFEW", "AlignedFaces_LBPTOP_Points"),
    "validation": ("Val_AFEW", "AlignedFaces_LBPTOP_Points_Val"),
}
_COLUMNS = ("example_id", "subject", "group", "split", "source", "expression", "faces")


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        train, validation: the folder that holds the class folders.
        train_faces, validation_faces: the folder that holds a folder of aligned faces per clip.
        missing: a sentence for each part that should be there and is not, with the mend.
    """

    train: Path | None = None
    validation: Path | None = None
    train_faces: Path | None = None
    validation_faces: Path | None = None
    missing: tuple[str, ...] = ()


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when neither the training nor the validation part is there; the message says what
            was looked for and what was seen.
    """
    top = find_top(Path(folder), _looks_right)
    if top is None:
        raise layout_error("AFEW", Path(folder), "Train_AFEW/ or Val_AFEW/", LAYOUT)
    found, missing = {}, []
    for split, (part, aligned) in _PARTS.items():
        found[split] = open_child(top, part)
        holder = open_child(top, aligned)
        found[f"{split}_faces"] = open_child(holder, "Faces") if holder else None
        if found[split] is None:
            missing.append(f"the {split} part: unpack {part} into {top}")
            continue
        missing += [
            f"the class {name} of the {split} part: unpack {name} into {part}/"
            for name in CLASS_NAMES
            if open_child(found[split], name) is None
        ]
    return Layout(**found, missing=tuple(missing))


def read(folder: Path, *, progress: bool = True) -> ExampleTable:
    """Return one row per clip with the class target `expression`; the payload is its video.

    Columns beside the fixed ones: `faces` (the folder of the owner's aligned faces of the clip; ""
    where there is none), `width`, `height` (pixels), `duration_s`. Splits: Train_AFEW → train,
    Val_AFEW → validation. Films are not told: each clip is its own group, and groups are not known.

    Rejected: a clip that cannot be opened as a video (damaged).

    Raises:
        UserError: when the layout is not found, or there is no clip in it.
    """
    layout = find(folder)
    rows, paths = [], []
    for split, (part, _) in _PARTS.items():
        place, faces = getattr(layout, split), getattr(layout, f"{split}_faces")
        if place is None:
            continue
        with_faces = _list_faces(faces)
        for number, name in enumerate(CLASS_NAMES):
            for path in _list_clips(open_child(place, name)):
                clip = f"{part}/{name}/{example_id(path, path.parent)}"
                aligned = with_faces.get(path.stem, "")
                rows.append((clip, "", clip, split, clip, number, aligned))
                paths.append(path)
    if not rows:
        raise UserError(
            f"{folder}: the folder has the right parts, but no clip in them. Unpack the archives."
        )
    facts = map_in_threads(
        _facts, paths, description="Opening clips", progress=progress, workers=None
    )
    sound = np.array([isinstance(fact, VideoFacts) for fact in facts], dtype=bool)
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    rejected = [(rows[row][0], "damaged", facts[row]) for row in np.flatnonzero(~sound)]
    frame = frame[sound].reset_index(drop=True).astype({"expression": np.int64})
    kept = [facts[row] for row in np.flatnonzero(sound)]
    frame["width"] = np.array([fact.width for fact in kept], dtype=np.int64)
    frame["height"] = np.array([fact.height for fact in kept], dtype=np.int64)
    frame["duration_s"] = np.array([fact.duration_s for fact in kept], dtype=np.float64)
    files = np.array([os.fspath(path) for path in paths], dtype=object)
    return ExampleTable(
        name=NAME,
        frame=frame,
        targets=(TARGET,),
        payload=FilePayload(files[sound]),
        groups_known=False,
        rejected=rejected_frame(rejected),
        read=len(rows),
    )


def notes(table: ExampleTable) -> list[str]:
    """Return what the doctor says of the clips."""
    if not len(table):
        return []
    length = table.frame["duration_s"]
    return [
        f"{len(table)} clips of {length.min():.1f} to {length.max():.1f} s, half of them up to "
        f"{length.median():.1f} s",
        f"clips with the owner's aligned faces: {(table.frame['faces'] != '').mean():.1%}",
    ]


def _looks_right(place: Path) -> bool:
    names = {entry.name.casefold().removesuffix(".zip") for entry in list_folder(place)}
    return any(part.casefold() in names for part, _ in _PARTS.values())


def _list_clips(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    return [path for path in list_folder(folder) if path.suffix.casefold() in VIDEO_SUFFIXES]


def _list_faces(folder: Path | None) -> dict[str, str]:
    """Return the folder of aligned faces of every clip that has a picture there."""
    places = list_folder(folder) if folder is not None else []
    return {
        place.name: os.fspath(place)
        for place in places
        if any(is_image_name(path) for path in list_folder(place))
    }


def _facts(path: Path) -> VideoFacts | str:
    try:
        return video_facts(path)
    except VideoDamaged as damaged:
        return str(damaged)
