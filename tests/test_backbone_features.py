"""The recipe of classifiers on frozen features: what it refuses, chooses and tells."""

import re

import pytest

from affectkeras.errors import UserError
from recipes.backbone_features import QUICK, Config, banners, settle


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classifiers": ("tree", "forest")}, "--classifiers must name logistic or linear-svm: .*"),
        ({"image_size": 0}, "--image-size must be above 0. Received: 0"),
        ({"tune_rows": 0}, "--tune-rows must be above 0. Received: 0"),
        ({"seeds": ()}, "--seeds must name at least one, none twice"),
        ({"folds": -1}, "--folds must be above 0. Received: -1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        settle(Config(**settings))


def test_a_folder_that_is_not_there_is_told_before_weights_are_fetched(tmp_path):
    with pytest.raises(UserError, match=re.escape(f"--data-dir {tmp_path / 'no'}: there is")):
        settle(Config(data_dir=tmp_path / "no"))


def test_sample_faces_mean_quick_sizes_where_none_were_given():
    settled = settle(Config(weights="none", folds=4, classifiers=("tree", "logistic")))
    assert settled.quick
    assert settled.folds == 4
    assert settled.image_size == QUICK["image_size"]
    assert settled.classifiers == ("logistic", "tree")
    said = " ".join(banners(settled))
    assert "Sample data" in said
    assert "Quick run" in said
    assert "Random initial weights" in said
