"""`python -m affectkeras sweep`: what every angle would cost a model, from images in folders."""

import json

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from affectkeras.errors import UserError
from affectkeras.media.images import decode_and_resize
from affectkeras.models.six_block_cnn import build_six_block_cnn
from affectkeras.sweep import sweep_command
from tests.pruning.small_models import give_weights

NAMES = ("calm", "glad", "sad")


@pytest.fixture
def model_file(tmp_path):
    keras.utils.set_random_seed(0)
    model = give_weights(build_six_block_cnn(NAMES, 16, widths=(4, 8)))
    kernel = model.get_layer("module2_conv").get_weights()[0]
    kernel[..., 5] = kernel[..., 2]
    model.get_layer("module2_conv").set_weights([kernel])
    normalization = model.get_layer("module2_normalization")
    normalization.set_weights(
        [np.where(np.arange(8) == 5, w[2], w) for w in normalization.get_weights()]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def faces(tmp_path):
    generator = np.random.default_rng(0)
    for name, count in zip(NAMES, (5, 4, 2), strict=True):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 256, (20, 20, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "faces" / name / f"{number}.png"), pixels)
    (tmp_path / "faces" / "sad" / "broken.png").write_bytes(b"\x89PNG")
    return tmp_path / "faces"


def accuracy_by_hand(file, faces, names):
    """Run the images one by one; `names` are those of the model's outputs."""
    model, right = keras.models.load_model(file), []
    for path in sorted(faces.glob("*/[0-9].png")):
        pixels = np.asarray(decode_and_resize(path.read_bytes(), (16, 16)))[None]
        right.append(names[model(pixels).numpy().argmax()].casefold() == path.parent.name)
    return np.mean(right)


def test_the_table_says_what_goes_and_what_the_model_then_reaches(
    model_file, faces, tmp_path, capsys
):
    out = tmp_path / "out"
    sweep_command(
        model_file, out, images=[faces], labelled=faces, thresholds=(0.5, 60.0),
        layers=("module2_conv",),
    )  # fmt: skip
    table = pd.read_csv(out / "sweep.csv")
    assert table["threshold"].tolist()[1:] == [0.5, 60.0]
    assert table["maps_removed"].tolist()[:2] == [0, 1]  # the planted copy
    assert table["accuracy"][0] == table["accuracy"][1]
    assert table["accuracy"][0] == pytest.approx(accuracy_by_hand(model_file, faces, NAMES))
    assert (out / "plots" / "sweep.png").stat().st_size > 5_000
    printed = capsys.readouterr().out
    assert "12 images read: 11 measured, 1 damaged." in printed
    assert "0.5°" in printed


def test_a_runs_class_names_say_which_folder_is_which_output(model_file, faces, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    model_file.rename(run / "model.keras")
    (run / "result.json").write_text(json.dumps({"class_names": ["Sad", "Glad", "Calm"]}))
    found, expected = [], []
    for names in (["Sad", "Glad", "Calm"], ["Calm", "Glad", "Sad"], ["Glad", "Calm", "Sad"]):
        (run / "result.json").write_text(json.dumps({"class_names": names}))
        out = tmp_path / "".join(names)
        sweep_command(run, out, images=[faces], labelled=faces, thresholds=(1.0,))
        found.append(pd.read_csv(out / "sweep.csv")["accuracy"][0])
        expected.append(accuracy_by_hand(run / "model.keras", faces, names))
    assert found == pytest.approx(expected)
    assert "***" not in capsys.readouterr().out
    rows = {"split": ["test", "validation"], "example_id": ["Val/sad/0.png", "Val/sad/1.png"]}
    pd.DataFrame(rows).to_csv(run / "predictions.csv", index=False)
    sweep_command(run, tmp_path / "seen", images=[faces], labelled=faces, thresholds=(1.0,))
    assert "*** 1 of these images have the names of test rows" in capsys.readouterr().out
    assert len(set(expected)) > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"thresholds": (95.0,)}, r"--thresholds must be in \[0, 90\) degrees. Received: \[95.0\]"),
        ({"images": ()}, "Give --images"),
        ({"labelled": "empty"}, "there must be one folder of images per class"),
        ({"labelled": "faces/sad/.."}, None),
        ({"layers": ("nowhere",)}, "There is no layer 'nowhere'"),
    ],
)
def test_what_cannot_be_swept_is_refused(changes, message, model_file, faces, tmp_path):
    (tmp_path / "empty").mkdir()
    settings = {"images": [faces], "labelled": faces, "thresholds": (1.0,), **changes}
    if isinstance(settings["labelled"], str):
        settings["labelled"] = tmp_path / settings["labelled"]
    if message is None:
        (faces / "unheard of").mkdir()
        message = "has 4 folders, but the model 3 outputs"
    with pytest.raises(UserError, match=message):
        sweep_command(model_file, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()
