"""How ten people's votes on a FER+ face become one label: pure functions on votes and tables.

Source: Barsoum, Zhang, Canton Ferrer, Zhang, "Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution", ICMI 2016, section 3, and the authors' reader
(microsoft/FERPlus). All modes first set votes of one to zero, as slips of the hand.
"""

import dataclasses
from typing import Literal, get_args

import numpy as np

from affectkeras.datasets.table import ExampleTable, Target
from affectkeras.errors import UserError

CLASS_NAMES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
VOTE_NAMES = (*CLASS_NAMES, "unknown", "NF")
VOTE_COLUMNS = tuple(f"votes_{name}" for name in VOTE_NAMES)
PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASS_NAMES)

LabelMode = Literal["majority", "probability", "crossentropy"]
LABEL_MODES = get_args(LabelMode)

NO_FACE = "no face: every vote is NF"
TOP_IS_UNKNOWN = "the top vote is unknown"
TOP_IS_NO_FACE = "the top vote is NF (no face)"
NO_MAJORITY = "no majority: no emotion has more than half of the votes above one"
NO_AGREEMENT = "no agreement: no one to three emotions hold more than half of the votes above one"


def apply_label_mode(table: ExampleTable, label_mode: LabelMode) -> ExampleTable:
    """Return the table with the target `expression` that the mode makes of the votes.

    The modes, in the FER+ authors' terms:
        majority: the emotion with more than half of the votes. Whole numbers only.
        crossentropy: the shares of the leading emotions (see `leading_shares`) are the target, and
            the loss is the cross-entropy against them.
        probability: the same shares, but the authors draw one emotion by them each time a face is
            shown. Differs from the authors: the shares themselves are the target here. The mean of
            the drawn cross-entropy over the draws is exactly the cross-entropy against the shares,
            so the expected loss and gradient are equal and only the noise of drawing is missing.

    With shares, `expression` is the emotion of the largest share; of equal ones, the first in the
    order of `CLASS_NAMES`. Votes stay in the frame. Rows without a label are rejected as
    "excluded", with the reason.

    Raises:
        UserError: when the mode is not known or the table holds no votes.
    """
    if label_mode not in LABEL_MODES:
        raise UserError(
            f"`label_mode` must be one of {', '.join(LABEL_MODES)}. Received: {label_mode!r}"
        )
    missing = [column for column in VOTE_COLUMNS if column not in table.frame.columns]
    if missing:
        raise UserError(
            f"{table.name}: a label mode needs the ten FER+ vote columns, but the table lacks "
            f"{missing}. Label modes are for the data set ferplus."
        )
    votes = table.frame[list(VOTE_COLUMNS)].to_numpy(np.int64)
    if label_mode == "majority":
        labels, reasons = majority_labels(votes)
        return _labelled(table, labels, reasons)
    shares, reasons = leading_shares(votes)
    return _labelled(table, shares.argmax(axis=1), reasons, shares)


def majority_labels(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the emotion that more than half of the votes above one agree on.

    Args:
        votes: counts `(rows, 10)` in the order of `VOTE_NAMES`.

    Returns:
        labels `(rows,)` int64, meaningful only where there is no reason against it; reasons
        `(rows,)` str, empty where the row has a label.
    """
    counted = without_single_votes(votes)
    top = counted.argmax(axis=1)
    agreed = counted.max(axis=1) * 2 > counted.sum(axis=1)
    reasons = np.full(len(votes), "", dtype=object)
    reasons[~agreed] = NO_MAJORITY
    reasons[agreed & (top == VOTE_NAMES.index("unknown"))] = TOP_IS_UNKNOWN
    reasons[agreed & (top == VOTE_NAMES.index("NF"))] = TOP_IS_NO_FACE
    reasons[_all_no_face(votes)] = NO_FACE
    return top, reasons


def leading_shares(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of the leading emotions: those that together reach 75 % of the votes.

    Emotions are taken from the most voted down, equal ones together, until three are taken or 75 %
    of the votes above one are reached, or unknown or NF comes next. A row is left out when unknown
    or NF leads, when more than three emotions had to be taken, or when those taken hold no more
    than half of the votes above one.

    Args:
        votes: counts `(rows, 10)` in the order of `VOTE_NAMES`.

    Returns:
        shares `(rows, 8)` float64 that sum to one, zeros where the row has no label; reasons
        `(rows,)` str, empty where the row has a label.
    """
    shares = np.zeros((len(votes), len(CLASS_NAMES)))
    reasons = np.full(len(votes), "", dtype=object)
    for row, counted in enumerate(without_single_votes(votes).tolist()):
        taken, reasons[row] = _leading_votes(counted)
        if not reasons[row]:
            shares[row] = np.divide(taken, sum(taken))
    reasons[_all_no_face(votes)] = NO_FACE
    return shares, reasons


def without_single_votes(votes: np.ndarray) -> np.ndarray:
    """Return the votes with every count of one set to zero."""
    return np.where(votes <= 1, 0, votes)


def _leading_votes(counted: list[int]) -> tuple[list[int], str]:
    """Return the votes of the leading emotions (8 counts) and why not, if so."""
    emotions = len(CLASS_NAMES)
    taken = [0] * emotions
    number = 0
    for level in sorted({count for count in counted if count}, reverse=True):
        if number >= 3 or sum(taken) >= 0.75 * sum(counted):
            break
        for index in range(emotions):
            if counted[index] == level:
                taken[index] = level
                number += 1
        if level in counted[emotions:]:
            break
    if not number and any(counted):
        unknown, no_face = counted[emotions:]
        return taken, TOP_IS_UNKNOWN if unknown >= no_face else TOP_IS_NO_FACE
    if number > 3 or sum(taken) * 2 <= sum(counted):
        return taken, NO_AGREEMENT
    return taken, ""


def _all_no_face(votes: np.ndarray) -> np.ndarray:
    total = votes.sum(axis=1)
    return (votes[:, VOTE_NAMES.index("NF")] == total) & (total > 0)


def _labelled(
    table: ExampleTable, labels: np.ndarray, reasons: np.ndarray, shares: np.ndarray | None = None
) -> ExampleTable:
    """Write the target columns, then leave out the rows that have a reason against them."""
    frame = table.frame.assign(expression=labels)
    distribution = ()
    if shares is not None:
        distribution = PROBABILITY_COLUMNS
        frame = frame.assign(**dict(zip(PROBABILITY_COLUMNS, shares.T, strict=True)))
    target = Target("expression", "class", CLASS_NAMES, distribution)
    table = dataclasses.replace(table, frame=frame, targets=(target,))
    for reason in dict.fromkeys(reasons[reasons != ""]):
        kept = reasons != reason
        table = table.keep(kept, reason)
        reasons = reasons[kept]
    return table
