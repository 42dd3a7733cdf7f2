"""What recipes on faces begin with: inner folds for the choice of settings."""

import re

import numpy as np
import pandas as pd
import pytest

from affectkeras.datasets.table import ArrayPayload, ExampleTable, Target, rejected_frame
from affectkeras.errors import UserError
from affectkeras.faces import divide_faces, inner_face_folds


def faces(groups, pixels=None, groups_known=True):
    count = len(groups)
    names = [f"{number}.png" for number in range(count)]
    frame = pd.DataFrame(
        {
            "example_id": names,
            "subject": "",
            "group": groups if groups_known else names,
            "split": "",
            "source": "x",
            "expression": np.arange(count) % 2,
        }
    )
    random = np.random.default_rng(0)
    arrays = {"features": random.normal(size=(count, 3))}
    if pixels is not None:
        arrays = {"pixels": pixels}
    payload = ArrayPayload(arrays, np.arange(count))
    target = Target("expression", "class", ("calm", "glad"))
    return ExampleTable("own", frame, (target,), payload, groups_known, rejected_frame(), count)


def test_inner_folds_keep_groups_and_tell_every_row_once():
    table = faces([f"film {number // 4}" for number in range(40)])
    rows = np.array([31, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 3, 6, 9, 12, 15])
    folds = inner_face_folds(table, rows, 3, 0)
    assert len(folds) == 3
    groups = table.frame["group"].to_numpy()
    for train, seen in folds:
        assert sorted([*train, *seen]) == list(range(len(rows)))
        assert not set(groups[rows[train]]) & set(groups[rows[seen]])
    assert sorted(np.concatenate([seen for _, seen in folds])) == list(range(len(rows)))


def test_copies_of_one_picture_stay_on_one_side_where_no_group_is_known():
    pixels = np.random.default_rng(1).integers(0, 256, (12, 24, 24), dtype=np.uint8)
    pixels[6:] = pixels[:6]  # each stands twice
    table = faces(["x"] * 12, pixels, groups_known=False)
    for train, seen in inner_face_folds(table, np.arange(12), 3, 0):
        assert not set(train % 6) & set(seen % 6)
        assert len(seen)


def test_fewer_groups_than_folds_are_told_with_the_mend():
    table = faces(["a"] * 4 + ["b"] * 4)
    message = "--folds 3: settings are chosen by at least 2 folds"
    with pytest.raises(UserError, match=re.escape(message) + ".* there are 2. Ask for fewer"):
        inner_face_folds(table, np.arange(8), 3, 0)


def test_rows_without_pictures_are_divided_and_the_findings_say_so():
    table = faces([f"film {number // 3}" for number in range(60)])
    split, findings = divide_faces(table, "grouped")
    assert len(split.test)
    assert findings["not_checked"]["copy_on_two_sides"] == "the images were not compared"
