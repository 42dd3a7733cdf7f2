"""What a recipe on wearables is given, written small: a few people, skin conductance that tells."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import Recording, RecordingPayload, Signal, irregularity_frame
from affectkeras.datasets.table import ExampleTable, Target, rejected_frame
from affectkeras.pipelines.signals import Channel
from affectkeras.signal_facts import SignalFacts
from affectkeras.wearable_run import SignalArm
from affectkeras.wearables import Wearables, prepare_wearables

CLASS_NAMES = ("baseline", "stress")
CHANNELS = (Channel("eda"), Channel("temperature"))
START = 1_600_000_000.0  # s since 1970
RATE_HZ, SECONDS = 4.0, 5


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is read of the settings of a recipe."""

    data_dir: Path | None = None
    protocol: str = "subject"
    scale: str = "none"
    max_gap: float = 0.2
    max_rejected: float = 0.5
    shuffle_labels: bool = False
    quick: bool = False
    epochs: int = 5
    batch_size: int = 16
    learning_rate: float = 0.05
    export: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)


def tiny_stretches(
    subjects: int = 6, stretches: int = 10, *, told: float = 2.0, dyads: bool = False
) -> ExampleTable:
    """Return stretches of five seconds, one after another, and one that was damaged.

    Args:
        subjects: how many people.
        stretches: of each of them; from 40 to 60 % are stress.
        told: by how many standard deviations skin conductance is higher under stress; temperature
            tells nothing.
        dyads: whether people talk in pairs, the first with the second.
    """
    random = np.random.default_rng(subjects)
    recordings, rows, index = [], [], []
    for number in range(subjects):
        name, pair = f"S{number:02d}", f"dyad {number // 2}"
        stressed = round(stretches * (0.4, 0.5, 0.6)[number % 3])
        labels = random.permutation(np.arange(stretches) < stressed).astype(int)
        noise = random.normal(size=(2, stretches, SECONDS * 4)).astype("f4")
        noise[0] += told * labels[:, np.newaxis]
        eda, temperature = (Signal(one.ravel(), START, 4.0) for one in noise)
        signals = {"eda": eda, "temperature": temperature}
        recordings.append(Recording(f"{name}/day", name, signals))
        for place, label in enumerate(labels.tolist()):
            rows.append(
                {
                    "example_id": f"{name} {place}",
                    "subject": name,
                    "group": pair if dyads else name,
                    "split": "",
                    "source": f"{name}/EDA.csv",
                    "recording": f"{name}/day",
                    "start_s": START + SECONDS * place,
                    "end_s": START + SECONDS * (place + 1),
                    "stress": label,
                    **({"dyad": pair} if dyads else {}),
                }
            )
            index.append(number)
    return ExampleTable(
        name="stress_predict",
        frame=pd.DataFrame(rows),
        targets=(Target("stress", "class", CLASS_NAMES),),
        payload=RecordingPayload(
            tuple(recordings),
            np.array(index),
            irregularity_frame([("S00/day", "eda", "zero", 3, "left as it is")]),
        ),
        groups_known=True,
        rejected=rejected_frame([("S99/EDA.csv", "damaged", "the file is empty")]),
        read=len(rows) + 1,
    )


def tiny_wearables(stretches: ExampleTable | None = None, **settings) -> Wearables:
    """Return windows of five seconds of stretches, ready for training."""
    stretches = tiny_stretches() if stretches is None else stretches
    return prepare_wearables(
        Settings(**settings), stretches, CHANNELS, seconds=(SECONDS,), rate_hz=RATE_HZ
    )


def tiny_arm(data: Wearables, name: str = "linear", channel: int | None = None) -> SignalArm:
    """Return an arm whose network is one layer, of all channels or of one of them."""
    inputs = data.inputs[SECONDS]
    chosen = slice(None) if channel is None else slice(channel, channel + 1)
    inputs, channels = inputs[:, :, chosen], data.channels[chosen]

    def build() -> keras.Model:
        signals = keras.Input(inputs.shape[1:], name="signals")
        x = keras.layers.Normalization(axis=-1, name="normalization")(signals)
        return keras.Model(signals, keras.layers.Dense(2)(keras.layers.Flatten()(x)), name=name)

    facts = SignalFacts(
        recipe="stress_predict_fusion",
        sample=False,
        quick=False,
        target="stress",
        class_names=CLASS_NAMES,
        channels=channels,
        rate_hz=RATE_HZ,
        seconds=SECONDS,
        scale="none",
        rows="samples",
    )
    return SignalArm(name, build, inputs, facts)
