import shutil

import numpy as np
import pytest

from affectkeras.datasets.sample.thermal_layout import write_sample_anu_stress
from affectkeras.stress_frames import check_frames, clip_copies, prepare_frames
from recipes.anustress_stressnet import Config


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Four people; the first one's video stands there once more, under a fifth name."""
    folder = tmp_path_factory.mktemp("videos")
    write_sample_anu_stress(folder, subjects=4, clips=4, planted=())
    shutil.copy(folder / "thermal" / "S01.mkv", folder / "thermal" / "S05.mkv")
    manifest = folder / "manifest.csv"
    lines = manifest.read_text().splitlines()
    first = next(line for line in lines if "S01.mkv" in line)
    manifest.write_text("\n".join([*lines, first.replace("S01", "S05")]) + "\n")
    return folder


def prepared(videos, **settings):
    return prepare_frames(Config(data_dir=videos, frames=2, protocol="subject", **settings))


def test_a_video_under_two_names_stays_on_one_side(videos):
    table, splits, findings, _ = prepared(videos, folds=4)
    assert findings["passed"]
    assert table.frame["subject"].nunique() == 5
    for split in splits:
        sides = [set(table.frame["subject"].iloc[rows]) for rows in split.parts().values()]
        assert sum("S01" in side for side in sides) == 1
        assert all(("S01" in side) == ("S05" in side) for side in sides)


def test_frames_of_different_people_are_no_copies_and_that_likeness_is_not_looked_at_is_said(
    videos,
):
    table, splits, findings, _ = prepared(videos, folds=3)
    copies = clip_copies(table)
    pairs = copies[["first", "second"]].to_numpy(np.int64)
    assert len(pairs) == 4  # a frame of every clip
    for one, other in pairs:
        assert {table.frame["subject"][one], table.frame["subject"][other]} == {"S01", "S05"}
    assert "copy_on_two_sides" in findings["not_checked"]
    assert "pixel_identical_on_two_sides" in check_frames(table.frame, splits[0], copies)["checks"]


def test_every_promised_frame_is_used_or_counted(videos, capsys):
    table, _, _, _ = prepared(videos, folds=3)
    assert table.read == 5 * 4 * 2 == len(table) + len(table.rejected)
    assert "40 frames = 40 usable + 0 rejected + 0 left out" in capsys.readouterr().out
