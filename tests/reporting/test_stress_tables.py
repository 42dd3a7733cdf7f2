import dataclasses

import numpy as np
import pytest

from affectkeras.reporting import stress_tables
from affectkeras.reporting.run_data import read_run
from tests.synthetic_run import write_synthetic_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_run(write_synthetic_run(tmp_path_factory.mktemp("run") / "run", seeds=(0,)))


def test_the_leak_is_told_in_points(run):
    html = stress_tables.inflation(run)
    assert "+10.0 points [+2.0, +18.0]" in html
    assert "it flatters." in html
    assert "[50.0, 70.0]" in html


def test_a_published_split_that_shows_no_more_is_not_said_to_flatter(run):
    other = run.inflation.assign(difference=[None, 0.01], difference_low=[None, -0.05])
    html = stress_tables.inflation(dataclasses.replace(run, inflation=other))
    assert "that it flatters is not shown here" in html


def test_masks_are_told_as_times_the_share_of_the_face(run):
    html = stress_tables.masks(run)
    assert "2.00" in html  # half of the weight on a quarter of the picture
    assert "1.00" in html
    assert "75.0%" in html


def test_where_the_face_is_not_known_it_is_said(run):
    masks = run.masks.assign(weight_on_face=np.nan, face=np.nan)
    assert "not known" in stress_tables.masks(dataclasses.replace(run, masks=masks))


def test_the_time_that_gelu_saves_stands_beside_the_published_one(run):
    html = stress_tables.activations(run)
    assert "nothing to compare" in html
    assert "+40%" not in html
    full = run.result | {"dataset": run.result["dataset"] | {"quick": False}}
    html = stress_tables.activations(dataclasses.replace(run, result=full))
    assert "+50%" in html
    assert "+40%" in html


@pytest.mark.parametrize("name", ["inflation", "masks", "activations"])
def test_a_run_without_them_tells_nothing(run, name):
    without = dataclasses.replace(run, **{name: None})
    assert getattr(stress_tables, name)(without) == ""
