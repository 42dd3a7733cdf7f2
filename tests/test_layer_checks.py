import keras
import numpy as np
import pytest

from tests.layer_checks import run_layer_test

INPUTS = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


class Scale(keras.layers.Layer):
    """A right layer with an argument and a weight, to be done wrong in one way each below."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class ForgetsItsArgument(Scale):
    def get_config(self):
        config = super().get_config()
        del config["factor"]
        return config


class ComesBackChanged(Scale):
    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "factor": config["factor"] + 1})


class IgnoresItsName(Scale):
    def __init__(self, factor, name=None, **kwargs):
        super().__init__(factor, **kwargs)


class AlwaysSinglePrecision(Scale):
    def call(self, inputs):
        return keras.ops.cast(super().call(inputs), "float32")


class IsRandomWhenItServes(Scale):
    def __init__(self, factor, **kwargs):
        super().__init__(factor, **kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs, training=False):
        noise = keras.random.normal(keras.ops.shape(inputs), seed=self.seed_generator)
        return super().call(inputs) + keras.ops.cast(noise, inputs.dtype)


class LooksAtTheBatch(Scale):
    def call(self, inputs):
        return super().call(inputs) - keras.ops.mean(inputs, axis=0, keepdims=True)


class HasAnIdleWeight(Scale):
    def build(self, input_shape):
        super().build(input_shape)
        self.idle = self.add_weight(shape=(1,), initializer="ones", name="idle")

    def call(self, inputs):
        return super().call(inputs) + keras.ops.stop_gradient(self.idle)


class LosesItsWeight(Scale):
    def load_own_variables(self, store):
        pass


def test_keras_dense_passes():
    run_layer_test(
        keras.layers.Dense,
        {"units": 5, "activation": "tanh"},
        INPUTS,
        expected_shape=(4, 5),
        weights=(2, 0),
    )


def test_keras_dropout_passes():
    run_layer_test(
        keras.layers.Dropout,
        {"rate": 0.5},
        INPUTS,
        expected_shape=(4, 3),
        changes_in_training=True,
        weights=(0, 0),
    )


def test_keras_batch_normalization_passes():
    run_layer_test(
        keras.layers.BatchNormalization,
        {"momentum": 0.9},
        INPUTS,
        expected_shape=(4, 3),
        changes_in_training=True,
        weights=(2, 2),
    )


def test_own_layer_passes():
    run_layer_test(Scale, {"factor": 2.0}, INPUTS, expected_shape=(4, 3), weights=(1, 0))


@pytest.mark.parametrize(
    ("layer_class", "message"),
    [
        (ForgetsItsArgument, r"get_config\(\) forgets the arguments \['factor'\]"),
        (ComesBackChanged, r"from_config\(get_config\(\)\) changes the config"),
        (IgnoresItsName, "changes the config to .*ignores_its_name_1"),
        (AlwaysSinglePrecision, "under mixed precision the output is float32, not float16"),
        (IsRandomWhenItServes, "training=False is not repeatable"),
        (LooksAtTheBatch, "an example's output depends on its batch"),
        (LosesItsWeight, "something else after saving and loading"),
    ],
)
def test_wrong_layer_is_found_out(layer_class, message):
    with pytest.raises(AssertionError, match=message):
        run_layer_test(layer_class, {"factor": 2.0}, INPUTS, expected_shape=(4, 3))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_weight_that_does_not_train_is_found_out():
    with pytest.raises(AssertionError, match="idle does not train"):
        run_layer_test(HasAnIdleWeight, {"factor": 2.0}, INPUTS, expected_shape=(4, 3))


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"expected_shape": (4, 2)}, r"output shape \(4, 3\), not \(4, 2\)"),
        ({"expected_shape": (4, 3), "expected_dtype": "int32"}, "type float32, not int32"),
        ({"expected_shape": (4, 3), "weights": (2, 0)}, r"\(1, 0\) trainable and other weights"),
        ({"expected_shape": (4, 3), "changes_in_training": True}, "takes no `training`"),
    ],
)
def test_wrong_expectation_is_found_out(expected, message):
    with pytest.raises(AssertionError, match=message):
        run_layer_test(Scale, {"factor": 2.0}, INPUTS, **expected)


def test_dropout_that_should_not_change_in_training_is_found_out():
    with pytest.raises(AssertionError, match="training=True changes the output"):
        run_layer_test(keras.layers.Dropout, {"rate": 0.5}, INPUTS, expected_shape=(4, 3))
