"""Every reader of faces as one tensorflow-datasets builder, a config per reader."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from affectkeras.datasets import NAMES, reader
from affectkeras.datasets.face_videos import TARGETS
from affectkeras.datasets.table import SPLITS, ExampleTable
from affectkeras.datasets.tfds_builders import RECORDINGS
from affectkeras.datasets.tfds_builders.face_jobs import TEXTS, face_jobs, prepare_faces
from affectkeras.datasets.tfds_builders.generation import OnBeam, generate

_DESCRIPTION = """
Faces and what they show (expression, stress, valence and arousal) as affectkeras reads them from
the folder that the data set's owner gives out; of videos, the frames that have a label, and of
clips with one label (afew) the video's bytes as `video`. The config names the data set. Splits are
the owner's: train, validation, test; "unsplit" where the owner gives none. `label` is the index in
the reader's CLASS_NAMES, where there are classes; `group` is the smallest set of examples that must
not be divided between training and test (the example itself where unknown). Examples that were
rejected (damaged, unlabelled, excluded) are left out.
"""
UNSPLIT = "unsplit"
_CLIPS = ("afew",)  # one label for a whole video, which is stored as its own bytes


@dataclasses.dataclass
class ReaderConfig(tfds.core.BuilderConfig):
    """Which reader to use; its `name` is the reader's."""


class Builder(OnBeam, tfds.core.GeneratorBasedBuilder):
    """Writes an `ExampleTable` as tfds records: each split of the owner's is one split."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        ReaderConfig(name=name, description=f"affectkeras.datasets.{name}")
        for name in NAMES
        if name not in RECORDINGS
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The owners give these data sets out on request. Name the folder you received with --manual_dir.
    `python -m affectkeras doctor NAME DIR` shows the layout that is expected and what was found.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        """Return the features: the contract of what is stored."""
        features = _features(self.builder_config.name)
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label") if {"image", "label"} <= features.keys() else None,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        """Read the folder given as `--manual_dir` once and return a generator per split."""
        table = reader(self.builder_config.name).read(Path(dl_manager.manual_dir))
        table.check_rejected()
        features = self.info.features
        if "label" in features and features["label"].num_classes is None:
            features["label"].names = list(table.targets[0].class_names)
        splits = [split for split in SPLITS if (table.frame["split"] == split).any()]
        return {split or UNSPLIT: self._generate_examples(table, split) for split in splits}

    def _generate_examples(self, table: ExampleTable, split: str):
        """Return what yields (example_id, features) of the rows of a split."""
        payload = next(name for name in self.info.features if name in ("image", "video"))
        rows = np.flatnonzero(table.frame["split"] == split)
        jobs = face_jobs(table, rows, payload, "label" in self.info.features)
        return generate(jobs, prepare_faces, on_beam=self.on_beam)


def _features(name: str) -> dict[str, tfds.features.FeatureConnector]:
    """Return what is stored of a reader's examples."""
    features: dict[str, tfds.features.FeatureConnector] = {
        text: tfds.features.Text() for text in TEXTS
    }
    if name in _CLIPS:
        features["video"] = tfds.features.Text()
    else:
        features["image"] = tfds.features.Image(shape=(None, None, 3))
    if hasattr(reader(name), "CLASS_NAMES"):
        # The class names of image_folder are the folder's own: they are set when it is read.
        names = reader(name).CLASS_NAMES
        features["label"] = tfds.features.ClassLabel(names=list(names) if names else None)
    else:
        features |= {target.name: tfds.features.Scalar(np.float32) for target in TARGETS}
    return features
