import re

import keras
import numpy as np
import pytest

from affectkeras.models.sensor_fusion import FUSIONS, build_sensor_fusion

SMALL = {"filters": 3, "dense": 5}


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_signals(rows=4, time=12, channels=4, seed=3):
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (rows, time, channels)).astype("float32")


def randomize(model, seed=5):
    """Give every weight of a model a random value, also statistics and biases."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        weights = layer.get_weights()
        layer.set_weights(
            [generator.uniform(0.1, 0.6, one.shape).astype(one.dtype) for one in weights]
        )
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return model


def counts(model):
    """Return the parameters of the two convolutions, the dense layer and the last one."""
    ends = ("conv1", "conv2", "dense", "logits")
    return [
        sum(layer.count_params() for layer in model.layers if layer.name.endswith(end))
        for end in ends
    ]


def convolve_slowly(x, layer):
    """Return the valid convolution of `(time, channels)`, number by number."""
    kernel, bias = layer.get_weights()
    kernel = kernel.reshape(-1, *kernel.shape[-2:])
    length = len(kernel)
    return np.array(
        [
            np.tensordot(x[start : start + length], kernel, 2) + bias
            for start in range(len(x) - length + 1)
        ]
    )


def stack_slowly(model, x, prefix):
    """Return the flattened features that a stack of a network makes of `(time, channels)`."""
    for number in (1, 2):
        x = convolve_slowly(x, model.get_layer(f"{prefix}conv{number}"))
        gamma, beta, mean, variance = model.get_layer(
            f"{prefix}batch_normalization{number}"
        ).get_weights()
        x = (np.maximum(x, 0) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    return x.ravel()


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("early", [704, 3104 * 1, 1_016_064, 1799]),
        ("sensor", [768, 3104 * 3, 3_047_680, 1799]),
        ("channel", [896, 3104 * 7, 7_110_912, 1799]),
        ("shared", [128, 3104 * 1, 7_110_912, 1799]),
    ],
)
def test_the_parameters_are_those_of_the_lectures_table(fusion, expected):
    model = build_sensor_fusion(128, (3, 3, 1), 7, fusion=fusion)
    assert counts(model) == expected


@pytest.mark.parametrize(
    ("fusion", "parts"),
    [
        ("early", [("", slice(0, 4))]),
        ("sensor", [("sensor1_", slice(0, 3)), ("sensor2_", slice(3, 4))]),
        ("channel", [(f"channel{n + 1}_", slice(n, n + 1)) for n in range(4)]),
        ("shared", [("shared_", slice(n, n + 1)) for n in range(4)]),
    ],
)
def test_each_fusion_is_what_its_stacks_make_of_their_channels(fusion, parts):
    model = randomize(build_sensor_fusion(12, (3, 1), 3, fusion=fusion, **SMALL))
    signals = random_signals()
    mean, variance, _ = model.get_layer("normalization").get_weights()
    expected = []
    for one in (signals - mean) / np.sqrt(variance):
        features = np.concatenate(
            [stack_slowly(model, one[:, channels], prefix) for prefix, channels in parts]
        )
        kernel, bias = model.get_layer("dense").get_weights()
        hidden = np.maximum(features @ kernel + bias, 0)
        kernel, bias = model.get_layer("logits").get_weights()
        expected.append(hidden @ kernel + bias)
    np.testing.assert_allclose(array_of(model(signals)), expected, rtol=1e-4)


def test_a_sensor_that_stands_alone_is_convolved_as_in_early_fusion():
    alone = build_sensor_fusion(12, (4,), 2, fusion="sensor", **SMALL)
    early = build_sensor_fusion(12, (4,), 2, fusion="early", **SMALL)
    alone.set_weights(early.get_weights())
    np.testing.assert_allclose(alone(random_signals()), early(random_signals()), rtol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_pooling_keeps_the_maximum_of_neighbouring_times(fusion):
    plain = {"normalize": False, "batch_normalization": False, **SMALL}
    model = build_sensor_fusion(13, (3, 1), 2, fusion=fusion, pool=2, **plain)
    flattened = [layer for layer in model.layers if layer.name.endswith("flatten")]
    width = 3 * {"early": 1, "sensor": 2, "channel": 4, "shared": 4}[fusion]
    # 13 → 11 → 5 → 3 → 1.
    assert sum(layer.output.shape[-1] for layer in flattened) == width
    signals = random_signals(time=13)
    prefix = {"early": "", "shared": "shared_"}.get(fusion, f"{fusion}1_")
    read = keras.Model(
        model.input,
        [model.get_layer(f"{prefix}{name}").output for name in ("activation1", "pool1")],
    )
    before, after = (array_of(one) for one in read(signals))
    axis = 2 if fusion == "shared" else 1
    before = np.moveaxis(before, axis, 0)[:10]
    expected = np.maximum(before[0::2], before[1::2])
    np.testing.assert_array_equal(np.moveaxis(after, axis, 0), expected)


def test_the_switches_leave_layers_out():
    plain = build_sensor_fusion(
        12, (3, 1), 2, normalize=False, batch_normalization=False, convolutions=3, **SMALL
    )
    names = [layer.name for layer in plain.layers]
    assert names == [
        *("signals", "conv1", "activation1", "conv2", "activation2", "conv3", "activation3"),
        *("flatten", "dense", "logits"),
    ]
    whole = build_sensor_fusion(12, (3, 1), 2, dropout=0.5, **SMALL)
    assert [layer.name for layer in whole.layers] == [
        *("signals", "normalization", "conv1", "activation1", "batch_normalization1"),
        *("conv2", "activation2", "batch_normalization2", "flatten", "dense", "dropout", "logits"),
    ]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_saved_network_keeps_the_statistics_of_its_training_rows(fusion, tmp_path):
    model = build_sensor_fusion(12, (3, 1), 2, fusion=fusion, **SMALL)
    signals = random_signals() * 3 + 1
    before = array_of(model(signals))
    model.get_layer("normalization").adapt(signals)
    adapted = array_of(model(signals))
    assert np.abs(adapted - before).max() > 0.01
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array_of(loaded(signals)), adapted, rtol=1e-5)
    mean = loaded.get_layer("normalization").get_weights()[0]
    np.testing.assert_allclose(mean, signals.mean((0, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sensors": ()}, "`sensors` must hold at least one number of channels, each at least 1."),
        ({"sensors": (3, 0)}, "Received: sensors=(3, 0)"),
        ({"classes": 1}, "`classes` must be at least 2. Received: classes=1"),
        (
            {"fusion": "late"},
            "`fusion` must be one of early, sensor, channel, shared. Received: fusion='late'",
        ),
        ({"convolutions": 4}, "`convolutions` must be 2 or 3. Received: convolutions=4"),
        ({"dropout": 1.0}, "`dropout` must be in [0, 1). Received: dropout=1.0"),
        ({"filters": 0}, "`filters` must be at least 1. Received: filters=0"),
        ({"pool": 0}, "`pool` must be at least 1. Received: pool=0"),
        (
            {"time": 4},
            "`time` must leave something after 2 convolutions of length 3, each pooled by 1. "
            "Received: time=4",
        ),
    ],
)
def test_arguments_out_of_range_are_named(changed, message):
    arguments = {"time": 12, "sensors": (3, 1), "classes": 2, **changed}
    with pytest.raises(ValueError, match=re.escape(message)):
        build_sensor_fusion(**arguments)


def test_the_shortest_window_is_one_that_leaves_one_time():
    model = build_sensor_fusion(5, (1,), 2, **SMALL)
    assert model.get_layer("flatten").output.shape == (None, 3)


def test_smoothing_takes_the_mean_of_neighbours_before_the_first_convolution():
    model = build_sensor_fusion(12, (1,), 2, smooth=4, convolutions=2, kernel_size=1, filters=2)
    assert model.get_layer("smooth").output.shape == (None, 3, 1)
    smoothed = keras.Model(model.input, model.get_layer("smooth").output)
    found = smoothed(np.arange(12, dtype=np.float32).reshape(1, 12, 1))
    np.testing.assert_allclose(np.ravel(found), [1.5, 5.5, 9.5])
