import re

import keras
import numpy as np
import pytest

from affectkeras.models.bvp_lstm import build_bvp_lstm


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_pulse(rows=4, seconds=5, rate=6):
    return np.random.default_rng(3).normal(2, 3, (rows, seconds, rate)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_network_reads_a_second_at_a_time():
    model = build_bvp_lstm(5, 3, rate=6, hidden_size=4)
    pulse = random_pulse()
    model.get_layer("normalization").adapt(pulse)
    kernel, recurrent, bias = model.get_layer("lstm").get_weights()
    standardized = (pulse - pulse.mean()) / pulse.std()
    hidden = kept = np.zeros((4, 4))
    for second in range(5):
        gates = standardized[:, second] @ kernel + hidden @ recurrent + bias
        enter, forget, new, leave = np.split(gates, 4, axis=1)
        kept = sigmoid(forget) * kept + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(kept)
    weights, offset = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(array_of(model(pulse)), hidden @ weights + offset, atol=1e-5)


def test_the_lectures_size_has_five_seconds_at_64_hz():
    model = build_bvp_lstm(5)
    assert model.input_shape == (None, 5, 64)
    assert model.output_shape == (None, 2)
    # Four gates that read 64 samples, 32 numbers of state and a bias; then two logits.
    assert model.get_layer("lstm").count_params() == 4 * 32 * (64 + 32 + 1)
    assert model.get_layer("logits").count_params() == 2 * 33


def test_layers_that_are_switched_off_are_absent():
    names = [layer.name for layer in build_bvp_lstm(5, normalize=False).layers]
    assert names == ["signals", "lstm", "logits"]
    names = [layer.name for layer in build_bvp_lstm(5, dropout=0.3).layers]
    assert names == ["signals", "normalization", "lstm", "dropout", "logits"]


def test_a_saved_network_keeps_the_statistics_of_its_training_rows(tmp_path):
    model = build_bvp_lstm(5, rate=6)
    pulse = random_pulse()
    before = array_of(model(pulse))
    model.get_layer("normalization").adapt(pulse)
    adapted = array_of(model(pulse))
    assert np.abs(adapted - before).max() > 0.01
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array_of(loaded(pulse)), adapted, rtol=1e-5)
    mean, variance, _ = loaded.get_layer("normalization").get_weights()
    np.testing.assert_allclose([mean, variance], [pulse.mean(), pulse.var()], rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seconds": 0}, "`seconds` must be at least 1. Received: seconds=0"),
        ({"rate": 0}, "`rate` must be at least 1. Received: rate=0"),
        ({"hidden_size": 0}, "`hidden_size` must be at least 1. Received: hidden_size=0"),
        ({"classes": 1}, "`classes` must be at least 2. Received: classes=1"),
        ({"dropout": -0.1}, "`dropout` must be in [0, 1). Received: dropout=-0.1"),
    ],
)
def test_arguments_out_of_range_are_named(changed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build_bvp_lstm(**{"seconds": 5, **changed})
