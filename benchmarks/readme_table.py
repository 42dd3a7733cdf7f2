"""The README's tables of measured and published figures, written from committed result files.

    python -m benchmarks.readme_table add RUN_DIR --name NAME    keep a run's figures
    python -m benchmarks.readme_table write                      write the tables into README.md

`add` copies the figures of a finished run, without rows and machine paths, to
`benchmarks/results/NAME.json`. `write` replaces what stands between `<!-- results:begin -->` and
`<!-- results:end -->` (our runs, then the ledger of published figures), and between
`<!-- benchmarks:begin -->` and `<!-- benchmarks:end -->`.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from affectkeras.comparing import compare
from affectkeras.comparing.comparison_words import notes
from affectkeras.comparing.ledger import make_ledger, recipe_claims
from affectkeras.comparing.ledger_runs import sort_results
from affectkeras.comparing.ledger_table import LEGEND, NONE, ledger_table, markdown_table
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_json
from benchmarks.pruning import pruning_table

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"

KEPT = ("schema", "recipe", "dataset", "protocol", "seeds", "served", "served_arm", "baselines")
KEPT_OF_ARM = (
    *("n", "groups", "seeds", "accuracy", "macro_f1", "balanced_accuracy"),
    *("auc", "calibration_error", "cross_entropy", "average_accuracy"),
    *("maps", "maps_removed", "removed_share", "parameters", "macs"),
)
SIZE_HEADER = (
    *("Recipe, data", "Network", "Maps removed", "Parameters", "MACs (M)"),
    *("Validation accuracy", "Test accuracy"),
)
KEPT_OF_MACHINE = (
    *("affectkeras", "commit", "python", "keras", "backend", "tensorflow", "numpy"),
    *("machine", "cpus", "accelerator"),
)
RESULT_HEADER = (
    *("Recipe, data", "Model", "Arm", "Protocol", "Trained on", "Tested on (groups)"),
    *("Accuracy", "95 % interval"),
    *("Macro F1", "Majority", "Seeds", "Machine", "Training"),
)
BENCHMARK_HEADER = ("Benchmark", "Case", "Ours", "Peer", "Ratio", "Bar", "Met", "Machine")
EMPTY = "No figures yet."
MANY = 5  # arms of which the README says how they compare; of more, `compare` does
WORTH = 0.03  # a difference of accuracy that is worth finding


def add(run_dir: Path, /, name: str, results_dir: Path = RESULTS) -> Path:
    """Keep the figures of a finished run under a name."""
    result = _load(run_dir / "result.json")
    if result.get("status") != "complete":
        raise UserError(f"{run_dir} holds no complete result.")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UserError(
            f"--name must be small letters, digits, '.', '_' and '-'. Received: {name!r}"
        )
    results_dir.mkdir(parents=True, exist_ok=True)
    path = results_dir / f"{name}.json"
    compared = comparison_words(run_dir) if 1 < len(result["arms"]) <= MANY else {}
    write_json(path, compact_result(result) | compared)
    return path


def write(readme: Path = README, results_dir: Path = RESULTS) -> None:
    """Write both tables into the README."""
    kept = {path.stem: _load(path) for path in sorted(results_dir.glob("*.json"))}
    text = readme.read_text(encoding="utf-8")
    figures = {name: one for name, one in kept.items() if "recipe" in one}
    measured = [one for one in kept.values() if "benchmark" in one and "families" not in one]
    pruned = [pruning_table(one["families"]) for one in kept.values() if "families" in one]
    results = "\n\n".join(
        [
            result_table(figures.values()),
            *size_tables(figures.values()),
            *(
                comparison_list(one["comparison"])
                for one in figures.values()
                if "comparison" in one
            ),
            published_table(figures),
        ]
    )
    text = replace_block(text, "results", results, readme)
    benchmarks = "\n\n".join([benchmark_table(measured), *pruned])
    text = replace_block(text, "benchmarks", benchmarks, readme)
    with atomic_file(readme) as file:
        file.write(text.encode("utf-8"))


def comparison_words(run_dir: Path) -> dict:
    """Return what `compare` says of a run's arms, ready for JSON."""
    matched, compared = compare.compare_named([str(run_dir)])
    said = {"title": compare.title(matched, compared)}
    said["verdicts"] = [*notes(matched), *compare.verdicts(matched, compared, WORTH)]
    return {"comparison": said}


def comparison_list(comparison: dict) -> str:
    """Return the sentences of a comparison as Markdown."""
    lines = [f"{comparison['title']} (`python -m affectkeras compare RUN`):", ""]
    return "\n".join(lines + [f"- {sentence}" for sentence in comparison["verdicts"]])


def compact_result(result: dict) -> dict:
    """Return a result's figures without what belongs to one machine or single rows."""
    compact = {name: result[name] for name in KEPT}
    compact["arms"] = {
        arm: {
            split: {name: found[name] for name in KEPT_OF_ARM if name in found}
            for split, found in splits.items()
        }
        for arm, splits in result["arms"].items()
    }
    compact["claims"] = result["claims"]
    compact["leakage"] = {
        "passed": result["leakage"]["passed"],
        "checks": {
            name: {"passed": check["passed"], "count": check["count"]}
            for name, check in result["leakage"]["checks"].items()
        },
    }
    compact["timing"] = result["timing"]
    machine = result["environment"]
    compact["environment"] = {name: machine[name] for name in KEPT_OF_MACHINE if name in machine}
    compact["command"] = without_paths(result["command"])
    return compact


def without_paths(command: list[str] | str) -> list[str]:
    """Return a command's words with absolute paths replaced by `PATH`."""
    words = command.split() if isinstance(command, str) else command
    absolute = re.compile(r"^(--[\w-]+=)?(/|~|[A-Za-z]:[\\/]).*$", re.DOTALL)
    return [absolute.sub(r"\1PATH", word) for word in words]


def result_table(results: Iterable[dict]) -> str:
    """Return a row per result and arm on its test rows, as a Markdown table."""
    rows = []
    for result in results:
        for arm, splits in result["arms"].items():
            if "test" in splits:
                rows.append(_result_row(result, arm, splits["test"]))
    return markdown_table(RESULT_HEADER, rows, EMPTY)


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
            if (sizes := splits.get("model"))
        ]
        if rows:
            tables.append(markdown_table(SIZE_HEADER, rows, EMPTY))
    return tables


def published_table(results: dict[str, dict]) -> str:
    """Return the ledger of every recipe's published figures beside kept results, by name."""
    claims = recipe_claims("recipes")
    # `add` keeps complete results only and leaves the word away.
    complete = [(name, {"status": "complete", **one}) for name, one in results.items()]
    rows = make_ledger(claims, sort_results(complete, claims))
    # A paper's long table would bury the rest while none of it was run.
    alone = [row for row in rows if isinstance(row.same, str) and isinstance(row.honest, str)]
    shown = [row for row in rows if row not in alone]
    words = [
        f"Published figures of {recipe} without ours beside them: {count} ({why}). `python -m "
        "affectkeras ledger RUNS` lists them."
        for (recipe, why), count in Counter((row.recipe, row.same) for row in alone).items()
    ]
    table = [ledger_table(shown), LEGEND] if shown else []
    return "\n\n".join(["Published figures beside ours:", *table, *words])


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


def replace_block(text: str, name: str, content: str, path: Path) -> str:
    """Return the text with what stands between a block's markers replaced."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(f"{path} must hold {begin} and, after it, {end}, each once.")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def _result_row(result: dict, arm: str, found: dict) -> list[str]:
    dataset, accuracy, macro = result["dataset"], found["accuracy"], found["macro_f1"]
    marks = [mark for mark in ("sample", "quick") if dataset.get(mark)]
    data = dataset["name"] + (f" ({', '.join(marks)})" if marks else "")
    majority = result["baselines"].get("majority", {}).get("accuracy")
    seconds = result["timing"].get("train_s")
    return [
        f"{result['recipe']}, {data}",
        result["served"].removesuffix(f"-{result['served_arm']}"),
        arm,
        result["protocol"]["name"],
        str(dataset.get("examples", {}).get("train", NONE)),
        f"{found['n']} ({found['groups']})",
        _spread(accuracy),
        _interval(accuracy["ci95"]),
        _spread(macro),
        _percent(majority),
        str(len(found.get("seeds", result["seeds"]))),
        _machine(result["environment"]),
        _duration(seconds),
    ]


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
    if seconds is None:
        return NONE
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _load(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a result: {error}") from None


def main(arguments: list[str] | None = None) -> None:
    import tyro

    commands = {"add": add, "write": write}
    tyro.extras.subcommand_cli_from_dict(
        commands, prog="python -m benchmarks.readme_table", args=arguments, description=__doc__
    )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
