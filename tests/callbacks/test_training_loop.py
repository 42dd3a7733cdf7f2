import csv
import warnings

import keras
import numpy as np
import pytest

from affectkeras.callbacks.training_loop import fit_epochs
from affectkeras.callbacks.training_state import TrainingState
from affectkeras.pipelines.sampler import RowSampler
from tests.callbacks.tiny_training import batches_of, build_model, make_data


class RemoveAt(keras.callbacks.Callback):
    """Removes rows at the end of an epoch (counted from 0)."""

    def __init__(self, sampler, plan):
        super().__init__()
        self.sampler, self.plan = sampler, plan

    def on_epoch_end(self, epoch, logs=None):
        if epoch in self.plan:
            self.sampler.remove(self.plan[epoch])


class StopAt(keras.callbacks.Callback):
    """Asks for the end of the training at an epoch's end, as EarlyStopping does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.epoch


class CountCalls(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.begun, self.ended, self.iterations = 0, 0, []

    def on_train_begin(self, logs=None):
        self.begun += 1

    def on_train_end(self, logs=None):
        self.ended += 1

    def on_epoch_end(self, epoch, logs=None):
        self.iterations.append(int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)))


def train(plan, callbacks=(), *, epochs=5, model=None, make=batches_of, **options):
    features, labels = make_data()
    sampler = RowSampler(np.arange(37), seed=0, batch_size=8)
    seen = []
    history = fit_epochs(
        model or build_model(),
        make(sampler, features, labels, seen),
        sampler,
        first_epoch=0,
        last_epoch=epochs,
        callbacks=[RemoveAt(sampler, plan), *callbacks],
        verbose=0,
        **options,
    )
    return history, seen, sampler


def tensorflow_batches(sampler, features, labels, seen):
    """A stream as the image pipeline builds it: epoch → rows → batches, with prefetching."""
    tf = pytest.importorskip("tensorflow")

    def fetch(rows):
        seen.append((None, rows))
        return features[rows], labels[rows]

    def batches(rows):
        return tf.data.Dataset.from_tensor_slices(rows).batch(sampler.batch_size)

    def make_dataset(first, last):
        stream = tf.data.Dataset.range(first, last).flat_map(
            lambda epoch: batches(tf.numpy_function(sampler.order, [epoch], tf.int64))
        )

        def load(rows):
            pixels, classes = tf.numpy_function(fetch, [rows], [tf.float32, tf.int64])
            return tf.ensure_shape(pixels, (None, 4)), tf.ensure_shape(classes, (None,))

        return stream.map(load).prefetch(2)

    return make_dataset


def test_after_a_removal_exactly_the_remaining_rows_flow():
    gone = np.arange(10)
    _, seen, sampler = train({1: gone})
    # A generator is read ahead by a batch; of each epoch the last reading is the one trained.
    for epoch in range(5):
        rows = np.concatenate([rows for number, rows in seen if number == epoch])
        expected = 37 if epoch < 2 else 27
        assert sorted(rows[-expected:]) == list(range(37 - expected, 37))
        assert np.array_equal(
            rows[-expected:],
            RowSampler(np.arange(37 - expected, 37), seed=0, batch_size=8).order(epoch),
        )
    assert sampler.steps == 4


@pytest.mark.parametrize("make", [batches_of, tensorflow_batches])
def test_history_has_one_row_per_epoch_and_no_warning_is_given(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history, _, _ = train({1: np.arange(10), 4: [20]}, make=make, stage="all")
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [row["rows"] for row in history] == [37, 37, 27, 27, 27]
    assert [row["step"] for row in history] == [5, 10, 14, 18, 22]
    assert {row["stage"] for row in history} == {"all"}
    assert all(np.isfinite(row["loss"]) and 0 <= row["accuracy"] <= 1 for row in history)
    assert all(row["seconds"] > 0 for row in history)


def test_the_optimizer_goes_on_over_a_removal_and_callbacks_see_one_training():
    counter = CountCalls()
    history, _, _ = train({0: [1], 2: np.arange(10, 30)}, [counter])
    assert counter.iterations == [row["step"] for row in history]
    assert (counter.begun, counter.ended) == (1, 1)


def test_several_steps_in_a_call_give_the_same_weights_and_history():
    # 40 rows are 5 steps, 32 are 4, 24 are 3: called 5, 4, and 3 at a time.
    def train_on(steps_per_call):
        features, labels = make_data()
        features, labels = np.tile(features, (2, 1))[:40], np.tile(labels, 2)[:40]
        sampler, calls = RowSampler(np.arange(40), seed=0, batch_size=8), []
        model = build_model()
        counting = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda b, logs: calls.append(b)
        )
        history = fit_epochs(
            model,
            batches_of(sampler, features, labels),
            sampler,
            first_epoch=0,
            last_epoch=6,
            callbacks=[RemoveAt(sampler, {1: np.arange(8), 3: np.arange(8, 16)}), counting],
            validation_data=(features[:20], labels[:20]),
            steps_per_call=steps_per_call,
            verbose=0,
        )
        return model, [{**row, "seconds": 0} for row in history], calls

    one, history, calls = train_on(1)
    many, same_history, few_calls = train_on(16)
    assert history == same_history
    assert [row["rows"] for row in history] == [40, 40, 32, 32, 24, 24]
    assert len(calls) == 2 * (5 + 4 + 3)
    assert few_calls == [4, 4, 3, 3, 2, 2]
    for left, right in zip(one.variables, many.variables, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())


def test_an_epoch_that_no_number_of_steps_divides_runs_step_by_step():
    model = build_model()
    features, labels = make_data()
    sampler = RowSampler(np.arange(37), seed=0, batch_size=8)
    make = batches_of(sampler, features, labels)
    given = {"first_epoch": 0, "last_epoch": 1, "steps_per_call": 4, "verbose": 0}
    fit_epochs(model, make, sampler, **given)
    assert model.steps_per_execution == 1  # of 5 steps


def test_removing_no_rows_gives_the_weights_of_a_single_fit():
    model, peer = build_model(), build_model()
    train({}, model=model)
    features, labels = make_data()
    sampler = RowSampler(np.arange(37), seed=0, batch_size=8)
    peer.fit(batches_of(sampler, features, labels)(0, 5), steps_per_epoch=5, epochs=5, verbose=0)
    for ours, theirs in zip(model.get_weights(), peer.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts tf.function traces")
def test_a_fresh_dataset_does_not_trace_the_train_step_again():
    model = build_model()
    traces = []
    train_step = model.train_step

    def counted(data):
        traces.append(1)
        return train_step(data)

    model.train_step = counted
    train({}, model=model, epochs=2, make=tensorflow_batches)
    before = len(traces)
    assert before >= 1
    train({0: np.arange(10), 1: [30]}, model=model, epochs=4, make=tensorflow_batches)
    assert len(traces) == before


def test_a_stop_without_removal_ends_the_training():
    history, _, _ = train({0: [1]}, [StopAt(2)])
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_a_stop_in_the_epoch_of_a_removal_ends_the_training_too():
    history, _, sampler = train({2: [1]}, [StopAt(2)])
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert len(sampler.rows) == 36


def test_early_stopping_keeps_its_patience_over_a_removal():
    # The watched value never falls below the baseline: patience 3 lasts for three epochs.
    stopping = keras.callbacks.EarlyStopping("accuracy", mode="min", patience=3, baseline=-1.0)
    history, _, _ = train({0: [1], 1: [2], 2: [3]}, [stopping], epochs=10)
    assert len(history) == 3


def test_a_csv_log_is_not_begun_again_after_a_removal(tmp_path):
    train({0: [1], 2: [2]}, [keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))])
    with open(tmp_path / "log.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4"]


def test_validation_runs_every_epoch():
    features, labels = make_data()
    history, _, _ = train({1: [1]}, validation_data=(features, labels))
    assert all(0 <= row["val_accuracy"] <= 1 and np.isfinite(row["val_loss"]) for row in history)


def test_a_dataset_with_too_few_batches_is_an_error():
    def short(sampler, features, labels, seen):
        return lambda first, last: batches_of(sampler, features, labels)(first, last - 1)

    with pytest.raises(ValueError, match=r"make_dataset\(0, 3\)` must give 5 batches"):
        train({}, epochs=3, make=short)


def test_saving_before_removing_is_refused(tmp_path):
    removal = StopAt(9)
    state = TrainingState(tmp_path / "c.npz", {"removal": removal}, [])
    with pytest.raises(ValueError, match="TrainingState after the callbacks .* StopAt after it"):
        train({}, [state, removal])


def test_no_epochs_train_nothing():
    assert train({}, epochs=0)[0] == []
