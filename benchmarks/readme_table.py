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
from pathlib import Path

from affectkeras.comparing import compare
from affectkeras.comparing.comparison_words import notes
from affectkeras.comparing.ledger import make_ledger, recipe_claims
from affectkeras.comparing.ledger_runs import sort_results
from affectkeras.comparing.ledger_table import LEGEND, ledger_table
from affectkeras.errors import UserError
from affectkeras.files import atomic_file, write_json
from benchmarks.pruning import pruning_table
from benchmarks.readme_rows import (
    benchmark_table,
    number_tables,
    result_table,
    size_tables,
    subject_tables,
)

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"

KEPT = ("schema", "recipe", "dataset", "protocol", "seeds", "served", "served_arm", "baselines")
KEPT_OF_ARM = (
    *("n", "groups", "seeds", "accuracy", "macro_f1", "balanced_accuracy"),
    *("auc", "calibration_error", "cross_entropy", "average_accuracy"),
    *("maps", "maps_removed", "removed_share", "parameters", "macs", "targets"),
)
# Of runs with number targets, and of those that score their subjects.
KEPT_OF_SOME = ("targets", "ablation", "by_subject", "floors")
KEPT_OF_MACHINE = (
    *("affectkeras", "commit", "python", "keras", "backend", "tensorflow", "numpy"),
    *("machine", "cpus", "accelerator"),
)
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
    compared = comparison_words(run_dir) if _can_be_compared(result) else {}
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
            *number_tables(figures.values()),
            *subject_tables(figures.values()),
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
    compact |= {name: result[name] for name in KEPT_OF_SOME if name in result}
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


def replace_block(text: str, name: str, content: str, path: Path) -> str:
    """Return the text with what stands between a block's markers replaced."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UserError(f"{path} must hold {begin} and, after it, {end}, each once.")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def _can_be_compared(result: dict) -> bool:
    """Whether arms of a result are few and have something in common to be compared by."""
    parts = [splits.get("test", {}) for splits in result["arms"].values()]
    targets = [target for part in parts for target in part.get("targets", {})]
    alone = targets and len(set(targets)) == len(targets)
    return 1 < len(parts) <= MANY and not alone


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
