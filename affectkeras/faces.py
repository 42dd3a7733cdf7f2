"""What every recipe on still faces begins with: the table, and a split that was checked."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets import reader
from affectkeras.datasets.classes import leave_out_classes
from affectkeras.datasets.table import ArrayPayload, ExampleTable
from affectkeras.errors import UserError
from affectkeras.evaluation.assignment import join_units
from affectkeras.evaluation.folds import grouped_folds
from affectkeras.evaluation.leakage import check_split, refuse_leak
from affectkeras.evaluation.splits import Split, split_table, subsample, ties_of
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
    copies = _find_copies(table)
    split = split_table(
        table.frame,
        table.class_target.name,
        protocol,
        seed=SPLIT_SEED,
        groups_known=table.groups_known,
        copies=None if copies is None else join_pairs(copies, len(table)),
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


def inner_face_folds(
    table: ExampleTable, rows: np.ndarray, folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide training rows for the choice of settings.

    Groups, subjects and copies of one picture stay whole; class shares are as even as they allow.

    Args:
        table: the examples.
        rows: training rows.
        folds: how many, at least 2.
        seed: the same seed gives the same folds.

    Returns:
        Pairs `(train, validation)` of places in `rows`; every place validates once.

    Raises:
        UserError: when there are fewer groups than folds.
    """
    units = row_units(table, np.sort(rows))
    found = len(np.unique(units))
    if folds < 2 or found < folds:
        raise UserError(
            f"--folds {folds}: settings are chosen by at least 2 folds, and as many training "
            f"groups that share nothing; there are {found}. Ask for fewer, or give more data."
        )
    labels = table.frame[table.class_target.name].to_numpy()[np.sort(rows)]
    # Places in the ascending rows, as the units have them.
    place = np.argsort(rows, kind="stable")
    return [
        (place[fold.train], place[fold.test])
        for fold in grouped_folds(units, folds=folds, seed=seed, labels=labels)
    ]


def row_units(table: ExampleTable, rows: np.ndarray) -> np.ndarray:
    """Return the unit of each row: rows of one group or subject, and copies of one picture, share.

    Args:
        table: the examples.
        rows: of the table, ascending.

    Returns:
        int64 `(rows,)`.
    """
    part = table.keep(np.isin(np.arange(len(table)), rows), "not asked for")
    copies = _find_copies(part)
    copies = [] if copies is None else join_pairs(copies, len(part))
    ties = ties_of(part.frame, table.groups_known, copies)
    together = [
        places
        for codes in ties.values()
        for code, places in pd.Series(codes).groupby(codes).indices.items()
        if code >= 0
    ]
    return join_units(np.arange(len(part)), together)


def target_distribution(table: ExampleTable) -> np.ndarray:
    """Return what each row trains towards, `(rows, classes)` float32: one-hot or soft."""
    target = table.class_target
    if target.distribution:
        return table.frame[list(target.distribution)].to_numpy(np.float32)
    return np.eye(len(target.class_names), dtype=np.float32)[table.frame[target.name].to_numpy()]


def _find_copies(table: ExampleTable) -> pd.DataFrame | None:
    """Return the pairs of pictures that are copies; None where the examples are no pictures."""
    if isinstance(table.payload, ArrayPayload) and "pixels" not in table.payload.arrays:
        return None
    return find_copies(describe_images(_image_sources(table)))


def _image_sources(table: ExampleTable) -> list:
    if isinstance(table.payload, ArrayPayload):
        pixels = table.payload.arrays["pixels"]
        return [pixels[row] for row in table.payload.index]
    return list(table.payload.paths)
