"""`compare` of runs with number targets: matched by row, said in words, written."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras.comparing.compare import compare_command, compare_named, printed_lines
from affectkeras.comparing.comparison_plot import draw_number_differences
from affectkeras.comparing.number_arms import match_numbers
from affectkeras.comparing.run_arms import read_arms
from affectkeras.errors import UserError
from affectkeras.evaluation import number_metrics
from affectkeras.files import read_csv, write_csv
from tests.synthetic_number_run import write_number_run

HONEST = {"dataset": {"name": "aff_wild", "sample": False, "quick": False, "groups_known": True}}


def change_predictions(run, change):
    path = run / "predictions.csv"
    write_csv(path, change(read_csv(path)))
    return run


def error_of(*arguments):
    with pytest.raises(UserError) as raised:
        match_numbers(read_arms(list(map(str, arguments))))
    return str(raised.value)


def printed(*arguments):
    return printed_lines(*compare_named(list(map(str, arguments))), 0.03)


def test_the_figures_are_those_of_the_test_rows(tmp_path):
    run = write_number_run(tmp_path / "run")
    rows = read_csv(run / "predictions.csv")
    rows = rows[rows["split"] == "test"]
    _, (one,) = compare_named([str(run)])
    assert (one.reference, one.arm, one.rows, one.groups) == ("gru", "lstm", 240, 12)
    for found in one.differences:
        metric = {"ccc": number_metrics.concordance, "mse": number_metrics.mean_squared_error}
        by_seed = [
            metric[found.metric](part[found.target], part[f"predicted_{found.target}"])
            for _, part in rows[rows["arm"] == "lstm"].groupby("seed")
        ]
        assert found.arm == pytest.approx(np.mean(by_seed))
    assert [(found.target, found.metric) for found in one.differences] == [
        ("valence", "ccc"), ("valence", "mse"), ("arousal", "ccc"), ("arousal", "mse"),
    ]  # fmt: skip


def test_rows_are_matched_by_their_names_whatever_their_order(tmp_path):
    run, other = write_number_run(tmp_path / "a"), write_number_run(tmp_path / "b")
    change_predictions(other, lambda frame: frame.sample(frac=1, random_state=0))
    _, (straight,) = compare_named([f"{run}:gru", f"{run}:lstm"])
    _, (mixed,) = compare_named([f"{run}:gru", f"{other}:lstm"])
    assert mixed.differences == straight.differences


def test_arms_of_one_target_are_compared_with_the_first_of_the_same(tmp_path):
    arms = ("gru-valence", "gru-arousal", "gru")
    run = write_number_run(tmp_path / "run", arms=arms)
    lines = printed(run)
    assert lines[0] == "Compared with gru-valence and gru-arousal on 240 test rows in 12 groups"
    text = "\n".join(lines)
    assert "gru − gru-valence = +0." in text
    assert "gru − gru-arousal = +0." in text
    assert "gru-arousal − gru-valence" not in text


def test_arms_without_a_common_target_are_refused(tmp_path):
    run = write_number_run(tmp_path / "run", arms=("gru-valence", "gru-arousal"))
    assert error_of(run) == (
        f"No two of the arms predict the same target: {run}:gru-valence valence, "
        f"{run}:gru-arousal arousal. Name arms that do, each as RUN:ARM."
    )


def test_other_rows_or_truth_or_seeds_are_refused(tmp_path):
    run = write_number_run(tmp_path / "a")
    other = change_predictions(
        write_number_run(tmp_path / "b"),
        lambda frame: frame[~frame["example_id"].str.endswith("00040")],
    )
    message = error_of(f"{run}:gru", f"{other}:gru")
    assert "12 test rows are only in the first, 0 only in the second, 228 in both" in message

    def moved(frame):
        return frame.assign(arousal=frame["arousal"] + 0.1 * frame["group"].str.contains("/002"))

    labels = change_predictions(write_number_run(tmp_path / "c"), moved)
    assert "give 20 of 240 test rows another arousal" in error_of(f"{run}:gru", f"{labels}:gru")
    gaps = change_predictions(
        write_number_run(tmp_path / "d"), lambda frame: frame.drop(frame.index[-1])
    )
    assert "the seeds of arm 'lstm' do not have the same test rows: 1 of 240" in error_of(gaps)


def test_predictions_without_their_truth_are_refused(tmp_path):
    run = change_predictions(
        write_number_run(tmp_path / "a"), lambda frame: frame.drop(columns="group")
    )
    assert "lacks the columns group" in error_of(run)
    bare = change_predictions(
        write_number_run(tmp_path / "b"), lambda frame: frame.drop(columns="valence")
    )
    assert "lacks the columns valence. Run the recipe again" in error_of(bare)
    run = write_number_run(tmp_path / "c")
    gone = ["valence", "predicted_valence"]
    other = change_predictions(
        write_number_run(tmp_path / "d"), lambda frame: frame.drop(columns=gone)
    )
    assert "lacks the columns valence that other arms predict" in error_of(run, other)
    assert match_numbers(read_arms([f"{run}:gru", f"{other}:lstm"])).true.keys() == {"arousal"}


def test_a_small_difference_names_the_groups_it_would_need(tmp_path):
    skills = {"gru": 0.5, "lstm": 0.49}
    run = write_number_run(tmp_path / "run", skills=skills, seeds=(0,), changes=HONEST)
    (line,) = [one for one in printed(run) if "CCC of arousal" in one]
    assert re.fullmatch(
        r"lstm − gru = [+−][\d.]+ CCC of arousal \[−[\d.]+, [\d.]+\]: no difference shown; a "
        r"difference of 0.03 would need about [\d,]+ test groups \(there are 12\)\. Seeds were not "
        r"repeated in both arms: this compares trained models, not ways of training\.",
        line,
    ), line


def test_one_video_is_said_to_tell_nothing(tmp_path):
    run = write_number_run(tmp_path / "run", videos=1, changes=HONEST)
    (line,) = [one for one in printed(run) if "MSE of arousal" in one]
    assert re.fullmatch(
        r"lstm − gru = \+0\.\d{4} MSE of arousal: all test rows are of one group, which tells "
        r"nothing of others\.",
        line,
    )


def test_the_command_writes_all_files_and_marks_doubtful_runs(tmp_path, capsys):
    run, out = write_number_run(tmp_path / "run"), tmp_path / "out"
    compare_command([str(run)], out=out)
    text = capsys.readouterr().out
    assert re.search(r"^lstm +arousal +CCC +0\.\d+ +−0\.\d+ +\[−0", text, re.MULTILINE)
    assert "*** run: sample data, quick run." in text
    assert "[sample data, quick run] lstm − gru = −0." in text
    assert "a difference is shown." in text
    written = read_csv(out / "comparison.csv")
    assert written[["target", "metric"]].to_numpy().tolist() == [
        ["valence", "ccc"], ["valence", "mse"], ["arousal", "ccc"], ["arousal", "mse"],
    ]  # fmt: skip
    assert written["difference"].between(written["low"], written["high"]).all()
    assert "| lstm | arousal | CCC |" in (out / "comparison.md").read_text()
    with Image.open(out / "comparison.png") as image:
        assert image.width > 800


def test_the_plot_has_a_panel_per_target_and_a_filled_mark_for_what_is_shown(tmp_path):
    matched, compared = compare_named([str(write_number_run(tmp_path / "run"))])
    panels = draw_number_differences(matched, compared).axes
    assert [axes.get_title() for axes in panels] == ["CCC of valence", "CCC of arousal"]
    shown = [found.shown for found in compared[0].differences if found.metric == "ccc"]
    marks = [
        next(line for line in axes.lines if line.get_marker() == "o").get_markerfacecolor()
        for axes in panels
    ]
    assert [mark != "white" for mark in marks] == shown
    assert shown == [False, True]


def test_a_run_of_other_targets_is_compared_by_what_both_predict(tmp_path):
    run = write_number_run(tmp_path / "a")
    frame = read_csv(run / "predictions.csv")
    other = write_number_run(tmp_path / "b")
    write_csv(other / "predictions.csv", pd.DataFrame(frame.assign(predicted_arousal=np.nan)))
    _, (one,) = compare_named([f"{run}:gru", f"{other}:lstm"])
    assert {found.target for found in one.differences} == {"valence"}
