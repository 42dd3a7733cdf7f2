"""What every recipe with number targets ends with: records, result and report."""

from collections.abc import Sequence
from pathlib import Path

from affectkeras import results, runs
from affectkeras.comparing.claims import Claim
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.splits import Split
from affectkeras.number_results import mean_baseline
from affectkeras.reporting.report import write_report
from affectkeras.run_result import common_parts, write_records


def write_number_result(
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
    baselines: dict | None = None,
    ablation: Sequence[dict] | None = None,
) -> dict:
    """Write `rejected.csv`, `result.json` and the report of a recipe; drop its parts.

    Args:
        run … prepare_s: as in `run_result.common_parts`; `arms` of
            `number_results.summarise_numbers`.
        baselines: name → target → figures, beside `mean`, the mean of the training rows, which is
            always there.
        ablation: of `number_results.ablation_rows`, where arms are set beside each other by cost.

    Returns:
        The result.
    """
    predicted = {
        name for parts in arms.values() for part in parts.values() for name in part["targets"]
    }
    targets = [target.name for target in table.targets if target.name in predicted]
    write_records(run, table, findings)
    parts = common_parts(
        run,
        config,
        table,
        splits,
        findings,
        target=None,
        claims=claims,
        banners=banners,
        model=model,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
    )
    parts["targets"] = targets
    parts["baselines"] = {
        "mean": mean_baseline(table.frame, splits, targets),
        **(baselines or {}),
    }
    if ablation is not None:
        parts["ablation"] = list(ablation)
    result = results.write_result(run, parts)
    write_report(run)
    runs.drop_parts(run)
    return result
