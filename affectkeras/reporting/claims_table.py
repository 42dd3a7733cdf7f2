"""The report's table of published figures beside ours."""

from affectkeras.comparing.claims import SHARES
from affectkeras.evaluation.number_sums import NUMBER_METRICS
from affectkeras.reporting.html_page import Cell, table
from affectkeras.wording import absent, percent


def claims(result: dict) -> str:
    """The published figures beside ours, and why they may not be compared."""
    found = result.get("claims") or []
    if not found:
        return ""
    rows = []
    for claim in found:
        comparable = claim.get("comparable")
        word = Cell(
            '<span class="good">yes</span>' if comparable else '<span class="bad">no</span>'
        )
        rows.append(
            [
                claim.get("id"),
                claim.get("source"),
                _claimed(claim, "published"),
                claim.get("n"),
                claim.get("protocol"),
                _claimed(claim, "ours"),
                claim.get("ours_n"),
                word,
                claim.get("why_not") or "",
            ]
        )
    header = ["claim", "source", "published", "n", "protocol", "ours", "n", "comparable", "why not"]
    return table(header, rows, (2, 3, 5, 6))


def _claimed(claim: dict, name: str) -> str | None:
    """Return a figure of a claim: a share as percentage, others with their metric's name."""
    metric, value = claim.get("metric") or "accuracy", claim.get(name)
    if metric in SHARES or absent(value):
        return percent(value)
    target, _, name = metric.rpartition(".")
    words = name.upper() if name in NUMBER_METRICS else name.replace("_", " ")
    return f"{target} {words} {value:.4g}".strip().replace("-", "\N{MINUS SIGN}")
