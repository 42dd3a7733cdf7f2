"""Networks that read signals written for serving, and proved to have stayed the same."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from affectkeras import deployment
from affectkeras.errors import UserError
from affectkeras.export import ExportMismatch
from affectkeras.export_signals import (
    check_signal_export,
    export_portable,
    export_signal_model,
    package_signal_model,
)
from affectkeras.pipelines.signals import Channel, cut_windows
from affectkeras.runtimes import load_litert, load_onnx
from affectkeras.signal_facts import SignalFacts, parse_facts
from affectkeras.signal_model import load_signal_model

TIME, CHANNELS = 12, 3
FACTS = {
    "schema": 1,
    "recipe": "stress_predict_fusion",
    "sample": True,
    "quick": False,
    "target": "stress",
    "class_names": ["baseline", "stress"],
    "channels": [
        {"signal": "bvp", "axis": None},
        {"signal": "eda", "axis": None},
        {"signal": "acceleration", "axis": 2},
    ],
    "rate_hz": 4.0,
    "seconds": 3.0,
    "scale": "subject",
    "rows": "samples",
}
PULSE_FACTS = FACTS | {
    "channels": [{"signal": "bvp", "axis": None}],
    "rate_hz": 64.0,
    "seconds": 2.0,
    "scale": "none",
    "rows": "seconds",
}


def build(seed=0):
    """A network with all that exports trip over: statistics, dropout, a split, two branches."""
    keras.utils.set_random_seed(seed)
    signals = keras.Input((TIME, CHANNELS))
    normalization = keras.layers.Normalization(axis=-1)
    normalization.adapt(windows(50) * [1, 5, 0.1] + [0, 30, -1])
    parts = keras.ops.split(normalization(signals), [1], axis=-1)
    found = []
    for part in parts:
        x = keras.layers.Conv1D(4, 3)(part)
        x = keras.layers.BatchNormalization(
            moving_mean_initializer="ones",
            moving_variance_initializer=keras.initializers.Constant(3),
        )(x)
        found.append(keras.layers.Flatten()(keras.layers.Activation("relu")(x)))
    x = keras.layers.Dropout(0.5)(keras.layers.Concatenate()(found))
    return keras.Model(signals, keras.layers.Dense(2)(x))


def build_pulse(seed=0):
    keras.utils.set_random_seed(seed)
    signals = keras.Input((2, 64))
    normalization = keras.layers.Normalization(axis=None)
    normalization.adapt(windows(20, (2, 64)) * 40 + 3)
    x = keras.layers.LSTM(5)(normalization(signals))
    return keras.Model(signals, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(x)))


def windows(count=5, shape=(TIME, CHANNELS), seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype("float32")


def probabilities(model, given):
    return tf.nn.softmax(model(given, training=False)).numpy()


@pytest.fixture(scope="module")
def network():
    return build()


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    return export_signal_model(network, tmp_path_factory.mktemp("export") / "saved_model", FACTS)


def test_the_export_gives_the_probabilities_of_the_model_without_dropout(network, folder):
    loaded = tf.saved_model.load(str(folder))
    given = windows(7)
    for name in ("serving_default", "serve"):
        found = loaded.signatures[name](windows=tf.constant(given))["probabilities"]
        np.testing.assert_allclose(found, probabilities(network, given), atol=1e-6)
        np.testing.assert_allclose(found.numpy().sum(axis=1), 1, atol=1e-6)


def test_the_facts_and_signatures_are_those_that_are_promised(folder):
    loaded = tf.saved_model.load(str(folder))
    assert json.loads(loaded.signatures["describe"]()["facts"].numpy()) == FACTS
    assert json.loads((folder / "assets.extra" / "signal_model.json").read_text()) == FACTS
    (given,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
    assert (given.dtype, given.shape.as_list()) == (tf.float32, [None, TIME, CHANNELS])


def test_a_pulse_is_taken_second_by_second(tmp_path):
    network = build_pulse()
    folder = export_signal_model(network, tmp_path / "saved_model", PULSE_FACTS)
    loaded = tf.saved_model.load(str(folder))
    (given,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
    assert given.shape.as_list() == [None, 2, 64]
    pulses = windows(4, (2, 64))
    found = loaded.signatures["serve"](windows=tf.constant(pulses))["probabilities"]
    np.testing.assert_allclose(found, probabilities(network, pulses), atol=1e-6)


def test_a_true_export_passes_with_how_far_it_is_off(network, folder):
    found = check_signal_export(network, windows(), saved_model=folder)
    assert list(found) == ["saved_model"]
    assert found["saved_model"]["batches"] == [1, 3]
    assert 0 <= found["saved_model"]["max_difference"] < 1e-5


def test_fewer_windows_than_a_batch_are_repeated(network, folder):
    check_signal_export(network, windows(1), saved_model=folder)
    with pytest.raises(ValueError, match=r"at least one of shape \(12, 3\). Received: \(0, 12, 3"):
        check_signal_export(network, windows(0), saved_model=folder)


def test_the_export_of_another_network_is_refused(folder):
    with pytest.raises(ExportMismatch, match="saved_model differs from the Keras model: a probab"):
        check_signal_export(build(seed=1), windows(), saved_model=folder)


def test_a_network_that_says_nan_is_refused(folder):
    broken = build()
    broken.layers[-1].bias.assign([np.nan, 0])
    with pytest.raises(ExportMismatch, match="off by nan"):
        check_signal_export(broken, windows(), saved_model=folder)


@pytest.mark.parametrize(
    ("build_network", "facts", "shape"),
    [(build, FACTS, (TIME, CHANNELS)), (build_pulse, PULSE_FACTS, (2, 64))],
)
def test_a_packaged_model_is_proved_in_every_format(tmp_path, build_network, facts, shape):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("tf2onnx")
    network = build_network()
    network.save(tmp_path / "best.keras")
    given = windows(4, shape)
    folder = tmp_path / "models" / "fusion"
    found = package_signal_model(
        tmp_path / "best.keras", folder, facts, given, formats=("litert", "onnx")
    )
    assert list(found) == ["saved_model", "litert", "onnx"]
    assert all(one["max_difference"] < 1e-5 for one in found.values())
    assert sorted(path.name for path in folder.iterdir()) == [
        *("model.keras", "model.onnx", "model.tflite", "saved_model", "signal_model.json")
    ]
    assert not (tmp_path / "best.keras").exists()
    assert json.loads((folder / "signal_model.json").read_text()) == facts
    for load, file in ((load_litert, "model.tflite"), (load_onnx, "model.onnx")):
        predict = load(str(folder / file))
        for count in (4, 1):
            np.testing.assert_allclose(
                predict(given[:count]), probabilities(network, given[:count]), atol=1e-5
            )


def test_writing_a_portable_file_leaves_the_model_as_it_was(tmp_path):
    pytest.importorskip("ai_edge_litert")
    network = build_pulse()
    before, given = network.get_config(), windows(3, (2, 64))
    expected = probabilities(network, given)
    export_portable(network, tmp_path / "model.tflite", "litert")
    assert network.get_config() == before
    np.testing.assert_array_equal(probabilities(network, given), expected)


def test_an_unknown_format_is_named(network, tmp_path):
    with pytest.raises(ValueError, match="must be one of .*'litert', 'onnx'.*'torch'"):
        export_portable(network, tmp_path / "model.pt", "torch")


def test_a_packaged_model_is_served_by_its_run(tmp_path):
    network = build()
    network.save(tmp_path / "best.keras")
    folder, run = tmp_path / "models" / "fusion", tmp_path / "run"
    run.mkdir()
    package_signal_model(tmp_path / "best.keras", folder, FACTS, windows())
    deployment.serve_model(run, folder)
    served, given = load_signal_model(run), windows(300)
    names = [channel.name for channel in served.facts.channels]
    assert names == ["bvp", "eda", "acceleration.z"]
    assert served.facts.class_names == ("baseline", "stress")
    np.testing.assert_allclose(served.predict(given), probabilities(network, given), atol=1e-6)
    assert served.predict(given[:0]).shape == (0, 2)


def test_a_served_pulse_model_takes_windows_of_one_channel(tmp_path):
    network = build_pulse()
    export_signal_model(network, tmp_path / "saved_model", PULSE_FACTS)
    given = windows(3, (128, 1))
    np.testing.assert_allclose(
        load_signal_model(tmp_path).predict(given),
        probabilities(network, given.reshape(3, 2, 64)),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 5.0}, r"windows of \(20, 3\), the model takes \(12, 3\)"),
        ({"channels": FACTS["channels"][:2]}, r"windows of \(12, 2\), the model takes"),
        ({"class_names": ["a", "b", "c"]}, "must name the model's 2 outputs"),
    ],
)
def test_facts_that_do_not_fit_the_model_are_refused(network, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        export_signal_model(network, tmp_path / "saved_model", FACTS | change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "the schema 2; this version reads 1"),
        ({"scale": "window"}, "`scale` must be one of .*'none', 'subject'.*'window'"),
        ({"rows": "seconds"}, "for a single channel only"),
        ({"channels": []}, "`channels` must name at least one"),
        ({"max_gap": 1.0}, r"`max_gap` must be in \[0, 1\). Received: max_gap=1.0"),
    ],
)
def test_facts_that_nobody_could_use_are_refused(network, tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        export_signal_model(network, tmp_path / "saved_model", FACTS | change)


def test_facts_come_back_from_json_as_they_were(tmp_path):
    channels = (Channel("bvp"), Channel("acceleration", 1), Channel("acceleration", "length"))
    facts = SignalFacts(
        *("r", False, True, "level", ("low", "high"), channels, 33.0, 128 / 33, "subject"),
        rows="samples",
        max_gap=0.5,
    )
    assert parse_facts(json.loads(json.dumps(facts.to_json())), tmp_path) == facts
    assert facts.window_shape == (128, 3)
    assert facts.signals == ("bvp", "acceleration")


def test_facts_may_leave_the_gaps_to_the_default_and_hold_more(tmp_path):
    facts = parse_facts(FACTS | {"written_by": "a later recipe"}, tmp_path)
    assert facts.max_gap == inspect.signature(cut_windows).parameters["max_gap"].default


def test_facts_that_are_left_out_are_named(network, tmp_path):
    facts = {name: value for name, value in FACTS.items() if name not in ("scale", "rate_hz")}
    with pytest.raises(UserError, match="the model's facts lack rate_hz, scale"):
        export_signal_model(network, tmp_path / "saved_model", facts)


def test_a_folder_that_is_there_already_is_replaced_as_a_whole(network, tmp_path):
    target = tmp_path / "saved_model"
    target.mkdir()
    (target / "old.txt").write_text("of an older export")
    export_signal_model(network, target, FACTS)
    assert not (target / "old.txt").exists()
    assert list(tmp_path.iterdir()) == [target]
    check_signal_export(network, windows(), saved_model=target)
