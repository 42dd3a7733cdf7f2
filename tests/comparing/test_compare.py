import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectkeras.comparing.compare import compare_command, markdown, printed_lines
from affectkeras.comparing.comparison_arms import match_arms
from affectkeras.comparing.comparison_plot import draw_differences
from affectkeras.comparing.comparison_words import rounded, verdict
from affectkeras.comparing.run_arms import read_arms
from affectkeras.errors import UserError
from affectkeras.evaluation.comparison import compare_arms
from affectkeras.files import read_csv, write_csv, write_json
from tests.synthetic_number_run import write_number_run

CLASSES = ("Angry", "Happy", "Sad")
HONEST = {
    "dataset": {"name": "sfew", "sample": False, "quick": False, "groups_known": True},
    "protocol": {"name": "grouped"},
    "class_names": list(CLASSES),
}


def write_run(folder, *, accuracies=None, seeds=(0, 1, 2), rows=200, groups=20, **changes):
    """Write what `compare` reads; an arm is right on its accuracy's share of rows."""
    accuracies = accuracies or {"bdr": 0.62, "none": 0.6}
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    true = np.arange(rows) % 3
    hard = generator.random(rows)  # the same rows are hard for all arms and seeds
    frames = []
    for arm, accuracy in accuracies.items():
        for seed in seeds:
            right = hard + generator.normal(0, 0.05, rows) < accuracy
            columns = {
                "arm": arm,
                "seed": seed,
                "fold": 0,
                "split": "test",
                "example_id": [f"Test/{row}.png" for row in range(rows)],
                "group": [f"film{row * groups // rows}" for row in range(rows)],
                "expression": np.array(CLASSES)[true],
                "predicted": np.array(CLASSES)[np.where(right, true, (true + 1) % 3)],
            }
            frames += [pd.DataFrame(columns), pd.DataFrame({**columns, "split": "validation"})]
    write_csv(folder / "predictions.csv", pd.concat(frames))
    write_json(folder / "result.json", {**HONEST, "arms": dict.fromkeys(accuracies), **changes})
    return folder


def change_predictions(run, change):
    path = run / "predictions.csv"
    write_csv(path, change(read_csv(path)))
    return run


def names(*arguments):
    return [one.name for one in read_arms(list(map(str, arguments)))]


def compared(*arguments):
    matched = match_arms(read_arms(list(map(str, arguments))))
    return matched, compare_arms(
        matched.true, matched.groups, len(matched.class_names), matched.predictions, repetitions=300
    )


def error_of(*arguments):
    with pytest.raises(UserError) as raised:
        match_arms(read_arms(list(map(str, arguments))))
    return str(raised.value)


def test_a_run_stands_for_its_arms_with_none_in_front(tmp_path):
    run = write_run(tmp_path / "a", accuracies={"bdr": 0.6, "random": 0.6, "none": 0.6})
    assert names(run) == ["none", "bdr", "random"]


def test_an_arm_named_first_is_the_reference_and_none_is_compared_twice(tmp_path):
    run = write_run(tmp_path / "a")
    assert names(f"{run}:bdr", run) == ["bdr", "none"]


def test_without_an_arm_none_the_first_of_the_result_is_the_reference(tmp_path):
    assert names(write_run(tmp_path / "a", accuracies={"wide": 0.6, "deep": 0.6})) == [
        "wide",
        "deep",
    ]


def test_arms_of_several_runs_are_named_with_their_run(tmp_path):
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    assert names(f"{first}:none", f"{second}:bdr") == ["a:none", "b:bdr"]
    twin = write_run(tmp_path / "c" / "a")
    assert names(f"{first}:none", f"{twin}:bdr") == [f"{first}:none", f"{twin}:bdr"]


def test_the_figures_are_those_of_the_test_rows(tmp_path):
    run = write_run(tmp_path / "a", rows=120)
    predictions = read_csv(run / "predictions.csv")
    test = predictions[predictions["split"] == "test"]
    shares = (test["expression"] == test["predicted"]).groupby(test["arm"]).mean()
    _, (one,) = compared(run)
    accuracy = one.differences["accuracy"]
    assert accuracy.difference == pytest.approx(shares["bdr"] - shares["none"])
    assert (one.rows, one.groups, one.arm_seeds) == (120, 20, (0, 1, 2))


def test_rows_are_matched_by_their_names_whatever_their_order(tmp_path):
    run, other = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    change_predictions(other, lambda frame: frame.sample(frac=1, random_state=0))
    _, (straight,) = compared(f"{run}:none", f"{run}:bdr")
    _, (mixed,) = compared(f"{run}:none", f"{other}:bdr")
    assert mixed.differences == straight.differences


def test_other_test_rows_are_refused_with_their_number(tmp_path):
    run, other = write_run(tmp_path / "a"), write_run(tmp_path / "b", rows=210)
    change_predictions(other, lambda frame: frame[frame["example_id"] != "Test/3.png"])
    message = error_of(f"{run}:none", f"{other}:bdr")
    assert message == (
        f"{run}:none and {other}:bdr were not tested on the same rows: 1 test rows are only in the "
        "first, 10 only in the second, 199 in both. Compare runs of the same data, protocol and "
        "split."
    )


@pytest.mark.parametrize(("column", "value"), [("expression", "Sad"), ("group", "another film")])
def test_rows_with_other_labels_or_groups_are_refused(tmp_path, column, value):
    run, other = write_run(tmp_path / "a"), write_run(tmp_path / "b")

    def change(frame):
        frame.loc[frame["example_id"].isin(["Test/0.png", "Test/3.png"]), column] = value
        return frame

    change_predictions(other, change)
    message = error_of(f"{run}:none", f"{other}:bdr")
    assert message.startswith(f"{run} and {other} give 2 of 200 test rows another {column}.")


def test_what_is_no_run_is_refused(tmp_path):
    run = write_run(tmp_path / "a")
    assert "there is no such folder" in error_of(tmp_path / "nowhere")
    assert "holds no complete run" in error_of(tmp_path)
    assert error_of(f"{run}:wide", run) == (
        f"{run} has no arm 'wide' with test rows. It has: none, bdr."
    )
    assert f"more run folders, or RUN:ARM. Found: {run}:bdr." in error_of(f"{run}:bdr")


def test_predictions_without_the_target_are_refused(tmp_path):
    run = write_run(tmp_path / "a")
    change_predictions(run, lambda frame: frame.rename(columns={"expression": "target"}))
    assert error_of(run) == (
        f"{run / 'predictions.csv'} holds no class target (column expression). Its columns are "
        "arm, seed, fold, split, example_id, group, target, predicted."
    )


def test_classes_are_not_compared_with_numbers(tmp_path):
    run, numbers = write_run(tmp_path / "a"), write_number_run(tmp_path / "b")
    assert error_of(run, numbers) == (
        f"{run} predicts classes, {numbers} numbers: they have no metric in common. Compare runs "
        "of one kind."
    )


def test_damaged_predictions_are_refused(tmp_path):
    run = write_run(tmp_path / "a")
    change_predictions(run, lambda frame: frame.drop(columns="group"))
    assert "lacks the columns group" in error_of(run)
    twice = write_run(tmp_path / "b")
    change_predictions(twice, lambda frame: pd.concat([frame, frame.tail(400).head(1)]))
    assert "holds the test row 'Test/0.png' of arm 'none' twice" in error_of(twice)
    uneven = write_run(tmp_path / "c")
    change_predictions(uneven, lambda frame: frame.iloc[1:])
    assert "the seeds of arm 'bdr' do not have the same test rows: 1 of 200" in error_of(uneven)


def test_other_classes_are_refused(tmp_path):
    run = write_run(tmp_path / "a")
    other = write_run(tmp_path / "b", class_names=["Angry", "Happy"])
    message = error_of(f"{run}:none", f"{other}:bdr")
    assert "knows the classes Angry, Happy, Sad;" in message
    assert "Angry, Happy. Compare runs of the same classes." in message


def test_a_difference_too_small_to_be_shown_names_the_rows_it_would_need(tmp_path):
    _, (one,) = compared(write_run(tmp_path / "a", seeds=(0,)))
    words = verdict(one, "accuracy", 0.03)
    assert re.fullmatch(
        r"bdr − none = [+−][\d.]+ points \[[−\d.]+, [\d.]+\]: no difference shown \(p = [\d.]+\); "
        r"a difference of 3 points would need about [\d,]+ test rows \(there are 200(, which is "
        r"enough)?\)\. Seeds were not repeated in both arms: this compares trained models, not "
        r"ways of training\.",
        words,
    ), words


def test_a_large_difference_is_shown_with_both_p_values(tmp_path):
    run = write_run(tmp_path / "a", accuracies={"none": 0.5, "bdr": 0.7, "random": 0.5})
    _, (one, _) = compared(run)
    words = verdict(one, "accuracy", 0.03)
    assert re.search(r"a difference is shown \(p [<=] [\d.]+, [< \d.]+ corrected for 2 com", words)
    assert "not repeated" not in words


def test_one_group_is_said_to_tell_nothing(tmp_path):
    _, (one,) = compared(write_run(tmp_path / "a", groups=1))
    assert verdict(one, "accuracy", 0.03).endswith(
        "points: all test rows are of one group, which tells nothing of others."
    )


def test_numbers_of_rows_are_rounded_up_to_two_digits():
    assert [rounded(rows) for rows in (7.2, 98, 1743.4, 55_001)] == ["8", "98", "1,800", "56,000"]


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"dataset": {**HONEST["dataset"], "sample": True}}, "sample data"),
        ({"dataset": {**HONEST["dataset"], "quick": True}}, "quick run"),
        ({"protocol": {"name": "paper"}}, "leaky protocol 'paper'"),
        ({"leakage": {"passed": False}}, "leaks were found"),
    ],
)
def test_what_makes_figures_doubtful_is_said_in_every_output(tmp_path, changes, label):
    matched, found = compared(write_run(tmp_path / "a", **changes))
    lines = printed_lines(matched, found, 0.03)
    assert f"*** a: {label}." in lines
    assert any(line.startswith(f"[{label}] bdr − none = ") for line in lines)
    text = markdown(matched, found, 0.03)
    assert f"**a: {label}.**" in text
    assert f"- [{label}] bdr − none = " in text
    assert label in draw_differences(matched, found).get_supxlabel()
    compare_command([str(tmp_path / "a")], out=tmp_path / "out")
    assert set(read_csv(tmp_path / "out" / "comparison.csv")["labels"]) == {label}


def test_unknown_groups_are_said(tmp_path):
    run = write_run(tmp_path / "a", dataset={**HONEST["dataset"], "groups_known": False})
    matched, found = compared(run)
    assert any("The groups are not known" in line for line in printed_lines(matched, found, 0.03))


def test_mcnemar_says_that_it_ignores_groups(tmp_path):
    grouped = compared(write_run(tmp_path / "a", seeds=(0,)))
    single = compared(write_run(tmp_path / "b", seeds=(0,), groups=200))
    several = compared(write_run(tmp_path / "c"))
    texts = ["\n".join(printed_lines(*one, 0.03)) for one in (grouped, single, several)]
    assert ["McNemar" in text for text in texts] == [True, True, False]
    assert ["ignores the groups" in text for text in texts] == [True, False, False]


def test_the_command_prints_and_writes_all_files_without_tensorflow(tmp_path):
    run, out = write_run(tmp_path / "a", seeds=(0, 1)), tmp_path / "deep" / "out"
    code = "import sys, runpy\nsys.argv[0] = 'affectkeras'\ntry:\n"
    code += "    runpy.run_module('affectkeras', run_name='__main__')\n"
    code += "except SystemExit as ended:\n    assert not ended.code\n"
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "compare", str(run), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Compared with none on 200 test rows in 20 groups\n")
    assert re.search(r"^bdr +accuracy +[\d.]+% +[+−]\d", done.stdout, re.MULTILINE)
    rows = read_csv(out / "comparison.csv")
    assert rows["metric"].tolist() == ["accuracy", "macro_f1"]
    assert rows["difference"].between(rows["low"], rows["high"]).all()
    assert "| bdr | accuracy |" in (out / "comparison.md").read_text()
    with Image.open(out / "comparison.png") as image:
        assert image.width > 800


def test_mistakes_on_the_command_line_are_one_line(tmp_path):
    for arguments, message in [
        (["compare"], "error: compare needs at least one run folder or RUN:ARM"),
        (["compare", str(tmp_path)], "error: "),
        (["compare", str(write_run(tmp_path / "a")), "--worth", "0"], "error: --worth must be"),
    ]:
        done = subprocess.run(
            [sys.executable, "-m", "affectkeras", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
