"""Published figures, and whether ours may stand beside them."""

import dataclasses
from collections.abc import Sequence

# What is published and shown as a percentage; every other metric keeps its unit.
SHARES = (
    *("accuracy", "balanced_accuracy", "macro_f1", "auc", "average_accuracy", "removed_share"),
    *("subjects.accuracy", "subjects.macro_f1", "subjects.balanced_accuracy"),
)
# Before a metric that is the mean over subjects: each has one score, however many rows.
SUBJECTS = "subjects."


@dataclasses.dataclass(frozen=True)
class Claim:
    """A published figure.

    Args:
        id: such as `"table-1.resnet50-bdr"`.
        value: as published; of `SHARES` as a share.
        metric: `"accuracy"`, or another that the runs measure; of one of several number targets
            `"valence.ccc"`; of a mean over subjects `"subjects.macro_f1"`.
        n: how many rows it was measured on; None where the paper does not say.
        protocol: the one of ours that divides as the paper did.
        source: table or figure.
        arm: the arm of the recipe that repeats it; empty for others' methods that it only quotes.
        dataset: the data set's short name.
        split: the part it was measured on.
        model: which model of the recipe the figure is of, as results name it without the arm, such
            as `"resnet50"`; empty where the recipe has one only.
        note: what a reader of the figure must know, such as how `n` was inferred.
    """

    id: str
    value: float
    metric: str
    n: int | None
    protocol: str
    source: str
    arm: str
    dataset: str
    split: str = "test"
    model: str = ""
    note: str = ""


def figure_of(part: dict, metric: str) -> dict:
    """Return a metric of one part of an arm (`mean` and what else it has); empty where it has none.

    Args:
        part: of `results.summarise` or `number_results.summarise_numbers`.
        metric: of a number target as `"valence.ccc"`; the metric alone where the arm predicts one
            target only; a mean over subjects as `"subjects.macro_f1"`, of a part with `by_subject`.
    """
    if metric.startswith(SUBJECTS):
        return (part.get("by_subject") or {}).get(metric.removeprefix(SUBJECTS)) or {}
    targets = part.get("targets")
    if targets is None:
        return part.get(metric) or {}
    target, separator, name = metric.rpartition(".")
    if not separator and len(targets) == 1:
        target = next(iter(targets))
    return (targets.get(target) or {}).get(name) or {}


def claims_rows(
    claims: Sequence[Claim],
    *,
    dataset: str,
    protocol: str,
    sample: bool,
    quick: bool,
    arms: dict,
    model: str = "",
    train_rows: int | None = None,
) -> list[dict]:
    """Set each published figure beside ours and say whether the two may be compared."""
    rows = []
    for claim in claims:
        found = arms.get(claim.arm, {}).get(claim.split)
        why_not = []
        if not claim.arm:
            why_not.append("The paper quotes this figure; the recipe does not train the method.")
        elif found is None:
            why_not.append(f"This run has no arm {claim.arm} on {claim.split} rows.")
        if sample:
            why_not.append("Ours is measured on rendered sample data.")
        elif dataset != claim.dataset:
            why_not.append(f"Published on {claim.dataset}; ours is measured on {dataset}.")
        if protocol != claim.protocol:
            why_not.append(f"Published under the protocol {claim.protocol}; ours is {protocol}.")
        if claim.model and model != claim.model:
            why_not.append(f"Published for {claim.model}; ours is {model}.")
        if train_rows is not None:
            why_not.append(f"Ours was trained on {train_rows} rows only.")
        if quick:
            why_not.append("Ours is a quick run of reduced size.")
        rows.append(
            {
                **{name: getattr(claim, name) for name in ("id", "source", "arm", "split")},
                **{name: getattr(claim, name) for name in ("metric", "n", "protocol", "dataset")},
                "published": claim.value,
                "comparable": not why_not,
                "why_not": " ".join(why_not),
                "ours": figure_of(found or {}, claim.metric).get("mean"),
                "ours_n": found["n"] if found else None,
            }
        )
    return rows
