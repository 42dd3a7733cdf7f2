"""A search over the head of a frozen backbone: how long it takes, and what it is worth.

    python -m benchmarks.head_search --data-dir FERPLUS --weights WEIGHTS.h5

Forty trials of `tuning.sfew_resnet` on all of FER+ with MobileNet 0.25, timed as a user would time
the command: from an empty cache to the report, with the run of the best head. Then the recipe's own
head is trained as long, and `compare` sets both side by side on the owner's Valid part.

The promise: ten minutes on two cores, and a found head that is shown to be better.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR_MINUTES = 10.0


@dataclasses.dataclass(frozen=True)
class Config:
    data_dir: Path  # FER+, as its owner ships it
    weights: Path  # mobilenet_2_5_224_tf_no_top.h5
    trials: int = 40
    workers: int = 2  # trainings side by side, a core each
    epochs: int = 10  # of every trial
    quick: bool = False  # 4 trials on 600 rows: shows that it runs, keeps nothing


def commands(config: Config, folder: Path) -> dict[str, list[str]]:
    """Return the command lines of the search and of the recipe's own head, by their folders."""
    common = [
        *("--dataset", "ferplus", "--data-dir", config.data_dir, "--protocol", "official"),
        *("--backbone", "mobilenet_0.25", "--weights", config.weights, "--image-size", "96"),
        *("--regime", "head", "--removal", "none", "--seeds", "0"),
        *("--epochs", 2 if config.quick else config.epochs),
        *(("--train-rows", "600") if config.quick else ()),
    ]
    trials = 4 if config.quick else config.trials
    return {
        name: [sys.executable, "-m", *map(str, (*script, *common, "--run-dir", folder / name))]
        for name, script in (
            ("search", ("tuning.sfew_resnet", "--trials", trials, "--workers", config.workers)),
            ("own", ("recipes.sfew_resnet",)),
        )
    }


def main(config: Config) -> dict:
    """Search, write `benchmarks/results/head_search.json` (not when quick), return it."""
    from affectkeras.comparing.compare import compare_named, verdicts
    from benchmarks.keeping import keep_result

    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # Weights from a file, so that an empty cache means no download.
        environment = os.environ | {"AFFECTKERAS_CACHE": str(folder / "cache")}
        seconds = {}
        for name, command in commands(config, folder).items():
            began = time.perf_counter()
            subprocess.run(command, env=environment, check=True)
            seconds[name] = time.perf_counter() - began
        matched, (compared,) = compare_named([str(folder / "own"), str(folder / "search" / "best")])
    gain = compared.differences["accuracy"]
    minutes, low = seconds["search"] / 60, 100 * gain.low
    cases = [
        {
            "case": f"{config.trials} trials, {config.workers} at once, from an empty cache to the "
            "report, minutes at most",
            "ours": minutes,
            "bar": BAR_MINUTES,
            "passed": minutes <= BAR_MINUTES,
        },
        {
            "case": "points of accuracy of the found head above the recipe's own: lower end of "
            "the 95 % interval (peer: the accuracy of the recipe's own, in %)",
            "ours": low,
            "peer": 100 * gain.reference,
            "bar": 0.0,
            "passed": low > 0,
        },
    ]
    result = {"cases": cases, "seconds": seconds, "verdicts": verdicts(matched, [compared], 0.03)}
    for case in cases:
        print(f"{case['case']}: {case['ours']:.3g}, {'met' if case['passed'] else 'not met'}")
    return keep_result("head_search", config, result, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
