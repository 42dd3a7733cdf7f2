"""Tiny results for the tests of the ledger."""

from affectkeras.files import write_json


def result_of(
    protocol="grouped",
    mean=0.4,
    *,
    recipe="faces",
    dataset="sfew",
    arm="bdr",
    seeds=(0, 1),
    n=200,
    served="resnet50",
    **changes,
):
    """Return a complete result of one arm, as far as the ledger reads it."""
    spread = {"mean": mean, "sd": 0.02, "ddof": 1, "per_seed": [mean] * len(seeds)}
    test = {
        "n": n,
        "accuracy": {**spread, "ci95": [mean - 0.05, mean + 0.05]},
        "auc": spread,
    }
    marks = {name: changes.pop(name, False) for name in ("sample", "quick")}
    return {
        "status": "complete",
        "recipe": recipe,
        "dataset": {"name": dataset, **marks},
        "protocol": {"name": protocol},
        "seeds": list(seeds),
        "served": f"{served}-{arm}",
        "served_arm": arm,
        "arms": {arm: {"test": test}},
        "leakage": {"passed": True},
        **changes,
    }


def write_results(folder, **results):
    """Write each result to its own run folder below `folder`; return `folder`."""
    for name, result in results.items():
        (folder / "deep" / name).mkdir(parents=True)
        write_json(folder / "deep" / name / "result.json", result)
    return folder
