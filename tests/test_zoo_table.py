import csv
import io
import json
import os
import subprocess
import sys

import pytest

from affectkeras import zoo_measure
from affectkeras.errors import UserError
from affectkeras.transfer.backbones import BACKBONES
from affectkeras.transfer.published import FACTS
from affectkeras.zoo_table import choose_backbones, render, zoo_command, zoo_rows
from tests.recipe_runs import ROOT


def names(backbones):
    return [backbone.name for backbone in backbones]


def test_every_backbone_has_its_facts_and_nothing_else_has():
    assert set(FACTS) == {backbone.name for backbone in BACKBONES}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # The lecture's Table 2-1.
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("resnet50", 25_636_712),
        ("resnet101", 44_707_176),
        ("resnet152", 60_419_944),
        ("inception_v3", 23_851_784),
        ("inception_resnet_v2", 55_873_736),
        ("nasnet_mobile", 5_326_716),
        ("nasnet_large", 88_949_818),
        ("mobilenet_1.0", 4_253_864),
        ("mobilenet_v2_1.0", 3_538_984),
    ],
)
def test_parameters_are_those_of_the_lectures_table(name, parameters):
    assert FACTS[name].parameters == parameters


def test_a_published_file_has_about_four_bytes_for_every_parameter():
    for name, facts in FACTS.items():
        assert facts.megabytes == pytest.approx(facts.parameters * 4 / 2**20, rel=0.43), name


def test_names_patterns_and_constructors_choose_each_backbone_once():
    assert names(choose_backbones(["vgg19", "vgg*"])) == ["vgg16", "vgg19"]
    assert names(choose_backbones(["ResNet50"])) == ["resnet50"]
    # Keras's constructor without arguments is the width 1.
    assert names(choose_backbones(["MobileNetV2"])) == ["mobilenet_v2_1.0"]
    assert len(choose_backbones([])) == len(BACKBONES)


def test_an_unknown_name_is_told_with_what_is_alike():
    with pytest.raises(UserError, match="--only resnet5: no backbone .* Did you mean resnet50"):
        choose_backbones(["resnet5"])


def test_the_three_formats_tell_the_same():
    rows = zoo_rows(choose_backbones(["resnet50", "mobilenet_0.25"]), {})
    assert json.loads(render(rows, "json")) == rows
    read = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert [row["parameters"] for row in read] == ["25636712", "475544"]
    lines = render(rows, "markdown").splitlines()
    assert lines[2] == (
        "| resnet50 | ResNet50 | 98 | 25,636,712 | 23,587,712 | 2048 | 107 | 74.9 | 92.1 "
        "| BGR, mean subtracted | 224 | 32 |"
    )
    # No table has the file's size or top-5 of the smallest MobileNet: 475 544 × 4 / 2^20 = 1.8.
    assert lines[3].startswith("| mobilenet_0.25 | MobileNet α 0.25 | ~1.8 |")
    assert "| 55* | 50.6 | – |" in lines[3]


def test_what_was_measured_stands_beside_and_says_where():
    speed = {
        "latency_ms": 12.34,
        "features_per_second": 2345.6,
        "measured_size": 64,
        "measured_at_own_size": False,
        "batch_size": 8,
        "machine": "2 cores of X (tensorflow)",
    }
    text = render(zoo_rows(choose_backbones(["vgg16"]), {"vgg16": speed}), "markdown")
    assert "ms an image | features/s |" in text
    assert "| 12.3 | 2,345.6 |" in text
    assert "Measured on 2 cores of X (tensorflow), all at 64×64 pixels" in text


def test_a_table_is_written_to_a_file_that_is_asked_for(tmp_path, capsys):
    zoo_command(["vgg16"], format="json", out=tmp_path / "zoo.json")
    assert json.loads((tmp_path / "zoo.json").read_text())[0]["model"] == "vgg16"
    assert capsys.readouterr().out == f"{tmp_path / 'zoo.json'}\n"


def test_the_table_without_measuring_loads_neither_keras_nor_tensorflow():
    code = (
        "import sys; from affectkeras.zoo_table import zoo_command; zoo_command()\n"
        "print(sorted({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_measured_model_is_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path))
    monkeypatch.setattr(zoo_measure, "REPEATS", (2, 2))
    chosen = choose_backbones(["mobilenet_0.25"])
    first = zoo_measure.measure_backbones(chosen, 32)["mobilenet_0.25"]
    assert first["latency_ms"] > 0
    assert first["features_per_second"] > 0
    assert first["measured_at_own_size"] is False

    def fail(backbone, size):
        raise AssertionError("measured again")

    monkeypatch.setattr(zoo_measure, "measure_backbone", fail)
    assert zoo_measure.measure_backbones(chosen, 32)["mobilenet_0.25"] == first
    with pytest.raises(AssertionError, match="measured again"):
        zoo_measure.measure_backbones(chosen, 64)


def test_an_image_size_that_a_backbone_cannot_take_is_told_before_anything_is_measured():
    with pytest.raises(UserError, match="inception_v3 needs images of at least 75×75"):
        zoo_measure.measure_backbones(choose_backbones(["vgg16", "inception_v3"]), 64)


def depth_of(model, keras):
    return sum(
        depth_of(layer, keras) if isinstance(layer, keras.Model) else bool(layer.weights)
        for layer in model.layers
    )


# All of them take three minutes: AFFECTKERAS_WHOLE_ZOO=1.
SLOW = os.environ.get("AFFECTKERAS_WHOLE_ZOO")


@pytest.mark.parametrize(
    "backbone",
    [one for one in BACKBONES if SLOW or one.name in ("mobilenet_0.25", "mobilenet_v3_small")],
    ids=lambda one: one.name,
)
def test_facts_are_those_of_the_network_as_built(backbone):
    import keras

    facts = FACTS[backbone.name]
    build = getattr(keras.applications, backbone.build)
    whole = build(weights=None, **backbone.arguments)
    assert whole.count_params() == facts.parameters
    assert depth_of(whole, keras) == facts.depth
    size = (backbone.min_size, backbone.min_size, 3)
    network = build(
        weights=None, include_top=False, pooling="avg", input_shape=size, **backbone.arguments
    )
    assert network.count_params() == facts.parameters_without_top
    assert network.output_shape == (None, facts.features)
    keras.backend.clear_session()
