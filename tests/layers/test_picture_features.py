"""The layers compute what the functions on arrays do."""

import io
import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from affectkeras.features.gradient_pyramid import pyramid_of_gradients
from affectkeras.features.local_phase import local_phase_quantization
from affectkeras.layers.picture_features import LocalPhaseQuantization, PyramidOfGradients


def pictures(height=30, width=27):
    """Return noise, a slope, a disc on an even ground and an even picture: edges at 45° and 0."""
    rows, columns = np.mgrid[:height, :width]
    disc = np.where((rows - 12) ** 2 + (columns - 14) ** 2 < 60, 200, 50)
    grey = np.stack([rows + columns, disc, np.full((height, width), 77)])
    noise = np.random.default_rng(0).integers(0, 256, (3, height, width, 3))
    return np.concatenate([np.repeat(grey[..., None], 3, -1), noise]).astype("float32")


@pytest.mark.parametrize("options", [{}, {"window": 5, "grid": (2, 3)}, {"decorrelate": False}])
def test_the_layer_of_local_phase_gives_the_same_histograms(options):
    images = pictures()
    found = keras.ops.convert_to_numpy(LocalPhaseQuantization(**options)(images))
    np.testing.assert_allclose(found, local_phase_quantization(images, **options), atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"levels": 1, "bins": 9, "degrees": 180}, {"levels": 0}])
def test_the_layer_of_gradients_gives_the_same_pyramids(options):
    images = pictures()
    found = keras.ops.convert_to_numpy(PyramidOfGradients(**options)(images))
    expected = pyramid_of_gradients(images, edges="all", **options)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_model_of_both_survives_saving_and_takes_any_batch(tmp_path):
    images = keras.Input((30, 27, 3))
    both = [LocalPhaseQuantization(window=5, grid=(2, 2))(images), PyramidOfGradients(2)(images)]
    model = keras.Model(images, both)
    assert [tuple(output.shape) for output in model.outputs] == [(None, 1024), (None, 168)]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(
        model.predict(pictures(), verbose=0, batch_size=4),
        again.predict(pictures(), verbose=0),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.skipif("AFFECTKERAS_REAL_DATA" not in os.environ, reason="real faces are not here")
def test_on_real_faces_layers_and_functions_agree():
    folder = Path(os.environ["AFFECTKERAS_REAL_DATA"]) / "data" / "ferplus"
    with zipfile.ZipFile(folder / "FER2013Valid.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")][:64]
        grey = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(one)))) for one in names])
    images = np.repeat(grey[..., None], 3, -1).astype("float32")
    lpq = keras.ops.convert_to_numpy(LocalPhaseQuantization(7, (4, 4))(images))
    expected = local_phase_quantization(images, window=7, grid=(4, 4))
    np.testing.assert_allclose(lpq, expected, atol=1e-7)
    phog = keras.ops.convert_to_numpy(PyramidOfGradients()(images))
    np.testing.assert_allclose(phog, pyramid_of_gradients(images, edges="all"), atol=1e-9)
