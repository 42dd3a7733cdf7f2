"""An E4 recording read and cut into windows with pandas, window by window: plain code as is usual.

The peer of `benchmarks.signal_windows`: it says the same, so it follows the same rules (0 in EDA,
TEMP and HR is missing; between beats at most 2 s apart the interval is interpolated, elsewhere it
is missing; a gap fills a window up to a share), and each step is the pandas call that is made for
it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = {"BVP.csv": ["bvp"], "EDA.csv": ["eda"], "TEMP.csv": ["temperature"]}
COLUMNS |= {"HR.csv": ["heart_rate"], "ACC.csv": ["x", "y", "z"]}
ZERO_IS_MISSING = ("EDA.csv", "TEMP.csv", "HR.csv")
LONGEST_BEAT_GAP = pd.Timedelta(seconds=2)


def read_with_pandas(folder: Path) -> dict[str, pd.DataFrame]:
    """Return each file's values with the times they were taken at."""
    read = {}
    for file, columns in COLUMNS.items():
        head = pd.read_csv(folder / file, header=None, nrows=2)
        start, rate = head.iloc[0, 0], head.iloc[1, 0]
        values = pd.read_csv(folder / file, header=None, names=columns, skiprows=2)
        values.index = pd.date_range(
            pd.to_datetime(start, unit="s"), periods=len(values), freq=pd.Timedelta(1 / rate, "s")
        )
        if file in ZERO_IS_MISSING:
            values = values.where(values != 0)
        if file == "ACC.csv":
            values = values / 64
        read[file] = values
    start = pd.read_csv(folder / "IBI.csv", header=None, nrows=1).iloc[0, 0]
    beats = pd.read_csv(folder / "IBI.csv", header=None, names=["time", "ibi"], skiprows=1)
    beats.index = pd.to_datetime(start, unit="s") + pd.to_timedelta(beats["time"], unit="s")
    read["IBI.csv"] = beats[["ibi"]]
    return read


def cut_with_pandas(
    read: dict[str, pd.DataFrame], *, seconds: float, step_s: float, max_gap: float
) -> np.ndarray:
    """Return the windows with small enough gaps, `(windows, time, channels)`, at 4 Hz."""
    steady = [values for file, values in read.items() if file != "IBI.csv"]
    begin = min(values.index[0] for values in steady)
    end = max(values.index[-1] + values.index.freq for values in steady)
    length = pd.Timedelta(seconds=seconds)
    windows = []
    for start in pd.date_range(begin, end - length, freq=pd.Timedelta(seconds=step_s)):
        window = cut_one(read, start, start + length)
        if (window.isna().mean() <= max_gap).all():
            windows.append(window.interpolate(limit_direction="both").to_numpy(np.float32))
    return np.stack(windows)


def cut_one(read: dict[str, pd.DataFrame], start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """Return a window of all channels at 4 Hz, with its gaps."""
    slot, second = pd.Timedelta("250ms"), pd.Timedelta("1s")
    grid = pd.date_range(start, end, freq=slot, inclusive="left")
    before_end = end - pd.Timedelta("1ns")
    quick = [
        read[file].loc[start:before_end].resample(slot, origin=start).mean().reindex(grid)
        for file in ("BVP.csv", "ACC.csv")
    ]
    same = [
        read[file].loc[start:before_end].reindex(grid, method="nearest", tolerance=slot / 2)
        for file in ("EDA.csv", "TEMP.csv")
    ]
    slow = read["HR.csv"].loc[start - second : end + second]
    line = slow.reindex(slow.index.union(grid)).interpolate("time").reindex(grid)
    # A value stands for its own second, and for no time after or before.
    there = slow.reindex(grid, method="ffill", tolerance=second - pd.Timedelta("1ns"))
    heart_rate = line.where(there.notna())
    beats = interpolate_beats(read["IBI.csv"], grid)
    bvp, acceleration = quick
    return pd.concat([bvp, *same, heart_rate, acceleration, beats], axis=1)


def interpolate_beats(beats: pd.DataFrame, grid: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the intervals between beats at the grid's times."""
    near = beats.loc[grid[0] - LONGEST_BEAT_GAP : grid[-1] + LONGEST_BEAT_GAP]
    line = near.reindex(near.index.union(grid)).interpolate("time").reindex(grid)
    to_next = near.index.to_series().diff().shift(-1).reindex(grid, method="ffill")
    known = (to_next <= LONGEST_BEAT_GAP) | grid.isin(near.index)
    return line.where(known)


def cut_at_once(
    read: dict[str, pd.DataFrame], *, seconds: float, step_s: float, max_gap: float
) -> np.ndarray:
    """Return the same by resampling the whole recording once: for windows on one grid only."""
    steady = [values for file, values in read.items() if file != "IBI.csv"]
    begin = min(values.index[0] for values in steady)
    end = max(values.index[-1] + values.index.freq for values in steady)
    whole = cut_one(read, begin, end.ceil("250ms"))
    size, step, windows = round(4 * seconds), round(4 * step_s), []
    for first in range(0, int((end - begin) / pd.Timedelta("250ms")) - size + 1, step):
        window = whole.iloc[first : first + size]
        if (window.isna().mean() <= max_gap).all():
            windows.append(window.interpolate(limit_direction="both").to_numpy(np.float32))
    return np.stack(windows)
