"""What the recipe on faces does with its settings of transfer, called as a search calls it."""

import json

import numpy as np
import pytest

from affectkeras.errors import UserError
from affectkeras.evaluation.seal import Seal
from affectkeras.faces import divide_faces, load_faces
from recipes import sfew_resnet
from recipes.sfew_resnet import Config, settle
from tests.recipe_runs import write_faces


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    table = load_faces(
        "image_folder",
        write_faces(tmp_path_factory.mktemp("faces")),
        group_pattern=r"/(person\d)_",
    )
    split, _ = divide_faces(table, "grouped")
    return table, split


def config_of(**options):
    settings = {
        "dataset": "image_folder",
        "backbone": "mobilenet_0.25",
        "weights": "none",
        "image_size": 32,
        "batch_size": 8,
        "epochs": 2,
        "hidden": 4,
        "augmentation": "light",
        "removal": ("none",),
        "seeds": (0,),
    }
    return Config(**{**settings, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "mine.keras", "regime": "scratch"}, "--regime scratch .* Leave --weights out"),
        ({"plan": "staged", "regime": "scratch"}, "--plan staged has nothing to build on"),
        ({"block_rate": 0.0}, r"--block-rate must be in \(0, 1\]. Received: 0.0"),
        ({"weight_decay": -1.0}, "--weight-decay must be at least 0. Received: -1.0"),
        ({"hidden": 0}, "--hidden must be above 0. Received: 0"),
        ({"last_blocks": -1}, "--last-blocks must be above 0. Received: -1"),
        ({"devices": 0}, "--devices must be above 0. Received: 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        settle(config_of(**options))


def test_scratch_takes_no_pretrained_weights_and_says_so():
    config = settle(config_of(weights="imagenet", regime="scratch"))
    assert config.weights == "none"
    assert "Random initial weights: nothing was pretrained." in sfew_resnet.banners(config)


def test_the_default_regime_is_the_papers():
    assert (Config().regime, Config().plan, Config().hidden) == ("all", "paper", 512)
    assert (Config().weight_decay, Config().block_rate, Config().devices) == (0.0, 1.0, 1)


def test_a_head_is_trained_and_read_without_images(data, tmp_path, monkeypatch):
    from affectkeras.transfer.fine_tuning import predict_logits

    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    table, split = data
    part = tmp_path / "part"
    part.mkdir()
    model, source, history, _ = sfew_resnet.train(
        config_of(regime="head"), table, split, 0, "none", tmp_path, part=part, seal=Seal(split)
    )
    assert [row["stage"] for row in history] == ["head", "head"]
    assert source.gives_features
    through_head = predict_logits(model, source, split.validation)
    images = sfew_resnet.assemble(config_of(), table, split, 0, Seal(split))[1]
    through_all = predict_logits(model, images, split.validation)
    np.testing.assert_allclose(through_head, through_all, atol=1e-4)


def test_a_rate_is_looked_for_on_training_rows_only(data, tmp_path, monkeypatch, capsys):
    table, split = data
    seals = []

    def make_seal(of):
        seals.append(Seal(of))
        return seals[-1]

    monkeypatch.setattr("affectkeras.evaluation.seal.Seal", make_seal)
    found = sfew_resnet.find_rate(config_of(), table, split, tmp_path)
    (seal,) = seals
    assert seal.facts()["test_rows_read"] == 0
    assert json.loads((tmp_path / "learning_rate.json").read_text()) == found
    assert (tmp_path / "plots" / "learning-rate.png").is_file()
    assert len((tmp_path / "learning_rate.csv").read_text().splitlines()) == found["steps"] + 1
    printed = capsys.readouterr().out
    assert f"{found['steps']} steps on training rows" in printed
