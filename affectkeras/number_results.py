"""What a run with number targets found: as `results`, every figure comes from the predictions.

A run's `predictions.csv` holds of each target its truth, such as `valence`, and its prediction,
`predicted_valence`; an arm that does not predict a target has no numbers (NaN) there.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.comparing.honest import honest_words
from affectkeras.evaluation.intervals import Interval, bootstrap_seeds_and_groups
from affectkeras.evaluation.number_metrics import (
    concordance,
    mean_squared_error,
    root_mean_squared_error,
)
from affectkeras.evaluation.number_sums import NUMBER_METRICS, ccc_of, number_sums, pcc_of
from affectkeras.evaluation.splits import Split
from affectkeras.wording import absent, signed, signed_interval

PREDICTED = "predicted_"  # in front of a target's name: the column of its prediction
PREDICTION_COLUMNS = ("arm", "seed", "fold", "split", "example_id", "group")
# Of each video alone, then the mean over videos.
PER_VIDEO = {"ccc_per_video": ccc_of, "pcc_per_video": pcc_of}
MEAN = "mean of training"  # what the baseline is called wherever it is shown


def summarise_numbers(
    predictions: pd.DataFrame,
    targets: Sequence[str],
    *,
    repetitions: int = 2000,
    seed: int = 0,
) -> dict:
    """Compute all figures of a `predictions.csv` of number targets.

    `mse`, `rmse`, `pcc` and `ccc` pool all rows of a seed; folds of one seed are pooled too.
    `ccc_per_video` and `pcc_per_video` are taken in each group alone and averaged. The two kinds
    differ, and mean different things: pooled, a model is also asked how videos differ from each
    other. Intervals resample seeds and whole groups (see `evaluation.intervals`); a draw in which a
    metric has no figure is left out and counted, and where that happens in more than a twentieth
    there is no interval. With one seed and few groups percentile intervals of a CCC are too narrow:
    in simulations they covered 0.83 with 8, 0.88 with 15, 0.93 with 25 and 0.96 with 60 groups;
    with three seeds 0.94 to 0.98.

    Args:
        predictions: columns `PREDICTION_COLUMNS` and, of each target, `<target>` and
            `predicted_<target>`.
        targets: such as `("valence", "arousal")`.
        repetitions, seed: of the bootstrap.

    Returns:
        arm → split → `n` (rows), `groups`, `seeds` and `targets`: target → metric, for the targets
        that the arm predicts. A metric has `mean, sd, ddof, ci95, per_seed`, as in
        `results.summarise`; `ci95_reason` where it has no interval and `draws_without`, the share
        of draws left out, where there are any. The mean is NaN where a seed has no figure. Those
        per video have `videos` and `undefined` besides: how many there are, and of how many of them
        some seed has no figure.
    """
    columns = [name for target in targets for name in (target, PREDICTED + target)]
    missing = [one for one in (*PREDICTION_COLUMNS, *columns) if one not in predictions.columns]
    if missing:
        raise ValueError(f"`predictions` lacks the columns {missing}")
    keys = ["arm", "seed", "split", "example_id"]
    repeated = predictions.duplicated(keys)
    if repeated.any():
        raise ValueError(
            f"`predictions` holds twice: {predictions[repeated].iloc[0][keys].to_dict()}"
        )
    arms = {}
    for (arm, split), rows in predictions.groupby(["arm", "split"], sort=False):
        seeds, seed_code = np.unique(rows["seed"].to_numpy(), return_inverse=True)
        group_code, groups = pd.factorize(rows["group"], sort=True)
        found = {
            target: _figures_of(
                _checked(rows, target, f"{arm}, {split}"),
                group_code,
                seed_code,
                (len(groups), len(seeds)),
                {"repetitions": repetitions, "seed": seed},
            )
            for target in targets
            if rows[PREDICTED + target].notna().any()
        }
        if not found:
            raise ValueError(f"arm {arm!r} predicts none of {list(targets)} for {split} rows")
        arms.setdefault(arm, {})[split] = {
            "n": int(rows["example_id"].nunique()),
            "groups": len(groups),
            "seeds": [int(one) for one in seeds],
            "targets": found,
        }
    return arms


def predicted_targets(predictions: pd.DataFrame) -> list[str]:
    """Return the number targets that some row of a predictions.csv predicts."""
    return [
        column.removeprefix(PREDICTED)
        for column in predictions.columns
        if column.startswith(PREDICTED) and predictions[column].notna().any()
    ]


def video_ccc(rows: pd.DataFrame, target: str) -> pd.Series:
    """Return the CCC of each group of one arm's rows, mean over seeds, the highest first.

    NaN, last, where some seed has no figure.
    """
    seeds, seed_code = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    group_code, groups = pd.factorize(rows["group"], sort=True)
    shape = len(groups), len(seeds)
    totals = number_sums(*_checked(rows, target, "these rows"), group_code, seed_code, shape)
    tested = totals[..., 0] > 0
    total = np.where(tested, ccc_of(totals), 0.0).sum(axis=1)
    return pd.Series(total / tested.sum(axis=1), groups).sort_values(ascending=False, kind="stable")


def mean_baseline(values: pd.DataFrame, splits: Sequence[Split], targets: Sequence[str]) -> dict:
    """Return the figures of always naming the mean of the training rows.

    Args:
        values: a table's frame, with the targets' columns.
        splits: one, or the folds of a cross-validation, whose test rows are pooled. `value` is the
            mean of the first. With folds the means differ, so that their CCC is not exactly 0.
        targets: the columns.
    """
    found = {}
    for target in targets:
        numbers = values[target].to_numpy(dtype=float)
        means = [float(numbers[split.train].mean()) for split in splits]
        true = np.concatenate([numbers[split.test] for split in splits])
        predicted = np.repeat(means, [len(split.test) for split in splits])
        found[target] = {
            "value": means[0],
            "mse": mean_squared_error(true, predicted),
            "rmse": root_mean_squared_error(true, predicted),
            "ccc": concordance(true, predicted),
        }
    return found


def mean_ccc(part: dict) -> float:
    """Return the mean over targets of the pooled CCC in one part of `summarise_numbers`."""
    return float(np.mean([found["ccc"]["mean"] for found in part["targets"].values()]))


def best_number_seed(part: dict) -> int:
    """Return the seed of the highest CCC, mean over targets; the first of equals."""
    per_seed = np.mean([found["ccc"]["per_seed"] for found in part["targets"].values()], axis=0)
    return part["seeds"][int(np.argmax(per_seed))]


def ablation_rows(
    arms: dict, history: pd.DataFrame, parameters: Mapping[str, int], *, part: str = "test"
) -> list[dict]:
    """Return the rows of a result's `ablation`: what each arm costs, beside what it reaches.

    Args:
        arms: of `summarise_numbers`.
        history: the run's `history.csv`; an epoch's seconds are the mean without each training's
            first, in which the network is compiled. Where an arm is a network per target (column
            `target`), its epoch is one of each.
        parameters: arm → number of trained weights; the arms to set beside each other, in order.
        part: which rows loss and CCC are measured on.

    Returns:
        A row per arm and target: `arm, target, parameters, loss` (MSE), `seconds_per_epoch`, `ccc`.
    """
    rows = []
    for arm, number in parameters.items():
        seconds = _seconds_per_epoch(history[history["arm"] == arm])
        for target, found in arms[arm][part]["targets"].items():
            rows.append(
                {
                    "arm": arm,
                    "target": target,
                    "parameters": int(number),
                    "loss": found["mse"],
                    "seconds_per_epoch": seconds,
                    "ccc": found["ccc"],
                }
            )
    return rows


def _seconds_per_epoch(history: pd.DataFrame) -> float:
    later = history[history["epoch"] > history["epoch"].min()]
    epochs = later if len(later) else history
    networks = epochs["target"] if "target" in epochs.columns else epochs["arm"]
    return float(epochs.groupby(networks)["seconds"].mean().sum())


def print_number_result(result: dict, run: Path) -> None:
    """Print every arm and target beside the mean of training, and where the report lies."""
    baseline = result["baselines"].get("mean") or {}
    wide = max(len(MEAN) + 2, *(len(arm) + 2 for arm in result["arms"]))
    narrow = max(10, *(len(target) + 2 for target in result["targets"]))
    print(
        f"\n{'arm':<{wide}}{'target':<{narrow}}{'test CCC':>15}{'95 % interval':>18}"
        f"{'per video':>11}{'PCC':>8}{'RMSE':>8}{'n':>9}"
    )
    for target in result["targets"]:
        for arm, splits in result["arms"].items():
            test = splits.get("test") or {}
            found = (test.get("targets") or {}).get(target)
            if found is None:
                continue
            ccc = found["ccc"]
            spread = "" if absent(ccc["sd"]) else f" ± {ccc['sd']:.3f}"
            known = not absent(ccc["ci95"][0])
            interval = signed_interval(ccc) if known else "none"
            print(
                f"{arm:<{wide}}{target:<{narrow}}{_three(ccc) + spread:>15}{interval:>18}"
                f"{_three(found['ccc_per_video']):>11}{_three(found['pcc']):>8}"
                f"{_three(found['rmse']):>8}{test['n']:>9}"
            )
            if not known:
                print(f"{'':<{wide}}no interval: {ccc['ci95_reason']}")
        if target in baseline:
            mean = baseline[target]
            print(
                f"{MEAN:<{wide}}{target:<{narrow}}{signed(mean['ccc'], 3):>15}{'':>18}{'':>11}"
                f"{'':>8}{mean['rmse']:>8.3f}"
            )
    for banner in result["banners"]:
        print(f"*** {banner}")
    if "honest" in result["protocol"]:
        print(f"*** {honest_words(result['protocol']['honest'])}")
    print(f"\nReport:  {Path(run) / 'report.html'}")
    python = os.path.relpath(sys.executable)
    print(f"Predict: {python} -m affectkeras predict {run} VIDEO")
    print(f"Watch:   {python} -m affectkeras demo {run}")
    print(f"Compare: {python} -m affectkeras compare {run}")


def _three(found: dict) -> str:
    return "none" if absent(found["mean"]) else signed(found["mean"], 3)


def _checked(rows: pd.DataFrame, target: str, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and prediction of one target, both of every row."""
    pair = [rows[name].to_numpy(dtype=float) for name in (target, PREDICTED + target)]
    for name, values in zip((target, PREDICTED + target), pair, strict=True):
        lacking = ~np.isfinite(values)
        if lacking.any():
            raise ValueError(
                f"column {name!r} must hold a number in every row of {where}, or in none. "
                f"{np.count_nonzero(lacking)} of {len(rows)} have none, such as "
                f"{rows['example_id'].iloc[int(np.argmax(lacking))]!r}"
            )
    return pair[0], pair[1]


def _figures_of(pair, group_code, seed_code, shape: tuple[int, int], bootstrap: dict) -> dict:
    totals = number_sums(*pair, group_code, seed_code, shape)
    by_seed = totals.sum(axis=0)
    figures = {}
    for name, metric in NUMBER_METRICS.items():
        interval = bootstrap_seeds_and_groups(totals, metric, **bootstrap)
        figures[name] = spread(metric(by_seed), interval)
    tested = totals[..., 0] > 0
    for name, metric in PER_VIDEO.items():
        values = metric(totals)
        defined = tested & ~np.isnan(values)
        # Sums of figures, of videos with one, and of all videos: a mean is made of sums as well.
        means = np.stack([np.where(defined, values, 0.0), defined, tested], axis=-1).astype(float)
        interval = bootstrap_seeds_and_groups(means, _mean, **bootstrap)
        figures[name] = {
            **spread(_mean(means.sum(axis=0)), interval),
            "videos": shape[0],
            "undefined": int((tested & ~defined).any(axis=1).sum()),
        }
    return figures


def _mean(sums: np.ndarray) -> np.ndarray:
    out = np.full(sums.shape[:-1], np.nan)
    return np.divide(sums[..., 0], sums[..., 1], out=out, where=sums[..., 1] > 0)


def spread(per_seed: np.ndarray, interval: Interval) -> dict:
    """Return mean and sample standard deviation over seeds, and the interval, ready for JSON."""
    undefined = int(np.isnan(per_seed).sum())
    reason = interval.reason
    if undefined:
        reason = f"no figure with {undefined} of {len(per_seed)} seeds: a series is constant"
    found = {
        "mean": float(per_seed.mean()),
        "sd": float(per_seed.std(ddof=1)) if len(per_seed) > 1 and not undefined else None,
        "ddof": 1,
        "ci95": [None, None] if reason else [interval.low, interval.high],
    }
    if reason:
        found["ci95_reason"] = reason
    if interval.undefined:
        found["draws_without"] = interval.undefined
    return {**found, "per_seed": [float(one) for one in per_seed]}
