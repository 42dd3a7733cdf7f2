"""Writing what sample wristbands measured, and telling what was planted in it on purpose."""

import csv
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from affectkeras.cache import cache_dir
from affectkeras.datasets.sample.marks import TRUTH_FILE, VIDEO_TRUTH_COLUMNS
from affectkeras.datasets.sample.physiology_devices import HEART_MEAN_S, RATES, Worn

PLANTED_FILE = "sample_planted.json"
PLANTED_COLUMNS = ("file", "kind", "count", "note")


@dataclasses.dataclass(frozen=True)
class Planted:
    """Something irregular that was written on purpose.

    Args:
        file: in which it is, or which is missing: the path below the raw folder, with "/".
        kind: what it is, one or a few words, see the writers.
        count: how often: of samples, rows or files, as the kind says.
        note: what else is to be known, such as from when to when.
    """

    file: str
    kind: str
    count: int
    note: str = ""


def planted(folder: Path) -> pd.DataFrame:
    """Return what was planted in a folder of sample recordings: `PLANTED_COLUMNS`, a row each.

    Args:
        folder: as a `write_sample_…` function of recordings left it.
    """
    content = json.loads((Path(folder) / PLANTED_FILE).read_text(encoding="utf-8"))
    return pd.DataFrame(content, columns=list(PLANTED_COLUMNS))


def write_truth(folder: Path, found: Iterable[Planted]) -> None:
    """Write what was planted, and the marks by which sample data is known again."""
    folder = Path(folder)
    rows = [dataclasses.asdict(one) for one in found]
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (TRUTH_FILE, PLANTED_FILE)
    )
    (folder / PLANTED_FILE).write_text(text, encoding="utf-8")
    kinds: dict[str, list[str]] = {}
    for row in rows:
        kinds.setdefault(row["file"], []).append(row["kind"])
    with (folder / TRUTH_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(VIDEO_TRUTH_COLUMNS)  # the last column tells of faces only
        writer.writerows([name, "; ".join(kinds.get(name, ())), ""] for name in files)


def cached_sample(name: str, version: int, seed: int, write: Callable[[Path], None]) -> Path:
    """Return the folder of a sample in the cache, written at the first call.

    Args:
        name: of the layout.
        version: of what is written: older ones are left alone.
        seed: of everything that is drawn.
        write: fills a folder. What it leaves unfinished is removed.
    """
    folder = cache_dir("sample") / f"{name}-seed{seed}-v{version}"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                write(unfinished)
                os.replace(unfinished, folder)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def for_each(
    write: Callable[[object], Sequence[Planted]],
    plans: Sequence[object],
    folder: Path,
    *,
    progress: bool,
) -> list[Planted]:
    """Return what was planted by a function that is called for each plan, in their order.

    Args:
        write: writes the files of a plan.
        plans: one for each person.
        folder: where they lie; told where there is no terminal.
        progress: whether to show a progress bar, or one line where there is no terminal.
    """
    if progress and not sys.stderr.isatty():
        count = len(plans)
        print(f"Writing {count} sample recordings, once, below {folder.parent} …", file=sys.stderr)
    hidden = None if progress else True  # None: shown on a terminal only
    found: list[Planted] = []
    for plan in tqdm(plans, "Writing sample recordings", disable=hidden, unit="person"):
        found += write(plan)
    return found


def write_rows(path: Path, header: str, form: str, *columns: np.ndarray | Sequence) -> None:
    """Write columns as rows of text.

    Args:
        path: of the file; its folder is made if absent.
        header: the first lines, without the last line's end; "" for none.
        form: of a row, with a `%` place for each column.
        columns: equally long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lists = [np.asarray(column).tolist() for column in columns]
    lines = [form % row for row in zip(*lists, strict=True)]
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join([header, *lines] if header else lines) + "\n")


_FORMS = {"ACC": "%d,%d,%d", "BVP": "%.2f", "EDA": "%.6f", "TEMP": "%.2f", "HR": "%.2f"}


def write_e4(folder: Path, worn: Worn, start_s: int, *, leave_out: Sequence[str] = ()) -> None:
    """Write a wristband's recording as an E4 exports it: without headers, each file its own start.

    Args:
        folder: of the recording; made if absent.
        worn: what was measured.
        start_s: when it begins, seconds since 1970-01-01 UTC.
        leave_out: names of files that are not written, such as "IBI".
    """
    for name, values in worn.signals.items():
        if name not in leave_out:
            start = f"{start_s + (HEART_MEAN_S if name == 'HR' else 0)}.000000"
            axes = values.T if values.ndim == 2 else (values,)
            rows = [", ".join([text] * len(axes)) for text in (start, f"{RATES[name]:.6f}")]
            write_rows(folder / f"{name}.csv", "\n".join(rows), _FORMS[name], *axes)
    if "IBI" not in leave_out:
        header = f"{start_s}.000000, IBI"
        write_rows(folder / "IBI.csv", header, "%.6f,%.6f", *worn.ibi.T)
