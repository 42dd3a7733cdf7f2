"""Several classifiers as one network, each with its own image size and preprocessing."""

from collections.abc import Sequence

import keras
import numpy as np

from affectkeras.errors import UserError


def average_members(members: Sequence[keras.Model], weights: np.ndarray) -> keras.Model:
    """Return one network that puts out the weighted mean of its members' probabilities.

    Its logits are the logarithms of that mean, so that their softmax is the mean itself. Members
    of weight 0 are left out.

    Args:
        members: each pixels float32 `(batch, height, width, 3)` in [0, 255] → logits `(batch,
            classes)`, of whatever size.
        weights: `(members,)`, none negative, summing to 1.

    Returns:
        A functional model of Keras's own layers and operations: an input for every image size,
        `"images"` or, of several sizes, `"images_<height>x<width>"` → logits float32.
    """
    weights = np.asarray(weights, dtype=float)
    if len(weights) != len(members) or weights.min() < 0 or not np.isclose(weights.sum(), 1.0):
        raise ValueError(
            f"`weights` must be {len(members)} numbers of at least 0 that sum to 1. "
            f"Received: {weights.tolist()}"
        )
    held = np.flatnonzero(weights)
    inputs, found = _call_members([members[place] for place in held])
    logs = [
        keras.layers.Rescaling(1.0, float(np.log(weights[place])), dtype="float32")(logits)
        for place, logits in zip(held, found, strict=True)
    ]
    joined = keras.ops.logsumexp(keras.ops.stack(logs, axis=1), axis=1)
    return keras.Model(inputs, joined, name="ensemble_average")


def stack_members(
    members: Sequence[keras.Model], kernel: np.ndarray, bias: np.ndarray
) -> keras.Model:
    """Return one network that puts out a linear function of its members' log-probabilities.

    Args:
        members: as for `average_members`.
        kernel: `(members · classes, classes)`, the first member's classes first.
        bias: `(classes,)`.

    Returns:
        A model as of `average_members`; its last layer is the Dense `"combination"`.
    """
    if not members:
        raise ValueError("`members` must be at least one.")
    inputs, found = _call_members(members)
    shape = (len(members) * members[0].output_shape[-1], members[0].output_shape[-1])
    if np.shape(kernel) != shape or np.shape(bias) != shape[1:]:
        raise ValueError(
            f"`kernel` and `bias` must have the shapes {shape} and {shape[1:]}. "
            f"Received: {np.shape(kernel)} and {np.shape(bias)}"
        )
    joined = found[0] if len(found) == 1 else keras.ops.concatenate(found, axis=1)
    combination = keras.layers.Dense(shape[1], dtype="float32", name="combination")
    model = keras.Model(inputs, combination(joined), name="ensemble_stack")
    combination.set_weights([np.asarray(kernel, "float32"), np.asarray(bias, "float32")])
    return model


def image_sizes(members: Sequence[keras.Model]) -> list[tuple[int, int]]:
    """Return the different sizes `(height, width)` that the members take, the largest first."""
    sizes = {tuple(member.input_shape[1:3]) for member in members}
    return sorted(sizes, key=lambda size: (size[0] * size[1], size), reverse=True)


def _call_members(members: Sequence[keras.Model]) -> tuple:
    """Return the input, or a list of one for every size, and each member's log-probabilities."""
    sizes = image_sizes(members)
    names = [f"images_{height}x{width}" for height, width in sizes]
    inputs = {
        size: keras.Input((*size, 3), dtype="float32", name=name if len(sizes) > 1 else "images")
        for size, name in zip(sizes, names, strict=True)
    }
    classes = {member.output_shape[-1] for member in members}
    if len(classes) > 1:
        raise UserError(
            f"the members of an ensemble must know the same classes. Found: {sorted(classes)} "
            "outputs."
        )
    found = []
    for number, member in enumerate(members, start=1):
        # Under a name of its own: two members may be of one backbone.
        network = keras.Model(member.input, member.output, name=f"member_{number}")
        logits = network(inputs[tuple(member.input_shape[1:3])])
        found.append(keras.ops.log_softmax(keras.ops.cast(logits, "float32"), axis=-1))
    images = list(inputs.values())
    # Of one size a tensor: Keras warns of tensors that are given where a list was defined.
    return images if len(images) > 1 else images[0], found
