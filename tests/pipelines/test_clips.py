"""Windows of frames as batches of clips."""

import re

import numpy as np
import pandas as pd
import pytest

from affectkeras.evaluation.seal import Leak, Seal
from affectkeras.evaluation.splits import Split
from affectkeras.pipelines.augmentation import Augmentation, augment
from affectkeras.pipelines.clips import ClipPipeline, take_faces
from affectkeras.pipelines.sampler import RowSampler

SIDE, TIME = 6, 3
LENGTHS = (4, 2, 5)  # frames of each video; rows 0-3, 4-5, 6-10
WINDOWS = np.array([[0, 1, 2], [1, 2, 3], [4, 5, -1], [6, 7, 8], [8, 9, 10]])
NONE = Augmentation.none()


def faces(lengths=LENGTHS):
    random = np.random.default_rng(0)
    return [random.integers(1, 256, (n, SIDE, SIDE, 3)).astype(np.uint8) for n in lengths]


def values(rows=11, targets=2):
    return np.random.default_rng(1).uniform(-1, 1, (rows, targets)).astype(np.float32)


def build(*, windows=WINDOWS, targets=None, augmentation=NONE, seed=0, seal=None, batch_size=2):
    return ClipPipeline(
        faces(),
        windows,
        values() if targets is None else targets,
        batch_size=batch_size,
        augmentation=augmentation,
        seed=seed,
        seal=seal,
    )


def gather(batches):
    """Return clips, targets and weights of all batches, and the size of each."""
    found = [tuple(np.asarray(part) for part in batch) for batch in batches]
    return (
        *(np.concatenate(parts) for parts in zip(*found, strict=True)),
        [len(batch[0]) for batch in found],
    )


def sampler(rows=range(5), *, seed=0, batch_size=2, shuffle=True):
    return RowSampler(list(rows), seed=seed, batch_size=batch_size, shuffle=shuffle)


def split():
    """Return a split by video: the first trains, the second validates, the third is tested."""
    rows = np.split(np.arange(11), [4, 6])
    aside = pd.DataFrame({"row": [], "reason": []})
    return Split(*rows, "grouped", "", aside, True)


def test_faces_are_taken_from_the_right_video_in_any_order():
    crops = faces()
    rows = np.array([10, 0, 4, -1, 3, 6, 5, 0])
    every = np.concatenate(crops)
    found = take_faces(crops, rows)
    assert (found.dtype, found.shape) == (np.uint8, (8, SIDE, SIDE, 3))
    for face, row in zip(found, rows, strict=True):
        np.testing.assert_array_equal(face, 0 if row < 0 else every[row])


def test_a_window_holds_its_frames_with_their_targets():
    clips, targets, weights, sizes = gather(build().clean(range(5)))
    assert sizes == [2, 2, 1]
    assert (clips.dtype, targets.dtype, weights.dtype) == (np.float32,) * 3
    assert clips.shape == (5, TIME, SIDE, SIDE, 3)
    every, known = np.concatenate(faces()), values()
    for number, window in enumerate(WINDOWS):
        for time, row in enumerate(window):
            np.testing.assert_array_equal(clips[number, time], 0 if row < 0 else every[row])
            np.testing.assert_array_equal(targets[number, time], 0 if row < 0 else known[row])
            assert weights[number, time] == (row >= 0)


def test_clean_windows_come_in_the_given_order_and_batch():
    clips, _, _, sizes = gather(build().clean([4, 0, 2], batch_size=3))
    assert sizes == [3]
    every = np.concatenate(faces())
    np.testing.assert_array_equal(clips[0], every[[8, 9, 10]])
    np.testing.assert_array_equal(clips[1], every[[0, 1, 2]])


def test_the_shapes_are_known_before_anything_is_read():
    stream = build()
    for batches in (stream.clean(range(5)), stream.training(sampler(), 0, 2)):
        clips, targets, weights = batches.element_spec
        assert clips.shape.as_list() == [None, TIME, SIDE, SIDE, 3]
        assert targets.shape.as_list() == [None, TIME, 2]
        assert weights.shape.as_list() == [None, TIME]
    assert int(stream.clean(range(5)).cardinality()) == 3
    assert int(stream.training(sampler(), 1, 4).cardinality()) == 9


def test_epochs_follow_each_other_in_the_order_of_the_sampler():
    chosen = sampler(seed=3)
    clips, targets, _, sizes = gather(build().training(chosen, 1, 4))
    order = np.concatenate([chosen.order(epoch) for epoch in (1, 2, 3)])
    assert sizes == [2, 2, 1] * 3
    assert len({tuple(chosen.order(epoch)) for epoch in (1, 2, 3)}) == 3
    known, every = values(), np.concatenate(faces())
    np.testing.assert_array_equal(targets[:, 0], known[WINDOWS[order, 0]])
    np.testing.assert_array_equal(clips[:, 0], every[WINDOWS[order, 0]])


def test_windows_that_the_sampler_lost_are_not_seen_any_more():
    chosen = sampler(shuffle=False)
    chosen.remove([1, 3])
    _, targets, _, sizes = gather(build().training(chosen, 0, 1))
    assert sizes == [2, 1]
    np.testing.assert_array_equal(targets[:, 0], values()[[0, 4, 8]])


def test_all_frames_of_a_window_are_changed_alike_and_by_its_number():
    settings = Augmentation()
    stream = build(augmentation=settings, seed=5)
    clips, targets, weights, _ = gather(stream.training(sampler(shuffle=False), 2, 3))
    every = np.concatenate(faces())
    for number, window in enumerate(WINDOWS):
        for time, row in enumerate(window):
            if row >= 0:
                expected = augment(every[row], settings, seed=5, epoch=2, row=number)
                np.testing.assert_array_equal(clips[number, time], expected)
    # Rows 1 and 2 stand in two windows, which are changed differently.
    assert not np.array_equal(clips[0, 1], clips[1, 0])
    clean = gather(stream.clean(range(5)))
    np.testing.assert_array_equal(targets, clean[1])
    np.testing.assert_array_equal(weights, clean[2])


def test_changes_repeat_by_seed_epoch_and_window_whatever_came_before():
    def epoch(number, seed=0):
        stream = build(augmentation=Augmentation(), seed=seed)
        return gather(stream.training(sampler(shuffle=False), number, number + 1))[0]

    both = gather(build(augmentation=Augmentation()).training(sampler(shuffle=False), 0, 2))[0]
    np.testing.assert_array_equal(both[5:], epoch(1))
    assert not np.array_equal(epoch(0), epoch(1))
    assert not np.array_equal(epoch(0), epoch(0, seed=1))


def test_clean_windows_are_not_changed():
    clips = gather(build(augmentation=Augmentation()).clean([0]))[0]
    np.testing.assert_array_equal(clips[0], np.concatenate(faces())[[0, 1, 2]])


def test_test_rows_are_not_read_before_the_final_evaluation():
    seal = Seal(split())
    stream = build(seal=seal)
    gather(stream.clean([0, 2]))
    with pytest.raises(Leak, match="3 test rows would be read before the final evaluation"):
        stream.clean([2, 3])
    with seal.final_evaluation():
        assert len(gather(stream.clean([3]))[0]) == 1
    assert seal.facts()["test_rows_read"] == 3


def test_only_windows_of_training_rows_train():
    seal = Seal(split())
    stream = build(seal=seal)
    with pytest.raises(Leak, match="the model .weights. would be fitted on 2 rows beyond"):
        stream.training(sampler([0, 2]), 0, 1)
    gather(stream.training(sampler([0, 1]), 0, 1))
    assert seal.facts()["fitted"] == {"weights": {"the model": 4}}


def test_a_window_that_reaches_into_another_part_is_found():
    stream = build(windows=np.array([[2, 3, 4]]), seal=Seal(split()))
    with pytest.raises(Leak, match="fitted on 1 rows beyond"):
        stream.training(sampler([0], batch_size=1), 0, 1)


def test_rows_of_windows_are_named_once_and_without_what_fills_up():
    assert build().rows_of([2, 1, 0]).tolist() == [0, 1, 2, 3, 4, 5]


def test_what_fills_a_window_up_has_no_value_of_another_row():
    targets = values()
    targets[-1] = np.nan  # -1 counts from the end, where a number may be missing
    found = gather(build(targets=targets).clean([2]))[1]
    np.testing.assert_array_equal(found[0, 2], 0)


@pytest.mark.parametrize("targets", [values(10), values(12), values()[:, 0]])
def test_targets_that_do_not_fit_the_crops_are_refused(targets):
    told = f"`targets` must be (rows, targets) for the 11 crops. Received: shape {targets.shape}"
    with pytest.raises(ValueError, match=re.escape(told)):
        build(targets=targets)


@pytest.mark.parametrize("windows", [[0, 1, 2], [[0, 1, 11]], [[0, -2, 1]]])
def test_windows_beyond_the_crops_are_refused(windows):
    with pytest.raises(ValueError, match=r"`windows` must be \(windows, time\) of rows below 11"):
        build(windows=np.array(windows))
