"""Whole modules: left out without a trace where they are linear, refused where they cannot go."""

import keras
import numpy as np
import pytest
from keras import layers

from affectkeras.models.six_block_cnn import build_six_block_cnn
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.modules import drop_modules, without_module
from tests.pruning.small_models import give_weights

IMAGES = np.random.default_rng(0).uniform(0, 255, (32, 16, 16, 3)).astype(np.float32)
MODULES = {
    f"module{number}": [
        f"module{number}_{part}" for part in ("conv", "normalization", "activation")
    ]
    for number in (1, 2, 3)
}


def six_blocks(activation="relu"):
    keras.utils.set_random_seed(3)
    model = build_six_block_cnn(4, 16, widths=(6, 8, 8), kernel_sizes=(1, 1), activation=activation)
    return give_weights(model)


def linear_module():
    """Return a network whose second module is a linear map of what it reads, max pooling aside."""
    keras.utils.set_random_seed(3)
    images = keras.Input((8, 8, 3))
    x = layers.Conv2D(5, 3, activation="relu", name="before")(images)
    x = layers.Conv2D(7, 1, name="middle")(x)
    x = layers.BatchNormalization(name="normalization")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(4, 2, use_bias=False, name="reader")(x)
    return give_weights(keras.Model(images, layers.Flatten()(x)))


def test_a_linear_module_goes_without_a_trace():
    model = linear_module()
    images = IMAGES[:, :8, :8] / 255
    shorter = without_module(model, ["middle", "normalization"], [images[:16], images[16:]])
    assert not {"middle", "normalization"} & {layer.name for layer in shorter.layers}
    assert shorter.count_params() < model.count_params()
    expected, found = (one.predict(images, verbose=0) for one in (model, shorter))
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_the_next_layer_gets_the_weights_of_least_squares():
    model = six_blocks()
    shorter = without_module(model, MODULES["module2"], [IMAGES])

    def read(of):
        reader = keras.Model(of.input, of.get_layer("module3_conv").input)
        return np.asarray(reader.predict(IMAGES, verbose=0), np.float64)

    before, after = read(shorter), read(model)
    before = before.reshape(-1, before.shape[-1])
    design = np.concatenate([before, np.ones((len(before), 1))], axis=1)
    solved = np.linalg.lstsq(design, after.reshape(len(design), -1), rcond=None)[0]
    kernel = model.get_layer("module3_conv").get_weights()[0][0, 0]
    found, bias = shorter.get_layer("module3_conv").get_weights()
    scale = np.abs(solved[:-1] @ kernel).max()
    np.testing.assert_allclose(found[0, 0], solved[:-1] @ kernel, atol=0.02 * scale)
    np.testing.assert_allclose(design[:, :-1] @ found[0, 0] + bias, design @ solved @ kernel,
                               atol=0.02 * np.abs(design @ solved @ kernel).max())  # fmt: skip


def test_modules_go_while_the_score_does_not_fall():
    model = six_blocks()
    scores = {"": 0.5, "module2": 0.7, "module3": 0.6, "module2 module3": 0.4}

    def score(one):
        names = {layer.name for layer in one.layers}
        return scores[" ".join(m for m in ("module2", "module3") if f"{m}_conv" not in names)]

    modules = {name: MODULES[name] for name in ("module2", "module3")}
    shorter, rows = drop_modules(model, modules, lambda: [IMAGES], score)
    names = {layer.name for layer in shorter.layers}
    assert "module2_conv" not in names
    assert {"module2_pool", "module3_conv"} <= names
    assert [(row.dropped, row.module, row.score) for row in rows] == [
        ((), "", 0.5),
        ((), "module2", 0.7),
        ((), "module3", 0.6),
        (("module2",), "module3", 0.4),
    ]
    assert rows[1].parameters == shorter.count_params()
    assert shorter.predict(IMAGES, verbose=0).shape == (len(IMAGES), 4)


def test_a_model_whose_modules_all_cost_something_stays():
    model = six_blocks()
    shorter, rows = drop_modules(
        model, {"module2": MODULES["module2"]}, lambda: [IMAGES], lambda one: one.count_params()
    )
    assert shorter is model
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["module9_conv"], r"The model has no layers \['module9_conv'\]"),
        (
            ["module4_conv"],
            r"must be read by one convolution or dense layer. Received: \['module4_n",
        ),
        ([*MODULES["module2"], "module2_pool"], "would read .* not .*: name the layers"),
    ],
)
def test_what_cannot_be_left_out_is_refused(names, message):
    with pytest.raises(PruningError, match=message):
        without_module(six_blocks(), names, [IMAGES])
