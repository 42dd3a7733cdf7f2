"""A table of recordings made by hand: a few people, four signals, stretches of two labels."""

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import Recording, RecordingPayload, Signal, irregularity_frame
from affectkeras.datasets.table import ExampleTable, Target, rejected_frame

CLASS_NAMES = ("baseline", "stress")
START = 1_600_000_000.0  # s since 1970
RULE = "0 beats a minute is no heart rate: missing"


def recording(name, subject, *, seconds=240, seed=0):
    """Return a recording: pulse, skin conductance, heart rate and acceleration."""
    random = np.random.default_rng(seed)
    time = np.arange(64 * seconds) / 64
    heart = 70 + seed + 10 * np.sin(np.arange(seconds) / 20)
    heart[:3] = np.nan
    signals = {
        "bvp": Signal(
            (50 * np.sin(2 * np.pi * 1.2 * time) + random.normal(0, 12, len(time))).astype("f4"),
            START, 64.0,
        ),
        "eda": Signal((2 + 0.1 * seed + np.arange(4 * seconds) / 960).astype("f4"), START, 4.0),
        "heart_rate": Signal(heart.astype("f4"), START + 10, 1.0),
        "acceleration": Signal(random.normal(0, 0.1, (32 * seconds, 3)).astype("f4"), START, 32.0),
    }  # fmt: skip
    return Recording(name, subject, signals)


def stretch_table(subjects=4, stretches=4, *, seconds=60, targets="class", dyads=False):
    """Return a table of `stretches` per subject, one after another, each `seconds` long.

    Args:
        targets: "class": stress, 0 and 1 in turn; "number": arousal from 1 to 5.
        dyads: whether subjects talk in pairs.
    """
    recordings = tuple(
        recording(f"S{number:02d}", f"S{number:02d}", seconds=seconds * stretches, seed=number)
        for number in range(subjects)
    )
    rows, index = [], []
    for number, one in enumerate(recordings):
        pair = f"dyad {number // 2:02d}"
        for place in range(stretches):
            rows.append(
                {
                    "example_id": f"{one.name} stretch {place}",
                    "subject": one.subject,
                    "group": pair if dyads else one.subject,
                    "split": "",
                    "source": f"{one.name}/BVP.csv",
                    "recording": one.name,
                    "start_s": START + seconds * place,
                    "end_s": START + seconds * (place + 1),
                    "stress": place % 2,
                    "arousal": float(1 + (place + number) % 5),
                    **({"dyad": pair} if dyads else {}),
                }
            )
            index.append(number)
    irregularities = irregularity_frame(
        [
            ("S00", "heart_rate", "zero", 3, RULE),
            ("S01", "heart_rate", "zero", 2, RULE),
            ("S01", "bvp", "late start", 1, "begins when its own file says"),
        ]
    )
    kinds = {
        "class": (Target("stress", "class", CLASS_NAMES),),
        "number": (Target("arousal", "number"),),
    }
    rejected = rejected_frame([("S09/BVP.csv", "damaged", "the file is empty")])
    return ExampleTable(
        name="tiny",
        frame=pd.DataFrame(rows),
        targets=kinds[targets],
        payload=RecordingPayload(recordings, np.array(index), irregularities),
        groups_known=True,
        rejected=rejected,
        read=len(rows) + len(rejected),
    )
