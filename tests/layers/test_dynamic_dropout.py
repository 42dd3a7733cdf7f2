import math
from pathlib import Path

import keras
import numpy as np
import pytest

from affectkeras.layers.dynamic_dropout import KINDS, DynamicDropout
from affectkeras.layers.exact_gelu import exact_gelu
from affectkeras.pruning.graph import find_groups
from tests.layer_checks import run_layer_test
from tests.other_backends import run_on

ROOT = Path(__file__).parents[2]
EPSILON = 1e-3  # Keras's, of BatchNormalization


def random_maps(shape=(4, 6, 5, 3), seed=5):
    return np.random.default_rng(seed).normal(0.3, 1.0, shape).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def with_random_weights(layer, shape=(4, 6, 5, 3)):
    """Give every weight a value of its own, variances above 0, so that none can be left out."""
    layer.build(shape)
    generator = np.random.default_rng(7)
    for weight in layer.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(generator.uniform(low, 1.0, weight.shape))
    return layer


def convolve_by_hand(images, kernel, stride=1):
    """Cross-correlation with zeros around, one tap after another; kernels of odd sizes."""
    height, width = images.shape[1:3]
    rows, columns = kernel.shape[:2]
    starts = []
    for size, taps in ((height, rows), (width, columns)):
        lacking = max((-(-size // stride) - 1) * stride + taps - size, 0)
        starts.append((lacking // 2, lacking - lacking // 2 + stride))
    padded = np.pad(images.astype(np.float64), ((0, 0), *starts, (0, 0)))
    result = 0
    for y in range(rows):
        for x in range(columns):
            taken = padded[:, y : y + height : stride, x : x + width : stride]
            result = result + taken @ kernel[y, x]
    return result


def gelu_by_hand(x):
    return np.vectorize(lambda one: one * (1 + math.erf(one / math.sqrt(2))) / 2)(x)


def normalise_by_hand(layer, maps, *, with_own=False):
    gamma, beta, mean, variance = (array_of(one) for one in layer.normalization.weights)
    if with_own:
        mean, variance = maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2))
    return gamma * (maps - mean) / np.sqrt(variance + EPSILON) + beta


def mask_by_hand(layer, inputs, stride=1):
    made = convolve_by_hand(inputs, array_of(layer.mask_kernel), stride)
    return np.maximum(made + array_of(layer.mask_bias), 0)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_the_layer_computes_equation_3(fused, training):
    layer = with_random_weights(DynamicDropout(4, fused=fused))
    maps = convolve_by_hand(random_maps(), array_of(layer.kernel))
    maps = normalise_by_hand(layer, maps, with_own=training)
    expected = gelu_by_hand(maps * mask_by_hand(layer, random_maps()))
    found = array_of(layer(random_maps(), training=training))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_strides_and_other_kernels_are_those_of_both_branches(stride):
    layer = with_random_weights(DynamicDropout(4, (5, 3), stride, activation=None))
    maps = convolve_by_hand(random_maps(), array_of(layer.kernel), stride)
    expected = normalise_by_hand(layer, maps) * mask_by_hand(layer, random_maps(), stride)
    found = array_of(layer(random_maps()))
    assert found.shape == (4, -(-6 // stride), -(-5 // stride), 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_the_mask_can_be_read(fused):
    layer = with_random_weights(DynamicDropout(4, fused=fused))
    mask = array_of(layer.mask(random_maps()))
    assert mask.shape == (4, 6, 5, 4)
    assert 0 < np.mean(mask == 0) < 1
    np.testing.assert_allclose(mask, mask_by_hand(layer, random_maps()), rtol=1e-4, atol=1e-5)


def train_once(layer, inputs, targets):
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(inputs, targets, epochs=2, batch_size=len(inputs), verbose=0)
    return [array_of(weight) for weight in layer.weights]


def test_the_fused_form_equals_two_branches_also_while_it_trains():
    inputs, targets = random_maps(), random_maps((4, 6, 5, 4), seed=6)
    two, one = (with_random_weights(DynamicDropout(4, fused=fused)) for fused in (False, True))
    # The same weights in both: one may be saved and the other loaded.
    assert [weight.shape for weight in one.weights] == [weight.shape for weight in two.weights]
    np.testing.assert_allclose(array_of(one(inputs)), array_of(two(inputs)), rtol=0, atol=1e-5)
    for found, expected in zip(
        train_once(one, inputs, targets), train_once(two, inputs, targets), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_both_branches_learn(fused):
    inputs, targets = random_maps(), random_maps((4, 6, 5, 4), seed=6)
    layer = with_random_weights(DynamicDropout(4, fused=fused))
    before = [array_of(weight) for weight in layer.weights]
    after = train_once(layer, inputs, targets)
    names = [weight.name for weight in layer.weights]
    assert names[:5] == ["kernel", "mask_kernel", "mask_bias", "gamma", "beta"]
    for name, old, new in zip(names, before, after, strict=True):
        assert np.abs(new - old).max() > 1e-4, name


def test_the_sparsity_of_an_epoch_is_the_share_of_zeros_in_its_masks():
    inputs = random_maps((10, 6, 5, 3))
    layer = with_random_weights(DynamicDropout(4, name="masked"), inputs.shape)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    # Batches of 4, 4 and 2, which count by their examples.
    fitted = model.fit(inputs, random_maps((10, 6, 5, 4)), batch_size=4, epochs=2, verbose=0)
    expected = np.mean(mask_by_hand(layer, inputs) == 0)
    assert 0 < expected < 1
    np.testing.assert_allclose(fitted.history["masked_sparsity"], [expected] * 2, rtol=1e-6)


def test_the_sparsity_is_not_known_outside_training():
    layer = with_random_weights(DynamicDropout(4, name="masked"))
    model = keras.Sequential([keras.Input((6, 5, 3)), layer])
    model.compile(loss="mse")
    found = model.evaluate(random_maps(), random_maps((4, 6, 5, 4)), return_dict=True, verbose=0)
    assert math.isnan(found["masked_sparsity"])
    model.predict(random_maps(), verbose=0)
    assert float(layer.sparsity.count) == 0


def test_without_a_mask_only_the_maps_are_left():
    layer = with_random_weights(DynamicDropout(4, kind="none"))
    maps = convolve_by_hand(random_maps(), array_of(layer.kernel))
    expected = gelu_by_hand(normalise_by_hand(layer, maps))
    np.testing.assert_allclose(array_of(layer(random_maps())), expected, rtol=1e-4, atol=1e-5)
    assert layer.metrics == []
    assert len(layer.weights) == 5


@pytest.mark.parametrize(("kind", "axes"), [("standard", ()), ("spatial", (1, 2))])
def test_a_random_kind_drops_positions_or_whole_maps_in_training_only(kind, axes):
    layer = with_random_weights(DynamicDropout(40, kind=kind, rate=0.25, activation=None, seed=3))
    plain = DynamicDropout(40, kind="none", activation=None)
    plain.build(random_maps().shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(array_of(layer(random_maps())), array_of(plain(random_maps())))
    found = array_of(layer(random_maps(), training=True))
    kept = array_of(plain(random_maps(), training=True)) / 0.75
    dropped = found == 0
    assert 0.15 < dropped.mean() < 0.35
    np.testing.assert_allclose(found[~dropped], kept[~dropped], rtol=1e-3, atol=1e-4)
    if axes:
        np.testing.assert_array_equal(dropped.all(axis=axes), dropped.any(axis=axes))
    else:
        assert dropped.all(axis=(1, 2)).sum() < dropped.any(axis=(1, 2)).sum()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_keeps_what_layers_owe_keras(kind, fused):
    counts = {"dynamic": (5, 2), "none": (3, 2), "standard": (3, 2), "spatial": (3, 2)}
    arguments = {
        "filters": 4,
        "kernel_size": (3, 3),
        "strides": (2, 1),
        "kind": kind,
        "rate": 0.25,
        "fused": fused,
        "seed": 1,
    }
    run_layer_test(
        DynamicDropout,
        arguments,
        random_maps(),
        expected_shape=(4, 3, 5, 4),
        changes_in_training=True,
        weights=counts[kind],
    )


def test_every_argument_is_in_the_configuration():
    layer = DynamicDropout(
        4,
        5,
        2,
        kind="dynamic",
        rate=0.1,
        activation="silu",
        fused=False,
        kernel_initializer="zeros",
        mask_initializer="ones",
        mask_bias_initializer=keras.initializers.Constant(0.5),
        kernel_regularizer="l2",
        mask_regularizer=keras.regularizers.L1(0.5),
        seed=9,
        name="masked",
    )
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == "affectkeras>DynamicDropout"
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    assert again.activation is keras.activations.silu
    again.build((1, 4, 4, 2))
    values = [array_of(weight) for weight in (again.kernel, again.mask_kernel, again.mask_bias)]
    assert [value.mean() for value in values] == [0, 1, 0.5]
    # Half of each of 5 · 5 · 2 · 4 ones.
    assert float(sum(again.losses)) == pytest.approx(100)


def test_gelu_is_the_exact_one():
    assert DynamicDropout(4).activation is exact_gelu
    assert DynamicDropout.from_config(DynamicDropout(4).get_config()).activation is exact_gelu


def test_halves_of_the_fused_form_start_as_those_of_two_branches_do():
    kernels = []
    for fused in (False, True):
        layer = DynamicDropout(64, fused=fused, kernel_initializer="glorot_uniform")
        layer.build((1, 8, 8, 16))
        kernels.append(array_of(layer.kernel))
    limit = math.sqrt(6 / (9 * 16 + 9 * 64))
    for kernel in kernels:
        assert 0.99 * limit < np.abs(kernel).max() <= limit


def test_a_saved_layer_loads_with_its_mask(tmp_path):
    images = keras.Input((6, 5, 3))
    layer = with_random_weights(DynamicDropout(4, name="masked"))
    model = keras.Model(images, layer(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = array_of(loaded.get_layer("masked").mask(random_maps()))
    np.testing.assert_array_equal(found, array_of(layer.mask(random_maps())))


def test_mixed_precision_masks_in_half_and_stores_in_single():
    layer = with_random_weights(DynamicDropout(4, dtype="mixed_float16"))
    single = DynamicDropout(4)
    single.build(random_maps().shape)
    single.set_weights(layer.get_weights())
    found = [array_of(layer(random_maps())), array_of(layer.mask(random_maps()))]
    expected = [array_of(single(random_maps())), array_of(single.mask(random_maps()))]
    for half, whole in zip(found, expected, strict=True):
        assert half.dtype == "float16"
        np.testing.assert_allclose(half, whole, rtol=0.02, atol=0.02)
    assert {keras.backend.standardize_dtype(one.dtype) for one in layer.weights} == {"float32"}


def test_pruning_keeps_what_meets_the_layer_and_names_it():
    images = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(5, 3, name="before")(images)
    x = DynamicDropout(4, name="masked")(x)
    x = keras.layers.Conv2D(3, 3, name="after")(x)
    model = keras.Model(images, keras.layers.Flatten()(x))
    groups = {group.members[0][0]: group for group in find_groups(model)}
    assert not groups["before"].prunable
    assert "'masked' (DynamicDropout), which pruning does not know" in groups["before"].reason
    # Its own maps are no group at all: none of them can be asked for.
    assert set(groups) == {"before", "after"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": 0}, "`filters` must be at least 1. Received: filters=0"),
        ({"kind": "random"}, "`kind` must be one of dynamic, none, .* Received: kind='random'"),
        ({"rate": 1.0}, r"`rate` must be in \[0, 1\). Received: rate=1.0"),
        ({"kernel_size": 0}, "`kernel_size` must be one or two numbers .* kernel_size=0"),
        ({"strides": (1, 2, 1)}, r"`strides` must be one or two numbers .*strides=\(1, 2, 1\)"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DynamicDropout(**{"filters": 4, **arguments})


def test_a_mask_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="Build the layer 'masked' or call it before its mask"):
        DynamicDropout(4, name="masked").mask(random_maps())
    layer = DynamicDropout(4, kind="none", name="plain")
    with pytest.raises(ValueError, match="of kind 'dynamic' has a mask. Received: 'plain' of kind"):
        layer.mask(random_maps())


def test_inputs_without_a_number_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"last axis of the inputs must have a size. Received: sh"):
        DynamicDropout(4).build((None, 6, 5, None))


SCRIPT = """
import keras
import numpy as np
from affectkeras.models.stress_net import build_stress_net, masks_of
from tests.layers import test_dynamic_dropout as tests

tests.test_the_layer_computes_equation_3(True, True)
tests.test_the_layer_computes_equation_3(False, False)
tests.test_the_fused_form_equals_two_branches_also_while_it_trains()
tests.test_a_random_kind_drops_positions_or_whole_maps_in_training_only("spatial", (1, 2))
tests.test_mixed_precision_masks_in_half_and_stores_in_single()
tests.test_the_layer_keeps_what_layers_owe_keras("dynamic", True)
model = build_stress_net(2, 48, 1)
loss = keras.losses.BinaryCrossentropy(from_logits=True)
model.compile(keras.optimizers.Adam(0.001), loss)
pixels = np.random.default_rng(0).uniform(0, 255, (4, 48, 48, 1)).astype("float32")
fitted = model.fit(pixels, np.arange(4)[:, None] % 2, verbose=0, batch_size=4)
if keras.backend.backend() == "torch":
    tests.test_the_sparsity_of_an_epoch_is_the_share_of_zeros_in_its_masks()
    tests.test_the_sparsity_is_not_known_outside_training()
else:
    assert np.isnan(fitted.history["dynamic_dropout1_sparsity"]).all()
assert [masks.shape for masks in masks_of(model, pixels).values()] == [(4, 6, 6, 64), (4, 3, 3, 64)]
print(keras.backend.backend(), len(fitted.history["loss"]))
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_layer_and_its_network_hold_on_a_backend_without_tensorflow(backend):
    assert run_on(backend, SCRIPT) == [backend, "1"]
