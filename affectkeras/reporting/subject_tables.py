"""Tables of runs on recordings of people: scores by subject, irregularities, labels."""

import pandas as pd

from affectkeras.reporting.html_page import folded, paragraph, table
from affectkeras.reporting.run_data import RunData
from affectkeras.subject_result import CHIEF_METRIC, differences_to_floors
from affectkeras.wording import absent, interval, percent, points

_METRICS = {
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
}
_RECORDINGS_NAMED = 3


def by_subject(run: RunData) -> str:
    """Mean and deviation over subjects of every arm, its interval, and what it adds to floors."""
    found = run.result.get("by_subject") or {}
    rows, strong = [], []
    for arm, one in found.items():
        if arm == run.result.get("served_arm"):
            strong = [len(rows)]
        chief = one.get(CHIEF_METRIC) or {}
        others = [_mean_sd(one.get(name) or {}) for name in _METRICS if name != CHIEF_METRIC]
        rows.append([arm, chief.get("subjects"), _mean_sd(chief), interval(chief), *others])
    if not rows:
        return ""
    header = ["arm", "subjects", "macro F1 ± SD", "95 % interval"]
    header += [f"{words} ± SD" for name, words in _METRICS.items() if name != CHIEF_METRIC]
    return (
        table(header, rows, range(1, len(header)), strong)
        + paragraph(_note(run), "note")
        + _above_floors(run)
        + _each_subject(run)
    )


def irregularities(run: RunData) -> str:
    """What was not as the owner's layout promises, with the rule that was followed."""
    if run.irregularities is None:
        return ""
    frame = run.irregularities.fillna({"signal": "", "rule": ""})
    rows = []
    for (signal, kind, rule), held in frame.groupby(["signal", "kind", "rule"], sort=False):
        recordings = held["recording"].unique().tolist()
        named = ", ".join(recordings[:_RECORDINGS_NAMED])
        more = len(recordings) - _RECORDINGS_NAMED
        named += f" and {more} more" if more > 0 else ""
        rows.append([signal or "all", kind, int(held["count"].sum()), len(recordings), rule, named])
    words = "What was not as the owner's layout promises, and what was done with it:"
    header = ["signal", "what", "count", "recordings", "rule", "such as"]
    return paragraph(words) + table(header, rows, (2, 3))


def label_words(run: RunData) -> str:
    """Say how skewed the labels are, over all and by subject."""
    if run.label_counts is None:
        return ""
    counts = subject_label_counts(run)
    total = counts.sum()
    if not total.sum():
        return ""
    of_subject = counts[counts.sum(axis=1) > 0]
    shares = of_subject[total.idxmax()] / of_subject.sum(axis=1)
    alone = int(((of_subject > 0).sum(axis=1) == 1).sum())
    words = (
        f"{total.idxmax()} has {percent(total.max() / total.sum())} of the "
        f"{int(total.sum()):,} windows; of single subjects from {percent(shares.min())} to "
        f"{percent(shares.max())}."
    )
    if alone:
        words += (
            f" {alone} of {len(of_subject)} subjects show one class only: their macro F1 cannot "
            f"pass {percent(1 / counts.shape[1])}."
        )
    return paragraph(words)


def subject_label_counts(run: RunData) -> pd.DataFrame:
    """Return windows by subject (rows, sorted) and class (columns, in the order of the classes)."""
    frame = run.label_counts
    counts = frame.pivot_table(
        index="subject", columns="class_name", values="windows", aggfunc="sum", fill_value=0
    )
    return counts[list(dict.fromkeys(frame["class_name"]))]


def _note(run: RunData) -> str:
    words = (
        "Each subject has one score, the mean over seeds; ±: standard deviation over subjects "
        "with the divisor n, as in the lecture. Intervals draw subjects anew. The macro F1 of a "
        "subject runs over all classes: one that the subject neither shows nor is given counts 0."
    )
    if run.result.get("served_arm") in (run.result.get("by_subject") or {}):
        words += " Bold: the arm of the served model, which is trained on all subjects afterwards."
    return words


def _above_floors(run: RunData) -> str:
    """By how many points of macro F1 every network passes each floor, subject by subject."""
    if run.subject_scores is None:
        return ""
    floors = [arm for arm in run.floors if arm in set(run.subject_scores["arm"])]
    found = differences_to_floors(run.subject_scores, floors) if floors else {}
    if not found:
        return ""
    rows = [
        [arm, *(_difference(of_arm[floor]) for floor in floors)] for arm, of_arm in found.items()
    ]
    told = [f"{arm} {run.floors[arm]}" for arm in floors if run.floors[arm]]
    words = (
        "Points of macro F1 above each floor: mean of the differences subject by subject, its "
        "95 % interval, and for how many subjects the arm does better. "
    )
    words += f"Floors: {'; '.join(told)}." if told else ""
    header = ["arm", *(f"above {floor}" for floor in floors)]
    return table(header, rows, range(1, len(header))) + paragraph(words, "note")


def _each_subject(run: RunData) -> str:
    if run.subject_scores is None:
        return ""
    scores = run.subject_scores
    arms = [arm for arm in run.arms if arm in set(scores["arm"])]
    means = scores.pivot_table(index="subject", columns="arm", values=CHIEF_METRIC)[arms]
    facts = scores.drop_duplicates("subject").set_index("subject")
    rows = [
        [subject, int(facts["n"][subject]), int(facts["classes"][subject]), *map(percent, found)]
        for subject, found in zip(means.index, means.to_numpy(), strict=True)
    ]
    header = ["subject", "windows", "classes", *arms]
    return folded("Macro F1 of every subject", table(header, rows, range(1, len(header))))


def _mean_sd(found: dict) -> str | None:
    """Return a mean and the deviation over subjects."""
    mean, sd = percent(found.get("mean")), found.get("sd")
    return mean if mean is None or absent(sd) else f"{mean[:-2]} ± {100 * sd:.1f} %"


def _difference(found: dict) -> str:
    low, high = found["ci95"]
    between = "" if low is None else f" [{points(low)}, {points(high)}]"
    return f"{points(found['mean'])}{between}, {found['better']} of {found['subjects']}"
