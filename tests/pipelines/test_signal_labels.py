"""Levels from ratings, weights of classes, a pulse by seconds."""

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.pipelines.signals import as_seconds, binary_levels, class_weights

NAN = np.nan


def rated(arousal, **others):
    """Return a table with ratings of arousal, and a class."""
    rows = len(arousal)
    frame = pd.DataFrame(
        {
            "example_id": [f"P01 {row}" for row in range(rows)],
            "subject": "P01",
            "group": "dyad 01",
            "split": "",
            "source": "P01.self.csv",
            "arousal": np.asarray(arousal, float),
            "stress": 0,
            **others,
        }
    )
    return ExampleTable(
        name="made",
        frame=frame,
        targets=(Target("stress", "class", ("no", "yes")), Target("arousal", "number")),
        payload=ArrayPayload({"signals": np.arange(rows)}, np.arange(rows)),
        groups_known=True,
        rejected=rejected_frame([("P02", "damaged", "empty")]),
        read=rows + 1,
    )


def test_the_lecture_calls_4_and_5_high():
    found = binary_levels(rated([1, 2, 3, 4, 5]), "arousal")
    assert found.frame["level"].tolist() == [0, 0, 0, 1, 1]
    assert found.target("level") == Target("level", "class", ("low", "high"))
    assert found.frame["arousal"].tolist() == [1, 2, 3, 4, 5]
    assert [target.name for target in found.targets] == ["stress", "arousal", "level"]


def test_the_authors_call_3_to_5_high():
    found = binary_levels(rated([1, 2, 3, 4, 5]), "arousal", high_from=3)
    assert found.frame["level"].tolist() == [0, 0, 1, 1, 1]


def test_a_mean_of_raters_is_high_from_the_border_on():
    found = binary_levels(rated([3.9, 4.0, 4.1]), "arousal")
    assert found.frame["level"].tolist() == [0, 1, 1]


def test_rows_without_the_rating_are_unlabelled():
    found = binary_levels(rated([5, NAN, 1]), "arousal")
    assert found.frame["level"].tolist() == [1, 0]
    assert found.payload.index.tolist() == [0, 2]
    assert found.rejected.to_numpy().tolist() == [
        ["P02", "damaged", "empty"],
        ["P01 1", "unlabelled", "no rating of arousal"],
    ]
    assert found.read == 4


def test_a_class_is_no_rating():
    with pytest.raises(UserError, match="made: stress is a class and no rating. Ratings: arousal."):
        binary_levels(rated([1, 5]), "stress")


def test_an_unknown_rating_names_the_known_ones():
    with pytest.raises(UserError, match="made has no target 'valence'; it has .*'arousal'"):
        binary_levels(rated([1, 5]), "valence")


@pytest.mark.parametrize("value", [-0.5, 0, 5.5, 50])
def test_numbers_on_another_scale_are_no_ratings(value):
    with pytest.raises(
        UserError, match=f"made: arousal is no rating from 1 to 5: it holds {value:g}."
    ):
        binary_levels(rated([1, value]), "arousal")


@pytest.mark.parametrize("border", [1, 6, 3.5])
def test_a_border_outside_the_scale_is_refused(border):
    with pytest.raises(ValueError, match=f"`high_from` must be from 2 to 5. Received: .*{border}"):
        binary_levels(rated([1, 5]), "arousal", high_from=border)


def test_levels_are_given_once():
    with pytest.raises(ValueError, match="`table` has the column 'level' already"):
        binary_levels(binary_levels(rated([1, 5]), "arousal"), "arousal")


def test_weights_make_every_class_count_the_same():
    weights = class_weights(np.array([0, 0, 0, 1]), 2)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [4 / 6, 2], rtol=1e-6)


def test_a_class_of_which_there_is_none_weighs_nothing():
    np.testing.assert_allclose(class_weights(np.array([2, 0]), 4), [0.5, 0, 0.5, 0])
    np.testing.assert_array_equal(class_weights(np.array([], int), 2), [0, 0])


def test_a_label_beyond_the_classes_is_refused():
    with pytest.raises(ValueError, match="`labels` must be below 2. Received: 2"):
        class_weights(np.array([0, 2]), 2)


def test_a_pulse_has_a_second_to_a_row():
    signals = np.arange(2 * 5 * 64, dtype=np.float32).reshape(2, 320, 1)
    found = as_seconds(signals)
    assert found.shape == (2, 5, 64)
    np.testing.assert_array_equal(found[1, 3], 320 + 3 * 64 + np.arange(64))
    assert as_seconds(signals, rate=32).shape == (2, 10, 32)


@pytest.mark.parametrize("shape", [(2, 320, 2), (2, 300, 1), (2, 320)])
def test_what_is_no_pulse_of_whole_seconds_is_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(windows, seconds \* 64, 1\). Received: \(2"):
        as_seconds(np.zeros(shape))
