import keras
import numpy as np
import pytest

from affectkeras.models.backbone_classifier import build_backbone_classifier
from affectkeras.reporting.rate_plot import draw_rates
from affectkeras.transfer import learning_rate_finder
from affectkeras.transfer.learning_rate_finder import find_learning_rate, read_curve
from affectkeras.transfer.stages import Stage, prepare_stage


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    prepare_stage(model, Stage("all", 0, 1, "all", 0.01), steps_per_epoch=1)
    return model


def batches(count=200):
    random = np.random.default_rng(0)
    for _ in range(count):
        x = random.normal(size=(16, 4)).astype("float32")
        yield x, np.eye(3, dtype="float32")[x[:, :3].argmax(axis=1)]


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [np.array(keras.ops.convert_to_numpy(one)) for one in variables]


def test_the_curve_falls_and_then_leaves_its_lowest_loss_behind():
    curve = find_learning_rate(small_model(), batches(), lowest=1e-5, highest=100.0)
    assert curve.rates[0] == 1e-5
    assert 1e-3 < curve.suggestion < 1.0
    assert curve.suggestion == pytest.approx(curve.lowest / 10)
    assert curve.steepest < curve.lowest
    assert curve.losses[-1] > curve.losses[0]


def test_the_rates_grow_by_the_same_factor_from_the_lowest_to_the_highest():
    curve = find_learning_rate(small_model(), batches(), lowest=1e-6, highest=1e-2, steps=21)
    np.testing.assert_allclose(curve.rates, np.logspace(-6, -2, 21), rtol=1e-9)


def test_weights_statistics_seeds_and_optimizer_are_exactly_as_before():
    model = small_model()
    model.fit(*next(batches()), verbose=0)
    before = state_of(model)
    find_learning_rate(model, batches(), steps=20)
    for value, now in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(value, now)


def test_metrics_of_a_search_on_a_new_model_are_empty():
    model = small_model()
    find_learning_rate(model, batches(), steps=20)
    assert all(not np.any(keras.ops.convert_to_numpy(one)) for one in model.metrics_variables)
    assert model.metrics_variables


def test_a_training_after_a_search_goes_as_one_without():
    found = []
    for searched in (False, True):
        model = small_model()
        if searched:
            find_learning_rate(model, batches(), steps=20)
        for x, y in batches(5):
            model.train_on_batch(x, y)
        found.append(state_of(model))
    for value, now in zip(*found, strict=True):
        np.testing.assert_array_equal(value, now)


def test_everything_is_put_back_also_where_an_error_ends_the_search():
    model = small_model()
    model.fit(*next(batches()), verbose=0)
    before = state_of(model)

    def failing():
        yield from batches(5)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        find_learning_rate(model, failing())
    for value, now in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(value, now)


def test_several_rates_keep_their_ratios(monkeypatch):
    model = build_backbone_classifier("mobilenet_0.25", 3, 32, "none", hidden=4)
    prepare_stage(model, Stage("all", 0, 1, "all", 0.01, block_rate=0.5), steps_per_epoch=1)
    seen = []

    def note(inputs, targets, return_dict):
        rates = [float(part.learning_rate) for part in model.optimizer.optimizers]
        seen.append(sorted(rates, reverse=True))
        return {"loss": 1.0}

    monkeypatch.setattr(model, "train_on_batch", note)
    find_learning_rate(model, [(None, None)] * 12, lowest=0.1, highest=0.2, steps=12)
    # The head, then the five blocks from the last to the first.
    np.testing.assert_allclose(seen[0], [0.1 / 2**k for k in range(6)], rtol=1e-6)
    np.testing.assert_allclose(seen[-1], [0.2 / 2**k for k in range(6)], rtol=1e-6)


def test_the_search_ends_at_a_loss_that_is_no_number(monkeypatch):
    model = small_model()
    losses = iter([1.0] * 15 + [float("nan")] + [1.0] * 50)
    monkeypatch.setattr(model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    assert len(find_learning_rate(model, batches()).losses) == 15


def test_the_search_ends_once_the_loss_is_far_above_its_lowest(monkeypatch):
    model = small_model()
    losses = iter([1.0] * 15 + [100.0] * 50)
    monkeypatch.setattr(model, "train_on_batch", lambda *_, **__: {"loss": next(losses)})
    # The running mean of 15 ones and a hundred is above 4.
    assert len(find_learning_rate(model, batches()).losses) == 16


def test_a_hand_made_valley_suggests_a_tenth_of_its_ground(monkeypatch):
    monkeypatch.setattr(learning_rate_finder, "WIDTH", 1e-3)  # no smoothing
    rates = [10.0**k for k in range(-8, 3)]
    losses = [2.0, 2.0, 2.0, 1.9, 1.2, 1.0, 0.9, 1.5, 3.0, 5.0, 9.0]
    curve = read_curve(rates, losses)
    assert curve.lowest == pytest.approx(1e-2)
    assert curve.suggestion == pytest.approx(1e-3)
    assert curve.steepest == pytest.approx(1e-5)  # from 1.9 to 1.2


def test_a_loss_that_never_falls_suggests_nothing():
    curve = read_curve([10.0**k for k in range(-8, 3)], [1.0] * 5 + [2.0] * 6)
    assert curve.suggestion is None
    assert curve.steepest is None


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="at least 10 steps with a finite loss. Received: 4"):
        find_learning_rate(small_model(), batches(4))


def test_rates_out_of_order_are_refused():
    with pytest.raises(ValueError, match="below `highest`. Received: lowest=0.1, highest=0.01"):
        find_learning_rate(small_model(), batches(), lowest=0.1, highest=0.01)


def test_a_schedule_is_refused():
    model = small_model()
    prepare_stage(model, Stage("all", 0, 1, "all", 0.1, schedule="cosine"), steps_per_epoch=9)
    with pytest.raises(ValueError, match="constant rate. Received: a schedule"):
        find_learning_rate(model, batches())


def test_the_picture_marks_what_is_suggested():
    import pandas as pd

    curve = pd.DataFrame({"rate": [1e-4, 1e-3], "loss": [2.0, 1.0], "smoothed": [1.8, 1.2]})
    figure = draw_rates(curve, suggestion=1e-3, steepest=None)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["loss of a batch", "smoothed", "suggested 1.0e-03"]
