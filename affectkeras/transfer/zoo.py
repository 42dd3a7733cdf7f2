"""Backbones of `keras.applications` as networks: built, with their preprocessing and weights."""

from pathlib import Path

import keras
import numpy as np

from affectkeras.errors import UserError
from affectkeras.transfer.backbones import BACKBONES as BACKBONES
from affectkeras.transfer.backbones import Backbone as Backbone
from affectkeras.transfer.backbones import find_backbone as find_backbone
from affectkeras.transfer.weight_files import imagenet_file, load_weights_file

# The statistics of `keras.applications.imagenet_utils.preprocess_input`, RGB, pixels in [0, 255].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red


def build_preprocessing(backbone: Backbone, image_size: tuple[int, int]) -> keras.Model | None:
    """Return a model from RGB pixels in [0, 255] to what the backbone was trained on.

    It holds built-in layers and operations only, in float32 whatever the precision policy (half
    precision keeps no more than an eighth of a grey level near white), and equals the family's
    `preprocess_input` up to rounding. None for a family that has its preprocessing inside.

    Args:
        backbone: the entry of the zoo.
        image_size: height and width in pixels.
    """
    if backbone.preprocessing == "none":
        return None
    images = keras.Input((*image_size, 3), dtype="float32", name="pixels")
    if backbone.preprocessing == "tf":
        scale, offset, pixels = 1 / 127.5, -1.0, images
    elif backbone.preprocessing == "torch":
        mean, deviation = np.array(IMAGENET_MEAN), np.array(IMAGENET_DEVIATION)
        scale, offset = (1 / (255 * deviation)).tolist(), (-mean / deviation).tolist()
        pixels = images
    else:
        scale, offset = 1.0, [-mean for mean in CAFFE_MEAN]
        pixels = keras.ops.take(images, [2, 1, 0], axis=-1)  # RGB to BGR
    rescaled = keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(pixels)
    return keras.Model(images, rescaled, name="preprocessing")


def build_backbone(
    backbone: Backbone, image_size: tuple[int, int], weights: str | Path = "imagenet"
) -> keras.Model:
    """Return the network named `"backbone"`: preprocessed images to pooled features.

    Args:
        backbone: the entry of the zoo.
        image_size: height and width in pixels.
        weights: `"imagenet"`, `"none"` (random) or the path of a weights file.

    Returns:
        A functional model `(batch, height, width, 3)` to `(batch, features)`, its last layers a
        global average pooling (ConvNeXt: and a LayerNormalization).

    Raises:
        UserError: when the images are too small or the weights cannot be had or do not fit.
    """
    if min(image_size) < backbone.min_size:
        raise UserError(
            f"{backbone.name} needs images of at least {backbone.min_size}×{backbone.min_size} "
            f"pixels. Received: {image_size[0]}×{image_size[1]}. Choose a larger --image-size "
            "or another backbone."
        )
    path = weights_path(backbone, weights, image_size)  # first: it fails sooner than building
    constructor = getattr(keras.applications, backbone.build)
    network = constructor(
        include_top=False,
        weights=None,
        input_shape=(*image_size, 3),
        pooling="avg",
        **backbone.arguments,
    )
    if path is not None:
        load_weights_file(network, path, deviation_as_variance=backbone.deviation_as_variance)
    # Only the name changes: constructors read their own `name` to choose files and preprocessing.
    return keras.Model(network.input, network.output, name="backbone")


def weights_path(
    backbone: Backbone, weights: str | Path, image_size: tuple[int, int]
) -> Path | None:
    """Return the weights file that `--weights` means; None for random weights.

    Raises:
        UserError: when a named file is not there; `WeightsUnreachable` for ImageNet weights.
    """
    if str(weights) == "none":
        return None
    if str(weights) == "imagenet":
        return imagenet_weights_file(backbone, image_size)
    path = Path(weights).expanduser()
    if not path.is_file():
        seen = "a folder" if path.is_dir() else "nothing there"
        raise UserError(
            f"--weights {weights}: expected a weights file (.h5, .weights.h5 or .keras), found "
            f"{seen}. Give the path of a file, or `imagenet` or `none`."
        )
    return path


def imagenet_weights_file(
    backbone: Backbone, image_size: tuple[int, int] | None = None, timeout: float = 15.0
) -> Path:
    """Return the ImageNet file in Keras's cache, downloaded if it is not there yet.

    Networks without their top take any image size; where Keras keeps one file per size, an image
    size without one gets the file of the default size, as in `keras.applications`.

    Args:
        backbone: the entry of the zoo.
        image_size: height and width in pixels; absent: the default size.
        timeout: seconds that the storage may stay silent.

    Raises:
        WeightsUnreachable: naming the file, where to get it and where to put it.
    """
    size = backbone.default_size
    if image_size and image_size[0] == image_size[1] and image_size[0] in backbone.weights_sizes:
        size = image_size[0]
    url, file = backbone.weights_url.format(size=size), backbone.weights_file.format(size=size)
    return imagenet_file(backbone.name, url, file, timeout)
