"""What the results of all recipes have in common, whatever they predict."""

import os
from collections.abc import Sequence
from pathlib import Path

from affectkeras import records, results, runs
from affectkeras.comparing.claims import Claim, claims_rows
from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.table import ExampleTable, FilePayload
from affectkeras.evaluation.fold_splits import join_folds
from affectkeras.evaluation.leakage import complete_findings
from affectkeras.evaluation.splits import Split


def common_parts(
    run: Path,
    config,
    table: ExampleTable,
    splits: Sequence[Split],
    findings: dict,
    *,
    target: str | None,
    claims: Sequence[Claim],
    banners: Sequence[str],
    model: str,
    arms: dict,
    served_arm: str,
    exports: dict,
    trained: Sequence[dict],
    prepare_s: float,
) -> dict:
    """Return the parts of a result (see `results.write_result`) but targets and baselines.

    Args:
        run: the run folder.
        config: the recipe's `Config`: `data_dir`, `protocol`, `quick`, `seeds` and, where it has
            one, `train_rows` are read from it.
        table: the examples.
        splits: how they were divided: one, or the folds of a cross-validation.
        findings: of the leakage check.
        target: the class target; None where numbers are predicted.
        claims: the paper's figures.
        banners: what must stand wherever the figures are shown.
        model: the network's name, before the arm in the names of `exports`.
        arms: arm → part → figures.
        served_arm: the arm of the served model.
        exports: of `package_model`, by model and arm.
        trained: the facts of the parts; `seal` and `seconds` are read from them.
        prepare_s: how long reading and dividing took, in seconds.
    """
    whole = join_folds(splits)
    # Also where the drawn faces were given as a folder.
    sample = config.data_dir is None or bool(find_marks(config.data_dir))
    return {
        "recipe": runs.recipe_of(run),
        "command": runs.command_of(run),
        "banners": list(banners),
        "dataset": results.dataset_facts(
            table.name,
            table.frame,
            whole,
            target=target,
            sample=sample,
            quick=config.quick,
            rejected=len(table.rejected),
        ),
        "protocol": results.protocol_facts(whole),
        "seeds": list(config.seeds),
        "served": f"{model}-{served_arm}",
        "served_arm": served_arm,
        "arms": arms,
        "claims": claims_rows(
            claims,
            dataset=table.name,
            protocol=config.protocol,
            sample=sample,
            quick=config.quick,
            arms=arms,
            model=model,
            train_rows=getattr(config, "train_rows", None),
        ),
        "leakage": complete_findings(findings, (facts["seal"] for facts in trained)),
        "timing": {
            "prepare_s": prepare_s,
            "train_s": sum(facts["seconds"] for facts in trained),
        },
        "exports": exports,
    }


def write_records(run: Path, table: ExampleTable, findings: dict) -> None:
    """Write `rejected.csv` and, where rows are pictures, those that the report shows.

    Args:
        run: the run folder.
        table: the examples; of rows whose file is a video no picture is kept.
        findings: of the leakage check.
    """
    payload = table.payload
    if isinstance(payload, FilePayload):
        pictured = not any(
            os.fspath(one).casefold().endswith(VIDEO_SUFFIXES) for one in payload.paths
        )
    else:
        pictured = "pixels" in payload.arrays
    if pictured:
        records.write_run_records(run, table, findings)
    else:
        runs.write_csv(run / "rejected.csv", table.rejected)
