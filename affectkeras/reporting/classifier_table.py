"""The report's table of classifiers that are no networks: their settings and what they tell."""

import json

from affectkeras.reporting.html_page import paragraph, table
from affectkeras.reporting.run_data import RunData
from affectkeras.wording import interval, mean_sd, percent, seconds


def classifiers(run: RunData) -> str:
    """A row per classifier: chosen settings, what inner folds said of them, held-out figures."""
    if run.tuning is None:
        return ""
    rows, strong = [], []
    tuned = set(run.tuning["arm"])
    for arm in (one for one in run.arms if one in tuned):
        tried = run.tuning[run.tuning["arm"] == arm]
        chosen = tried[tried["chosen"]]
        found = (run.result.get("arms") or {}).get(arm) or {}
        test = found.get("test") or {}
        if arm == run.result.get("served_arm"):
            strong = [len(rows)]
        rows.append(
            [
                arm,
                "; ".join(dict.fromkeys(map(_words, chosen["settings"]))),
                len(tried) // max(1, tried["seed"].nunique()),
                f"{percent(chosen['accuracy'].mean())} ± {percent(chosen['sd'].mean())}",
                mean_sd((found.get("validation") or {}).get("accuracy") or {}),
                mean_sd(test.get("accuracy") or {}),
                interval(test.get("accuracy") or {}),
                mean_sd(test.get("macro_f1") or {}),
                seconds(tried["seconds"].sum()),
            ]
        )
    majority = (run.result.get("baselines") or {}).get("majority") or {}
    if majority:
        floor = [percent(majority.get("accuracy")), None, percent(majority.get("macro_f1")), None]
        rows.append([f"always {majority.get('class')}", None, None, None, None, *floor])
    header = ["classifier", "settings chosen", "tried", "inner folds, ± SD over folds",
              "validation accuracy", "test accuracy", "95 % interval", "macro F1",
              "choice took"]  # fmt: skip
    words = (
        "Settings are chosen by folds of the training rows, groups and copies of a picture kept "
        "whole; then each classifier is fitted on all training rows and told once on the test part."
    )
    return paragraph(words, "note") + table(header, rows, range(2, 9), strong)


def _words(settings: str) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in json.loads(settings).items())
