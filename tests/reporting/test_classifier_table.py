"""The report's tables of classifiers and of a paper's comparison."""

import json

import pandas as pd
import pytest

from affectkeras.files import write_csv
from affectkeras.reporting.classifier_table import classifiers
from affectkeras.reporting.published_comparison import comparison
from affectkeras.reporting.run_data import read_run
from tests.synthetic_run import write_synthetic_run


@pytest.fixture
def run(tmp_path):
    folder = write_synthetic_run(tmp_path / "run", seeds=(0,), rows=20)
    rows = [
        {"arm": "none", "seed": 0, "settings": json.dumps({"strength": strength}),
         "accuracy": accuracy, "sd": 0.02, "seconds": 45.0, "chosen": accuracy == 0.5}
        for strength, accuracy in ((0.01, 0.4), (1.0, 0.5))
    ]  # fmt: skip
    write_csv(folder / "tuning.csv", pd.DataFrame(rows))
    return folder


def test_the_table_tells_the_chosen_settings_and_how_folds_judged_them(run):
    page = classifiers(read_run(run))
    for words in ("strength 1<", "50.0 % ± 2.0 %", "1 min 30 s", "always "):
        assert words in page, words
    assert "strength 0.01" not in page


def test_a_run_without_such_classifiers_has_no_table(run):
    (run / "tuning.csv").unlink()
    assert classifiers(read_run(run)) == ""


def test_the_comparison_tells_what_may_be_held_against_each_other(run):
    page = comparison(read_run(run))
    for words in ("42.0 %", "30.0 – 50.0 %", "quick run", ">no</td>", "48.5 %"):
        assert words in page, words
    (run / "comparison.csv").unlink()
    assert comparison(read_run(run)) == ""
