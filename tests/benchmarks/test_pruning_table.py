"""The table of what pruning leaves of each network."""

import json

from benchmarks import readme_table
from benchmarks.pruning import pruning_table

FAMILY = {
    "family": "ResNet50",
    "prunable_share": 0.987,
    "maps": [26560, 18592],
    "parameters": [25_636_712, 13_000_000],
    "macs": [700_000_000, 350_000_000],
    "latency_ms": [50.0, 5.0],
    "relative_error": 4.3e-07,
    "relative_change": 0.5,
    "passed": True,
}
ROW = (
    "| ResNet50 | 98.7 % | 26,560 → 18,592 | 25.6 → 13.0 (0.51) | 700.0 → 350.0 (0.50) "
    "| 50.0 → 5.0 (0.10) | 4.3e-07 (0.50) | yes |"
)


def test_a_row_tells_before_after_and_what_is_left():
    assert pruning_table([FAMILY]).splitlines()[2] == ROW
    assert pruning_table([{**FAMILY, "passed": False}]).endswith("| no |")


def test_the_table_stands_below_the_other_benchmarks(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    blocks = [f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in ("results", "benchmarks")]
    readme.write_text("".join(blocks), encoding="utf-8")
    kept.mkdir()
    (kept / "pruning.json").write_text(json.dumps({"benchmark": "pruning", "families": [FAMILY]}))
    readme_table.write(readme, kept)
    text = readme.read_text(encoding="utf-8")
    assert ROW in text
    assert text.index("No figures yet.", text.index("<!-- benchmarks:begin -->")) < text.index(ROW)
