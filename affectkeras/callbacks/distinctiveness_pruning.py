"""Pruning by distinctiveness while a model trains: maps that do the work of others go.

References: "Emotion Detection through Static Images using Pruned Convolutional Neural Networks",
section 3.2; Gedeon & Harris, "Network reduction techniques" (1991).
"""

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import keras

from affectkeras.pruning.activations import Activations, choose_groups
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.in_place import HeldRows, OutgoingWeights
from affectkeras.pruning.plan import LayerPlan, PrunePlan
from affectkeras.pruning.surgery import prune_model


class DistinctivenessPruning(keras.callbacks.Callback):
    """Takes maps out of a model in place at the end of some epochs, and holds them out.

    At the end of a scheduled epoch the maps are measured and chosen as `Activations.plan` does it
    (section 3.2), among those that are still there. Then, at every layer that reads them, their
    outgoing weights are added to those of the map they are merged with and set to zero; what
    complementary pairs and constant maps leave behind goes into the bias. The model keeps its size
    and its optimizer, goes on training, and after every batch those weights are zero again.
    `pruned_model()` is the same network without these maps.

    Exact copies, and mirror images of equal outgoing weights, go without a change of the outputs.
    As everywhere in `pruning`, a constant goes on in the padding of a padded convolution, where
    the model had zeros, and a constant that several readers see at different heights is dropped.
    A layer without bias takes constants into the moving mean of the BatchNormalization that
    directly follows, which is exact. Where there is neither, complementary pairs and constant maps
    other than zero stay.

    Differs from the paper: it prunes at any epochs; as published where the schedule names the last
    epoch alone. One map of a group always stays.

    Works under `model.fit` and `training_loop.fit_epochs`, on every backend. The metrics of a
    scheduled epoch are of the model before it was pruned. In the list of callbacks it stands before
    those that save the model, and before `TrainingState`, of which it must be a part
    (`{"pruning": callback}`): else a resumed training would not know what to hold at zero.

    Args:
        batches: `batches()` gives the batches of the model's input, afresh each time: training
            rows, without augmentation. Of tuples the first part is taken.
        schedule: epoch, counted from 1 → threshold angle in degrees, [0, 90).
        layers: paths of the layers that are pruned; absent: all whose maps may go.
        positions: see `Activations`.
        scale, complementary: see `choose_maps`.

    Attributes:
        plans: `(epoch, PrunePlan)` of every pruning, also of those that found nothing.

    Raises:
        ValueError: when an argument is out of range; when training starts, for a model or layer
            that cannot be pruned (PruningError), an optimizer with `use_ema`, several steps per
            execution, or weights from before a pruning.
    """

    def __init__(
        self,
        batches: Callable[[], Iterable],
        schedule: Mapping[int, float],
        *,
        layers: Sequence[str] | None = None,
        positions: bool = False,
        scale: Literal["sum", "least-squares"] = "sum",
        complementary: bool = True,
    ):
        super().__init__()
        if not callable(batches):
            raise ValueError(
                "`batches` must be a function that gives the batches afresh each time. "
                f"Received: {type(batches).__name__}"
            )
        if scale not in ("sum", "least-squares"):
            raise ValueError(f"`scale` must be 'sum' or 'least-squares'. Received: scale={scale!r}")
        if isinstance(layers, str):
            raise ValueError(f"`layers` must be a list of paths. Received: layers={layers!r}")
        self.batches = batches
        self.schedule = _check_schedule(schedule)
        self.layers = None if layers is None else list(layers)
        self.positions = bool(positions)
        self.scale = scale
        self.complementary = bool(complementary)
        self.plans: list[tuple[int, PrunePlan]] = []
        self._outgoing: OutgoingWeights | None = None
        self._held: list[HeldRows] = []

    @property
    def plan(self) -> PrunePlan:
        """All that went so far; merges and constants are in the weights already."""
        removed: dict[str, tuple[int, set[int]]] = {}
        for _, plan in self.plans:
            for one in plan.layers:
                removed.setdefault(one.layer, (one.channels, set()))[1].update(one.removed)
        name = self.plans[0][1].model_name if self.plans else ""
        return PrunePlan(
            name,
            tuple(
                LayerPlan(layer, channels, tuple(sorted(maps)))
                for layer, (channels, maps) in removed.items()
            ),
        )

    def on_train_begin(self, logs=None):
        model = self.model
        if model.steps_per_execution != 1:
            raise ValueError(
                f"{type(self).__name__} holds weights at zero after every batch: compile the model "
                "with `steps_per_execution` of 1. Received: "
                f"steps_per_execution={model.steps_per_execution}"
            )
        if getattr(model.optimizer, "use_ema", False):
            raise ValueError(
                f"{type(self).__name__} folds weights, which the averages of an optimizer with "
                "`use_ema` would undo. Received: use_ema=True"
            )
        self._prepare(model)
        self._demand_zero()

    def on_train_batch_end(self, batch, logs=None):
        # On JAX the variables are empty within an epoch until the model is asked for.
        if self._held and self.model is not None:
            for rows in self._held:
                rows.zero()

    def on_epoch_end(self, epoch, logs=None):
        threshold = self.schedule.get(epoch + 1)
        if threshold is None:
            return
        model = self.model
        self._prepare(model)
        activations = Activations(model, self.layers, positions=self.positions)
        activations.gather(self._fresh_batches())
        plan = activations.plan(
            threshold,
            gone=self.plan,
            without_bias=self._outgoing.without_bias,
            scale=self.scale,
            complementary=self.complementary,
        )
        self._outgoing.fold(plan)
        self.plans.append((epoch + 1, plan))
        self._held = self._outgoing.held(self.plan)

    def pruned_model(self) -> keras.Model:
        """Return a smaller copy of the model as it is now, without the maps that went.

        It is proved equal, see `prune_model`, and not compiled.

        Raises:
            ValueError: when weights from before a pruning were put back into the model, as
                EarlyStopping does with the best ones.
            PruningError: when the proof fails.
        """
        model = self.model
        if model is None:
            raise ValueError("The callback must have trained a model before it can give one.")
        self._prepare(model)
        self._demand_zero()
        return prune_model(model, self.plan)

    def get_state(self) -> dict:
        """Return everything needed to go on in another process: JSON values."""
        plans = [{"epoch": epoch, "plan": plan.to_json()} for epoch, plan in self.plans]
        return {"settings": self._settings(), "plans": plans}

    def set_state(self, state: dict) -> None:
        """Put back what `get_state` returned; the weights are the model's own state.

        Raises:
            ValueError: when it was saved with other settings.
        """
        for name, ours in self._settings().items():
            if state["settings"][name] != ours:
                raise ValueError(
                    f"the pruning was saved with {name}={state['settings'][name]}, this run has "
                    f"{name}={ours}"
                )
        self.plans = [
            (entry["epoch"], PrunePlan.from_json(entry["plan"])) for entry in state["plans"]
        ]
        self._outgoing, self._held = None, []

    def _settings(self) -> dict:
        return {
            "schedule": [[epoch, self.schedule[epoch]] for epoch in sorted(self.schedule)],
            "layers": self.layers,
            "positions": self.positions,
            "scale": self.scale,
            "complementary": self.complementary,
        }

    def _prepare(self, model: keras.Model) -> None:
        """Find out once what reads the model's maps, and which rows are to be held."""
        if self._outgoing is None:
            outgoing = OutgoingWeights(model)
            if not choose_groups(outgoing.graph, self.layers):  # a wrong name is an error
                raise PruningError(f"The model {model.name!r} has no maps that may be pruned.")
            self._held = outgoing.held(self.plan)
            self._outgoing = outgoing
        elif self._outgoing.graph.model is not model:
            if self.plans:
                raise ValueError(
                    f"{type(self).__name__} has pruned another model: make a new one for each "
                    f"training. Received: the model {model.name!r}"
                )
            self._outgoing = None
            self._prepare(model)

    def _demand_zero(self) -> None:
        if not all(rows.are_zero() for rows in self._held):
            raise ValueError(
                "The model holds weights from before a pruning: what was pruned is not zero. Put "
                "no earlier weights back, as EarlyStopping does with restore_best_weights=True; "
                "start its count after the last epoch of the schedule (start_from_epoch)."
            )

    def _fresh_batches(self) -> Iterable:
        empty = True
        for batch in self.batches():
            empty = False
            yield batch
        if empty:
            raise ValueError("`batches` must give at least one batch. Received: none")


def _check_schedule(schedule: Mapping[int, float]) -> dict[int, float]:
    """Return the schedule in plain numbers, or raise `ValueError`."""
    if not isinstance(schedule, Mapping) or not schedule:
        raise ValueError(
            "`schedule` must map at least one epoch to a threshold in degrees. "
            f"Received: {schedule!r}"
        )
    for epoch, threshold in schedule.items():
        whole = isinstance(epoch, numbers.Integral) and not isinstance(epoch, bool)
        if not whole or epoch < 1:
            raise ValueError(
                f"`schedule` must have whole epochs, counted from 1. Received: epoch {epoch!r}"
            )
        if not isinstance(threshold, numbers.Real) or not 0 <= threshold < 90:
            raise ValueError(
                "`schedule` must have thresholds in [0, 90) degrees. "
                f"Received: {threshold!r} for epoch {epoch}"
            )
    return {int(epoch): float(threshold) for epoch, threshold in schedule.items()}
