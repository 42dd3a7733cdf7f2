"""What a search over networks and thresholds of pruning leaves of the best network's size.

    python -m benchmarks.pareto_front --search SEARCH

Reads `pareto.csv` of a finished search of `tuning.fer_pruned_cnn`: accuracy on validation rows
against parameters, of every network of every trial and threshold.

The promise: on FER2013 a network within one point of the best has at most half its parameters.
"""

import dataclasses
import json
import os
from pathlib import Path

BAR = 0.5


@dataclasses.dataclass(frozen=True)
class Config:
    search: Path  # the folder of a finished search
    quick: bool = False  # do not keep the figures


def main(config: Config) -> dict:
    """Read, write `benchmarks/results/pareto_front.json` (not when quick), return it."""
    from affectkeras.files import read_csv
    from affectkeras.searching.pareto import PARETO_FILE, best_of, choose_small
    from benchmarks.keeping import keep_result

    load_before = os.getloadavg()[0]
    points = read_csv(config.search / PARETO_FILE)
    best, small = best_of(points), choose_small(points)
    share = float(small["parameters"] / best["parameters"])
    settings = json.loads((config.search / "search.json").read_text(encoding="utf-8"))["settings"]
    case = {
        "case": f"share of the best network's {int(best['parameters']):,} parameters that one "
        "within a point of its accuracy has (ours, peer: accuracies of both on validation rows)",
        "ours": float(small["accuracy"]),
        "peer": float(best["accuracy"]),
        "ratio": share,
        "bar": BAR,
        "passed": share <= BAR,
    }
    front = points[points["pareto"]]
    columns = ["trial", "arm", "threshold", "parameters", "accuracy"]
    print(front[columns].to_string(index=False))
    print(f"{case['case']}: {share:.3f}")
    found = {
        "cases": [case],
        "networks": len(points),
        "trials": int(points["trial"].nunique()),
        "tuner": settings["tuner"],
        "front": json.loads(front[columns].to_json(orient="records")),
    }
    return keep_result("pareto_front", config, found, load_before=load_before)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
