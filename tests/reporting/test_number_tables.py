"""The report of a run with number targets: one page that says what was shown and what was not."""

import pytest

from affectkeras.reporting.number_tables import compare_arms_of, differences, verdicts
from affectkeras.reporting.report import write_report
from affectkeras.reporting.run_data import read_run
from tests.reporting.test_report import Page, report_of
from tests.synthetic_number_run import write_number_run
from tests.synthetic_run import change_result, read_result


@pytest.fixture
def run(tmp_path):
    return write_number_run(tmp_path / "run")


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    run = write_number_run(tmp_path_factory.mktemp("report") / "run")
    return write_report(run).read_text(encoding="utf-8")


def change_ccc(run, arm, target, **changes):
    result = read_result(run)
    result["arms"][arm]["test"]["targets"][target]["ccc"] |= changes
    change_result(run, arms=result["arms"])


def test_the_page_is_whole_and_has_the_sections_of_numbers(html):
    page = Page(html)
    assert not page.open
    links = [one for one in page.sources if one.startswith("#")]
    assert {"#verdict", "#ablation", "#videos", "#circumplex", "#training"} <= set(links)
    assert {"#classes", "#pruning"}.isdisjoint(links)
    for link in links:
        assert f'<section id="{link[1:]}">' in html
    assert html.count("data:image/png;base64,") == 5
    assert page.banners == ["Sample data: drawn faces.", "Quick run: few frames."]


def test_the_verdict_gives_mean_deviation_interval_error_and_rows(run, monkeypatch):
    test = read_result(run)["arms"]["gru"]["test"]
    found = test["targets"]["valence"]
    low, high = found["ccc"]["ci95"]
    text = report_of(run, monkeypatch).text
    assert (
        f"valence gru {found['ccc']['mean']:.3f} ± {found['ccc']['sd']:.3f} [{low:.3f}, "
        f"{high:.3f}] {found['rmse']['mean']:.3f} "
    ) in text
    assert "valence mean of training (0.05) 0.000 – 0.300 – – – –" in text


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ([0.1, 0.4], "[0.100, 0.400] on 12 videos: shown to beat the mean of training, whose CCC"),
        ([-0.1, 0.4], "[−0.100, 0.400] on 12 videos: not shown to beat the mean of training, as"),
        ([0.0, 0.4], "[0.000, 0.400] on 12 videos: not shown to beat the mean of training, as"),
        ([-0.4, -0.1], "[−0.400, −0.100] on 12 videos: shown to be worse than the mean of trai"),
    ],
)
def test_what_is_shown_follows_from_the_interval(run, interval, words):
    change_ccc(run, "gru", "arousal", mean=0.2, ci95=interval)
    said = [one for one in verdicts(read_run(run)) if one.startswith("gru, arousal: CCC 0.200 ")]
    assert len(said) == 1
    assert words in said[0]


def test_without_an_interval_nothing_is_shown(run):
    change_ccc(run, "gru", "valence", ci95=[None, None], ci95_reason="one group only")
    (said,) = [one for one in verdicts(read_run(run)) if one.startswith("gru, valence")]
    assert said.endswith(", not shown to beat the mean of training: one group only.")


def test_arms_are_compared_as_the_command_does_it(run):
    said = differences(compare_arms_of(read_run(run)), "ccc")
    assert [one[:12] for one in said] == ["lstm − gru =", "lstm − gru ="]
    assert "CCC of valence" in said[0]
    assert said[1].endswith("a difference is shown.")


def test_a_run_of_one_arm_has_nothing_to_compare(tmp_path):
    run = write_number_run(tmp_path / "run", arms=("gru",))
    assert compare_arms_of(read_run(run)) == []


def test_the_ablation_sets_cost_beside_loss_and_says_what_is_shown(run, monkeypatch):
    loss = read_result(run)["arms"]["lstm"]["test"]["targets"]["arousal"]["mse"]
    text = report_of(run, monkeypatch).text
    assert f"arousal lstm 130,000 {loss['mean']:.4f} ± {loss['sd']:.4f} 2.00 0." in text
    assert "lstm − gru = +0.0213 MSE of arousal [0." in text


@pytest.mark.parametrize(("videos", "said"), [(19, True), (20, False), (None, False)])
def test_intervals_of_few_videos_are_said_to_be_narrow(run, monkeypatch, videos, said):
    result = read_result(run)
    for splits in result["arms"].values():
        splits["test"]["groups"] = videos
    change_result(run, arms=result["arms"])
    assert ("the intervals are too narrow" in report_of(run, monkeypatch).text) == said


def test_one_arm_alone_is_no_ablation(run, monkeypatch):
    rows = [one for one in read_result(run)["ablation"] if one["arm"] == "gru"]
    change_result(run, ablation=rows)
    assert "seconds an epoch" not in report_of(run, monkeypatch).text


def test_videos_without_a_correlation_are_counted(run, monkeypatch):
    page = report_of(run, monkeypatch)
    pcc = read_result(run)["arms"]["gru"]["test"]["targets"]["valence"]["pcc"]["mean"]
    assert f"{pcc:.3f} 0, 1 " in page.text


def test_draws_left_out_are_told(run, monkeypatch):
    result = read_result(run)
    result["arms"]["gru"]["test"]["targets"]["valence"]["pcc_per_video"]["draws_without"] = 0.012
    change_result(run, arms=result["arms"])
    text = report_of(run, monkeypatch).text
    assert "left out of the interval: gru, valence, pcc per video: 1.2%." in text


def test_a_claim_of_an_error_is_shown_in_its_unit(run, monkeypatch):
    claim = {
        "id": "figure-9", "source": "Figure 9", "metric": "valence.mse", "published": 0.05,
        "n": 25, "protocol": "video", "ours": 0.0283, "ours_n": 240, "comparable": False,
        "why_not": "Sample.",
    }  # fmt: skip
    change_result(run, claims=[claim])
    text = report_of(run, monkeypatch).text
    assert "figure-9 Figure 9 valence MSE 0.05 25 video valence MSE 0.0283 240 no" in text


@pytest.mark.parametrize(
    "part", ["arms", "baselines", "ablation", "claims", "dataset", "targets", "served_arm"]
)
def test_a_result_that_lacks_a_part_is_still_reported(run, monkeypatch, part):
    change_result(run, **{part: None})
    page = report_of(run, monkeypatch)
    assert not page.open
    assert "affwild_cnn_gru" in page.text


def test_how_to_serve_does_not_speak_of_images(run, monkeypatch):
    (run / "saved_model").mkdir()
    text = report_of(run, monkeypatch).text
    assert "Served: cnn_gru-gru, chosen on validation rows." in text
    assert "IMAGE_OR_FOLDER" not in text
