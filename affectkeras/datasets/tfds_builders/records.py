"""Build without the `tfds` command, which imports Apache Beam in tensorflow-datasets 4.9.10."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from affectkeras.datasets.archives import open_folder
from affectkeras.datasets.tfds_builders.generation import local_beam_options
from affectkeras.errors import UserError


class Arguments(Protocol):
    """What a builder's command line tells."""

    config: str  # which reader
    manual_dir: Path  # the raw folder, or .zip, as its owner gave it
    data_dir: Path  # where the records go
    beam_processes: int | None  # how many prepare examples on Apache Beam; None: this one, without


def build_records(builder_module: str, arguments: Arguments) -> Path:
    """Write the records unless they are there already; return their folder.

    Args:
        builder_module: the dotted name of the module that has `Builder`.
        arguments: of the command line.

    Raises:
        UserError: when the raw folder is not there or is not laid out as the reader expects, or
            Beam is asked for and not installed.
    """
    options = {}
    if arguments.beam_processes is not None:
        options["beam_options"] = local_beam_options(arguments.beam_processes)
    # Here, so that --help is quick.
    import tensorflow_datasets as tfds

    builder_class = importlib.import_module(builder_module).Builder
    builder = builder_class(config=arguments.config, data_dir=arguments.data_dir.expanduser())
    raw = open_folder(arguments.manual_dir.resolve())
    downloads = tfds.download.DownloadConfig(manual_dir=raw, **options)
    builder.download_and_prepare(download_config=downloads)
    return Path(builder.data_dir)


def run_builder(builder_module: str, parse: Callable[[], Arguments]) -> None:
    """Run the command line: exit status 2 with a sentence for what the user can mend."""
    try:
        print(build_records(builder_module, parse()))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
