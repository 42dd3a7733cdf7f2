import re

import keras
import numpy as np
import pandas as pd
import pytest

from affectkeras.fold_training import FoldJob, FoldPlan, set_weights, train_folds
from affectkeras.models.bvp_lstm import build_bvp_lstm
from affectkeras.models.sensor_fusion import FUSIONS, build_sensor_fusion
from affectkeras.pipelines.sampler import RowSampler


def small_lstm(**changed):
    return build_bvp_lstm(**{"seconds": 4, "rate": 8, "hidden_size": 6, **changed})


def small_fusion(**changed):
    sizes = {"filters": 4, "dense": 8, "fusion": "shared"}
    return build_sensor_fusion(12, (2, 1), 3, **{**sizes, **changed})


def random_rows(model, rows=60, seed=3):
    """Return inputs and labels that a network can learn; the first class is the rarest."""
    classes = model.output_shape[-1]
    generator = np.random.default_rng(seed)
    labels = np.minimum(generator.integers(1, classes + 3, rows) - 1, classes - 1)
    inputs = generator.normal(1, 2, (rows, *model.input_shape[1:]))
    inputs += 0.8 * labels[:, None, None]
    return inputs.astype("float32"), labels


def leave_out(rows, *tests):
    """Return a job for each test part, trained on all other rows."""
    return [
        FoldJob(np.setdiff1d(np.arange(rows), test), test, f"fold {number}")
        for number, test in enumerate(tests)
    ]


def weights_by_hand(labels, classes):
    counts = [max(1, (labels == name).sum()) for name in range(classes)]
    return {name: len(labels) / (classes * counts[name]) for name in range(classes)}


def fit_alone(model, inputs, labels, job, plan):
    """Train a copy by Keras's own `fit` on the same batches; return weights, logs and softmax."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(inputs[job.train])
    steps = -(-len(job.train) // plan.batch_size)
    rate = plan.learning_rate
    if plan.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps * plan.epochs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    copy.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    sampler = RowSampler(job.train, seed=plan.seed, batch_size=plan.batch_size)
    balance = weights_by_hand(labels[job.train], model.output_shape[-1])
    logs = []
    for epoch in range(plan.epochs):
        rows = sampler.order(epoch)
        history = copy.fit(
            inputs[rows],
            labels[rows],
            batch_size=plan.batch_size,
            shuffle=False,
            class_weight=balance if plan.balanced else None,
            verbose=0,
        ).history
        logs.append((epoch, history["loss"][0], history["accuracy"][0]))
    logits = copy.predict(inputs[job.predict], verbose=0)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    return (
        copy.get_weights(),
        pd.DataFrame(logs, columns=["epoch", "loss", "accuracy"]),
        probabilities,
    )


def check_equal(outcome, expected, tolerance):
    weights, logs, probabilities = expected
    for found, wanted in zip(outcome.weights, weights, strict=True):
        if found.ndim:  # not Normalization's count, which Keras does not use
            np.testing.assert_allclose(found, wanted, atol=tolerance, rtol=1e-4)
    np.testing.assert_allclose(outcome.history["loss"], logs["loss"], rtol=1e-4)
    np.testing.assert_allclose(outcome.history["accuracy"], logs["accuracy"], atol=1e-6)
    np.testing.assert_allclose(outcome.probabilities, probabilities, atol=tolerance)


# 60 rows in batches of 16: folds of 4 and 2 steps, the last of them of 2 and 16 rows.
PARTS = (np.arange(10), np.arange(18, 46))
PLAN = FoldPlan(2, 16, 3e-3, schedule="cosine", seed=5)


@pytest.mark.parametrize("fusion", [None, *FUSIONS])
def test_folds_trained_together_end_where_keras_ends(fusion):
    keras.utils.set_random_seed(1)
    model = small_fusion(fusion=fusion) if fusion else small_lstm()
    inputs, labels = random_rows(model)
    jobs = leave_out(60, *PARTS)
    outcomes = train_folds(model, inputs, labels, jobs, PLAN)
    for job, outcome in zip(jobs, outcomes, strict=True):
        assert outcome.name == job.name
        assert outcome.way == "together"
        check_equal(outcome, fit_alone(model, inputs, labels, job, PLAN), 2e-5)


@pytest.mark.parametrize("depth", [{"pool": 2}, {"batch_normalization": False, "dropout": 0.3}])
def test_a_fold_is_the_same_alone_as_together(depth):
    keras.utils.set_random_seed(1)
    model = small_fusion(**depth)
    inputs, labels = random_rows(model)
    jobs = leave_out(60, *PARTS)
    outcomes = train_folds(model, inputs, labels, jobs, PLAN)
    for job, outcome in zip(jobs, outcomes, strict=True):
        (alone,) = train_folds(model, inputs, labels, [job], PLAN)
        expected = (alone.weights, alone.history, alone.probabilities)
        check_equal(outcome, expected, 1e-5)


def test_a_whole_training_predicts_as_keras_does():
    keras.utils.set_random_seed(2)
    model = small_lstm()
    inputs, labels = random_rows(model, rows=150)
    (job,) = leave_out(150, np.arange(30))
    plan = FoldPlan(15, 32, 3e-3, balanced=False)
    (outcome,) = train_folds(model, inputs, labels, [job], plan)
    _, logs, probabilities = fit_alone(model, inputs, labels, job, plan)
    np.testing.assert_allclose(outcome.probabilities, probabilities, atol=1e-3)
    assert outcome.history["loss"].iloc[-1] < 0.7 * outcome.history["loss"].iloc[0]
    np.testing.assert_allclose(outcome.history["loss"], logs["loss"], rtol=1e-3)
    assert outcome.history["epoch"].tolist() == list(range(15))


def test_lots_of_folds_and_all_at_once_end_alike():
    model = small_lstm()
    inputs, labels = random_rows(model)
    jobs = leave_out(60, *PARTS, np.arange(10, 18), np.arange(46, 60), np.arange(3))
    whole = train_folds(model, inputs, labels, jobs, PLAN)
    told = []
    lots = train_folds(
        model, inputs, labels, jobs, PLAN, together=2, on_epoch=lambda *done: told.append(done)
    )
    assert told == [(number, 6) for number in range(1, 7)]
    for one, other in zip(whole, lots, strict=True):
        assert one.name == other.name
        check_equal(one, (other.weights, other.history, other.probabilities), 1e-6)


def test_the_same_seed_gives_the_same_and_another_seed_something_else():
    model = small_fusion(dropout=0.2)
    inputs, labels = random_rows(model)
    jobs = leave_out(60, *PARTS)
    first, again = (train_folds(model, inputs, labels, jobs, PLAN) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        for found, wanted in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        pd.testing.assert_frame_equal(one.history, other.history)
    changed = FoldPlan(2, 16, 3e-3, schedule="cosine", seed=6)
    other = train_folds(model, inputs, labels, jobs, changed)
    assert np.abs(first[0].probabilities - other[0].probabilities).max() > 1e-4


def test_a_model_built_alike_starts_at_its_own_weights():
    keras.utils.set_random_seed(1)
    one, other = small_fusion(fusion="sensor"), small_fusion(fusion="sensor")
    inputs, labels = random_rows(one)
    jobs = leave_out(60, PARTS[0])
    found = [train_folds(model, inputs, labels, jobs, PLAN)[0] for model in (one, other, one)]
    np.testing.assert_array_equal(found[0].probabilities, found[2].probabilities)
    assert np.abs(found[0].probabilities - found[1].probabilities).max() > 1e-3
    check_equal(found[1], fit_alone(other, inputs, labels, jobs[0], PLAN), 2e-5)


def test_the_model_itself_is_left_as_it_was():
    model = small_fusion()
    before = model.get_weights()
    inputs, labels = random_rows(model)
    train_folds(model, inputs, labels, leave_out(60, *PARTS), PLAN)
    for found, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_frozen_weights_stay():
    model = small_fusion(fusion="early")
    model.get_layer("conv1").trainable = False
    inputs, labels = random_rows(model)
    (outcome,) = train_folds(model, inputs, labels, leave_out(60, PARTS[0]), PLAN)
    started = {one.path: one.numpy() for one in model.weights}
    ended = dict(zip(started, outcome.weights, strict=True))
    np.testing.assert_array_equal(ended["conv1/kernel"], started["conv1/kernel"])
    assert np.abs(ended["conv2/kernel"] - started["conv2/kernel"]).max() > 1e-3


def test_the_weights_of_an_outcome_predict_what_it_predicted(tmp_path):
    model = small_fusion()
    inputs, labels = random_rows(model)
    (job,) = leave_out(60, PARTS[0])
    (outcome,) = train_folds(model, inputs, labels, [job], PLAN)
    # Traced before: the old statistics must not stay in it.
    model.predict(inputs, verbose=0)
    set_weights(model, outcome.weights)
    model.save(tmp_path / "model.keras")
    for one in (model, keras.models.load_model(tmp_path / "model.keras")):
        logits = one.predict(inputs[job.predict], verbose=0)
        softmax = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        np.testing.assert_allclose(softmax, outcome.probabilities, atol=1e-6)
    mean = model.get_layer("normalization").get_weights()[0]
    np.testing.assert_allclose(mean, inputs[job.train].mean((0, 1)), rtol=1e-5)


def test_a_job_may_predict_nothing():
    model = small_lstm()
    inputs, labels = random_rows(model)
    jobs = [FoldJob(np.arange(50), [], "none"), FoldJob(np.arange(40), [7, 7, 3], "some")]
    none, some = train_folds(model, inputs, labels, jobs, PLAN)
    assert none.probabilities.shape == (0, 2)
    assert some.probabilities.shape == (3, 2)
    np.testing.assert_array_equal(some.probabilities[0], some.probabilities[1])
    np.testing.assert_allclose(some.probabilities.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"jobs": []}, "`jobs` must hold at least one job."),
        ({"jobs": [FoldJob([], [1], "empty")]}, "Job 'empty' has no rows to train on."),
        (
            {"jobs": [FoldJob([0, 60], [1], "far")]},
            "Job 'far': `train` must hold rows from 0 to 59. Received: 0 to 60",
        ),
        (
            {"jobs": [FoldJob([0], [-1], "below")]},
            "Job 'below': `predict` must hold rows from 0 to 59. Received: -1 to -1",
        ),
        (
            {"jobs": [FoldJob([0.5], [1], "half")]},
            "Job 'half': `train` must be a list of row numbers. Received: float64 of shape (1,)",
        ),
        ({"jobs": [FoldJob([3, 3], [1], "twice")]}, "`rows` must hold each row once."),
        ({"inputs": np.zeros((60, 4, 7))}, "`inputs` must be rows of what the model takes, (4, 8)"),
        ({"labels": np.zeros(59, int)}, "`labels` must be a whole number for each of 60 rows."),
        ({"labels": np.full(60, 2)}, "`labels` must be from 0 to 1. Received: 2 to 2"),
        ({"together": 0}, "`together` must be at least 1. Received: together=0"),
    ],
)
def test_arguments_that_do_not_fit_are_named(changed, message):
    model = small_lstm()
    inputs, labels = random_rows(model)
    arguments = {
        "inputs": inputs,
        "labels": labels,
        "jobs": leave_out(60, PARTS[0]),
        "plan": PLAN,
        **changed,
    }
    with pytest.raises(ValueError, match=re.escape(message)):
        train_folds(model, **arguments)
