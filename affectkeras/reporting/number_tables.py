"""Tables of the report of runs with number targets: verdict, per video, ablation."""

from collections.abc import Sequence

from affectkeras.comparing.compare import compare_named
from affectkeras.comparing.number_words import verdict as verdict_on
from affectkeras.errors import UserError
from affectkeras.evaluation.number_comparison import NumberComparison
from affectkeras.number_results import MEAN
from affectkeras.reporting.html_page import paragraph, table
from affectkeras.reporting.run_data import RunData
from affectkeras.wording import absent, signed, signed_interval, signed_sd

FEW = 20  # videos below which percentile intervals of one seed were too narrow (simulated)
WORTH = 0.03  # a difference of CCC that is worth finding


def number_verdict(run: RunData, compared: Sequence[NumberComparison]) -> str:
    """Arms and targets with their figures on the test part, beside the mean of training.

    Args:
        compared: of `compare_arms_of`.
    """
    result, rows, strong = run.result, [], []
    baseline = (result.get("baselines") or {}).get("mean") or {}
    for target in run.number_targets:
        for arm, splits in (result.get("arms") or {}).items():
            found = _found(splits, "test", target)
            if not found:
                continue
            validation = _found(splits, "validation", target)
            test = splits["test"]
            strong += [len(rows)] if arm == result.get("served_arm") else []
            rows.append(
                [
                    target,
                    arm,
                    signed_sd(found["ccc"]),
                    signed_interval(found["ccc"]),
                    signed((found.get("rmse") or {}).get("mean"), 3),
                    signed((validation.get("ccc") or {}).get("mean"), 3),
                    len(found["ccc"].get("per_seed") or []) or None,
                    test.get("n"),
                    test.get("groups"),
                ]
            )
        if target in baseline:
            one = baseline[target]
            rows.append(
                [target, f"{MEAN} ({signed(one.get('value'))})", signed(one.get("ccc"), 3), None,
                 signed(one.get("rmse"), 3), None, None, None, None]
            )  # fmt: skip
    if not rows:
        return ""
    header = ["target", "arm", "CCC", "95 % interval", "RMSE", "validation CCC", "seeds", "n",
              "videos"]  # fmt: skip
    note = (
        "CCC: Lin's concordance over all test rows together; 1 is perfect, 0 is what naming one "
        "number throughout reaches. RMSE is in the target's unit. n: test rows. "
        " Intervals resample whole videos and, with several, seeds."
    )
    videos = [row[8] for row in rows if row[8]]
    if videos and min(videos) < FEW:
        note += (
            f" With fewer than {FEW} videos and one seed the intervals are too narrow: in "
            "simulations those of 8 and 15 videos covered 0.83 and 0.88, not 0.95."
        )
    if any("±" in (row[2] or "") for row in rows):
        note += " ±: standard deviation over seeds (ddof 1)."
    if strong:
        note += " Bold: the arm of the served model, chosen on validation rows."
    said = "".join(paragraph(text) for text in [*verdicts(run), *differences(compared, "ccc")])
    return said + table(header, rows, range(2, 9), strong) + paragraph(note, "note")


def verdicts(run: RunData) -> list[str]:
    """Say of every arm and target whether it is shown to beat the mean of training."""
    said = []
    for target in run.number_targets:
        for arm, splits in (run.result.get("arms") or {}).items():
            found = _found(splits, "test", target)
            if found:
                said.append(f"{arm}, {target}: {_against_mean(found['ccc'], splits['test'])}")
    return said


def _against_mean(ccc: dict, test: dict) -> str:
    low, high = ccc.get("ci95") or (None, None)
    start = f"CCC {signed(ccc.get('mean'), 3) or 'none'}"
    if absent(low) or absent(high):
        return f"{start}, not shown to beat the {MEAN}: {ccc.get('ci95_reason')}."
    start += f" {signed_interval(ccc)} on {test.get('groups')} videos"
    if low > 0:
        return f"{start}: shown to beat the {MEAN}, whose CCC is 0."
    if high < 0:
        return f"{start}: shown to be worse than the {MEAN}, whose CCC is 0."
    return f"{start}: not shown to beat the {MEAN}, as the interval reaches its CCC of 0."


def compare_arms_of(run: RunData) -> list[NumberComparison]:
    """Return what `compare` finds in a run with number targets; empty where it finds nothing."""
    if not run.number_targets:
        return []
    try:
        _, compared = compare_named([str(run.folder)])
    except UserError:  # a run of one arm, arms without a common target, or not complete
        return []
    return compared


def differences(compared: Sequence[NumberComparison], metric: str) -> list[str]:
    """Say of every further arm what `compare` says of one metric, target by target."""
    return [
        verdict_on(one, found, WORTH)
        for one in compared
        for found in one.differences
        if found.metric == metric
    ]


def per_video(run: RunData) -> str:
    """CCC and PCC of each video alone, averaged, beside the pooled figures."""
    rows, left_out = [], []
    for target in run.number_targets:
        for arm, splits in (run.result.get("arms") or {}).items():
            found = _found(splits, "test", target)
            if not found:
                continue
            alone, correlation = found.get("ccc_per_video") or {}, found.get("pcc_per_video") or {}
            rows.append(
                [
                    target,
                    arm,
                    signed_sd(alone),
                    signed_interval(alone),
                    signed_sd(correlation),
                    signed_interval(correlation),
                    signed((found.get("pcc") or {}).get("mean"), 3),
                    f"{alone.get('undefined', 0)}, {correlation.get('undefined', 0)}",
                ]
            )
            left_out += [
                f"{arm}, {target}, {name.replace('_', ' ')}: {one['draws_without']:.1%}"
                for name, one in found.items()
                if one.get("draws_without")
            ]
    if not rows:
        return ""
    header = ["target", "arm", "CCC", "95 % interval", "PCC", "95 % interval", "PCC pooled",
              "without"]  # fmt: skip
    note = (
        "CCC and PCC of each test video alone, then the mean. That asks whether the rise and fall "
        "within a video is followed; pooled, also how videos differ from each other. A video whose "
        "truth or prediction is constant has CCC 0 and no PCC. Without: how many have no CCC, no "
        "PCC."
    )
    if left_out:
        note += f" Draws without a figure, left out of the interval: {'; '.join(left_out)}."
    return table(header, rows, range(2, 8)) + paragraph(note, "note")


def ablation(run: RunData, compared: Sequence[NumberComparison]) -> str:
    """What each kind of network costs, and what it reaches.

    Args:
        compared: of `compare_arms_of`.
    """
    found = run.result.get("ablation") or []
    arms = {one.get("arm") for one in found}
    if len(arms) < 2:
        return ""
    rows = [
        [
            one.get("target"),
            one.get("arm"),
            None if one.get("parameters") is None else f"{one['parameters']:,}",
            _loss(one.get("loss") or {}),
            None if absent(one.get("seconds_per_epoch")) else f"{one['seconds_per_epoch']:.2f}",
            signed_sd(one.get("ccc") or {}),
            signed_interval(one.get("ccc") or {}),
        ]
        for one in sorted(found, key=lambda one: run.number_targets.index(one["target"]))
    ]
    header = ["target", "arm", "parameters", "loss (MSE)", "seconds an epoch", "CCC",
              "95 % interval"]  # fmt: skip
    note = (
        "Loss and CCC on test rows. Seconds: mean over epochs without each training's first, in "
        "which the network is compiled. The paper says (Model Architecture) that the GRU has "
        "fewer parameters, a lower loss and the faster training."
    )
    beside = [one for one in compared if {one.reference, one.arm} <= arms]
    said = "".join(paragraph(text) for text in differences(beside, "mse"))
    return said + table(header, rows, range(2, 7)) + paragraph(note, "note")


def _loss(found: dict) -> str | None:
    mean, sd = signed(found.get("mean"), 4), found.get("sd")
    return mean if mean is None or absent(sd) else f"{mean} ± {sd:.4f}"


def _found(splits: dict, part: str, target: str) -> dict:
    return ((splits.get(part) or {}).get("targets") or {}).get(target) or {}
