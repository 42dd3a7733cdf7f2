"""What the crops of every photograph are called: pure functions.

A name is a path below the folder of crops without the `.png` to come. It is the source's own path
without its suffix where no other source wants that, and else with it: `a.jpg` becomes `a.png`, but
beside an `a.png` the two become `a.jpg.png` and `a.png.png`.
"""

import collections
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from affectkeras.cropping.crop_folder import printable

# So many equal names of one folder keep theirs when a folder of crops is gone on with.
_KEPT_CHOICES = 100
_FACE_OR_WHOLE = re.compile(r"_(face\d+|whole)$")


def plan_names(
    sources: Sequence[tuple[str, Path]], claimed: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """Return the name of every source; no two of them, nor of `claimed`, are the same.

    Names that differ in case only count as the same, as they do on many disks.

    Args:
        sources: `(source, path below the folder of crops)`.
        claimed: source → name, of crops that are there already: they keep it.
    """
    claimed = {source: _folded(name) for source, name in (claimed or {}).items()}
    # A folder `a.png` stands where the crop of `a.jpg` would lie.
    taken = {_folded(folder) for _, path in sources for folder in path.parents}
    taken |= {f"{name}.png" for name in claimed.values()}
    wanted = collections.Counter(_folded(path.with_suffix("")) for _, path in sources)
    names = {}
    for source, path in sources:
        kept = [name for name in _first_choices(path) if _folded(name) == claimed.get(source)]
        names[source] = kept[0] if kept else _free_name(path, wanted, taken)
        taken.add(f"{_folded(names[source])}.png")
    return names


def output_path(name: Path, face: int | None, all_faces: bool) -> Path:
    """Return where a crop lies below the folder of crops.

    With all faces, every file name tells its face, so that the second face of `a.jpg` and the only
    one of a photograph called `a_face2.jpg` have different ones.

    Args:
        name: of its photograph, from `plan_names`.
        face: 1, 2, … or `None`: the whole picture.
        all_faces: whether every face of a photograph is cut out.
    """
    ending = ("_whole" if face is None else f"_face{face}") if all_faces else ""
    return name.with_name(f"{name.name}{ending}.png")


def name_of_output(output: str, all_faces: bool) -> str:
    """Return the name from which `output_path` made a path."""
    name = output.removesuffix(".png")
    return _FACE_OR_WHOLE.sub("", name) if all_faces else name


def _free_name(path: Path, wanted: Mapping[str, int], taken: set[str]) -> Path:
    plain = path.with_suffix("")
    return next(
        name
        for name in _choices(path)
        if f"{_folded(name)}.png" not in taken
        and not (name == plain and wanted[_folded(plain)] > 1)
    )


def _choices(path: Path) -> Iterator[Path]:
    yield path.with_suffix("")
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}-{number}")


def _first_choices(path: Path) -> Iterator[Path]:
    return itertools.islice(_choices(path), _KEPT_CHOICES)


def _folded(path: object) -> str:
    return printable(path).casefold()
