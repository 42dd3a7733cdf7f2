"""FER+'s two forms, written small into a folder and read back."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectkeras.datasets import ferplus
from affectkeras.datasets.label_modes import NO_FACE, NO_MAJORITY, VOTE_COLUMNS
from affectkeras.errors import UserError

FACES = np.random.default_rng(1).integers(0, 256, (4, 48, 48), dtype=np.uint8)
HAPPY = (0, 9, 0, 0, 0, 0, 0, 0, 1, 0)
TORN = (5, 0, 0, 5, 0, 0, 0, 0, 0, 0)
NONE = (0, 0, 0, 0, 0, 0, 0, 0, 0, 10)
HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def line_of(name, votes):
    return f'{name},"(0, 0, 48, 48)",{",".join(map(str, votes))}'


def write_part(folder, lines, names):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "label.csv").write_text("\n".join(lines) + "\n")
    for name, face in zip(names, FACES, strict=False):
        Image.fromarray(face).save(folder / name)


def write_two_parts(folder):
    write_part(
        folder / "FER2013Train",
        [line_of("fer0000000.png", HAPPY), line_of("fer0000001.png", TORN)],
        ["fer0000000.png", "fer0000001.png"],
    )
    write_part(folder / "FER2013Valid", [line_of("fer0028638.png", HAPPY)], ["fer0028638.png"])


def write_tables(folder, usages=("Training", "PublicTest"), votes=(HAPPY, NONE)):
    faces = [f"0,{' '.join(map(str, face.reshape(-1)))}" for face in FACES]
    owner = ("Training", "PublicTest")
    rows = [f"{face},{usage}" for face, usage in zip(faces, owner, strict=False)]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    # The owner leaves the name of what nobody saw a face in empty.
    names = ["" if vote == NONE else f"fer{row:07d}.png" for row, vote in enumerate(votes)]
    lines = [
        f"{usage},{name},{','.join(map(str, vote))}"
        for usage, name, vote in zip(usages, names, votes, strict=True)
    ]
    (folder / "fer2013new.csv").write_text("\n".join([HEADER, *lines]) + "\n")


def test_folders_give_labels_votes_and_the_owner_s_splits(tmp_path):
    write_two_parts(tmp_path)
    table = ferplus.read(tmp_path, progress=False)
    assert table.frame[["example_id", "split", "expression"]].to_numpy().tolist() == [
        ["FER2013Train/fer0000000.png", "train", 1],
        ["FER2013Valid/fer0028638.png", "validation", 1],
    ]
    assert table.frame[list(VOTE_COLUMNS)].to_numpy().tolist() == [list(HAPPY), list(HAPPY)]
    assert table.frame["box"].tolist() == ["(0, 0, 48, 48)"] * 2
    assert not table.groups_known
    assert table.rejected.to_numpy().tolist() == [
        ["FER2013Train/fer0000001.png", "excluded", NO_MAJORITY]
    ]
    assert table.read == 3


def test_the_label_mode_is_passed_on(tmp_path):
    write_two_parts(tmp_path)
    table = ferplus.read(tmp_path, progress=False, label_mode="crossentropy")
    assert table.frame["p_sadness"].tolist() == [0, 0.5, 0]
    assert table.target("expression").class_names == ferplus.CLASS_NAMES


@pytest.mark.usefixtures("own_cache")
def test_zipped_parts_in_a_folder_give_the_same_table(tmp_path):
    write_two_parts(tmp_path / "plain")
    (tmp_path / "zipped").mkdir()
    for part in ("FER2013Train", "FER2013Valid"):
        with zipfile.ZipFile(tmp_path / "zipped" / f"{part}.zip", "w") as archive:
            for path in sorted((tmp_path / "plain" / part).iterdir()):
                archive.write(path, f"{part}/{path.name}")
    plain = ferplus.read(tmp_path / "plain", progress=False)
    zipped = ferplus.read(tmp_path / "zipped", progress=False)
    assert zipped.frame.equals(plain.frame)
    assert all(os.path.exists(path) for path in zipped.payload.paths)


def test_folder_names_match_in_any_case_and_one_level_below(tmp_path):
    write_part(tmp_path / "FERPlus" / "fer2013TRAIN", [line_of("a.png", HAPPY)], ["a.png"])
    table = ferplus.read(tmp_path, progress=False)
    assert table.frame["example_id"].tolist() == ["FER2013Train/a.png"]


def test_listed_faces_without_file_and_files_without_line_are_counted(tmp_path):
    lines = [line_of("here.png", HAPPY), line_of("gone.png", HAPPY)]
    write_part(tmp_path / "FER2013Train", lines, ["here.png", "extra.png"])
    table = ferplus.read(tmp_path, progress=False)
    assert sorted(map(tuple, table.rejected.to_numpy())) == [
        ("FER2013Train/extra.png", "unlabelled", "FER2013Train/label.csv does not name it"),
        (
            "FER2013Train/gone.png",
            "damaged",
            "FER2013Train/label.csv names it, but there is no such file",
        ),
    ]
    assert (len(table), table.read) == (1, 3)


def test_a_face_listed_twice_is_kept_once(tmp_path):
    lines = [line_of("a.png", HAPPY), line_of("a.png", TORN)]
    write_part(tmp_path / "FER2013Train", lines, ["a.png"])
    table = ferplus.read(tmp_path, progress=False)
    assert table.frame["expression"].tolist() == [1]
    assert table.rejected["reason"].tolist() == [
        "listed more than once in FER2013Train/label.csv: the first row is kept"
    ]


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        ("b.png,box,1,2", "damaged", "4 columns instead of a name, a box and ten votes"),
        (
            "b.png,box,1,x,0,0,0,0,0,0,0,0",
            "damaged",
            "the ten votes must be whole numbers. Found: 1, x, 0, 0, 0, 0, 0, 0, 0, 0",
        ),
        (line_of("../a.png", HAPPY), "damaged", "'../a.png' is not a plain file name"),
        (line_of("a\0.png", HAPPY), "damaged", "'a\\x00.png' is not a plain file name"),
        (line_of("", HAPPY), "damaged", "the name of the image is missing"),
        (line_of("", NONE), "excluded", NO_FACE),
    ],
)
def test_a_bad_line_is_set_aside_with_its_number(tmp_path, line, kind, reason):
    write_part(tmp_path / "FER2013Train", [line_of("a.png", HAPPY), line], ["a.png"])
    table = ferplus.read(tmp_path, progress=False)
    assert table.rejected.to_numpy().tolist() == [["FER2013Train/label.csv:2", kind, reason]]


def test_the_two_tables_are_joined_by_row(tmp_path):
    write_tables(tmp_path)
    table = ferplus.read(tmp_path, progress=False)
    assert table.frame[["example_id", "image_name", "expression"]].to_numpy().tolist() == [
        ["fer2013.csv:2", "fer0000000.png", 1]
    ]
    np.testing.assert_array_equal(table.payload.arrays["pixels"][table.payload.index], FACES[:1])
    assert table.rejected.to_numpy().tolist() == [["fer2013.csv:3", "excluded", NO_FACE]]


def test_tables_whose_usage_differs_are_refused_at_the_row(tmp_path):
    write_tables(tmp_path, usages=("Training", "PrivateTest"))
    with pytest.raises(UserError, match="in 1 rows, the first is row 2: 'PrivateTest' against"):
        ferplus.read(tmp_path, progress=False)


def test_tables_of_different_lengths_are_refused_with_both(tmp_path):
    write_tables(tmp_path, usages=("Training",), votes=(HAPPY,))
    with pytest.raises(UserError, match="1 rows, but fer2013.csv has 2.*neither sorted nor filt"):
        ferplus.read(tmp_path, progress=False)


def test_votes_that_are_no_numbers_set_the_row_aside(tmp_path):
    write_tables(tmp_path, votes=(HAPPY, ("many", *HAPPY[1:])))
    table = ferplus.read(tmp_path, progress=False)
    assert table.rejected["kind"].tolist() == ["damaged"]
    assert "fer2013new.csv: the ten votes must be whole numbers" in table.rejected["reason"][0]


def test_a_table_that_lacks_a_vote_column_is_refused_by_name(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "fer2013new.csv").write_text("Usage,Image name,neutral\nTraining,a.png,10\n")
    with pytest.raises(UserError, match="fer2013new.csv: the columns happiness, surprise, sad"):
        ferplus.read(tmp_path, progress=False)


def test_a_folder_without_either_form_is_refused(tmp_path):
    (tmp_path / "FER2013Train").mkdir()
    with pytest.raises(UserError, match="does not look like FER\\+.*found FER2013Train/"):
        ferplus.find(tmp_path)


@pytest.mark.skipif("AFFECTKERAS_REAL_DATA" not in os.environ, reason="needs the real data")
def test_the_real_archives_keep_as_many_as_the_authors_rules():
    # The authors' own reader, run on these label.csv files, keeps exactly these rows. The counts
    # usually quoted (25,060 and 3,199 by majority) cannot be reached with these files: even if
    # all three faces that the numbering of this validation part skips were kept, it would be 3,194.
    folder = Path(os.environ["AFFECTKERAS_REAL_DATA"]) / "data" / "ferplus"
    votes = ferplus.read_votes(folder, progress=False)
    assert (len(votes), len(votes.rejected)) == (28558 + 3579, 0)
    for label_mode, expected in [("majority", (25045, 3191)), ("probability", (27947, 3508))]:
        table = ferplus.apply_label_mode(votes, label_mode)
        counts = table.frame["split"].value_counts()
        assert (counts["train"], counts["validation"]) == expected
