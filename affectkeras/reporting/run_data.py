"""What a run folder holds, read once for plots and report; what is missing is simply absent."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from affectkeras.datasets.recordings import IRREGULARITY_COLUMNS
from affectkeras.errors import UserError
from affectkeras.evaluation.subject_scores import SCORE_COLUMNS
from affectkeras.files import read_csv
from affectkeras.number_results import predicted_targets

MANY = 6
_NEEDED = {
    "history": ("arm", "seed", "epoch", "loss"),
    "predictions": ("arm", "seed", "split", "example_id"),
    "removals": ("arm", "seed", "epoch", "example_id", "expression", "loss"),
    "scores": ("arm", "seed", "epoch", "example_id", "loss", "removed"),
    "rejected": ("path", "kind", "reason"),
    "sweep": ("arm", "seed", "threshold", "maps_removed", "parameters", "accuracy", "pareto"),
    "table_1": ("feature_maps", "epochs", "learning_rate", "threshold", "feature_maps_pruned"),
    "modules": ("arm", "seed", "dropped", "without", "parameters", "macs", "accuracy"),
    "masks": ("arm", "seed", "layer", "sparsity", "weight_on_face", "face"),
    "inflation": (
        "arm",
        "protocol",
        "accuracy",
        "low",
        "high",
        "n",
        "groups",
        "leaks",
        "difference",
    ),
    "activations": ("activation", "seed", "loss_to_reach", "epochs", "seconds"),
    "activation_history": ("arm", "seed", "epoch", "loss", "seconds"),
    "subject_scores": SCORE_COLUMNS,
    "label_counts": ("subject", "class_name", "windows"),
    "irregularities": IRREGULARITY_COLUMNS,
    "ensemble": ("seed", "rule", "member", "share", "penalty"),
    "tuning": ("arm", "seed", "settings", "accuracy", "sd", "seconds", "chosen"),
    "comparison": ("dataset", "method", "published", "arm", "accuracy"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class RunData:
    """A run folder's content.

    Args:
        folder: the run folder.
        result, config: `result.json` and `config.json`; empty dicts where absent.
        history … comparison: the CSV files of these names; `None` where absent, empty or
            without the columns that are needed. `history` has NaN for steps and validation figures
            that a run without them does not tell. `predictions` are of classes,
            `number_predictions` the same file of a run with number targets.
        thumbnails: example_id → uint8 `(96, 96, 3)` of removed faces and of pairs that leak.
    """

    folder: Path
    result: dict
    config: dict
    history: pd.DataFrame | None
    predictions: pd.DataFrame | None
    number_predictions: pd.DataFrame | None
    removals: pd.DataFrame | None
    scores: pd.DataFrame | None
    rejected: pd.DataFrame | None
    sweep: pd.DataFrame | None
    table_1: pd.DataFrame | None
    modules: pd.DataFrame | None
    masks: pd.DataFrame | None
    inflation: pd.DataFrame | None
    activations: pd.DataFrame | None
    activation_history: pd.DataFrame | None
    subject_scores: pd.DataFrame | None
    label_counts: pd.DataFrame | None
    irregularities: pd.DataFrame | None
    ensemble: pd.DataFrame | None
    tuning: pd.DataFrame | None
    comparison: pd.DataFrame | None
    thumbnails: dict[str, np.ndarray]

    @property
    def target(self) -> str:
        """The column of `predictions` that holds the true class."""
        return (self.result.get("dataset") or {}).get("target", "expression")

    @property
    def floors(self) -> dict[str, str]:
        """The arms that a network must pass to have learnt anything, and what each does."""
        return self.result.get("floors") or {}

    @property
    def number_targets(self) -> list[str]:
        """The number targets, such as valence; empty where classes are predicted."""
        found = list(self.result.get("targets") or [])
        if not found and self.number_predictions is not None:
            found = predicted_targets(self.number_predictions)
        return found

    def arm_for(self, target: str) -> str | None:
        """Return the arm that stands for a number target: the served one where it predicts it."""
        arms = self.result.get("arms") or {}
        able = [
            arm
            for arm, found in arms.items()
            if target in ((found.get("test") or {}).get("targets") or {})
        ]
        served = self.result.get("served_arm")
        if served in able:
            return served
        return max(able, key=lambda arm: _score(arms[arm], target), default=None)

    @property
    def arms(self) -> list[str]:
        """The arms in the order in which the result names them, then those of the CSV files."""
        found = list(self.result.get("arms") or {})
        for frame in (self.history, self.predictions, self.number_predictions, self.scores):
            if frame is not None:
                found += frame["arm"].unique().tolist()
        return list(dict.fromkeys(found))

    def chief_arms(self, names: Iterable[str]) -> list[str]:
        """Return at most `MANY` of these arms, the best on validation rows, in order.

        Best by accuracy, or by the mean CCC of number targets; of equals, as in a run without
        validation rows, the served arm and the first. More cannot be told apart in a plot.
        """
        wanted = set(names)
        arms = [arm for arm in self.arms if arm in wanted]
        found = self.result.get("arms") or {}
        served = self.result.get("served_arm")

        def rank(arm: str) -> tuple[float, bool]:
            return _score(found.get(arm) or {}), arm == served

        chief = sorted(arms, key=rank, reverse=True)[:MANY]
        return [arm for arm in arms if arm in chief]

    @property
    def class_names(self) -> list[str]:
        """The classes in the order of their indices."""
        names = self.result.get("class_names")
        if names:
            return list(names)
        if self.predictions is None:
            return []
        return [column[2:] for column in self.predictions.columns if column.startswith("p_")] or (
            sorted({*self.predictions[self.target], *self.predictions["predicted"]})
        )

    def removal_epochs(self, arm: str) -> list[int]:
        """Return the epochs (from 1) at whose end an arm lost rows, with any seed."""
        if self.removals is None:
            return []
        return sorted(self.removals.loc[self.removals["arm"] == arm, "epoch"].unique().tolist())


def read_run(run_dir: Path) -> RunData:
    """Read a run folder.

    Raises:
        UserError: when there is no such folder.
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        raise UserError(f"{folder} is no run folder: there is no such folder.")
    frames = {name: _read_frame(folder / f"{name}.csv", needed) for name, needed in _NEEDED.items()}
    frames["history"] = _whole_history(frames["history"])
    predictions = frames.pop("predictions")
    numbers = None
    if predictions is not None and "predicted" not in predictions.columns:
        numbers = predictions if predicted_targets(predictions) else None
        predictions = None
    return RunData(
        folder=folder,
        result=_read_json(folder / "result.json"),
        config=_read_json(folder / "config.json"),
        predictions=predictions,
        number_predictions=numbers,
        **frames,
        thumbnails=_read_thumbnails(folder / "thumbnails.npz"),
    )


def has_accuracy(history: pd.DataFrame | None) -> bool:
    """Whether a history is one of classes: of numbers it has losses alone."""
    if history is None or not {"accuracy", "val_accuracy"} <= set(history.columns):
        return False
    return bool(history["accuracy"].notna().any())


def _score(splits: dict, target: str | None = None) -> float:
    """Return what arms are ranked by: validation accuracy, or CCC of number targets."""
    part = splits.get("validation") or {}
    numbers = part.get("targets") or {}
    chosen = [one for name, one in numbers.items() if target in (None, name)]
    found = [(one.get("ccc") or {}).get("mean") for one in chosen]
    found = found or [(part.get("accuracy") or {}).get("mean")]
    return sum(one or 0.0 for one in found) / len(found)


def _read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _read_frame(path: Path, needed: tuple[str, ...]) -> pd.DataFrame | None:
    if not path.exists() or not path.stat().st_size:
        return None
    frame = read_csv(path)
    return frame if len(frame) and set(needed) <= set(frame.columns) else None


def _whole_history(history: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return a history with all columns that plots ask for, NaN where it does not tell them."""
    if history is None:
        return None
    wanted = ["step", "val_loss", *(["val_accuracy"] if "accuracy" in history.columns else [])]
    missing = [name for name in wanted if name not in history.columns]
    return history.assign(**dict.fromkeys(missing, np.nan))


def _read_thumbnails(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    with np.load(path) as content:
        return dict(zip(content["example_id"].tolist(), content["pixels"], strict=True))
