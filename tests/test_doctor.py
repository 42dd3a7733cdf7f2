import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import datasets, doctor
from affectkeras.__main__ import main
from affectkeras.datasets import image_folder, sfew
from affectkeras.datasets.sample import write_sample_sfew
from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError


def write_image(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_sfew(folder):
    parts = [("Train/Train_Aligned_Faces", "OceansEleven"), ("Val/Val_Aligned_Faces", "Town")]
    for part, (place, movie) in enumerate(parts):
        for number, name in enumerate(sfew.CLASS_NAMES):
            path = folder / place / name / f"{movie}_00010203{number}_00000001.png"
            write_image(path, part * 10 + number)
    write_image(folder / "Test/Test_Aligned_Faces/Orphan_011442920_00000003.png", 99)
    return folder


def examine(reader, folder, **options):
    report = doctor.examine(reader, folder, progress=False, **options)
    return report, "\n".join(report.lines)


def test_a_whole_data_set_has_no_problems(tmp_path):
    report, text = examine(sfew, write_sfew(tmp_path))
    assert report.problems == []
    assert "Groups: 2\n  train: 1\n  validation: 1" in text
    assert "1 × the owner keeps the labels of the test part" in text
    assert "Read 15 = 14 used + 0 damaged + 1 unlabelled + 0 excluded" in text
    assert text.endswith("No problems found.")


def test_counts_stand_beside_the_papers(tmp_path):
    _, text = examine(sfew, write_sfew(tmp_path))
    lines = text.splitlines()
    start = lines.index("Images per class (expression, paper: as published)")
    assert lines[start + 1 : start + 3] + lines[start + 8 : start + 9] == [
        "            train  paper  validation  paper",
        "  Angry         1    178           1     77",
        "  Surprise      1     94           1     56",
    ]
    assert lines[start + 9] == "  all           7    891           7    431"


def test_missing_parts_come_with_the_mend_and_the_layout(tmp_path):
    write_sfew(tmp_path)
    (tmp_path / "Val").rename(tmp_path / "elsewhere")
    report, text = examine(sfew, tmp_path)
    assert "Missing\n  the aligned images of the validation part" in text
    assert "unpack Val_Aligned_Faces into Val/" in text
    assert sfew.LAYOUT.strip().splitlines()[0] in text
    assert len(report.problems) == 1


def test_damaged_files_are_listed_up_to_twenty(tmp_path):
    for number in range(25):
        write_image(tmp_path / "a" / f"{number:02}.png", number)
        write_image(tmp_path / "b" / f"b{number:02}.png", 100 + number)
        if number > 2:
            (tmp_path / "a" / f"{number:02}.png").write_bytes(b"")
    report, text = examine(image_folder, tmp_path)
    assert "Cannot be used: 22" in text
    assert text.count("the file is empty") == 20
    assert "… and 2 more" in text
    assert report.problems == ["22 that cannot be used: mend or remove the files"]


def test_identical_images_are_problems_across_splits_and_across_classes(tmp_path):
    for name, seed in [
        ("train/a/1.png", 1),
        ("test/a/2.png", 1),
        ("train/a/3.png", 3),
        ("train/b/4.png", 3),
        ("train/b/5.png", 5),
        ("train/b/6.png", 5),
        ("test/b/7.png", 7),
    ]:
        write_image(tmp_path / name, seed)
    report, text = examine(image_folder, tmp_path)
    assert "Pixel-identical images: 6 images in 3 sets" in text
    assert "The same image in several splits\n  test/a/2.png = train/a/1.png" in text
    assert "The same image under several classes\n  train/a/3.png = train/b/4.png" in text
    assert "one split\n  train/a/3.png = train/b/4.png\n  train/b/5.png = train/b/6.png" in text
    assert [problem.split(":")[0] for problem in report.problems] == [
        "1 sets of identical images in several splits",
        "1 sets of identical images under several classes",
    ]


def test_one_file_name_under_two_classes_is_told_but_no_problem(tmp_path):
    write_sfew(tmp_path)
    write_image(tmp_path / "Val/Val_Aligned_Faces/Happy/Town_000102030_00000001.png", 50)
    report, text = examine(sfew, tmp_path)
    assert "The same file name under several classes: 1\n" in text
    assert "  validation: Town_000102030_00000001.png in Angry, Happy" in text
    assert report.problems == []


def test_groups_on_several_sides_are_told(tmp_path):
    write_image(tmp_path / "train/a/s1_1.png", 1)
    write_image(tmp_path / "train/b/s2_1.png", 2)
    write_image(tmp_path / "test/b/s1_2.png", 3)
    _, text = examine(image_folder, tmp_path, group_pattern=r"(s\d)_")
    assert "Groups: 2\n  train: 2\n  test: 1\n  in several splits: 1 (s1)" in text
    assert "Groups: unknown" in examine(image_folder, tmp_path)[1]


def test_examples_held_in_memory_are_compared_too(tmp_path):
    frame = pd.DataFrame({"example_id": ["1", "2", "3"], "split": ["train", "test", "test"]})
    frame = frame.assign(
        subject="", group=frame["example_id"], source="x.csv", expression=[0, 0, 1]
    )
    pixels = np.zeros((3, 4, 4), dtype=np.uint8)
    pixels[2] = 9
    table = ExampleTable(
        name="array",
        frame=frame,
        targets=(Target("expression", "class", ("a", "b", "c")),),
        payload=ArrayPayload({"pixels": pixels}, np.arange(3)),
        groups_known=False,
        rejected=rejected_frame(),
        read=3,
    )
    reader = SimpleNamespace(
        __name__="some.array",
        LAYOUT="x.csv",
        find=lambda folder: sfew.Layout(),
        read=lambda folder, progress: table,
    )
    report, text = examine(reader, tmp_path)
    assert "The same image in several splits\n  1 = 2" in text
    assert report.problems[0] == "no usable image of the class c"


def test_an_option_the_reader_does_not_know_is_refused(tmp_path):
    with pytest.raises(UserError, match="sfew has no option --group-pattern"):
        examine(sfew, write_sfew(tmp_path), group_pattern="(x)")
    with pytest.raises(UserError, match="sfew has no option --alignment"):
        examine(sfew, tmp_path, alignment="frame")


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("k_emocon --rater external", {"rater": "external"}),
        ("k_emocon --align cut --subjects complete", {"align": "cut", "subjects": "complete"}),
        ("wesad --chest", {"chest": True}),
        ("pamap2 --optional", {"optional": True}),
        ("pamap2", {}),
    ],
)
def test_options_on_the_command_line_reach_the_reader(given, options, tmp_path, monkeypatch):
    name, *flags = given.split()
    asked = []

    def examine(reader, folder, **told):
        asked.append((reader.NAME, folder, {key: told[key] for key in told if told[key]}))
        return doctor.Report(["all is well"])

    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setattr(sys, "argv", ["affectkeras", "doctor", name, str(tmp_path), *flags])
    assert main() == 0
    assert asked == [(name, tmp_path, options)]


@pytest.mark.parametrize(
    ("name", "flags", "option"),
    [
        ("wesad", ("--rater", "self"), "--rater"),
        ("stress_predict", ("--align", "start"), "--align"),
        ("pamap2", ("--subjects", "all"), "--subjects"),
        ("k_emocon", ("--chest",), "--chest"),
        ("sfew", ("--optional",), "--optional"),
    ],
)
def test_an_option_of_another_reader_is_refused_on_the_command_line(
    name, flags, option, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "argv", ["affectkeras", "doctor", name, str(tmp_path), *flags])
    with pytest.raises(UserError, match=f"The data set {name} has no option {option}."):
        main()


def test_names_that_are_not_utf_8_can_be_printed(tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"f\xe9")
    os.mkdir(folder)
    for number, name in enumerate(["a", "b"]):
        write_image(tmp_path / "new" / f"{name}.png", number)
        os.mkdir(os.path.join(folder, name.encode()))
        target = os.path.join(folder, name.encode(), b"\xff.png")
        os.rename(tmp_path / "new" / f"{name}.png", target)
    _, text = examine(image_folder, os.fsdecode(folder))
    text.encode("utf-8")
    assert "f\\xe9" in text


def test_without_folder_the_layout_is_shown_and_without_name_the_names(capsys):
    assert doctor.doctor_command("sfew", None) == 0
    assert sfew.LAYOUT.strip() in capsys.readouterr().out
    assert doctor.doctor_command(None, None) == 0
    out = capsys.readouterr().out
    for name in datasets.NAMES:
        assert f"\n  {name} " in out


def test_an_unknown_data_set_lists_those_there_are(tmp_path):
    with pytest.raises(UserError, match="Unknown data set 'sfw'. Known: sfew, ferplus"):
        doctor.doctor_command("sfw", tmp_path)


def test_the_command_tells_by_its_exit_status_and_never_imports_tensorflow(tmp_path):
    write_sfew(tmp_path / "good")
    write_sfew(tmp_path / "bad")
    (tmp_path / "bad/Train/Train_Aligned_Faces/Sad/OceansEleven_000102035_00000001.png").unlink()
    (tmp_path / "bad/Train/Train_Aligned_Faces/Sad/Town_000102039_00000001.png").touch()
    code = (
        "import sys\n"
        "from affectkeras.__main__ import main\n"
        "statuses = []\n"
        "for folder in sys.argv[1:]:\n"
        "    sys.argv[1:] = ['doctor', 'sfew', folder]\n"
        "    statuses.append(main())\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
        "print(statuses, heavy)\n"
    )
    folders = [str(tmp_path / "good"), str(tmp_path / "bad")]
    done = subprocess.run(
        [sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[0, 1] set()"
    assert done.stderr == ""


def test_copies_across_splits_are_problems_also_where_they_are_mirrored(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)
    for part, label, image in (
        ("train", "calm", picture),
        ("train", "glad", picture.rotate(90)),
        ("test", "calm", picture.resize((50, 50))),
        ("test", "glad", picture.rotate(90).transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    ):
        (tmp_path / part / label).mkdir(parents=True)
        image.save(tmp_path / part / label / "one.png")
    report, text = examine(image_folder, tmp_path)
    assert "Copies of a picture in several splits: 2 pairs" in text
    assert "test/glad/one.png and train/glad/one.png (mirrored)" in text
    assert any("2 pairs of copies in several splits" in problem for problem in report.problems)


def test_what_is_planted_in_the_sample_is_told_as_such_and_is_no_problem(tmp_path):
    write_sample_sfew(tmp_path, train=14, validation=7, test=1, damaged=2)
    report, text = examine(sfew, tmp_path)
    assert "Sample data: drawn and written by affectkeras" in text
    assert "Cannot be used, planted on purpose to show how that is told: 2\n" in text
    assert "Read 24 = 21 used + 2 damaged + 1 unlabelled + 0 excluded" in text
    assert report.problems == []


def test_what_was_damaged_in_the_sample_later_is_a_problem(tmp_path):
    write_sample_sfew(tmp_path, train=14, validation=7, test=1, damaged=1)
    next((tmp_path / "Val").rglob("*.png")).write_bytes(b"")
    report, text = examine(sfew, tmp_path)
    assert "planted on purpose to show how that is told: 1\n" in text
    assert "Cannot be used: 1\n  Val_Aligned_Faces/" in text
    assert report.problems == ["1 that cannot be used: mend or remove the files"]


def test_a_name_as_of_a_planted_file_excuses_nothing_outside_the_sample(tmp_path):
    write_sfew(tmp_path)
    (tmp_path / "Train/Train_Aligned_Faces/Sad/Film_235959000_00000001.png").touch()
    for truth in (None, "a,b\n1,2\n"):
        if truth is not None:
            (tmp_path / "sample_truth.csv").write_text(truth)
        report, text = examine(sfew, tmp_path)
        assert "Sample data" not in text
        assert report.problems == ["1 that cannot be used: mend or remove the files"]


def test_sample_faces_alike_by_chance_are_no_problem_but_copies_of_them_are(tmp_path):
    write_sample_sfew(tmp_path, train=14, validation=7, test=0, damaged=0)
    source = next((tmp_path / "Train").rglob("*.png"))
    drawn = next((tmp_path / "Val").rglob("*.png"))
    with Image.open(source) as image:
        smaller = image.resize((100, 127))
    smaller.save(drawn)  # as if drawn so
    report, text = examine(sfew, tmp_path)
    assert "Sample faces of several splits as like as copies, by chance: 1 pairs" in text
    assert report.problems == []
    smaller.save(drawn.with_name("Film_000102030_00000001.png"))
    report, text = examine(sfew, tmp_path)
    assert "Copies of a picture in several splits: 1 pairs" in text
    assert any("1 pairs of copies in several splits" in problem for problem in report.problems)
