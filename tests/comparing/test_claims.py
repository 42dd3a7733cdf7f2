"""Published figures beside ours: whichever form our figures have."""

import pytest

from affectkeras.comparing.claims import Claim, claims_rows, figure_of

CLASSES = {"n": 9, "accuracy": {"mean": 0.5}}
NUMBERS = {
    "n": 9,
    "targets": {"valence": {"mse": {"mean": 0.1}}, "arousal": {"mse": {"mean": 0.2}}},
}
ALONE = {"n": 9, "targets": {"arousal": {"mse": {"mean": 0.2}}}}


@pytest.mark.parametrize(
    ("part", "metric", "mean"),
    [
        (CLASSES, "accuracy", 0.5),
        (CLASSES, "macro_f1", None),
        (NUMBERS, "valence.mse", 0.1),
        (NUMBERS, "arousal.mse", 0.2),
        (NUMBERS, "mse", None),
        (NUMBERS, "valence.ccc", None),
        (ALONE, "mse", 0.2),
        (ALONE, "valence.mse", None),
        ({}, "accuracy", None),
    ],
)
def test_a_figure_is_found_by_metric_or_by_target_and_metric(part, metric, mean):
    assert figure_of(part, metric).get("mean") == mean


def test_a_published_error_stands_beside_ours():
    claim = Claim("figure-9.loss", 0.05, "valence.mse", 25, "video", "Figure 9", "gru", "aff_wild")
    (row,) = claims_rows(
        [claim], dataset="aff_wild", protocol="video", sample=False, quick=False,
        arms={"gru": {"test": NUMBERS}},
    )  # fmt: skip
    assert (row["published"], row["ours"], row["ours_n"], row["comparable"]) == (0.05, 0.1, 9, True)
