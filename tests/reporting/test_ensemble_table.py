import json

import pandas as pd

from affectkeras.reporting.ensemble_table import ensemble
from affectkeras.reporting.run_data import read_run

RIGHT = {"<vgg>": (1, 1, 0, 0), "resnet": (1, 0, 1, 0)}


def write_run(folder):
    """Two members on four test rows: both right, one of them, the other, none."""
    rows = [
        {
            "arm": arm, "seed": seed, "split": "test", "example_id": f"face {place}",
            "expression": "glad", "predicted": "glad" if right else "sad",
        }
        for arm, found in RIGHT.items()
        for seed in (0, 1)
        for place, right in enumerate(found)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    shares = {"uniform": (0.5, 0.5), "weighted": (0.9, 0.1), "stacked": (0.7, 0.25)}
    pd.DataFrame(
        [
            {"seed": seed, "rule": rule, "member": member, "share": share + 0.02 * seed,
             "penalty": 0.1 if rule == "stacked" else None}
            for seed in (0, 1)
            for rule, found in shares.items()
            for member, share in zip(RIGHT, found, strict=True)
        ]
    ).to_csv(folder / "ensemble.csv", index=False)  # fmt: skip
    (folder / "result.json").write_text(json.dumps({"dataset": {"target": "expression"}}))
    return read_run(folder)


def test_shares_are_means_over_seeds_and_names_are_escaped(tmp_path):
    page = ensemble(write_run(tmp_path))
    cells = "".join(f'<td class="number">{value}</td>' for value in ("0.51", "0.91", "0.71"))
    assert f'<td class="text">&lt;vgg&gt;</td>{cells}' in page
    assert "by seed: 0.1, 0.1." in page


def test_rows_that_one_member_alone_gets_right_are_counted(tmp_path):
    page = ensemble(write_run(tmp_path))
    quarter = '<td class="number">25.0 %</td>'
    assert f'<td class="text">&lt;vgg&gt; and resnet</td>{quarter * 4}' in page
    assert "right on 75.0 % of the test rows, every member on 25.0 %" in page


def test_a_run_that_is_no_ensemble_shows_nothing(tmp_path):
    write_run(tmp_path)
    (tmp_path / "ensemble.csv").unlink()
    assert ensemble(read_run(tmp_path)) == ""
