import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.models.backbone_classifier import backbone_of
from affectkeras.models.cnn_gru import (
    build_cnn_gru,
    frame_encoder,
    load_torch_state_dict,
    recurrent_layer,
    recurrent_part,
)
from affectkeras.transfer.zoo import build_preprocessing, find_backbone
from tests.other_backends import run_on

SMALL = {"image_size": 16, "features": 5, "hidden_size": 3}


def random_pixels(batch=2, time=4, size=16):
    shape = (batch, time, size, size, 3)
    return np.random.default_rng(5).uniform(0, 255, shape).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def random_state(cell="gru", size=16, features=5, hidden_size=3, outputs=1, seed=7):
    """Return arrays as PyTorch names and shapes those of the report's network."""
    blocks = {"gru": 3, "lstm": 4}[cell] * hidden_size
    shapes = {
        "conv2d_1.weight": (16, 3, 3, 3),
        "conv2d_2.weight": (32, 16, 3, 3),
        "conv2d_3.weight": (64, 32, 3, 3),
        "fc1.weight": (features, 64 * (size // 8) ** 2),
        f"{cell}cell.weight_ih": (blocks, features),
        f"{cell}cell.weight_hh": (blocks, hidden_size),
        "fc2.weight": (outputs, hidden_size),
    }
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    generator = np.random.default_rng(seed)
    # Of a size at which gates and ReLUs are neither all open nor all shut.
    return {
        name: generator.normal(0, 1.5 / np.sqrt(np.prod(shape[1:]) + 1), shape).astype("float32")
        for name, shape in {**shapes, **biases}.items()
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def encode_slowly(state, image):
    """Return the features of one image `(3, height, width)` in [0, 1], number by number."""
    maps = image.astype("float64")
    for number in (1, 2, 3):
        kernel, bias = (state[f"conv2d_{number}.{kind}"] for kind in ("weight", "bias"))
        height, width = maps.shape[1:]
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
        found = np.empty((len(kernel), height, width))
        for row in range(height):
            for column in range(width):
                patch = padded[:, row : row + 3, column : column + 3]
                found[:, row, column] = np.tensordot(kernel, patch, 3) + bias
        found = np.maximum(found, 0)
        maps = np.empty((len(kernel), height // 2, width // 2))
        for row in range(height // 2):
            for column in range(width // 2):
                square = found[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                maps[:, row, column] = square.max((1, 2))
    return np.maximum(state["fc1.weight"] @ maps.ravel() + state["fc1.bias"], 0)


def step_slowly(state, cell, given, hidden, kept):
    """Return the next state and what an LSTM keeps, by the equations of PyTorch's manual."""
    one = state[f"{cell}cell.weight_ih"] @ given + state[f"{cell}cell.bias_ih"]
    other = state[f"{cell}cell.weight_hh"] @ hidden + state[f"{cell}cell.bias_hh"]
    n = len(hidden)
    if cell == "gru":
        reset = sigmoid(one[:n] + other[:n])
        update = sigmoid(one[n : 2 * n] + other[n : 2 * n])
        new = np.tanh(one[2 * n :] + reset * other[2 * n :])
        return (1 - update) * new + update * hidden, kept
    let_in, forget, new, out = np.split(one + other, 4)
    kept = sigmoid(forget) * kept + sigmoid(let_in) * np.tanh(new)
    return sigmoid(out) * np.tanh(kept), kept


def network_slowly(state, pixels, cell="gru"):
    """Return `(batch, time, outputs)` of pixels `(batch, time, height, width, 3)`."""
    found = []
    for video in np.moveaxis(pixels, -1, 2) / 255:
        hidden = kept = np.zeros(state[f"{cell}cell.weight_hh"].shape[1])
        for image in video:
            features = encode_slowly(state, image)
            hidden, kept = step_slowly(state, cell, features, hidden, kept)
            found.append(state["fc2.weight"] @ hidden + state["fc2.bias"])
    return np.reshape(found, (*pixels.shape[:2], -1))


def test_the_network_of_the_report_has_named_layers():
    model = build_cnn_gru()
    assert [layer.name for layer in model.layers] == ["frames", "frame_encoder", "gru", "outputs"]
    assert model.input_shape == (None, None, 224, 224, 3)
    assert model.output_shape == (None, None, 1)
    encoder = frame_encoder(model)
    convolutions = ["conv1", "conv2", "conv3"]
    names = ["images", "rescaling", *convolutions, "flatten", "features"]
    assert [layer.name for layer in encoder.layers] == names
    shapes = [encoder.get_layer(name).output.shape for name in convolutions]
    assert shapes == [(None, 112, 112, 16), (None, 56, 56, 32), (None, 28, 28, 64)]


def test_parameters_are_those_counted_by_hand():
    convolutions = 16 * (27 + 1) + 32 * (144 + 1) + 64 * (288 + 1)
    dense = 50176 * 128 + 128
    recurrent = 3 * 64 * (128 + 64 + 2)
    assert build_cnn_gru().count_params() == convolutions + dense + recurrent + 64 + 1


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_loaded_weights_give_what_a_slow_version_gives(cell):
    model = build_cnn_gru(2, cell=cell, **SMALL)
    state = random_state(cell, outputs=2)
    load_torch_state_dict(model, state)
    expected = network_slowly(state, random_pixels(), cell)
    assert expected.shape == (2, 4, 2)
    assert expected.std(axis=1).min() > 0.001
    np.testing.assert_allclose(array_of(model(random_pixels())), expected, rtol=1e-4, atol=1e-5)


def test_other_sizes_of_frames_are_multiples_of_eight():
    model = build_cnn_gru(image_size=24, features=4, hidden_size=2)
    state = random_state(size=24, features=4, hidden_size=2)
    load_torch_state_dict(model, state)
    pixels = random_pixels(1, 2, 24)
    expected = network_slowly(state, pixels)
    np.testing.assert_allclose(array_of(model(pixels)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif("AFFECTKERAS_REAL_DATA" not in os.environ, reason="needs the known answers")
def test_a_module_of_pytorch_gives_the_same():
    oracle = Path(os.environ["AFFECTKERAS_REAL_DATA"]) / "oracles" / "cnn_gru_torch.npz"
    known = dict(np.load(oracle))
    expected = known.pop("expected")
    generator = np.random.default_rng(int(known.pop("seed")))
    images = generator.random(tuple(known.pop("shape")), dtype=np.float32)
    model = build_cnn_gru(features=8, hidden_size=6)
    load_torch_state_dict(model, known)
    pixels = 255 * np.moveaxis(images, 2, -1)
    np.testing.assert_allclose(array_of(model(pixels))[..., 0], expected, rtol=0, atol=1e-5)


def test_the_peer_of_the_benchmark_is_the_same_network():
    torch = pytest.importorskip("torch")
    from benchmarks.torch_cnn_gru import CnnGru

    torch.manual_seed(1)
    peer = CnnGru(features=5, hidden_size=3, image_size=16)
    images = torch.from_numpy(np.moveaxis(random_pixels(), -1, 2) / 255)
    with torch.inference_mode():
        expected = peer(images).numpy()
    model = build_cnn_gru(**SMALL)
    load_torch_state_dict(model, peer.state_dict())
    found = array_of(model(random_pixels()))[..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_shorter_names_of_the_layers_mean_the_same():
    state = random_state()
    short = {
        name.replace("conv2d_", "conv").replace("grucell", "gru"): array
        for name, array in state.items()
    }
    assert {"conv1.weight", "gru.bias_hh"} <= set(short)
    one, other = (build_cnn_gru(**SMALL) for _ in range(2))
    load_torch_state_dict(one, state)
    load_torch_state_dict(other, short)
    for weight, again in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)


def test_what_does_not_fit_is_named_and_nothing_is_changed():
    model = build_cnn_gru(**SMALL)
    before = model.get_weights()
    state = random_state(features=6)
    del state["conv2d_2.bias"], state["fc2.weight"]
    state["fc3.weight"] = np.zeros((1, 3))
    expected = (
        "`state` does not fit the model. missing: conv2d_2.bias, fc2.weight; "
        "unknown: fc3.weight; of another shape: fc1.weight (6, 256), not (5, 256), "
        "fc1.bias (6,), not (5,), grucell.weight_ih (9, 6), not (9, 5)."
    )
    with pytest.raises(ValueError, match=re.escape(expected)):
        load_torch_state_dict(model, state)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_weights_of_another_cell_are_refused():
    with pytest.raises(ValueError, match=r"missing: lstmcell\.weight_ih.*unknown: grucell\.weig"):
        load_torch_state_dict(build_cnn_gru(cell="lstm", **SMALL), random_state("gru"))


def test_an_array_given_under_two_names_is_refused():
    state = random_state()
    state["conv1.bias"] = state["conv2d_1.bias"]
    with pytest.raises(ValueError, match=r"`state` holds 'conv2d_1\.bias' twice, under two names"):
        load_torch_state_dict(build_cnn_gru(**SMALL), state)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_both_parts_one_after_the_other_are_the_whole(cell):
    model = build_cnn_gru(2, cell=cell, **SMALL)
    pixels = random_pixels(3, 5)
    features = frame_encoder(model)(pixels.reshape(-1, 16, 16, 3))
    assert features.shape == (15, 5)
    found = array_of(recurrent_part(model)(array_of(features).reshape(3, 5, 5)))
    np.testing.assert_allclose(found, array_of(model(pixels)), rtol=1e-5, atol=1e-6)


def test_parts_share_the_weights_of_the_whole():
    model = build_cnn_gru(**SMALL)
    encoder, rest = frame_encoder(model), recurrent_part(model)
    assert {id(one) for one in (*encoder.weights, *rest.weights)} == {
        id(one) for one in model.weights
    }


def test_a_frame_depends_on_those_before_it_and_on_none_after_it():
    model = build_cnn_gru(**SMALL)
    load_torch_state_dict(model, random_state())
    pixels = random_pixels()
    before = array_of(model(pixels))
    pixels[:, 2] = 255 - pixels[:, 2]
    after = array_of(model(pixels))
    np.testing.assert_array_equal(after[:, :2], before[:, :2])
    assert np.abs(after[:, 2:] - before[:, 2:]).min() > 1e-6


def test_it_learns_how_bright_the_frames_were_so_far():
    keras.utils.set_random_seed(3)
    bright = np.random.default_rng(1).uniform(0, 1, (16, 6))
    pixels = np.repeat(bright, 16 * 16 * 3, axis=1).reshape(16, 6, 16, 16, 3) * 255
    targets = (np.cumsum(bright, axis=1) / np.arange(1, 7))[..., None]
    model = build_cnn_gru(image_size=16, features=16, hidden_size=16)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    losses = model.fit(pixels, targets, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * np.var(targets)


def test_a_saved_network_loads_with_its_parts(tmp_path):
    model = build_cnn_gru(2, **SMALL)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = array_of(model(random_pixels()))
    np.testing.assert_allclose(array_of(loaded(random_pixels())), expected, rtol=1e-6)
    features = array_of(frame_encoder(loaded)(random_pixels()[0]))
    found = array_of(recurrent_part(loaded)(features[None]))
    np.testing.assert_allclose(found, expected[:1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_an_exported_network_takes_any_batch_and_time(cell, tmp_path):
    tf = pytest.importorskip("tensorflow")
    model = build_cnn_gru(2, cell=cell, **SMALL)
    archive = keras.export.ExportArchive()
    signature = [tf.TensorSpec((None, None, 16, 16, 3), tf.float32, name="frames")]
    archive.add_endpoint("serve", lambda frames: model(frames, training=False), signature)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    for batch, time in [(1, 1), (2, 4), (3, 9)]:
        pixels = random_pixels(batch, time)
        np.testing.assert_allclose(
            array_of(served.serve(pixels)), array_of(model(pixels)), rtol=1e-5, atol=1e-6
        )


def test_a_backbone_reads_each_frame_with_its_own_preprocessing():
    options = {"image_size": 32, "features": 5, "hidden_size": 3}
    model = build_cnn_gru(2, encoder="mobilenet_0.25", weights="none", **options)
    assert model.output_shape == (None, None, 2)
    assert model(random_pixels(size=32)).shape == (2, 4, 2)
    encoder, pixels = frame_encoder(model), random_pixels(size=32)[0]
    preprocessing = build_preprocessing(find_backbone("mobilenet_0.25"), (32, 32))
    averages = backbone_of(encoder)(preprocessing(pixels), training=False)
    assert averages.shape == (4, 256)
    expected = encoder.get_layer("features")(averages)
    np.testing.assert_allclose(
        array_of(encoder(pixels, training=False)), array_of(expected), rtol=1e-5, atol=1e-6
    )


def test_a_backbone_learns_and_loads(tmp_path):
    options = {"image_size": 32, "features": 5, "hidden_size": 3, "weights": "none"}
    model = build_cnn_gru(encoder="MobileNet_v2_0.35", cell="lstm", **options)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    targets = np.zeros((2, 4, 1))
    history = model.fit(random_pixels(size=32), targets, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found, expected = (array_of(one(random_pixels(size=32))) for one in (loaded, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert type(recurrent_layer(loaded)) is keras.layers.LSTM


def test_a_backbone_takes_no_weights_of_the_report():
    model = build_cnn_gru(encoder="mobilenet_0.25", weights="none", image_size=32)
    with pytest.raises(ValueError, match="with the encoder 'cnn' .*: 'mobilenet_0.25_gru'"):
        load_torch_state_dict(model, random_state())


def test_outputs_are_single_precision_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_cnn_gru(**SMALL)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert keras.backend.standardize_dtype(model(random_pixels()).dtype) == "float32"
    encoder = frame_encoder(model)
    assert encoder.get_layer("rescaling").compute_dtype == "float32"
    assert encoder.get_layer("conv1").compute_dtype == "float16"
    single = build_cnn_gru(**SMALL)
    single.set_weights(model.get_weights())
    found, expected = (array_of(one(random_pixels())) for one in (model, single))
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_other_backends_give_and_learn_the_same(backend, tmp_path):
    state = random_state()
    np.savez(tmp_path / "state.npz", **state)
    model = build_cnn_gru(**SMALL)
    load_torch_state_dict(model, state)
    targets = np.linspace(-1, 1, 8).reshape(2, 4, 1)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = array_of(model(random_pixels())).ravel()
    model.fit(random_pixels(), targets, epochs=3, verbose=0)
    after = array_of(model(random_pixels())).ravel()
    assert np.abs(after - before).min() > 0.001
    words = run_on(backend, OTHER_BACKEND, tmp_path)
    found = np.array(words, dtype=float).reshape(3, -1)
    np.testing.assert_allclose(found[0], before, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], after, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[2], found[1], rtol=1e-5, atol=1e-6)


OTHER_BACKEND = """
import sys
import keras
import numpy as np
from affectkeras.models.cnn_gru import build_cnn_gru, load_torch_state_dict

model = build_cnn_gru(image_size=16, features=5, hidden_size=3)
load_torch_state_dict(model, dict(np.load(sys.argv[1] + "/state.npz")))
pixels = np.random.default_rng(5).uniform(0, 255, (2, 4, 16, 16, 3)).astype("float32")
outputs = lambda one: one.predict(pixels, verbose=0).ravel().tolist()
print(*outputs(model))
model.compile(keras.optimizers.SGD(0.1), "mse")
model.fit(pixels, np.linspace(-1, 1, 8).reshape(2, 4, 1), epochs=3, verbose=0)
print(*outputs(model))
model.save(sys.argv[1] + "/model.keras")
print(*outputs(keras.models.load_model(sys.argv[1] + "/model.keras")))
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outputs": 0}, "`outputs` must be at least 1. Received: outputs=0"),
        ({"features": 0}, "`features` must be at least 1. Received: features=0"),
        ({"hidden_size": -1}, "`hidden_size` must be at least 1. Received: hidden_size=-1"),
        ({"cell": "rnn"}, "`cell` must be one of gru, lstm. Received: cell='rnn'"),
        ({"image_size": 100}, "`image_size` must be a multiple of 8: .* image_size=100"),
        ({"image_size": 0}, "`image_size` must be a multiple of 8: .* image_size=0"),
        ({"weights": "imagenet"}, "`weights` are those of a backbone; .* weights='imagenet'"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_cnn_gru(**arguments)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(UserError, match="There is no backbone 'resnet49'. Did you mean resnet"):
        build_cnn_gru(encoder="resnet49")
