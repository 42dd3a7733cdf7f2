"""What a run says of its subjects: the file of their scores, parts of the result, printed lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from affectkeras.evaluation.subject_scores import (
    subject_difference,
    subject_scores,
    subject_summary,
)
from affectkeras.files import read_csv, write_csv

# The figure by which arms are compared subject by subject: both classes count, however skewed.
CHIEF_METRIC = "macro_f1"


def keep_subject_scores(
    run: Path, class_names: Sequence[str], target: str, floors: Mapping[str, str]
) -> dict:
    """Write `subject_scores.csv` of the run's predictions and return two parts of its result.

    Args:
        run: the run folder, with `predictions.csv` of all arms, floors among them, and its column
            `subject`.
        class_names, target: see `subject_scores`.
        floors: which arms are floors, that is what a network must pass to have learnt anything, and
            what each does, in words: `{"majority": "names the commonest training class"}`.

    Returns:
        `{"by_subject": of subject_summary, "floors": floors}`, for `results.write_result`.

    Raises:
        ValueError: when a floor is no arm, or as `subject_scores` does.
    """
    scores = subject_scores(read_csv(Path(run) / "predictions.csv"), class_names, target)
    absent = sorted(set(floors) - set(scores["arm"]))
    if absent:
        raise ValueError(f"every floor must be an arm of the predictions. Received: {absent}")
    write_csv(Path(run) / "subject_scores.csv", scores)
    return {"by_subject": subject_summary(scores), "floors": dict(floors)}


def arms_with_subjects(arms: dict, by_subject: dict) -> dict:
    """Return the arms of a result, the test part of each with its figures by subject.

    So published means over subjects, of the metric `"subjects.macro_f1"`, find ours beside them.

    Args:
        arms: of `results.summarise`.
        by_subject: of `subject_summary`.
    """
    return {
        arm: {
            part: {**found, "by_subject": by_subject[arm]}
            if part == "test" and arm in by_subject
            else found
            for part, found in parts.items()
        }
        for arm, parts in arms.items()
    }


def differences_to_floors(scores, floors: Sequence[str], metric: str = CHIEF_METRIC) -> dict:
    """Return `{arm: {floor: subject_difference}}` of every arm that is no floor.

    Args:
        scores: of `subject_scores`.
        floors: the arms that are floors.
        metric: by which.
    """
    arms = [arm for arm in scores["arm"].unique() if arm not in floors]
    return {
        arm: {floor: subject_difference(scores, arm, floor, metric) for floor in floors}
        for arm in arms
    }


def subject_lines(result: dict) -> list[str]:
    """Return a line for each arm, for `print_result`; nothing of a run that tells no subjects."""
    found = result.get("by_subject") or {}
    if not found:
        return []
    wide = max(14, *(len(arm) + 2 for arm in found))
    subjects = max(one[CHIEF_METRIC]["subjects"] for one in found.values())
    head = f"{'by subject':<{wide}}{'macro F1 ± SD':>17}{'95 % interval':>18}{'accuracy ± SD':>17}"
    lines = ["", head]
    for arm, one in found.items():
        chief, accuracy = one[CHIEF_METRIC], one["accuracy"]
        low, high = chief["ci95"]
        interval = "none" if low is None else f"[{low:.3f}, {high:.3f}]"
        floor = "  (floor)" if arm in (result.get("floors") or {}) else ""
        lines.append(
            f"{arm:<{wide}}{_mean_sd(chief):>17}{interval:>18}{_mean_sd(accuracy):>17}{floor}"
        )
    return [*lines, f"Mean over {subjects} subjects, SD with the divisor n."]


def check_subject_parts(parts: dict) -> None:
    """Raise `ValueError` where `by_subject` or `floors` tell of something that is no arm."""
    for name in ("by_subject", "floors"):
        unknown = sorted(set(parts.get(name) or {}) - set(parts["arms"]))
        if unknown:
            raise ValueError(
                f"`{name}` must tell of arms: {sorted(parts['arms'])}. Received: {unknown}"
            )


def _mean_sd(found: dict) -> str:
    return f"{found['mean']:.3f} ± {found['sd']:.3f}"
