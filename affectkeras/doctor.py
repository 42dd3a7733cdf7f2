"""Looking through a data set before any training: what is there, what is not, what to mend."""

import dataclasses
import inspect
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from affectkeras import datasets
from affectkeras.datasets.recordings import UNITS, RecordingPayload
from affectkeras.datasets.sample.marks import SampleMarks, file_name, file_of, find_marks
from affectkeras.datasets.table import SPLITS, ExampleTable, Target
from affectkeras.doctor_recordings import report_recordings
from affectkeras.doctor_repeats import report_identical, report_same_names
from affectkeras.doctor_report import NO_SPLIT, Report, align, shorten
from affectkeras.errors import UserError


def doctor_command(name: str | None, folder: Path | None, **options: str | int | None) -> int:
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
    reader: ModuleType, folder: Path, *, progress: bool = True, **options: str | int | None
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
    marks = find_marks(folder)
    report = Report([f"{name}: {_printable(folder)}"])
    if marks:
        report.add("Sample data: drawn and written by affectkeras, in this layout")
    _report_layout(report, layout, reader.LAYOUT)
    # What was published counts the images that are read without options.
    paper = {} if options else getattr(reader, "PAPER_COUNTS", {})
    for target in table.targets:
        if target.kind == "class":
            _report_counts(report, table, target, paper, getattr(layout, "published", ""))
    _report_groups(report, table, takes_pattern="group_pattern" in known)
    notes = reader.notes(table) if hasattr(reader, "notes") else None
    if isinstance(table.payload, RecordingPayload):
        report_recordings(report, table, notes=notes, units=getattr(reader, "UNITS", UNITS))
        _report_rejected(report, table, marks)
    else:
        if notes is not None:
            report.add("Videos", notes)
        _report_rejected(report, table, marks)
        report_identical(report, table, marks, progress)
        if name != "image_folder":  # one's own files may be numbered alike in every folder
            report_same_names(report, table)
    _report_sum(report, table)
    return report


def _list_names() -> list[str]:
    names = (*datasets.NAMES, *datasets.TABLES)
    width = max(map(len, names))
    lines = ["python -m affectkeras doctor NAME DIR looks through the folder DIR.", "", "NAME is"]
    for name in names:
        summary = inspect.getdoc(datasets.reader(name)).splitlines()[0]
        lines.append(f"  {name:<{width}}  {summary}")
    return [*lines, "", "Without DIR the layout that is expected is shown."]


def _report_layout(report: Report, layout: object, expected: str) -> None:
    missing = getattr(layout, "missing", ())
    found = []
    for field in dataclasses.fields(layout):
        value = getattr(layout, field.name)
        if field.name not in ("missing", "published") and value not in (None, ()):
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
        return [f"{value[0] or NO_SPLIT}: {' '.join(_describe(value[1]))}"]
    return [line for item in value for line in _describe(item)]


def _report_counts(
    report: Report,
    table: ExampleTable,
    target: Target,
    paper: dict[str, Sequence[int]],
    published: str,
) -> None:
    columns: list[tuple[str, Sequence[int]]] = []
    for split in SPLITS:
        if _has(table, split):
            columns.append((split or NO_SPLIT, _count(table, target, split)))
            if split in paper:
                columns.append(("paper", paper[split]))
    rows = [["", *(title for title, _ in columns)]]
    for index, name in enumerate(target.class_names):
        rows.append([name, *(str(counts[index]) for _, counts in columns)])
    rows.append(["all", *(str(sum(counts)) for _, counts in columns)])
    lines = align(rows)
    if published:
        lines.append(f"found: {len(table)} that can be used; published: {published}")
    legend = ", paper: as published" if "paper" in rows[0] else ""
    recorded = isinstance(table.payload, RecordingPayload)
    one, many = ("stretch", "Stretches") if recorded else ("image", "Images")
    report.add(f"{many} per class ({target.name}{legend})", lines)
    total = sum(_count(table, target, split) for split in SPLITS)
    for name, count in zip(target.class_names, total, strict=True):
        if count == 0:
            report.problems.append(f"no usable {one} of the class {name}")


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
            lines.append(f"{split or NO_SPLIT}: {number}")
    shared = [group for group, on_sides in sides.items() if len(on_sides) > 1]
    if shared:
        named = ", ".join(shared[:5]) + (" …" if len(shared) > 5 else "")
        lines.append(f"in several splits: {len(shared)} ({named}); --protocol grouped keeps each")
        lines.append("on one side, --protocol official leaves them as they are")
    report.add(f"Groups: {len(sides)}", lines)


def _report_rejected(report: Report, table: ExampleTable, marks: SampleMarks) -> None:
    damaged = table.rejected[table.rejected["kind"] == "damaged"]
    planted = damaged["path"].map(file_name).isin(marks.planted)
    for rows, title in (
        (damaged[planted], "Cannot be used, planted on purpose to show how that is told"),
        (damaged[~planted], "Cannot be used"),
    ):
        if len(rows):
            report.add(f"{title}: {len(rows)}", shorten(_list_rejected(rows)))
    if not planted.all():
        number = (~planted).sum()
        report.problems.append(f"{number} that cannot be used: mend or remove the files")
    for kind in ("unlabelled", "excluded"):
        reasons = Counter(table.rejected.loc[table.rejected["kind"] == kind, "reason"])
        if reasons:
            lines = [f"{count} × {reason}" for reason, count in reasons.most_common()]
            report.add(f"Set aside as {kind}: {reasons.total()}", shorten(lines))


def _list_rejected(rows: pd.DataFrame) -> list[str]:
    """Return a line for each example; the frames of a video are counted by reason."""
    lines = []
    for (file, reason), found in rows.groupby([rows["path"].map(file_of), "reason"], sort=False):
        paths = list(found["path"])
        if paths[0] == file or len(paths) == 1:
            lines += [f"{path}: {reason}" for path in paths]
        else:
            first = paths[0].removeprefix(file).strip()
            lines.append(f"{file}: {len(paths)} frames from {first} on: {reason}")
    return lines


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


def _has(table: ExampleTable, split: str) -> bool:
    return bool((table.frame["split"] == split).any())


def _printable(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
