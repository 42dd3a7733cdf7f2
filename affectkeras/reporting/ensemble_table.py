"""What the members of an ensemble count, and how far they differ."""

import itertools

import pandas as pd

from affectkeras.reporting.html_page import paragraph, table
from affectkeras.reporting.run_data import RunData
from affectkeras.wording import number, percent


def ensemble(run: RunData) -> str:
    """Show each member's share under every rule, and on which test rows members differ."""
    if run.ensemble is None:
        return ""
    return _shares(run.ensemble) + _differences(run)


def _shares(frame: pd.DataFrame) -> str:
    rules = list(dict.fromkeys(frame["rule"]))
    means = frame.groupby(["member", "rule"])["share"].mean()
    rows = [
        [member, *(number(means.get((member, rule))) for rule in rules)]
        for member in dict.fromkeys(frame["member"])
    ]
    note = "What each member counts, mean over seeds. uniform and weighted: its weight in the mean "
    note += "of probabilities. stacked: the regression's mean coefficient of a member's "
    note += "log-probability of a class for that class."
    stacked = frame[frame["rule"] == "stacked"].drop_duplicates("seed")
    if len(stacked):
        chosen = ", ".join(f"{penalty:g}" for penalty in stacked["penalty"])
        note += f" Penalty that held the regression to the plain average, by seed: {chosen}."
    return table(["member", *rules], rows, range(1, len(rules) + 1)) + paragraph(note, "note")


def _differences(run: RunData) -> str:
    """Say on which test rows of one seed one member is right and another is not."""
    if run.predictions is None:
        return ""
    members = list(dict.fromkeys(run.ensemble["member"]))
    test = run.predictions[run.predictions["split"] == "test"]
    test = test.assign(right=(test["predicted"] == test[run.target]).astype(float))
    right = test.pivot(index=["seed", "example_id"], columns="arm", values="right")
    if not set(members) <= set(right.columns):
        return ""
    right = right[members]
    rows = [
        [
            f"{one} and {other}",
            percent(float((right[one] * right[other]).mean())),
            percent(float((right[one] * (1 - right[other])).mean())),
            percent(float(((1 - right[one]) * right[other]).mean())),
            percent(float(((1 - right[one]) * (1 - right[other])).mean())),
        ]
        for one, other in itertools.combinations(members, 2)
    ]
    header = ["members", "both right", "only the first", "only the second", "both wrong"]
    words = (
        f"At least one member is right on {percent(float(right.max(axis=1).mean()))} of the test "
        f"rows, every member on {percent(float(right.min(axis=1).mean()))}. Members that err on "
        "the same rows cannot correct each other."
    )
    return paragraph(words) + table(header, rows, range(1, len(header)))
