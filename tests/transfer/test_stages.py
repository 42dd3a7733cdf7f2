import keras
import numpy as np
import pytest

from affectkeras.models.backbone_classifier import (
    backbone_of,
    build_backbone_classifier,
    build_head,
    head_of,
)
from affectkeras.transfer.stages import (
    Stage,
    build_optimizer,
    cosine_plan,
    find_blocks,
    paper_plan,
    prepare_stage,
    staged_plan,
)
from affectkeras.transfer.zoo import build_backbone, find_backbone


@pytest.fixture(scope="module")
def classifier():
    model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none", dropout=(0, 0), hidden=4)
    # One pass that sets the statistics: with those of a new network the signal dies on its way.
    for layer in normalizations(model):
        layer.momentum = 0.0
    model(small_data()[0], training=True)
    for layer in normalizations(model):
        layer.momentum = 0.99
    return model


def small_data():
    images = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    return images, np.eye(3, dtype="float32")[np.arange(8) % 3]


def values_of(variables):
    # Copied: on the TensorFlow backend the array may be the variable's own memory.
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def normalizations(model):
    return [
        layer
        for layer in backbone_of(model).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def test_paper_plan_trains_all_layers_at_one_constant_rate():
    assert paper_plan(12) == (Stage("all", 0, 12, "all", 1e-4),)


def test_staged_plan_of_nine_epochs_gives_the_head_the_first_three():
    stages = staged_plan(9, 1e-3, unfreeze=(2, "all"))
    spans = [(stage.name, stage.first_epoch, stage.last_epoch) for stage in stages]
    assert spans == [("head", 0, 3), ("last-2", 3, 6), ("all", 6, 9)]


@pytest.mark.parametrize("epochs", range(1, 14))
@pytest.mark.parametrize("unfreeze", [("all",), (1, "all"), (1, 2, 3)])
def test_every_plan_partitions_the_epochs(epochs, unfreeze):
    for plan in (
        paper_plan(epochs),
        cosine_plan(epochs, 1e-3),
        staged_plan(epochs, 1e-3, unfreeze=unfreeze),
    ):
        covered = [epoch for stage in plan for epoch in range(stage.first_epoch, stage.last_epoch)]
        assert covered == list(range(epochs))


def test_staged_plan_without_enough_epochs_keeps_the_last_steps():
    assert [stage.trainable for stage in staged_plan(2, 1e-3, unfreeze=(1, "all"))] == [
        "head",
        "all",
    ]


def test_head_stage_changes_the_head_and_nothing_of_the_backbone(classifier):
    prepare_stage(classifier, Stage("head", 0, 1, "head", 0.01), steps_per_epoch=1)
    backbone, head = (
        values_of(backbone_of(classifier).weights),
        values_of(head_of(classifier).weights),
    )
    classifier.fit(*small_data(), batch_size=8, verbose=0)
    after = values_of(backbone_of(classifier).weights)
    assert all(np.array_equal(a, b) for a, b in zip(backbone, after, strict=True))
    after = values_of(head_of(classifier).weights)
    assert not any(np.array_equal(a, b) for a, b in zip(head, after, strict=True))


def test_unfrozen_stage_trains_convolutions_but_keeps_normalization_still(classifier):
    stage = Stage("all", 0, 1, "all", 0.01, freeze_normalization=True)
    prepare_stage(classifier, stage, steps_per_epoch=1)
    still = [layer.weights for layer in normalizations(classifier)]
    before = [values_of(weights) for weights in still]
    first = backbone_of(classifier).get_layer("conv1").kernel
    kernel = values_of([first])[0]
    classifier.fit(*small_data(), batch_size=8, verbose=0)
    for weights, values in zip(still, before, strict=True):
        for value, now in zip(values, values_of(weights), strict=True):
            np.testing.assert_array_equal(value, now)
    assert not np.array_equal(kernel, values_of([first])[0])


def test_paper_stage_updates_normalization_statistics(classifier):
    prepare_stage(classifier, paper_plan(1)[0], steps_per_epoch=1)
    moving = normalizations(classifier)[0].moving_mean
    before = values_of([moving])[0]
    classifier.fit(*small_data(), batch_size=8, verbose=0)
    assert not np.array_equal(before, values_of([moving])[0])


def test_whole_network_trains_again_after_a_stage_with_frozen_parts(classifier):
    everything = 85  # 27 normalisations of 2, 27 kernels, 4 in the head
    prepare_stage(classifier, Stage("last", 0, 1, 1, 0.01, freeze_normalization=True), 1)
    assert len(classifier.trainable_variables) < everything
    prepare_stage(classifier, paper_plan(1)[0], steps_per_epoch=1)
    assert len(classifier.trainable_variables) == everything


def test_last_blocks_stage_trains_exactly_those_blocks(classifier):
    prepare_stage(classifier, Stage("last", 0, 1, 2, 0.01), steps_per_epoch=1)
    blocks = find_blocks(backbone_of(classifier))
    expected = [
        variable.path
        for block in blocks[-2:]
        for layer in block
        for variable in layer.trainable_variables
    ]
    expected += [variable.path for variable in head_of(classifier).trainable_variables]
    found = [variable.path for variable in classifier.trainable_variables]
    assert sorted(found) == sorted(expected)
    assert "conv_dw_6/kernel" in found
    assert "conv_pw_5/kernel" not in found


def test_more_blocks_than_there_are_is_refused(classifier):
    with pytest.raises(ValueError, match="at most the 5 blocks .* Received: trainable=6"):
        prepare_stage(classifier, Stage("last", 0, 1, 6, 0.01), steps_per_epoch=1)


def test_every_stage_gets_a_new_optimizer_that_is_already_built(classifier):
    prepare_stage(classifier, Stage("head", 0, 1, "head", 0.01), steps_per_epoch=1)
    first = classifier.optimizer
    assert len(first.variables) == 2 + 2 * 4
    prepare_stage(classifier, Stage("all", 1, 2, "all", 0.01), steps_per_epoch=1)
    assert classifier.optimizer is not first


def test_first_adam_step_moves_head_and_backbone_by_their_own_rates(classifier):
    # Adam's first step is rate · g / (|g| + ε): the rate itself, against the gradient's sign.
    stage = Stage("all", 0, 1, "all", 0.5, backbone_rate=0.125)
    prepare_stage(classifier, stage, steps_per_epoch=1)
    variables = classifier.trainable_variables
    signs = [np.where(np.arange(v.shape[-1]) % 2, -1.0, 1.0).astype("float32") for v in variables]
    gradients = [
        np.broadcast_to(3 * sign, v.shape) for v, sign in zip(variables, signs, strict=True)
    ]
    before = values_of(variables)
    classifier.optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for variable, old, sign in zip(variables, before, signs, strict=True):
        rate = 0.5 if variable.path.startswith("head_") else 0.0625
        new = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(new - old, np.broadcast_to(-rate * sign, old.shape), atol=1e-5)


def test_optimizer_of_two_rates_survives_its_config():
    optimizer = build_optimizer(Stage("all", 0, 4, "all", 0.5, 0.125, "cosine"), 10)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


def test_cosine_stage_warms_up_for_an_epoch_and_ends_at_zero():
    (stage,) = cosine_plan(5, 0.8)
    rate = build_optimizer(stage, 10).get_config()["learning_rate"]
    schedule = keras.optimizers.schedules.deserialize(rate)
    found = [float(schedule(step)) for step in (0, 5, 10, 30, 50)]
    np.testing.assert_allclose(found, [0.0, 0.4, 0.8, 0.4, 0.0], atol=1e-6)


def test_cosine_stage_of_one_step_still_learns():
    (stage,) = cosine_plan(1, 0.8)
    rate = build_optimizer(stage, 1).get_config()["learning_rate"]
    schedule = keras.optimizers.schedules.deserialize(rate)
    assert float(schedule(0)) == pytest.approx(0.8)


def test_model_without_a_backbone_trains_as_a_whole():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    prepare_stage(model, Stage("all", 0, 1, "all", 0.1, backbone_rate=0.1), steps_per_epoch=1)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    with pytest.raises(ValueError, match="must be 'all' for a model without a backbone"):
        prepare_stage(model, Stage("head", 0, 1, "head", 0.1), steps_per_epoch=1)


def test_classes_train_by_cross_entropy_with_their_accuracy_beside_it():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    prepare_stage(model, paper_plan(1)[0], steps_per_epoch=1)
    x, targets = np.ones((2, 4), "float32"), np.eye(3, dtype="float32")[:2]
    found = model.evaluate(x, targets, return_dict=True, verbose=0)
    logits = model.predict(x, verbose=0)
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found["loss"] == pytest.approx(-np.log(likely[[0, 1], [0, 1]]).mean(), rel=1e-4)
    assert found["accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == [0, 1]))


def test_numbers_train_by_their_own_loss_without_an_accuracy():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    loss = keras.losses.MeanSquaredError()
    prepare_stage(model, paper_plan(1, 0.5)[0], steps_per_epoch=1, loss=loss)
    assert model.loss is loss
    x, targets, weights = np.ones((3, 4)), np.float32([[1], [2], [9]]), np.float32([1, 1, 0])
    found = model.evaluate(x, targets, sample_weight=weights, return_dict=True, verbose=0)
    assert found == {"loss": pytest.approx((1 + 4) / 3)}
    model.fit(x, targets, sample_weight=weights, verbose=0)
    # Adam's first step is the rate, towards the targets.
    for value in model.get_weights():
        np.testing.assert_allclose(value, 0.5, atol=1e-3)


def test_the_next_stage_of_numbers_keeps_to_the_loss_it_is_given(classifier):
    prepare_stage(classifier, paper_plan(1)[0], 1, loss=keras.losses.MeanAbsoluteError())
    assert isinstance(classifier.loss, keras.losses.MeanAbsoluteError)
    prepare_stage(classifier, paper_plan(1)[0], 1)
    assert isinstance(classifier.loss, keras.losses.CategoricalCrossentropy)


def test_weight_decay_takes_from_kernels_and_from_nothing_else():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, bias_initializer="ones")])
    model.add(keras.layers.BatchNormalization(beta_initializer="ones"))
    (stage,) = cosine_plan(3, 0.5, weight_decay=0.1)
    prepare_stage(model, stage, steps_per_epoch=2)
    before = values_of(model.trainable_variables)
    # Without gradients Adam stands still; its first steps warm up: 0, then half of the rate.
    for _ in range(2):
        model.optimizer.apply([np.zeros_like(value) for value in before])
    kernel, *others = zip(before, values_of(model.trainable_variables), strict=True)
    np.testing.assert_allclose(kernel[1], kernel[0] * (1 - 0.25 * 0.1), rtol=1e-5)
    for old, new in others:
        np.testing.assert_array_equal(new, old)


def test_both_rates_decay_and_neither_does_without_weight_decay():
    optimizer = build_optimizer(Stage("all", 0, 4, "all", 0.5, 0.125, weight_decay=0.01), 10)
    assert [part.weight_decay for part in optimizer.optimizers] == [0.01, 0.01]
    assert build_optimizer(Stage("all", 0, 4, "all", 0.5), 10).weight_decay is None


def test_two_rates_train_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        pixels = keras.Input((32, 32, 3))
        x = keras.layers.Conv2D(4, 3, strides=2)(pixels)
        backbone = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(x), name="backbone")
        images = keras.Input((32, 32, 3))
        model = keras.Model(images, build_head(4, 3, dropout=(0, 0), hidden=4)(backbone(images)))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    prepare_stage(model, Stage("all", 0, 1, "all", 0.01, 0.1), steps_per_epoch=1)
    model.optimizer.dynamic_scale.assign(1.0)  # it would skip steps until it is small enough
    before = values_of(model.trainable_variables)
    images, targets = small_data()
    model.fit(images / 255, targets, batch_size=8, verbose=0)
    steps = [
        np.abs(new - old).max()
        for new, old in zip(values_of(model.trainable_variables), before, strict=True)
    ]
    np.testing.assert_allclose(steps, [0.001, 0.001, 0.01, 0.01, 0.01, 0.01], rtol=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_epoch": 2}, "Received: first_epoch=2, last_epoch=2"),
        ({"trainable": 0}, "`trainable` must be .* Received: trainable=0"),
        ({"trainable": "top"}, "Received: trainable='top'"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0. Received: learning_rate=0.0"),
        ({"backbone_rate": -1.0}, "`backbone_rate` must be above 0"),
        ({"schedule": "linear"}, "Received: schedule='linear'"),
        ({"weight_decay": -0.1}, "`weight_decay` must be at least 0. Received: .*=-0.1"),
    ],
)
def test_stage_refuses_what_makes_no_sense(changes, message):
    arguments = {"name": "x", "first_epoch": 0, "last_epoch": 2, "trainable": "all"}
    with pytest.raises(ValueError, match=message):
        Stage(**{**arguments, "learning_rate": 0.1, **changes})


@pytest.mark.parametrize(
    ("name", "size", "first_of_each"),
    [
        ("mobilenet_0.25", 96, ["conv1", "conv_dw_2", "conv_dw_4", "conv_dw_6", "conv_dw_12"]),
        ("vgg16", 48, [f"block{block}_conv1" for block in (1, 2, 3, 4, 5)]),
        (
            "resnet50",
            64,
            ["conv1_conv", *(f"conv{stage}_block1_1_conv" for stage in (2, 3, 4, 5))],
        ),
    ],
)
def test_blocks_are_the_stages_of_the_papers(name, size, first_of_each):
    blocks = find_blocks(build_backbone(find_backbone(name), (size, size), "none"))
    first = [next(layer.name for layer in block if layer.weights) for block in blocks]
    assert first == first_of_each


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_v2_b0", "mobilenet_v2_0.35"])
def test_every_weight_of_a_backbone_stands_in_exactly_one_block(name):
    backbone = build_backbone(find_backbone(name), (64, 64), "none")
    layers = [layer for block in find_blocks(backbone) for layer in block]
    assert len({id(layer) for layer in layers}) == len(layers)
    without = [layer for layer in backbone.layers if layer not in layers]
    assert all(
        not layer.weights or isinstance(layer, keras.layers.Normalization) for layer in without
    )


def test_squeeze_and_excitation_stands_with_the_map_it_scales():
    backbone = build_backbone(find_backbone("mobilenet_v3_small"), (96, 96), "none")
    names = [[layer.name for layer in block] for block in find_blocks(backbone)]
    assert len(names) == 5
    assert "expanded_conv_squeeze_excite_conv" in names[1]  # 24×24, not 1×1
    assert "expanded_conv_3_squeeze_excite_conv_1" in names[3]


def test_first_adam_step_moves_every_block_by_the_rate_of_its_depth(classifier):
    stage = Stage("all", 0, 1, "all", 0.5, backbone_rate=0.5, block_rate=0.5)
    prepare_stage(classifier, stage, steps_per_epoch=1)
    variables = classifier.trainable_variables
    before = values_of(variables)
    ones = [keras.ops.ones(variable.shape) for variable in variables]
    classifier.optimizer.apply(ones, variables)
    # From the last block to the first: 0.5 × 0.5, and half of it for every block before.
    expected = {}
    for depth, block in enumerate(reversed(find_blocks(backbone_of(classifier)))):
        for layer in block:
            for variable in layer.trainable_variables:
                expected[variable.path] = 0.5 * 0.25 / 2**depth
    for variable, old in zip(variables, before, strict=True):
        rate = expected.get(variable.path, 0.5)
        new = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(new - old, -rate, atol=1e-5)
    assert len(expected) == len(variables) - 4


def test_blocks_that_are_frozen_need_no_rate(classifier):
    prepare_stage(classifier, Stage("last", 0, 1, 2, 0.5, block_rate=0.5), steps_per_epoch=1)
    rates = sorted(float(part.learning_rate) for part in classifier.optimizer.optimizers)
    assert rates == [0.125, 0.25, 0.5]


def test_a_model_trained_by_block_is_saved_and_goes_on(classifier, tmp_path):
    stage = Stage("all", 0, 1, "all", 0.01, schedule="cosine", block_rate=0.5)
    prepare_stage(classifier, stage, steps_per_epoch=4)
    images, targets = small_data()
    classifier.fit(images, targets, batch_size=8, verbose=0)
    classifier.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for model in (classifier, again):
        model.fit(images, targets, batch_size=8, verbose=0)
    for value, now in zip(classifier.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(value, now, atol=1e-5)


def test_a_block_rate_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"`block_rate` must be in \(0, 1\]. Received: .*=1.5"):
        Stage("all", 0, 1, "all", 0.1, block_rate=1.5)
