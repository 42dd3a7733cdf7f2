"""An hour of E4 data read and cut into windows: ours against pandas window by window.

    python -m benchmarks.signal_windows [--folder E4_FOLDER] [--quick]

Both read all six files (BVP, EDA, TEMP, HR, ACC, IBI), bring them to 4 Hz and cut windows of 60 s
every 10 s out of them, a float32 array at the end; the values are the same to 1e-5, or the
benchmark stops. The hour is made up: walks at random in the device's own format, with a late heart
rate, skin conductance that falls out and beats found now and then. With `--folder` a recording of
your own is measured too.

A case without a bar tells what pandas takes when it resamples the whole recording once and cuts
windows out of the result: not what is usually written, and only for windows that lie on one grid.

The promise: 20 times as fast.
"""

import dataclasses
import os
import tempfile
from pathlib import Path

BAR = 20.0
TOLERANCE = 1e-5
START = 1_600_000_000  # s since 1970


@dataclasses.dataclass(frozen=True)
class Config:
    folder: Path | None = None  # one recording of an Empatica E4, measured beside the made-up one
    minutes: float = 60.0  # of the made-up recording
    seconds: float = 60.0  # of a window
    step_s: float = 10.0  # from window to window, s
    max_gap: float = 0.9  # of a channel: of the beats of a wrist that moves, few are found
    repetitions: int = 7  # of each contestant, alternating
    quick: bool = False  # 5 minutes, 1 repetition: shows that it runs, measures nothing


def write_recording(folder: Path, minutes: float, seed: int = 0) -> Path:
    """Write the six files of a made-up recording and return their folder."""
    import numpy as np

    random = np.random.default_rng(seed)
    seconds = round(60 * minutes)

    def walk(rate, step, middle, low, high):
        steps = random.normal(0, step, round(rate * seconds))
        return np.clip(middle + np.cumsum(steps), low, high)

    eda = walk(4, 0.01, 3, 0.02, 60)
    for first in random.integers(0, len(eda), -(-seconds // 600)):  # the electrodes lose the skin
        eda[first : first + random.integers(4, 200)] = 0
    pulse = 60 * np.sin(np.arange(64 * seconds) * (2 * np.pi * 1.2 / 64))
    columns = {
        "BVP": (START, 64, "%.2f", pulse + random.normal(0, 10, 64 * seconds)),
        "EDA": (START, 4, "%.6f", eda),
        "TEMP": (START, 4, "%.2f", walk(4, 0.01, 33, 25, 40)),
        "HR": (START + 10, 1, "%.2f", walk(1, 0.5, 75, 45, 180)[:-10]),
        "ACC": (
            *(START, 32, "%d"),
            np.stack([walk(32, 1, m, -128, 127) for m in (0, 20, 60)], axis=1).round(),
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (start, rate, form, values) in columns.items():
        values = values.reshape(len(values), -1)
        head = [",".join([f"{number:.6f}"] * values.shape[1]) for number in (start, rate)]
        np.savetxt(folder / f"{name}.csv", values, form, ",", header="\n".join(head), comments="")
    # Intervals come in steps of 1/64 s; half of the beats are found, some dozen at a time.
    intervals = random.integers(45, 64, 2 * seconds) / 64
    times = np.cumsum(intervals)
    found = np.repeat(random.random(-(-len(times) // 24)) < 0.5, 24)[: len(times)]
    found &= times < seconds
    beats = np.stack([times, intervals], axis=1)[found]
    head = f"{START:.6f}, IBI"
    np.savetxt(folder / "IBI.csv", beats, "%.6f", ",", header=head, comments="")
    return folder


def cut_ours(folder: Path, config: Config):
    """Return the windows of a folder, float32 `(windows, time, channels)`."""
    import numpy as np
    import pandas as pd

    from affectkeras.datasets.e4_files import read_e4_folder
    from affectkeras.datasets.recordings import RecordingPayload, irregularity_frame
    from affectkeras.datasets.table import ExampleTable, rejected_frame
    from affectkeras.pipelines.signals import Channel, cut_windows

    recording, irregularities = read_e4_folder(folder, folder.name, folder.name)
    steady = [signal for name, signal in recording.signals.items() if name != "ibi"]
    row = dict.fromkeys(("example_id", "subject", "group", "source", "recording"), folder.name)
    row |= {"split": "", "start_s": min(one.start_s for one in steady)}
    row |= {"end_s": max(one.end_s for one in steady)}
    payload = RecordingPayload((recording,), np.array([0]), irregularity_frame(irregularities))
    table = ExampleTable("e4", pd.DataFrame([row]), (), payload, True, rejected_frame(), 1)
    names = ("bvp", "eda", "temperature", "heart_rate")
    axes = [Channel("acceleration", axis) for axis in range(3)]
    windows = cut_windows(
        table,
        [*map(Channel, names), *axes, Channel("ibi")],
        seconds=config.seconds,
        place="inside",
        step_s=config.step_s,
        max_gap=config.max_gap,
    )
    return windows.payload.arrays["signals"][windows.payload.index]


def measure_folder(folder: Path, config: Config, name: str) -> list[dict]:
    """Return the cases of one recording: against pandas by windows, and in one go."""
    from benchmarks.pandas_windows import cut_at_once, cut_with_pandas, read_with_pandas
    from benchmarks.side_by_side import measure_alternately

    options = {"seconds": config.seconds, "step_s": config.step_s, "max_gap": config.max_gap}
    contestants = {
        "ours": lambda: cut_ours(folder, config),
        "pandas by windows": lambda: cut_with_pandas(read_with_pandas(folder), **options),
        "pandas at once": lambda: cut_at_once(read_with_pandas(folder), **options),
    }
    windows = [run() for run in contestants.values()]  # warm
    for one in windows[1:]:
        check_same(windows[0], one)
    found = measure_alternately(contestants, config.repetitions, units=len(windows[0]))
    wanted = ((BAR, "pandas by windows", "pandas, window by window"),)
    wanted += ((None, "pandas at once", "pandas, resampled once"),)
    cases = []
    for bar, peer, configuration in wanted:
        ratio = found["ratios"][peer]
        cases.append(
            {
                "case": f"{name}, against {configuration}, windows/s",
                "ours": found["medians"]["ours"],
                "peer": found["medians"][peer],
                "peer_configuration": configuration,
                "ratio": ratio,
                "bar": bar,
                "passed": None if bar is None else ratio >= bar,
                "windows": len(windows[0]),
                "figures": {key: found["figures"][key] for key in ("ours", peer)},
            }
        )
    return cases


def check_same(ours, theirs) -> None:
    """Raise `ValueError` unless both hold the same windows."""
    import numpy as np

    if ours.shape != theirs.shape or np.isnan(ours).any():
        raise ValueError(f"the windows differ: {ours.shape} of ours, {theirs.shape} of the peer's")
    # By the size of a value, or of 1 where it is smaller.
    apart = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1)
    if not (apart <= TOLERANCE).all():
        place = np.unravel_index(np.argmax(apart), apart.shape)
        raise ValueError(
            f"the windows differ by up to {apart[place]:.2g}: window {place[0]}, value {place[1]}, "
            f"channel {place[2]} of ours is {ours[place]}, the peer's {theirs[place]}"
        )


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/signal_windows.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, minutes=5.0, repetitions=1)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = write_recording(Path(name) / "E4", config.minutes)
        cases = measure_folder(folder, config, f"{config.minutes:g} min of E4, made up")
    if config.folder is not None:
        cases += measure_folder(config.folder, config, "a person's recording")
    for case in cases:
        print(
            f"{case['case']}: {case['ours']:.0f}, peer {case['peer']:.0f}: "
            f"{case['ratio']:.1f} times"
        )
    found = {"cases": cases, "passed": all(case["passed"] is not False for case in cases)}
    return keep_result("signal_windows", config, found, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
