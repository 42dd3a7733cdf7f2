import io
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras import predict
from affectkeras.errors import UserError
from affectkeras.media.image_check import ImageDamaged

CLASS_NAMES = ["dark", "bright"]


def encode(value, size=(8, 8), format="PNG"):
    buffer = io.BytesIO()
    Image.new("L", size, value).save(buffer, format)
    return buffer.getvalue()


DARK, BRIGHT = encode(10), encode(250, (40, 30), "JPEG")
BROKEN = "truncated: the PNG ends before its IEND chunk"


class StandIn:
    """A model that needs no TensorFlow: bright images are bright; keeps the batches it was given.

    It refuses, as a real model would, an image that holds the bytes `refused`.
    """

    def __init__(self, refused=None):
        self.batches = []
        self.refused = refused

    def __call__(self, encoded_images):
        self.batches.append(len(encoded_images))
        if self.refused in encoded_images:
            raise ImageDamaged("the model cannot decode it: refused")
        means = [np.asarray(Image.open(io.BytesIO(image))).mean() for image in encoded_images]
        bright = np.array(means, "float32") / 255
        return np.stack([1 - bright, bright], axis=1)


@pytest.fixture
def stand_in(monkeypatch):
    model = StandIn()
    monkeypatch.setattr(predict, "load_classifier", lambda folder: (CLASS_NAMES, model))
    return model


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").touch()
    return folder


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_every_image_gets_a_row_and_a_damaged_one_its_reason(run, tmp_path, stand_in, capsys):
    faces = write(
        tmp_path / "faces",
        {"a.png": DARK, "b/c.JPG": BRIGHT, "b/broken.png": DARK[:40], "notes.txt": b"no image"},
    )
    predict.predict_command(run, [faces], csv=tmp_path / "out" / "table.csv")
    out, err = capsys.readouterr()

    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["file", "class_name", "probability"]
    assert lines[1] == [str(faces / "a.png"), "dark", "0.960784"]
    assert lines[2][:3] == [str(faces / "b" / "broken.png"), "truncated:", "the"]
    assert lines[3] == [str(faces / "b" / "c.JPG"), "bright", "0.980392"]
    assert len(lines) == 4
    assert "3 images read: 2 predicted, 1 damaged." in err

    table = pd.read_csv(tmp_path / "out" / "table.csv", keep_default_na=False)
    assert list(table.columns) == [
        *("file", "class_name", "probability", "p_dark", "p_bright", "error")
    ]
    assert table["class_name"].tolist() == ["dark", "", "bright"]
    assert table["error"].tolist() == ["", BROKEN, ""]
    assert float(table["p_dark"][0]) == pytest.approx(1 - 10 / 255, abs=1e-6)
    assert float(table["p_bright"][2]) == pytest.approx(250 / 255, abs=1e-6)


def test_single_files_may_have_any_name_and_are_predicted_once(run, tmp_path, stand_in, capsys):
    faces = write(tmp_path / "faces", {"face": BRIGHT, "a.png": DARK})
    predict.predict_command(run, [faces / "face", faces / "a.png", faces])
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        str(faces / "face"),
        str(faces / "a.png"),
    ]
    assert "2 images read: 2 predicted, 0 damaged." in err


def test_files_are_read_and_predicted_batch_by_batch(tmp_path, monkeypatch):
    faces = write(tmp_path, {f"{number:02}.png": DARK for number in range(10)})
    reads = []
    read = predict.read_image_file
    monkeypatch.setattr(
        predict, "read_image_file", lambda path: (reads.append(path), read(path))[1]
    )
    model = StandIn()
    rows = predict.predict_files(sorted(faces.iterdir()), model, batch_size=4)
    next(rows)
    assert len(reads) == 4
    assert len(list(rows)) == 9
    assert model.batches == [4, 4, 2]


def test_a_batch_of_large_images_is_given_to_the_model_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "_PIXELS_AT_ONCE", 200)
    names = {"a": (8, 8), "b": (10, 10), "c": (20, 20), "d": (8, 8), "e": (8, 8)}
    faces = write(tmp_path, {name: encode(10, size) for name, size in names.items()})
    model = StandIn()
    rows = list(predict.predict_files(sorted(faces.iterdir()), model, batch_size=32))
    assert model.batches == [2, 1, 2]
    assert [path.name for path, _ in rows] == ["a", "b", "c", "d", "e"]


def test_an_image_the_model_refuses_does_not_spoil_its_batch(tmp_path):
    faces = write(tmp_path, {"a.png": DARK, "b.png": encode(99), "c.png": DARK})
    rows = predict.predict_files(
        sorted(faces.iterdir()), StandIn(refused=encode(99)), batch_size=32
    )
    assert [
        prediction if isinstance(prediction, str) else prediction[0] for _, prediction in rows
    ] == [0, "the model cannot decode it: refused", 0]


def test_names_that_are_no_utf8_or_hold_control_characters_are_made_visible(
    run, tmp_path, stand_in, capsys
):
    folder = os.fsencode(tmp_path / "faces")
    os.mkdir(folder)
    for name in (b"caf\xe9.png", b"two\nlines.png"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(DARK)
    predict.predict_command(run, [tmp_path / "faces"], csv=tmp_path / "table.csv")
    out = capsys.readouterr().out
    assert re.search(r"/caf\\xe9\.png +dark", out)
    assert re.search(r"/two\\nlines\.png +dark", out)
    assert len(out.splitlines()) == 3
    files = pd.read_csv(tmp_path / "table.csv", encoding="utf-8")["file"]
    assert [name.rpartition("/")[2] for name in files] == ["caf\\xe9.png", "two\\nlines.png"]


def test_loops_of_links_end_and_dangling_ones_are_counted_as_damaged(
    run, tmp_path, stand_in, capsys
):
    faces = write(tmp_path / "faces", {"inner/a.png": DARK})
    (faces / "inner" / "up").symlink_to(faces)
    (faces / "itself.png").symlink_to(faces / "itself.png")
    (faces / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (faces / "folder.png").mkdir()
    os.mkfifo(faces / "pipe.png")
    predict.predict_command(run, [faces])
    out, err = capsys.readouterr()
    assert "4 images read: 1 predicted, 3 damaged." in err
    assert "pipe.png" in out
    assert "not an ordinary file" in out
    assert "No such file" in out
    assert "folder.png" not in out


def test_a_run_without_a_model_is_refused_naming_what_was_looked_for(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UserError, match="no exported model.*there is no such folder"):
        predict.predict_command(run, [])
    run.mkdir()
    (run / "config.json").touch()
    with pytest.raises(UserError) as caught:
        predict.find_saved_model(run)
    assert f"looked for {run}/saved_model and {run} holding saved_model.pb" in str(caught.value)
    assert "it holds config.json" in str(caught.value)
    with pytest.raises(UserError, match="it is a file"):
        predict.find_saved_model(run / "config.json")


def test_a_saved_model_folder_itself_is_a_run_too(run):
    assert predict.find_saved_model(run) == run / "saved_model"
    assert predict.find_saved_model(run / "saved_model") == run / "saved_model"


def test_inputs_that_hold_no_image_are_refused(run, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        predict.predict_command(run, [tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no image or video below .*.jpg, .jpeg, .png, .mp4"):
        predict.predict_command(run, [tmp_path / "empty"])
    with pytest.raises(UserError, match="give at least one image"):
        predict.predict_command(run, [])
    with pytest.raises(UserError, match="batch_size must be at least 1. Received: 0"):
        predict.predict_command(run, [tmp_path], batch_size=0)


def test_a_folder_that_cannot_be_read_is_named(run, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="faces: this folder cannot be read: Permission denied"):
        predict.find_images([write(tmp_path / "faces", {"a.png": DARK})])


def test_a_table_that_cannot_be_written_is_refused_before_predicting(run, tmp_path, stand_in):
    faces = write(tmp_path / "faces", {"a.png": DARK})
    with pytest.raises(UserError, match="--csv .*a.png/table.csv: cannot be written"):
        predict.predict_command(run, [faces], csv=faces / "a.png" / "table.csv")
    assert stand_in.batches == []
    with pytest.raises(UserError, match="--csv .*faces: cannot be written: Is a directory"):
        predict.predict_command(run, [faces], csv=faces)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "run"]


def test_a_prediction_that_is_broken_off_leaves_no_table(run, tmp_path, monkeypatch):
    def interrupt(encoded_images):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "load_classifier", lambda folder: (CLASS_NAMES, interrupt))
    faces = write(tmp_path / "faces", {"a.png": DARK})
    with pytest.raises(KeyboardInterrupt):
        predict.predict_command(run, [faces], csv=tmp_path / "table.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "run"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    import keras

    from affectkeras.export import export_saved_model

    inputs = keras.Input((6, 6, 3))
    brightness = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(2)
    model = keras.Model(inputs, outputs(brightness))
    outputs.kernel.assign([[-0.01, 0.01]] * 3)
    outputs.bias.assign([3.84, -3.84])
    folder = tmp_path_factory.mktemp("run") / "saved_model"
    return export_saved_model(model, folder, class_names=CLASS_NAMES, image_size=(6, 6))


def test_an_exported_run_is_served(exported, tmp_path, capsys):
    faces = write(tmp_path / "faces", {"a.png": DARK, "b.jpg": BRIGHT, "c.png": b""})
    predict.predict_command(exported.parent, [faces])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    # The logits are ±(0.03 · brightness - 3.84).
    assert lines[1][1:] == ["dark", f"{1 / (1 + np.exp(-2 * 3.54)):.6f}"]
    assert lines[2][1:] == ["bright", f"{1 / (1 + np.exp(-2 * 3.66)):.6f}"]
    assert lines[3][1:] == ["the", "file", "is", "empty"]


def test_an_image_the_exported_model_cannot_decode_is_damaged(exported):
    _, classify = predict.load_classifier(exported)
    with pytest.raises(ImageDamaged, match="the model cannot decode it"):
        classify([DARK, b"no image"])


def test_a_model_is_served_where_keras_cannot_be_imported(exported, tmp_path):
    faces = write(tmp_path / "faces", {"a.png": DARK})
    blocker = """
import importlib.abc, importlib.machinery, sys
from pathlib import Path

class Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "keras":
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        raise ImportError

sys.meta_path.insert(0, Blocker())
from affectkeras.predict import predict_command
predict_command(Path(sys.argv[1]), [Path(sys.argv[2])])
"""
    finished = subprocess.run(
        [sys.executable, "-c", blocker, str(exported), str(faces)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.splitlines()[-1].split()[1] == "dark"
    assert finished.stderr.splitlines()[-1] == "1 images read: 1 predicted, 0 damaged."
    assert "cuda" not in finished.stderr


def test_a_damaged_or_foreign_saved_model_is_refused(exported, tmp_path):
    import tensorflow as tf

    for name, pattern in (("saved_model.pb", "*.pb"), ("variables", "variables/*.data*")):
        broken = tmp_path / name
        shutil.copytree(exported, broken)
        for path in broken.glob(pattern):
            path.write_bytes(path.read_bytes()[:9])
        with pytest.raises(UserError, match="this SavedModel cannot be loaded"):
            predict.load_classifier(broken)
    tf.saved_model.save(tf.Module(), str(tmp_path / "foreign"))
    with pytest.raises(UserError, match="no signature describe or serving_default"):
        predict.load_classifier(tmp_path / "foreign")
