"""Build without Apache Beam, which the `tfds` command of tensorflow-datasets 4.9.10 imports.

`python -m affectkeras.datasets.tfds_builders.affect_faces --config sfew --manual-dir DIR`
"""

import dataclasses
import sys
from pathlib import Path
from typing import Literal

import tyro

from affectkeras.datasets import NAMES
from affectkeras.datasets.archives import open_folder
from affectkeras.errors import UserError


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write a raw data set as tfds records."""

    config: Literal[NAMES]  # which reader
    manual_dir: Path  # the raw folder, or .zip, as its owner gave it
    data_dir: Path = Path("~/tensorflow_datasets")  # where the records go


def build(arguments: Arguments) -> Path:
    """Write the records unless they are there already; return their folder.

    Raises:
        UserError: when the raw folder is not there or is not laid out as the reader expects.
    """
    # Here, so that --help is quick.
    import tensorflow_datasets as tfds

    from affectkeras.datasets.tfds_builders.affect_faces.affect_faces_dataset_builder import Builder

    builder = Builder(config=arguments.config, data_dir=arguments.data_dir.expanduser())
    raw = open_folder(arguments.manual_dir.resolve())
    downloads = tfds.download.DownloadConfig(manual_dir=raw)
    builder.download_and_prepare(download_config=downloads)
    return Path(builder.data_dir)


def main() -> None:
    """Run the command line: exit status 2 with a sentence for what the user can mend."""
    try:
        print(build(tyro.cli(Arguments)))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
