"""What a recipe on wearables begins with: windows of signals, who is held out, what leaks."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectkeras import records
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.leakage import check_split, join_findings, refuse_leak
from affectkeras.evaluation.splits import Split
from affectkeras.evaluation.subject_splits import leave_one_out_splits
from affectkeras.pipelines.signals import Channel, cut_windows


@dataclasses.dataclass(frozen=True, eq=False)
class Wearables:
    """Windows of recordings, ready for training.

    Args:
        stretches: what the reader returned, with its labels as classes.
        table: the windows; where there are several lengths, those of the longest.
        inputs: length in seconds → the windows of that length, float32 `(rows, time, channels)`,
            one for each row of `table`.
        channels, rate_hz: of the windows.
        splits: one for each subject or dyad that is held out.
        findings: of the leakage check.
        prepare_s: how long it all took, in seconds.
    """

    stretches: ExampleTable
    table: ExampleTable
    inputs: dict[float, np.ndarray]
    channels: tuple[Channel, ...]
    rate_hz: float
    splits: tuple[Split, ...]
    findings: dict
    prepare_s: float

    @property
    def labels(self) -> np.ndarray:
        """The class index of each row."""
        return self.table.frame[self.table.class_target.name].to_numpy()


def prepare_wearables(
    config,
    stretches: ExampleTable,
    channels: Sequence[Channel],
    *,
    seconds: Sequence[float],
    rate_hz: float,
    place: str = "end",
    step_s: float | None = None,
    began: float | None = None,
) -> Wearables:
    """Cut windows, hold out one subject or dyad after the other, and print what came of it.

    Windows of several lengths end at the same annotations: those where the longest has room, so
    that lengths are compared on the same rows.

    Args:
        config: a recipe's `Config`: `protocol`, `scale`, `max_gap`, `max_rejected` and
            `shuffle_labels` are read from it.
        stretches: labelled stretches of recordings.
        channels: of the windows.
        seconds: lengths of the windows; several only with `place="end"`.
        rate_hz, place, step_s: as in `cut_windows`.
        began: `time.perf_counter()` when the reading began.

    Raises:
        UserError: when too much was damaged, nothing can be cut, or the split leaks where it must
            not.
    """
    began = time.perf_counter() if began is None else began
    stretches.check_rejected(config.max_rejected)
    lengths = sorted(seconds)
    tables = {
        length: cut_windows(
            stretches,
            channels,
            seconds=length,
            rate_hz=rate_hz,
            place=place,
            step_s=step_s,
            scale=config.scale,
            max_gap=config.max_gap,
        )
        for length in lengths
    }
    table = _common_rows(tables)
    target = table.class_target
    inputs = {length: _signals(one, table) for length, one in tables.items()}
    if config.shuffle_labels:
        table = shuffle_labels(table, target.name)
    splits = leave_one_out_splits(
        table.frame,
        target.name,
        "dyad" if config.protocol == "dyad" else "subject",
        partners_aside=config.protocol != "paper",
        class_names=target.class_names,
    )
    findings = join_findings([check_split(table.frame, split) for split in splits])
    refuse_leak(findings, config.protocol)
    _print_counts(stretches, table)
    print(splits[0].description)
    return Wearables(
        stretches,
        table,
        inputs,
        tuple(channels),
        rate_hz,
        splits,
        findings,
        time.perf_counter() - began,
    )


def shuffle_labels(table: ExampleTable, target: str, seed: int = 0) -> ExampleTable:
    """Return the table with each subject's labels dealt out anew among the subject's windows.

    Nothing can be learnt from them: what a network then still knows more than a floor, it has from
    a leak.
    """
    generator = np.random.default_rng(seed)
    frame = table.frame.copy()
    dealt = frame.groupby("subject", sort=True)[target].transform(
        lambda labels: generator.permutation(labels.to_numpy())
    )
    frame[target] = dealt.to_numpy()
    return dataclasses.replace(table, frame=frame)


def _common_rows(tables: dict[float, ExampleTable]) -> ExampleTable:
    """Return the longest windows, without those that end where a shorter one was excluded."""
    *shorter, longest = tables.values()
    here, kept = _ends(longest), np.ones(len(longest), bool)
    for one in shorter:
        kept &= here.isin(_ends(one))
    return longest.keep(kept, "a shorter window that ends there has too many gaps")


def _ends(table: ExampleTable) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table.frame[["recording", "window_end_s"]])


def _signals(of_length: ExampleTable, table: ExampleTable) -> np.ndarray:
    rows = _ends(of_length).get_indexer(_ends(table))
    return of_length.payload.arrays["signals"][of_length.payload.index[rows]]


def _print_counts(stretches: ExampleTable, table: ExampleTable) -> None:
    print(
        f"{stretches.read} labelled stretches read = {len(stretches)} used + "
        f"{len(stretches.rejected)} rejected, in {len(stretches.payload.recordings)} recordings; "
        f"{int(stretches.payload.irregularities['count'].sum())} irregular samples or rows"
    )
    aside = len(table.rejected) - len(stretches.rejected)
    print(
        f"{len(table) + aside} windows = {len(table)} used + {aside} left out, of "
        f"{table.frame['subject'].nunique()} subjects"
    )


def prediction_rows(data: Wearables, rows, probabilities, **place) -> pd.DataFrame:
    """Return rows of `predictions.csv`, with the subject of each."""
    found = records.prediction_rows(data.table, rows, probabilities, **place)
    subject = data.table.frame["subject"].to_numpy()[rows]
    found.insert(found.columns.get_loc("group") + 1, "subject", subject)
    return found
