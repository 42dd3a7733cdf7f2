import io
import json
import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from affectkeras.errors import UserError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from affectkeras import export, runtimes  # noqa: E402
from affectkeras.media.images import decode_and_resize  # noqa: E402
from affectkeras.models.ensemble import average_members  # noqa: E402

CLASS_NAMES = ("angry", "überrascht", "neutral")
IMAGE_SIZE = (24, 20)

# Stands in front of every import: both packages are found (TensorFlow looks for Keras's folder)
# but cannot be run.
IMPORT_BLOCKER = """
import importlib.abc, importlib.machinery, sys

class Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("keras", "tf_keras", "affectkeras"):
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        raise ImportError

sys.meta_path.insert(0, Blocker())
"""


def build_model():
    """A classifier with everything that must be off when served: augmentation and dropout."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((*IMAGE_SIZE, 3))
    outputs = keras.layers.RandomFlip()(inputs)
    outputs = keras.layers.RandomTranslation(0.3, 0.3)(outputs)
    outputs = keras.layers.Rescaling(1 / 40, -3)(outputs)
    outputs = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(outputs)
    outputs = keras.layers.BatchNormalization()(outputs)
    outputs = keras.layers.Flatten()(outputs)
    outputs = keras.layers.Dropout(0.6)(outputs)
    return keras.Model(inputs, keras.layers.Dense(len(CLASS_NAMES))(outputs))


def encode(size, mode, format, seed=0):
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = Image.fromarray(colours).resize(size, Image.Resampling.NEAREST).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


ENCODED = [
    encode((20, 24), "RGB", "PNG", 1),
    encode((13, 50), "RGB", "PNG", 2),
    encode((200, 170), "RGB", "JPEG", 3),
    encode((31, 7), "L", "JPEG", 4),
    encode((64, 64), "L", "PNG", 5),
    encode((64, 64), "P", "PNG", 6),
    encode((1, 1), "RGB", "PNG", 7),
]


@pytest.fixture(scope="module")
def model():
    return build_model()


@pytest.fixture(scope="module")
def saved_model(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "saved_model"
    return export.export_saved_model(model, folder, class_names=CLASS_NAMES, image_size=IMAGE_SIZE)


@pytest.fixture(scope="module")
def serve(saved_model):
    loaded = tf.saved_model.load(str(saved_model))
    # Keeps the loaded object, which owns the weights, alive.
    return lambda images: loaded.signatures["serving_default"](
        images=tf.constant(images, tf.string)
    )


def expected_logits(model, encoded):
    pixels = np.stack([decode_and_resize(image, IMAGE_SIZE) for image in encoded])
    return keras.ops.convert_to_numpy(model(pixels, training=False))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_served_images_of_every_kind_give_what_the_keras_model_gives(model, serve):
    outputs = serve(ENCODED)
    logits = expected_logits(model, ENCODED)
    assert np.ptp(softmax(logits), axis=0).max() > 0.1  # the images do make a difference
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(outputs["probabilities"], softmax(logits), atol=1e-5)
    names = [CLASS_NAMES[index].encode() for index in logits.argmax(axis=1)]
    assert outputs["class_name"].numpy().tolist() == names


def test_augmentation_and_dropout_are_off_when_served(serve):
    repeated = serve([ENCODED[0]] * 8)["logits"].numpy()
    np.testing.assert_allclose(repeated, np.repeat(repeated[:1], 8, axis=0), atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 33])
def test_a_batch_of_any_size_is_served(serve, count):
    outputs = serve([ENCODED[2]] * count)
    assert outputs["probabilities"].shape == (count, 3)
    assert outputs["probabilities"].dtype == tf.float32
    assert outputs["class_name"].shape == (count,)


def test_the_endpoint_serve_is_the_default_signature(saved_model):
    loaded = tf.saved_model.load(str(saved_model))
    assert {"serve", "serving_default", "describe"} <= set(loaded.signatures)
    np.testing.assert_array_equal(
        loaded.serve(tf.constant(ENCODED[:2]))["logits"],
        loaded.signatures["serving_default"](images=tf.constant(ENCODED[:2]))["logits"],
    )


def test_the_saved_model_tells_its_class_names_and_image_size(saved_model):
    described = tf.saved_model.load(str(saved_model)).signatures["describe"]()
    names = [name.decode() for name in described["class_names"].numpy()]
    assert names == list(CLASS_NAMES)
    assert described["image_size"].numpy().tolist() == list(IMAGE_SIZE)


def test_the_saved_model_runs_where_neither_keras_nor_this_package_can_be_imported(
    model, saved_model, tmp_path
):
    image = tmp_path / "face.jpg"
    image.write_bytes(ENCODED[2])
    program = IMPORT_BLOCKER + textwrap.dedent(
        """
        import json
        import tensorflow as tf

        loaded = tf.saved_model.load(sys.argv[1])
        images = tf.constant([open(sys.argv[2], "rb").read()])
        print(json.dumps(loaded.signatures["serving_default"](images=images)["logits"].numpy().tolist()))
        try:
            import keras.ops
        except ImportError:
            print("blocked")
        """
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(saved_model), str(image)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    logits, blocked = finished.stdout.splitlines()
    assert blocked == "blocked"
    np.testing.assert_allclose(json.loads(logits), expected_logits(model, [ENCODED[2]]), atol=1e-5)


def test_every_format_passes_the_check_on_batches_of_1_7_and_32(model, saved_model, tmp_path):
    litert = export.export_litert(model, tmp_path / "model.tflite")
    onnx = export.export_onnx(model, tmp_path / "model.onnx")
    results = export.check_exports(
        model, image_size=IMAGE_SIZE, saved_model=saved_model, litert=litert, onnx=onnx
    )
    assert set(results) == {"saved_model", "litert", "onnx"}
    for result in results.values():
        assert result["batches"] == [1, 7, 32]
        assert 0 <= result["max_difference"] <= 1e-5
    json.dumps(results)

    # The files are what they are said to be: pixels in, probabilities out.
    pixels = np.stack([decode_and_resize(image, IMAGE_SIZE) for image in ENCODED])
    expected = softmax(expected_logits(model, ENCODED))
    for load, path in ((runtimes.load_litert, litert), (runtimes.load_onnx, onnx)):
        np.testing.assert_allclose(load(str(path))(pixels), expected, atol=1e-5)


def test_a_golden_image_comes_through_every_export_with_its_channels_place_and_scale(tmp_path):
    # The answer is worked out by hand: the model's logits are the mean red, green and blue of the
    # upper left, in hundreds. A swapped channel, a mirrored or transposed image, pixels in [0, 1]
    # or a byte cut to int8 each give other figures.
    inputs = keras.Input((*IMAGE_SIZE, 3))
    corner = keras.layers.Cropping2D(((0, 18), (0, 14)))(inputs)
    outputs = keras.layers.GlobalAveragePooling2D()(corner)
    model = keras.Model(inputs, keras.layers.Rescaling(1 / 100)(outputs))
    pixels = np.full((60, 50, 3), 255, np.uint8)
    pixels[:30, :25] = (200, 100, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    golden = np.array([0.66524, 0.24473, 0.09003])  # softmax of 2, 1, 0

    export.export_saved_model(
        model, tmp_path / "saved", class_names=CLASS_NAMES, image_size=IMAGE_SIZE
    )
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"](
        images=tf.constant([buffer.getvalue()])
    )
    np.testing.assert_allclose(served["logits"].numpy(), [[2, 1, 0]], atol=1e-5)
    np.testing.assert_allclose(served["probabilities"].numpy()[0], golden, atol=1e-5)
    assert served["class_name"].numpy()[0].decode() == CLASS_NAMES[0]

    decoded = decode_and_resize(tf.constant(buffer.getvalue()), IMAGE_SIZE).numpy()[np.newaxis]
    assert decoded.dtype == np.float32
    assert decoded[0, 0, 0].tolist() == [200, 100, 0]
    litert = export.export_litert(model, tmp_path / "model.tflite")
    onnx = export.export_onnx(model, tmp_path / "model.onnx")
    for load, path in ((runtimes.load_litert, litert), (runtimes.load_onnx, onnx)):
        np.testing.assert_allclose(load(str(path))(decoded)[0], golden, atol=1e-5)


def test_the_check_uses_the_images_it_is_given(model, saved_model):
    results = export.check_exports(
        model, image_size=IMAGE_SIZE, saved_model=saved_model, encoded_images=ENCODED[:3]
    )
    assert list(results) == ["saved_model"]
    with pytest.raises(tf.errors.InvalidArgumentError):
        export.check_exports(
            model, image_size=IMAGE_SIZE, saved_model=saved_model, encoded_images=[b"no image"]
        )


def test_a_model_other_than_the_exported_one_is_reported_with_format_and_difference(
    model, saved_model
):
    other = build_model()
    other.layers[-1].bias.assign([0.01, 0, 0])
    before, after = (softmax(expected_logits(each, ENCODED[:1])) for each in (model, other))
    wanted = np.abs(before - after).max()
    assert wanted > 1e-4
    with pytest.raises(export.ExportMismatch) as caught:
        export.check_exports(
            other, image_size=IMAGE_SIZE, saved_model=saved_model, encoded_images=ENCODED[:1]
        )
    assert "The saved_model export" in str(caught.value)
    assert "more than 0.0001" in str(caught.value)
    figure = re.search(r"off by (\S+),", str(caught.value)).group(1)
    assert float(figure) == pytest.approx(wanted, rel=0.01)


def test_probabilities_that_are_no_numbers_never_pass_the_check(model, saved_model):
    broken = build_model()
    broken.layers[-1].bias.assign([np.nan, 0, 0])
    with pytest.raises(export.ExportMismatch, match="off by nan"):
        export.check_exports(broken, image_size=IMAGE_SIZE, saved_model=saved_model)


def test_random_images_are_decodable_of_many_sizes_and_repeatable():
    images = export.random_images((10, 12), 8)
    assert images == export.random_images((10, 12), 8)
    opened = [Image.open(io.BytesIO(image)) for image in images]
    assert {image.format for image in opened} == {"JPEG", "PNG"}
    assert {image.mode for image in opened} == {"L", "RGB"}
    assert len({image.size for image in opened}) > 4


def test_class_names_that_do_not_fit_the_outputs_are_refused(model, tmp_path):
    with pytest.raises(ValueError, match="must name the model's 3 outputs.*'happy'"):
        export.export_saved_model(
            model, tmp_path / "saved_model", class_names=["happy"], image_size=IMAGE_SIZE
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "suffix"), [(export.export_litert, ".tflite"), (export.export_onnx, ".onnx")]
)
def test_another_suffix_is_refused(model, tmp_path, function, suffix):
    with pytest.raises(ValueError, match=f"must end in '{suffix}'.*model.bin"):
        function(model, tmp_path / "model.bin")


@pytest.mark.parametrize(
    ("function", "extra", "package"),
    [
        (export.export_litert, "litert", "ai_edge_litert"),
        (export.export_onnx, "onnx", "tf2onnx"),
    ],
)
def test_a_missing_optional_package_is_named_with_its_extra(
    model, tmp_path, monkeypatch, function, extra, package
):
    find_spec = runtimes.importlib.util.find_spec
    monkeypatch.setattr(
        runtimes.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == package else find_spec(name, *rest),
    )
    with pytest.raises(UserError) as caught:
        function(model, tmp_path / "model")
    assert package in str(caught.value)
    assert f'pip install "affectkeras[{extra}]"' in str(caught.value)


def test_an_export_replaces_an_older_one_whole(model, tmp_path):
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "left over").write_text("from before")
    export.export_saved_model(model, folder, class_names=CLASS_NAMES, image_size=IMAGE_SIZE)
    assert not (folder / "left over").exists()
    assert (folder / "saved_model.pb").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]


def test_an_export_that_fails_leaves_the_older_one_untouched(model, tmp_path, monkeypatch):
    folder = tmp_path / "saved_model"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("from before")

    def fail(archive, path, verbose):
        os.makedirs(path)
        raise OSError("No space left on device")

    monkeypatch.setattr(type(keras.export.ExportArchive()), "write_out", fail)
    with pytest.raises(OSError, match="No space left"):
        export.export_saved_model(model, folder, class_names=CLASS_NAMES, image_size=IMAGE_SIZE)
    assert (folder / "saved_model.pb").read_text() == "from before"
    assert [path.name for path in tmp_path.iterdir()] == ["saved_model"]


def build_two_sizes():
    """An ensemble of two sizes whose members look at different colours."""
    keras.utils.set_random_seed(9)
    members = []
    for size, channel in ((IMAGE_SIZE, 0), ((40, 36), 2)):
        inputs = keras.Input((*size, 3))
        found = keras.layers.Flatten()(keras.layers.Rescaling(1 / 60, -2)(inputs[..., channel]))
        members.append(keras.Model(inputs, keras.layers.Dense(len(CLASS_NAMES))(found)))
    return average_members(members, [0.3, 0.7])


def test_an_ensemble_of_two_sizes_is_served_from_one_image(tmp_path):
    ensemble = build_two_sizes()
    sizes = [(40, 36), IMAGE_SIZE]
    assert [each.shape[1:3] for each in ensemble.inputs] == sizes
    folder = export.export_saved_model(
        ensemble, tmp_path / "both", class_names=CLASS_NAMES, image_size=sizes[0]
    )
    loaded = tf.saved_model.load(str(folder))
    encoded = [*ENCODED, encode((90, 85), "RGB", "JPEG", 8)]
    found = loaded.signatures["serving_default"](images=tf.constant(encoded, tf.string))
    pixels = [np.stack([decode_and_resize(image, size) for image in encoded]) for size in sizes]
    logits = keras.ops.convert_to_numpy(ensemble(pixels))
    assert np.ptp(softmax(logits), axis=0).max() > 0.1
    np.testing.assert_allclose(found["probabilities"], softmax(logits), atol=1e-5)
    assert loaded.signatures["describe"]()["image_size"].numpy().tolist() == [40, 36]
    checked = export.check_exports(
        ensemble, image_size=sizes[0], saved_model=folder, encoded_images=encoded
    )
    assert checked["saved_model"]["max_difference"] < 1e-5


def test_an_ensemble_that_was_exchanged_for_another_is_refused(tmp_path):
    ensemble = build_two_sizes()
    folder = export.export_saved_model(
        ensemble, tmp_path / "both", class_names=CLASS_NAMES, image_size=(40, 36)
    )
    for weight in ensemble.weights:
        weight.assign(2 * weight)
    with pytest.raises(export.ExportMismatch, match="saved_model export .*both differs"):
        export.check_exports(ensemble, image_size=(40, 36), saved_model=folder)
