"""The tables of a run's report, each as HTML; empty text where the run has nothing to show."""

import json

from affectkeras.comparing.compare import compare_named
from affectkeras.comparing.comparison_words import verdict as verdict_on
from affectkeras.comparing.honest import honest_words
from affectkeras.errors import UserError
from affectkeras.reporting.html_page import Cell, folded, paragraph, table
from affectkeras.reporting.run_data import RunData
from affectkeras.wording import (
    interval,
    mean_sd,
    number,
    percent,
    seconds,
)

WORTH_POINTS = 3.0  # a difference of accuracy that is worth finding
_REMOVALS_SHOWN = 200
_REJECTED_SHOWN = 100


def verdict(run: RunData) -> str:
    """Arms with their figures on the test part, and what always naming one class would reach."""
    result = run.result
    if run.number_targets:
        return ""
    arms = result.get("arms") or {}
    rows, strong = [], []
    for arm, splits in arms.items():
        test = splits.get("test") or {}
        accuracy, macro_f1 = test.get("accuracy") or {}, test.get("macro_f1") or {}
        validation = (splits.get("validation") or {}).get("accuracy") or {}
        if arm == result.get("served_arm"):
            strong = [len(rows)]
        rows.append(
            [
                arm,
                mean_sd(accuracy),
                interval(accuracy),
                mean_sd(macro_f1),
                mean_sd(validation),
                _rows_removed(run, arm, splits),
                len(accuracy.get("per_seed") or []) or None,
                test.get("n") or _count(result, "examples", "test"),
            ]
        )
    if not rows:
        return ""
    majority = (result.get("baselines") or {}).get("majority") or {}
    if majority and "majority" not in arms:
        name = f"always {majority['class']}" if majority.get("class") else "majority class"
        rows.append(
            [name, percent(majority.get("accuracy")), None, percent(majority.get("macro_f1")), None,
             None, None, None]
        )  # fmt: skip
    header = ["arm", "accuracy", "95 % interval", "macro F1", "validation accuracy",
              "rows removed", "seeds", "n"]  # fmt: skip
    validated = any(row[4] for row in rows)
    if result.get("by_subject"):
        # Where subjects are left out one by one no rows are removed, and often none validate.
        header[4] = "accuracy in inner folds"
        header, *rows = [[*row[: 4 + validated], *row[6:]] for row in (header, *rows)]
    spread = any((splits.get("test") or {}).get("accuracy", {}).get("sd") for splits in
                 arms.values())  # fmt: skip
    note = "n: test rows. Intervals resample whole groups."
    if spread:
        note += " ±: standard deviation over seeds (ddof 1)."
    if strong:
        note += " Bold: the arm of the served model"
        note += ", chosen on validation rows." if validated else "."
    if result.get("by_subject"):
        note += (
            " Here all windows count alike and whole groups are resampled; the scores by subject "
            "count every subject alike, by macro F1: the two may disagree, and the second is the "
            "one that a new person may expect."
        )
    shown = table(header, rows, range(1, len(header)), strong) + paragraph(note, "note")
    return shown + "".join(paragraph(text) for text in differences(run))


def differences(run: RunData) -> list[str]:
    """Say of every further arm what `compare` says of it and the first."""
    try:
        _, compared = compare_named([str(run.folder)])
    except UserError:  # a run of one arm, or not complete
        return []
    return [verdict_on(one, "accuracy", WORTH_POINTS / 100) for one in compared]


def data_counts(run: RunData) -> str:
    """What was read, used and rejected, by part."""
    dataset = run.result.get("dataset") or {}
    examples, groups = dataset.get("examples") or {}, dataset.get("groups") or {}
    if not examples:
        return ""
    used, aside = sum(examples.values()), dataset.get("set_aside") or {}
    rejected = dataset.get("rejected")
    html = table(
        ["part", "examples", "groups"],
        [[part, count, groups.get(part)] for part, count in examples.items()],
        (1, 2),
    )
    parts = [f"{used} used"]
    parts += [f"{count} set aside ({reason})" for reason, count in aside.items()]
    if rejected is not None:
        parts.append(f"{rejected} rejected{_kinds(run)}")
        read = used + sum(aside.values()) + rejected
        html += paragraph(f"{read} read = " + " + ".join(parts) + ".")
    if dataset.get("groups_known") is False:
        html += paragraph("The data set does not tell its groups: each row counts as one.", "bad")
    if run.rejected is not None:
        shown = run.rejected.head(_REJECTED_SHOWN)
        rows = shown[["path", "kind", "reason"]].to_numpy().tolist()
        title = f"Rejected files ({len(shown)} of {len(run.rejected)})"
        html += folded(title, table(["file", "kind", "reason"], rows))
    return html


def protocol(result: dict) -> str:
    """How the rows were divided."""
    found = result.get("protocol") or {}
    if not found:
        return ""
    html = paragraph(f"{found.get('name', '')}: {found.get('description', '')}".strip(": "))
    if found.get("honest"):
        html += paragraph(honest_words(found["honest"]), "bad")
    return html + "".join(paragraph(note, "note") for note in found.get("notes") or [])


def leakage(result: dict) -> str:
    """What the leakage checks found."""
    found = result.get("leakage") or {}
    if not found:
        return ""
    rows = []
    for name, check in (found.get("checks") or {}).items():
        word = _outcome("passed", "good") if check.get("passed") else _outcome("found", "bad")
        examples = "; ".join(map(str, check.get("examples") or check.get("notes") or []))
        rows.append([_words(name), word, check.get("count"), examples])
    for name, why in (found.get("not_checked") or {}).items():
        rows.append([_words(name), "not checked", None, why])
    return table(["leakage check", "outcome", "count", "examples"], rows, (2,)) if rows else ""


def per_class(run: RunData) -> str:
    """Precision, recall and F1 of every class and arm."""
    rows = []
    for arm, splits in (run.result.get("arms") or {}).items():
        for name, found in ((splits.get("test") or {}).get("per_class") or {}).items():
            support = found.get("support")
            rows.append(
                [arm, name, *(percent(found.get(key)) for key in ("precision", "recall", "f1")),
                 None if support is None else f"{support:g}"]
            )  # fmt: skip
    if not rows:
        return ""
    return folded(
        "Precision, recall and F1 of every class (mean over seeds)",
        table(["arm", "class", "precision", "recall", "F1", "test rows"], rows, range(2, 6)),
    )


def removals(run: RunData) -> str:
    """The log of removed rows."""
    if run.removals is None:
        return ""
    frame = run.removals
    counts = frame.groupby(["arm", "expression"]).size().unstack(fill_value=0)
    summary = table(
        ["arm", *counts.columns, "all"],
        [[arm, *row.tolist(), int(row.sum())] for arm, row in counts.iterrows()],
        range(1, len(counts.columns) + 2),
    )
    shown = frame.sort_values("loss", ascending=False).head(_REMOVALS_SHOWN)
    rows = [
        [row.arm, row.seed, row.epoch, row.expression, number(row.loss), row.example_id]
        for row in shown.itertuples()
    ]
    log = table(["arm", "seed", "epoch", "class", "loss", "example"], rows, (1, 2, 4))
    title = f"Removal log ({len(shown)} of {len(frame)}, the highest losses first)"
    note = paragraph("Removed rows by class, all seeds together:", "note")
    return note + summary + folded(title, log)


def pruning(run: RunData) -> str:
    """Table 1 of the pruning paper, and the sizes of every model."""
    if run.table_1 is None:
        return ""
    rows = [
        [
            f"{row.feature_maps}", f"{row.epochs}", f"{row.learning_rate:g}",
            f"{row.threshold:g}°, {180 - row.threshold:g}°",
            percent(row.average_test_accuracy), percent(row.validation_accuracy),
            f"{row.feature_maps_pruned:g}", percent(row.validation_accuracy_after_pruning),
            f"{row.parameters_before:,.0f} → {row.parameters_after:,.0f}",
        ]
        for row in run.table_1.itertuples()
    ]  # fmt: skip
    header = ["maps", "epochs", "learning rate", "threshold", "average test accuracy",
              "validation accuracy", "maps pruned", "validation accuracy after pruning",
              "parameters"]  # fmt: skip
    note = (
        "The paper's Table 1, in its words: its “test” part is watched during training, its "
        "“validation” part is read once at the end. Everywhere else on this page these are called "
        "validation and test. Means over seeds."
    )
    return table(header, rows, range(len(header))) + paragraph(note, "note") + _modules(run)


def _modules(run: RunData) -> str:
    if run.modules is None:
        return ""
    rows = [
        [row.arm, row.seed, row.dropped or "–", row.without or "as it is",
         f"{row.parameters:,}", f"{row.macs:,}", percent(row.accuracy)]
        for row in run.modules.fillna("").itertuples()
    ]  # fmt: skip
    header = ["arm", "seed", "gone before", "without", "parameters", "MACs", "validation accuracy"]
    note = paragraph(
        "Whole modules left out, the layer behind them fitted by least squares; one goes where the "
        "accuracy on validation rows does not fall.",
        "note",
    )
    return folded("What whole modules are worth", table(header, rows, (1, 4, 5, 6)) + note)


def exports(result: dict) -> str:
    """The models kept, and how far each export is from the Keras model."""
    rows = []
    for model, formats in (result.get("exports") or {}).items():
        for name, found in (formats or {}).items():
            batches = ", ".join(map(str, found.get("batches") or []))
            difference = found.get("max_difference")
            text = None if difference is None else f"{difference:.1e}"
            served = "served" if model == result.get("served") else ""
            rows.append([model, name, text, batches, served])
    if not rows:
        return ""
    of = "number" if result.get("targets") else "probability"
    header = ["model", "format", f"largest difference of a {of}", "batch sizes", ""]
    return table(header, rows, (2, 3))


def settings(run: RunData) -> str:
    """Settings, versions and times, each folded away."""
    timing = run.result.get("timing") or {}
    times = [[_words(name.removesuffix("_s")), seconds(value)] for name, value in timing.items()]
    html = table(["time", ""], times, (1,)) if times else ""
    config = run.config.get("config") or {}
    environment = run.result.get("environment") or {}
    for title, found in (("Settings", config), ("Environment", environment)):
        if found:
            rows = [[name, _plain(value)] for name, value in found.items()]
            html += folded(title, table(["name", "value"], rows))
    return html


def _rows_removed(run: RunData, arm: str, splits: dict) -> str:
    """Return the rows removed with each seed, such as `24, 21, 26`."""
    found = splits.get("rows_removed")
    if found is None and run.removals is not None:
        removed = run.removals[run.removals["arm"] == arm]
        seeds = run.result.get("seeds") or sorted(removed["seed"].unique())
        found = [int((removed["seed"] == seed).sum()) for seed in seeds]
    return ", ".join(map(str, found)) if found and any(found) else "0"


def _kinds(run: RunData) -> str:
    if run.rejected is None:
        return ""
    counts = run.rejected["kind"].value_counts(sort=False)
    return " (" + ", ".join(f"{count} {kind}" for kind, count in counts.items()) + ")"


def _count(result: dict, name: str, part: str) -> int | None:
    return ((result.get("dataset") or {}).get(name) or {}).get(part)


def _outcome(word: str, kind: str) -> Cell:
    return Cell(f'<span class="{kind}">{word}</span>')


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plain(value) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
