"""The tables that `readme_table` writes: results of classes and of numbers, sizes, benchmarks."""

from collections.abc import Iterable

from affectkeras.comparing.ledger_table import NONE, markdown_table
from affectkeras.wording import signed, signed_interval, signed_sd

SIZE_HEADER = (
    *("Recipe, data", "Network", "Maps removed", "Parameters", "MACs (M)"),
    *("Validation accuracy", "Test accuracy"),
)
RESULT_HEADER = (
    *("Recipe, data", "Model", "Arm", "Protocol", "Trained on", "Tested on (groups)"),
    *("Accuracy", "95 % interval"),
    *("Macro F1", "Majority", "Seeds", "Machine", "Training"),
)
NUMBER_HEADER = (
    *("Recipe, data", "Model", "Arm", "Target", "Protocol", "Trained on", "Tested on (videos)"),
    *("CCC", "95 % interval", "CCC per video", "RMSE", "RMSE of the mean"),
    *("Seeds", "Machine", "Training"),
)
SUBJECT_HEADER = (
    *("Recipe, data", "Target", "Arm", "Protocol", "Subjects", "Windows"),
    *("Macro F1, mean ± SD over subjects", "95 % interval", "Accuracy, mean ± SD"),
    *("Seeds", "Machine", "Training"),
)
BENCHMARK_HEADER = ("Benchmark", "Case", "Ours", "Peer", "Ratio", "Bar", "Met", "Machine")
EMPTY = "No figures yet."


def result_table(results: Iterable[dict]) -> str:
    """Return a row per result of classes and arm on its test rows, as a Markdown table."""
    rows = []
    for result in results:
        if "targets" in result or "by_subject" in result:
            continue
        for arm, splits in result["arms"].items():
            if "test" in splits:
                rows.append(_result_row(result, arm, splits["test"]))
    return markdown_table(RESULT_HEADER, rows, EMPTY)


def number_tables(results: Iterable[dict]) -> list[str]:
    """Return a row per result of numbers, arm and target on test rows, as a Markdown table."""
    rows = [
        _number_row(result, arm, target)
        for result in results
        for target in result.get("targets", ())
        for arm, splits in result["arms"].items()
        if target in splits.get("test", {}).get("targets", {})
    ]
    return [markdown_table(NUMBER_HEADER, rows, EMPTY)] if rows else []


def subject_tables(results: Iterable[dict]) -> list[str]:
    """Return a row per arm of results that score their subjects, as a Markdown table."""
    rows = [
        _subject_row(result, arm, found)
        for result in results
        for arm, found in (result.get("by_subject") or {}).items()
    ]
    return [markdown_table(SUBJECT_HEADER, rows, EMPTY)] if rows else []


def size_tables(results: Iterable[dict]) -> list[str]:
    """Return a Markdown table of every result whose arms differ in size: what pruning left."""
    tables = []
    for result in results:
        rows = [
            [
                f"{result['recipe']}, {result['dataset']['name']}",
                arm,
                f"{sizes['maps_removed']['mean']:g} of {sizes['maps']['mean']:g}",
                f"{sizes['parameters']['mean']:,.0f}",
                f"{sizes['macs']['mean'] / 1e6:.1f}",
                _spread(splits["validation"]["accuracy"]),
                _spread(splits["test"]["accuracy"]),
            ]
            for arm, splits in result["arms"].items()
            if (sizes := splits.get("model")) and "targets" not in result
        ]
        if rows:
            tables.append(markdown_table(SIZE_HEADER, rows, EMPTY))
    return tables


def benchmark_table(benchmarks: list[dict]) -> str:
    """Return a row per benchmark case as a Markdown table.

    A benchmark is `{"benchmark", "cases": [{"case", "ours", "peer", "ratio", "bar", "passed"}]}`;
    one without cases is its own case, and what a case does not say, the benchmark may.
    """
    rows = []
    for benchmark in benchmarks:
        cases = benchmark.get("cases", [benchmark])
        if isinstance(cases, dict):
            cases = [{"case": name, **case} for name, case in cases.items()]
        for case in cases:
            told = {**benchmark, **case}
            name = told.get("case", told.get("name"))
            figures = [told.get(key) for key in ("ours", "peer", "ratio", "bar")]
            machine = _machine(told.get("environment", told))
            met = {True: "yes", False: "no"}.get(told.get("passed"), NONE)
            rows.append([benchmark["benchmark"], name, *map(_number, figures), met, machine])
    return markdown_table(BENCHMARK_HEADER, rows, EMPTY)


def _result_row(result: dict, arm: str, found: dict) -> list[str]:
    accuracy, macro = found["accuracy"], found["macro_f1"]
    majority = result["baselines"].get("majority", {}).get("accuracy")
    data, model, trained, machine, duration = _about(result)
    return [
        data,
        model,
        arm,
        result["protocol"]["name"],
        trained,
        f"{found['n']} ({found['groups']})",
        _spread(accuracy),
        _interval(accuracy["ci95"]),
        _spread(macro),
        _percent(majority),
        str(len(found.get("seeds", result["seeds"]))),
        machine,
        duration,
    ]


def _number_row(result: dict, arm: str, target: str) -> list[str]:
    test = result["arms"][arm]["test"]
    found = test["targets"][target]
    mean = result["baselines"].get("mean", {}).get(target, {})
    data, model, trained, machine, duration = _about(result)
    return [
        data,
        model,
        arm,
        target,
        result["protocol"]["name"],
        trained,
        f"{test['n']} ({test['groups']})",
        signed_sd(found["ccc"]) or NONE,
        NONE if None in found["ccc"]["ci95"] else signed_interval(found["ccc"]),
        signed_sd(found["ccc_per_video"]) or NONE,
        signed_sd(found["rmse"]) or NONE,
        signed(mean.get("rmse"), 3) or NONE,
        str(len(test["seeds"])),
        machine,
        duration,
    ]


def _subject_row(result: dict, arm: str, found: dict) -> list[str]:
    test = result["arms"][arm]["test"]
    data, _, _, machine, duration = _about(result)
    floor = " (floor)" if arm in (result.get("floors") or {}) else ""
    return [
        data,
        # Of ratings told as low or high, which rating it is says more than "level".
        result["dataset"].get("rating") or result["dataset"].get("target", NONE),
        arm + floor,
        result["protocol"]["name"],
        str(found["macro_f1"]["subjects"]),
        str(test["n"]),
        _spread(found["macro_f1"]),
        _interval(found["macro_f1"]["ci95"]),
        _spread(found["accuracy"]),
        str(len(test["seeds"])),
        machine,
        duration,
    ]


def _about(result: dict) -> tuple[str, str, str, str, str]:
    """Return recipe and data, model, training rows, machine and time of a result."""
    dataset = result["dataset"]
    marks = [mark for mark in ("sample", "quick") if dataset.get(mark)]
    data = dataset["name"] + (f" ({', '.join(marks)})" if marks else "")
    return (
        f"{result['recipe']}, {data}",
        result["served"].removesuffix(f"-{result['served_arm']}"),
        str(dataset.get("examples", {}).get("train", NONE)),
        _machine(result["environment"]),
        _duration(result["timing"].get("train_s")),
    )


def _spread(figure: dict) -> str:
    deviation = "" if figure["sd"] is None else f" ± {_percent(figure['sd'])}"
    return _percent(figure["mean"]) + deviation


def _interval(bounds: list) -> str:
    if None in bounds:
        return NONE
    return f"{_percent(bounds[0])} to {_percent(bounds[1])}"


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}"


def _number(value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else NONE if value is None else str(value)


def _machine(facts: dict) -> str:
    if facts.get("accelerator"):
        return facts["accelerator"]
    return f"{facts['cpus']} CPU cores" if facts.get("cpus") else NONE


def _duration(seconds: float | None) -> str:
    if not seconds:  # nothing was trained: members of finished runs
        return NONE
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
