"""Every reader of faces as one tensorflow-datasets builder, a config per reader."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from affectkeras.datasets import NAMES, reader
from affectkeras.datasets.table import SPLITS, ArrayPayload, ExampleTable

_DESCRIPTION = """
Faces and what they show (expression, stress) as affectkeras reads them from the folder that the
data set's owner gives out; of videos, the frames that the reader cuts. The config names the data
set. Splits are the owner's: train, validation, test; "unsplit" where the owner gives none. `label`
is the index in the reader's CLASS_NAMES; `group` is the smallest set of examples that must not be
divided between training and test (the example itself where unknown). Examples that were rejected
(damaged, unlabelled, excluded) are left out.
"""
UNSPLIT = "unsplit"


@dataclasses.dataclass
class ReaderConfig(tfds.core.BuilderConfig):
    """Which reader to use; its `name` is the reader's."""


class Builder(tfds.core.GeneratorBasedBuilder):
    """Writes an `ExampleTable` as tfds records: each split of the owner's is one split."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}
    BUILDER_CONFIGS = [
        ReaderConfig(name=name, description=f"affectkeras.datasets.{name}") for name in NAMES
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The owners give these data sets out on request. Name the folder you received with --manual_dir.
    `python -m affectkeras doctor NAME DIR` shows the layout that is expected and what was found.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        """Return the features: the contract of what is stored."""
        # The class names of image_folder are the folder's own: they are set when it is read.
        names = reader(self.builder_config.name).CLASS_NAMES
        return self.dataset_info_from_configs(
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=list(names) if names else None),
                    "example_id": tfds.features.Text(),
                    "subject": tfds.features.Text(),
                    "group": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict:
        """Read the folder given as `--manual_dir` once and return a generator per split."""
        table = reader(self.builder_config.name).read(Path(dl_manager.manual_dir))
        table.check_rejected()
        label = self.info.features["label"]
        if label.num_classes is None:
            label.names = list(table.targets[0].class_names)
        splits = [split for split in SPLITS if (table.frame["split"] == split).any()]
        return {split or UNSPLIT: self._generate_examples(table, split) for split in splits}

    def _generate_examples(
        self, table: ExampleTable, split: str
    ) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield (example_id, features) of the rows of a split."""
        for row in np.flatnonzero(table.frame["split"] == split):
            example = table.frame.iloc[row]
            yield (
                example["example_id"],
                {
                    "image": _image(table, row),
                    "label": int(example[table.targets[0].name]),
                    "example_id": example["example_id"],
                    "subject": example["subject"],
                    "group": example["group"],
                },
            )


def _image(table: ExampleTable, row: int) -> str | np.ndarray:
    """Return a path, whose bytes tfds stores unchanged, or pixels `(height, width, 3)` uint8."""
    if not isinstance(table.payload, ArrayPayload):
        return table.payload.paths[row]
    pixels = table.payload.arrays["pixels"][table.payload.index[row]]
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=-1)
