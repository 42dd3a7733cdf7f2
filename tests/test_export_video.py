"""Networks over time written for serving, and proved to have stayed the same."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from affectkeras.export import ExportMismatch
from affectkeras.export_video import check_video_export, export_video_model, join_targets
from affectkeras.models.cnn_gru import build_cnn_gru

SIDE = 8
FACTS = {"kind": "numbers", "targets": ["valence", "arousal"], "window": 4}


def build(outputs=1, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    return build_cnn_gru(outputs, SIDE, features=4, hidden_size=3, **settings)


def random_clips(count=3, time=5, seed=0):
    shape = (count, time, SIDE, SIDE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture(scope="module")
def networks():
    return [build(seed=1), build(seed=2, cell="lstm")]


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory):
    return export_video_model(networks, tmp_path_factory.mktemp("export") / "saved_model", FACTS)


def values_of(model, clips):
    return model(clips.astype("float32"), training=False).numpy()


def test_networks_joined_give_their_outputs_side_by_side(networks):
    clips = random_clips()
    found = values_of(join_targets(networks), clips)
    assert found.shape == (3, 5, 2)
    for number, network in enumerate(networks):
        np.testing.assert_allclose(
            found[..., number : number + 1], values_of(network, clips), atol=1e-6
        )


def test_two_networks_of_one_architecture_are_joined(tmp_path):
    twins = [build(seed=1), build(seed=2)]
    joined, clips = join_targets(twins), random_clips()
    expected = np.concatenate([values_of(network, clips) for network in twins], axis=-1)
    np.testing.assert_allclose(values_of(joined, clips), expected, atol=1e-6)
    assert [network.name for network in twins] == ["cnn_gru", "cnn_gru"]
    joined.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(values_of(loaded, clips), expected, atol=1e-6)
    check_video_export(joined, export_video_model(twins, tmp_path / "served", FACTS), clips)


def test_a_single_network_is_itself(networks):
    assert join_targets(networks[:1]) is networks[0]


def test_a_joined_network_comes_back_from_a_file(networks, tmp_path):
    joined = join_targets(networks)
    joined.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(
        values_of(loaded, random_clips()), values_of(joined, random_clips()), atol=1e-6
    )


def test_the_export_says_the_same_in_one_and_in_two_steps(networks, folder):
    loaded = tf.saved_model.load(str(folder))
    clips = random_clips(2, 7)
    expected = values_of(join_targets(networks), clips)
    whole = loaded.signatures["serving_default"](clips=tf.constant(clips))["values"]
    assert whole.dtype == tf.float32
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    # Of two videos together each frame's features are its own.
    faces = tf.constant(clips.reshape(-1, SIDE, SIDE, 3))
    features = loaded.signatures["encode"](faces=faces)["features"].numpy()
    assert features.shape == (14, 8)  # four of each network
    parts = loaded.signatures["recur"](features=tf.constant(features.reshape(2, 7, 8)))
    np.testing.assert_allclose(parts["values"], expected, atol=1e-5)


def test_the_facts_and_signatures_are_those_that_are_promised(folder):
    loaded = tf.saved_model.load(str(folder))
    assert set(loaded.signatures) >= {"serving_default", "serve", "encode", "recur", "describe"}
    assert json.loads(loaded.signatures["describe"]()["facts"].numpy()) == FACTS
    (given,) = loaded.signatures["serving_default"].structured_input_signature[1].values()
    assert (given.dtype, given.shape.as_list()) == (tf.uint8, [None, None, SIDE, SIDE, 3])


def test_a_true_export_passes_with_how_far_it_is_off(networks, folder):
    found = check_video_export(join_targets(networks), folder, random_clips())
    assert found["batches"] == [1, 3]
    assert 0 <= found["max_difference"] < 1e-5


def test_fewer_clips_than_a_batch_are_repeated(networks, folder):
    assert check_video_export(join_targets(networks), folder, random_clips(1))["batches"] == [1, 3]


def test_the_export_of_another_network_is_refused(networks, folder):
    other = join_targets([networks[0], build(seed=3, cell="lstm")])
    with pytest.raises(ExportMismatch, match="saved_model differs from the Keras model: a value"):
        check_video_export(other, folder, random_clips())


def test_networks_in_another_order_are_refused(networks, folder):
    with pytest.raises(ExportMismatch, match="Do not serve it"):
        check_video_export(join_targets(networks[::-1]), folder, random_clips())


def test_a_network_that_says_nan_is_refused(folder):
    broken = build(2)
    broken.get_layer("outputs").bias.assign([np.nan, 0])
    with pytest.raises(ExportMismatch, match="off by nan"):
        check_video_export(broken, folder, random_clips())


def test_a_folder_that_is_there_already_is_replaced_as_a_whole(networks, tmp_path):
    target = tmp_path / "saved_model"
    target.mkdir()
    (target / "old.txt").write_text("of an older export")
    export_video_model([networks[0]], target, FACTS)
    assert not (target / "old.txt").exists()
    assert (target / "saved_model.pb").is_file()
    assert list(tmp_path.iterdir()) == [target]
    check_video_export(networks[0], target, random_clips())
