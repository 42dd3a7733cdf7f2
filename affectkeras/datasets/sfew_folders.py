"""The class folders of SFEW, and what its file names tell: film, time of the clip, frame."""

import re
from collections.abc import Callable
from pathlib import Path

from affectkeras.datasets.file_walk import list_entries, reject_unlisted, walk_files
from affectkeras.datasets.folders import list_folder
from affectkeras.datasets.image_rows import is_image_name
from affectkeras.errors import UserError

FILM_COLUMNS = ("group", "movie", "clip", "frame_number")

_SYNONYMS = {
    "anger": "angry",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "disgusted": "disgust",
}
# Film, time of the clip (HHMMSSmmm), number of the frame. Films may hold digits and underscores,
# so the name is read from its right end; one file has a hyphen before the time.
_NAME = re.compile(r"(.+)[_-](\d{9})_(\d{8})\.(?:png|jpe?g)", re.IGNORECASE)
# Series whose films do not share their whole title.
_SERIES = ("harrypotter", "oceans")
_SEQUEL = re.compile(
    r"(?:\d+"  # Grudge2
    r"|(?<=[a-z0-9_ -])(?:II|III|IV|VI{1,3}|IX)"  # RockyII; I, V and X alone also end whole titles
    r"|[_ -](?:[IVX]+|(?i:part|chapter|episode|vol|volume|two|three|sequel|returns|reloaded)))$"
)


def parse_name(name: str) -> tuple[str, str, int] | None:
    """Return (movie, time of the clip as HHMMSSmmm, frame number) of a file name, or None."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2], int(match[3])) if match else None


def franchise(movie: str) -> str:
    """Return the series a film belongs to, in lower case without separators.

    Films of one series share their cast, so they must not be split: all of Harry Potter and of
    Ocean's are one group each, and what marks a sequel at the end of a title (digits, Roman
    numerals, words such as `_Part`) is taken off. A title that consists of such a mark alone,
    as the films `21` and `v`, stays.
    """
    plain = re.sub(r"[\W_]+", "", movie).casefold()
    for series in _SERIES:
        if plain.startswith(series):
            return series
    title = movie
    while True:
        shorter = _SEQUEL.sub("", title).rstrip("_ -")
        if not shorter or shorter == title:
            return re.sub(r"[\W_]+", "", title).casefold() or movie
        title = shorter


def expression_of(word: str, class_names: tuple[str, ...]) -> int | None:
    """Return the class that a word names, in any case or by its noun (anger: Angry), or None."""
    plain = word.strip().casefold()
    classes = [name.casefold() for name in class_names]
    plain = _SYNONYMS.get(plain, plain)
    return classes.index(plain) if plain in classes else None


def find_classes(folder: Path, class_names: tuple[str, ...]) -> set[int]:
    """Return the classes that have a folder right below `folder`."""
    named = [expression_of(path.name, class_names) for path in list_folder(folder) if path.is_dir()]
    return {expression for expression in named if expression is not None}


def name_absent(folder: Path, class_names: tuple[str, ...], whole: str) -> list[str]:
    """Return a sentence with the mend where classes have no folder, else nothing.

    Args:
        whole: what to call what `folder` holds.
    """
    present = find_classes(folder, class_names)
    absent = [name for number, name in enumerate(class_names) if number not in present]
    if not absent:
        return []
    return [f"the class folders {', '.join(absent)} of {whole}: unpack the whole archive again"]


def read_classes(
    part: Path, identify: Callable[[Path], str], class_names: tuple[str, ...]
) -> tuple[list, list]:
    """Return the images in the class folders right below `part`, and what was set aside.

    Args:
        identify: path → its example id.

    Returns:
        `(example_id, class, path)` of every image; `(example_id, kind, reason)` of the rejected.
    """
    images, rejected = [], []
    try:
        folders, files = list_entries(part)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be listed ({error.strerror}). Make it readable for you."
        ) from error
    for path in files:
        rejected += reject_unlisted(path, identify, "unlabelled", "it lies in no class folder")
    for folder in folders:
        expression = expression_of(folder.name, class_names)
        if expression is not None:
            files, unreadable = walk_files(folder)
            rejected += [(identify(path), "damaged", reason) for path, reason in unreadable]
            for path in files:
                if is_image_name(path):
                    images.append((identify(path), expression, path))
                else:
                    rejected.append((identify(path), "excluded", "not a JPEG or PNG by its name"))
        elif "_aligned_faces" not in folder.name.casefold():  # the other kind of images
            reason = f"the folder {folder.name} is none of the classes {', '.join(class_names)}"
            rejected += reject_unlisted(folder, identify, "excluded", reason)
    return images, rejected


def tells_film(image: tuple) -> bool:
    """Return whether the file name of an image of `read_classes` tells its film."""
    return parse_name(_file_name(image[0])) is not None


def tell_films(images: list) -> tuple[list, list]:
    """Return the images of `read_classes`, each with `FILM_COLUMNS` after it, and the rejected."""
    rows, rejected = [], []
    for image in images:
        parsed = parse_name(_file_name(image[0]))
        if parsed is None:
            reason = (
                "its name does not tell the film, so it cannot be kept on one side of a split: "
                "expected Film_HHMMSSmmm_NNNNNNNN.png. Restore the owner's name"
            )
            rejected.append((image[0], "damaged", reason))
        else:
            movie, time, frame_number = parsed
            rows.append((*image, franchise(movie), movie, f"{movie}_{time}", frame_number))
    return rows, rejected


def _file_name(identity: str) -> str:
    return identity.rsplit("/", 1)[-1]
