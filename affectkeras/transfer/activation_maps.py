"""What the early, middle and late layers of a backbone make of one image.

Source: the lecture "Deep Learning for Sensing: Emotion Recognition", Figure 3-3: lower-level,
mid-level and upper-layer activations, from the generic to the task-specific.
"""

import dataclasses

import keras
import numpy as np

from affectkeras.transfer.blocks import find_blocks

DEPTHS = ("early", "middle", "late")
SHOWN = 12  # maps that are kept of each layer


@dataclasses.dataclass(frozen=True, eq=False)
class LayerMaps:
    """The most varied maps of a layer for one image.

    Args:
        depth: `"early"`, `"middle"` or `"late"`.
        layer: its name.
        count: how many maps the layer has.
        maps: float32 `(height, width, maps)`, at most `SHOWN`, the most varied first.
    """

    depth: str
    layer: str
    count: int
    maps: np.ndarray


def find_depths(backbone: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return where the first, the middle and the last block of a backbone end.

    A block (see `find_blocks`) ends with its last layer that still gives maps.

    Args:
        backbone: a functional model with images of a fixed size as input.
    """
    blocks = find_blocks(backbone)
    chosen = (0, len(blocks) // 2, len(blocks) - 1)
    ends = {}
    for depth, number in zip(DEPTHS, chosen, strict=True):
        maps = [layer for layer in blocks[number] if _gives_maps(layer)]
        ends[depth] = maps[-1]
    return ends


def read_maps(
    backbone: keras.Model, preprocessing: keras.Model | None, image: np.ndarray
) -> list[LayerMaps]:
    """Return the most varied maps of the layers of `find_depths`.

    Args:
        backbone: a functional model with images of a fixed size as input.
        preprocessing: from pixels to what the backbone takes; `None`: it is inside.
        image: RGB pixels in [0, 255], `(height, width, 3)` of the backbone's size.
    """
    ends = find_depths(backbone)
    reader = keras.Model(backbone.input, [layer.output for layer in ends.values()])
    pixels = np.array(image[None], np.float32)
    if preprocessing is not None:
        pixels = preprocessing(pixels, training=False)
    found = []
    for (depth, layer), output in zip(ends.items(), reader(pixels, training=False), strict=True):
        maps = np.asarray(keras.ops.convert_to_numpy(output)[0], np.float32)
        spread = maps.reshape(-1, maps.shape[-1]).std(axis=0)
        order = np.argsort(-spread, kind="stable")[:SHOWN]
        found.append(LayerMaps(depth, layer.name, maps.shape[-1], maps[..., order]))
    return found


def pack_maps(image: np.ndarray, layers: list[LayerMaps]) -> dict[str, np.ndarray]:
    """Return arrays for an npz file that plots read, see `reporting.backbone_plot`."""
    arrays = {
        "image": np.asarray(image).astype(np.uint8),
        "depths": np.array([one.depth for one in layers]),
        "layers": np.array([one.layer for one in layers]),
        "counts": np.array([one.count for one in layers]),
    }
    return arrays | {f"map{number}": one.maps for number, one in enumerate(layers)}


def _gives_maps(layer: keras.layers.Layer) -> bool:
    shape = getattr(layer.output, "shape", ())
    # Padding and dropout only hand on what another layer gave.
    handed_on = isinstance(layer, (keras.layers.ZeroPadding2D, keras.layers.Dropout))
    return len(shape) == 4 and not handed_on
