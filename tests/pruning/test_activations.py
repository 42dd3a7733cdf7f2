"""Plans by distinctiveness on models with planted copies and mirror images; the sweep."""

import keras
import numpy as np
import pytest

from affectkeras.pruning.activations import Activations
from affectkeras.pruning.errors import PruningError
from affectkeras.pruning.surgery import prune_model
from affectkeras.pruning.sweep import pareto, sweep_thresholds

IMAGES = np.random.default_rng(0).random((64, 12, 12, 3), dtype=np.float32)


def build(*, flatten: bool = False) -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="normalization")(x)
    x = keras.layers.Activation("sigmoid", name="activation")(x)
    x = keras.layers.MaxPooling2D(4)(x)
    if flatten:
        x = keras.layers.Dense(5, name="reader")(keras.layers.Flatten()(x))
    else:
        x = keras.layers.Conv2D(5, 1, name="reader")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, x)


def plant(model) -> None:
    """Make map 5 a copy of map 1."""
    kernel, bias = model.get_layer("first").get_weights()
    kernel *= 4
    kernel[..., 5], bias[5] = kernel[..., 1], bias[1]
    model.get_layer("first").set_weights([kernel, bias])


@pytest.mark.parametrize("flatten", [False, True])
def test_planted_copies_are_all_found_and_go_without_a_trace(flatten):
    model = build(flatten=flatten)
    plant(model)
    plan = Activations(model, ["first"]).gather([IMAGES]).plan(0.01)
    (layer,) = plan.layers
    assert layer.removed == (5,)
    assert [(one.source, one.target) for one in layer.merges] == [(5, 1)]
    pruned = prune_model(model, plan)
    difference = np.abs(pruned.predict(IMAGES, verbose=0) - model.predict(IMAGES, verbose=0))
    assert difference.max() < 1e-4


def test_planted_mirror_images_with_equal_outgoing_weights_go_without_a_trace():
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(6, 3, padding="same", name="first")(inputs)
    x = keras.layers.Activation("sigmoid")(x)
    x = keras.layers.Conv2D(4, 3, name="reader")(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    kernel, bias = model.get_layer("first").get_weights()
    kernel *= 4
    kernel[..., 4], bias[4] = -kernel[..., 2], -bias[2]
    model.get_layer("first").set_weights([kernel, bias])
    weights, bias = model.get_layer("reader").get_weights()
    weights[:, :, 4] = weights[:, :, 2]
    model.get_layer("reader").set_weights([weights, bias])

    plan = Activations(model, ["first"]).gather(np.array_split(IMAGES, 5)).plan(0.01)
    assert plan.layers[0].removed == (2, 4)
    assert not plan.layers[0].merges
    pruned = prune_model(model, plan)
    difference = np.abs(pruned.predict(IMAGES, verbose=0) - model.predict(IMAGES, verbose=0))
    assert difference.max() < 1e-4


def test_every_position_may_be_a_coordinate():
    model = build()
    means = Activations(model, ["first"]).gather([IMAGES]).moments(0)
    positions = Activations(model, ["first"], positions=True).gather([IMAGES]).moments(0)
    assert means.count == 64
    assert positions.count == 64 * 9
    np.testing.assert_allclose(means.means, positions.means, rtol=1e-5)


def test_maps_are_measured_where_they_are_read():
    model = build()
    read = keras.Model(model.input, model.get_layer("reader").input).predict(IMAGES, verbose=0)
    found = Activations(model, ["first"]).gather([IMAGES]).moments(0)
    np.testing.assert_allclose(found.means, read.mean(axis=(0, 1, 2)), rtol=1e-5)


def test_coupled_maps_of_a_residual_sum_are_measured_together():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 1, name="one")(inputs)
    x = keras.layers.Add()([x, keras.layers.Conv2D(4, 1, name="two")(x)])
    x = keras.layers.Conv2D(2, 1, name="three")(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    found = Activations(model).gather([IMAGES[:, :8, :8]])
    (group,) = found.groups
    assert [path for path, _ in group.members] == ["one", "two"]
    assert found.moments(0).count == 2 * 64  # read by two and by three
    prune_model(model, found.plan(60))


def test_a_layer_that_is_not_there_or_gives_the_outputs_is_refused():
    with pytest.raises(PruningError, match="no layer 'second' that makes maps. There are: first"):
        Activations(build(), ["second"])
    with pytest.raises(PruningError, match="Maps of 'reader' cannot be removed"):
        Activations(build(), ["reader"])


@pytest.mark.parametrize("scale", ["sum", "least-squares"])
def test_two_rounds_leave_what_pruning_twice_leaves(scale):
    model = build()
    kernel, bias = model.get_layer("first").get_weights()
    noise = np.random.default_rng(2).normal(0, 0.02, kernel[..., 1:6].shape)
    kernel[..., 1:6] = kernel[..., :1] + noise  # six maps that are nearly alike
    model.get_layer("first").set_weights([kernel, bias])
    gathered = Activations(model, ["first"]).gather([IMAGES])
    plan = gathered.plan(30, scale=scale, rounds=2)
    first = gathered.plan(30, scale=scale)
    assert 0 < len(first.layers[0].removed) < len(plan.layers[0].removed) < 8
    once = prune_model(model, first)
    again = Activations(once, ["first"]).gather([IMAGES])
    twice = prune_model(once, again.plan(30, scale=scale))
    together = prune_model(model, plan)
    expected = twice.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(together.predict(IMAGES, verbose=0), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layers", [["first"], None])
def test_a_sweep_tells_what_each_threshold_costs(layers):
    model = build()
    plant(model)
    labels = np.arange(64) % 5
    gathered = Activations(model, layers).gather([IMAGES])

    def score(outputs):
        return np.mean(outputs.argmax(axis=1) == labels)

    table = sweep_thresholds(gathered, [0.01, 0.02, 20, 60], IMAGES, score, latency_batch=4)
    assert [row.threshold for row in table] == [None, 0.01, 0.02, 20, 60]
    assert all(row.latency_ms > 0 for row in table)
    assert table[1].latency_ms == table[2].latency_ms  # the same maps go: one model for both
    del table[2]
    removed = [row.maps_removed for row in table]
    assert removed[:2] == [0, 1]
    assert removed == sorted(removed)
    assert table[0].score == table[1].score  # the copy took nothing with it
    assert [row.pareto for row in table][:2] == [False, True]
    for row in table[1:]:
        pruned = prune_model(model, gathered.plan(row.threshold))
        assert row.score == score(pruned.predict(IMAGES, verbose=0))
        assert row.parameters == pruned.count_params()


def test_twenty_thresholds_send_the_data_through_the_network_once(monkeypatch):
    passed = []
    predict = keras.Model.predict

    def counted(self, inputs, **options):
        if any(layer.name == "first" for layer in self.layers):
            passed.append(len(inputs))
        return predict(self, inputs, **options)

    monkeypatch.setattr(keras.Model, "predict", counted)
    gathered = Activations(build(), ["first"]).gather([IMAGES])
    rows = sweep_thresholds(gathered, np.arange(2, 82, 4), IMAGES, np.mean)
    assert len(rows) == 21
    assert len({row.maps_removed for row in rows}) > 2
    assert passed == [len(IMAGES)]


def test_rows_that_another_beats_are_not_pareto():
    sizes, scores = np.array([9, 5, 5, 3, 4]), np.array([0.8, 0.8, 0.7, 0.5, 0.4])
    assert pareto(sizes, scores).tolist() == [False, True, False, True, False]
