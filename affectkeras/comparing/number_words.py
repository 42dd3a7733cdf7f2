"""What a comparison of arms that predict numbers found, in words and in rows of a table."""

import math

from affectkeras.comparing.comparison_words import MINUS, rounded
from affectkeras.comparing.number_arms import MatchedNumbers
from affectkeras.evaluation.difference_variance import rows_needed
from affectkeras.evaluation.number_comparison import NumberComparison, NumberDifference
from affectkeras.wording import signed

METRIC_WORDS = {"ccc": "CCC", "mse": "MSE"}
PLACES = {"ccc": 3, "mse": 4}
HEADER = ("Arm", "Target", "Metric", "Value", "Difference", "95 % interval")
METHOD = (
    "Differences are arm minus reference on the same test rows. CCC and MSE are of all rows "
    "together: a higher CCC and a lower MSE are better. Intervals hold 95 %, by Student's t, with "
    "test groups (videos) drawn again (bootstrap) and, where both arms have several seeds, seeds "
    "as random too; a difference is shown where the interval leaves zero out. They are not "
    "corrected for the number of arms, targets and metrics. A needed number of test groups is for "
    "80 % power at the 5 % level, two-sided, with seeds as here."
)


def verdict(
    one: NumberComparison, found: NumberDifference, worth: float, labels: tuple[str, ...] = ()
) -> str:
    """Say in plain language what one metric of one target shows.

    Args:
        worth: the difference of CCC for which the needed number of test groups is named.
        labels: of the runs; they stand in front, so that the sentence is never seen without them.
    """
    label = f"[{', '.join(labels)}] " if labels else ""
    start = f"{label}{one.arm} {MINUS} {one.reference} = {plus(found)} {METRIC_WORDS[found.metric]}"
    start += f" of {found.target}"
    if found.reason:
        return f"{start}: {found.reason}."
    start += f" {bracketed(found)}"
    if found.shown:
        words = f"{start}: a difference is shown."
    else:
        needed = f"; {need(one, found, worth)}" if found.metric == "ccc" else ""
        words = f"{start}: no difference shown{needed}."
    if not one.seeds_repeated:
        words += (
            " Seeds were not repeated in both arms: this compares trained models, not ways of "
            "training."
        )
    return words


def need(one: NumberComparison, found: NumberDifference, worth: float) -> str:
    """Say how many test groups would show a difference of CCC worth finding."""
    of = f"a difference of {worth:g}"
    if found.standard_error == 0:
        return f"the arms agree throughout, so that nothing tells how many groups {of} would need"
    groups = rows_needed(found.variance, one.groups, worth)
    if groups is None:
        return f"{of} would need more seeds: no number of test groups makes up for them"
    enough = ", which is enough" if groups <= one.groups else ""
    return f"{of} would need about {rounded(groups)} test groups (there are {one.groups:,}{enough})"


def labels_of(matched: MatchedNumbers, one: NumberComparison) -> tuple[str, ...]:
    """Return the labels of the runs of both arms, each once."""
    runs = [run for name in (one.reference, one.arm) for run in matched.runs if run.name == name]
    return tuple(dict.fromkeys(label for run in runs for label in run.labels))


def verdicts(matched: MatchedNumbers, compared: list[NumberComparison], worth: float) -> list[str]:
    """Return a sentence per arm, target and metric."""
    return [
        verdict(one, found, worth, labels_of(matched, one))
        for one in compared
        for found in one.differences
    ]


def table_rows(compared: list[NumberComparison]) -> list[list[str]]:
    """Return the cells below `HEADER`."""
    rows, told = [], set()
    for one in compared:
        for found in one.differences:
            what = [found.target, METRIC_WORDS[found.metric]]
            if tuple(what) not in told:
                told.add(tuple(what))
                rows.append([one.reference, *what, figure(found, found.reference), "", ""])
            rows.append([one.arm, *what, figure(found, found.arm), plus(found), bracketed(found)])
    # An arm's row stands below its reference's, target by target.
    order = list(dict.fromkeys((row[1], row[2]) for row in rows))
    return sorted(rows, key=lambda row: order.index((row[1], row[2])))


def csv_rows(matched: MatchedNumbers, compared: list[NumberComparison], worth: float) -> list[dict]:
    """Return a row per comparison, target and metric."""
    rows = []
    for one in compared:
        labels = labels_of(matched, one)
        for found in one.differences:
            known = not found.reason and found.standard_error > 0 and found.metric == "ccc"
            rows.append(
                {
                    "reference": one.reference,
                    "arm": one.arm,
                    "target": found.target,
                    "metric": found.metric,
                    "labels": "; ".join(labels),
                    "reference_value": found.reference,
                    "arm_value": found.arm,
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "standard_error": found.standard_error,
                    "degrees_of_freedom": found.degrees_of_freedom,
                    "shown": found.shown,
                    "rows": one.rows,
                    "groups": one.groups,
                    "reference_seeds": " ".join(map(str, one.reference_seeds)),
                    "arm_seeds": " ".join(map(str, one.arm_seeds)),
                    "worth": worth if found.metric == "ccc" else None,
                    "groups_needed": (
                        rows_needed(found.variance, one.groups, worth) if known else None
                    ),
                    "verdict": verdict(one, found, worth, labels),
                }
            )
    return rows


def figure(found: NumberDifference, value: float) -> str:
    """Return a value of the metric, or a dash."""
    return signed(value, PLACES[found.metric]) or "–"


def plus(found: NumberDifference) -> str:
    """Return a difference with its sign, or a dash."""
    if not math.isfinite(found.difference):
        return "–"
    text = figure(found, found.difference)
    return text if text.startswith(MINUS) else f"+{text}"


def bracketed(found: NumberDifference) -> str:
    """Return an interval, or a dash."""
    if found.reason:
        return "–"
    return f"[{figure(found, found.low)}, {figure(found, found.high)}]"
