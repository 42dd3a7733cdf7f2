"""Figures of number targets: recomputed from predictions, video by video and pooled."""

import json

import numpy as np
import pandas as pd
import pytest

from affectkeras import results
from affectkeras.comparing.honest import honest_words
from affectkeras.evaluation import number_metrics
from affectkeras.evaluation.splits import Split
from affectkeras.files import read_csv
from affectkeras.number_results import (
    ablation_rows,
    best_number_seed,
    mean_baseline,
    mean_ccc,
    print_number_result,
    summarise_numbers,
)
from tests.synthetic_number_run import (
    TARGETS,
    number_history,
    number_parts,
    number_predictions,
    write_number_run,
)

POOLED = {
    "mse": number_metrics.mean_squared_error,
    "rmse": number_metrics.root_mean_squared_error,
    "pcc": number_metrics.pearson_correlation,
    "ccc": number_metrics.concordance,
}
VIDEOS = {"ccc_per_video": POOLED["ccc"], "pcc_per_video": POOLED["pcc"]}


def rows_of(predictions, arm, split, seed=None):
    rows = predictions[(predictions["arm"] == arm) & (predictions["split"] == split)]
    return rows if seed is None else rows[rows["seed"] == seed]


def of_video(rows, metric, target):
    return number_metrics.by_group(
        metric, rows[target], rows[f"predicted_{target}"], rows["group"].to_numpy()
    )


def test_every_figure_of_a_written_result_is_recomputed_from_its_predictions(tmp_path):
    run = write_number_run(tmp_path / "run")
    predictions = read_csv(run / "predictions.csv")
    result = json.loads((run / "result.json").read_text())
    assert set(result["arms"]) == {"gru", "lstm"}
    for arm, splits in result["arms"].items():
        assert set(splits) == {"validation", "test"}
        for split, part in splits.items():
            assert (part["n"], part["groups"], part["seeds"]) == (240, 12, [0, 1])
            assert list(part["targets"]) == list(TARGETS)
            for target, found in part["targets"].items():
                seeds = [rows_of(predictions, arm, split, seed) for seed in (0, 1)]
                slow = {
                    name: [metric(rows[target], rows[f"predicted_{target}"]) for rows in seeds]
                    for name, metric in POOLED.items()
                } | {
                    name: [of_video(rows, metric, target).mean for rows in seeds]
                    for name, metric in VIDEOS.items()
                }
                assert set(found) == set(slow)
                for name, values in slow.items():
                    assert found[name]["per_seed"] == pytest.approx(values)
                    assert found[name]["mean"] == pytest.approx(np.mean(values))
                    assert found[name]["sd"] == pytest.approx(np.std(values, ddof=1))
                    assert found[name]["ddof"] == 1
                    low, high = found[name]["ci95"]
                    assert low < found[name]["mean"] < high


def test_a_video_of_equal_truth_counts_0_as_concordance_and_not_at_all_as_correlation():
    found = summarise_numbers(number_predictions(), TARGETS, repetitions=50)["gru"]["test"]
    valence = found["targets"]["valence"]
    assert (valence["ccc_per_video"]["videos"], valence["ccc_per_video"]["undefined"]) == (12, 0)
    assert (valence["pcc_per_video"]["videos"], valence["pcc_per_video"]["undefined"]) == (12, 1)
    assert found["targets"]["arousal"]["pcc_per_video"]["undefined"] == 0


@pytest.mark.parametrize("metric", ["mse", "ccc", "ccc_per_video"])
def test_intervals_agree_with_a_slow_bootstrap_of_seeds_and_videos(metric):
    predictions = rows_of(number_predictions(videos=9, frames=6), "lstm", "test")
    found = summarise_numbers(predictions, TARGETS)["lstm"]["test"]["targets"]["valence"][metric]
    generator, slow = np.random.default_rng(4), []
    names = predictions["group"].unique()
    parts = {
        (name, seed): predictions[(predictions["group"] == name) & (predictions["seed"] == seed)]
        for name in names
        for seed in (0, 1)
    }
    for _ in range(600):
        drawn, seed = generator.choice(names, size=len(names)), generator.integers(2)
        rows = pd.concat(
            [parts[name, seed].assign(group=str(copy)) for copy, name in enumerate(drawn)]
        )
        if metric in VIDEOS:
            slow.append(of_video(rows, VIDEOS[metric], "valence").mean)
        else:
            slow.append(POOLED[metric](rows["valence"], rows["predicted_valence"]))
    reach = 0.01 if metric == "mse" else 0.06
    np.testing.assert_allclose(found["ci95"], np.quantile(slow, [0.025, 0.975]), atol=reach)


def test_an_arm_of_one_target_has_figures_of_that_alone():
    predictions = number_predictions(arms=("gru-valence", "gru-arousal"))
    found = summarise_numbers(predictions, TARGETS, repetitions=20)
    assert list(found["gru-valence"]["test"]["targets"]) == ["valence"]
    assert list(found["gru-arousal"]["test"]["targets"]) == ["arousal"]


def test_constant_predictions_have_concordance_0_and_say_why_there_is_no_correlation():
    predictions = number_predictions(arms=("gru",)).assign(predicted_valence=0.1)
    valence = summarise_numbers(predictions, TARGETS, repetitions=50)["gru"]["test"]["targets"][
        "valence"
    ]
    assert (valence["ccc"]["mean"], valence["ccc"]["ci95"]) == (0, [0, 0])
    assert np.isnan(valence["pcc"]["mean"])
    assert (valence["pcc"]["sd"], valence["pcc"]["ci95"]) == (None, [None, None])
    assert valence["pcc"]["ci95_reason"] == ("no figure with 2 of 2 seeds: a series is constant")


def test_one_collapsed_seed_is_not_left_out_of_a_mean_in_silence():
    predictions = number_predictions(arms=("gru",))
    predictions.loc[predictions["seed"] == 1, "predicted_valence"] = 0.1
    valence = summarise_numbers(predictions, TARGETS, repetitions=50)["gru"]["test"]["targets"][
        "valence"
    ]
    assert valence["ccc"]["per_seed"][1] == 0
    assert np.isnan(valence["pcc"]["mean"])
    assert valence["pcc"]["ci95_reason"].startswith("no figure with 1 of 2 seeds")


def test_draws_without_a_figure_are_told():
    # Of five videos one has the truth vary: where it is not drawn there is no correlation.
    predictions = number_predictions(arms=("gru",), videos=5)
    first = predictions["group"].str.endswith("000.mp4")
    predictions.loc[~first, "valence"] = 0.2
    valence = summarise_numbers(predictions, TARGETS)["gru"]["test"]["targets"]["valence"]
    assert valence["pcc"]["draws_without"] == pytest.approx(0.8**5, abs=0.03)
    assert valence["pcc"]["ci95"] == [None, None]
    assert "of the draws: a series is constant in them" in valence["pcc"]["ci95_reason"]
    assert "draws_without" not in valence["ccc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda frame: frame.drop(columns="arousal"),
            r"`predictions` lacks the columns \['arousal",
        ),
        (lambda frame: pd.concat([frame, frame.tail(1)]), "`predictions` holds twice: {'arm': 'gr"),
        (
            lambda frame: frame.assign(
                predicted_valence=frame["predicted_valence"].where(frame.index != 5)
            ),
            "column 'predicted_valence' must hold a number in every row of gru, validation, or in "
            "none. 1 of 480 have none, such as 'validation/000.mp4 frame 00200'",
        ),
        (
            lambda frame: frame.assign(predicted_valence=np.nan, predicted_arousal=np.nan),
            r"arm 'gru' predicts none of \['valence', 'arousal'\] for validation rows",
        ),
    ],
)
def test_predictions_that_cannot_be_summed_up_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        summarise_numbers(change(number_predictions(arms=("gru",))), TARGETS)


def split_of(train, test):
    aside = pd.DataFrame({"row": [], "reason": []})
    nobody = np.array([], dtype=int)
    return Split(np.array(train), nobody, np.array(test), "video", "", aside, True)


def test_the_mean_of_training_has_concordance_0_and_its_own_error():
    values = pd.DataFrame({"valence": [0.0, 0.5, 0.1, 0.3, -0.5, 0.4], "arousal": [0.2] * 6})
    found = mean_baseline(values, [split_of([0, 1], [2, 3])], TARGETS)
    assert found["valence"] == pytest.approx(
        {"value": 0.25, "mse": (0.15**2 + 0.05**2) / 2, "rmse": 0.0125**0.5, "ccc": 0.0}
    )
    assert found["valence"]["ccc"] == 0
    assert np.isnan(found["arousal"]["ccc"])


def test_of_folds_each_row_has_the_mean_of_its_own_training_rows():
    values = pd.DataFrame({"valence": [0.0, 0.5, 0.1, 0.3]})
    folds = [split_of([0, 1], [2, 3]), split_of([2, 3], [0, 1])]
    found = mean_baseline(values, folds, ["valence"])["valence"]
    pair = np.array([0.1, 0.3, 0.0, 0.5]), np.array([0.25, 0.25, 0.2, 0.2])
    assert found["mse"] == pytest.approx(np.mean((pair[0] - pair[1]) ** 2))
    assert found["ccc"] == pytest.approx(number_metrics.concordance(*pair))


def test_the_best_seed_and_arm_are_those_of_the_highest_mean_concordance():
    part = {
        "seeds": [3, 5],
        "targets": {
            "valence": {"ccc": {"mean": 0.3, "per_seed": [0.5, 0.1]}},
            "arousal": {"ccc": {"mean": 0.5, "per_seed": [0.3, 0.9]}},
        },
    }
    assert mean_ccc(part) == pytest.approx(0.4)
    assert best_number_seed(part) == 5


def test_an_ablation_sets_cost_beside_loss_without_the_epoch_that_compiles():
    arms = summarise_numbers(number_predictions(), TARGETS, repetitions=20)
    rows = ablation_rows(arms, number_history(), {"gru": 10, "lstm": 13})
    assert [(row["arm"], row["target"]) for row in rows] == [
        ("gru", "valence"), ("gru", "arousal"), ("lstm", "valence"), ("lstm", "arousal"),
    ]  # fmt: skip
    assert [row["parameters"] for row in rows] == [10, 10, 13, 13]
    assert rows[0]["seconds_per_epoch"] == 2.0
    assert rows[0]["loss"] == arms["gru"]["test"]["targets"]["valence"]["mse"]
    one = ablation_rows(arms, number_history(epochs=1), {"gru": 10})
    assert one[0]["seconds_per_epoch"] == 10.0


def test_an_arm_of_two_networks_takes_the_time_of_both():
    arms = summarise_numbers(number_predictions(), TARGETS, repetitions=20)
    valence = number_history().assign(target="valence")
    arousal = number_history().assign(target="arousal")
    arousal["seconds"] += 1
    history = pd.concat([valence, arousal])
    assert ablation_rows(arms, history, {"gru": 10})[0]["seconds_per_epoch"] == 5.0


def test_the_served_arms_figures_become_the_results_metrics(tmp_path):
    run = write_number_run(tmp_path / "run", changes={"served_arm": "lstm"})
    result = json.loads((run / "result.json").read_text())
    found = result["arms"]["lstm"]["test"]["targets"]
    assert result["metrics"]["test"] == found
    assert result["metrics"]["validation"]["arousal"]["ccc"]["mean"] > 0
    assert result["targets"] == ["valence", "arousal"]
    assert "class_names" not in result


def test_a_number_result_needs_exactly_its_parts(tmp_path):
    parts = number_parts(number_predictions(), number_history(), repetitions=20)
    with pytest.raises(ValueError, match=r"Missing: \['seeds'\]; unknown: \[\]"):
        results.write_result(tmp_path, {k: v for k, v in parts.items() if k != "seeds"})
    with pytest.raises(ValueError, match=r"Missing: \[\]; unknown: \['class_names'\]"):
        results.write_result(tmp_path, parts | {"class_names": []})
    without = {name: part for name, part in parts.items() if name != "ablation"}
    assert "ablation" not in results.write_result(tmp_path, without, {})


def test_a_leaky_run_is_shown_beside_the_honest_one(tmp_path):
    honest = write_number_run(tmp_path / "honest")
    leaky = write_number_run(
        tmp_path / "leaky", changes={"protocol": {"name": "paper", "description": ""}}
    )
    said = json.loads((leaky / "result.json").read_text())["protocol"]["honest"]
    ccc = json.loads((honest / "result.json").read_text())["arms"]["gru"]["test"]["targets"][
        "arousal"
    ]["ccc"]
    assert said["arms"]["gru arousal"] == {
        "mean": ccc["mean"], "ci95": ccc["ci95"], "metric": "ccc",
    }  # fmt: skip
    low, high = ccc["ci95"]
    assert f"gru arousal CCC {ccc['mean']:.3f} [{low:.3f}, {high:.3f}]" in honest_words(said)


def test_the_terminal_shows_arms_beside_the_mean_of_training(tmp_path, capsys):
    run = write_number_run(tmp_path / "run", arms=("gru", "gru-valence"))
    result = json.loads((run / "result.json").read_text())
    result["arms"]["gru"]["test"]["targets"]["valence"]["ccc"] = {
        "mean": -0.0123, "sd": None, "ddof": 1, "ci95": [None, None], "per_seed": [-0.0123],
        "ci95_reason": "one group only",
    }  # fmt: skip
    print_number_result(result, run)
    lines = capsys.readouterr().out.splitlines()
    table = [line.split() for line in lines if "valence" in line or "arousal" in line]
    assert table[0][:4] == ["gru", "valence", "−0.012", "none"]
    assert [row[0] for row in table] == ["gru", "gru-valence", "mean", "gru", "mean"]
    assert table[2][-2:] == ["0.000", "0.300"]
    assert any("no interval: one group only" in line for line in lines)
    assert "*** Sample data: drawn faces." in lines
    assert any(line.startswith("Report:") and "report.html" in line for line in lines)
