import errno

import keras
import numpy as np
import pytest

from affectkeras.callbacks import training_state
from affectkeras.callbacks.training_loop import fit_epochs
from affectkeras.callbacks.training_state import TrainingState, read_position, restore
from affectkeras.errors import UserError
from affectkeras.pipelines.sampler import RowSampler
from tests.callbacks.tiny_training import (
    batches_of,
    build_model,
    compile_model,
    make_data,
    train,
)


def same_weights(first, second):
    return all(
        np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint after two epochs, and its folder."""
    folder = tmp_path_factory.mktemp("saved")
    train(folder, epochs=2)
    return folder / "checkpoint.npz"


def parts_of(saved):
    class Anything:
        def set_state(self, state):
            self.state = state

    return {"sampler": RowSampler(np.arange(37), seed=0, batch_size=8), "removal": Anything()}


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole, whole_history, whole_removals = train(tmp_path / "whole")
    # Rows are removed at the end of epochs 2 and 3: before, at and after a restart.
    for epochs in (1, 2, 3):
        train(tmp_path / "parts", epochs=epochs)
    resumed, history, removals = train(tmp_path / "parts")
    assert len(whole_removals) > 0
    assert removals == whole_removals
    assert same_weights(whole, resumed)
    for ours, theirs in zip(history, whole_history, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_the_seed_of_dropout_is_among_the_saved_variables():
    assert any("seed_generator" in variable.path for variable in build_model().variables)


def test_stages_with_an_optimizer_each_resume_in_the_right_one(tmp_path):
    features, labels = make_data()

    def run(path, stop_after):
        model = build_model()
        sampler = RowSampler(np.arange(37), seed=0, batch_size=8)
        position = read_position(path)
        history = []
        for stage, (first, last) in enumerate([(0, 2), (2, 4)]):
            if position and stage < position.stage:
                continue
            model.layers[0].trainable = stage == 1
            compile_model(model, learning_rate=0.1 / (stage + 1))
            if position and stage == position.stage:
                history = restore(path, model, {"sampler": sampler}).history
                first = position.next_epoch
            fit_epochs(
                model,
                batches_of(sampler, features, labels),
                sampler,
                first_epoch=first,
                last_epoch=min(last, stop_after),
                callbacks=[TrainingState(path, {"sampler": sampler}, history, stage=stage)],
                stage=f"stage {stage}",
                history=history,
                verbose=0,
            )
            if last >= stop_after:
                break
        return model, history

    whole, whole_history = run(tmp_path / "whole.npz", 4)
    for stop_after in (1, 2, 3):
        run(tmp_path / "parts.npz", stop_after)
    resumed, history = run(tmp_path / "parts.npz", 4)
    assert same_weights(whole, resumed)
    assert [row["stage"] for row in history] == ["stage 0"] * 2 + ["stage 1"] * 2
    assert [row["loss"] for row in history] == [row["loss"] for row in whole_history]


def test_nothing_saved_is_no_position(tmp_path):
    (tmp_path / "checkpoint.npz.tmp").write_bytes(b"left over by a killed process")
    assert read_position(tmp_path / "checkpoint.npz") is None
    assert restore(tmp_path / "checkpoint.npz", build_model(), {}) is None


def test_the_position_tells_where_to_go_on(saved):
    position = read_position(saved)
    assert (position.next_epoch, position.stage, position.stopped) == (2, 0, False)
    assert [row["epoch"] for row in position.history] == [1, 2]


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "text", "folder"])
def test_a_damaged_file_is_named_with_its_mend(saved, tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    content = bytearray(saved.read_bytes())
    if damage == "folder":
        path.mkdir()
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        new = {"cut": content[: len(content) // 2], "emptied": b"", "text": b"hello"}[damage]
        path.write_bytes(new)
    with pytest.raises(UserError, match=r"checkpoint.npz: cannot be read .*Delete checkpoint.npz"):
        read_position(path)


def test_a_full_disk_leaves_the_last_save_whole(tmp_path, monkeypatch):
    train(tmp_path, epochs=1)
    saved = (tmp_path / "checkpoint.npz").read_bytes()

    def fill(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", fill)
    with pytest.raises(UserError, match=r"checkpoint.npz could not be written: No space left"):
        train(tmp_path, epochs=2)
    assert (tmp_path / "checkpoint.npz").read_bytes() == saved
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_file_of_a_later_format_is_refused(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(training_state, "FORMAT", 2)
    with pytest.raises(UserError, match="format 1, expected 2"):
        read_position(saved)


def test_another_model_is_refused_and_left_as_it_was(saved):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    compile_model(model)
    before = [value.copy() for value in model.get_weights()]
    with pytest.raises(
        UserError, match="with 9 variables of the model, but this run's model has 2"
    ):
        restore(saved, model, parts_of(saved))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_another_shape_is_refused(saved):
    model = keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(9),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    compile_model(model)
    with pytest.raises(UserError, match=r"dense/kernel \(4, 8\) float32 where .* \(4, 9\) float32"):
        restore(saved, model, parts_of(saved))


def test_another_optimizer_is_refused(saved):
    model = build_model()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(
        UserError, match="variables of the optimizer, but this run's optimizer has 2"
    ):
        restore(saved, model, parts_of(saved))


def test_other_parts_are_refused(saved):
    with pytest.raises(UserError, match=r"with the parts \['removal', 'sampler'\], but this run"):
        restore(saved, build_model(), {})


def test_a_part_that_refuses_its_state_is_an_error_that_names_the_file(saved):
    parts = parts_of(saved) | {"sampler": RowSampler(np.arange(37), seed=1, batch_size=8)}
    with pytest.raises(UserError, match=r"checkpoint.npz: .*seed=0, this run has seed=1"):
        restore(saved, build_model(), parts)


def test_an_uncompiled_model_is_refused(saved):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="`model` must be compiled"):
        restore(saved, model, parts_of(saved))


def test_saving_every_second_epoch_also_saves_the_last_and_a_stop(tmp_path):
    path = tmp_path / "checkpoint.npz"
    model = build_model()
    state = TrainingState(path, {}, [], save_every=2)
    state.set_model(model)
    state.set_params({"epochs": 5})
    found = []
    for epoch in range(5):
        model.stop_training = epoch == 2
        state.on_epoch_end(epoch)
        position = read_position(path)
        found.append(position and (position.next_epoch, position.stopped))
    assert found == [None, (2, False), (3, True), (4, False), (5, False)]


def test_low_precision_variables_are_kept_exactly(tmp_path):
    def build():
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.layers.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")]
        )
        compile_model(model)
        return model

    model = build()
    state = TrainingState(tmp_path / "checkpoint.npz", {}, [])
    state.set_model(model)
    state.set_params({"epochs": 1})
    state.on_epoch_end(0)
    other = build()
    other.set_weights([value * 0 for value in other.get_weights()])
    restore(tmp_path / "checkpoint.npz", other, {})
    assert same_weights(model, other)


def test_a_state_that_is_neither_array_nor_json_is_refused(tmp_path):
    class Part:
        def get_state(self):
            return {"value": object()}

    state = TrainingState(tmp_path / "checkpoint.npz", {"part": Part()}, [])
    state.set_model(build_model())
    state.set_params({"epochs": 1})
    with pytest.raises(
        TypeError, match="must be arrays and JSON values. Received: <class 'object'>"
    ):
        state.on_epoch_end(0)


@pytest.mark.parametrize("save_every", [0, -1])
def test_options_out_of_range_are_refused(save_every):
    with pytest.raises(ValueError, match=f"Received: save_every={save_every}"):
        TrainingState("c.npz", {}, [], save_every=save_every)
