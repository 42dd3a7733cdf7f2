"""Looking through a data set before any training: what is there, what is not, what to mend."""

import dataclasses
import inspect
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from affectkeras import datasets
from affectkeras.datasets.table import (
    SPLITS,
    ArrayPayload,
    ExampleTable,
    FilePayload,
    Target,
)
from affectkeras.errors import UserError
from affectkeras.media.hashing import find_identical
from affectkeras.media.near_duplicates import describe_images, find_copies

LISTED = 20  # lines of each kind of finding; the others are counted
_NO_SPLIT = "no split"


@dataclasses.dataclass
class Report:
    """The text of the report as it grows, and the problems met on the way."""

    lines: list[str] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def add(self, title: str, lines: Iterable[str] = ()) -> None:
        """Append a section: a title and its indented lines."""
        self.lines += ["", title, *(f"  {line}" for line in lines)]


def doctor_command(name: str | None, folder: Path | None, **options: str | None) -> int:
    """Print what `python -m affectkeras doctor` has to say.

    Args:
        name: the data set; None: print the names there are.
        folder: the raw folder or .zip; None: print the layout that is expected.
        options: of the reader, such as `images` or `group_pattern`; None is left out.

    Returns:
        0 where all is well, 1 where problems were found.

    Raises:
        UserError: when the data set is unknown, an option is not the reader's, or the folder cannot
            be read as that data set.
    """
    if name is None:
        print("\n".join(_list_names()))
        return 0
    reader = datasets.reader(name)
    if folder is None:
        print(f"Expected layout of {name}:\n{reader.LAYOUT.strip()}")
        print(f"\nLook through yours: python -m affectkeras doctor {name} DIR")
        return 0
    report = examine(reader, Path(folder), **options)
    print("\n".join(report.lines))
    return 1 if report.problems else 0


def examine(
    reader: ModuleType, folder: Path, *, progress: bool = True, **options: str | None
) -> Report:
    """Read a data set with its reader and return the report.

    Raises:
        UserError: as the reader does, or when it does not know an option that is not None.
    """
    name = reader.__name__.rsplit(".", 1)[-1]
    options = {key: value for key, value in options.items() if value is not None}
    known = inspect.signature(reader.read).parameters
    for option in options:
        if option not in known:
            raise UserError(f"The data set {name} has no option --{option.replace('_', '-')}.")
    of_find = inspect.signature(reader.find).parameters
    layout = reader.find(folder, **{key: options[key] for key in options if key in of_find})
    table = reader.read(folder, progress=progress, **options)
    report = Report([f"{name}: {_printable(folder)}"])
    _report_layout(report, layout, reader.LAYOUT)
    # What was published counts the images that are read without options.
    paper = {} if options else getattr(reader, "PAPER_COUNTS", {})
    for target in table.targets:
        if target.kind == "class":
            _report_counts(report, table, target, paper)
    _report_groups(report, table, takes_pattern="group_pattern" in known)
    _report_rejected(report, table)
    _report_identical(report, table, progress)
    if name != "image_folder":  # one's own files may be numbered alike in every folder
        _report_same_names(report, table)
    _report_sum(report, table)
    return report


def _list_names() -> list[str]:
    width = max(map(len, datasets.NAMES))
    lines = ["python -m affectkeras doctor NAME DIR looks through the folder DIR.", "", "NAME is"]
    for name in datasets.NAMES:
        summary = inspect.getdoc(datasets.reader(name)).splitlines()[0]
        lines.append(f"  {name:<{width}}  {summary}")
    return [*lines, "", "Without DIR the layout that is expected is shown."]


def _report_layout(report: Report, layout: object, expected: str) -> None:
    missing = getattr(layout, "missing", ())
    found = []
    for field in dataclasses.fields(layout):
        value = getattr(layout, field.name)
        if field.name != "missing" and value not in (None, ()):
            texts = _describe(value)
            found.append(f"{field.name.replace('_', ' ')}: {texts[0]}")
            found += [" " * (len(field.name) + 2) + text for text in texts[1:]]
    report.add("Found", found)
    if missing:
        report.add("Missing", missing)
        report.add("Expected layout", expected.strip().splitlines())
        report.problems += [f"missing: {part}" for part in missing]


def _describe(value: object) -> list[str]:
    """Return the value of a layout's field as lines: paths, (name, path) pairs, names."""
    if isinstance(value, Path):
        return [_printable(value)]
    if not isinstance(value, tuple):
        return [str(value)]
    if all(isinstance(item, str) for item in value):
        return [", ".join(value)]
    if len(value) == 2 and isinstance(value[0], str):
        return [f"{value[0] or _NO_SPLIT}: {' '.join(_describe(value[1]))}"]
    return [line for item in value for line in _describe(item)]


def _report_counts(
    report: Report, table: ExampleTable, target: Target, paper: dict[str, Sequence[int]]
) -> None:
    columns: list[tuple[str, Sequence[int]]] = []
    for split in SPLITS:
        if _has(table, split):
            columns.append((split or _NO_SPLIT, _count(table, target, split)))
            if split in paper:
                columns.append(("paper", paper[split]))
    rows = [["", *(title for title, _ in columns)]]
    for index, name in enumerate(target.class_names):
        rows.append([name, *(str(counts[index]) for _, counts in columns)])
    rows.append(["all", *(str(sum(counts)) for _, counts in columns)])
    legend = ", paper: as published" if any(split in paper for split in SPLITS) else ""
    report.add(f"Images per class ({target.name}{legend})", _align(rows))
    total = sum(_count(table, target, split) for split in SPLITS)
    for name, count in zip(target.class_names, total, strict=True):
        if count == 0:
            report.problems.append(f"no usable image of the class {name}")


def _count(table: ExampleTable, target: Target, split: str) -> np.ndarray:
    """Return the number of examples of each class in one split: int64 `(classes,)`."""
    values = table.frame.loc[table.frame["split"] == split, target.name].to_numpy(dtype=np.int64)
    return np.bincount(values, minlength=len(target.class_names))


def _report_groups(report: Report, table: ExampleTable, takes_pattern: bool) -> None:
    if not table.groups_known:
        lines = ["Who or what is shown is not told: every image counts as a group of its own."]
        if takes_pattern:
            lines.append("Where the path tells it, name it: --group-pattern '/([^/_]+)_[^/]*$'")
        report.add("Groups: unknown", lines)
        return
    sides = table.frame.groupby("group")["split"].agg(lambda splits: frozenset(splits))
    lines = []
    for split in SPLITS:
        if _has(table, split):
            number = sum(split in on_sides for on_sides in sides)
            lines.append(f"{split or _NO_SPLIT}: {number}")
    shared = [group for group, on_sides in sides.items() if len(on_sides) > 1]
    if shared:
        named = ", ".join(shared[:5]) + (" …" if len(shared) > 5 else "")
        lines.append(f"in several splits: {len(shared)} ({named}); --protocol grouped keeps each")
        lines.append("on one side, --protocol official leaves them as they are")
    report.add(f"Groups: {len(sides)}", lines)


def _report_rejected(report: Report, table: ExampleTable) -> None:
    damaged = table.rejected[table.rejected["kind"] == "damaged"]
    if len(damaged):
        lines = [f"{row.path}: {row.reason}" for row in damaged.itertuples()]
        report.add(f"Cannot be used: {len(damaged)}", _shorten(lines))
        report.problems.append(f"{len(damaged)} that cannot be used: mend or remove the files")
    for kind in ("unlabelled", "excluded"):
        reasons = Counter(table.rejected.loc[table.rejected["kind"] == kind, "reason"])
        if reasons:
            lines = [f"{count} × {reason}" for reason, count in reasons.most_common()]
            report.add(f"Set aside as {kind}: {reasons.total()}", _shorten(lines))


def _report_identical(report: Report, table: ExampleTable, progress: bool) -> None:
    """Report images that are the same to the pixel: across splits they let a model cheat."""
    sources = _image_sources(table.payload)
    if sources is None:
        report.add("Pixel-identical images: not looked for, the examples are no images")
        return
    signatures = describe_images(sources, progress=progress)
    groups = find_identical(signatures.digests)
    frame = table.frame
    classes = [target.name for target in table.targets if target.kind == "class"]
    across, labels, within = [], [], []
    for rows in groups:
        line = " = ".join(frame["example_id"].iloc[rows])
        if frame["split"].iloc[rows].nunique() > 1:
            across.append(line)
        else:
            within.append(line)
        if any(frame[name].iloc[rows].nunique() > 1 for name in classes):
            labels.append(line)
    report.add(
        f"Pixel-identical images: {sum(map(len, groups))} images in {len(groups)} sets",
        [f"in several splits: {len(across)} sets, within one: {len(within)}"] if groups else [],
    )
    if across:
        report.add("The same image in several splits", _shorten(across))
        report.problems.append(
            f"{len(across)} sets of identical images in several splits: the owner's split leaks; "
            "--protocol grouped keeps each set on one side"
        )
    if labels:
        report.add("The same image under several classes", _shorten(labels))
        report.problems.append(
            f"{len(labels)} sets of identical images under several classes: no model can be right "
            "about all of them"
        )
    if within:
        report.add("The same image several times in one split", _shorten(within, 5))
    _report_copies(report, frame, find_copies(signatures, progress=progress))


def _report_copies(report: Report, frame: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """Report pictures that stand in several splits, encoded or sized anew, or mirrored."""
    pairs = pairs[pairs["kind"] != "identical"]
    names, splits = frame["example_id"].to_numpy(), frame["split"].to_numpy()
    lines = [
        f"{names[one]} and {names[other]}" + (" (mirrored)" if kind == "mirrored" else "")
        for one, other, kind in zip(pairs["first"], pairs["second"], pairs["kind"], strict=True)
        if splits[one] != splits[other]
    ]
    if lines:
        report.add(f"Copies of a picture in several splits: {len(lines)} pairs", _shorten(lines))
        report.problems.append(
            f"{len(lines)} pairs of copies in several splits: the owner's split leaks; every "
            "--protocol but paper leaves the training one out"
        )


def _report_same_names(report: Report, table: ExampleTable) -> None:
    """Report file names under two classes: worth a look, though numbered files share theirs."""
    for target in table.targets:
        if target.kind != "class" or not isinstance(table.payload, FilePayload):
            continue
        names = pd.DataFrame(
            {
                "split": table.frame["split"],
                "file": table.frame["example_id"].str.rsplit("/", n=1).str[-1],
                "label": table.frame[target.name],
            }
        )
        found = names.groupby(["split", "file"])["label"].unique()
        lines = []
        for (split, file), labels in found[found.map(len) > 1].items():
            among = ", ".join(target.class_names[label] for label in sorted(labels))
            lines.append(f"{split or _NO_SPLIT}: {file} in {among}")
        if lines:
            report.add(f"The same file name under several classes: {len(lines)}", _shorten(lines))


def _report_sum(report: Report, table: ExampleTable) -> None:
    kinds = table.rejected["kind"].value_counts()
    parts = [f"{kinds.get(kind, 0)} {kind}" for kind in ("damaged", "unlabelled", "excluded")]
    report.add(f"Read {table.read} = {len(table)} used + {' + '.join(parts)}")
    if not len(table):
        report.problems.append("not a single usable example")
    if report.problems:
        report.add("Problems", report.problems)
    else:
        report.add("No problems found.")


def _image_sources(payload: FilePayload | ArrayPayload) -> list | None:
    if isinstance(payload, FilePayload):
        return list(payload.paths)
    if "pixels" not in payload.arrays:
        return None
    return [payload.arrays["pixels"][row] for row in payload.index]


def _has(table: ExampleTable, split: str) -> bool:
    return bool((table.frame["split"] == split).any())


def _align(rows: list[list[str]]) -> list[str]:
    """Return the rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines


def _shorten(lines: Sequence[str], most: int = LISTED) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"… and {more} more"] if more > 0 else [])]


def _printable(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
