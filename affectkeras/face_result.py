"""What every recipe on still faces ends with: records, result and report."""

from collections.abc import Sequence
from pathlib import Path

from affectkeras import records, results, runs
from affectkeras.comparing.claims import Claim, claims_rows
from affectkeras.datasets.sample.marks import find_marks
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.fold_splits import join_folds
from affectkeras.evaluation.leakage import complete_findings
from affectkeras.evaluation.splits import Split
from affectkeras.reporting.report import write_report


def write_face_result(
    run: Path,
    config,
    table: ExampleTable,
    splits: Sequence[Split],
    findings: dict,
    *,
    claims: Sequence[Claim],
    banners: Sequence[str],
    model: str,
    arms: dict,
    served_arm: str,
    exports: dict,
    trained: Sequence[dict],
    prepare_s: float,
) -> dict:
    """Write `rejected.csv`, `result.json` and the report of a recipe on faces; drop its parts.

    Args:
        run: the run folder.
        config: the recipe's `Config`: `data_dir`, `protocol`, `quick`, `seeds` and `train_rows` are
            read from it.
        table: the faces.
        splits: how they were divided: one, or the folds of a cross-validation.
        findings: of `divide_faces`.
        claims: the paper's figures.
        banners: what must stand wherever the figures are shown.
        model: the network's name, before the arm in the names of `exports`.
        arms: arm → part → figures, see `results.summarise`.
        served_arm: the arm of the served model.
        exports: of `package_model`, by model and arm.
        trained: the facts of the parts; `seal` and `seconds` are read from them.
        prepare_s: how long reading and dividing took, in seconds.

    Returns:
        The result.
    """
    names = table.class_target.class_names
    labels = table.frame[table.class_target.name].to_numpy()
    whole = join_folds(splits)
    # Also where the drawn faces were given as a folder.
    sample = config.data_dir is None or bool(find_marks(config.data_dir))
    records.write_run_records(run, table, findings)
    result = results.write_result(
        run,
        {
            "recipe": runs.recipe_of(run),
            "command": runs.command_of(run),
            "banners": list(banners),
            "dataset": results.dataset_facts(
                table.name,
                table.frame,
                whole,
                target=table.class_target.name,
                sample=sample,
                quick=config.quick,
                rejected=len(table.rejected),
            ),
            "protocol": results.protocol_facts(whole),
            "seeds": list(config.seeds),
            "served": f"{model}-{served_arm}",
            "served_arm": served_arm,
            "class_names": list(names),
            "arms": arms,
            "baselines": {
                "majority": results.majority_baseline(labels, splits, names),
            },
            "claims": claims_rows(
                claims,
                dataset=table.name,
                protocol=config.protocol,
                sample=sample,
                quick=config.quick,
                arms=arms,
                model=model,
                train_rows=config.train_rows,
            ),
            "leakage": complete_findings(findings, (facts["seal"] for facts in trained)),
            "timing": {
                "prepare_s": prepare_s,
                "train_s": sum(facts["seconds"] for facts in trained),
            },
            "exports": exports,
        },
    )
    write_report(run)
    runs.drop_parts(run)
    return result
