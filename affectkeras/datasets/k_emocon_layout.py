"""Where the parts of K-EmoCon lie: unpacked or packed, under raw/ or not, doubled or not."""

import dataclasses
import re
from pathlib import Path

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.e4_numbers import show_path
from affectkeras.datasets.folders import (
    find_child,
    find_top,
    layout_error,
    list_folder,
    open_child,
)
from affectkeras.errors import UserError

LAYOUT = """
e4_data/<pid>/E4_{ACC,BVP,EDA,HR,IBI,TEMP}.csv     timestamp (Unix ms), value (ACC: x, y, z);
                                                   also read: pid, device_serial
neurosky_polar_data/<pid>/Polar_HR.csv             timestamp (Unix ms), value
emotion_annotations/self_annotations/P<pid>.self.csv
                   /partner_annotations/P<pid>.partner.csv
                   /aggregated_external_annotations/P<pid>.external.csv
                                                   seconds (of a stretch's end: 5, 10 …), arousal,
                                                   valence, cheerful, happy, angry, nervous, sad …
metadata/subjects.csv                              pid, initTime, startTime, endTime (Unix ms)
        /data_availability.csv                     pid, E4_ACC …: what the owner has; may be absent
Each part may lie under raw/, in a folder of its own name, or still be a .zip or .tar.gz.
"""

PARTS = ("e4_data", "neurosky_polar_data", "emotion_annotations", "metadata")
FOLDERS = {
    "self": "self_annotations",
    "partner": "partner_annotations",
    "external": "aggregated_external_annotations",
}
_PID = re.compile(r"p?0*([1-9]\d{0,5})", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What was found.

    Args:
        annotations: whose ratings → the folder.
        e4_data, polar_data: the folders that hold one per subject.
        subjects: the table of times.
        availability: the table of what the owner has.
        missing: a sentence for each part that should be there and is not, with the mend.
    """

    annotations: tuple[tuple[str, Path], ...]
    e4_data: Path | None
    polar_data: Path | None
    subjects: Path
    availability: Path | None
    missing: tuple[str, ...]


def find(folder: Path) -> Layout:
    """Return where the parts lie in `folder` (or one level below, or in a .zip).

    Raises:
        UserError: when signals, annotations or metadata/subjects.csv are not there; the message
            says what was looked for and what was seen.
    """
    folder = Path(folder)
    # The metadata alone are no data set: others have a folder of that name.
    top = find_top(folder, lambda place: any(_open_part(place, name) for name in PARTS[:3]))
    if top is None:
        raise layout_error("K-EmoCon", folder, "e4_data/ and emotion_annotations/", LAYOUT)
    e4_data, polar_data, ratings, metadata = (_open_part(top, name) for name in PARTS)
    if e4_data is None and polar_data is None:
        raise layout_error("K-EmoCon", top, "e4_data/ or neurosky_polar_data/", LAYOUT)
    annotations = {
        rater: open_child(ratings, name) for rater, name in FOLDERS.items() if ratings is not None
    }
    annotations = {rater: place for rater, place in annotations.items() if place is not None}
    if not annotations:
        looked_for = f"emotion_annotations/ with {', '.join(FOLDERS.values())}"
        raise layout_error("K-EmoCon", top, looked_for, LAYOUT)
    subjects = None if metadata is None else find_child(metadata, "subjects.csv")
    if subjects is None:
        looked_for = "metadata/subjects.csv, which tells when each debate was"
        raise layout_error("K-EmoCon", top, looked_for, LAYOUT)
    availability = find_child(metadata, "data_availability.csv")
    missing = _tell_missing(e4_data, polar_data, annotations, availability)
    return Layout(tuple(annotations.items()), e4_data, polar_data, subjects, availability, missing)


def find_subject_folders(place: Path | None) -> dict[int, Path]:
    """Return the folder of each pid.

    Raises:
        UserError: when two bear the same one.
    """
    folders: dict[int, Path] = {}
    for entry in list_folder(place) if place is not None else []:
        found = _PID.fullmatch(entry.name)
        if found and entry.is_dir():
            _set_once(folders, int(found[1]), entry)
    return folders


def find_annotation_files(place: Path, rater: str) -> tuple[dict[int, Path], list[Path]]:
    """Return the file of each pid, and the .csv files whose names tell none.

    Raises:
        UserError: when two files bear the same pid.
    """
    files: dict[int, Path] = {}
    others = []
    for entry in list_folder(place):
        if entry.suffix.casefold() != ".csv" or entry.is_dir():
            continue
        owner, _, kind = entry.stem.partition(".")
        found = _PID.fullmatch(owner) if owner[:1] in "pP" and kind.casefold() == rater else None
        if found:
            _set_once(files, int(found[1]), entry)
        else:
            others.append(entry)
    return files, others


def find_sensor_files(folder: Path | None) -> dict[str, Path]:
    """Return the .csv files of a subject's folder by their names in lower case, without ending."""
    if folder is None:
        return {}
    return {
        entry.stem.casefold(): entry
        for entry in list_folder(folder)
        if entry.suffix.casefold() == ".csv"
    }


def _tell_missing(
    e4_data: Path | None,
    polar_data: Path | None,
    annotations: dict[str, Path],
    availability: Path | None,
) -> tuple[str, ...]:
    missing = [
        f"{name}: unpack it beside emotion_annotations/"
        for name, place in zip(PARTS[:2], (e4_data, polar_data), strict=True)
        if place is None
    ]
    missing += [
        f"emotion_annotations/{name}: unpack it there, or do without --rater {rater}"
        for rater, name in FOLDERS.items()
        if rater not in annotations
    ]
    if availability is None:
        missing.append("metadata/data_availability.csv: what the owner has is then not known")
    return tuple(missing)


def _open_part(top: Path, name: str) -> Path | None:
    """Return a part's folder, wherever it lies and however it is packed."""
    for place in (top, find_child(top, "raw")):
        if place is None or not place.is_dir():
            continue
        part = open_child(place, name)
        if part is not None and part.is_dir():
            return part
        packed = find_child(place, f"{name}.tar.gz", f"{name}.tgz")
        if packed is not None and packed.is_file():
            part = open_folder(packed)
            inside = find_child(part, name)
            return inside if inside is not None and inside.is_dir() else part
    return None


def _set_once(places: dict[int, Path], pid: int, entry: Path) -> None:
    if pid in places:
        raise UserError(
            f"{show_path(entry.parent)}: {places[pid].name} and {entry.name} are both of subject "
            f"{pid}. Move one of them away."
        )
    places[pid] = entry
