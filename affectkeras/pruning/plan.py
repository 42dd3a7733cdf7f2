"""What to remove from a model, as small JSON that can be shown, audited and replayed."""

import dataclasses
import json
import math


@dataclasses.dataclass(frozen=True)
class Merge:
    """At every consumer, `scale` times the source's outgoing weights are added to the target's.

    Args:
        source: the map that goes.
        target: the map, of the same layer, that stays and stands in for it.
        scale: how many times the target the source is, where the consumers read.
    """

    source: int
    target: int
    scale: float = 1.0


@dataclasses.dataclass(frozen=True)
class Constant:
    """A removed map that is nearly constant where it is read goes into the consumers' biases.

    Exact for dense layers, 1×1 and unpadded convolutions. A padded convolution reads zeros outside
    the image; folding takes the constant to go on there, so the borders change a little.

    Args:
        channel: the map that goes.
        value: what the consumers read of it.
    """

    channel: int
    value: float


@dataclasses.dataclass(frozen=True)
class LayerPlan:
    """The maps that one layer loses, and with them those that are coupled to them.

    Args:
        layer: the path of the layer that makes the maps; `backbone/conv1` lies in a model inside.
        channels: how many maps it makes, so that a plan is not replayed on another model.
        removed: which of them go, in ascending order.
        merges: what happens to the outgoing weights of some of them.
        constants: which of them go into the biases that follow.

    Raises:
        ValueError: for maps out of range, named twice, or merged into a removed one.
    """

    layer: str
    channels: int
    removed: tuple[int, ...]
    merges: tuple[Merge, ...] = ()
    constants: tuple[Constant, ...] = ()

    def __post_init__(self):
        removed = set(self.removed)
        where = f"of layer {self.layer!r}"
        if list(self.removed) != sorted(removed):
            raise ValueError(
                f"`removed` {where} must ascend without repetition. Received: {self.removed}"
            )
        targets = [merge.target for merge in self.merges]
        for channel in (*self.removed, *targets):
            if not 0 <= channel < self.channels:
                raise ValueError(
                    f"Maps {where} must lie in [0, {self.channels}). Received: {channel}"
                )
        folded = [merge.source for merge in self.merges]
        folded += [constant.channel for constant in self.constants]
        if not set(folded) <= removed or len(folded) != len(set(folded)):
            raise ValueError(
                f"`merges` and `constants` {where} must each name removed maps, each map once. "
                f"Received: {folded}, removed={self.removed}"
            )
        if removed & set(targets):
            raise ValueError(
                f"The target of a merge {where} must stay. "
                f"Received: removed targets {sorted(removed & set(targets))}"
            )
        factors = [merge.scale for merge in self.merges]
        factors += [constant.value for constant in self.constants]
        if not all(map(math.isfinite, factors)):
            raise ValueError(f"Scales and values {where} must be finite. Received: {factors}")


@dataclasses.dataclass(frozen=True)
class PrunePlan:
    """What every layer of a model loses.

    Args:
        model_name: the name of the model it was made for; told, not enforced.
        layers: one entry per layer; coupled layers need naming only once.

    Raises:
        ValueError: when a layer has two entries.
    """

    model_name: str
    layers: tuple[LayerPlan, ...]

    def __post_init__(self):
        names = [one.layer for one in self.layers]
        if len(names) != len(set(names)):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"`layers` must name each layer once. Received twice: {twice}")

    def to_json(self) -> str:
        """Return the plan as JSON, a line per layer."""
        lines = ",\n    ".join(json.dumps(dataclasses.asdict(one)) for one in self.layers)
        layers = f"[\n    {lines}\n  ]" if self.layers else "[]"
        return f'{{\n  "model_name": {json.dumps(self.model_name)},\n  "layers": {layers}\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> "PrunePlan":
        """Return the plan that `to_json` wrote.

        Raises:
            ValueError: saying what is missing, surplus or of the wrong kind.
        """
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"A plan must be JSON. Received: {error}") from None
        found = _fields(found, cls, "A plan")
        name = _kind(found["model_name"], str, "`model_name`")
        layers = _kind(found["layers"], list, "`layers`")
        return cls(name, tuple(_read_layer(one) for one in layers))


def _read_layer(found) -> LayerPlan:
    found = _fields(found, LayerPlan, "An entry of `layers`")
    layer = _kind(found["layer"], str, "`layer`")
    where = f"of layer {layer!r}"
    return LayerPlan(
        layer,
        _kind(found["channels"], int, f"`channels` {where}"),
        tuple(
            _kind(one, int, f"`removed` {where}")
            for one in _kind(found["removed"], list, f"`removed` {where}")
        ),
        tuple(_read_merge(one, where) for one in _kind(found["merges"], list, f"`merges` {where}")),
        tuple(
            _read_constant(one, where)
            for one in _kind(found["constants"], list, f"`constants` {where}")
        ),
    )


def _read_merge(found, where: str) -> Merge:
    found = _fields(found, Merge, f"A merge {where}")
    return Merge(
        _kind(found["source"], int, f"`source` {where}"),
        _kind(found["target"], int, f"`target` {where}"),
        float(_kind(found["scale"], (int, float), f"`scale` {where}")),
    )


def _read_constant(found, where: str) -> Constant:
    found = _fields(found, Constant, f"A constant {where}")
    return Constant(
        _kind(found["channel"], int, f"`channel` {where}"),
        float(_kind(found["value"], (int, float), f"`value` {where}")),
    )


def _fields(found, kind: type, what: str) -> dict:
    names = [field.name for field in dataclasses.fields(kind)]
    if not isinstance(found, dict) or set(found) != set(names):
        received = sorted(found) if isinstance(found, dict) else found
        raise ValueError(f"{what} must hold {', '.join(names)}. Received: {received}")
    return found


def _kind(value, kind, what: str):
    # JSON's true and false are no numbers here, though Python's are.
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{what} must be of type {expected}. Received: {value!r}")
    return value
