import keras
import numpy as np
import pytest

from affectkeras.layers.dynamic_dropout import DynamicDropout
from affectkeras.layers.exact_gelu import exact_gelu
from affectkeras.models.stress_net import build_stress_net, masks_of
from affectkeras.pruning.graph import find_groups

SMALL = {
    "image_size": 48,
    "channels": 1,
    "shallow_widths": (4, 6, 6),
    "deep_widths": (8, 5),
}


def random_pixels(size=48, channels=1, count=4):
    shape = (count, size, size, channels)
    return np.random.default_rng(5).uniform(0, 255, shape).astype("float32")


def array_of(tensor):
    return np.array(keras.ops.convert_to_numpy(tensor))


def compiled(model, learning_rate=0.001):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss)
    return model


def test_the_network_of_the_paper_has_named_modules():
    model = build_stress_net()
    modules = ["shallow1", "shallow2", "shallow3", "deep1", "deep2"]
    parts = ("conv", "normalization", "activation")
    names = {module: [f"{module}_{part}" for part in parts] for module in modules}
    expected = ["images", "rescaling", *names["shallow1"], *names["shallow2"], *names["shallow3"]]
    expected += [*names["deep1"], "dynamic_dropout1", *names["deep2"], "dynamic_dropout2"]
    assert [layer.name for layer in model.layers] == [*expected, "pool", "dropout", "logits"]
    assert model.input_shape == (None, 240, 240, 3)
    assert model.output_shape == (None, 1)


def test_maps_shrink_where_the_strides_say_so():
    model = build_stress_net()
    names = ["shallow1_conv", "shallow2_conv", "shallow3_conv", "deep1_conv", "deep2_conv"]
    shapes = [model.get_layer(name).output.shape[1:] for name in names]
    sizes = [(120, 16), (60, 32), (60, 32), (30, 64), (15, 64)]
    assert shapes == [(size, size, maps) for size, maps in sizes]
    masked = [model.get_layer(f"dynamic_dropout{number}").output.shape for number in (1, 2)]
    assert masked == [(None, 30, 30, 64), (None, 15, 15, 64)]


def test_parameters_are_those_counted_by_hand():
    # Kernels of 3 × 3: three shallow, two deep, two for each layer with a mask; the unit.
    pairs = [(3, 16), (16, 32), (32, 32), (32, 64), *[(64, 64)] * 2, (64, 64), *[(64, 64)] * 2]
    kernels = 9 * sum(made * given for given, made in pairs) + 64
    # Two trained numbers of each of seven normalizations; two biases of masks; that of the unit.
    others = 2 * (16 + 32 + 32 + 4 * 64) + 2 * 64 + 1
    model = build_stress_net()
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == kernels + others
    none = build_stress_net(dropout="none")
    assert model.count_params() - none.count_params() == 2 * (9 * 64 * 64 + 64)


@pytest.mark.parametrize("classes", [3, ("calm", "tense", "stressed")])
def test_more_than_two_classes_have_a_unit_each(classes):
    assert build_stress_net(classes, **SMALL).output_shape == (None, 3)


def test_two_names_of_classes_share_one_unit():
    assert build_stress_net(("calm", "stressed"), **SMALL).output_shape == (None, 1)


@pytest.mark.parametrize("dropout", ["dynamic", "none", "standard", "spatial"])
def test_every_dropout_trains_and_only_none_has_no_last_one(dropout):
    model = compiled(build_stress_net(dropout=dropout, mask_rate=0.2, last_rate=0.3, **SMALL))
    kinds = [model.get_layer(f"dynamic_dropout{number}").kind for number in (1, 2)]
    assert kinds == [dropout] * 2
    last = [layer.rate for layer in model.layers if layer.name == "dropout"]
    assert last == ([] if dropout == "none" else [0.3])
    history = model.fit(random_pixels(), np.arange(4)[:, None] % 2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    shown = [f"dynamic_dropout{number}_sparsity" for number in (1, 2)]
    assert [name for name in history if name.endswith("sparsity")] == (
        shown if dropout == "dynamic" else []
    )


@pytest.mark.parametrize("dropout", ["standard", "spatial"])
def test_what_stands_in_the_place_of_the_masks_has_the_given_rate(dropout):
    model = build_stress_net(dropout=dropout, mask_rate=0.2, **SMALL)
    assert model.get_layer("dynamic_dropout2").dropout.rate == 0.2


@pytest.mark.parametrize(
    ("activation", "function"), [("gelu", exact_gelu), ("relu", keras.activations.relu)]
)
def test_the_activation_is_the_given_one_in_every_module(activation, function):
    model = build_stress_net(activation=activation, **SMALL)
    names = ["shallow1_activation", "shallow3_activation", "deep2_activation", "dynamic_dropout1"]
    found = {model.get_layer(name).activation for name in names}
    assert found == {function}


def test_prelu_has_one_slope_a_layer_which_starts_as_in_pytorch():
    model = build_stress_net(activation="prelu", **SMALL)
    slopes = [weight for weight in model.weights if weight.name == "alpha"]
    assert [array_of(slope).tolist() for slope in slopes] == [[[[0.25]]]] * 7
    assert model.get_layer("dynamic_dropout1").activation is keras.activations.linear
    assert type(model.get_layer("dynamic_dropout1_activation")) is keras.layers.PReLU


def test_masks_are_those_that_the_layers_multiply_with():
    model = build_stress_net(**SMALL)
    found = masks_of(model, random_pixels(count=5), batch_size=2)
    assert {name: mask.shape for name, mask in found.items()} == {
        "dynamic_dropout1": (5, 6, 6, 8),
        "dynamic_dropout2": (5, 3, 3, 5),
    }
    layer = model.get_layer("dynamic_dropout2")
    before = keras.Model(model.input, layer.input)(random_pixels(count=5))
    expected = array_of(layer.mask(before))
    np.testing.assert_allclose(found["dynamic_dropout2"], expected, rtol=1e-4, atol=1e-5)
    assert 0 < np.mean(expected == 0) < 1


def test_a_model_without_masks_is_refused():
    with pytest.raises(ValueError, match="No layer of 'stress_net' has a mask: none is a Dynamic"):
        masks_of(build_stress_net(dropout="standard", **SMALL), random_pixels())


def test_the_fused_form_gives_the_same_logits():
    fused, two = (build_stress_net(fused=fused, **SMALL) for fused in (True, False))
    two.set_weights(fused.get_weights())
    found, expected = (array_of(model(random_pixels())) for model in (fused, two))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_it_learns_which_half_is_warm():
    keras.utils.set_random_seed(3)
    labels = np.arange(32)[:, None] % 2
    pixels = random_pixels(count=32) / 2
    for image, label in zip(pixels, labels[:, 0], strict=True):
        image[24 * label : 24 * label + 24] += 120
    model = compiled(build_stress_net(**SMALL), 0.01)
    model.fit(pixels, labels, epochs=25, batch_size=16, verbose=0)
    assert np.mean((array_of(model(pixels)) > 0) == labels) == 1


def test_logits_are_single_precision_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_stress_net(**SMALL)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert keras.backend.standardize_dtype(model(random_pixels()).dtype) == "float32"
    assert model.get_layer("dynamic_dropout1").compute_dtype == "float16"
    assert {mask.dtype.name for mask in masks_of(model, random_pixels()).values()} == {"float32"}


@pytest.mark.parametrize("activation", ["gelu", "prelu"])
def test_a_saved_network_loads_with_its_masks(activation, tmp_path):
    model = compiled(build_stress_net(activation=activation, **SMALL))
    model.fit(random_pixels(), np.arange(4)[:, None] % 2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found, expected = (array_of(one(random_pixels())) for one in (loaded, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for name, mask in masks_of(loaded, random_pixels()).items():
        np.testing.assert_array_equal(mask, masks_of(model, random_pixels())[name])


def test_exported_networks_give_what_the_network_gives(tmp_path):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("tf2onnx")
    from affectkeras.export import check_exports, export_litert, export_onnx, export_saved_model

    keras.utils.set_random_seed(0)
    names = ("calm", "tense", "stressed")
    model = build_stress_net(names, **{**SMALL, "image_size": 16, "channels": 3})
    export_saved_model(model, tmp_path / "saved", class_names=names, image_size=(16, 16))
    export_litert(model, tmp_path / "model.tflite")
    export_onnx(model, tmp_path / "model.onnx")
    found = check_exports(
        model,
        image_size=(16, 16),
        saved_model=tmp_path / "saved",
        litert=tmp_path / "model.tflite",
        onnx=tmp_path / "model.onnx",
    )
    assert set(found) == {"saved_model", "litert", "onnx"}


def test_pruning_takes_shallow_maps_and_names_the_layers_it_does_not_know():
    model = build_stress_net(activation="relu", **SMALL)
    groups = {group.members[0][0]: group for group in find_groups(model)}
    free = [name for name, group in groups.items() if group.prunable]
    assert free == ["shallow1_conv", "shallow2_conv", "shallow3_conv"]
    for number in (1, 2):
        assert not any(name.startswith("dynamic") for name in groups)
        reason = groups[f"deep{number}_conv"].reason
        assert f"'dynamic_dropout{number}' (DynamicDropout), which pruning does not" in reason


def test_pruning_does_not_guess_at_an_activation_that_is_not_one_of_keras():
    groups = find_groups(build_stress_net(**SMALL))
    assert not any(group.prunable for group in groups)
    assert "the activation exact_gelu of 'shallow1_activation'" in groups[0].reason


def test_layers_with_masks_are_ours():
    model = build_stress_net(**SMALL)
    assert [layer.name for layer in model.layers if isinstance(layer, DynamicDropout)] == [
        "dynamic_dropout1",
        "dynamic_dropout2",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "`classes` must be at least 2. Received: classes=1"),
        ({"image_size": (48,)}, r"`image_size` must be one or two numbers .*image_size=\(48,\)"),
        ({"channels": 4}, "`channels` must be 1 or 3. Received: channels=4"),
        ({"dropout": "random"}, "`dropout` must be one of dynamic, none, .*: dropout='random'"),
        ({"activation": "tanh"}, "`activation` must be one of gelu, relu, prelu. .*'tanh'"),
        ({"shallow_widths": (8, 0, 8)}, r"`shallow_widths` must hold numbers .*\(8, 0, 8\)"),
        ({"deep_widths": ()}, r"`deep_widths` must hold numbers of at least 1. .*\(\)"),
        ({"shallow_strides": (2, 2)}, r"`shallow_strides` must hold one stride for each of 3 .*"),
        ({"mask_rate": 1.0}, r"`rate` must be in \[0, 1\). Received: rate=1.0"),
        ({"last_rate": -0.1}, r"`last_rate` must be in \[0, 1\). Received: last_rate=-0.1"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_stress_net(**arguments)
