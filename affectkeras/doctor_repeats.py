"""What the doctor says of images and file names that stand more than once in a data set."""

import os

import pandas as pd

from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.sample.marks import SampleMarks
from affectkeras.datasets.table import ArrayPayload, ExampleTable, FilePayload
from affectkeras.doctor_report import NO_SPLIT, Report, shorten
from affectkeras.media.hashing import find_identical, pixel_digests
from affectkeras.media.near_duplicates import describe_images, find_copies


def report_identical(
    report: Report, table: ExampleTable, marks: SampleMarks, progress: bool
) -> None:
    """Report images that are the same to the pixel, and copies that are not.

    Across splits they let a model cheat.
    """
    sources = _image_sources(table.payload)
    if sources is None:
        report.add("Pixel-identical images: not looked for, the examples are no images")
        return
    frame = table.frame
    if isinstance(table.payload, FilePayload) and _are_videos(table.payload):
        report.add("Pixel-identical images: not looked for, the examples are videos")
        return
    signatures = None
    if "video" in frame:  # only digests: there can be millions
        digests = pixel_digests(sources, progress=progress)
    else:
        signatures = describe_images(sources, progress=progress)
        digests = signatures.digests
    groups = find_identical(digests)
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
        report.add("The same image in several splits", shorten(across))
        report.problems.append(
            f"{len(across)} sets of identical images in several splits: the owner's split leaks; "
            "--protocol grouped keeps each set on one side"
        )
    if labels:
        report.add("The same image under several classes", shorten(labels))
        report.problems.append(
            f"{len(labels)} sets of identical images under several classes: no model can be right "
            "about all of them"
        )
    if within:
        report.add("The same image several times in one split", shorten(within, 5))
    if signatures is None:
        report.add("Copies that are not identical: not looked for, frames of a video are alike")
        return
    _report_copies(report, frame, find_copies(signatures, progress=progress), marks)


def _report_copies(
    report: Report, frame: pd.DataFrame, pairs: pd.DataFrame, marks: SampleMarks
) -> None:
    """Report pictures that stand in several splits, encoded or sized anew, or mirrored.

    Sample faces are drawn one by one: where two are as like as copies, that is chance.
    """
    pairs = pairs[pairs["kind"] != "identical"]
    names, splits = frame["example_id"].to_numpy(), frame["split"].to_numpy()
    drawn = frame["example_id"].str.rsplit("/", n=1).str[-1].isin(marks.drawn).to_numpy()
    copies, chance = [], []
    for one, other, kind in zip(pairs["first"], pairs["second"], pairs["kind"], strict=True):
        if splits[one] != splits[other]:
            line = f"{names[one]} and {names[other]}"
            line += " (mirrored)" if kind == "mirrored" else ""
            (chance if drawn[one] and drawn[other] else copies).append(line)
    if chance:
        title = "Sample faces of several splits as like as copies, by chance"
        report.add(f"{title}: {len(chance)} pairs", shorten(chance))
    if copies:
        report.add(f"Copies of a picture in several splits: {len(copies)} pairs", shorten(copies))
        report.problems.append(
            f"{len(copies)} pairs of copies in several splits: the owner's split leaks; every "
            "--protocol but paper leaves the training one out"
        )


def report_same_names(report: Report, table: ExampleTable) -> None:
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
            lines.append(f"{split or NO_SPLIT}: {file} in {among}")
        if lines:
            report.add(f"The same file name under several classes: {len(lines)}", shorten(lines))


def _are_videos(payload: FilePayload) -> bool:
    return any(os.path.splitext(path)[1].casefold() in VIDEO_SUFFIXES for path in payload.paths[:1])


def _image_sources(payload: FilePayload | ArrayPayload) -> list | None:
    if isinstance(payload, FilePayload):
        return list(payload.paths)
    if "pixels" not in payload.arrays:
        return None
    return [payload.arrays["pixels"][row] for row in payload.index]
