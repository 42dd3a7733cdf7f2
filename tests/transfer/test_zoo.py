import dataclasses
import os
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.transfer import weight_files, zoo
from affectkeras.transfer.weight_files import WeightsUnreachable
from affectkeras.transfer.zoo import (
    BACKBONES,
    build_backbone,
    build_preprocessing,
    find_backbone,
    imagenet_weights_file,
)

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")
SMALLEST = find_backbone("mobilenet_0.25")


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def random_pixels(size=32):
    return np.random.default_rng(5).uniform(0, 255, (2, size, size, 3)).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def write_distributed_weights(model, path):
    """Write the HDF5 layout of the files that Keras distributes (it only reads it by now)."""
    with h5py.File(path, "w") as file:
        layers = [layer for layer in model.layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.4.0"
        for layer in layers:
            group = file.create_group(layer.name)
            # The old order: what trains, then what does not.
            weights = layer.trainable_weights + layer.non_trainable_weights
            names = [f"{layer.name}/{index}" for index in range(len(weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, weights, strict=True):
                group.create_dataset(name, data=array_of(weight))


def test_no_model_of_keras_applications_is_forgotten():
    constructors = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {backbone.build for backbone in BACKBONES} == constructors


def test_every_backbone_has_a_name_of_its_own():
    names = [backbone.name for backbone in BACKBONES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("resnet50", "resnet50"),
        ("ResNet50V2", "resnet50v2"),
        ("MobileNet", "mobilenet_1.0"),
        ("mobilenet_0.25", "mobilenet_0.25"),
        ("MobileNetV3Small", "mobilenet_v3_small"),
        ("efficientnet-v2-b0", "efficientnet_v2_b0"),
    ],
)
def test_backbone_is_found_by_our_name_and_by_the_constructor(asked, found):
    assert find_backbone(asked).name == found


def test_unknown_backbone_is_refused_with_what_was_perhaps_meant():
    with pytest.raises(UserError, match=r"no backbone 'resnet5'. Did you mean resnet50 or .*vgg16"):
        find_backbone("resnet5")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("resnet50", "resnet"),
        ("resnet50v2", "resnet_v2"),
        ("vgg16", "vgg16"),
        ("vgg19", "vgg19"),
        ("inception_v3", "inception_v3"),
        ("inception_resnet_v2", "inception_resnet_v2"),
        ("xception", "xception"),
        ("mobilenet_0.25", "mobilenet"),
        ("mobilenet_v2_0.35", "mobilenet_v2"),
        ("mobilenet_v3_small", "mobilenet_v3"),
        ("densenet121", "densenet"),
        ("nasnet_mobile", "nasnet"),
        ("efficientnet_b0", "efficientnet"),
        ("efficientnet_v2_b0", "efficientnet_v2"),
        ("convnext_tiny", "convnext"),
    ],
)
def test_preprocessing_equals_that_of_the_family(name, family):
    pixels = random_pixels()
    module = getattr(keras.applications, family)
    expected = module.preprocess_input(pixels.copy())  # it changes its argument in place
    preprocessing = build_preprocessing(find_backbone(name), (32, 32))
    found = pixels if preprocessing is None else array_of(preprocessing(pixels))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_every_family_has_the_preprocessing_of_its_members():
    kinds = {}
    for backbone in BACKBONES:
        module = getattr(keras.applications, backbone.build).__module__
        kinds.setdefault(module, set()).add(backbone.preprocessing)
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len(kinds) == 15


def test_families_with_their_own_preprocessing_hold_it_inside():
    for name in ("mobilenet_v3_small", "efficientnet_v2_b0"):
        backbone = build_backbone(find_backbone(name), (32, 32), "none")
        assert isinstance(backbone.layers[1], keras.layers.Rescaling)


def test_preprocessing_stays_in_single_precision_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        preprocessing = build_preprocessing(find_backbone("resnet50"), (32, 32))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    pixels = random_pixels()
    expected = keras.applications.resnet.preprocess_input(pixels.copy())
    np.testing.assert_allclose(array_of(preprocessing(pixels)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "resnet50v2",
        "mobilenet_0.25",
        "mobilenet_v2_1.4",
        "mobilenet_v3_small_0.75",
        "vgg16",
        "efficientnet_v2_b0",
        "convnext_tiny",
    ],
)
def test_weights_are_fetched_as_keras_fetches_them(name, monkeypatch):
    asked = {}

    def note(file, origin, **options):
        asked.update(file=file, origin=origin)
        raise InterruptedError

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", note)
    backbone = find_backbone(name)
    constructor = getattr(keras.applications, backbone.build)
    with pytest.raises(InterruptedError):
        constructor(include_top=False, input_shape=(96, 96, 3), **backbone.arguments)

    def fetch(name, url, file, timeout):
        return {"file": file, "origin": url}

    monkeypatch.setattr(zoo, "imagenet_file", fetch)
    assert imagenet_weights_file(backbone, (96, 96)) == asked


def test_backbone_is_named_backbone_and_gives_pooled_features():
    backbone = build_backbone(SMALLEST, (32, 48), "none")
    assert backbone.name == "backbone"
    assert backbone.input_shape == (None, 32, 48, 3)
    assert backbone.output_shape == (None, 256)


def test_too_small_images_are_refused_with_the_smallest_size():
    with pytest.raises(UserError, match="xception needs images of at least 71×71 .* 64×96"):
        build_backbone(find_backbone("xception"), (64, 96), "none")


def test_weights_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--weights .*none\.h5: .* found nothing there"):
        build_backbone(SMALLEST, (32, 32), tmp_path / "none.h5")
    with pytest.raises(UserError, match="found a folder"):
        build_backbone(SMALLEST, (32, 32), tmp_path)


@pytest.mark.parametrize("suffix", [".h5", ".weights.h5", ".keras"])
def test_weights_come_back_from_every_kind_of_file(tmp_path, suffix):
    source = build_backbone(SMALLEST, (32, 32), "none")
    path = tmp_path / f"mine{suffix}"
    if suffix == ".h5":
        write_distributed_weights(source, path)
    elif suffix == ".keras":
        source.save(path)
    else:
        source.save_weights(path)
    loaded = build_backbone(SMALLEST, (96, 96), path)
    for expected, found in zip(source.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array_of(expected), array_of(found))


def test_weights_of_another_width_are_refused(tmp_path):
    path = tmp_path / "half.h5"
    write_distributed_weights(
        build_backbone(find_backbone("mobilenet_0.5"), (32, 32), "none"), path
    )
    with pytest.raises(UserError, match=r"half\.h5 does not fit mobilenet_0.25_.*expects shape"):
        build_backbone(SMALLEST, (32, 32), path)


def test_keras_file_of_another_network_is_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with pytest.raises(UserError, match=r"other\.keras does not fit .*expected 135 weights, found"):
        build_backbone(SMALLEST, (32, 32), tmp_path / "other.keras")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.h5", b"<html>not found</html>", r"it is not an HDF5 file \(22 bytes\)"),
        ("cut.h5", b"\x89HDF\r\n\x1a\n" + bytes(40), "cut.h5 does not fit"),
        ("cut.keras", b"PK\x03\x04" + bytes(40), "cut.keras does not fit"),
        ("weights.npz", b"PK", "the name must end in"),
    ],
)
def test_damaged_weights_are_refused_with_the_mend(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        build_backbone(SMALLEST, (32, 32), tmp_path / name)
    assert "no_top" in str(caught.value)


def test_imagenet_weights_are_taken_from_the_cache_of_keras(keras_home):
    backbone = build_backbone(SMALLEST, (32, 32), "none")
    path = keras_home / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    path.parent.mkdir(parents=True)
    write_distributed_weights(backbone, path)
    loaded = build_backbone(SMALLEST, (96, 96), "imagenet")
    np.testing.assert_array_equal(array_of(loaded.weights[0]), array_of(backbone.weights[0]))


def test_damaged_file_in_the_cache_is_reported_and_left_alone(keras_home):
    path = keras_home / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    with pytest.raises(UserError, match="not an HDF5 file"):
        build_backbone(SMALLEST, (96, 96), "imagenet")
    assert path.read_bytes() == b"half a file"


def test_unreachable_weights_say_which_file_goes_where(keras_home):
    backbone = dataclasses.replace(SMALLEST, weights_url="http://127.0.0.1:9/a/{size}.h5")
    target = keras_home / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    with pytest.raises(WeightsUnreachable) as caught:
        build_backbone(backbone, (96, 96), "imagenet")
    message = str(caught.value)
    assert "/224.h5 on another machine and put it at" in message
    assert str(target) in message
    assert "--weights PATH" in message
    assert "--weights none" in message
    assert not list(target.parent.iterdir())


def test_download_appears_complete_in_the_cache(keras_home, tmp_path):
    (tmp_path / "160.h5").write_bytes(b"content")
    backbone = dataclasses.replace(SMALLEST, weights_url=f"file://{tmp_path}/{{size}}.h5")
    path = imagenet_weights_file(backbone, (160, 160))
    assert path == keras_home / "models" / "mobilenet_2_5_160_tf_no_top.h5"
    assert path.read_bytes() == b"content"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_broken_download_leaves_nothing(keras_home, monkeypatch):
    class Broken:
        headers = {"Content-Length": "100"}

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def read(self, size=-1):
            return b""

    monkeypatch.setattr(weight_files.urllib.request, "urlopen", lambda url, timeout: Broken())
    with pytest.raises(WeightsUnreachable, match="the connection ended after 0 of 100 bytes"):
        imagenet_weights_file(SMALLEST)
    assert not list((keras_home / "models").iterdir())


def test_efficientnet_computes_what_keras_computes_from_its_imagenet_file(tmp_path, monkeypatch):
    source = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )
    normalization = next(
        layer for layer in source.layers if isinstance(layer, keras.layers.Normalization)
    )
    mean, variance, count = normalization.get_weights()
    statistics = [np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])]
    normalization.set_weights(
        [statistics[0].reshape(mean.shape), statistics[1].reshape(variance.shape), count]
    )
    path = tmp_path / "efficientnetb0_notop.h5"
    write_distributed_weights(source, path)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(path))
    theirs = keras.applications.EfficientNetB0(
        include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    ours = build_backbone(find_backbone("efficientnet_b0"), (32, 32), path)
    pixels = random_pixels()
    expected = array_of(theirs(pixels))
    np.testing.assert_allclose(array_of(ours(pixels)), expected, atol=1e-4 * abs(expected).max())


@pytest.mark.skipif(not REAL_DATA, reason="AFFECTKERAS_REAL_DATA is not set")
def test_real_weights_of_224_pixels_serve_images_of_96():
    path = Path(REAL_DATA) / "weights" / "mobilenet_2_5_224_tf_no_top.h5"
    backbone = build_backbone(SMALLEST, (96, 96), path)
    with h5py.File(path) as file:
        kernel = file["conv1"]["conv1"]["kernel:0"][()]
    np.testing.assert_array_equal(array_of(backbone.get_layer("conv1").kernel), kernel)
