"""What a comparison of arms found, in words and in rows of a table."""

import math

from affectkeras.comparing.comparison_arms import MatchedArms
from affectkeras.comparing.number_arms import MatchedNumbers
from affectkeras.evaluation.comparison import METRICS, Comparison, Difference
from affectkeras.evaluation.difference_variance import rows_needed
from affectkeras.wording import points

METRIC_WORDS = {"accuracy": "accuracy", "macro_f1": "macro F1"}
MINUS = "\N{MINUS SIGN}"
HEADER = ("Arm", "Metric", "Value", "Difference", "95 % interval", "p", "Holm", "Cohen's h")
METHOD = (
    "Differences are arm minus reference on the same test rows, in percentage points. Intervals "
    "hold 95 %, by Student's t, with test groups drawn again (bootstrap) and, where both arms have "
    "several seeds, seeds as random too. p: of the same t, or with one seed an arm from exchanging "
    "the arms' predictions group by group. Holm: p corrected for the number of arms compared by "
    "that metric. Cohen's h: 0.2 is small, 0.5 medium, 0.8 large. A needed number of test rows is "
    "for 80 % power at the 5 % level, two-sided, with seeds and groups as here."
)


def verdict(one: Comparison, metric: str, worth: float, labels: tuple[str, ...] = ()) -> str:
    """Say in plain language what one metric shows.

    Args:
        worth: the difference, as a share, for which the needed number of test rows is named.
        labels: of the runs; they stand in front, so that the sentence is never seen without them.
    """
    found = one.differences[metric]
    label = f"[{', '.join(labels)}] " if labels else ""
    what = "" if metric == "accuracy" else f" {METRIC_WORDS[metric]}"
    start = f"{label}{one.arm} {MINUS} {one.reference} = {points(found.difference)} points{what}"
    if not math.isfinite(found.low):
        return f"{start}: all test rows are of one group, which tells nothing of others."
    start += f" {bracketed(found)}"
    if found.shown:
        words = f"{start}: a difference is shown ({p_words(one, found)})."
    else:
        alone = ", though the interval alone leaves zero out" if found.low * found.high > 0 else ""
        words = f"{start}: no difference shown ({p_words(one, found)}){alone}; "
        words += f"{need(one, found, worth)}."
    if not one.seeds_repeated:
        words += (
            " Seeds were not repeated in both arms: this compares trained models, not ways of "
            "training."
        )
    return words


def table_rows(compared: list[Comparison]) -> list[list[str]]:
    """Return the cells below `HEADER`."""
    rows = []
    for metric in METRICS:
        first = compared[0].differences[metric]
        name = METRIC_WORDS[metric]
        rows.append([compared[0].reference, name, f"{first.reference:.1%}", *[""] * 5])
        for one in compared:
            found = one.differences[metric]
            p_values = [p_value(p).removeprefix("= ") for p in (found.p_value, found.p_adjusted)]
            effect = f"{one.cohens_h:+.3f}" if metric == "accuracy" else ""
            rows.append(
                [one.arm, name, f"{found.arm:.1%}", points(found.difference), bracketed(found)]
                + [*p_values, effect]
            )
    return rows


def verdicts(matched: MatchedArms, compared: list[Comparison], worth: float) -> list[str]:
    """Return all sentences: a verdict per arm and metric, and McNemar's test."""
    found = []
    for number, one in enumerate(compared, start=1):
        labels = labels_of(matched, number)
        found += [verdict(one, metric, worth, labels) for metric in METRICS]
        tested = mcnemar_words(one)
        found += [tested] if tested else []
        if math.isfinite(one.design_effect):
            found.append(
                f"{one.arm}: on {one.discordance:.1%} of the rows exactly one of both arms is "
                f"right; groups multiply the variance by {one.design_effect:.2f} (design effect)."
            )
    return found


def need(one: Comparison, found: Difference, worth: float) -> str:
    """Say how many test rows would show a difference worth finding."""
    of = f"a difference of {100 * worth:g} points"
    if found.standard_error == 0:
        return f"the arms agree throughout, so that nothing tells how many rows {of} would need"
    rows = rows_needed(found.variance, one.rows, worth)
    if rows is None:
        return (
            f"{of} would need more seeds than {one_or_two(one)}: no number of test rows makes up "
            "for them"
        )
    enough = ", which is enough" if rows <= one.rows else ""
    return f"{of} would need about {rounded(rows)} test rows (there are {one.rows:,}{enough})"


def one_or_two(one: Comparison) -> str:
    """Name how many seeds the arms have."""
    numbers = sorted({len(one.reference_seeds), len(one.arm_seeds)})
    return " and ".join(map(str, numbers))


def rounded(rows: float) -> str:
    """Return a number of rows with two digits that mean something, rounded up."""
    digits = max(math.floor(math.log10(rows)) - 1, 0)
    return f"{math.ceil(rows / 10**digits) * 10**digits:,}"


def p_words(one: Comparison, found: Difference) -> str:
    """Return the p-value, and Holm's where several arms were compared."""
    if one.comparisons == 1:
        return f"p {p_value(found.p_value)}"
    return (
        f"p {p_value(found.p_value)}, {p_value(found.p_adjusted).removeprefix('= ')} corrected "
        f"for {one.comparisons} comparisons"
    )


def p_value(value: float) -> str:
    """Return a p-value with its sign of relation."""
    if not math.isfinite(value):
        return "unknown"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


def bracketed(found: Difference) -> str:
    """Return an interval in points, or a dash."""
    if not math.isfinite(found.low):
        return "–"
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]".replace("-", MINUS)


def mcnemar_words(one: Comparison) -> str | None:
    """Say what McNemar's test by rows gives; None with several seeds."""
    if one.mcnemar is None:
        return None
    found = one.mcnemar
    words = (
        f"McNemar, exact, by rows, {one.arm} and {one.reference}: only {one.arm} right on "
        f"{found.only_arm:,} rows, only {one.reference} on {found.only_reference:,}; "
        f"p {p_value(found.p_value)}."
    )
    if one.groups < one.rows:
        words += " It takes every row as independent and ignores the groups: do not rely on it."
    return words


def notes(matched: MatchedArms | MatchedNumbers) -> list[str]:
    """Return what a reader of every figure must know: labels by run, groups."""
    found = []
    for run in dict.fromkeys(one.run for one in matched.runs):
        labels = next(one.labels for one in matched.runs if one.run == run)
        if labels:
            found.append(f"{run.resolve().name}: {', '.join(labels)}.")
    if not matched.groups_known:
        found.append(
            "The groups are not known: rows of one person or film count as independent, and "
            "intervals and p-values may be too small."
        )
    return found


def labels_of(matched: MatchedArms, arm: int) -> tuple[str, ...]:
    """Return the labels of an arm's run and of the reference's, each once."""
    return tuple(dict.fromkeys([*matched.runs[0].labels, *matched.runs[arm].labels]))


def csv_rows(matched: MatchedArms, compared: list[Comparison], worth: float) -> list[dict]:
    """Return a row per comparison and metric; figures are shares, not points."""
    rows = []
    for number, one in enumerate(compared, start=1):
        labels = labels_of(matched, number)
        for metric, found in one.differences.items():
            known = math.isfinite(found.low) and found.standard_error > 0
            accuracy = metric == "accuracy"
            tested = one.mcnemar if accuracy else None
            rows.append(
                {
                    "reference": one.reference,
                    "arm": one.arm,
                    "metric": metric,
                    "labels": "; ".join(labels),
                    "reference_value": found.reference,
                    "arm_value": found.arm,
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "standard_error": found.standard_error,
                    "degrees_of_freedom": found.degrees_of_freedom,
                    "test": found.test,
                    "p_value": found.p_value,
                    "p_holm": found.p_adjusted,
                    "comparisons": one.comparisons,
                    "shown": found.shown,
                    "cohens_h": one.cohens_h if accuracy else None,
                    "discordance": one.discordance if accuracy else None,
                    "design_effect": one.design_effect if accuracy else None,
                    "mcnemar_only_reference": tested.only_reference if tested else None,
                    "mcnemar_only_arm": tested.only_arm if tested else None,
                    "mcnemar_p_value": tested.p_value if tested else None,
                    "rows": one.rows,
                    "groups": one.groups,
                    "reference_seeds": " ".join(map(str, one.reference_seeds)),
                    "arm_seeds": " ".join(map(str, one.arm_seeds)),
                    "worth": worth,
                    "rows_needed": rows_needed(found.variance, one.rows, worth) if known else None,
                    "verdict": verdict(one, metric, worth, labels),
                }
            )
    return rows
