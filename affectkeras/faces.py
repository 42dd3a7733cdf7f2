"""What every recipe on still faces begins with: the table, and a split that was checked."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectkeras.datasets import reader
from affectkeras.datasets.classes import leave_out_classes
from affectkeras.datasets.table import ArrayPayload, ExampleTable
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import check_split, refuse_leak
from affectkeras.evaluation.splits import Split, split_table, subsample
from affectkeras.media.near_duplicates import describe_images, find_copies, join_pairs

# Made and divided alike in every run, so that runs are compared on the same test rows.
SPLIT_SEED = 0


def prepare_faces(
    config,
    *,
    label_mode: str = "majority",
    published: str = "halved-validation",
    leave_out: Sequence[str] = (),
) -> tuple[ExampleTable, Split, dict, float]:
    """Read and divide the faces that a recipe's settings name, and print what came of it.

    Args:
        config: a recipe's `Config`: `dataset`, `data_dir`, `group_pattern`, `max_rejected`,
            `protocol` and `train_rows` are read from it.
        label_mode: of `ferplus`.
        published: what `--protocol paper` means, see `split_table`.
        leave_out: classes whose rows are not used.

    Returns:
        The table, the split, the findings of the leakage check, and how long it took in seconds.

    Raises:
        UserError: see `load_faces` and `divide_faces`.
    """
    began = time.perf_counter()
    table = load_faces(
        config.dataset,
        config.data_dir,
        label_mode=label_mode,
        group_pattern=config.group_pattern,
        max_rejected=config.max_rejected,
    )
    if leave_out:
        table = leave_out_classes(table, leave_out)
    split, findings = divide_faces(
        table, config.protocol, train_rows=config.train_rows, published=published
    )
    print(f"{table.read} examples read = {len(table)} usable + {len(table.rejected)} rejected")
    print(split.description)
    return table, split, findings, time.perf_counter() - began


def load_faces(
    dataset: str,
    data_dir: Path | None,
    *,
    label_mode: str = "majority",
    group_pattern: str | None = None,
    max_rejected: float = 0.05,
) -> ExampleTable:
    """Return the table of a face data set, or of the rendered sample faces.

    Args:
        dataset: the reader's name.
        data_dir: the folder as its owner ships it; `None`: sample faces, in the layout of `sfew`.
        label_mode: of `ferplus`.
        group_pattern: of `image_folder`.
        max_rejected: share of damaged files above which this is an error.

    Raises:
        UserError: when the folder is not what the reader expects.
    """
    if data_dir is None:
        if dataset != "sfew":
            raise UserError(
                f"--dataset {dataset} needs --data-dir: the sample faces are in SFEW's layout."
            )
        from affectkeras.datasets.sample import sample_sfew

        data_dir = sample_sfew()
    options = {
        "ferplus": {"label_mode": label_mode},
        "image_folder": {"group_pattern": group_pattern},
    }
    table = reader(dataset).read(Path(data_dir), **options.get(dataset, {}))
    table.check_rejected(max_rejected)
    return table


def divide_faces(
    table: ExampleTable,
    protocol: str,
    *,
    train_rows: int | None = None,
    published: str = "halved-validation",
) -> tuple[Split, dict]:
    """Return the split under a protocol and the findings of the leakage check.

    Args:
        protocol: `grouped`, `official` or `paper`, see `split_table`.
        train_rows: keep so many training rows, drawn by class; `None`: all.
        published: what `paper` means, see `split_table`.

    Raises:
        UserError: when the protocol cannot be followed, or the split leaks where it must not.
    """
    copies = find_copies(describe_images(_image_sources(table)))
    split = split_table(
        table.frame,
        table.class_target.name,
        protocol,
        seed=SPLIT_SEED,
        groups_known=table.groups_known,
        copies=join_pairs(copies, len(table)),
        # SFEW has films; a copy of it that names none has lost them.
        allow_unknown_groups=table.name != "sfew",
        class_names=table.class_target.class_names,
        published=published,
    )
    if train_rows is not None:
        labels = table.frame[table.class_target.name].to_numpy()[split.train]
        kept = subsample(split.train, labels, train_rows, SPLIT_SEED)
        split = split.keep_training(kept, f"not among the {train_rows} training rows asked for")
    findings = check_split(table.frame, split, copies)
    refuse_leak(findings, protocol)
    return split, findings


def target_distribution(table: ExampleTable) -> np.ndarray:
    """Return what each row trains towards, `(rows, classes)` float32: one-hot or soft."""
    target = table.class_target
    if target.distribution:
        return table.frame[list(target.distribution)].to_numpy(np.float32)
    return np.eye(len(target.class_names), dtype=np.float32)[table.frame[target.name].to_numpy()]


def _image_sources(table: ExampleTable) -> list:
    if isinstance(table.payload, ArrayPayload):
        pixels = table.payload.arrays["pixels"]
        return [pixels[row] for row in table.payload.index]
    return list(table.payload.paths)
