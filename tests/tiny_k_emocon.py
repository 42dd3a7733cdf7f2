"""K-EmoCon written small: debates of half a minute, signals whose every value is known."""

from pathlib import Path

import numpy as np

from affectkeras.datasets import k_emocon

START_MS = 1_548_136_761_000
DEBATE_S, LEAD_S, TAIL_S = 30, 15, 5
LABELS = DEBATE_S // 5
RATES = {"ACC": 32, "BVP": 64, "EDA": 4, "HR": 1, "TEMP": 4}
SCALES = ("arousal", "valence", "cheerful", "happy", "angry", "nervous", "sad")
MARKS = (
    *("boredom", "confusion", "delight", "concentration", "frustration", "surprise", "none_1"),
    *("confrustion", "contempt", "dejection", "disgust", "eureka", "pride", "sorrow", "none_2"),
)
RATERS = {
    "self": "self_annotations",
    "partner": "partner_annotations",
    "external": "aggregated_external_annotations",
}
DEVICE = "A00F45"
SIGNALS = {
    *("bvp", "eda", "temperature", "heart_rate", "wrist_heart_rate", "acceleration", "ibi"),
}


def start_ms(pid: int) -> int:
    """Return when the debate of a subject starts: partners start within seconds."""
    return START_MS + (pid + 1) // 2 * 86_400_000 + 1000 * (pid % 2)


def sensor_times(pid: int, name: str) -> np.ndarray:
    """Return the times of an E4 file in ms; the heart rate comes ten seconds late."""
    first = start_ms(pid) - 1000 * LEAD_S
    if name == "IBI":
        return first + 1000 + 800 * np.arange(56)
    late = 10 if name == "HR" else 0
    count = (LEAD_S + DEBATE_S + TAIL_S - late) * RATES[name]
    return np.rint(first + 1000 * late + 1000 * np.arange(count) / RATES[name]).astype(np.int64)


def sensor_values(name: str, count: int) -> np.ndarray:
    """Return what stands in an E4 file: `(rows,)`, for ACC `(rows, 3)`."""
    number = np.arange(count)
    if name == "ACC":
        return np.stack([number % 64 - 32, np.full(count, 64), number % 5], axis=1)
    values = {
        "BVP": np.round(50 * np.sin(number / 10), 2),
        "EDA": 1 + number / 1000,
        "TEMP": 33 + number / 1000,
        "HR": 70.0 + number % 7,
        "IBI": 0.8 + number % 3 / 100,
    }
    return values[name]


def write_sensor(folder: Path, pid: int, name: str, *, devices=None, pids=None) -> Path:
    """Write one file of the wristband."""
    times = sensor_times(pid, name)
    values = sensor_values(name, len(times)).reshape(len(times), -1)
    head = "timestamp,pid,x,y,z" if name == "ACC" else "timestamp,pid,value"
    path = folder / f"e4_data/{pid}/E4_{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    devices = [DEVICE] * len(times) if devices is None else devices
    lines = [
        ",".join([str(time), str(pid), *(f"{cell:g}" for cell in row), device])
        for time, row, device in zip(times.tolist(), values.tolist(), devices, strict=True)
    ]
    path.write_text("\n".join([f"{head},device_serial", *lines]) + "\n")
    return path


def write_polar(folder: Path, pid: int) -> Path:
    path = folder / f"neurosky_polar_data/{pid}/Polar_HR.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    times = start_ms(pid) - 1000 * LEAD_S + 1000 * np.arange(LEAD_S + DEBATE_S + TAIL_S)
    lines = [f"{time},{60 + number % 9}" for number, time in enumerate(times)]
    path.write_text("\n".join(["timestamp,value", *lines]) + "\n")
    return path


def ratings(pid: int, rater: str, label: int) -> list[int]:
    """Return the seven ratings of a stretch, counted from 0."""
    shift = pid + list(RATERS).index(rater) + label
    return [1 + shift % 5, 1 + (shift + 2) % 5, *(1 + (shift + k) % 4 for k in range(5))]


def write_annotation(folder: Path, pid: int, rater: str, labels: int = LABELS) -> Path:
    path = folder / f"emotion_annotations/{RATERS[rater]}/P{pid}.{rater}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join(["seconds", *SCALES, *MARKS])]
    for label in range(labels):
        marks = ["x" if number == label % len(MARKS) else "" for number in range(len(MARKS))]
        lines.append(",".join([str(5 * label + 5), *map(str, ratings(pid, rater, label)), *marks]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_metadata(folder: Path, pids: tuple[int, ...]) -> Path:
    place = folder / "metadata"
    place.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{pid},F,{start_ms(pid) - 1000 * LEAD_S},{start_ms(pid)},{start_ms(pid) + 1000 * DEBATE_S}"
        for pid in pids
    ]
    (place / "subjects.csv").write_text(
        "\n".join(["pid,gender,initTime,startTime,endTime", *rows]) + "\n"
    )
    names = [*(f"E4_{name}" for name in (*RATES, "IBI")), "Polar_HR", *RATERS.values()]
    lines = [f"{pid}{',TRUE' * len(names)}" for pid in pids]
    text = "\n".join([",".join(["pid", *names]), *lines]) + "\n"
    (place / "data_availability.csv").write_text(text)
    return place / "subjects.csv"


def write_k_emocon(folder: Path, pids: tuple[int, ...] = (3, 4)) -> Path:
    """Write a whole data set and return its folder."""
    for pid in pids:
        for name in (*RATES, "IBI"):
            write_sensor(folder, pid, name)
        write_polar(folder, pid)
        for rater in RATERS:
            write_annotation(folder, pid, rater)
    write_metadata(folder, pids)
    return folder


def read(folder: Path, **options):
    """Read, and hold that every stretch is accounted for and everything told can be printed."""
    table = k_emocon.read(folder, progress=False, **options)
    assert table.read == len(table.frame) + len(table.rejected)
    payload = table.payload
    assert len(payload.index) == len(table.frame)
    for row, number in zip(table.frame.itertuples(), payload.index.tolist(), strict=True):
        assert payload.recordings[number].name == row.recording
        assert payload.recordings[number].subject == row.subject
    told = [*table.frame["example_id"], *table.rejected["path"], *table.rejected["reason"]]
    told += [*payload.irregularities["rule"], *k_emocon.notes(table)]
    "\n".join(told).encode()
    assert (payload.irregularities["count"] > 0).all()
    return table


def find_irregular(table, kind: str, signal: str = "", recording: str = "") -> tuple[int, str]:
    """Return the count of a kind, and its rule; 0 where there is none."""
    rows = table.payload.irregularities
    rows = rows[(rows["kind"] == kind) & (rows["signal"] == signal)]
    if recording:
        rows = rows[rows["recording"] == recording]
    return int(rows["count"].sum()), " ".join(rows["rule"])


def change_lines(path: Path, change) -> None:
    """Put `change(lines)` in place of a file's lines, of which the first is the head."""
    lines = change(path.read_text().splitlines())
    path.write_text("\n".join(lines) + "\n")


def change_cells(path: Path, change, rows=slice(None)) -> None:
    """Put `change(cells)` in place of the cells of some of the rows below the head."""

    def change_all(lines):
        body = lines[1:]
        for number in np.arange(len(body))[rows].tolist():
            body[number] = ",".join(change(body[number].split(",")))
        return [lines[0], *body]

    change_lines(path, change_all)


def put(column: int, value) -> object:
    """Return a change of cells that puts a value, or a function of the cell, into a column."""

    def change(cells):
        cells = list(cells)
        cells[column] = str(value(cells[column]) if callable(value) else value)
        return cells

    return change
