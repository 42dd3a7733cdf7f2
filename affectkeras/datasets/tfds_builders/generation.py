"""Examples generated in this process, or by Apache Beam in many."""

import itertools
from collections.abc import Callable, Iterator, Sequence

from affectkeras.errors import UserError


class OnBeam:
    """Stands before `GeneratorBasedBuilder`: notes whether records are asked for from Beam.

    They are where the download configuration has Beam options or a runner, as `tfds build` sets
    them by `--beam_pipeline_options`.
    """

    on_beam = False

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        self.on_beam = bool(download_config.beam_options or download_config.beam_runner)
        super()._download_and_prepare(dl_manager, download_config)


def generate(jobs: Sequence, prepare: Callable[[object], Iterator], *, on_beam: bool):
    """Return what tfds makes a split of.

    Args:
        jobs: independent of each other, and small enough to be sent to another process.
        prepare: gives `(key, features)` of a job; a function of an importable module.
        on_beam: whether Beam's workers prepare the jobs, each several of them, or this process.

    Returns:
        an iterator of `(key, features)`, or a `beam.PTransform` that yields them.
    """
    if not on_beam:
        return itertools.chain.from_iterable(map(prepare, jobs))
    beam = import_beam()
    # Without the reshuffling one worker would do all that follows the creation.
    return beam.Create(jobs) | beam.Reshuffle() | beam.FlatMap(prepare)


def local_beam_options(processes: int):
    """Return the options of a Beam pipeline on this machine.

    Args:
        processes: how many prepare examples at a time, at least 1.

    Raises:
        UserError: where Beam is not installed.
    """
    if processes < 1:
        raise UserError(f"--beam-processes must be at least 1. Received: {processes}")
    import_beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    # By its own name: `DirectRunner` would first try to download another runner.
    return PipelineOptions(
        [
            "--runner=FnApiRunner",
            "--direct_running_mode=multi_processing",
            f"--direct_num_workers={processes}",
        ]
    )


def import_beam():
    """Return the module `apache_beam`.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import apache_beam
    except ImportError as error:
        raise UserError(
            "Apache Beam is not installed. It needs older releases of protobuf and pyarrow than "
            "the tested environment has, so give it an environment of its own: "
            "pip install 'affectkeras[tfds]'. Without Beam, leave --beam-processes out."
        ) from error
    return apache_beam
