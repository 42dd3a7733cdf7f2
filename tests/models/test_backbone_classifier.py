import subprocess
import sys

import keras
import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.models.backbone_classifier import (
    backbone_of,
    build_backbone_classifier,
    features_of,
    head_of,
)
from affectkeras.transfer.stages import prepare_stage, staged_plan
from affectkeras.transfer.zoo import build_backbone, build_preprocessing, find_backbone

EMOTIONS = ("anger", "fear", "joy")
PREDICT_ELSEWHERE = """
import pathlib
import sys
import keras
import numpy as np
pixels = np.load("pixels.npy")
for path in pathlib.Path().glob("*.keras"):
    model = keras.models.load_model(path)
    np.save(path.with_suffix(".npy"), model.predict(pixels, verbose=0))
keras.models.model_from_json(pathlib.Path("convnext.json").read_text())
print([name for name in sys.modules if name.startswith("affectkeras")])
"""


def random_pixels(size):
    return np.random.default_rng(3).uniform(0, 255, (2, size, size, 3)).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


@pytest.fixture(scope="module")
def classifier():
    return build_backbone_classifier("mobilenet_0.25", EMOTIONS, 32, "none")


def test_layers_are_images_preprocessing_backbone_and_head(classifier):
    names = [layer.name for layer in classifier.layers]
    assert names == ["images", "preprocessing", "backbone", "head"]
    assert classifier.name == "mobilenet_0.25_classifier"
    assert classifier.input_shape == (None, 32, 32, 3)
    assert classifier.output_shape == (None, 3)


def test_head_is_the_one_of_the_paper(classifier):
    _, first, hidden, second, logits = head_of(classifier).layers
    assert (first.rate, second.rate) == (0.6, 0.8)
    assert (hidden.units, hidden.activation.__name__) == (512, "selu")
    assert type(hidden.kernel_initializer).__name__ == "LecunNormal"
    assert (logits.units, logits.activation.__name__) == (3, "linear")


def test_paper_network_has_a_head_from_2048_over_512_to_7():
    model = build_backbone_classifier("resnet50", 7, 32, "none")
    shapes = [tuple(weight.shape) for weight in head_of(model).weights]
    assert shapes == [(2048, 512), (512,), (512, 7), (7,)]


def test_logits_are_the_head_of_the_features_of_the_preprocessed_images(classifier):
    pixels = random_pixels(32)
    # By hand: [-1, 1], the network, then two affine maps with SELU between them.
    features = array_of(backbone_of(classifier)(pixels / 127.5 - 1))
    hidden, bias, logits, logit_bias = (array_of(w) for w in head_of(classifier).weights)
    z = features @ hidden + bias
    activated = 1.05070098 * np.where(z > 0, z, 1.67326324 * (np.exp(z) - 1))
    expected = activated @ logits + logit_bias
    np.testing.assert_allclose(array_of(classifier(pixels)), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        array_of(features_of(classifier)(pixels)), features, rtol=1e-4, atol=1e-6
    )


def test_features_share_the_weights_of_the_classifier(classifier):
    ours = {id(weight) for weight in classifier.weights}
    assert {id(weight) for weight in features_of(classifier).weights} < ours


def test_image_size_is_by_default_the_one_of_the_pretraining():
    assert build_backbone_classifier("mobilenet_0.25", 2, weights="none").input_shape[1:3] == (
        224,
        224,
    )


def test_logits_are_single_precision_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert keras.backend.standardize_dtype(model(random_pixels(32)).dtype) == "float32"
    assert keras.backend.standardize_dtype(features_of(model)(random_pixels(32)).dtype) == "float16"


def test_saved_models_load_and_agree_in_a_process_without_our_code(tmp_path, classifier):
    prepare_stage(classifier, staged_plan(3, 1e-3)[-1], steps_per_epoch=1)  # of two rates
    models = {"classifier": classifier}
    for name in ("resnet50", "resnet50v2", "densenet121"):  # each way of preprocessing
        models[name] = build_preprocessing(find_backbone(name), (32, 32))
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    convnext = build_backbone(find_backbone("convnext_tiny"), (32, 32), "none")
    (tmp_path / "convnext.json").write_text(convnext.to_json())  # for its own kinds of layers
    pixels = random_pixels(32)
    np.save(tmp_path / "pixels.npy", pixels)
    command = [sys.executable, "-W", "ignore", "-c", PREDICT_ELSEWHERE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("[]")
    for name, model in models.items():
        found, expected = np.load(tmp_path / f"{name}.npy"), array_of(model(pixels))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "`classes` must be at least 2. Received: classes=1"),
        ({"dropout": (0.5, 1.0)}, r"`dropout` must hold rates in \[0, 1\). Received: dropout="),
        ({"hidden": 0}, "`hidden` must be at least 1. Received: hidden=0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_backbone_classifier(
            "mobilenet_0.25", **{"classes": 3, "image_size": 32, "weights": "none", **arguments}
        )


def test_unknown_backbone_is_refused():
    with pytest.raises(
        UserError, match="There is no backbone 'vgg61'. Did you mean vgg19 or vgg16"
    ):
        build_backbone_classifier("vgg61", 3)


def test_only_a_resnet_from_nothing_starts_with_every_residual_branch_at_zero():
    def zeroed(name):
        layers = backbone_of(build_backbone_classifier(name, 3, 32, "none")).layers
        found = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
        assert {each.momentum for each in found} == {0.9}
        return sum(not np.any(keras.ops.convert_to_numpy(each.gamma)) for each in found)

    assert zeroed("resnet50") == 3 + 4 + 6 + 3
    assert zeroed("mobilenet_0.25") == 0
