import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from affectkeras.pipelines.sampler import RowSampler
from affectkeras.transfer.feature_cache import (
    FeatureCache,
    FeatureViews,
    cached_batches,
    digest_arrays,
    digest_of,
)

PARTS = {"weights": "a", "view": 1}
# A computation of two parts with a pause between them, which says in files how far it is.
COMPUTE_ELSEWHERE = """
import pathlib, sys, time
import numpy as np
from affectkeras.transfer.feature_cache import FeatureCache
folder, name, seconds = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
def compute():
    yield np.full((2, 3), 1.0)
    (folder / f"{name}.began").touch()
    time.sleep(seconds)
    yield np.full((2, 3), 2.0)
    (folder / f"{name}.computed").touch()
array = FeatureCache(folder / "cache").read({"weights": "a", "view": 1}, 4, compute)
print(array.tolist())
"""


def start(folder, name, seconds):
    command = [sys.executable, "-c", COMPUTE_ELSEWHERE, str(folder), name, str(seconds)]
    root = Path(__file__).resolve().parents[2]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=root, stdout=pipe, stderr=pipe)


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.02)


def numbers(rows=5, start=0.0):
    return np.arange(rows * 3, dtype=np.float32).reshape(rows, 3) + start


def never():
    raise AssertionError("nothing was to be computed")
    yield


def files_of(cache, pattern):
    return sorted(cache.folder.glob(pattern))


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache")


def test_array_is_computed_once_and_then_read(cache):
    first = cache.read(PARTS, 5, lambda: [numbers()[:2], numbers()[2:]])
    again = FeatureCache(cache.folder).read(PARTS, 5, never)
    np.testing.assert_array_equal(first, numbers())
    np.testing.assert_array_equal(again, numbers())
    assert isinstance(again, np.memmap)
    assert again.dtype == np.float32
    assert not again.flags.writeable


def test_other_key_parts_are_another_array(cache):
    cache.read(PARTS, 5, lambda: [numbers()])
    other = cache.read({**PARTS, "view": 2}, 5, lambda: [numbers(start=9)])
    np.testing.assert_array_equal(other, numbers(start=9))


def test_key_parts_can_be_read_beside_the_array(cache):
    cache.read(PARTS, 5, lambda: [numbers()])
    (note,) = files_of(cache, "*.json")
    assert json.loads(note.read_text())["parts"] == PARTS


def test_key_does_not_depend_on_the_order_of_its_parts():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1, "b": 2}) != digest_of({"a": 2, "b": 1})


def flip_last_byte(cache):
    (path,) = files_of(cache, "*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut_array(cache):
    (path,) = files_of(cache, "*.npy")
    path.write_bytes(path.read_bytes()[:-4])


def empty_array(cache):
    files_of(cache, "*.npy")[0].write_bytes(b"")


def lose_array(cache):
    files_of(cache, "*.npy")[0].unlink()


def spoil_note(cache):
    files_of(cache, "*.json")[0].write_text("{")


@pytest.mark.parametrize("damage", [flip_last_byte, cut_array, empty_array, lose_array, spoil_note])
def test_damaged_array_is_computed_anew_with_a_message(cache, caplog, damage):
    cache.read(PARTS, 5, lambda: [numbers()])
    damage(cache)
    again = cache.read(PARTS, 5, lambda: [numbers()])
    np.testing.assert_array_equal(again, numbers())
    assert "Cached features" in caplog.text
    assert "They are computed anew" in caplog.text
    caplog.clear()
    cache.read(PARTS, 5, never)
    assert not caplog.text


def test_interrupted_computation_leaves_nothing_half(cache):
    def interrupted():
        yield numbers()[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.read(PARTS, 5, interrupted)
    assert [path.suffix for path in cache.folder.iterdir()] == [".lock"]


def test_array_without_its_note_was_cut_off_and_is_computed_without_a_message(cache, caplog):
    cache.read(PARTS, 5, lambda: [numbers()])
    files_of(cache, "*.json")[0].unlink()
    again = cache.read(PARTS, 5, lambda: [numbers(start=1)])
    np.testing.assert_array_equal(again, numbers(start=1))
    assert not caplog.text


@pytest.mark.parametrize("found", [4, 6])
def test_another_number_of_rows_is_refused(cache, found):
    with pytest.raises(ValueError, match="`compute` must give 5 rows. Received: (4|more)"):
        cache.read(PARTS, 5, lambda: [numbers(found)])


def test_two_processes_share_one_computation(tmp_path):
    first = start(tmp_path, "first", 1.0)
    wait_for(tmp_path / "first.began")
    second = start(tmp_path, "second", 0.0)
    expected = str([[1.0] * 3] * 2 + [[2.0] * 3] * 2)
    for process in (first, second):
        output, errors = process.communicate(timeout=60)
        assert output.decode().strip() == expected, errors.decode()
    assert (tmp_path / "first.computed").exists()
    assert not (tmp_path / "second.began").exists()


def test_killed_computation_leaves_nothing_that_is_read(tmp_path):
    process = start(tmp_path, "first", 60.0)
    wait_for(tmp_path / "first.began")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    cache = FeatureCache(tmp_path / "cache")
    assert files_of(cache, "*.unfinished")
    assert not files_of(cache, "*.npy")
    array = cache.read(PARTS, 4, lambda: [numbers(4)])
    np.testing.assert_array_equal(array, numbers(4))
    assert not files_of(cache, "*.unfinished")


def test_digest_of_arrays_sees_values_shapes_and_types():
    array = np.zeros((2, 3), np.float32)
    different = [np.zeros((3, 2), np.float32), np.zeros((2, 3), np.int32), array + 1]
    assert digest_arrays([array]) == digest_arrays([np.asfortranarray(array)])
    assert len({digest_arrays([one]) for one in [array, *different]}) == 4


def make_views(rows=(7, 2, 4, 9), views=3, seed=0):
    """Return features that say what they are, (view, row), and the views that were opened."""
    opened = []

    def read_view(view):
        opened.append(view)
        return np.array([(view, row) for row in sorted(rows)], np.float32)

    return FeatureViews(np.array(rows), read_view, views=views, seed=seed), opened


def test_row_goes_round_all_its_views():
    features, _ = make_views()
    seen = [features.gather(np.array([4]), epoch)[0].tolist() for epoch in range(6)]
    assert sorted(seen[:3]) == [[1, 4], [2, 4], [3, 4]]
    assert seen[3:] == seen[:3]


def test_rows_begin_with_different_views_chosen_by_the_seed():
    rows = np.arange(3000)
    chosen = {}
    for seed in (0, 1):
        features = FeatureViews(rows, lambda view: None, views=4, seed=seed)
        chosen[seed] = features.choose(rows, 0)
        counts = np.bincount(chosen[seed], minlength=5)
        assert counts[0] == 0
        assert counts[1:].min() > 650
    assert np.mean(chosen[0] == chosen[1]) < 0.4


def test_view_of_a_row_does_not_depend_on_the_other_rows():
    few, _ = make_views(rows=(2, 4), views=4)
    many, _ = make_views(rows=tuple(range(50)), views=4)
    rows = np.array([2, 4])
    np.testing.assert_array_equal(few.choose(rows, 1), many.choose(rows, 1))


def test_rows_come_in_the_order_asked_for():
    features, opened = make_views()
    assert features.gather(np.array([9, 2]), None).tolist() == [[0, 9], [0, 2]]
    assert opened == [0]
    features.prepare()
    features.prepare()
    assert opened == [0, 1, 2, 3]


def test_no_views_are_refused():
    with pytest.raises(ValueError, match="`views` must be at least 1. Received: views=0"):
        FeatureViews(np.arange(3), never, views=0, seed=0)


def test_batches_follow_the_sampler_and_never_cross_an_epoch():
    features, _ = make_views()
    targets = np.eye(10, dtype=np.float32)
    sampler = RowSampler([7, 2, 4, 9], seed=5, batch_size=3)
    batches = list(cached_batches(features, targets, sampler, 1, 3))
    assert [len(found) for found, _ in batches] == [3, 1, 3, 1]
    for epoch, pair in ((1, batches[:2]), (2, batches[2:])):
        rows = np.concatenate([found[:, 1] for found, _ in pair]).astype(int)
        np.testing.assert_array_equal(rows, sampler.order(epoch))
        views = np.concatenate([found[:, 0] for found, _ in pair]).astype(int)
        np.testing.assert_array_equal(views, features.choose(rows, epoch))
        labels = np.concatenate([target for _, target in pair]).argmax(axis=1)
        np.testing.assert_array_equal(labels, rows)


def test_keras_trains_on_the_batches_as_they_are():
    features, _ = make_views()
    targets = np.eye(10, dtype=np.float32)[:, :2] + [0, 1]
    sampler = RowSampler([7, 2, 4, 9], seed=5, batch_size=3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    stream = cached_batches(features, targets, sampler, 0, 3)
    history = model.fit(stream, steps_per_epoch=sampler.steps, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3
