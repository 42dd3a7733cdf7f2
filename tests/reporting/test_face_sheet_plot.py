"""Frames and the faces cut out of them, side by side."""

import numpy as np
import pytest

from affectkeras.reporting.face_sheet_plot import draw_face_sheet
from affectkeras.reporting.plots import plot_run
from affectkeras.reporting.report import write_report
from affectkeras.reporting.run_data import read_run


def write_sheet(folder, count):
    generator = np.random.default_rng(0)
    np.savez_compressed(
        folder / "face_sheet.npz",
        frames=generator.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8),
        boxes=np.tile([4.0, 6.0, 10.0, 12.0], (count, 1)),
        faces=np.full((count, 16, 16, 3), 99, np.uint8),
        names=np.array([f"train/{number:03d}.mp4 frame 00120" for number in range(count)]),
    )


def test_each_frame_has_its_box_and_its_face_beside_it(tmp_path):
    write_sheet(tmp_path, 4)
    shown = [axes for axes in draw_face_sheet(read_run(tmp_path)).axes if axes.images]
    assert len(shown) == 8
    (box,) = shown[0].patches
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (4, 6, 10, 12)
    assert shown[0].get_title(loc="left") == "train/000.mp4 frame 00120"
    assert shown[1].images[0].get_array().shape == (16, 16, 3)
    assert not shown[1].patches


@pytest.mark.parametrize("count", [0, None])
def test_without_frames_there_is_no_plot(tmp_path, count):
    if count is not None:
        write_sheet(tmp_path, count)
    assert draw_face_sheet(read_run(tmp_path)) is None


def test_the_report_shows_it_beside_the_data(tmp_path):
    write_sheet(tmp_path, 2)
    assert "face-sheet" in plot_run(tmp_path)
    assert 'alt="face sheet"' in write_report(tmp_path).read_text(encoding="utf-8")
