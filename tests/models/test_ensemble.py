import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from affectkeras.errors import UserError
from affectkeras.models.ensemble import average_members, image_sizes, stack_members
from affectkeras.transfer.zoo import build_preprocessing, find_backbone

LOAD_ELSEWHERE = """
import sys
import keras
import numpy as np
pixels = [np.load(f"{number}.npy") for number in (0, 1)]
model = keras.models.load_model("ensemble.keras")
np.save("found.npy", model.predict(pixels, verbose=0))
print([name for name in sys.modules if name.startswith("affectkeras")])
"""


def build_member(side, backbone, classes=3):
    """A network with a backbone's preprocessing that tells noise apart by position and colour."""
    images = keras.Input((side, side, 3), name="images")
    pixels = build_preprocessing(find_backbone(backbone), (side, side))(images)
    scale = 1 / 150 if backbone == "resnet50" else 1.0
    found = keras.layers.Flatten()(keras.layers.Rescaling(scale)(pixels))
    logits = keras.layers.Dense(classes, kernel_initializer="glorot_normal", name="head")(found)
    return keras.Model(images, logits, name=f"{backbone}_classifier")


@pytest.fixture(scope="module")
def members():
    """Three networks of two sizes and two preprocessings, two of them of one name."""
    keras.utils.set_random_seed(5)
    found = [
        build_member(32, "mobilenet_0.25"),
        build_member(40, "resnet50"),
        build_member(32, "mobilenet_0.25"),
    ]
    for member in found:
        kernel = member.get_layer("head").kernel
        kernel.assign(3 * kernel)
    return found


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(2)
    return {
        side: generator.uniform(0, 255, (5, side, side, 3)).astype("float32") for side in (40, 32)
    }


def logits_of(members, images):
    return np.stack(
        [each.predict(images[each.input_shape[1]], verbose=0).astype(float) for each in members]
    )


def test_sizes_are_told_once_each_the_largest_first(members):
    assert image_sizes(members) == [(40, 40), (32, 32)]


def test_an_average_is_the_weighted_mean_of_probabilities(members, images):
    ensemble = average_members(members, [0.5, 0.2, 0.3])
    assert [each.name for each in ensemble.inputs] == ["images_40x40", "images_32x32"]
    logits = logits_of(members, images)
    assert np.ptp(softmax(logits, axis=2), axis=1).max() > 0.1  # the images make a difference
    expected = np.einsum("m,mrc->rc", [0.5, 0.2, 0.3], softmax(logits, axis=2))
    found = ensemble.predict([images[40], images[32]], verbose=0)
    np.testing.assert_allclose(softmax(found, axis=1), expected, atol=1e-5)
    np.testing.assert_allclose(found, np.log(expected), atol=1e-4)


def test_a_member_without_weight_is_not_in_the_network(members, images):
    ensemble = average_members(members, [0.25, 0.0, 0.75])
    assert [each.name for each in ensemble.inputs] == ["images"]
    assert ensemble.count_params() == members[0].count_params() + members[2].count_params()
    probabilities = softmax(logits_of(members, images), axis=2)
    found = softmax(ensemble.predict(images[32], verbose=0), axis=1)
    expected = 0.25 * probabilities[0] + 0.75 * probabilities[2]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_stack_is_linear_in_the_members_log_probabilities(members, images):
    generator = np.random.default_rng(8)
    kernel, bias = generator.normal(size=(9, 3)), generator.normal(size=3)
    ensemble = stack_members(members, kernel, bias)
    logs = log_softmax(logits_of(members, images), axis=2)
    expected = np.concatenate(list(logs), axis=1) @ kernel + bias
    found = ensemble.predict([images[40], images[32]], verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_saved_ensemble_loads_where_the_package_is_not(members, images, tmp_path):
    ensemble = average_members(members, [0.5, 0.2, 0.3])
    ensemble.save(tmp_path / "ensemble.keras")
    for number, side in enumerate((40, 32)):
        np.save(tmp_path / f"{number}.npy", images[side])
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ELSEWHERE], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    expected = ensemble.predict([images[40], images[32]], verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)


def test_members_of_other_classes_and_weights_that_are_none_are_refused(members):
    other = build_member(32, "mobilenet_0.25", 4)
    with pytest.raises(UserError, match=r"the same classes. Found: \[3, 4\] outputs"):
        average_members([members[0], other], [0.5, 0.5])
    with pytest.raises(ValueError, match="`weights` must be 3 numbers"):
        average_members(members, [0.5, 0.5])
    with pytest.raises(ValueError, match="sum to 1"):
        average_members(members, [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="`members` must be at least one"):
        stack_members([], np.zeros((0, 3)), np.zeros(3))
    with pytest.raises(ValueError, match=r"shapes \(9, 3\) and \(3,\)"):
        stack_members(members, np.zeros((6, 3)), np.zeros(3))
