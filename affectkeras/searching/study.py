"""What a script of `tuning/` says about its search, and how settings are drawn from a space."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a trial found, on validation rows.

    Args:
        objective: what the search compares trials by.
        measures: further numbers by name, such as `parameters`.
        history: rows of the training, one per epoch.
        model: what was trained; its `save` writes it whole. None: there is nothing to keep.
    """

    objective: float
    measures: dict[str, float] = dataclasses.field(default_factory=dict)
    history: Sequence[dict] = ()
    model: Any = None


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which trial's settings become the run in `best/`.

    Args:
        trial: its name.
        changes: fields of the recipe's settings that the trial itself did not have.
        words: why this one, a sentence for people.
    """

    trial: str
    changes: dict = dataclasses.field(default_factory=dict)
    words: str = ""


@dataclasses.dataclass(frozen=True)
class Study:
    """A search over the settings of a recipe.

    Args:
        recipe: its module: `Config`, `settle`, `banners` and `main` are used.
        space: `space(hp, config)` returns the settings of a trial.
        prepare: `prepare(config)` returns what all trials of a process share, such as the table; no
            test row of it can be read.
        measure: `measure(config, data, part)` trains under the settings and returns `Measured`;
            what must outlive the process goes to the folder `part`.
        objective: the name of what is compared.
        direction: whether more of it is better (`max`) or less (`min`).
        choose: `choose(search folder, rows of trials.csv)` returns the `Choice`; absent: the trial
            with the best objective.
        notes: sentences for the report.
    """

    recipe: ModuleType
    space: Callable
    prepare: Callable
    measure: Callable[..., Measured]
    objective: str = "accuracy"
    direction: Literal["max", "min"] = "max"
    choose: Callable | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.__name__.rpartition(".")[2]

    def banners(self, config) -> list[str]:
        """Return what must stand wherever the figures of the recipe are shown."""
        shared = getattr(self.recipe, "wearable_banners", None)  # of all recipes on wearables
        return list(getattr(self.recipe, "banners", shared)(config))


class Space:
    """Hyperparameters as keras-tuner has them; fields that the user gave are not searched.

    A hyperparameter is named as the field that it becomes; of a field that holds several numbers
    `field.0` is the first; any other `field.word` is something that the field is made from. What
    the settings say is the default, where it lies in the space, so that a search can begin there.

    Args:
        hp: keras-tuner's `HyperParameters`.
        config: the recipe's settings that the search starts from.
        fixed: the fields that the user gave.
    """

    def __init__(self, hp, config, fixed: Sequence[str] = ()):
        self._hp = hp
        self._config = config
        self._fixed = frozenset(fixed)

    def is_fixed(self, field: str) -> bool:
        """Return whether the user gave this field, so that it must stay as it is."""
        return field in self._fixed

    def Float(self, name: str, low: float, high: float, **options) -> float:
        """Return a number from `low` to `high`; options as keras-tuner's `Float` takes them."""
        return self._draw(self._hp.Float, name, (low, high), options)

    def Int(self, name: str, low: int, high: int, **options) -> int:
        """Return a whole number from `low` to `high`; options as keras-tuner's `Int`."""
        return self._draw(self._hp.Int, name, (low, high), options)

    def Choice(self, name: str, values: Sequence, **options):
        """Return one of the values; options as keras-tuner's `Choice` takes them."""
        known = self._known(name)
        if known is not None and self.is_fixed(name.partition(".")[0]):
            return known[0]
        if known is not None and known[0] in values:
            options = {"default": known[0], **options}
        return self._hp.Choice(name, list(values), **options)

    def Boolean(self, name: str, **options) -> bool:
        """Return yes or no."""
        return self._draw(self._hp.Boolean, name, (), options)

    @contextlib.contextmanager
    def only_if(self, name: str, values: Sequence):
        """Draw hyperparameters that count only where another one has one of these values.

        Outside of these values what is drawn inside is None.
        """
        if self.is_fixed(name.partition(".")[0]):
            yield
            return
        with self._hp.conditional_scope(name, list(values)):
            yield

    def _draw(self, kind, name: str, bounds: tuple, options: dict):
        known = self._known(name)
        if known is not None and self.is_fixed(name.partition(".")[0]):
            return known[0]
        if known is not None and _fits(known[0], bounds, options):
            options = {"default": known[0], **options}
        return kind(name, *bounds, **options)

    def _known(self, name: str) -> tuple | None:
        """Return what the settings say of a hyperparameter, as `(value,)`; None: nothing."""
        field, _, place = name.partition(".")
        value = getattr(self._config, field)
        if not place:
            return (value,)
        return (value[int(place)],) if place.isdigit() else None


def _fits(value, bounds: tuple, options: dict) -> bool:
    """Return whether a value is one that the hyperparameter can have."""
    if not bounds:
        return isinstance(value, bool)
    if value is None or not bounds[0] <= value <= bounds[1]:
        return False
    step = options.get("step")
    if step is None or options.get("sampling", "linear") != "linear":
        return step is None
    steps = (value - bounds[0]) / step
    return abs(steps - round(steps)) < 1e-6


def trial_config(study: Study, hyperparameters, config, fixed: Sequence[str]):
    """Return the recipe's settings of one trial.

    Hyperband says how many epochs a trial has; each trains from its beginning, as the rates of a
    training are laid out for its whole length.

    Args:
        study: what is searched.
        hyperparameters: keras-tuner's `HyperParameters` of the trial.
        config: the settings that the search starts from.
        fixed: the fields that the user gave.
    """
    found = study.space(Space(hyperparameters, config, fixed), config)
    epochs = hyperparameters.values.get("tuner/epochs")
    changes = {} if epochs is None else {"epochs": int(epochs)}
    return dataclasses.replace(found, run_dir=None, resume=None, **changes)


def best_trial(rows: Sequence[dict], direction: str) -> dict | None:
    """Return the completed row with the best objective, None without one.

    Of equals the one that was trained longest by Hyperband, then the first.
    """
    done = [row for row in rows if row["status"] == "completed"]
    sign = 1 if direction == "min" else -1

    def place(row):
        return sign * row["objective"], -(row["values"].get("tuner/epochs") or 0), row["trial"]

    return min(done, key=place, default=None)


def part_of(folder: Path, trial: str) -> Path:
    """Return (and make) the folder of a trial."""
    part = Path(folder) / "trials" / trial
    part.mkdir(parents=True, exist_ok=True)
    return part
