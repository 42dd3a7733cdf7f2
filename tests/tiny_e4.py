"""Recordings of an Empatica E4 written small, as exported, for tests that damage one file."""

from pathlib import Path

import numpy as np

START = 1_644_227_574
SECONDS = 100
HEART_DELAY = 10
RATES = {"BVP.csv": 64, "EDA.csv": 4, "TEMP.csv": 4, "HR.csv": 1, "ACC.csv": 32}
LABELS = "Processed_data/Improved_All_Combined_hr_rsp_binary.csv"
LABEL_HEADER = "Participant,HR,respr,Time(sec),Label"
# Baseline, stress, baseline: seconds from the start.
RUNS = ((10, 40, 0), (40, 70, 1), (70, 100, 0))


def e4_files(*, start: int = START, seconds: int = SECONDS, seed: int = 0) -> dict[str, str]:
    """Return the texts of a sound recording's files by name."""
    random = np.random.default_rng(seed)

    def column(rate, low, high, form, begin=start):
        values = random.uniform(low, high, (seconds - begin + start) * rate)
        return "\n".join([f"{begin:.6f}", f"{rate:.6f}", *(form % value for value in values)])

    moves = random.integers(-128, 128, (seconds * RATES["ACC.csv"], 3))
    moves = [",".join(map(str, row)) for row in moves.tolist()]
    intervals = random.integers(40, 70, seconds) / 64
    times = np.cumsum(intervals)
    beats = [
        f"{time:.6f},{interval:.6f}"
        for time, interval in zip(times, intervals, strict=True)
        if time < seconds
    ]
    texts = {
        "BVP.csv": column(64, -99, 99, "%.2f"),
        "EDA.csv": column(4, 0.1, 5, "%.6f"),
        "TEMP.csv": column(4, 30, 36, "%.2f"),
        "HR.csv": column(1, 60, 90, "%.2f", start + HEART_DELAY),
        "ACC.csv": "\n".join(
            [", ".join([f"{start:.6f}"] * 3), ", ".join(["32.000000"] * 3), *moves]
        ),
        "IBI.csv": "\n".join([f"{start:.6f}, IBI", *beats]),
        "tags.csv": f"{start + 20}.50\n{start + 50}.25",
    }
    return {name: text + "\n" for name, text in texts.items()}


def label_rows(participant: int, start: int = START) -> list[str]:
    """Return the rows of a participant in Stress-Predict's file of labels."""
    return [
        f"{participant},70.5,12.25,{start + second},{label}"
        for first, behind, label in RUNS
        for second in range(first, behind)
    ]


def write_texts(folder: Path, texts: dict[str, str | bytes]) -> Path:
    """Write files by their paths below a folder, and return it."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def stress_predict_texts() -> dict[str, str]:
    """Return Stress-Predict with participants 2 and 3, by the files' paths."""
    texts = {f"Raw_data/S02/{name}": text for name, text in e4_files().items()}
    others = e4_files(start=START + 5000, seed=1)
    texts |= {f"Raw_data/S03/{name}": others[name] for name in ("EDA.csv", "HR.csv")}
    rows = [LABEL_HEADER, *label_rows(2), *label_rows(3, START + 5000)]
    return texts | {LABELS: "\n".join(rows) + "\n"}


def own_texts() -> dict[str, str]:
    """Return one's own recordings: two of Ann, one of Ben, and the table of events."""
    texts = {}
    for number, name in enumerate(("Ann/morning", "Ann/evening", "Ben/morning")):
        files = e4_files(start=START + 1000 * number, seed=number)
        texts |= {f"{name}/{file}": files[file] for file in ("EDA.csv", "HR.csv")}
    rows = ["recording,subject,start,end,label"]
    for number, name in enumerate(("Ann/morning", "Ann/evening", "Ben/morning")):
        begin = START + 1000 * number
        rows += [f"{name},,{begin},{begin + 40},calm", f"{name},,{begin + 40},{begin + 100},tense"]
    return texts | {"events.csv": "\n".join(rows) + "\n"}
