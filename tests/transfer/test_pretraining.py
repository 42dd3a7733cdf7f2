import json

import pytest

from affectkeras.transfer.pretraining import find_pretraining
from affectkeras.transfer.zoo import find_backbone

MOBILENET = find_backbone("mobilenet_0.25")


@pytest.mark.parametrize(
    ("weights", "domain"),
    [
        ("none", "none"),
        ("imagenet", "imagenet"),
        ("somewhere/mobilenet_2_5_160_tf_no_top.h5", "imagenet"),
        ("somewhere/mobilenet_5_0_160_tf_no_top.h5", "unknown"),
        ("somewhere/mine.keras", "unknown"),
    ],
)
def test_weights_are_known_by_their_name(weights, domain):
    assert find_pretraining(MOBILENET, weights).domain == domain


def test_weights_of_a_file_of_one_size_only_are_known_by_their_name():
    resnet = find_backbone("resnet50")
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert find_pretraining(resnet, name).domain == "imagenet"


@pytest.mark.parametrize(
    ("dataset", "domain"),
    [
        ({"name": "ferplus", "sample": False}, "faces"),
        ({"name": "sfew", "sample": True}, "unknown"),
        ({"name": "cifar10", "sample": False}, "unknown"),
    ],
)
def test_the_model_of_a_run_was_trained_on_the_data_of_the_run(tmp_path, dataset, domain):
    (tmp_path / "result.json").write_text(json.dumps({"dataset": dataset}))
    for model in (tmp_path / "model.keras", tmp_path / "models" / "x-bdr" / "model.keras"):
        found = find_pretraining(MOBILENET, model)
        assert found.domain == domain
        assert dataset["name"] in found.words
