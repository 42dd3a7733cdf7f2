"""How sample data is known again: by the truth beside it and the names of planted files."""

import csv
import dataclasses
import re
from pathlib import Path

TRUTH_FILE = "sample_truth.csv"
TRUTH_COLUMNS = ("path", "label", "shown", "ambiguous")
VIDEO_TRUTH_COLUMNS = ("path", "planted", "faces")

_LAST_MINUTE = 235959000  # HHMMSSmmm; no drawn face has a time that late
_PLANTED = re.compile(r"\w+_235959\d{3}_\d{8}\.png")
_FRAME = re.compile(r"(.+?)( clip \d+)? (frame|label) \d+( at [\d.]+ s)?", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class SampleMarks:
    """The file names of a folder of sample data; none where the folder is another's.

    Args:
        drawn: of the drawn pictures or videos.
        planted: of the files that were written damaged on purpose.
    """

    drawn: frozenset[str] = frozenset()
    planted: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.drawn)


def planted_name(movie: str, number: int) -> str:
    """Return the name of the damaged file `number`, counted from 0: a clip that is nowhere else."""
    return f"{movie}_{_LAST_MINUTE + number:09d}_{number + 1:08d}.png"


def find_marks(folder: Path) -> SampleMarks:
    """Return what the writers of sample data put into the folder, as far as names tell."""
    truth = Path(folder) / TRUTH_FILE
    if not truth.is_file():
        return SampleMarks()
    with truth.open(newline="", encoding="utf-8", errors="replace") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) == VIDEO_TRUTH_COLUMNS:
            rows = [(file_name(row["path"]), row["planted"]) for row in reader]
            planted = frozenset(name for name, how in rows if how)
            return SampleMarks(frozenset(name for name, _ in rows), planted)
        if tuple(reader.fieldnames or ()) != TRUTH_COLUMNS:
            return SampleMarks()
        drawn = frozenset(row["path"].rsplit("/", 1)[-1] for row in reader)
    present = (path.name for path in Path(folder, "Train").rglob("*.png"))
    return SampleMarks(drawn, frozenset(filter(_PLANTED.fullmatch, present)))


def file_of(example_id: str) -> str:
    """Return the path of the file that an example comes from; frames of videos tell it first."""
    found = _FRAME.fullmatch(example_id)
    return found[1] if found else example_id


def file_name(example_id: str) -> str:
    """Return the name of the file that an example comes from."""
    return file_of(example_id).rsplit("/", 1)[-1]
