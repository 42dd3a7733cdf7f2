"""Writes a made-up table of features the way SFEW.xlsx is laid out."""

import csv
from pathlib import Path

import numpy as np

from affectkeras.datasets.sample import sfew_plan
from affectkeras.datasets.sample.faces import CLASS_NAMES
from affectkeras.datasets.sample.marks import TRUTH_COLUMNS, TRUTH_FILE

ROWS = 675
NOT_A_NUMBER = 2  # rows, as spreadsheets of computed values have
_APART = 0.55  # deviations between the classes in each component: some two fifths are told right


def write_sample_sfew_features(folder: Path, *, seed: int = 0, rows: int = ROWS) -> Path:
    """Write `SFEW.xlsx` with made-up numbers, and beside it how it is known to be a sample.

    The components depend on the class alone, plus noise; neither film nor row tells anything.

    Args:
        folder: where to; made if absent.
        seed: of everything.
        rows: how many, of which `NOT_A_NUMBER` lack one.

    Returns:
        The table's path.
    """
    import openpyxl

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    counts = sfew_plan.share_counts(rows, sfew_plan.part_proportions("train"))
    labels = random.permutation(np.repeat(np.arange(len(CLASS_NAMES)), counts))
    middles = random.normal(0, _APART, (len(CLASS_NAMES), 10))
    values = middles[labels] + random.normal(size=(rows, 10))
    names = _names(random, rows)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    damaged = random.choice(rows, size=min(NOT_A_NUMBER, rows), replace=False)
    for row in range(rows):
        cells = [float(value) for value in values[row]]
        if row in damaged:
            cells[int(random.integers(10))] = "NaN"
        sheet.append([names[row], int(labels[row]) + 1, *cells])
    book.save(folder / "SFEW.xlsx")
    with (folder / TRUTH_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        for name, label in zip(names, labels, strict=True):
            writer.writerow([name, CLASS_NAMES[label], CLASS_NAMES[label], False])
    return folder / "SFEW.xlsx"


def _names(random: np.random.Generator, rows: int) -> list[str]:
    movies = (*sfew_plan.TRAIN_MOVIES, *sfew_plan.VALIDATION_MOVIES)
    found: dict[str, None] = {}
    while len(found) < rows:
        seconds = int(random.integers(60, 7000))
        clock = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
        movie = movies[random.integers(len(movies))]
        found[f"{movie}_{clock}{random.integers(1000):03d}_{random.integers(1, 100):08d}.png"] = (
            None
        )
    return list(found)
