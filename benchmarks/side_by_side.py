"""Compare contestants on one machine: in alternation, by medians."""

import statistics
import time
from collections.abc import Callable


def measure_alternately(
    contestants: dict[str, Callable[[], object]], repetitions: int, units: int | None = None
) -> dict:
    """Run the contestants in turn, again and again, and compare the medians.

    Alternation lets whatever else the machine does meanwhile fall on all of them; the median drops
    the runs it fell on hardest. Warm up before: the first run counts like any other.

    Args:
        contestants: name → what is run; the first is ours.
        repetitions: runs of each.
        units: how much work a run does, such as images. Then figures are units per second, where
            more is better; without it they are seconds a run.

    Returns:
        `figures` (name → one per run), `medians` (name → median), `ratios` (name → the median of
        the first contestant over that of this one) and `ratio`, that of the second contestant.
    """
    if len(contestants) < 2 or repetitions < 1:
        raise ValueError(
            "At least two contestants and one repetition are needed. "
            f"Received: {list(contestants)}, repetitions={repetitions}"
        )
    figures = {name: [] for name in contestants}
    for _ in range(repetitions):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            seconds = time.perf_counter() - began
            figures[name].append(units / seconds if units else seconds)
    medians = {name: statistics.median(measured) for name, measured in figures.items()}
    ours, *peers = medians
    ratios = {name: medians[ours] / medians[name] for name in peers}
    return {"figures": figures, "medians": medians, "ratios": ratios, "ratio": ratios[peers[0]]}
