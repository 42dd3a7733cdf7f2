"""ANUStressDB's reader: manifests in both forms, frames counted, and what the doctor says."""

import cv2
import numpy as np
import pytest

from affectkeras import datasets, doctor
from affectkeras.__main__ import doctor as doctor_command
from affectkeras.datasets import anu_stress
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import check_split
from affectkeras.evaluation.splits import split_table
from tests.media.tiny_videos import cut_file, picture, write_video

# 2 s of preparation, 4 clips of 1 s, 0.5 s between two, at 10 frames a second.
TIMES = {"preparation_s": 2.0, "gap_s": 0.5}
FRAMES = 75
HEADER = "subject,modality,path,clip_count,order,preparation_s,gap_s"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def write_folder(folder, videos=3, rows=None, header=HEADER):
    for number in range(1, videos + 1):
        name = folder / f"thermal/S{number:02}.mkv"
        write_video(name, FRAMES, codec="ffv1", pixel_format="gray", rate=10, seed=number)
    if rows is None:
        orders = ("SCSC", "CSSC", "sccs")
        rows = [
            f"S{n:02},thermal,thermal/S{n:02}.mkv,4,{orders[(n - 1) % 3]},2,0.5"
            for n in range(1, videos + 1)
        ]
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder


def read(folder, **arguments):
    table = anu_stress.read(folder, **({"frames": 5, "progress": False} | arguments))
    assert table.read == len(table) + len(table.rejected)
    return table


def test_a_row_is_a_frame_and_tells_where_it_comes_from(tmp_path):
    table = read(write_folder(tmp_path))
    assert (len(table), table.read) == (60, 60)
    first = table.frame.iloc[21]  # the second video's first clip, frame 1
    assert first["example_id"] == "thermal/S02.mkv clip 01 frame 01 at 2.300 s"
    assert (first["subject"], first["group"], first["split"]) == ("S02", "S02", "")
    assert (first["video"], first["source"]) == ("thermal/S02.mkv", "thermal/S02.mkv")
    assert (first["clip"], first["clip_number"]) == ("thermal/S02.mkv clip 01", 1)
    assert (first["frame"], first["frame_number"], first["time_s"]) == (1, 23, 2.3)
    assert (first["start_s"], first["end_s"]) == (2.0, 3.0)
    assert (first["width"], first["height"]) == (48, 48)
    assert table.groups_known
    assert table.target("stress").class_names == ("Calm", "Stressful")


def test_the_payload_is_the_centred_square_of_that_frame(tmp_path):
    table = read(write_folder(tmp_path))
    pixels = cv2.imread(table.payload.paths[21], cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, picture(23, seed=2)[:, 8:56])
    whole = read(tmp_path, crop=None)
    pixels = cv2.imread(whole.payload.paths[21], cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, picture(23, seed=2))


def test_labels_follow_the_order(tmp_path):
    frame = read(write_folder(tmp_path)).frame
    labels = frame.groupby(["video", "clip_number"])["stress"].unique().map(list)
    assert list(labels["thermal/S01.mkv"]) == [[1], [0], [1], [0]]
    assert list(labels["thermal/S03.mkv"]) == [[1], [0], [0], [1]]


def test_thirty_frames_and_twenty_clips_are_what_is_expected_unless_told(tmp_path):
    write_video(tmp_path / "a.mkv", 300, codec="mpeg4", rate=2)  # 150 s: clips of 0.3 s
    (tmp_path / "manifest.csv").write_text("subject,modality,path\nA,thermal,a.mkv\n")
    table = anu_stress.read(tmp_path, progress=False)
    assert (table.read, len(table)) == (600, 0)
    assert set(table.rejected["kind"]) == {"unlabelled"}
    assert table.rejected["reason"][0] == "manifest.csv:2 tells no label of the clip"


def test_the_second_form_tells_the_times_of_each_clip(tmp_path):
    rows = [
        "S01,2,Calm,3.0,4.0,thermal/S01.mkv",
        "S01,1,stressful,1.0,2.5,thermal/S01.mkv",
        "S01,3,,5.0,6.0,thermal/S01.mkv",
        "S02,1,S,0,1,thermal\\S02.mkv",
    ]
    folder = write_folder(tmp_path, 2, rows, "Subject, clip,label,start_s,end_s,path")
    table = read(folder)
    assert table.read == 20
    frame = table.frame
    assert list(frame["clip_number"]) == [1] * 5 + [2] * 5 + [1] * 5
    assert list(frame["stress"]) == [1] * 5 + [0] * 5 + [1] * 5
    np.testing.assert_allclose(frame["time_s"][:5], [1.1, 1.4, 1.7, 2.0, 2.3])
    assert set(table.rejected["kind"]) == {"unlabelled"}
    assert set(frame["modality"]) == {""}


def test_the_manifest_may_be_named_itself_and_lie_one_level_below(tmp_path):
    folder = write_folder(tmp_path / "data")
    assert len(read(tmp_path)) == 60
    (folder / "manifest.csv").rename(folder / "mine.csv")
    assert len(read(folder / "mine.csv")) == 60


def test_only_the_first_clips_are_taken_where_that_is_asked(tmp_path):
    table = read(write_folder(tmp_path), labels=3)
    assert (len(table), table.read) == (45, 60)
    assert set(table.frame["clip_number"]) == {1, 2, 3}
    assert set(table.rejected["kind"]) == {"excluded"}
    assert table.rejected["reason"][0] == "only the first 3 clips of each video are taken"


def test_videos_of_another_modality_are_not_read(tmp_path):
    rows = [
        "A,thermal,thermal/S01.mkv,4,SCSC,2,0.5",
        "A,Visible,thermal/S02.mkv,4,SCSC,2,0.5",
    ]
    folder = write_folder(tmp_path, 2, rows)
    assert set(read(folder).frame["video"]) == {"thermal/S01.mkv"}
    assert set(read(folder, modality="visible").frame["video"]) == {"thermal/S02.mkv"}
    with pytest.raises(UserError, match="names no sound video, only thermal, visible"):
        read(folder, modality="sound")


def test_damaged_short_and_missing_videos_are_counted_frame_by_frame(tmp_path):
    folder = write_folder(tmp_path, 5)
    cut_file(folder / "thermal/S01.mkv", 0.5)
    (folder / "thermal/S02.mkv").unlink()
    (folder / "thermal/S03.mkv").write_text("a letter")
    write_video(folder / "thermal/S04.mkv", 30, codec="ffv1", pixel_format="gray", rate=10)
    table = read(folder)
    assert table.read == 100
    used = table.frame["video"].value_counts()
    assert 5 <= used["thermal/S01.mkv"] < 15
    assert used["thermal/S05.mkv"] == 20
    reasons = table.rejected.groupby(table.rejected["path"].str[:15])["reason"].first()
    assert reasons["thermal/S01.mkv"].startswith("the video ends at")
    assert reasons["thermal/S02.mkv"] == "manifest.csv:3 names it, but there is no such file"
    assert reasons["thermal/S03.mkv"].startswith("no video")
    assert reasons["thermal/S04.mkv"].startswith("too short: 3 s, but 2 s of preparation and 3")
    assert set(table.rejected["kind"]) == {"damaged"}
    with pytest.raises(UserError, match="more than the allowed 5.0%"):
        table.check_rejected()


def test_a_told_length_of_clips_shows_that_a_video_ends_too_early(tmp_path):
    rows = ["S01,thermal,thermal/S01.mkv,4,SCSC,2,0.5,1.5"]
    table = read(write_folder(tmp_path, 1, rows, HEADER + ",clip_s"))
    # Clips at 2, 4, 6 (cut at 7.5) and 8 s.
    assert list(table.frame["clip_number"].value_counts().sort_index()) == [5, 5, 5]
    assert set(table.rejected["reason"]) == {"the video ends at 7.500 s"}


def test_a_clip_with_fewer_frames_than_asked_for_gives_each_once(tmp_path):
    table = read(write_folder(tmp_path, 1), frames=15)
    assert (len(table), table.read) == (40, 60)
    assert set(table.rejected["kind"]) == {"excluded"}
    assert "the clip has fewer than 15" in table.rejected["reason"][0]
    assert not table.frame.duplicated(["video", "time_s"]).any()


def test_a_second_reading_cuts_nothing(tmp_path, monkeypatch):
    folder = write_folder(tmp_path)
    first = read(folder)
    monkeypatch.setattr("affectkeras.media.frame_cache.frames_at", None)
    second = read(folder)
    assert list(second.payload.paths) == list(first.payload.paths)
    assert second.frame.equals(first.frame)


@pytest.mark.parametrize("option", ["labels", "frames"])
def test_options_below_one_are_refused(tmp_path, option):
    with pytest.raises(ValueError, match=f"`{option}` must be at least 1. Received: 0"):
        anu_stress.read(tmp_path, **{option: 0})


def test_the_leakage_check_sees_neighbouring_frames_and_grouped_splits_are_clean(tmp_path):
    table = read(write_folder(tmp_path, 12))
    for protocol in ("grouped", "paper"):
        split = split_table(
            table.frame, "stress", protocol, seed=0, groups_known=True, published="all-rows"
        )
        checks = check_split(table.frame, split)["checks"]
        leaks = {name for name, check in checks.items() if not check["passed"]}
        assert "neighbouring_frames_on_two_sides" in checks
        shared = ("subject", "group", "video", "neighbouring_frames")
        expected = {f"{name}_on_two_sides" for name in shared}
        assert leaks == (expected if protocol == "paper" else set())


def test_the_doctor_sets_what_was_found_against_the_manifest(tmp_path):
    folder = write_folder(tmp_path)
    write_video(folder / "thermal/S09.avi", 10, codec="mpeg4")
    (folder / "thermal/S03.mkv").unlink()
    report = doctor.examine(datasets.reader("anu_stress"), folder, progress=False)
    text = "\n".join(report.lines)
    assert "named: thermal: 3 videos of 3 subjects with 12 clips: 6 Calm, 6 Stressful" in text
    assert "not named: thermal/S09.avi" in text
    assert "Missing\n  thermal/S03.mkv, named in manifest.csv:4" in text
    assert "thermal/S03.mkv: 120 frames from clip 01 frame 00 on: manifest.csv:4 names it" in text
    assert "2 videos of 2 subjects, 8 clips, a clip 1.0 to 1.0 s long" in text
    assert "Copies that are not identical: not looked for, frames of a video are alike" in text


def test_the_doctor_points_to_a_video_whose_clips_are_too_short(tmp_path):
    folder = write_folder(tmp_path)
    write_video(folder / "thermal/S02.mkv", 55, codec="ffv1", pixel_format="gray", rate=10)
    text = "\n".join(doctor.examine(anu_stress, folder, progress=False).lines)
    assert "thermal/S02.mkv: its clips are 0.5 s long, those of others 1.0 s" in text


def test_the_doctors_command_takes_modality_and_labels(tmp_path, capsys):
    folder = write_folder(tmp_path)
    assert doctor_command("anu_stress", folder, modality="thermal", labels=2) == 0
    text = capsys.readouterr().out
    assert "only the first 2 clips of each video are taken" in text
    with pytest.raises(UserError, match="has no option --labels"):
        doctor_command("fer2013", folder, labels=2)


def test_without_a_manifest_there_is_one_to_fill_in(tmp_path):
    write_video(tmp_path / "data/Subject 1, hot.avi", 5, codec="mpeg4")
    write_video(tmp_path / "data/b/2.mkv", 5, codec="mpeg4")
    with pytest.raises(UserError) as caught:
        anu_stress.find(tmp_path / "data")
    message = str(caught.value)
    start = f"{tmp_path}/data: this does not look like ANUStressDB. Looked for manifest.csv"
    assert message.startswith(start)
    assert anu_stress.LAYOUT.strip() in message
    assert f"write it to {tmp_path}/data/manifest.csv" in message
    assert message.endswith(
        "subject,modality,path,clip_count,order,preparation_s,gap_s,clip_s\n"
        '?,?,"Subject 1, hot.avi",20,?,30,6,\n?,?,b/2.mkv,20,?,30,6,'
    )
    # Filled in, it works; as it is, it says what to fill in.
    template = message[message.index("subject,modality,path,clip_count") :]
    (tmp_path / "data/manifest.csv").write_text(template)
    with pytest.raises(UserError, match=r"manifest.csv:2: subject is still \?. Fill it in"):
        anu_stress.find(tmp_path / "data")
    filled = template.replace("?,?,", "S1,thermal,").replace("?", "SCSCSCSCSCSCSCSCSCSC")
    (tmp_path / "data/manifest.csv").write_text(filled)
    assert anu_stress.find(tmp_path / "data").named == (
        "thermal: 2 videos of 1 subjects with 40 clips: 20 Calm, 20 Stressful",
    )


ORDER = "subject,modality,path,clip_count,order"
TIMED = "subject,clip,label,start_s,end_s,path"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"manifest.csv: no rows below the first line"),
        ([ORDER], r"manifest.csv: no rows below the first line. Write one for each video"),
        (
            ["subject;modality;path", "a;b;c"],
            "csv:1: the columns .* are missing. Found: subject;",
        ),
        (["subject,path", "a,b"], "csv:1: the columns modality are missing"),
        (["subject,label,path", "a,S,b"], "csv:1: the columns clip, start_s, end_s are missing"),
        ([ORDER, "A,thermal,a.avi,3,SXC"], "csv:2: order must be one letter per clip.*Found: X"),
        ([ORDER, "A,thermal,a.avi,3,SC"], "csv:2: order tells 2 clips, but clip_count is 3"),
        ([ORDER, "A,thermal,a.avi,x,"], "csv:2: clip_count must be a number from 1. Found: 'x'"),
        ([ORDER, "A,thermal,a.avi,2.5,"], "csv:2: clip_count must be a whole number. Found: '2.5'"),
        ([ORDER, "A,thermal,,2,SC"], "csv:2: path is empty. Fill it in"),
        ([ORDER, ",thermal,a.avi,2,SC"], "csv:2: subject is empty. Fill it in"),
        ([ORDER, "A,?,a.avi,2,SC"], r"csv:2: modality is still \?. Fill it in"),
        (
            [ORDER, "A,thermal,a.avi,2,SC", "", "B,thermal,./a.avi,2,SC"],
            "csv:4: a.avi is named in line 2 already. Keep one row",
        ),
        ([ORDER, "A,thermal,a.avi,2,SC,7"], "csv:2: 6 cells for 5 columns. Put a cell that holds"),
        ([ORDER + ",gap_s", "A,thermal,a.avi,2,SC,-1"], "csv:2: gap_s must be a number from 0"),
        ([TIMED, "A,1,X,0,1,a.avi"], r"csv:2: label must be Stressful \(S\) or Calm \(C\). Found"),
        ([TIMED, "A,1,S,5,5,a.avi"], "csv:2: end_s must be greater than start_s. Found: 5 to 5"),
        ([TIMED, "A,,S,5,6,a.avi"], "csv:2: clip is empty. Fill it in"),
        ([TIMED, "A,1,S,a,6,a.avi"], "csv:2: start_s must be a number from 0. Found: 'a'"),
        (
            [TIMED, "A,1,S,0,5,a.avi", "A,1,C,6,7,a.avi"],
            "csv:3: clip 1 of a.avi stands in line 2 too",
        ),
        (
            [TIMED, "A,1,S,0,5,a.avi", "A,2,C,4,7,a.avi"],
            r"csv:3: clip 2 of a.avi begins at 4 s, before clip 1 \(line 2\) ends at 5 s",
        ),
        (
            [TIMED, "A,1,S,0,5,a.avi", "B,2,C,6,7,a.avi"],
            "csv:3: a.avi has the subject 'B' here, but 'A' in line 2",
        ),
        (["subject,modality,path\nA,thermal,a\0.avi"], "csv:2: path holds a zero byte"),
    ],
)
def test_errors_of_the_manifest_name_file_line_and_mend(tmp_path, lines, message):
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message) as caught:
        anu_stress.find(tmp_path)
    assert str(tmp_path / "manifest.csv") in str(caught.value)


def test_a_manifest_that_is_no_text_is_named(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(b"subject,modality,path\n\xff\xfe,\x80,b\n")
    with pytest.raises(UserError, match="cannot be read as a CSV file .* Save it anew as CSV"):
        anu_stress.find(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: expected a folder or a .zip file"):
        read(tmp_path / "nowhere")


def test_the_tfds_builder_stores_the_frames(tmp_path):
    pytest.importorskip("importlib_resources", reason="tensorflow-datasets 4.9.10 imports it")
    tfds = pytest.importorskip("tensorflow_datasets")
    from affectkeras.datasets.tfds_builders.affect_faces import affect_faces_dataset_builder

    folder = write_folder(tmp_path / "raw", 1)
    builder = affect_faces_dataset_builder.Builder(
        config="anu_stress", data_dir=str(tmp_path / "built")
    )
    downloads = tfds.download.DownloadConfig(manual_dir=str(folder))
    builder.download_and_prepare(download_config=downloads)
    assert builder.info.splits["unsplit"].num_examples == 40
    assert builder.info.features["label"].names == ["Calm", "Stressful"]
