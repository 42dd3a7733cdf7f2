"""The report's table of what accuracy does not show: balance, order and calibration."""

from affectkeras.reporting.html_page import paragraph, table
from affectkeras.wording import interval, mean_sd, number


def further_metrics(result: dict) -> str:
    """Balanced accuracy, AUC, calibration error and cross entropy of every arm, as HTML.

    Empty text where the result has none of them.
    """
    rows = []
    for arm, splits in (result.get("arms") or {}).items():
        test = splits.get("test") or {}
        balanced = test.get("balanced_accuracy") or {}
        rows.append(
            [
                arm,
                mean_sd(balanced),
                interval(balanced),
                mean_sd(test.get("auc") or {}),
                mean_sd(test.get("calibration_error") or {}),
                number((test.get("cross_entropy") or {}).get("mean")),
            ]
        )
    if not any(any(row[1:]) for row in rows):
        return ""
    header = ("arm", "balanced accuracy", "95 % interval", "AUC", "calibration error",
              "cross entropy")  # fmt: skip
    note = (
        "Balanced accuracy: mean recall of the classes that occur. AUC: one class against the "
        "rest, mean over classes; 50 % is chance. Calibration error: mean distance between "
        "confidence and share of right rows, 15 bins of equal width. Cross entropy in nats."
    )
    return table(header, rows, range(1, 6)) + paragraph(note, "note")
