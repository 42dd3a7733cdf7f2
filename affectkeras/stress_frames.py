"""What a recipe on frames of videos begins with: the table, its folds, and whether they leak."""

import time

import numpy as np
import pandas as pd

from affectkeras.datasets import anu_stress
from affectkeras.datasets.sample import sample_anu_stress
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.fold_splits import frames_split, subject_splits
from affectkeras.evaluation.leakage import check_split, join_findings, refuse_leak
from affectkeras.evaluation.splits import Split
from affectkeras.faces import SPLIT_SEED
from affectkeras.media.near_duplicates import describe_images, find_copies, join_pairs

CROP = 480  # side of the square cut out of a frame, pixels (StressNet paper, section 2.1)


def prepare_frames(config) -> tuple[ExampleTable, list[Split], dict, float]:
    """Cut and divide the frames that a recipe's settings name, and print what came of it.

    Args:
        config: a recipe's `Config`: `data_dir`, `labels`, `frames`, `max_rejected`, `protocol` and
            `folds` are read from it.

    Returns:
        The table, its splits (one per fold), the findings of the leakage check, and how long it
        took in seconds.

    Raises:
        UserError: when the folder is not what the reader expects, or the split leaks where it must
            not.
    """
    began = time.perf_counter()
    table = anu_stress.read(
        config.data_dir or sample_anu_stress(),
        labels=config.labels,
        frames=config.frames,
        crop=CROP,
    )
    table.check_rejected(config.max_rejected)
    copies = clip_copies(table)
    target = table.class_target.name
    if config.protocol == "paper":
        splits = [frames_split(table.frame, target, seed=SPLIT_SEED)]
    else:
        splits = list(
            subject_splits(
                table.frame,
                target,
                folds=config.folds,
                seed=SPLIT_SEED,
                copies=join_pairs(copies, len(table)),
            )
        )
    findings = join_findings([check_frames(table.frame, split, copies) for split in splits])
    refuse_leak(findings, config.protocol)
    damaged = int((table.rejected["kind"] != "excluded").sum())
    left_out = len(table.rejected) - damaged
    print(f"{table.read} frames = {len(table)} usable + {damaged} rejected + {left_out} left out")
    if left_out and config.labels < 20:
        print(f"Left out: clips after the first {config.labels} of each video (--labels 20: all).")
    print(splits[0].description)
    return table, splits, findings, time.perf_counter() - began


def clip_copies(table: ExampleTable) -> pd.DataFrame:
    """Return the pairs of rows with equal pixels, one frame of every clip being compared.

    That finds a video that stands under two names. Likeness, by which copies of photos are found,
    says nothing here: warm ovals on cold ground are all alike, whoever they are.
    """
    rows = np.flatnonzero(~table.frame["clip"].duplicated().to_numpy())
    pairs = find_copies(describe_images([table.payload.paths[row] for row in rows]))
    pairs = pairs[pairs["kind"] == "identical"]
    return pairs.assign(
        first=rows[pairs["first"].to_numpy(np.int64)],
        second=rows[pairs["second"].to_numpy(np.int64)],
    )


def check_frames(frame: pd.DataFrame, split: Split, copies: pd.DataFrame) -> dict:
    """Return the findings of `check_split`; that likeness was not looked at is said."""
    findings = check_split(frame, split, copies)
    for name in ("copy_on_two_sides", "mirrored_copy_on_two_sides"):
        del findings["checks"][name]
        findings["not_checked"][name] = (
            "thermal faces are too much alike to tell copies by likeness"
        )
    return findings
