"""Results of benchmarks, kept where the README's tables are made from."""

import dataclasses
import datetime
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path

from affectkeras.environment import environment
from affectkeras.files import write_json

RESULTS = Path(__file__).parent / "results"


def keep_result(
    benchmark: str, config, found: dict, *, load_before: float, packages: Sequence[str] = ()
) -> dict:
    """Complete a result with settings, date, load and environment; write it, unless it was quick.

    Args:
        benchmark: its name, also that of the file.
        config: the benchmark's settings, a dataclass; where its `quick` is set nothing is written.
        found: what was measured.
        load_before: `os.getloadavg()[0]` when it began.
        packages: others whose versions matter, as pip names them.

    Returns:
        The result.
    """
    # Of a path only the name: where it lies says nothing to others.
    settings = {
        name: value.name if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(config).items()
    }
    result = {
        "benchmark": benchmark,
        "settings": settings,
        **found,
        "date": datetime.date.today().isoformat(),
        # Above the number of cores, other programs took part of the machine from all sides.
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
        "environment": environment()
        | {name: importlib.metadata.version(name) for name in packages},
    }
    if not config.quick:
        write_json(RESULTS / f"{benchmark}.json", result)
    return result
