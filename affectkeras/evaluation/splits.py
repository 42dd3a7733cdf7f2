"""Which rows train, which choose settings, which are read once at the end."""

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd

from affectkeras.errors import UserError
from affectkeras.evaluation.draft import SplitDraft

PROTOCOLS = ("grouped", "official", "paper")
PARTS = ("train", "validation", "test")
# Beside the group: columns whose rows stay on one side under every protocol but `paper`.
KEPT_TOGETHER = ("subject", "dyad", "video", "clip")
HALVES = (0.5, 0.5)
HELD_OUT = (0.9, 0.1)
ONE_PART = (0.70, 0.15, 0.15)
PUBLISHED = ("halved-validation", "all-rows")  # how the papers divide
ALL_ROWS = (0.8, 0.1, 0.1)


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, ascending int64 arrays, and how they came about.

    Args:
        train, validation, test: disjoint; with `set_aside` they cover every row.
        name: the protocol.
        description: what was done, for people.
        set_aside: `row, reason` of every row that is in no part.
        groups_known: whether the groups came from the data set's owner.
        notes: what a reader of the figures should know, such as a class without test rows.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    name: str
    description: str
    set_aside: pd.DataFrame
    groups_known: bool
    notes: tuple[str, ...] = ()

    def parts(self) -> dict[str, np.ndarray]:
        """Return the rows of each part by its name."""
        return {part: getattr(self, part) for part in PARTS}

    def keep_training(self, rows: np.ndarray, reason: str) -> "Split":
        """Return the split with these training rows only; the others are set aside."""
        rows = np.sort(np.asarray(rows, dtype=np.int64))
        unknown = np.setdiff1d(rows, self.train)
        if len(unknown) or not len(rows):
            raise ValueError(
                "`rows` must be training rows, at least one. "
                f"Received: {len(rows)} rows, {len(unknown)} of them not in training"
            )
        left_out = pd.DataFrame({"row": np.setdiff1d(self.train, rows), "reason": reason})
        set_aside = pd.concat([self.set_aside, left_out], ignore_index=True)
        return dataclasses.replace(self, train=rows, set_aside=set_aside)


def split_table(
    frame: pd.DataFrame,
    target_column: str,
    protocol: str,
    *,
    seed: int,
    groups_known: bool,
    copies: list[np.ndarray] | None = None,
    allow_unknown_groups: bool = True,
    class_names: tuple[str, ...] = (),
    published: Literal["halved-validation", "all-rows"] = "halved-validation",
) -> Split:
    """Divide an example table into training, validation and test rows.

    `grouped` keeps every group, subject, dyad and video, and every set of copies of one picture, on
    one side. `official` tests on the owner's part, whole, and takes out of the training what it
    shares with it; where the owner has no labelled test part, the owner's validation part is the
    test part and a tenth of the training part validates. `paper` divides row by row as published,
    leaks and all: by `published`, either the owner's validation part is halved ("Faces Emotion
    Classification with Bimodal Distribution Removal based on ResNet", section 2.1) or all rows are
    divided 80/10/10, whatever part they are in ("Emotion Detection through Static Images using
    Pruned Convolutional Neural Networks", section 3.1).

    Args:
        frame: an `ExampleTable`'s frame: columns `group`, `split` and the target.
        target_column: the class index of each row.
        protocol: one of `PROTOCOLS`.
        seed: the same seed gives the same split.
        groups_known: whether `group` tells the groups; else a row, or a set of copies, is its own
            group.
        copies: sets of rows that show the same picture: identical, encoded or sized anew, mirrored.
        allow_unknown_groups: whether `grouped` may run although no group is known. False for data
            that has groups which were lost on the way.
        class_names: for messages.
        published: what `paper` means, one of `PUBLISHED`.

    Raises:
        UserError: for an unknown protocol, an owner's part that the protocol needs and that is not
            there, too few groups, unknown groups where they are not allowed, or a class without
            training rows.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"--protocol must be one of {', '.join(PROTOCOLS)}. Received: {protocol!r}")
    if protocol == "grouped" and not groups_known and not allow_unknown_groups:
        raise UserError(
            "--protocol grouped needs to know which images belong together, and this copy of the "
            "data has lost it (the film names are gone). Use the owner's folder, whose file names "
            "tell the film, or --protocol official or paper."
        )
    if not len(frame):
        raise UserError("there is no row to split: no example of the data set could be used.")
    ties = ties_of(frame, groups_known, copies or [])
    draft = SplitDraft(frame, target_column, ties, groups_known, seed)
    paper = {"halved-validation": _halve_validation, "all-rows": _divide_all}[published]
    makers = {"grouped": _grouped, "official": _official, "paper": paper}
    description = makers[protocol](draft)
    if protocol == "grouped" and not groups_known:
        found = "copies of one picture are" if copies is not None else "every image is"
        others = ", every other image is its own" if copies is not None else ""
        description += f" The groups are not known: {found} a group{others}."
    return _finish(draft, protocol, description, class_names)


def subsample(rows: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return at most `count` of the rows, ascending, with the class shares of them all.

    Args:
        rows: `(rows,)`, row numbers.
        labels: `(rows,)`, the class of each of them.
        count: how many to keep; every class keeps one row where `count` allows it.
        seed: the same seed gives the same rows.
    """
    rows, labels = np.asarray(rows, dtype=np.int64), np.asarray(labels)
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count}")
    if count >= len(rows):
        return np.sort(rows)
    _, code, totals = np.unique(labels, return_inverse=True, return_counts=True)
    at_least = np.ones_like(totals) if count >= len(totals) else np.zeros_like(totals)
    wanted = count * totals / totals.sum()
    kept = np.maximum(np.floor(wanted).astype(np.int64), at_least)
    while kept.sum() != count:
        behind = wanted - kept
        if kept.sum() < count:
            kept[behind.argmax()] += 1
        else:
            kept[np.where(kept > at_least, behind, np.inf).argmin()] -= 1
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(rows[code == one_class])[:number]
        for one_class, number in enumerate(kept)
    ]
    return np.sort(np.concatenate(chosen))


def ties_of(frame: pd.DataFrame, groups_known: bool, copies: list[np.ndarray]) -> dict:
    """Return what ties rows together: `{name: code of each row, -1 where nothing is told}`."""
    if groups_known:
        blank = np.flatnonzero(frame["group"].isna() | (frame["group"] == ""))
        if len(blank):
            first = frame["example_id"].iloc[blank[0]]
            raise UserError(
                f"rows without a group: {len(blank)}, the first {first!r}. "
                "Give a group pattern that matches every file name, or none at all."
            )
    columns = [*(("group",) if groups_known else ()), *KEPT_TOGETHER]
    ties = {
        name: pd.factorize(frame[name].mask(frame[name] == ""))[0]
        for name in columns
        if name in frame.columns
    }
    ties["picture"] = np.full(len(frame), -1)
    for number, rows in enumerate(copies):
        ties["picture"][rows] = number
    return ties


def _grouped(draft: SplitDraft) -> str:
    held = [part for part in ("validation", "test") if len(draft.owned(part))]
    if not held or not len(draft.owned("train")):
        rows = np.arange(len(draft.owner))
        draft.divide(rows, ONE_PART, PARTS, whole_units=True, source="the data set")
        return (
            "All rows divided by group into 70 % training, 15 % validation and 15 % test, "
            "with class shares as even as the groups allow."
        )
    _set_aside_unassigned(draft)
    for part in held:
        draft.set_aside_shared("train", part)
    without = "the owner's training part without what it shares with the parts held out"
    if held == ["validation"]:
        rows, source = draft.owned("validation"), "the owner's validation part"
        draft.part[draft.owned("train")] = "train"
        draft.divide(rows, HALVES, ("validation", "test"), whole_units=True, source=source)
        return f"Training: {without}; the owner's validation part halved by group for both others."
    draft.part[draft.owned("test")] = "test"
    if held == ["test"]:
        _hold_out(draft)
        return f"Test: the owner's; training and validation: {without}, a tenth held out by group."
    draft.set_aside_shared("validation", "test")
    draft.part[draft.owned("train")] = "train"
    draft.part[draft.owned("validation")] = "validation"
    return f"Validation and test: the owner's, sharing no group; training: {without}."


def _official(draft: SplitDraft) -> str:
    _need(draft, "official", "train")
    _set_aside_unassigned(draft)
    tested = "test" if len(draft.owned("test")) else "validation"
    _need(draft, "official", tested)
    without = "the owner's training part without what it shares with the parts held out"
    if tested == "test" and len(draft.owned("validation")):
        draft.set_aside_shared("validation", "test")
        draft.set_aside_shared("train", "validation")
        draft.set_aside_shared("train", "test")
        for part in PARTS:
            draft.part[draft.owned(part)] = part
        return f"Test and validation: the owner's, sharing no group; training: {without}."
    draft.set_aside_shared("train", tested)
    draft.part[draft.owned(tested)] = "test"
    _hold_out(draft)
    why = ""
    if tested == "validation":
        why = " validation part, read once at the end, as its own test part has no labels"
    return f"Test: the owner's{why}; training and validation: {without}, a tenth held out by group."


def _halve_validation(draft: SplitDraft) -> str:
    _need(draft, "paper", "train")
    _need(draft, "paper", "validation")
    _set_aside_unassigned(draft)
    rows, source = draft.owned("validation"), "the owner's validation part"
    draft.set_aside(draft.owned("test"), "the paper does not use the owner's test part")
    draft.part[draft.owned("train")] = "train"
    draft.divide(rows, HALVES, ("validation", "test"), whole_units=False, source=source)
    return (
        "As published: training is the owner's training part; the owner's validation part is "
        "halved at random, row by row within each class, into validation and test. This leaks: "
        "frames of one clip or film stand on both sides, so the figures flatter."
    )


def _divide_all(draft: SplitDraft) -> str:
    rows = np.arange(len(draft.owner))
    draft.divide(rows, ALL_ROWS, PARTS, whole_units=False, source="the data set")
    return (
        "As published: all rows divided at random, row by row within each class, into 80 % "
        "training, 10 % validation and 10 % test. This leaks: frames of one clip or film, and "
        "copies of one picture, stand on several sides, so the figures flatter."
    )


def _hold_out(draft: SplitDraft) -> None:
    rows, parts = draft.owned("train"), ("train", "validation")
    source = "the owner's training part"
    draft.divide(rows, HELD_OUT, parts, whole_units=True, source=source)


def _set_aside_unassigned(draft: SplitDraft) -> None:
    draft.set_aside(draft.owned(""), "its owner puts it in no part")


def _need(draft: SplitDraft, protocol: str, part: str) -> None:
    if not len(draft.owned(part)):
        found = sorted(set(draft.owner) - {""})
        raise UserError(
            f"--protocol {protocol} needs the owner's {part} part. Found: "
            f"{', '.join(found) if found else 'no parts at all'}. Use --protocol grouped, which "
            "divides what is there, or add the missing part to the folder."
        )


def _finish(draft: SplitDraft, protocol: str, description: str, class_names) -> Split:
    rows = {part: np.flatnonzero(draft.part == part).astype(np.int64) for part in PARTS}
    aside = np.flatnonzero(draft.part == "").astype(np.int64)
    counted = f" {len(aside)} rows were set aside." if len(aside) else ""
    for part in PARTS:
        if not len(rows[part]):
            raise UserError(
                f"--protocol {protocol} leaves no rows for {part}.{counted} Choose another "
                "--protocol, or add data."
            )
    notes = []
    for label in np.unique(draft.labels):
        name = class_names[label] if len(class_names) else int(label)
        without = [part for part in PARTS if not np.any(draft.labels[rows[part]] == label)]
        if "train" in without:
            total = int(np.sum(draft.labels == label))
            raise UserError(
                f"--protocol {protocol} leaves no training row of class {name!r} ({total} in "
                f"all).{counted} Add examples of it, leave the class out of the folder, or choose "
                "another --protocol."
            )
        notes += [f"Class {name!r} has no {part} row." for part in without]
    set_aside = pd.DataFrame({"row": aside, "reason": draft.reason[aside]})
    return Split(
        **rows,
        name=protocol,
        description=description + counted,
        set_aside=set_aside,
        groups_known=draft.groups_known,
        notes=tuple(notes),
    )
