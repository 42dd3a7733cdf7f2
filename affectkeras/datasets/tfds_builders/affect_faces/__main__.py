"""Build the records of a data set of faces, in this process or on Apache Beam.

`python -m affectkeras.datasets.tfds_builders.affect_faces --config sfew --manual-dir DIR`
"""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from affectkeras.datasets import NAMES
from affectkeras.datasets.tfds_builders import RECORDINGS
from affectkeras.datasets.tfds_builders.records import run_builder

FACES = tuple(name for name in NAMES if name not in RECORDINGS)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write a raw data set as tfds records."""

    config: Literal[FACES]  # which reader
    manual_dir: Path  # the raw folder, or .zip, as its owner gave it
    data_dir: Path = Path("~/tensorflow_datasets")  # where the records go
    beam_processes: int | None = None  # prepare on Apache Beam in so many; absent: without Beam


def main() -> None:
    """Run the command line."""
    run_builder(f"{__package__}.affect_faces_dataset_builder", lambda: tyro.cli(Arguments))


if __name__ == "__main__":
    main()
