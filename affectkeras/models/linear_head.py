"""A frozen backbone under a linear classifier that was fitted on its features."""

import keras
import numpy as np

from affectkeras.models.backbone_classifier import backbone_of


def build_linear_head(
    mean: np.ndarray, scale: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> keras.Model:
    """Return the model named `"head"`: features → `(features - mean) / scale @ kernel + bias`.

    Args:
        mean, scale: `(features,)`, of the rows that the classifier was fitted on.
        kernel: `(features, classes)`.
        bias: `(classes,)`.

    Returns:
        `(batch, features)` to float32 logits `(batch, classes)`, of Keras's own layers only.
    """
    if kernel.shape != (len(mean), len(bias)) or len(scale) != len(mean):
        raise ValueError(
            "`kernel` must have the shape (features, classes) of `mean`, `scale` and `bias`. "
            f"Received: kernel {kernel.shape}, mean {mean.shape}, scale {scale.shape}, "
            f"bias {bias.shape}"
        )
    features = keras.Input((len(mean),), name="features")
    # Scaled in a layer of its own, not in the kernel: sums of numbers around zero round less.
    scaled = keras.layers.Normalization(
        mean=np.asarray(mean, np.float32),
        variance=np.asarray(scale, np.float32) ** 2,
        dtype="float32",
        name="head_scaling",
    )(features)
    dense = keras.layers.Dense(len(bias), dtype="float32", name="head_logits")
    head = keras.Model(features, dense(scaled), name="head")
    dense.set_weights([kernel, bias])
    return head


def replace_head(classifier: keras.Model, head: keras.Model) -> keras.Model:
    """Return a backbone classifier with another head, sharing all other layers.

    Args:
        classifier: of `build_backbone_classifier`.
        head: `(batch, features)` → logits, named `"head"`.
    """
    images = keras.Input(classifier.input_shape[1:], dtype="float32", name="images")
    pixels = images
    if "preprocessing" in [layer.name for layer in classifier.layers]:
        pixels = classifier.get_layer("preprocessing")(images)
    return keras.Model(images, head(backbone_of(classifier)(pixels)), name=classifier.name)
