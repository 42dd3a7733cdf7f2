"""The command that makes a model smaller, from the files it is given to the files it leaves."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from affectkeras.errors import UserError
from affectkeras.prune import ImageBatches, PruneSettings, find_model, prune_command


@pytest.fixture
def model_file(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, name="first")(inputs)
    x = keras.layers.Conv2D(6, 3, activation="relu", name="second")(x)
    x = keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 7], bias[7] = kernel[..., 3], bias[3]
    model.get_layer("first").set_weights([kernel, bias])
    path = tmp_path / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


def test_a_threshold_takes_the_copied_map_and_nothing_else(model_file, images, tmp_path, capsys):
    out = tmp_path / "small"
    settings = PruneSettings(threshold=0.01, layers=("first",), images=(images,))
    prune_command(model_file, out, settings)
    printed = capsys.readouterr().out
    assert "13 images read: 12 measured, 1 damaged." in printed
    assert "first      8 →     7 maps" in printed
    assert "Proved equal to the masked model" in printed
    (layer,) = json.loads((out / "plan.json").read_text())["layers"]
    assert layer["removed"] == [7]
    assert layer["merges"] == [{"source": 7, "target": 3, "scale": 1.0}]
    pixels = np.random.default_rng(1).random((4, 16, 16, 3), dtype=np.float32)
    one, other = (keras.models.load_model(path) for path in (model_file, out / "model.keras"))
    np.testing.assert_allclose(one.predict(pixels), other.predict(pixels), atol=1e-5)


def test_a_plan_is_replayed_and_a_fraction_prunes_every_group(model_file, tmp_path, capsys):
    prune_command(model_file, tmp_path / "one", PruneSettings(fraction=0.5))
    assert "second      6 →     3 maps" in capsys.readouterr().out
    again = PruneSettings(plan=tmp_path / "one" / "plan.json")
    prune_command(model_file, tmp_path / "two", again)
    models = [keras.models.load_model(tmp_path / name / "model.keras") for name in ("one", "two")]
    for left, right in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())


def test_a_run_folder_gives_its_model_and_a_smaller_one_that_predict_takes(
    model_file, images, tmp_path, capsys
):
    run = tmp_path / "run"
    run.mkdir()
    model_file.rename(run / "model.keras")
    (run / "result.json").write_text(json.dumps({"class_names": ["calm", "glad"]}))
    assert find_model(run) == run / "model.keras"
    prune_command(run, tmp_path / "small", PruneSettings(fraction=0.25, multiple_of=2))
    assert (tmp_path / "small" / "saved_model" / "saved_model.pb").is_file()
    from affectkeras.predict import predict_command

    predict_command(tmp_path / "small", [images / "0.png"])
    assert "0.png" in capsys.readouterr().out


def add_normalization(model_file, *, trainable=True):
    """Put normalizations that hold what they began with between the two convolutions' maps."""
    model = keras.models.load_model(model_file)
    x = model.get_layer("first").output
    x = keras.layers.BatchNormalization(name="one", trainable=trainable)(x)
    x = keras.layers.BatchNormalization(name="two")(keras.layers.ReLU()(x))
    for layer in model.layers[2:]:
        x = layer(x)
    keras.Model(model.input, x).save(model_file)


@pytest.mark.parametrize("way", ["fraction", "plan", "threshold"])
def test_recalibration_measures_the_smaller_model_after_the_proof(
    model_file, images, tmp_path, capsys, way
):
    add_normalization(model_file)
    prune_command(model_file, tmp_path / "plain", PruneSettings(fraction=0.25))
    given = {"fraction": 0.25, "plan": tmp_path / "plain" / "plan.json", "threshold": 0.01}
    settings = PruneSettings(**{way: given[way]}, images=(images,), recalibrate=True)
    capsys.readouterr()
    prune_command(model_file, tmp_path / "new", settings)
    printed = capsys.readouterr().out
    assert printed.count("13 images read: 12 measured, 1 damaged.") == 1
    assert printed.index("Proved equal") < printed.index("Recalibrated on the images")
    assert "after that proof: 2 BatchNormalization.\n" in printed
    model = keras.models.load_model(tmp_path / "new" / "model.keras")
    pixels = np.stack(list(ImageBatches(model, (images,)))[0])
    for name in ("one", "two"):
        layer = model.get_layer(name)
        read = keras.Model(model.input, layer.input)(pixels).numpy().astype(np.float64)
        np.testing.assert_allclose(layer.moving_mean, read.mean(axis=(0, 1, 2)), rtol=1e-4)
        np.testing.assert_allclose(layer.moving_variance, read.var(axis=(0, 1, 2)), rtol=1e-4)


def test_recalibration_leaves_frozen_layers_and_says_so(model_file, images, tmp_path, capsys):
    add_normalization(model_file, trainable=False)
    settings = PruneSettings(fraction=0.25, images=(images,), recalibrate=True)
    prune_command(model_file, tmp_path / "new", settings)
    assert "1 BatchNormalization; 1 frozen left as they are." in capsys.readouterr().out
    layer = keras.models.load_model(tmp_path / "new" / "model.keras").get_layer("one")
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(6))


def test_recalibration_without_normalization_is_refused(model_file, images, tmp_path):
    settings = PruneSettings(fraction=0.25, images=(images,), recalibrate=True)
    with pytest.raises(UserError, match="model.keras has no BatchNormalization to --recalibrate"):
        prune_command(model_file, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Give exactly one of .* Received: none"),
        ({"threshold": 8.0, "fraction": 0.5}, "Received: --threshold, --fraction"),
        ({"threshold": 8.0}, "give --images"),
        ({"threshold": 99.0}, r"--threshold must be in \[0, 90\)"),
        ({"fraction": 1.0}, r"--fraction must be in \[0, 1\)"),
        ({"fraction": 0.0}, "No map goes by these settings"),
        ({"fraction": 0.5, "recalibrate": True}, "--recalibrate measures .*: give --images"),
    ],
)
def test_settings_that_cannot_work_are_refused(model_file, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        prune_command(model_file, tmp_path / "out", PruneSettings(**settings))
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_used_are_named(model_file, tmp_path):
    half = PruneSettings(fraction=0.5)
    with pytest.raises(UserError, match="nowhere: there is no such file"):
        prune_command(tmp_path / "nowhere", tmp_path / "out", half)
    (tmp_path / "broken.keras").write_bytes(b"PK")
    with pytest.raises(UserError, match="broken.keras cannot be loaded as a Keras model"):
        prune_command(tmp_path / "broken.keras", tmp_path / "out", half)
    with pytest.raises(UserError, match="is not empty"):
        prune_command(model_file, tmp_path, half)
    (tmp_path / "plan.json").write_text("[1]")
    with pytest.raises(UserError, match="plan.json is no plan: A plan must hold"):
        prune_command(model_file, tmp_path / "out", PruneSettings(plan=tmp_path / "plan.json"))
    with pytest.raises(UserError, match="no layer .third."):
        prune_command(
            model_file,
            tmp_path / "out",
            PruneSettings(threshold=8.0, layers=("third",), images=(tmp_path,)),
        )
