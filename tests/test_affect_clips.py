"""From a folder of labelled videos to faces, windows and a split."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import affect_clips
from affectkeras.affect_clips import (
    AffectClips,
    choose_frames,
    cut_table_faces,
    prepare_affect,
    quadrants,
    video_copies,
    windows_over,
)
from affectkeras.datasets.table import ExampleTable, FilePayload, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.media.scene_tracker import FaceTrack
from affectkeras.media.video_faces import VideoFaces, as_colour, cut_face
from affectkeras.media.video_frames import every_frame
from tests.media.tiny_videos import cut_file, write_video

TARGETS = (Target("valence", "number"), Target("arousal", "number"))
SIZE, MARGIN = 8, 0.1  # of the faces; pixels, and a share of their side
NO_FACE = "no face is known in this frame"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))


def build_table(videos, *, rejected=()):
    """Return the table of `(path, frames, boxes)`: boxes `(frames, 4)`, or None for none."""
    blocks, paths = [], []
    for path, frames, boxes in videos:
        name, frames = f"videos/{Path(path).name}", np.asarray(frames, np.int64)
        random = np.random.default_rng([len(name), len(frames)])
        block = {
            "example_id": [f"{name} frame {number:05}" for number in frames],
            **{"subject": "", "group": name, "split": "train", "source": name},
            **{"video": name, "frame": frames},
            **{target.name: random.uniform(-1, 1, len(frames)) for target in TARGETS},
        }
        boxes = np.full((len(frames), 4), np.nan) if boxes is None else boxes
        block |= dict(zip(affect_clips.BOX, np.asarray(boxes, float).T, strict=True))
        blocks.append(pd.DataFrame(block))
        paths += [str(path)] * len(frames)
    frame = pd.concat(blocks, ignore_index=True)
    payload = FilePayload(np.array(paths, object))
    left_out = rejected_frame(rejected)
    return ExampleTable(
        "aff_wild", frame, TARGETS, payload, True, left_out, len(frame) + len(left_out)
    )


def boxes_of(count, *, without=()):
    boxes = np.tile([4.0, 5.0, 20.0, 20.0], (count, 1)) + np.arange(count)[:, None] % 5
    boxes[list(without)] = np.nan
    return boxes


def cut(table, *, tracked=False, frames=None):
    return cut_table_faces(table, size=SIZE, margin=MARGIN, tracked=tracked, frames=frames)


def accounts(table):
    """Return the reasons by the example that was rejected."""
    assert table.read == len(table) + len(table.rejected)
    return dict(zip(table.rejected["path"], table.rejected["reason"], strict=True))


def faces_in(path, frames, boxes):
    pictures = [as_colour(frame.pixels) for frame in every_frame(path)]
    return [
        cut_face(pictures[number], box, SIZE, MARGIN)
        for number, box in zip(frames, boxes, strict=True)
    ]


def refuse(*_, **__):
    raise AssertionError("looked for faces")


def track_faces_at(monkeypatch, seen, *, count=30):
    """Let every video have two faces: the subject, large, in the frames `seen`; a small one."""
    asked = []

    def find(path, *, frames=None):
        asked.append((Path(path).name, frames))
        known = np.array([n for n in seen if frames is None or n < frames], np.int64)
        large = np.tile(np.float32([10, 8, 30, 30]), (len(known), 1))
        small = np.tile(np.float32([0, 0, 5, 5]), (len(known), 1))
        sure = np.full(len(known), 0.9, np.float32)
        length = count if frames is None else min(count, frames)
        tracks = (FaceTrack(known, small, sure), FaceTrack(known, large, sure))
        return VideoFaces(np.arange(length) / 25, 64, 48, tracks if len(known) else ())

    monkeypatch.setattr(affect_clips, "find_video_faces", find)
    return asked


def test_sparse_takes_every_fortieth_of_the_first_four_hundred_frames(tmp_path):
    table = choose_frames(build_table([("a.mp4", range(460), None)]), "sparse", 40)
    assert table.frame["frame"].tolist() == [39, 79, 119, 159, 199, 239, 279, 319, 359, 399]
    assert len(table.payload) == table.read == 10
    assert list(table.frame.index) == list(range(10))


def test_sparse_takes_what_there_is_of_a_short_or_partly_labelled_video():
    table = choose_frames(
        build_table([("a.mp4", range(90), None), ("b.mp4", [10, 79, 80, 399], None)]), "sparse", 40
    )
    assert table.frame["frame"].tolist() == [39, 79, 79, 399]
    assert table.frame["valence"].notna().all()


@pytest.mark.parametrize(("every", "expected"), [(1, range(7)), (3, [0, 3, 6]), (50, [0])])
def test_dense_takes_one_frame_of_so_many(every, expected):
    table = choose_frames(build_table([("a.mp4", range(7), None)]), "dense", every)
    assert table.frame["frame"].tolist() == list(expected)


def test_rejected_are_the_chosen_frames_and_whole_videos_only():
    rejected = [
        ("videos/b.mp4 frame 00039", "unlabelled", "no number"),
        ("videos/b.mp4 frame 00040", "unlabelled", "no number"),
        ("videos/b.mp4 frame 00439", "damaged", "cut off"),
        ("videos/test/c.mp4", "unlabelled", "its labels were not published"),
    ]
    labelled = build_table([("a.mp4", range(81), None)], rejected=rejected)
    sparse = choose_frames(labelled, "sparse", 40)
    assert sparse.rejected["path"].tolist() == [rejected[0][0], rejected[3][0]]
    assert sparse.read == 4
    dense = choose_frames(labelled, "dense", 20)
    assert dense.rejected["path"].tolist() == [rejected[1][0], rejected[3][0]]
    assert dense.read == 5 + 2
    every = choose_frames(labelled, "dense", 1)
    assert every.read == 81 + 4


def test_windows_stay_within_a_video():
    frame = pd.DataFrame({"video": ["a"] * 5 + ["b"] * 2 + ["c"] * 4})
    np.testing.assert_array_equal(
        windows_over(frame, 4), [[0, 1, 2, 3], [1, 2, 3, 4], [5, 6, -1, -1], [7, 8, 9, 10]]
    )
    np.testing.assert_array_equal(windows_over(frame[:3], 1), [[0], [1], [2]])


def test_windows_of_some_rows_are_those_of_their_videos():
    frame = pd.DataFrame({"video": ["a"] * 5 + ["b"] * 2 + ["c"] * 4})
    clips = AffectClips(None, [], windows_over(frame, 4))
    assert clips.windows_of(np.arange(5)).tolist() == [0, 1]
    assert clips.windows_of(np.arange(5, 11)).tolist() == [2, 3]


def test_quadrants_are_the_signs_of_valence_and_arousal():
    frame = pd.DataFrame({"valence": [-0.1, 0.1, -0.1, 0.1, 0], "arousal": [-1, -1, 1, 1, 0.0]})
    assert quadrants(frame).tolist() == [0, 1, 2, 3, 3]


def test_faces_are_cut_where_the_owner_marked_them(tmp_path, monkeypatch):
    monkeypatch.setattr(affect_clips, "find_video_faces", refuse)
    path, frames, boxes = write_video(tmp_path / "a.mp4", 12), [1, 4, 6, 9], boxes_of(4)
    table, crops = cut(build_table([(path, frames, boxes)]))
    assert table.frame["frame"].tolist() == frames
    assert accounts(table) == {}
    (found,) = crops
    np.testing.assert_array_equal(found, faces_in(path, frames, boxes))


def test_frames_without_a_mark_in_a_marked_video_are_rejected_with_the_reason(tmp_path):
    path = write_video(tmp_path / "a.mp4", 12)
    table, (found,) = cut(build_table([(path, range(6), boxes_of(6, without=(2, 3)))]))
    assert table.frame["frame"].tolist() == [0, 1, 4, 5]
    assert len(table.payload) == len(found) == 4
    assert accounts(table) == {
        "videos/a.mp4 frame 00002": NO_FACE,
        "videos/a.mp4 frame 00003": NO_FACE,
    }
    assert set(table.rejected["kind"]) == {"excluded"}


def test_in_a_video_without_marks_the_subject_is_followed(tmp_path, monkeypatch):
    asked = track_faces_at(monkeypatch, range(3, 30))
    path = write_video(tmp_path / "a.mp4", 30)
    marked = write_video(tmp_path / "b.mp4", 30, seed=1)
    frames = [0, 5, 10, 29]
    table, crops = cut(
        build_table([(path, frames, None), (marked, frames, boxes_of(4))]), frames=400
    )
    assert asked == [("a.mp4", 400)]
    assert table.frame["frame"].tolist() == [5, 10, 29, *frames]
    assert accounts(table) == {"videos/a.mp4 frame 00000": NO_FACE}
    box = [10, 8, 30, 30]
    np.testing.assert_array_equal(table.frame[affect_clips.BOX][:3], [box] * 3)
    np.testing.assert_array_equal(crops[0], faces_in(path, frames[1:], [box] * 3))
    np.testing.assert_array_equal(crops[1], faces_in(marked, frames, boxes_of(4)))


def test_tracked_follows_the_face_also_where_the_owner_marked_it(tmp_path, monkeypatch):
    asked = track_faces_at(monkeypatch, range(30))
    path = write_video(tmp_path / "a.mp4", 30)
    table, _ = cut(build_table([(path, [1, 2], boxes_of(2))]), tracked=True)
    assert asked == [("a.mp4", None)]
    np.testing.assert_array_equal(table.frame[affect_clips.BOX], [[10, 8, 30, 30]] * 2)


def test_a_video_without_any_face_is_rejected_whole(tmp_path, monkeypatch):
    track_faces_at(monkeypatch, ())
    path, other = write_video(tmp_path / "a.mp4", 5), write_video(tmp_path / "b.mp4", 5)
    table, crops = cut(build_table([(path, [0, 1], None), (other, [3, 4], boxes_of(2))]))
    assert table.frame["video"].unique().tolist() == ["videos/b.mp4"]
    assert len(crops) == 1
    assert accounts(table) == {f"videos/a.mp4 frame 0000{n}": NO_FACE for n in (0, 1)}


def test_rows_come_by_video_and_frame_whatever_their_order_was(tmp_path):
    path, other = write_video(tmp_path / "a.mp4", 9), write_video(tmp_path / "b.mp4", 9, seed=1)
    ordered = build_table([(path, range(9), boxes_of(9)), (other, range(9), boxes_of(9))])
    mixed = np.random.default_rng(0).permutation(18)
    shuffled = dataclasses.replace(
        ordered,
        frame=ordered.frame.iloc[mixed].reset_index(drop=True),
        payload=ordered.payload.take(mixed),
    )
    one, crops = cut(ordered)
    again, same = cut(shuffled)
    pd.testing.assert_frame_equal(one.frame, again.frame)
    assert list(one.payload.paths) == list(again.payload.paths)
    for expected, found in zip(crops, same, strict=True):
        np.testing.assert_array_equal(expected, found)


def test_what_lies_behind_the_end_of_a_cut_off_video_is_damaged(tmp_path):
    path = write_video(tmp_path / "a.avi", 60, codec="mjpeg", pixel_format="yuvj420p")
    cut_file(path, 0.5)
    table, (found,) = cut(build_table([(path, range(60), boxes_of(60))]))
    assert 10 < len(table) == len(found) < 50
    reasons = accounts(table)
    assert set(reasons.values()) == {"the video cannot be decoded up to this frame"}
    assert set(table.rejected["kind"]) == {"damaged"}
    assert table.frame["frame"].tolist() == list(range(len(found)))


def test_a_video_that_cannot_be_opened_is_damaged_and_the_others_are_used(tmp_path):
    broken = tmp_path / "a.mp4"
    broken.write_bytes(b"no video at all")
    other = write_video(tmp_path / "b.mp4", 5)
    table, crops = cut(build_table([(broken, [0, 1], boxes_of(2)), (other, [3, 4], boxes_of(2))]))
    assert len(table) == 2
    assert len(crops) == 1
    assert all(
        reason.startswith("no video that can be read") for reason in accounts(table).values()
    )
    assert table.rejected["kind"].tolist() == ["damaged"] * 2


def test_no_row_at_all_is_no_face_and_no_error(tmp_path):
    labelled = build_table([(tmp_path / "a.mp4", range(20), None)])
    table, crops = cut(choose_frames(labelled, "sparse", 40))
    assert (len(table), crops, table.read) == (0, [], 0)


def test_a_video_may_have_any_ending_that_the_readers_know(tmp_path):
    path = write_video(tmp_path / "a.mp4", 4).rename(tmp_path / "A.M4V")
    table, (found,) = cut(build_table([(path, [0, 3], boxes_of(2))]))
    assert len(table) == len(found) == 2


def write_pictures(folder, count, *, broken=()):
    paths = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
        paths.append(folder / f"{number:05}.png")
        Image.fromarray(pixels).save(paths[-1])
    for number in broken:
        paths[number].write_bytes(paths[number].read_bytes()[:40])
    return np.array([str(path) for path in paths], object)


def test_pictures_are_faces_already(tmp_path, monkeypatch):
    monkeypatch.setattr(affect_clips, "find_video_faces", refuse)
    paths = write_pictures(tmp_path, 4, broken=[2])
    table = dataclasses.replace(
        build_table([("12-24", range(4), None)]), payload=FilePayload(paths)
    )
    table, (found,) = cut(table)
    assert table.frame["frame"].tolist() == [0, 1, 3]
    assert list(table.payload.paths) == list(paths[[0, 1, 3]])
    for face, path in zip(found, table.payload.paths, strict=True):
        np.testing.assert_array_equal(face, np.asarray(Image.open(path)))
    (reason,) = accounts(table).values()
    assert "truncated" in reason
    assert table.rejected["kind"].tolist() == ["damaged"]


def test_one_video_under_two_names_is_seen_by_its_first_face():
    random = np.random.default_rng(0)
    videos = [random.integers(0, 256, (n, 48, 48, 3)).astype(np.uint8) for n in (3, 4, 2, 5)]
    videos.append(videos[1][:2].copy())
    videos.append(videos[0][:, :, ::-1].copy())  # mirrored: no copy
    found = video_copies(videos)
    assert found[["first", "second", "kind"]].values.tolist() == [[3, 14, "identical"]]


@dataclasses.dataclass(frozen=True)
class Settings:
    data_dir: Path
    dataset: str = "aff_wild"
    alignment: str = "auto"
    mode: str = "dense"
    every: int = 4
    window: int = 4
    boxes: str = "owner"
    image_size: int = SIZE
    margin: float = MARGIN
    protocol: str = "grouped"
    test_share: float = 0.25
    validation_share: float = 0.25
    max_rejected: float = 0.05


def write_aff_wild(folder, *, videos=5, frames=20, twins=()):
    """Write Aff-Wild's layout; `twins` are pairs of names of one and the same video."""
    for number in range(1, videos + 1):
        write_video(folder / f"videos/train/{number}.mp4", frames, seed=number, group=frames)
        for kind in ("valence", "arousal"):
            path = folder / f"annotations/train/{kind}/{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = np.random.default_rng([number, len(kind)]).uniform(-1, 1, frames)
            path.write_text("".join(f"{value:.3f}\n" for value in numbers))
        place = folder / f"bboxes/train/{number}"
        place.mkdir(parents=True, exist_ok=True)
        for frame in range(1, frames + 1):
            text = "version: 1\nn_points: 4\n{\n4 5\n4 35\n34 35\n34 5\n}\n"
            (place / f"{frame}.pts").write_text(text)
    for name, twin in twins:
        shutil.copy(folder / f"videos/train/{name}.mp4", folder / f"videos/train/{twin}.mp4")
    return folder


def test_a_folder_becomes_clips_and_a_split_without_a_leak(tmp_path, capsys):
    folder = write_aff_wild(tmp_path / "data")
    clips, split, findings, seconds = prepare_affect(Settings(folder))
    assert clips.table.frame["frame"].tolist() == [0, 4, 8, 12, 16] * 5
    assert [video.shape for video in clips.crops] == [(5, SIZE, SIZE, 3)] * 5
    assert clips.windows.shape == (10, 4)
    parts = [set(clips.table.frame["video"].iloc[rows]) for rows in split.parts().values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 5
    assert findings["passed"]
    assert findings["checks"]["video_on_two_sides"]["passed"]
    assert findings["checks"]["pixel_identical_on_two_sides"]["passed"]
    assert "copy_on_two_sides" in findings["not_checked"]
    assert seconds > 0
    # All windows of a part's rows hold rows of that part alone.
    for rows in split.parts().values():
        held = np.unique(clips.windows[clips.windows_of(rows)])
        assert set(held[held >= 0]) == set(rows)
    assert (
        "100 labelled frames; 25 examples chosen = 25 usable + 0 rejected; 10 windows of 4 frames"
        in capsys.readouterr().out
    )


def test_a_video_that_stands_twice_trains_or_is_tested_not_both(tmp_path):
    folder = write_aff_wild(tmp_path / "data", videos=6, twins=[("1", "6"), ("2", "5")])
    clips, split, findings, _ = prepare_affect(Settings(folder))
    assert findings["passed"]
    videos = clips.table.frame["video"].str.extract(r"/(\d)\.mp4", expand=False)
    side = {name: part for part, rows in split.parts().items() for name in set(videos.iloc[rows])}
    assert (side["1"], side["2"]) == (side["6"], side["5"])


def test_a_folder_without_a_frame_to_train_on_says_so(tmp_path):
    folder = write_aff_wild(tmp_path / "data", videos=1)
    with pytest.raises(UserError, match="no frame with a label and a face is left to train on"):
        prepare_affect(Settings(folder, mode="sparse", every=40))


def test_more_damage_than_allowed_is_refused(tmp_path):
    folder = write_aff_wild(tmp_path / "data", videos=4)
    (folder / "videos/train/2.mp4").write_bytes(b"no video at all")
    with pytest.raises(UserError, match=r"5 of 20 files cannot be used.*--max-rejected"):
        prepare_affect(Settings(folder))
    clips, *_ = prepare_affect(Settings(folder, max_rejected=0.3))
    assert clips.table.frame["video"].nunique() == 3
    assert clips.table.read == 20


def test_the_owner_of_aff_wild_has_no_validation_part(tmp_path):
    folder = write_aff_wild(tmp_path / "data", videos=3, frames=8)
    with pytest.raises(UserError, match="Choose --protocol grouped"):
        prepare_affect(Settings(folder, protocol="official"))


def test_two_people_in_one_video_that_nothing_tells_apart_are_refused(tmp_path):
    frame = pd.DataFrame(
        {
            "example_id": ["7_left frame 0", "7_right frame 0"],
            "subject": "",
            "group": "7",
            "split": "train",
            "source": "7.mp4",
            "video": ["7_left.mp4", "7_right.mp4"],
            "frame": [0, 0],
            "valence": 0.1,
            "arousal": 0.2,
        }
        | dict.fromkeys(("x", "y", "width", "height"), np.nan)
    )
    table = ExampleTable(
        name="aff_wild2",
        frame=frame,
        targets=(Target("valence", "number"), Target("arousal", "number")),
        payload=FilePayload(np.array([str(tmp_path / "7.mp4")] * 2, object)),
        groups_known=True,
        rejected=rejected_frame(),
        read=2,
    )
    with pytest.raises(UserError, match="7_left.mp4 and 7_right.mp4 are two people in one video"):
        cut_table_faces(table, size=8, margin=0.0, tracked=False, frames=None)
