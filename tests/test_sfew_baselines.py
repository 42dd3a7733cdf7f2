"""The ResNet paper's baselines: numbers of faces, what is refused, and the table of features."""

import json

import numpy as np
import pytest

from affectkeras import face_numbers
from affectkeras.datasets.table import FilePayload
from affectkeras.errors import UserError
from affectkeras.faces import divide_faces, load_faces
from affectkeras.features.gradient_pyramid import pyramid_of_gradients
from affectkeras.features.local_phase import local_phase_quantization
from recipes.sfew_baselines import PUBLISHED, Config, settle
from tests.recipe_runs import run
from tests.test_faces import faces


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arms": ("svm-lpq",)}, "--arms must name one of simple, simple-bdr, bn-dropout: one of"),
        ({"components": 0}, "--components must be above 0. Received: 0"),
        ({"seeds": ()}, "--seeds must name at least one."),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        settle(Config(**settings))


def test_a_run_to_compare_with_that_has_not_ended_is_refused(tmp_path):
    with pytest.raises(UserError, match="--with .*: this holds no finished run"):
        settle(Config(with_runs=(tmp_path,)))


def test_the_paper_s_table_has_its_eight_rows_and_the_validation_figure():
    told = [(row.method, row.value, row.part) for row in PUBLISHED]
    assert [value for _, value, _ in told] == [
        *(0.4371, 0.4628, 0.252, 0.273, 0.371, 0.42, 0.46, 0.485, 0.556),
    ]
    assert [part for _, _, part in told].count("validation") == 1


def test_components_come_from_training_rows_and_unused_rows_have_none():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 40, 40), dtype=np.uint8)
    table = faces([f"film {number // 2}" for number in range(60)], pixels)
    split, _ = divide_faces(table, "grouped", train_rows=20)
    found = face_numbers.compute_numbers(table, split, image_size=40, count=3)
    used = np.concatenate(list(split.parts().values()))
    assert found.few.shape == (60, 6)
    assert np.isnan(found.few[np.setdiff1d(np.arange(60), used)]).all()
    assert np.isfinite(found.few[used]).all()
    for place, (kind, compute) in enumerate(
        (
            ("lpq", lambda one: local_phase_quantization(one, window=7, grid=(4, 4))),
            ("phog", lambda one: pyramid_of_gradients(one, levels=3, bins=8, edges="all")),
        )
    ):
        values = compute(pixels.astype(float))
        np.testing.assert_allclose(
            found.components[kind].mean, values[split.train].mean(axis=0), atol=1e-7
        )
        expected = found.components[kind].of(values[split.test])
        few = found.few[split.test, 3 * place : 3 * place + 3]
        np.testing.assert_allclose(few, expected, atol=1e-5)


def test_the_table_of_features_runs_and_stands_in_the_comparison(tmp_path):
    pytest.importorskip("openpyxl")
    from affectkeras.datasets.sample.sfew_table import write_sample_sfew_features

    write_sample_sfew_features(tmp_path / "table", rows=210)
    table = load_faces("sfew_features", tmp_path / "table")
    assert not isinstance(table.payload, FilePayload)
    settings = ("--epochs", "4", "--seeds", "0", "--arms", "svm-phog", "simple-bdr")
    where = ("--dataset", "sfew_features", "--data-dir", tmp_path / "table")
    printed = run("recipes.sfew_baselines", *where, *settings, "--run-dir", tmp_path / "run")
    assert "Predict:" not in printed
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["status"] == "complete"
    assert result["dataset"]["sample"]
    assert result["leakage"]["passed"]
    assert result["arms"]["svm-phog"]["test"]["n"] == result["dataset"]["examples"]["test"]
    comparison = (tmp_path / "run/comparison.csv").read_text()
    assert "SVM, PHOG,0.4628,test,this run,svm-phog" in comparison.replace('"', "")
    assert "Deep Convolutional Neural Network,0.485,validation" in comparison
    assert (tmp_path / "run/plots/comparison.png").is_file()
    assert (tmp_path / "run/model.keras").is_file()
