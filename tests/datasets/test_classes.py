import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.classes import leave_out_classes
from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError

NAMES = ("calm", "contempt", "glad")


def table(shares=False):
    frame = pd.DataFrame(
        {
            "example_id": list("abcd"),
            "subject": "",
            "group": list("abcd"),
            "split": "train",
            "source": "x",
            "expression": [0, 1, 2, 2],
        }
    )
    columns = tuple(f"p_{name}" for name in NAMES) if shares else ()
    if shares:
        frame[list(columns)] = [[1, 0, 0], [0.2, 0.6, 0.2], [0, 0.5, 0.5], [0, 0, 1]]
    return ExampleTable(
        name="faces",
        frame=frame,
        targets=(Target("expression", "class", NAMES, columns),),
        payload=ArrayPayload({"pixels": np.zeros((4, 2, 2), np.uint8)}, np.arange(4)),
        groups_known=False,
        rejected=rejected_frame(),
        read=4,
    )


def test_rows_of_the_class_go_and_the_others_are_numbered_anew():
    found = leave_out_classes(table(), ["contempt"])
    assert found.class_target.class_names == ("calm", "glad")
    assert found.frame["expression"].tolist() == [0, 1, 1]
    assert found.frame["example_id"].tolist() == ["a", "c", "d"]
    assert found.rejected["path"].tolist() == ["b"]
    assert found.rejected["reason"].tolist() == ["its class is left out (contempt)"]
    assert found.read == 4


def test_shares_of_the_class_go_and_the_others_sum_to_one():
    found = leave_out_classes(table(shares=True), ["contempt"])
    assert found.class_target.distribution == ("p_calm", "p_glad")
    shares = found.frame[["p_calm", "p_glad"]].to_numpy()
    np.testing.assert_allclose(shares, [[1, 0], [0, 1], [0, 1]])


def test_an_unknown_class_is_named_with_those_there_are():
    with pytest.raises(UserError, match="has no class 'fear'. It has: calm, contempt, glad"):
        leave_out_classes(table(), ["fear"])


def test_at_least_two_classes_stay():
    with pytest.raises(UserError, match="leaves fewer than 2 classes"):
        leave_out_classes(table(), ["calm", "glad"])
