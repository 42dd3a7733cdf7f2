import json

import pytest

from affectkeras.errors import UserError
from benchmarks import readme_table


def result_of(**changes):
    spread = {"mean": 0.4213, "sd": 0.021, "ddof": 1, "ci95": [0.35, 0.49], "per_seed": [0.4, 0.44]}
    test = {"n": 216, "groups": 31, "seeds": [0, 1], "accuracy": spread, "macro_f1": spread}
    return {
        "schema": 1,
        "status": "complete",
        "recipe": "sfew_resnet",
        "command": ["sfew_resnet", "--data-dir", "/home/somebody/SFEW", "--run-dir=/tmp/x"],
        "dataset": {
            "name": "sfew",
            "sample": False,
            "quick": False,
            "examples": {"train": 891, "validation": 215, "test": 216},
        },
        "protocol": {"name": "grouped", "description": ""},
        "seeds": [0, 1],
        "served": "resnet50-bdr",
        "served_arm": "bdr",
        "arms": {"bdr": {"test": {**test, "confusion": [[1]]}}},
        "baselines": {"majority": {"accuracy": 0.194}},
        "claims": [],
        "leakage": {
            "passed": True,
            "checks": {"x": {"passed": True, "count": 0, "examples": ["Film_1.png"]}},
        },
        "timing": {"prepare_s": 1.0, "train_s": 600.0},
        "environment": {"keras": "3.15.1", "cpus": 2, "platform": "Linux-host"},
        **changes,
    }


ROW = (
    "| sfew_resnet, sfew | resnet50 | bdr | grouped | 891 | 216 (31) | 42.1 ± 2.1 | 35.0 to 49.0 "
    "| 42.1 ± 2.1 | 19.4 | 2 | 2 CPU cores | 10 min |"
)
README = (
    "# Title\n<!-- results:begin -->\nstale\n<!-- results:end -->\nbetween\n"
    "<!-- benchmarks:begin -->\n<!-- benchmarks:end -->\nafter\n"
)


def saved_run(tmp_path, **changes):
    run = tmp_path / "run"
    run.mkdir()
    (run / "result.json").write_text(json.dumps(result_of(**changes)))
    return run


def test_a_kept_run_appears_in_the_readme_between_the_markers(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    readme_table.add(saved_run(tmp_path), "sfew", kept)
    readme_table.write(readme, kept)
    text = readme.read_text()
    assert ROW in text
    assert "stale" not in text
    assert text.startswith("# Title\n<!-- results:begin -->\n| Recipe, data | Model | Arm |")
    assert "<!-- results:end -->\nbetween\n<!-- benchmarks:begin -->\nNo figures yet." in text
    assert text.endswith("<!-- benchmarks:end -->\nafter\n")


def test_published_figures_stand_below_with_ours_beside_them(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    readme_table.add(saved_run(tmp_path), "sfew", kept)
    readme_table.write(readme, kept)
    block = readme.read_text().split("<!-- results:end -->")[0]
    line = next(one for one in block.splitlines() if "table-1.resnet50-bdr" in one)
    assert block.index(ROW) < block.index(line)
    assert "| 46 (leaky) | 216 |" in line
    assert "| grouped: 42.1 ± 2.1 [35.0, 49.0], n 216, 2 seeds, resnet50 |" in line


def test_writing_twice_changes_nothing(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    readme_table.add(saved_run(tmp_path), "sfew", kept)
    readme_table.write(readme, kept)
    once = readme.read_text()
    readme_table.write(readme, kept)
    assert readme.read_text() == once


def test_what_is_kept_names_no_path_no_host_and_no_example():
    kept = json.dumps(readme_table.compact_result(result_of()))
    for private in ("/home", "somebody", "/tmp", "Linux-host", "Film_1", "confusion"):
        assert private not in kept
    assert '"--data-dir", "PATH", "--run-dir=PATH"' in kept


def test_sample_and_quick_runs_are_marked_and_missing_figures_are_dashes():
    spread = {"mean": 0.5, "sd": None, "ddof": 1, "ci95": [None, None], "per_seed": [0.5]}
    test = {"n": 9, "groups": 1, "seeds": [0], "accuracy": spread, "macro_f1": spread}
    result = result_of(
        arms={"none": {"test": test}},
        dataset={"name": "sfew", "sample": True, "quick": True},
        timing={},
        environment={"accelerator": "NVIDIA H100"},
    )
    assert readme_table.result_table([result]).splitlines()[-1] == (
        "| sfew_resnet, sfew (sample, quick) | resnet50 | none | grouped | – | 9 (1) | 50.0 | – "
        "| 50.0 | 19.4 | 1 | NVIDIA H100 | – |"
    )


@pytest.mark.parametrize(
    "cases",
    [
        {"cases": [{"case": "720×576", "ours": 812.25, "peer": 375, "ratio": 2.166}]},
        {"cases": {"720×576": {"ours": 812.25, "peer": 375, "ratio": 2.166}}},
        {"case": "720×576", "ours": 812.25, "peer": 375, "ratio": 2.166},
    ],
)
def test_benchmarks_give_a_row_per_case_however_they_list_them(cases):
    table = readme_table.benchmark_table(
        [
            {
                "benchmark": "augmentation",
                "bar": 1.0,
                "passed": True,
                "environment": {"cpus": 2},
                **cases,
            }
        ]
    )
    assert table.splitlines()[-1] == (
        "| augmentation | 720×576 | 812 | 375 | 2.17 | 1 | yes | 2 CPU cores |"
    )


def test_a_readme_without_markers_is_an_error(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("# Title\n")
    with pytest.raises(UserError, match="must hold <!-- results:begin --> and, after it"):
        readme_table.write(readme, tmp_path)
    assert readme.read_text() == "# Title\n"


def test_an_unfinished_run_is_not_kept(tmp_path):
    with pytest.raises(UserError, match="holds no complete result"):
        readme_table.add(saved_run(tmp_path, status="failed"), "sfew", tmp_path / "results")


def test_a_folder_without_a_result_is_an_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read as a result"):
        readme_table.add(tmp_path, "sfew", tmp_path / "results")


def test_a_name_that_leaves_the_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"Received: '\.\./x'"):
        readme_table.add(saved_run(tmp_path), "../x", tmp_path / "results")


def test_the_command_line_keeps_and_writes(tmp_path, capsys):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    run = saved_run(tmp_path)
    options = ["--results-dir", str(kept)]
    readme_table.main(["add", str(run), "--name", "sfew", *options])
    readme_table.main(["write", "--readme", str(readme), *options])
    assert ROW in readme.read_text()


def test_networks_of_several_sizes_get_a_table_of_what_pruning_left(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    part = result_of()["arms"]["bdr"]["test"]
    sizes = {
        name: {"mean": mean, "per_seed": [mean]}
        for name, mean in (("maps", 256), ("maps_removed", 41.5), ("parameters", 98765.0),
                           ("macs", 11_619_328), ("removed_share", 0.16))
    }  # fmt: skip
    arms = {"bdr": {"test": part, "validation": part, "model": {"n": 256, **sizes}}}
    readme_table.add(saved_run(tmp_path, arms=arms), "sfew", kept)
    readme_table.write(readme, kept)
    row = "| sfew_resnet, sfew | bdr | 41.5 of 256 | 98,765 | 11.6 | 42.1 ± 2.1 | 42.1 ± 2.1 |"
    assert row in readme.read_text()
