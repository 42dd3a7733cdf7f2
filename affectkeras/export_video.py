"""Writing networks that read faces over time for serving, and proving that they stayed the same.

A SavedModel in two parts: what sees a single face, and what reads the features of many in their
order. A long video then needs no more memory than a short one, and no frame is seen twice. It needs
neither Keras nor this package to run.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from affectkeras.export import TOLERANCE, ExportMismatch, written_whole
from affectkeras.models.cnn_gru import frame_encoder, recurrent_part

CHECKED_CLIPS = (1, 3)


def join_targets(models: Sequence[keras.Model]) -> keras.Model:
    """Return one model that gives what several networks over the same frames give, side by side.

    Args:
        models: of `build_cnn_gru`, of one image size.
    """
    if len(models) == 1:
        return models[0]
    frames = keras.Input(models[0].input_shape[1:], dtype="float32", name="frames")
    # Under names of their own: two networks of one architecture have one name.
    renamed = [
        keras.Model(model.input, model.output, name=f"network_{number}")
        for number, model in enumerate(models, start=1)
    ]
    found = [model(frames) for model in renamed]
    return keras.Model(frames, keras.layers.Concatenate(name="values")(found), name="joined")


def export_video_model(
    models: Sequence[keras.Model], folder: str | os.PathLike, facts: Mapping
) -> Path:
    """Write a SavedModel of networks over the same faces.

    Its signatures:
        `encode`: `faces` uint8 `(faces, side, side, 3)` → `features` float32 `(faces, width)`, of
            all networks side by side.
        `recur`: `features` float32 `(batch, time, width)` → `values` float32 `(batch, time,
            outputs)`.
        `serving_default` (also named `serve`): `clips` uint8 `(batch, time, side, side, 3)` →
            `values`: both in one.
        `describe`: nothing → `facts`, a string of JSON.

    Args:
        models: of `build_cnn_gru`; their outputs stand side by side in this order.
        folder: replaced if it exists; complete or absent at any time.
        facts: what whoever serves the model must know, of values that JSON knows.

    Returns:
        The folder.
    """
    encoders = [frame_encoder(model) for model in models]
    recurrent = [recurrent_part(model) for model in models]
    widths = [encoder.output_shape[-1] for encoder in encoders]
    side = models[0].input_shape[-2]
    told = tf.constant(json.dumps(dict(facts)))

    def encode(faces):
        pixels = tf.cast(faces, tf.float32)
        found = [encoder(pixels, training=False) for encoder in encoders]
        return {"features": tf.cast(tf.concat(found, axis=-1), tf.float32)}

    def recur(features):
        parts = tf.split(features, widths, axis=-1)
        found = [
            network(part, training=False) for network, part in zip(recurrent, parts, strict=True)
        ]
        return {"values": tf.cast(tf.concat(found, axis=-1), tf.float32)}

    def serve(clips):
        shape = tf.shape(clips)
        faces = tf.reshape(clips, (-1, side, side, 3))
        features = encode(faces)["features"]
        return recur(tf.reshape(features, (shape[0], shape[1], sum(widths))))

    archive = keras.export.ExportArchive()
    faces = tf.TensorSpec((None, side, side, 3), tf.uint8, name="faces")
    features = tf.TensorSpec((None, None, sum(widths)), tf.float32, name="features")
    clips = tf.TensorSpec((None, None, side, side, 3), tf.uint8, name="clips")
    archive.add_endpoint("serve", serve, [clips])
    archive.add_endpoint("encode", encode, [faces])
    archive.add_endpoint("recur", recur, [features])
    archive.add_endpoint("describe", lambda: {"facts": told}, [])
    with written_whole(Path(folder)) as unfinished:
        archive.write_out(os.fspath(unfinished), verbose=False)
    return Path(folder)


def check_video_export(
    model: keras.Model, folder: str | os.PathLike, clips: np.ndarray, tolerance: float = TOLERANCE
) -> dict:
    """Compare what a SavedModel says of clips, in one and in two steps, with the Keras model.

    Args:
        model: of `join_targets`.
        folder: of `export_video_model`.
        clips: uint8 `(clips, time, side, side, 3)`, best of the test rows.
        tolerance: the largest difference that passes.

    Returns:
        `{"max_difference": float, "batches": [1, 3]}`.

    Raises:
        ExportMismatch: when the difference is above `tolerance`.
    """
    loaded = tf.saved_model.load(os.fspath(folder))
    largest = 0.0
    for size in CHECKED_CLIPS:
        batch = tf.constant(np.resize(clips, (size, *clips.shape[1:])))
        expected = model(tf.cast(batch, tf.float32), training=False).numpy()
        whole = loaded.signatures["serving_default"](clips=batch)["values"].numpy()
        faces = tf.reshape(batch, (-1, *batch.shape[2:]))
        features = loaded.signatures["encode"](faces=faces)["features"]
        features = tf.reshape(features, (*batch.shape[:2], features.shape[-1]))
        parts = loaded.signatures["recur"](features=features)["values"].numpy()
        for found in (whole, parts):
            largest = float(np.maximum(largest, np.abs(found - expected).max()))  # keeps NaN
    if not largest <= tolerance:
        raise ExportMismatch(
            f"The saved_model export {os.fspath(folder)} differs from the Keras model: a value is "
            f"off by {largest:.3g}, more than {tolerance:.3g}. Do not serve it."
        )
    return {"max_difference": largest, "batches": list(CHECKED_CLIPS)}
