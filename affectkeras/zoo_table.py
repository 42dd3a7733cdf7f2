"""The model zoo as a table: `python -m affectkeras zoo`.

The lecture "Deep Learning for Sensing: Emotion Recognition" has eleven models in its Table 2-1;
here stands every backbone of `keras.applications`. Without measuring nothing of Keras is loaded.
"""

import csv
import difflib
import fnmatch
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.transfer.backbones import BACKBONES, Backbone
from affectkeras.transfer.published import FACTS

Format = Literal["markdown", "csv", "json"]
NONE = "–"
PREPROCESSING = {
    "caffe": "BGR, mean subtracted",
    "tf": "[−1, 1]",
    "torch": "mean and deviation",
    "none": "inside",
}
LEGEND = (
    "Size: weights file in MB, as published; ~: four bytes for every parameter. Parameters with "
    "the classification top, and without it. Features: what the pooled network gives. Depth: "
    "layers with weights, *: counted here. Top-1 and top-5: ImageNet's validation part, as "
    "published. Input: height and width in pixels it was trained at, and the least it can take. "
    "The preprocessing is part of every model that is built here."
)


def zoo_command(
    only: Sequence[str] = (),
    *,
    format: Format = "markdown",
    measure: bool = False,
    image_size: int | None = None,
    out: Path | None = None,
) -> None:
    """Print the table of backbones, or write it to a file.

    Args:
        only: names and patterns such as `resnet*`; empty: all.
        format: of the table.
        measure: also how fast each network is on this machine.
        image_size: height and width in pixels to measure at; None: each at its own.
        out: a file to write instead of printing.
    """
    backbones = choose_backbones(only)
    measured: dict[str, dict] = {}
    if measure:
        from affectkeras.zoo_measure import measure_backbones

        measured = measure_backbones(backbones, image_size)
    text = render(zoo_rows(backbones, measured), format)
    if out is None:
        print(text, end="")
        return
    with atomic_file(out) as file:
        file.write(text.encode("utf-8"))
    print(out)


def choose_backbones(only: Sequence[str]) -> list[Backbone]:
    """Return the backbones that names and patterns mean, each once, in the order of the zoo.

    Raises:
        UserError: where one means none, with those that are alike.
    """
    known = {backbone.name: backbone for backbone in BACKBONES}
    chosen = set() if only else set(known)
    for wanted in only:
        pattern = wanted.lower()
        found = [
            name
            for name, backbone in known.items()
            if fnmatch.fnmatchcase(name, pattern)
            or (fnmatch.fnmatchcase(backbone.build.lower(), pattern) and not backbone.arguments)
        ]
        if not found:
            close = difflib.get_close_matches(pattern, known, n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise UserError(
                f"--only {wanted}: no backbone has such a name.{hint} Leave --only out to see all, "
                "or give a pattern such as 'resnet*'."
            )
        chosen.update(found)
    return [backbone for name, backbone in known.items() if name in chosen]


def zoo_rows(backbones: Sequence[Backbone], measured: dict[str, dict]) -> list[dict]:
    """Return a flat dict per backbone.

    Args:
        backbones: of the zoo.
        measured: of `zoo_measure.measure_backbones`, by name; what is there is added to the row.
    """
    rows = []
    for backbone in backbones:
        facts = FACTS[backbone.name]
        row = {
            "model": backbone.name,
            "keras": backbone.build,
            "alpha": backbone.arguments.get("alpha"),
            "size_mb": round(facts.megabytes, 2),
            "size_published": facts.size_mb is not None,
            "parameters": facts.parameters,
            "parameters_without_top": facts.parameters_without_top,
            "features": facts.features,
            "depth": facts.depth,
            "depth_published": facts.depth_published,
            "top1_percent": facts.top1,
            "top5_percent": facts.top5,
            "preprocessing": backbone.preprocessing,
            "input_size": backbone.default_size,
            "smallest_size": backbone.min_size,
        }
        rows.append(row | measured.get(backbone.name, {}))
    return rows


def render(rows: Sequence[dict], format: Format) -> str:
    """Return the table as text."""
    if format == "json":
        return json.dumps(list(rows), indent=2, ensure_ascii=False) + "\n"
    if format == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
    return _markdown(rows)


def _markdown(rows: Sequence[dict]) -> str:
    header = ["model", "in Keras", "MB", "parameters", "without top", "features", "depth"]
    header += ["top-1 %", "top-5 %", "preprocessing", "input", "from"]
    measured = "latency_ms" in rows[0]
    header += ["ms an image", "features/s"] if measured else []
    left = {0, 1, 9}
    lines = ["| " + " | ".join(header) + " |"]
    lines.append("|" + "|".join("---" if i in left else "--:" for i in range(len(header))) + "|")
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    words = LEGEND
    if measured:
        words += " " + _measured_words(rows[0])
    return "\n".join(lines) + f"\n\n{words}\n"


def _cells(row: dict) -> list[str]:
    alpha = "" if row["alpha"] is None else f" α {row['alpha']:g}"
    small = row["size_mb"] < 10
    cells = [
        row["model"],
        row["keras"] + alpha,
        ("" if row["size_published"] else "~") + f"{row['size_mb']:.{1 if small else 0}f}",
        f"{row['parameters']:,}",
        f"{row['parameters_without_top']:,}",
        str(row["features"]),
        f"{row['depth']}" + ("" if row["depth_published"] else "*"),
        f"{row['top1_percent']:.1f}",
        NONE if row["top5_percent"] is None else f"{row['top5_percent']:.1f}",
        PREPROCESSING[row["preprocessing"]],
        str(row["input_size"]),
        str(row["smallest_size"]),
    ]
    if "latency_ms" in row:
        cells += [f"{row['latency_ms']:,.1f}", f"{row['features_per_second']:,.1f}"]
    return cells


def _measured_words(row: dict) -> str:
    sizes = "each at its input size"
    if row["measured_at_own_size"] is False:
        sizes = f"all at {row['measured_size']}×{row['measured_size']} pixels"
    return (
        f"Measured on {row['machine']}, {sizes}, from pixels to pooled features: the median "
        f"latency of single images, and features/s in batches of {row['batch_size']}."
    )
