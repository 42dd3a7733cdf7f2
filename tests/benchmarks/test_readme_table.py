import json

import pytest

from affectkeras.errors import UserError
from benchmarks import readme_table
from tests.synthetic_number_run import write_number_run


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


def test_a_run_with_number_targets_has_a_row_per_target_and_says_how_its_arms_compare(tmp_path):
    readme, kept = tmp_path / "README.md", tmp_path / "results"
    readme.write_text(README)
    readme_table.add(write_number_run(tmp_path / "run"), "affwild", kept)
    readme_table.write(readme, kept)
    text = readme.read_text()
    found = json.loads((tmp_path / "run" / "result.json").read_text())["arms"]["lstm"]["test"]
    arousal = found["targets"]["arousal"]
    low, high = arousal["ccc"]["ci95"]
    assert (
        "| affwild_cnn_gru, aff_wild (sample, quick) | cnn_gru | lstm | arousal | video | 800 | "
        f"240 (12) | {arousal['ccc']['mean']:.3f} ± {arousal['ccc']['sd']:.3f} | "
        f"[{low:.3f}, {high:.3f}] | {arousal['ccc_per_video']['mean']:.3f} ± "
        f"{arousal['ccc_per_video']['sd']:.3f} | {arousal['rmse']['mean']:.3f} ± "
        f"{arousal['rmse']['sd']:.3f} | 0.250 | 2 | 2 CPU cores | 40 s |"
    ) in text
    assert text.count("| affwild_cnn_gru, aff_wild") == 4
    assert "Compared with gru on 240 test rows in 12 groups" in text
    assert "- [sample data, quick run] lstm − gru = −0.269 CCC of arousal [" in text


def test_what_is_kept_of_a_number_run_is_enough_to_write_it_and_its_ablation(tmp_path):
    kept = readme_table.add(write_number_run(tmp_path / "run"), "affwild", tmp_path / "results")
    found = json.loads(kept.read_text())
    assert (found["targets"], len(found["ablation"])) == (["valence", "arousal"], 4)
    assert "example_id" not in kept.read_text()


def test_a_figure_that_some_seed_has_not_is_a_dash(tmp_path):
    run = write_number_run(tmp_path / "run", seeds=(0,))
    result = json.loads((run / "result.json").read_text())
    ccc = result["arms"]["gru"]["test"]["targets"]["valence"]["ccc"]
    ccc |= {"mean": None, "ci95": [None, None], "ci95_reason": "a series is constant"}
    (table,) = readme_table.number_tables([result])
    cells = table.splitlines()[2].split(" | ")
    assert cells[2:4] == ["gru", "valence"]
    assert cells[7:9] == ["–", "–"]


def test_a_run_that_scores_its_subjects_stands_in_a_table_of_its_own_with_floors_named():
    figure = {"mean": 0.75, "sd": 0.081, "ddof": 0, "ci95": [0.71, 0.786], "subjects": 18}
    result = {
        **{"recipe": "stress_predict_fusion", "served": "sensor_fusion-early-2"},
        **{"served_arm": "early-2", "seeds": [0], "protocol": {"name": "subject"}},
        "dataset": {"name": "stress_predict", "target": "stress"},
        "arms": {arm: {"test": {"n": 5315, "seeds": [0]}} for arm in ("early-2", "majority")},
        "by_subject": {
            arm: {"macro_f1": figure, "accuracy": figure} for arm in ("early-2", "majority")
        },
        "floors": {"majority": "names the commonest training class"},
        **{"environment": {"cpus": 2}, "timing": {"train_s": 600.0}},
    }
    (table,) = readme_table.subject_tables([result])
    row = "| subject | 18 | 5315 | 75.0 ± 8.1 | 71.0 to 78.6 | 75.0 ± 8.1 | 1 | 2 CPU cores "
    row += "| 10 min |"
    assert f"| stress_predict_fusion, stress_predict | stress | early-2 {row}" in table
    assert f"| stress | majority (floor) {row}" in table
    result["dataset"] |= {"target": "level", "rating": "arousal"}
    assert f"| arousal | early-2 {row}" in readme_table.subject_tables([result])[0]
    assert readme_table.subject_tables([]) == []
