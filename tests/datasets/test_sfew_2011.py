"""The SFEW of 2011: class folders right below the top, with or without the names of films."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from affectkeras import doctor
from affectkeras.datasets import sfew
from affectkeras.errors import UserError
from affectkeras.evaluation.splits import split_table


def write_image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_set(folder, pattern="Film{number}_00010203{number}_00000001.png", names=sfew.CLASS_NAMES):
    for number, name in enumerate(names):
        write_image(folder / name / pattern.format(number=number), number)
    return folder


def read(folder, **options):
    table = sfew.read(folder, progress=False, **options)
    assert table.read == len(table) + len(table.rejected)
    return table


def kinds(table):
    return dict(zip(table.rejected["path"], table.rejected["kind"], strict=True))


def test_names_that_tell_films_give_groups_and_no_row_has_a_split(tmp_path):
    table = read(write_set(tmp_path))
    assert table.name == "sfew"
    assert table.groups_known
    assert table.frame["expression"].tolist() == list(range(7))
    assert set(table.frame["split"]) == {""}
    assert set(table.frame["source"]) == {"SFEW 2011"}
    row = table.frame.set_index("example_id").loc["Sad/Film5_000102035_00000001.png"]
    wanted = {
        "group": "film",
        "movie": "Film5",
        "clip": "Film5_000102035",
        "frame_number": 1,
        "width": 10,
        "height": 8,
    }
    assert {column: row[column] for column in wanted} == wanted
    assert table.read == 7


def test_where_no_name_tells_a_film_groups_are_unknown_and_nothing_is_rejected(tmp_path):
    table = read(write_set(tmp_path, "img_{number}.jpg"))
    assert not table.groups_known
    assert table.frame["group"].tolist() == table.frame["example_id"].tolist()
    assert "movie" not in table.frame
    assert len(table) == table.read == 7


def test_where_some_names_tell_films_the_others_are_damaged_with_the_mend(tmp_path):
    write_set(tmp_path)
    write_image(tmp_path / "Happy/photo 7.png")
    table = read(tmp_path)
    assert table.groups_known
    assert len(table) == 7
    assert kinds(table) == {"Happy/photo 7.png": "damaged"}
    assert "Restore the owner's name" in table.rejected["reason"][0]


def test_class_folders_may_have_any_case_and_be_named_by_nouns(tmp_path):
    names = ("ANGER", "disgusted", "fear", "Happiness", "neutral", "sadness", "Surprised")
    table = read(write_set(tmp_path, names=names))
    assert table.frame.set_index("example_id")["expression"].to_dict() == {
        f"{name}/Film{number}_00010203{number}_00000001.png": number
        for number, name in enumerate(names)
    }
    assert sfew.find(tmp_path).missing == ()


def test_two_folders_of_one_class_are_both_read(tmp_path):
    write_set(tmp_path)
    write_image(tmp_path / "anger/Film0_000102030_00000001.png", 9)
    table = read(tmp_path)
    assert table.frame["expression"].tolist().count(0) == 2


def test_what_is_no_image_of_a_class_is_set_aside_with_its_kind(tmp_path):
    write_set(tmp_path)
    (tmp_path / "Fear/notes.txt").write_text("x")
    (tmp_path / "Fear/Film9_000102039_00000001.png").write_bytes(b"")
    write_image(tmp_path / "Contempt/Film8_000102038_00000001.png")
    write_image(tmp_path / "Film7_000102037_00000001.png")
    (tmp_path / "SFEW.xlsx").write_bytes(b"beside images it does no harm")
    table = read(tmp_path)
    assert len(table) == 7
    assert kinds(table) == {
        "Fear/notes.txt": "excluded",
        "Fear/Film9_000102039_00000001.png": "damaged",
        "Contempt/Film8_000102038_00000001.png": "excluded",
        "Film7_000102037_00000001.png": "unlabelled",
    }


@pytest.mark.parametrize("prefix", ["", "SFEW/"])
def test_the_set_may_lie_a_folder_below_or_in_an_archive(tmp_path, monkeypatch, prefix):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    folder = write_set(tmp_path / "outer" / "SFEW")
    expected = read(folder).frame
    assert read(folder.parent).frame.equals(expected)
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped/SFEW.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, prefix + str(path.relative_to(folder)))
    assert read(tmp_path / "zipped/SFEW.zip").frame.equals(expected)
    assert read(tmp_path / "zipped").frame.equals(expected)


def test_missing_class_folders_are_named_with_the_mend(tmp_path):
    layout = sfew.find(write_set(tmp_path, names=("Angry", "Happiness")))
    assert layout.set_of_2011 == tmp_path
    assert layout.missing == (
        "the class folders Disgust, Fear, Neutral, Sad, Surprise of the set of 2011: unpack the "
        "whole archive again",
    )


def test_one_class_folder_alone_is_no_set(tmp_path):
    with pytest.raises(UserError, match="or class folders; found Angry/. Expected layout"):
        sfew.find(write_set(tmp_path, names=("Angry",)))


def test_empty_class_folders_are_an_error_with_the_mend(tmp_path):
    for name in sfew.CLASS_NAMES:
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="the folder has the right parts, but no .jpg"):
        sfew.read(tmp_path)
    (tmp_path / "SFEW.xlsx").write_bytes(b"")
    with pytest.raises(UserError, match="table of features of the SFEW of 2011"):
        sfew.read(tmp_path)


def test_the_set_holds_one_kind_of_images(tmp_path):
    with pytest.raises(UserError, match="the set of 2011 holds one kind .* --images original"):
        sfew.find(write_set(tmp_path), images="original")


def test_sfew_2_wins_over_class_folders_beside_its_parts(tmp_path):
    write_set(tmp_path / "Train/Train_Aligned_Faces")
    write_set(tmp_path)
    layout = sfew.find(tmp_path)
    assert layout.set_of_2011 is None
    assert layout.published == ""
    assert layout.train == tmp_path / "Train/Train_Aligned_Faces"


@pytest.mark.parametrize("name", ["Train", "val", "Train_Aligned_Faces", "Val_Aligned_Faces_new"])
def test_a_part_of_sfew_2_is_not_taken_for_the_set_of_2011(tmp_path, monkeypatch, name):
    folder = write_set(tmp_path / name)
    with pytest.raises(
        UserError, match="by its name this is one part of SFEW 2.0. Name the folder"
    ):
        sfew.find(folder)
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="rename the folder, for example to SFEW_2011"):
        sfew.find(".")


def test_a_zipped_part_of_sfew_2_is_not_taken_for_the_set_of_2011(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    folder = write_set(tmp_path / "faces")
    with zipfile.ZipFile(tmp_path / "Val_Aligned_Faces.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, path.relative_to(folder))
    with pytest.raises(UserError, match=r"Val_Aligned_Faces\.zip: by its name this is one part"):
        sfew.find(tmp_path / "Val_Aligned_Faces.zip")


def test_the_set_beside_sfew_2_asks_for_one_of_them(tmp_path):
    write_set(tmp_path / "SFEW_2011")
    write_set(tmp_path / "SFEW_2/Train/Train_Aligned_Faces")
    with pytest.raises(UserError, match="several places below .*: SFEW_2, SFEW_2011. Name one"):
        sfew.find(tmp_path)


@pytest.mark.parametrize("named", ["", "SFEW.xlsx"])
@pytest.mark.parametrize("place", ["", "below"])
def test_the_table_of_features_is_no_image_set(tmp_path, place, named):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "SFEW.xlsx").write_bytes(b"PK")
    folder = tmp_path / place / named if named else tmp_path
    with pytest.raises(UserError) as caught:
        sfew.find(folder)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / place / 'SFEW.xlsx'}: this is the table of features")
    assert "Ask the owners of SFEW for the 700 stills of 2011 or for SFEW 2.0" in message


def test_a_table_of_another_name_is_just_another_folder(tmp_path):
    (tmp_path / "holiday.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match="does not look like SFEW.*found holiday.xlsx"):
        sfew.find(tmp_path)


def test_the_doctor_says_what_was_published_and_compares_with_no_other_set(tmp_path):
    report = doctor.examine(sfew, write_set(tmp_path), progress=False)
    text = "\n".join(report.lines)
    assert f"Found\n  set of 2011: {tmp_path}\n\nImages per class (expression)\n" in text
    assert (
        "  all              7\n  found: 7 that can be used; published: 700 stills, in 675" in text
    )
    assert "paper" not in text
    assert "Groups: 1\n  no split: 1" in text
    assert report.problems == []


def test_the_doctor_tells_that_groups_are_unknown_and_what_is_missing(tmp_path):
    write_set(tmp_path, "{number}.png", names=sfew.CLASS_NAMES[1:])
    report = doctor.examine(sfew, tmp_path, progress=False)
    text = "\n".join(report.lines)
    assert "Groups: unknown" in text
    assert "Missing\n  the class folders Angry of the set of 2011" in text
    assert report.problems == [
        "missing: the class folders Angry of the set of 2011: unpack the whole archive again",
        "no usable image of the class Angry",
    ]


def test_the_layout_that_is_shown_tells_the_set_of_2011(capsys):
    assert doctor.doctor_command("sfew", None) == 0
    assert "Or the set of 2011: {Angry,Disgust,Fear," in capsys.readouterr().out


def test_the_set_is_divided_by_films(tmp_path):
    for film in ("Juno", "Saw", "Town", "Aviator", "Grudge", "Rocky", "Hawaii", "Matrix"):
        write_set(tmp_path, film + "_00010203{number}_00000001.png")
    table = read(tmp_path)
    split = split_table(
        table.frame, "expression", "grouped", seed=0, groups_known=table.groups_known
    )
    films = [set(table.frame["group"].iloc[rows]) for rows in split.parts().values()]
    assert all(films)
    assert sum(map(len, films)) == len(set.union(*films)) == 8
