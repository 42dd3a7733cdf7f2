import json
import threading

import numpy as np
import pandas as pd
import pytest

from affectkeras.circumplex import SECTORS
from affectkeras.demo.analysis import Progress, analyse_upload, follow_analysis, page_rows
from affectkeras.demo.results import ROWS, TABLE, VIDEO, Replaced, Results
from affectkeras.demo.uploads import Limits
from affectkeras.errors import UserError
from affectkeras.media.video import VideoDamaged
from tests.demo.fake_analysis import analyse_classes, analyse_numbers
from tests.media.tiny_videos import write_video


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


def uploaded(results, frames=6):
    clip = write_video(results.uploads / "clip.mp4", frames, size=(96, 64))
    return clip, results.begin("page", str(clip), "clip.mp4")


def work(results, job, analyse, on_progress=lambda share, words: None):
    analyse_upload(job, results.uploads, analyse=analyse, limits=Limits(), on_progress=on_progress)


def test_an_upload_becomes_rows_a_table_and_a_video_and_is_deleted(results):
    clip, job = uploaded(results)
    told = []
    work(results, job, analyse_numbers, lambda share, words: told.append((share, words)))
    assert not clip.exists()
    assert {path.name for path in job.folder.iterdir()} == {VIDEO, ROWS, TABLE}
    assert told[-1] == (1.0, "Frame 6 of 6")
    rows = json.loads((job.folder / ROWS).read_text())
    table = pd.read_csv(job.folder / TABLE, keep_default_na=False, na_values=[""])
    assert rows["file"] == "clip.mp4"
    assert rows["shown_s"] == pytest.approx([n / 25 for n in range(6)], abs=1e-4)
    assert rows["name"] == table["sector"].tolist()
    assert rows["valence"][:3] == [None] * 3
    assert rows["valence"][3:] == pytest.approx(table["valence"][3:].tolist(), abs=1e-6)


def test_rows_of_numbers_have_null_for_nan_and_no_face_for_minus_1():
    table = pd.DataFrame(
        {
            "frame": [0, 1, 2],
            "time_s": [0, 0.1, 0.2],
            "face": [-1, 0, 3],
            "confidence": [np.nan, 0.9, 1],
            "valence": [np.nan, 0.123456789, -1],
            "arousal": [np.nan, 0.5, 0],
            "intensity": [np.nan, 0.515, 1],
            "sector": ["", "arousal", "misery"],
        }
    )
    rows = page_rows(table, [0.0, 0.1, 0.2])
    assert rows["kind"] == "numbers"
    assert rows["face"] == ["", "0", "3"]
    assert rows["valence"] == [None, 0.123457, -1]
    assert rows["x"] == [None] * 3
    assert rows["name"] == ["", "arousal", "misery"]
    assert rows["sectors"] == list(SECTORS)
    assert json.dumps(rows, allow_nan=False)


def test_rows_of_one_target_have_no_names():
    table = pd.DataFrame({"frame": [0], "time_s": [0.0], "face": [0], "valence": [0.5]})
    rows = page_rows(table, [0.0])
    assert (rows["valence"], rows["arousal"], rows["name"]) == ([0.5], [None], [""])


def test_rows_of_classes_have_every_class():
    table = pd.DataFrame(
        {
            "frame": [0, 1],
            "time_s": [0.0, 0.1],
            "face": [0, -1],
            "class_name": ["happy", ""],
            "probability": [0.75, np.nan],
            "p_happy": [0.75, np.nan],
            "p_sad": [0.25, np.nan],
        }
    )
    rows = page_rows(table, [0.0, 0.1])
    assert rows["kind"] == "classes"
    assert rows["class_names"] == ["happy", "sad"]
    assert rows["probabilities"] == [[0.75, None], [0.25, None]]
    assert rows["name"] == ["happy", ""]


def test_a_video_that_does_not_fit_its_rows_is_a_defect():
    table = pd.DataFrame({"frame": [0], "time_s": [0.0], "face": [0], "valence": [0.5]})
    with pytest.raises(ValueError, match="Received: 2 frames, 1 rows"):
        page_rows(table, [0.0, 0.04])


def test_what_lies_elsewhere_is_not_touched(results, tmp_path):
    other = write_video(tmp_path / "other.mp4", 3)
    link = results.uploads / "link.mp4"
    link.symlink_to(other)
    for path in (str(other), str(link), str(results.uploads / ".." / "other.mp4"), "\0"):
        job = results.begin("page", path, "x.mp4")
        with pytest.raises(UserError, match="x.mp4: the uploaded file is gone"):
            work(results, job, analyse_numbers)
    assert other.exists()


def test_a_video_that_turns_out_damaged_is_told_and_deleted(results):
    def analyse(path, **_):
        raise VideoDamaged("it breaks off")

    clip, job = uploaded(results)
    with pytest.raises(UserError, match="clip.mp4: it breaks off. Give another file."):
        work(results, job, analyse)
    assert not clip.exists()
    assert not list(job.folder.iterdir())


def test_an_upload_that_is_replaced_stops_at_its_next_sign_of_progress(results):
    _, job = uploaded(results)

    def analyse(path, *, annotate, on_progress):
        on_progress(0.1, "first")
        results.begin("page", "/other", "other.mp4")
        on_progress(0.2, "second")
        raise AssertionError("must have stopped")

    with pytest.raises(Replaced):
        work(results, job, analyse)
    assert not job.folder.exists()


def test_what_fails_because_the_folder_is_gone_counts_as_replaced(results):
    _, job = uploaded(results)

    def analyse(path, *, annotate, on_progress):
        results.end("page")
        return analyse_classes(path, annotate=annotate, on_progress=lambda share, words: None)

    with pytest.raises(Replaced):
        work(results, job, analyse)
    assert not job.folder.exists()


def follow(results, job, analyse):
    return follow_analysis(job, results.uploads, analyse, Limits())


def test_following_tells_progress_and_then_nothing_where_all_went_well(results):
    _, job = uploaded(results)
    seen = threading.Event()

    def analyse(path, *, annotate, on_progress):
        on_progress(0.5, "Half")
        seen.wait(10)
        return analyse_numbers(path, annotate=annotate, on_progress=on_progress)

    states = []
    for state in follow(results, job, analyse):
        states.append(state)
        if state == Progress(0.5, "Half"):
            seen.set()
    assert Progress(0.5, "Half") in states
    assert states[-1] == ""


def test_following_ends_the_analysis_when_nobody_follows_any_more(results):
    _, job = uploaded(results)
    ended = threading.Event()

    def analyse(path, *, annotate, on_progress):
        try:
            while True:
                on_progress(0.5, "Half")
        finally:
            ended.set()

    following = follow(results, job, analyse)
    next(following)
    following.close()
    assert ended.is_set()
    assert not job.folder.exists()


def test_following_tells_what_went_wrong(results, capsys):
    def refuse(path, **_):
        raise UserError("no")

    def fail(path, **_):
        raise ZeroDivisionError("planted")

    assert list(follow(results, uploaded(results)[1], refuse))[-1] == "no"
    last = list(follow(results, uploaded(results)[1], fail))[-1]
    assert last == "clip.mp4: the analysis failed. The terminal of the demo tells where."
    assert "ZeroDivisionError: planted" in capsys.readouterr().err
