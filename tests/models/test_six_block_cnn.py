import keras
import numpy as np
import pytest

from affectkeras.models.six_block_cnn import average_mirrored, build_six_block_cnn

EPSILON = 1e-3  # Keras's, of BatchNormalization


def random_pixels(size=48, channels=3, count=2):
    shape = (count, size, size, channels)
    return np.random.default_rng(5).uniform(0, 255, shape).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def with_random_weights(model):
    """Give every weight a value of its own, variances above 0, so that none can be left out."""
    generator = np.random.default_rng(7)
    for weight in model.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(generator.uniform(low, 1.0, weight.shape))
    return model


def convolve_by_hand(images, kernel):
    """Cross-correlation with zeros around, one tap after another."""
    height, width = images.shape[1:3]
    size = kernel.shape[0]
    before = (size - 1) // 2
    around = ((0, 0), (before, size - 1 - before), (before, size - 1 - before), (0, 0))
    padded = np.pad(images, around)
    result = np.zeros((*images.shape[:3], kernel.shape[3]))
    for y in range(size):
        for x in range(size):
            result += padded[:, y : y + height, x : x + width] @ kernel[y, x]
    return result


def pool_by_hand(maps, *, rounds_up):
    """The largest of every 2 × 2 pixels; what is left over at an odd edge stands alone or goes."""
    height, width = maps.shape[1:3]
    if rounds_up:
        extra = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
        maps = np.pad(maps, extra, constant_values=-np.inf)
    maps = maps[:, : maps.shape[1] // 2 * 2, : maps.shape[2] // 2 * 2]
    count, height, width, channels = maps.shape
    return maps.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def normalise_by_hand(layer, maps):
    gamma, beta, mean, variance = (array_of(weight) for weight in layer.weights)
    return gamma * (maps - mean) / np.sqrt(variance + EPSILON) + beta


def logits_by_hand(model, pixels, modules, *, rounds_up=True):
    x = pixels.astype(np.float64) / 127.5 - 1
    for number in range(1, modules + 1):
        x = convolve_by_hand(x, array_of(model.get_layer(f"module{number}_conv").kernel))
        x = normalise_by_hand(model.get_layer(f"module{number}_normalization"), x)
        if number < modules:
            x = np.maximum(pool_by_hand(x, rounds_up=rounds_up), 0)
    return x.mean(axis=(1, 2))


def test_the_network_of_the_paper_has_six_named_modules():
    model = build_six_block_cnn(7)
    parts = ("conv", "normalization", "pool", "activation")
    expected = [f"module{number}_{part}" for number in range(1, 6) for part in parts]
    expected += [f"module6_{part}" for part in parts[:3]]
    assert [layer.name for layer in model.layers] == ["images", "rescaling", *expected]
    assert model.input_shape == (None, 48, 48, 3)
    assert model.output_shape == (None, 7)


def test_maps_halve_and_grow_from_16_to_256():
    model = build_six_block_cnn(7)
    shapes = [model.get_layer(f"module{number}_pool").output.shape for number in range(1, 6)]
    sizes = [(24, 16), (12, 32), (6, 64), (3, 128), (2, 256)]
    assert shapes == [(None, size, size, maps) for size, maps in sizes]
    assert model.get_layer("module6_conv").output.shape == (None, 2, 2, 7)


def test_parameters_are_those_counted_by_hand():
    # Kernels of 3 × 3 from 3 over 16, 32, 64, 128 to 256 maps and of 1 × 1 to 7; and two trained
    # numbers a map, beside two that follow the batches.
    kernels = 9 * (3 * 16 + 16 * 32 + 32 * 64 + 64 * 128 + 128 * 256) + 256 * 7
    maps = 16 + 32 + 64 + 128 + 256 + 7
    assert (kernels, maps) == (393_904, 503)
    model = build_six_block_cnn(7)
    assert model.count_params() == kernels + 4 * maps
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == kernels + 2 * maps


def test_widths_kernels_and_channels_are_the_given_ones():
    model = build_six_block_cnn(("a", "b"), (20, 24), 1, widths=(2, 3), kernel_sizes=(5, 1))
    kernels = [tuple(weight.shape) for weight in model.weights if weight.path.endswith("kernel")]
    assert kernels == [(5, 5, 1, 2), (5, 5, 2, 3), (1, 1, 3, 2)]
    assert model.input_shape == (None, 20, 24, 1)
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (48, {}),
        (48, {"pool_padding": "valid"}),
        (13, {"widths": (4, 6), "kernel_sizes": (3, 2), "activation_before_pool": True}),
        (13, {"widths": (4, 6), "kernel_sizes": (5, 3), "pool_padding": "valid"}),
    ],
)
def test_logits_are_those_computed_by_hand(size, options):
    model = with_random_weights(build_six_block_cnn(3, size, **options))
    modules = len(options.get("widths", range(5))) + 1
    rounds_up = options.get("pool_padding") != "valid"
    expected = logits_by_hand(model, random_pixels(size), modules, rounds_up=rounds_up)
    found = array_of(model(random_pixels(size)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_the_activation_is_the_given_one():
    model = build_six_block_cnn(3, activation="silu")
    found = {model.get_layer(f"module{number}_activation").activation for number in range(1, 6)}
    assert found == {keras.activations.silu}


def test_the_activation_stands_before_the_pooling_where_that_is_asked_for():
    model = build_six_block_cnn(3, widths=(4,), activation="silu", activation_before_pool=True)
    names = [layer.name for layer in model.layers[3:6]]
    assert names == ["module1_normalization", "module1_activation", "module1_pool"]


def test_an_example_is_classified_alike_in_every_batch():
    model = with_random_weights(build_six_block_cnn(3, widths=(4, 8)))
    pixels = random_pixels(count=3)
    alone = array_of(model(pixels[:1]))
    np.testing.assert_allclose(array_of(model(pixels))[:1], alone, rtol=1e-4, atol=1e-4)


def test_it_learns_which_half_is_bright():
    keras.utils.set_random_seed(3)
    labels = np.arange(32) % 2
    pixels = random_pixels(16, 1, 32) / 2
    for image, label in zip(pixels, labels, strict=True):
        image[8 * label : 8 * label + 8] += 120
    model = build_six_block_cnn(2, 16, 1, widths=(4, 8))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(pixels, labels, epochs=40, batch_size=16, verbose=0)
    assert np.mean(array_of(model(pixels)).argmax(axis=1) == labels) == 1


def test_logits_are_single_precision_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_six_block_cnn(3, 16, widths=(4, 8))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert keras.backend.standardize_dtype(model(random_pixels(16)).dtype) == "float32"
    assert model.get_layer("module2_conv").compute_dtype == "float16"


def test_a_saved_network_loads_without_our_code_and_agrees(tmp_path):
    model = with_random_weights(build_six_block_cnn(3, 16, widths=(4, 8)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={})
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    pixels = random_pixels(16)
    np.testing.assert_allclose(array_of(loaded(pixels)), array_of(model(pixels)), rtol=1e-5)


def test_mirrored_predictions_do_not_depend_on_which_way_a_face_is_turned():
    model = with_random_weights(build_six_block_cnn(3, 16, widths=(4, 8)))
    both, pixels = average_mirrored(model), random_pixels(16)
    expected = (array_of(model(pixels)) + array_of(model(pixels[:, :, ::-1]))) / 2
    np.testing.assert_allclose(array_of(both(pixels)), expected, rtol=1e-5)
    np.testing.assert_allclose(array_of(both(pixels[:, :, ::-1])), expected, rtol=1e-5)
    assert both.count_params() == model.count_params()


def test_dropout_changes_what_training_sees_and_nothing_else():
    keras.utils.set_random_seed(0)
    model = with_random_weights(build_six_block_cnn(3, 16, widths=(4, 8), dropout=0.5))
    plain = build_six_block_cnn(3, 16, widths=(4, 8))
    plain.set_weights(model.get_weights())
    pixels = random_pixels(16)
    np.testing.assert_array_equal(array_of(model(pixels)), array_of(plain(pixels)))
    dropped = model.get_layer("dropout")(np.ones((1, 64), "float32"), training=True)
    assert set(np.unique(array_of(dropped))) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "`classes` must be at least 2. Received: classes=1"),
        ({"channels": 4}, "`channels` must be 1 or 3. Received: channels=4"),
        ({"widths": (8, 0)}, r"`widths` must hold numbers of at least 1. Received: .*\(8, 0\)"),
        ({"widths": ()}, "`widths` must hold numbers"),
        ({"kernel_sizes": (3, 0)}, r"`kernel_sizes` must be two numbers of at least 1. .*\(3, 0\)"),
        ({"kernel_sizes": (3,)}, "`kernel_sizes` must be two numbers"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\). Received: dropout=1.0"),
        ({"pool_padding": "full"}, "`pool_padding` must be one of same, valid. Received: .*'full'"),
        (
            {"image_size": 31, "pool_padding": "valid"},
            r"`image_size` must be at least 32 for 5 poolings. Received: image_size=\(31, 31\)",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_six_block_cnn(**{"classes": 3, **arguments})
