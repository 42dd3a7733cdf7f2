"""The network of the video report: every frame through convolutions, the frames through a GRU."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from affectkeras.layers.frame_distributed import FrameDistributed
from affectkeras.layers.pooled_convolution import PooledConvolution
from affectkeras.models.backbone_classifier import build_backbone_classifier, features_of

WIDTHS = (16, 32, 64)
CELLS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
# PyTorch's order of the blocks that a weight of a cell is stacked of → Keras's. GRU: reset, update,
# new → update, reset, new; LSTM: input, forget, new, output, in both.
GATES = {"gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
# Other names of the report's layers in PyTorch.
TORCH_NAMES = {
    "conv1": "conv2d_1",
    "conv2": "conv2d_2",
    "conv3": "conv2d_3",
    "gru": "grucell",
    "lstm": "lstmcell",
}


def build_cnn_gru(
    outputs: int = 1,
    image_size: int = 224,
    *,
    encoder: str = "cnn",
    weights: str | Path | None = None,
    cell: str = "gru",
    features: int = 128,
    hidden_size: int = 64,
) -> keras.Model:
    """Return frames of faces → features of each → a recurrent layer → numbers for each frame.

    The report on valence and arousal over time in Aff-Wild ("Model Architecture", figures 5 to 7):
    three 3 × 3 convolutions of 16, 32 and 64 maps, each with ReLU and a 2 × 2 maximum; a dense
    layer with ReLU that reads all that is left; a GRU; a dense layer at every time. It trained one
    such network for valence and one for arousal; an LSTM in the GRU's place did worse.

    What the report leaves open is chosen: 128 features and 64 numbers of state, with which nearly
    all weights lie in the layer that reads the maps; He's initial kernels before a ReLU.

    Differs from the report: with another `encoder` the frames go through a pretrained network, as
    in `build_backbone_classifier`, and the dense layer reads the averages of its maps. `outputs`
    may be several: valence and arousal of one network, or the logits of classes.

    Args:
        outputs: how many numbers for each frame.
        image_size: height and width of a frame in pixels (report: 224). A multiple of 8 for
            `"cnn"`.
        encoder: `"cnn"`, as published, or the name of a backbone of the zoo.
        weights: of a backbone: `"imagenet"`, also when absent, `"none"` or the path of a file.
        cell: `"gru"`, as published, or `"lstm"`.
        features: units of the dense layer after the encoder.
        hidden_size: units of the recurrent layer.

    Returns:
        A functional model from RGB pixels in [0, 255], `(batch, time, height, width, 3)` of any
        batch and time, to float32 `(batch, time, outputs)`, linear. What a frame gets depends on
        it and on those before it. Its layers are `"frames"`, `"frame_encoder"`, the cell's name
        and `"outputs"`; `frame_encoder` and `recurrent_part` give its two parts.

    Raises:
        UserError: for an unknown backbone, too small frames or weights that do not fit.
        ValueError: for other arguments out of range.
    """
    _check(outputs, image_size, encoder, weights, cell, features, hidden_size)
    if encoder == "cnn":
        network = _build_cnn(image_size)
    else:
        network = _build_backbone(encoder, image_size, weights or "imagenet")
    encoded = keras.layers.Dense(
        features, activation="relu", kernel_initializer="he_normal", name="features"
    )(network.output)
    one_frame = keras.Model(network.input, encoded, name="frame_encoder")
    frames = keras.Input((None, image_size, image_size, 3), dtype="float32", name="frames")
    # Pixels stay in single precision until they are rescaled.
    x = FrameDistributed(one_frame, dtype="float32", name="frame_encoder")(frames)
    x = CELLS[cell](hidden_size, return_sequences=True, name=cell)(x)
    # Single precision, also under mixed precision: these are the numbers that count.
    x = keras.layers.Dense(outputs, dtype="float32", name="outputs")(x)
    return keras.Model(frames, x, name=f"{encoder}_{cell}")


def frame_encoder(model: keras.Model) -> keras.Model:
    """Return the part for single frames, sharing its weights: a long video need not be held whole.

    Args:
        model: what `build_cnn_gru` returned, or the same loaded from a file.

    Returns:
        Pixels in [0, 255], `(frames, height, width, 3)`, to `(frames, features)`. A backbone is its
        layer `"backbone"`.
    """
    return model.get_layer("frame_encoder").layer


def recurrent_part(model: keras.Model) -> keras.Model:
    """Return the part over time, sharing its weights.

    Args:
        model: what `build_cnn_gru` returned, or the same loaded from a file.

    Returns:
        Features of consecutive frames, `(batch, time, features)`, to `(batch, time, outputs)`. The
        frames of a video belong in one call: its state starts at zero in each.
    """
    layer = recurrent_layer(model)
    width = frame_encoder(model).output_shape[-1]
    features = keras.Input((None, width), name="features")
    return keras.Model(features, model.get_layer("outputs")(layer(features)), name="recurrent_part")


def recurrent_layer(model: keras.Model) -> keras.layers.GRU | keras.layers.LSTM:
    """Return the GRU or LSTM of a model that `build_cnn_gru` returned."""
    return next(layer for layer in model.layers if isinstance(layer, tuple(CELLS.values())))


def load_torch_state_dict(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Set the weights of a network to those of the report's PyTorch module.

    PyTorch puts channels first: its kernels are `(out, in, height, width)`, its dense ones
    `(out, in)`, and what its `fc1` reads is all positions of the first map, then of the second.
    The report's network takes pixels in [0, 1]: the same image as ours in [0, 255].

    Args:
        model: what `build_cnn_gru` returned with the encoder `"cnn"`.
        state: names as in figure 5 → arrays: `weight` and `bias` of `conv2d_1`, `conv2d_2`,
            `conv2d_3`, `fc1` and `fc2`, and `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh` of
            `grucell` or `lstmcell`; `conv1`, `conv2`, `conv3`, `gru` and `lstm` mean the same.

    Raises:
        ValueError: when the model has another encoder, or naming every array that is missing,
            unknown or of another shape; the model is left as it was.
    """
    encoder, recurrent = frame_encoder(model), recurrent_layer(model)
    convolutions = [one for one in encoder.layers if isinstance(one, PooledConvolution)]
    if not convolutions:
        raise ValueError(
            "Only a model with the encoder 'cnn' takes weights of the report's network. "
            f"Received: {model.name!r}"
        )
    cell = next(name for name, kind in CELLS.items() if isinstance(recurrent, kind))
    dense, last = encoder.get_layer("features"), model.get_layer("outputs")
    arrays = _report_names(state)
    _check_state(arrays, _torch_shapes(convolutions, dense, recurrent.cell, f"{cell}cell", last))

    for number, layer in enumerate(convolutions, start=1):
        kernel = arrays[f"conv2d_{number}.weight"].transpose(2, 3, 1, 0)
        layer.set_weights([kernel, arrays[f"conv2d_{number}.bias"]])
    _, height, width, maps = convolutions[-1].output.shape
    kernel = arrays["fc1.weight"].reshape(-1, maps, height, width).transpose(2, 3, 1, 0)
    dense.set_weights([kernel.reshape(dense.kernel.shape), arrays["fc1.bias"]])
    recurrent.set_weights(_cell_weights(arrays, f"{cell}cell", GATES[cell]))
    last.set_weights([arrays["fc2.weight"].T, arrays["fc2.bias"]])


def _report_names(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    arrays = {}
    for name, array in state.items():
        layer, dot, rest = name.partition(".")
        renamed = TORCH_NAMES.get(layer, layer) + dot + rest
        if renamed in arrays:
            raise ValueError(f"`state` holds {renamed!r} twice, under two names.")
        arrays[renamed] = np.asarray(array)
    return arrays


def _torch_shapes(convolutions, dense, cell, cell_name: str, last) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array that the weights are made of, by its name in the report."""
    shapes = {}
    for number, layer in enumerate(convolutions, start=1):
        height, width, given, made = layer.kernel.shape
        shapes[f"conv2d_{number}.weight"] = (made, given, height, width)
        shapes[f"conv2d_{number}.bias"] = (made,)
    for name, layer in (("fc1", dense), ("fc2", last)):
        shapes[f"{name}.weight"] = tuple(layer.kernel.shape)[::-1]
        shapes[f"{name}.bias"] = tuple(layer.bias.shape)
    gates = cell.kernel.shape[-1]
    shapes[f"{cell_name}.weight_ih"] = tuple(cell.kernel.shape)[::-1]
    shapes[f"{cell_name}.weight_hh"] = tuple(cell.recurrent_kernel.shape)[::-1]
    shapes |= {f"{cell_name}.bias_{of}": (gates,) for of in ("ih", "hh")}
    return shapes


def _check_state(arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]) -> None:
    missing = [name for name in shapes if name not in arrays]
    unknown = [name for name in arrays if name not in shapes]
    wrong = [
        f"{name} {arrays[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in arrays and arrays[name].shape != shape
    ]
    found = {"missing": missing, "unknown": unknown, "of another shape": wrong}
    told = [f"{problem}: {', '.join(names)}" for problem, names in found.items() if names]
    if told:
        raise ValueError(f"`state` does not fit the model. {'; '.join(told)}.")


def _cell_weights(arrays: dict[str, np.ndarray], name: str, gates: tuple[int, ...]) -> list:
    """Return the kernel, the recurrent kernel and the bias of a recurrent layer of Keras."""

    def in_order(kind: str) -> np.ndarray:
        blocks = np.split(arrays[f"{name}.{kind}"], len(gates))
        return np.concatenate([blocks[gate] for gate in gates])

    biases = [in_order("bias_ih"), in_order("bias_hh")]
    # A GRU resets what its recurrent bias was added to, so that it needs both.
    bias = np.stack(biases) if name == "grucell" else biases[0] + biases[1]
    return [in_order("weight_ih").T, in_order("weight_hh").T, bias]


def _build_cnn(image_size: int) -> keras.Model:
    images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
    x = keras.layers.Rescaling(1 / 255, dtype="float32", name="rescaling")(images)
    for number, width in enumerate(WIDTHS, start=1):
        x = PooledConvolution(width, 3, kernel_initializer="he_normal", name=f"conv{number}")(x)
    return keras.Model(images, keras.layers.Flatten(name="flatten")(x))


def _build_backbone(name: str, image_size: int, weights: str | Path) -> keras.Model:
    return features_of(build_backbone_classifier(name, 2, image_size, weights))


def _check(outputs, image_size, encoder, weights, cell, features, hidden_size) -> None:
    sizes = {"outputs": outputs, "features": features, "hidden_size": hidden_size}
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}. Received: cell={cell!r}")
    if encoder != "cnn":
        return
    if weights is not None:
        raise ValueError(
            "`weights` are those of a backbone; load_torch_state_dict gives those of the encoder "
            f"'cnn'. Received: weights={str(weights)!r}"
        )
    if image_size < 8 or image_size % 8:
        raise ValueError(
            "`image_size` must be a multiple of 8: the maps are halved three times. "
            f"Received: image_size={image_size}"
        )
