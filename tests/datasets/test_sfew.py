import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import sfew, sfew_folders
from affectkeras.errors import UserError


def write_image(path, seed=0, size=(9, 11)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_part(folder, movies=("Aviator",), classes=sfew.CLASS_NAMES):
    for number, name in enumerate(classes):
        for movie in movies:
            write_image(folder / name / f"{movie}_00010203{number}_0000000{number}.png", number)


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "sfew"
    write_part(folder / "Train/Train_Aligned_Faces", ("Aviator", "OceansEleven"))
    write_part(folder / "Val/Val_Aligned_Faces_new/Val_Aligned_Faces", ("Town",))
    write_image(folder / "Test/Test_Aligned_Faces/Orphan_011442920_00000003.png")
    return folder


def zip_folder(folder, archive, prefix=""):
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, prefix + str(path.relative_to(folder)))


def test_the_name_is_read_from_its_right_end():
    parse = sfew_folders.parse_name
    assert parse("21_012239520_00000041.png") == ("21", "012239520", 41)
    movie = "HarryPotter_Deathly_Hallows_1"
    assert parse(f"{movie}_005528520_00000026.png") == (movie, "005528520", 26)
    assert parse("Town-001305880_00000001.PNG") == ("Town", "001305880", 1)
    assert parse("image_000000.png") is None
    assert parse("Town_001305880_0000001.png") is None


@pytest.mark.parametrize(
    ("movie", "series"),
    [
        ("HarryPotter_Deathly_Hallows_1", "harrypotter"),
        ("Harry_Potter_Half_Blood_Prince", "harrypotter"),
        ("OceansThirteen", "oceans"),
        ("Grudge2", "grudge"),
        ("Grudge3", "grudge"),
        ("RockyIII", "rocky"),
        ("Rocky_V", "rocky"),
        ("KillBill_Vol_2", "killbill"),
        ("Matrix_Reloaded", "matrix"),
        ("21", "21"),
        ("v", "v"),
        ("AmericanHistoryX", "americanhistoryx"),
        ("Hawaii", "hawaii"),
        ("GirlWithAPearlEarring", "girlwithapearlearring"),
    ],
)
def test_films_of_one_series_are_one_group(movie, series):
    assert sfew_folders.franchise(movie) == series


def test_the_table_tells_split_class_film_clip_and_frame(raw):
    table = sfew.read(raw, progress=False)
    assert len(table) == 21
    assert table.groups_known
    assert dict(table.frame["split"].value_counts()) == {"train": 14, "validation": 7}
    row = table.frame.set_index("example_id").loc[
        "Train_Aligned_Faces/Sad/OceansEleven_000102035_00000005.png"
    ]
    wanted = {
        "split": "train",
        "expression": 5,
        "movie": "OceansEleven",
        "group": "oceans",
        "clip": "OceansEleven_000102035",
        "frame_number": 5,
        "width": 9,
        "height": 11,
        "subject": "",
    }
    assert {column: row[column] for column in wanted} == wanted
    assert table.target("expression").class_names[5] == "Sad"


def test_test_images_are_counted_as_unlabelled(raw):
    table = sfew.read(raw, progress=False)
    assert table.rejected.to_numpy().tolist() == [
        [
            "Test_Aligned_Faces/Orphan_011442920_00000003.png",
            "unlabelled",
            "the owner keeps the labels of the test part",
        ]
    ]
    assert table.read == 22


def test_zipped_parts_give_the_same_examples_as_folders(raw, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    zipped = tmp_path / "zipped"
    for owner, name, prefix in (
        ("Train", "Train_Aligned_Faces", "Train_Aligned_Faces/"),
        ("Val", "Val_Aligned_Faces_new", ""),
        ("Test", "Test_Aligned_Faces", ""),
    ):
        (zipped / owner).mkdir(parents=True)
        zip_folder(raw / owner / name, zipped / owner / f"{name}.zip", prefix)
    expected = sfew.read(raw, progress=False)
    table = sfew.read(zipped, progress=False)
    assert table.frame.equals(expected.frame)
    assert table.read == expected.read


def test_the_whole_set_may_be_one_archive_with_a_doubled_top(raw, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    zip_folder(raw, tmp_path / "SFEW.zip", "SFEW_2.0/")
    table = sfew.read(tmp_path / "SFEW.zip", progress=False)
    assert table.frame.equals(sfew.read(raw, progress=False).frame)


def test_folder_names_match_in_any_case(tmp_path):
    write_part(tmp_path / "TRAIN/train_aligned_faces", classes=[*map(str.lower, sfew.CLASS_NAMES)])
    table = sfew.read(tmp_path, progress=False)
    assert sorted(table.frame["expression"]) == list(range(7))


def test_the_originals_lie_beside_the_aligned_faces(raw):
    write_part(raw / "Train", ("Juno",))
    write_part(raw / "Val/Val", ("Saw",))
    write_image(raw / "Test/Orphan_011442920_00000004.png")
    table = sfew.read(raw, images="original", progress=False)
    assert table.frame["example_id"][0] == "Train/Angry/Juno_000102030_00000000.png"
    assert set(table.frame["movie"]) == {"Juno", "Saw"}
    assert len(table) == 14
    assert list(table.rejected["kind"]) == ["unlabelled"] * len(table.rejected)
    assert set(sfew.read(raw, progress=False).frame["movie"]) == {"Aviator", "OceansEleven", "Town"}


def test_a_broken_image_and_a_name_without_film_are_set_aside_with_reasons(raw):
    part = raw / "Train/Train_Aligned_Faces"
    (part / "Fear/Aviator_000102032_00000002.png").write_bytes(b"")
    write_image(part / "Fear/picture 1.png")
    (part / "Fear/notes.txt").write_text("x")
    (part / "Fear/Thumbs.db").write_text("x")
    table = sfew.read(raw, progress=False)
    reasons = {row.path: (row.kind, row.reason) for row in table.rejected.itertuples()}
    assert reasons["Train_Aligned_Faces/Fear/Aviator_000102032_00000002.png"] == (
        "damaged",
        "the file is empty",
    )
    kind, reason = reasons["Train_Aligned_Faces/Fear/picture 1.png"]
    assert kind == "damaged"
    assert "expected Film_HHMMSSmmm_NNNNNNNN.png. Restore the owner's name" in reason
    assert reasons["Train_Aligned_Faces/Fear/notes.txt"][0] == "excluded"
    assert table.read == len(table) + len(table.rejected) == 24


def test_one_file_name_under_two_classes_gives_two_examples(raw):
    name = "Town_000102030_00000000.png"
    write_image(raw / "Val/Val_Aligned_Faces_new/Val_Aligned_Faces/Happy" / name)
    frame = sfew.read(raw, progress=False).frame
    assert frame[frame["example_id"].str.endswith(name)]["expression"].tolist() == [0, 3]


def test_images_of_a_folder_that_is_no_class_are_excluded(raw):
    write_image(raw / "Train/Train_Aligned_Faces/Contempt/Juno_000102030_00000000.png")
    rejected = sfew.read(raw, progress=False).rejected.set_index("path")
    row = rejected.loc["Train_Aligned_Faces/Contempt/Juno_000102030_00000000.png"]
    assert row["kind"] == "excluded"
    assert "the folder Contempt is none of the classes Angry" in row["reason"]


def test_missing_parts_are_named_with_the_mend(tmp_path):
    write_part(tmp_path / "Train/Train_Aligned_Faces", classes=sfew.CLASS_NAMES[1:])
    assert sfew.find(tmp_path).missing == (
        "the class folders Angry of Train_Aligned_Faces: unpack the whole archive again",
        "the aligned images of the validation part (Val/…): unpack Val_Aligned_Faces into Val/",
    )


def test_a_folder_of_something_else_is_refused_with_what_was_seen(tmp_path):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(UserError, match="does not look like SFEW.*found holiday/"):
        sfew.read(tmp_path)


def test_the_error_says_when_only_the_other_images_are_there(tmp_path):
    write_part(tmp_path / "Train")
    with pytest.raises(UserError, match="the original ones are there: --images original"):
        sfew.find(tmp_path)
    with pytest.raises(UserError, match="`images` must be 'aligned' or 'original'"):
        sfew.find(tmp_path, images="faces")


def write_flat(folder):
    lines = ["image_name,label,emotion,original_split"]
    for number, (emotion, split) in enumerate(
        [("Angry", "Train"), ("Happiness", "Val"), ("", "Test"), ("Bored", "Train")]
    ):
        write_image(folder / f"sfew2.0_images/image_00000{number}.png", number)
        lines.append(f"image_00000{number}.png,{number},{emotion},{split}")
    write_image(folder / "sfew2.0_images/image_000009.png")
    lines.append("image_000007.png,0,Sad,Train")
    (folder / "sfew_2.0_labels.csv").write_text("\n".join(lines))


def test_the_flattened_copy_has_lost_its_groups(tmp_path):
    write_flat(tmp_path)
    table = sfew.read(tmp_path, progress=False)
    assert not table.groups_known
    assert table.frame["expression"].tolist() == [0, 3]
    assert table.frame["split"].tolist() == ["train", "validation"]
    assert dict(zip(table.rejected["path"], table.rejected["kind"], strict=True)) == {
        "sfew2.0_images/image_000002.png": "unlabelled",
        "sfew2.0_images/image_000003.png": "damaged",
        "sfew2.0_images/image_000009.png": "unlabelled",
        "sfew2.0_images/image_000007.png": "damaged",
    }


def test_the_flattened_copy_needs_its_columns_and_images(tmp_path):
    (tmp_path / "sfew_2.0_labels.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="expected the folder sfew2.0_images"):
        sfew.read(tmp_path)
    (tmp_path / "sfew2.0_images").mkdir()
    with pytest.raises(UserError, match="expected the columns image_name, emotion, original_split"):
        sfew.read(tmp_path)


def test_paper_counts_add_up_to_the_papers_totals():
    # Section 1.1: 891 training and 431 validation images.
    assert sum(sfew.PAPER_COUNTS["train"]) == 891
    assert sum(sfew.PAPER_COUNTS["validation"]) == 431


def test_images_below_deeper_folders_of_a_class_are_found(raw):
    source = raw / "Train/Train_Aligned_Faces/Sad"
    (source / "Sad").mkdir()
    shutil.copy(
        source / "Aviator_000102035_00000005.png",
        source / "Sad/Aviator_000102035_00000009.png",
    )
    frame = sfew.read(raw, progress=False).frame
    identity = "Train_Aligned_Faces/Sad/Sad/Aviator_000102035_00000009.png"
    assert identity in set(frame["example_id"])
