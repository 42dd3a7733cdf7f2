import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from PIL import Image

from affectkeras.cropping import crop_faces
from affectkeras.cropping.crop_faces import CropSettings, crop_faces_command
from affectkeras.cropping.crop_names import name_of_output, output_path, plan_names
from affectkeras.errors import UserError
from affectkeras.media.faces import DetectionSettings, Face

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")


def encode(value, size=(100, 80), format="PNG", **options):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, format, **options)
    return buffer.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def read_table(folder):
    with open(folder / "faces.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pngs(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


CENTRAL = Face(30, 20, 20, 40, "mtcnn", 0.99, tuple((number, 30.5) for number in range(5)))
CORNER = Face(0, 0, 10, 10, "mtcnn", 0.95, CENTRAL.landmarks)


class StandIn:
    """Stands for the detector: dark pictures hold no face, middling ones a face that the cascade
    finds, bright ones two faces. Counts what it has seen."""

    def __init__(self):
        self.seen, self.loaded, self.stop_at = 0, 0, None

    def load(self):
        self.loaded += 1

    def detect(self, images, settings):
        if self.stop_at is not None and self.seen >= self.stop_at:
            raise KeyboardInterrupt
        self.seen += len(images)
        return [self._faces(image) for image in images]

    def _faces(self, image):
        if image.mean() < 50:
            return []
        return [Face(40, 30, 20, 20, "haar")] if image.mean() < 150 else [CORNER, CENTRAL]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    detector = StandIn()
    monkeypatch.setattr(crop_faces, "load_detector", detector.load)
    monkeypatch.setattr(crop_faces, "detect_faces", detector.detect)
    return detector


@pytest.fixture
def photos(tmp_path):
    files = {
        "train/happy/bright.jpg": encode(250, format="JPEG"),
        "train/sad/middling.png": encode(100),
        "test/happy/dark.png": encode(10),
        "test/happy/broken.png": encode(240)[:40],
        "test/happy/empty.jpg": b"",
        "notes.txt": b"no image",
    }
    return write(tmp_path / "photos", files)


def crop(source, destination, **settings):
    crop_faces_command([source], destination, CropSettings(**settings))
    return {row["source"]: row for row in read_table(destination)}


def test_every_file_has_an_outcome_and_the_sum_is_told(photos, tmp_path, capsys):
    rows = crop(photos, tmp_path / "out", size=32)
    assert {source: row["outcome"] for source, row in rows.items()} == {
        "test/happy/broken.png": "damaged",
        "test/happy/dark.png": "no_face",
        "test/happy/empty.jpg": "damaged",
        "train/happy/bright.jpg": "mtcnn",
        "train/sad/middling.png": "haar",
    }
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        "5 images read = 2 written (1 by MTCNN, 1 by Haar cascade) + 1 without a face + 2 damaged."
    )
    assert printed[1] == "1 other files passed over: .txt 1."
    assert pngs(tmp_path / "out") == ["train/happy/bright.png", "train/sad/middling.png"]
    for name in pngs(tmp_path / "out"):
        assert Image.open(tmp_path / "out" / name).size == (32, 32)
    assert rows["test/happy/empty.jpg"]["reason"] == "the file is empty"
    assert rows["test/happy/broken.png"]["reason"].startswith("truncated")
    assert "MTCNN finds no face of confidence 0.9" in rows["test/happy/dark.png"]["reason"]


def test_a_row_holds_box_confidence_landmarks_and_what_was_filled_up(photos, tmp_path):
    rows = crop(photos, tmp_path / "out", size=None, margin=0.5)
    row = rows["train/happy/bright.jpg"]
    names = ("x", "y", "width", "height", "confidence", "face", "faces_found")
    assert [row[name] for name in names] == ["30", "20", "20", "40", "0.99", "1", "2"]
    assert (row["right_eye_x"], row["right_eye_y"]) == ("1", "30.5")
    assert (row["image_width"], row["image_height"]) == ("100", "80")
    # Square of 80 about (40, 40): all of it inside.
    assert row["padded"] == "0.000"
    assert Image.open(tmp_path / "out" / row["output"]).size == (80, 80)
    haar = rows["train/sad/middling.png"]
    assert (haar["confidence"], haar["nose_x"], haar["faces_found"]) == ("", "", "1")


def test_a_crop_beyond_the_photograph_says_which_share_was_filled_up(photos, tmp_path):
    # Square of 120 about (40, 40), of which 100 × 80 lie inside: 1 - 8000/14400.
    row = crop(photos, tmp_path / "out", size=None, margin=1)["train/happy/bright.jpg"]
    assert row["padded"] == "0.444"


def test_another_margin_or_size_detects_nothing_anew(photos, tmp_path, stand_in):
    crop(photos, tmp_path / "out")
    assert (stand_in.seen, stand_in.loaded) == (3, 1)
    rows = crop(photos, tmp_path / "other", margin=0.4, size=48, keep_whole=True)
    assert (stand_in.seen, stand_in.loaded) == (3, 1)
    assert rows["train/happy/bright.jpg"]["outcome"] == "mtcnn"
    crop(photos, tmp_path / "third", detection=DetectionSettings(longest_side=320))
    assert stand_in.seen == 6


def test_all_faces_are_written_side_by_side(photos, tmp_path, capsys):
    crop_faces_command([photos], tmp_path / "out", CropSettings(all_faces=True, keep_whole=True))
    assert pngs(tmp_path / "out") == [
        "test/happy/dark_whole.png",
        "train/happy/bright_face1.png",
        "train/happy/bright_face2.png",
        "train/sad/middling_face1.png",
    ]
    of_bright = [row for row in read_table(tmp_path / "out") if "bright" in row["source"]]
    assert [(row["face"], row["x"]) for row in of_bright] == [("1", "30"), ("2", "0")]
    printed = capsys.readouterr().out
    assert "5 images read = 3 written" in printed
    assert "0 without a face + 2 damaged. 4 crops." in printed


def test_a_photograph_without_a_face_can_be_kept_whole(photos, tmp_path, capsys):
    row = crop(photos, tmp_path / "out", keep_whole=True, size=50)["test/happy/dark.png"]
    assert row["outcome"] == "whole"
    assert row["padded"] == "0.200"
    assert "MTCNN finds no face" in row["reason"]
    assert Image.open(tmp_path / "out" / row["output"]).size == (50, 50)
    assert "3 written (1 by MTCNN, 1 by Haar cascade, 1 whole" in capsys.readouterr().out
    row = crop(photos, tmp_path / "as_is", keep_whole=True, size=None)["test/happy/dark.png"]
    assert Image.open(tmp_path / "as_is" / row["output"]).size == (100, 80)
    assert row["padded"] == "0.000"


def test_the_exif_orientation_is_honoured(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    write(tmp_path / "photos", {"a.jpg": encode(100, format="JPEG", exif=exif)})
    row = crop(tmp_path / "photos", tmp_path / "out")["a.jpg"]
    assert (row["image_width"], row["image_height"]) == ("80", "100")
    assert not Image.open(tmp_path / "out" / "a.png").getexif()


def test_a_second_run_goes_on_where_the_first_was_broken_off(
    tmp_path, stand_in, capsys, monkeypatch
):
    monkeypatch.setattr(crop_faces, "BATCH_SIZE", 4)
    # All different, so that none is known by its content.
    files = {f"{n}.png": encode(200, (100 + n, 80)) for n in range(10)}
    photos = write(tmp_path / "photos", files)
    stand_in.stop_at = 8
    with pytest.raises(KeyboardInterrupt):
        crop(photos, tmp_path / "out")
    assert len(read_table(tmp_path / "out")) == 8
    stand_in.stop_at = None
    rows = crop(photos, tmp_path / "out")
    assert len(rows) == 10
    assert stand_in.seen == 10
    assert "8 of them were done before." in capsys.readouterr().out


def test_a_run_that_is_gone_on_with_redoes_what_has_changed(photos, tmp_path, stand_in):
    out = tmp_path / "out"
    crop(photos, out)
    (photos / "train/happy/bright.jpg").write_bytes(encode(10))
    (out / "train/sad/middling.png").unlink()
    (photos / "test/happy/empty.jpg").write_bytes(encode(240))
    rows = crop(photos, out)
    assert rows["train/happy/bright.jpg"]["outcome"] == "no_face"
    assert rows["test/happy/empty.jpg"]["outcome"] == "mtcnn"
    # The crop of the photograph that has none any more is gone.
    assert pngs(out) == ["test/happy/empty.png", "train/sad/middling.png"]


def test_other_settings_in_the_same_folder_are_refused(photos, tmp_path):
    crop(photos, tmp_path / "out")
    with pytest.raises(
        UserError, match=r"other settings: size 224 there, 64 now; margin 0.2 there"
    ):
        crop(photos, tmp_path / "out", size=64, margin=0.3)
    with pytest.raises(UserError, match="other settings: source"):
        crop(write(tmp_path / "others", {"a.png": encode(100)}), tmp_path / "out")


def test_equal_names_do_not_overwrite_each_other(tmp_path):
    files = {
        "a.jpg": encode(250),
        "a.png": encode(250),
        "A.jpeg": encode(250),
        "b.jpg": encode(250),
    }
    write(tmp_path / "photos", files)
    rows = crop(tmp_path / "photos", tmp_path / "out")
    assert pngs(tmp_path / "out") == ["A.jpeg.png", "a.jpg.png", "a.png.png", "b.png"]
    assert rows["A.jpeg"]["output"] == "A.jpeg.png"


def test_files_of_one_name_from_several_folders_get_names_of_their_own(tmp_path):
    write(tmp_path / "photos", {"x/a.png": encode(100), "y/a.png": encode(250)})
    given = [tmp_path / "photos" / name / "a.png" for name in "xy"]
    crop_faces_command(given, tmp_path / "out")
    crop_faces_command(given[1:], tmp_path / "out")
    assert {row["source"]: row["output"] for row in read_table(tmp_path / "out")} == {
        str(given[0]): "a.png.png",
        str(given[1]): "a.png-2.png",
    }


def test_names_are_unique_and_those_given_before_stay():
    def plan(names, claimed=None):
        planned = plan_names([(name, Path(name)) for name in names], claimed)
        return {source: name.as_posix() for source, name in planned.items()}

    assert plan(["a.jpg", "b/a.jpg"]) == {"a.jpg": "a", "b/a.jpg": "b/a"}
    assert plan(["a.jpg", "a.png"]) == {"a.jpg": "a.jpg", "a.png": "a.png"}
    # a.jpg came alone first; a.png beside it later must not take its name.
    assert plan(["a.jpg", "a.png"], {"a.jpg": "a"}) == {"a.jpg": "a", "a.png": "a.png"}
    assert plan(["a.png"], {"a.jpg": "a"}) == {"a.png": "a.png"}
    # The crop of a.jpg cannot lie where a folder is.
    assert plan(["a.jpg", "a.png/b.jpg"]) == {"a.jpg": "a.jpg", "a.png/b.jpg": "a.png/b"}
    assert plan(["v1.2.jpg"]) == {"v1.2.jpg": "v1.2"}
    assert len(set(plan(["a.jpg", "a.png", "A.JPG", "a.jpg.png", "a.jpg.jpg"]).values())) == 5


def test_no_face_of_one_photograph_has_the_name_of_anothers():
    paths = {
        output_path(Path(name), face, True)
        for name in ("a", "a_face2", "a_whole")
        for face in (None, 1, 2)
    }
    assert len(paths) == 9
    assert {name_of_output(str(path), True) for path in paths} == {"a", "a_face2", "a_whole"}
    assert name_of_output("b/a_face2.png", False) == "b/a_face2"


def test_names_that_are_no_utf8_or_hold_line_breaks_are_kept(tmp_path):
    folder = os.fsencode(tmp_path / "photos")
    os.mkdir(folder)
    for name in (b"caf\xe9.png", b"two\nlines.png", b'a,"b".png'):
        Path(os.fsdecode(os.path.join(folder, name))).write_bytes(encode(100))
    rows = crop(tmp_path / "photos", tmp_path / "out")
    assert sorted(rows) == ['a,"b".png', "caf\\xe9.png", "two\nlines.png"]
    assert sorted(os.listdir(os.fsencode(tmp_path / "out"))) == [
        *(b".faces.lock", b'a,"b".png', b"caf\xe9.png", b"faces.csv", b"faces.json"),
        b"two\nlines.png",
    ]
    assert crop(tmp_path / "photos", tmp_path / "out") == rows


def test_links_that_lead_nowhere_are_damaged(tmp_path):
    photos = write(tmp_path / "photos", {"a.png": encode(100)})
    (photos / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(photos / "pipe.png")
    rows = crop(photos, tmp_path / "out")
    assert {source: row["outcome"] for source, row in rows.items()} == {
        "a.png": "haar",
        "gone.png": "damaged",
        "pipe.png": "damaged",
    }


def test_a_folder_of_crops_among_the_photographs_is_refused(photos, tmp_path):
    for inside in (photos, photos / "crops", photos / "train" / ".." / "crops"):
        with pytest.raises(UserError, match="the crops would be taken for photographs"):
            crop(photos, inside)
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(UserError, match="the crops would be taken for photographs"):
        crop(photos, tmp_path / "link" / "crops")
    with pytest.raises(UserError, match="crops could be written over photographs"):
        crop(photos, tmp_path)
    with pytest.raises(UserError, match="crops could be written over photographs"):
        crop_faces_command([photos / "test" / "happy" / "dark.png"], photos)
    assert not (photos / "crops").exists()


def test_a_folder_with_other_files_is_refused(photos, tmp_path):
    mine = write(tmp_path / "mine", {"thesis.txt": b"mine"})
    with pytest.raises(UserError, match="mine: holds thesis.txt but no faces.json"):
        crop(photos, mine)
    with pytest.raises(UserError, match=r"thesis.txt: is a file. Give a folder"):
        crop(photos, mine / "thesis.txt")
    assert sorted(path.name for path in mine.iterdir()) == ["thesis.txt"]


def test_inputs_that_cannot_serve_are_refused(photos, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        crop(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match="bare: no image below this folder.*.jpg, .jpeg, .png"):
        crop(tmp_path / "bare", tmp_path / "out")
    with pytest.raises(UserError, match="Give one folder, or files"):
        crop_faces_command([photos, tmp_path / "bare"], tmp_path / "out")
    with pytest.raises(UserError, match="size must be 1 to 4096 pixels, or None. Received: 0"):
        CropSettings(size=0)
    with pytest.raises(UserError, match="margin must be from 0 to 2. Received: 20"):
        CropSettings(margin=20)
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused(photos, tmp_path):
    (tmp_path / "out").mkdir()
    with (
        filelock.FileLock(tmp_path / "out" / ".faces.lock"),
        pytest.raises(UserError, match="another crop-faces is writing there"),
    ):
        crop(photos, tmp_path / "out")
    assert len(crop(photos, tmp_path / "out")) == 5


@pytest.mark.parametrize("damage", [b"", b"a,b\n1,2\n", b'"', b"\xff\xff"])
def test_a_damaged_table_is_refused(photos, tmp_path, damage):
    crop(photos, tmp_path / "out")
    (tmp_path / "out" / "faces.csv").write_bytes(damage)
    with pytest.raises(UserError, match=r"faces.csv: (is not as|cannot be read).*Delete it"):
        crop(photos, tmp_path / "out")
    assert (tmp_path / "out" / "faces.csv").read_bytes() == damage
    (tmp_path / "out" / "faces.json").write_bytes(b"{")
    (tmp_path / "out" / "faces.csv").unlink()
    with pytest.raises(UserError, match=r"faces.json: cannot be read"):
        crop(photos, tmp_path / "out")


def test_photographs_are_decoded_in_parts(tmp_path, monkeypatch, stand_in):
    monkeypatch.setattr(crop_faces, "_PIXELS_AT_ONCE", 20_000)
    parts = []
    detect = stand_in.detect
    monkeypatch.setattr(
        crop_faces,
        "detect_faces",
        lambda images, settings: parts.append(len(images)) or detect(images, settings),
    )
    files = {f"{n}.png": encode(200, (100 + n, 80)) for n in range(5)}
    crop(write(tmp_path / "photos", files), tmp_path / "out")
    assert parts == [2, 2, 1]


def run(*arguments):
    command = [sys.executable, "-m", "affectkeras", "crop-faces", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_errors_of_the_command_line_are_one_line(tmp_path):
    finished = run(tmp_path)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: crop-faces needs a folder or files, and last")
    assert len(finished.stderr.splitlines()) == 1


@pytest.mark.skipif(not REAL_DATA, reason="AFFECTKERAS_REAL_DATA is not set")
def test_the_command_finds_a_real_face(tmp_path):
    photo = Path(REAL_DATA) / "data" / "video" / "single_face.jpg"
    write(tmp_path / "photos", {"a/face.jpg": photo.read_bytes(), "b/dark.png": encode(10)})
    finished = run(tmp_path / "photos", tmp_path / "out", "--size", "96")
    assert finished.returncode == 0
    assert finished.stderr == ""
    assert finished.stdout.splitlines()[0] == (
        "2 images read = 1 written (1 by MTCNN, 0 by Haar cascade) + 1 without a face + 0 damaged."
    )
    assert Image.open(tmp_path / "out" / "a" / "face.png").size == (96, 96)
