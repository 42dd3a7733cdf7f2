"""What every recipe on still faces ends with: records, result and report."""

from collections.abc import Sequence
from pathlib import Path

from affectkeras import results, runs
from affectkeras.comparing.claims import Claim
from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.splits import Split
from affectkeras.reporting.report import write_report
from affectkeras.run_result import common_parts, write_records


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
    regime: dict | None = None,
) -> dict:
    """Write `rejected.csv`, `result.json` and the report of a recipe on faces; drop its parts.

    Args:
        run … prepare_s: as in `run_result.common_parts`; `findings` of `divide_faces`, `arms` of
            `results.summarise`.
        regime: of `face_regime.explain_face_regime`, where there is a backbone.

    Returns:
        The result.
    """
    target = table.class_target
    labels = table.frame[target.name].to_numpy()
    write_records(run, table, findings)
    parts = common_parts(
        run,
        config,
        table,
        splits,
        findings,
        target=target.name,
        claims=claims,
        banners=banners,
        model=model,
        arms=arms,
        served_arm=served_arm,
        exports=exports,
        trained=trained,
        prepare_s=prepare_s,
    )
    majority = results.majority_baseline(labels, splits, target.class_names)
    more = {"class_names": list(target.class_names), "baselines": {"majority": majority}}
    more |= {} if regime is None else {"regime": regime}
    result = results.write_result(run, parts | more)
    write_report(run)
    runs.drop_parts(run)
    return result
