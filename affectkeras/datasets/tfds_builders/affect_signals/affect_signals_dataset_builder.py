"""Every reader of recordings as one tensorflow-datasets builder, a config per reader."""

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow_datasets as tfds

from affectkeras.datasets.pamap2_rows import SENSOR_SIGNALS
from affectkeras.datasets.table import SPLITS, ExampleTable
from affectkeras.datasets.tfds_builders import RECORDINGS
from affectkeras.datasets.tfds_builders.generation import OnBeam, generate
from affectkeras.datasets.tfds_builders.signal_jobs import (
    TEXTS,
    TIMES,
    prepare_signals,
    signal_jobs,
)

_DESCRIPTION = """
Labelled stretches of recordings of wearables as affectkeras reads them from the folder that the
data set's owner gives out. The config names the data set. An example is a stretch: from `start_s`
to `end_s` (seconds on the clock of its signals) one label holds. `label` is the index of its class;
of k_emocon the ratings are numbers, NaN where there is none. `group` is the smallest set of
examples that must not be divided between training and test (the dyad of a debate, else the
subject). `signals` holds of each signal the samples taken within the stretch at the rate at which
they were taken (`rate_hz`, the first at `start_s`), nothing resampled, scaled or filled in: missing
samples are NaN, and a signal that the recording lacks is empty with the rate 0. What lies between
stretches is not stored, so windows that reach back before a stretch need the recordings themselves.
Splits are the owner's; "unsplit" where there is none. Examples that were rejected are left out.
"""
UNSPLIT = "unsplit"
_AXES = 3
_E4 = {"bvp": 1, "eda": 1, "temperature": 1, "heart_rate": 1, "acceleration": _AXES, "ibi": 1}
# Signal → axes, of the reader's default.
SIGNALS = {
    "k_emocon": _E4 | {"wrist_heart_rate": 1},
    "pamap2": {"heart_rate": 1} | dict.fromkeys(SENSOR_SIGNALS, _AXES),
    "stress_predict": _E4,
    "wesad": {"bvp": 1, "eda": 1, "temperature": 1, "acceleration": _AXES},
    "empatica_e4": _E4,
}


@dataclasses.dataclass
class ReaderConfig(tfds.core.BuilderConfig):
    """Which reader to use; its `name` is the reader's."""


class Builder(OnBeam, tfds.core.GeneratorBasedBuilder):
    """Writes a table of stretches as tfds records: each split of the owner's is one split."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        ReaderConfig(name=name, description=f"affectkeras.datasets.{name}") for name in RECORDINGS
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    Name the folder you received, or that of your own recordings, with --manual_dir.
    `python -m affectkeras doctor NAME DIR` shows the layout that is expected and what was found.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        """Return the features: the contract of what is stored."""
        features = tfds.features.FeaturesDict(_features(self.builder_config.name))
        return self.dataset_info_from_configs(description=_DESCRIPTION, features=features)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        """Read the folder given as `--manual_dir` once and return a generator per split."""
        table = _reader(self.builder_config.name).read(Path(dl_manager.manual_dir))
        table.check_rejected()
        features = self.info.features
        if "label" in features and features["label"].num_classes is None:
            features["label"].names = list(table.class_target.class_names)
        splits = [split for split in SPLITS if (table.frame["split"] == split).any()]
        return {split or UNSPLIT: self._generate_examples(table, split) for split in splits}

    def _generate_examples(self, table: ExampleTable, split: str):
        """Return what yields (example_id, features) of the rows of a split."""
        rows = np.flatnonzero(table.frame["split"] == split)
        jobs = signal_jobs(table, rows, SIGNALS[self.builder_config.name])
        return generate(jobs, prepare_signals, on_beam=self.on_beam)


def _reader(name: str) -> ModuleType:
    return importlib.import_module(f"affectkeras.datasets.{name}")


def _features(name: str) -> dict[str, tfds.features.FeatureConnector | dict]:
    """Return what is stored of a reader's stretches."""
    reader = _reader(name)
    features: dict = {text: tfds.features.Text() for text in TEXTS}
    features |= {time: _exact_number() for time in TIMES}
    if hasattr(reader, "CLASS_NAMES"):
        # Those of one's own recordings are told by their events: they are set when it is read.
        names = list(reader.CLASS_NAMES) or None
        features["label"] = tfds.features.ClassLabel(names=names)
    else:
        features |= {one.name: tfds.features.Scalar(np.float32) for one in reader.TARGETS}
    features["signals"] = {
        signal: {
            "values": tfds.features.Tensor(
                shape=(None,) if axes == 1 else (None, axes), dtype=np.float32
            ),
            "rate_hz": _exact_number(),
            "start_s": _exact_number(),
        }
        for signal, axes in SIGNALS[name].items()
    }
    return features


def _exact_number() -> tfds.features.Tensor:
    """Return a float64 that stays one: as a plain number a record keeps 24 bits of it.

    Of seconds since 1970 that would leave two minutes.
    """
    encoding = tfds.features.Encoding.BYTES
    return tfds.features.Tensor(shape=(), dtype=np.float64, encoding=encoding)
