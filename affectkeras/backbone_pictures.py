"""What a run keeps of its backbone for the report: the maps that one face makes in it."""

from pathlib import Path

import keras
import numpy as np

from affectkeras import records
from affectkeras.datasets.table import ExampleTable
from affectkeras.files import atomic_file
from affectkeras.media.images import decode_and_resize
from affectkeras.models.backbone_classifier import backbone_of, preprocessing_of
from affectkeras.reporting.backbone_plot import FILE
from affectkeras.transfer.activation_maps import pack_maps, read_maps


def keep_backbone_maps(run: Path, keras_file: Path, table: ExampleTable, row: int) -> None:
    """Write the maps of early, middle and late layers for one row's face, which plots read.

    Args:
        run: the run folder.
        keras_file: a backbone classifier.
        table: the examples.
        row: whose face; best a validation row.
    """
    model = keras.models.load_model(keras_file, compile=False)
    (encoded,) = records.encoded_images(table, np.array([row]))
    face = np.asarray(decode_and_resize(encoded, model.input_shape[1:3]))
    layers = read_maps(backbone_of(model), preprocessing_of(model), face)
    with atomic_file(run / FILE) as file:
        np.savez_compressed(file, **pack_maps(face, layers))
