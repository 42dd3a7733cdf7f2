"""AffectNet's two forms, written small into a folder and read back."""

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import affectnet
from affectkeras.errors import UserError

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def save_face(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 16, 3), 120, np.uint8)).save(path)


def write_lists(folder, training, validation=()):
    lists = folder / "Manually_Annotated_file_lists"
    lists.mkdir(parents=True)
    (lists / "training.csv").write_text("\n".join([HEADER, *training]) + "\n")
    if validation:
        (lists / "validation.csv").write_text("\n".join([HEADER, *validation]) + "\n")
    for line in [*training, *validation]:
        name = line.split(",")[0]
        if name and ".." not in name:
            save_face(folder / "Manually_Annotated_Images" / name)


def write_set(folder, name, faces):
    for number, values in faces.items():
        save_face(folder / name / "images" / f"{number}.jpg")
        (folder / name / "annotations").mkdir(exist_ok=True)
        for part, value in zip(("exp", "val", "aro"), values, strict=False):
            np.save(folder / name / "annotations" / f"{number}_{part}.npy", value)


def test_lists_give_expression_valence_arousal_and_the_face_box(tmp_path):
    training = ["689/a.jpg,1,2,10,12,3;4;5;6,1,0.75,-0.25"]
    write_lists(tmp_path, training, ["12/b.jpg,0,0,16,20,1;2,7,-0.5,0.5"])
    table = affectnet.read(tmp_path, progress=False)
    columns = ["example_id", "split", "expression", "valence", "arousal", "face_x", "face_width"]
    assert table.frame[columns].to_numpy().tolist() == [
        ["Manually_Annotated_Images/689/a.jpg", "train", 1, 0.75, -0.25, 1, 10],
        ["Manually_Annotated_Images/12/b.jpg", "validation", 7, -0.5, 0.5, 0, 16],
    ]
    assert [target.kind for target in table.targets] == ["class", "number", "number"]
    assert not table.groups_known


def test_minus_two_is_no_value(tmp_path):
    write_lists(tmp_path, ["1/a.jpg,0,0,9,9,,2,-2,-2"])
    table = affectnet.read(tmp_path, progress=False)
    assert table.frame[["valence", "arousal"]].isna().all(axis=None)


def test_faces_without_expression_are_excluded_by_their_kind(tmp_path):
    lines = [f"1/{label}.jpg,0,0,9,9,,{label},-2,-2" for label in (7, 8, 9, 10)]
    write_lists(tmp_path, lines)
    table = affectnet.read(tmp_path, progress=False)
    assert table.frame["expression"].tolist() == [7]
    assert table.rejected.to_numpy().tolist() == [
        ["Manually_Annotated_Images/1/8.jpg", "excluded", "expression 8 (None)"],
        ["Manually_Annotated_Images/1/9.jpg", "excluded", "expression 9 (Uncertain)"],
        ["Manually_Annotated_Images/1/10.jpg", "excluded", "expression 10 (No face)"],
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1/b.jpg,0,0,9,9,,11,0,0", "expression must be 0 to 10. Found: '11'"),
        (
            "1/b.jpg,0,0,9,9,,sad,0,0",
            "expression, valence and arousal must be numbers. Found: 'sad', '0', '0'",
        ),
        (
            "1/b.jpg,0,0,9,9,,1,3,0",
            "valence and arousal must be in [-1, 1] or -2. Found: 3, 0",
        ),
        (
            "1/b.jpg,0,0,9,9,,1,nan,0",
            "valence and arousal must be in [-1, 1] or -2. Found: nan, 0",
        ),
        ("1/b.jpg,0,0", "3 cells for 9 columns"),
        (
            "../b.jpg,0,0,9,9,,1,0,0",
            "subDirectory_filePath must name a file in the folder. Found: '../b.jpg'",
        ),
    ],
)
def test_a_bad_row_is_set_aside_with_its_line(tmp_path, line, reason):
    write_lists(tmp_path, ["1/a.jpg,0,0,9,9,,1,0,0", line])
    table = affectnet.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [["training.csv:3", "damaged", reason]]


def test_a_list_without_its_columns_is_refused_by_name(tmp_path):
    write_lists(tmp_path, [])
    lists = tmp_path / "Manually_Annotated_file_lists"
    (lists / "training.csv").write_text("subDirectory_filePath,expression\n")
    (tmp_path / "Manually_Annotated_Images").mkdir()
    with pytest.raises(UserError, match="the columns valence, arousal are missing. Found: sub"):
        affectnet.read(tmp_path, progress=False)


def test_sets_with_annotations_of_numbers_or_text_are_read(tmp_path):
    write_set(tmp_path, "train_set", {"10": ("3", "0.5", "-0.5")})
    write_set(tmp_path, "val_set", {"0": (np.int64(6), np.float64(-1), np.array([1.0]))})
    table = affectnet.read(tmp_path, progress=False)
    columns = ["example_id", "split", "expression", "valence", "arousal"]
    assert table.frame[columns].to_numpy().tolist() == [
        ["train_set/images/10.jpg", "train", 3, 0.5, -0.5],
        ["val_set/images/0.jpg", "validation", 6, -1, 1],
    ]


def test_a_face_without_annotation_is_unlabelled(tmp_path):
    write_set(tmp_path, "val_set", {"0": (1, 0.0, 0.0), "1": (1,)})
    table = affectnet.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [
        [
            "val_set/images/1.jpg",
            "unlabelled",
            "no annotation: 1_val.npy, 1_aro.npy is not there",
        ]
    ]


def test_annotations_that_are_broken_or_pickled_set_the_face_aside(tmp_path):
    faces = dict.fromkeys("0123", (1, 0.0, 0.0))
    write_set(tmp_path, "train_set", faces)
    annotations = tmp_path / "train_set" / "annotations"
    (annotations / "1_exp.npy").write_bytes(b"\x93NUMPY broken")
    np.save(annotations / "2_exp.npy", np.array([{"exp": 1}], dtype=object))
    np.save(annotations / "3_exp.npy", np.array([1, 2]))
    table = affectnet.read(tmp_path, progress=False)
    assert table.frame["example_id"].tolist() == ["train_set/images/0.jpg"]
    assert table.rejected["kind"].tolist() == ["damaged"] * 3
    assert table.rejected["reason"].str.startswith(("1_exp.npy", "2_exp.npy")).sum() == 2
    assert table.rejected["reason"][2] == "3_exp.npy does not hold exactly one value"


def test_a_folder_without_either_form_is_refused(tmp_path):
    (tmp_path / "train_set").mkdir()
    with pytest.raises(UserError, match="does not look like AffectNet.*found train_set/"):
        affectnet.find(tmp_path)
