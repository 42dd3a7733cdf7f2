import pandas as pd
import pytest

from affectkeras.files import read_csv, write_csv
from affectkeras.reporting import subject_tables
from affectkeras.reporting.report import render_report
from affectkeras.reporting.run_data import read_run
from affectkeras.subject_result import CHIEF_METRIC
from tests.reporting.test_report import Page
from tests.synthetic_run import change_result, read_result
from tests.synthetic_signal_run import FLOORS, write_signal_run


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_signal_run(tmp_path_factory.mktemp("signals") / "run", subjects=5)


@pytest.fixture
def run(tmp_path):
    return write_signal_run(tmp_path / "run", subjects=3, seeds=(0,))


@pytest.fixture(scope="module")
def page(original):
    return Page(render_report(read_run(original), {}))


def sections(page):
    return {one[1:] for one in page.sources if one.startswith("#")}


def test_the_page_has_sections_on_subjects_and_signals(page):
    assert not page.open
    assert {"subjects", "signals", "data"} <= sections(page)


def test_each_arm_has_mean_deviation_interval_and_number_of_subjects(original, page):
    found = read_result(original)["by_subject"]["EF"][CHIEF_METRIC]
    low, high = (100 * one for one in found["ci95"])
    wanted = f"EF 5 {100 * found['mean']:.1f} ± {100 * found['sd']:.1f} % {low:.1f} – {high:.1f} %"
    assert wanted in page.text


def test_networks_are_set_against_the_floors_subject_by_subject(original, page):
    scores = read_csv(original / "subject_scores.csv").groupby(["arm", "subject"])[CHIEF_METRIC]
    means = scores.mean().unstack("arm")
    difference = 100 * (means["SF-HF"] - means["majority"])
    better = (difference > 0).sum()
    assert f"SF-HF {difference.mean():+.1f} [" in page.text
    assert f"], {better} of 5" in page.text
    for floor, words in FLOORS.items():
        assert f"{floor} {words}" in page.text


def test_every_subject_is_listed_with_what_it_shows(original, page):
    scores = read_csv(original / "subject_scores.csv")
    of_one = scores[(scores["subject"] == "S01") & (scores["arm"] == "SF-HF")]
    first = scores[(scores["subject"] == "S01") & (scores["arm"] == "EF")][CHIEF_METRIC].mean()
    row = f"S01 {of_one['n'].iloc[0]} {of_one['classes'].iloc[0]} {100 * first:.1f} %"
    assert row in page.text


def test_the_verdict_of_a_run_without_validation_claims_none(page):
    assert "Bold: the arm of the served model. " in page.text
    assert "validation accuracy" not in page.text
    assert "chosen on validation rows" not in page.text
    assert "always baseline" not in page.text  # the majority is an arm already


def test_irregularities_are_summed_up_by_kind_with_their_rule(page):
    assert "heart_rate zero 5 2 0 beats a minute is no heart rate: missing S00, S01" in page.text


def test_many_recordings_of_one_irregularity_are_counted(run):
    rows = [(f"S{number}", "bvp", "gap", 2, "missing") for number in range(5)]
    frame = pd.DataFrame(rows, columns=["recording", "signal", "kind", "count", "rule"])
    write_csv(run / "irregularities.csv", frame)
    html = subject_tables.irregularities(read_run(run))
    assert "S0, S1, S2 and 2 more" in html
    assert ">10<" in html


def test_the_skew_of_the_labels_is_said(run):
    rows = [("A", "low", 8), ("A", "high", 2), ("B", "low", 10), ("B", "high", 0)]
    frame = pd.DataFrame(rows, columns=["subject", "class_name", "windows"])
    write_csv(run / "label_counts.csv", frame)
    words = subject_tables.label_words(read_run(run))
    assert "low has 90.0 % of the 20 windows; of single subjects from 80.0 % to 100.0 %." in words
    assert "1 of 2 subjects show one class only: their macro F1 cannot pass 50.0 %." in words


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("subject_scores.csv", set()),
        ("label_counts.csv", set()),
        ("irregularities.csv", {"signals"}),
        ("signal_excerpt.npz", set()),
    ],
)
def test_a_missing_file_takes_only_its_own_words_away(run, name, lost):
    whole = sections(Page(render_report(read_run(run), {})))
    (run / name).unlink()
    left = Page(render_report(read_run(run), {}))
    assert not left.open
    assert sections(left) == whole - lost


def test_a_result_without_subjects_has_no_section(run):
    change_result(run, by_subject=None, floors=None)
    assert "subjects" not in sections(Page(render_report(read_run(run), {})))


def test_a_served_model_of_subjects_is_said_to_be_trained_on_all(run):
    (run / "saved_model").mkdir()
    (run / "signal_model.json").write_text("{}")
    text = Page(render_report(read_run(run), {})).text
    assert "Served: sensor_fusion-SF-HF, trained on all subjects after every fold" in text
    assert "Classify windows of recordings with it" in text
    assert f"predict {run} --dataset stress_predict FOLDER" in text
    assert "assets.extra/signal_model.json in it tells which, at what rate" in text
    assert "preprocessing is inside" not in text
    change_result(run, dataset={"name": "empatica_e4"})
    assert f"predict {run} FOLDER" in Page(render_report(read_run(run), {})).text
