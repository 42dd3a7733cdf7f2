"""Pruning in place: what goes without a trace, what stays zero, and what a resumed run repeats."""

import keras
import numpy as np
import pytest

from affectkeras.callbacks.distinctiveness_pruning import DistinctivenessPruning
from affectkeras.callbacks.training_loop import fit_epochs
from affectkeras.callbacks.training_state import TrainingState, restore
from affectkeras.pipelines.sampler import RowSampler
from affectkeras.pruning.errors import PruningError
from tests.callbacks.pruned_training import (
    IMAGES,
    LABELS,
    ROWS,
    batches,
    compiled,
    fit,
    outputs_of,
    prune_now,
    six_blocks,
)


class Watch(keras.callbacks.Callback):
    """Notes after each batch whether a layer's rows are zero; stands after the pruning."""

    def __init__(self, pruning):
        super().__init__()
        self.pruning, self.zero = pruning, []

    def on_train_batch_end(self, batch, logs=None):
        for one in self.pruning.plan.layers:
            reader = {"module4_conv": "module5_conv"}[one.layer]
            kernel = keras.ops.convert_to_numpy(self.model.get_layer(reader).kernel)
            self.zero.append(not kernel[..., list(one.removed), :].any())


def test_two_prunings_hold_what_went_and_the_second_leaves_the_first_alone(tmp_path):
    model = six_blocks()
    pruning = DistinctivenessPruning(batches, {2: 70, 4: 85}, layers=["module4_conv"])
    watch = Watch(pruning)
    fit(model, [pruning, watch], last=5)
    assert [epoch for epoch, _ in pruning.plans] == [2, 4]
    (first,), (second,) = (plan.layers for _, plan in pruning.plans)
    assert first.removed
    assert second.removed
    used = {*second.removed, *(merge.target for merge in second.merges)}
    assert not used & set(first.removed)
    (whole,) = pruning.plan.layers
    assert set(whole.removed) == {*first.removed, *second.removed}
    assert not whole.merges
    assert watch.zero == [True] * 9  # three batches in each of the last three epochs

    small = pruning.pruned_model()
    assert small.get_layer("module4_conv").filters == 8 - len(whole.removed)
    expected = outputs_of(model)
    np.testing.assert_allclose(outputs_of(small), expected, atol=1e-4 * np.abs(expected).max())
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(outputs_of(again), outputs_of(small), atol=1e-6)


def test_without_holding_the_momentum_would_bring_the_weights_back():
    model = six_blocks()
    pruning = DistinctivenessPruning(batches, {1: 85}, layers=["module4_conv"])
    fit(model, [pruning], last=1)
    removed = list(pruning.plan.layers[0].removed)
    reader = model.get_layer("module5_conv")
    assert not keras.ops.convert_to_numpy(reader.kernel)[..., removed, :].any()
    fit(model, last=1)
    assert keras.ops.convert_to_numpy(reader.kernel)[..., removed, :].any()
    with pytest.raises(ValueError, match="weights from before a pruning"):
        pruning.pruned_model()
    with pytest.raises(ValueError, match="weights from before a pruning"):
        fit(model, [pruning], last=1)


def train(path, epochs):
    """Train from the file, if any, under `fit_epochs`; return the model and the pruning."""
    model = six_blocks()
    sampler = RowSampler(np.arange(ROWS), seed=0, batch_size=8)
    pruning = DistinctivenessPruning(batches, {1: 70, 3: 85}, layers=["module4_conv"])
    parts = {"sampler": sampler, "pruning": pruning}
    position = restore(path, model, parts)
    history = position.history if position else []

    def make_dataset(first, last):
        for epoch in range(first, last):
            for rows in np.array_split(sampler.order(epoch), sampler.steps):
                yield IMAGES[rows], LABELS[rows]

    fit_epochs(
        model,
        make_dataset,
        sampler,
        first_epoch=position.next_epoch if position else 0,
        last_epoch=epochs,
        callbacks=[pruning, TrainingState(path, parts, history)],
        history=history,
        verbose=0,
    )
    return model, pruning


def test_a_resumed_training_prunes_and_holds_as_an_unbroken_one(tmp_path):
    whole, pruned = train(tmp_path / "whole.npz", 4)
    for epochs in (1, 2, 3):
        train(tmp_path / "parts.npz", epochs)
    resumed, again = train(tmp_path / "parts.npz", 4)
    assert [len(plan.layers) for _, plan in pruned.plans] == [1, 1]
    assert again.plans == pruned.plans
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    again.pruned_model()


def test_a_state_of_other_settings_is_refused():
    state = DistinctivenessPruning(batches, {2: 8}).get_state()
    with pytest.raises(ValueError, match=r"schedule=\[\[2, 8.0\]\], this run has .*\[\[3, 8.0\]\]"):
        DistinctivenessPruning(batches, {3: 8}).set_state(state)


def test_the_training_loop_demands_that_the_state_is_saved_after_the_pruning(tmp_path):
    pruning = DistinctivenessPruning(batches, {1: 8})
    model, sampler = six_blocks(), RowSampler(np.arange(ROWS), seed=0, batch_size=8)
    for parts, order, message in [
        ({"pruning": pruning}, -1, "TrainingState after the callbacks it saves"),
        ({}, 1, "must be among the `parts` .* Received: DistinctivenessPruning without"),
    ]:
        callbacks = [pruning, TrainingState(tmp_path / "c.npz", parts, [])][::order]
        with pytest.raises(ValueError, match=message):
            fit_epochs(
                model, None, sampler, first_epoch=0, last_epoch=1, callbacks=callbacks, verbose=0
            )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([IMAGES], {1: 8}), "`batches` must be a function .* Received: list"),
        ((batches, {}), r"`schedule` must map at least one epoch .* Received: \{\}"),
        ((batches, 8), "`schedule` must map .* Received: 8"),
        ((batches, {0: 8}), "`schedule` must have whole epochs, counted from 1. Received: epoch 0"),
        ((batches, {1.5: 8}), "Received: epoch 1.5"),
        ((batches, {1: 90}), r"thresholds in \[0, 90\) degrees. Received: 90 for epoch 1"),
        ((batches, {1: "8"}), "Received: '8' for epoch 1"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DistinctivenessPruning(*arguments)


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="`scale` must be 'sum' or .* Received: scale='mean'"):
        DistinctivenessPruning(batches, {1: 8}, scale="mean")
    with pytest.raises(ValueError, match="`layers` must be a list of paths"):
        DistinctivenessPruning(batches, {1: 8}, layers="conv")


def test_models_and_data_that_cannot_work_are_refused():
    model, pruning = six_blocks(), DistinctivenessPruning(lambda: [], {1: 8})
    with pytest.raises(ValueError, match="must have trained a model"):
        pruning.pruned_model()
    with pytest.raises(ValueError, match="at least one batch. Received: none"):
        prune_now(model, pruning)
    with pytest.raises(PruningError, match="no layer 'module9' that makes maps"):
        fit(model, [DistinctivenessPruning(batches, {9: 8}, layers=["module9"])])
    ema = keras.optimizers.Adam(0.01, use_ema=True)
    with pytest.raises(ValueError, match="Received: use_ema=True"):
        fit(compiled(model, ema), [DistinctivenessPruning(batches, {1: 8})])
    with pytest.raises(ValueError, match="Received: steps_per_execution=2"):
        fit(compiled(model, steps_per_execution=2), [DistinctivenessPruning(batches, {1: 8})])
    used = DistinctivenessPruning(batches, {1: 8})
    prune_now(six_blocks(), used)
    with pytest.raises(ValueError, match="has pruned another model"):
        fit(six_blocks(), [used])
