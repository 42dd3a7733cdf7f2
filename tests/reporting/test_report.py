"""The report: one page, whole in itself, that hides no warning and survives a partial run."""

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from affectkeras.comparing.compare import compare_named, verdicts
from affectkeras.errors import UserError
from affectkeras.files import read_csv, write_csv
from affectkeras.reporting.report import write_report
from affectkeras.reporting.report_tables import differences
from affectkeras.reporting.run_data import read_run
from affectkeras.wording import percent, seconds
from tests.synthetic_run import change_result, read_result, write_synthetic_run

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects a page's text, banners and links, and checks that its tags are balanced."""

    def __init__(self, html):
        super().__init__()
        self.open, self.words, self.banners, self.sources = [], [], [], []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.sources += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag not in VOID:
            self.open.append((tag, attributes.get("class")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "style":
            return
        if self.open and self.open[-1] == ("div", "banner"):
            self.banners.append(data)
        self.words.append(data)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_synthetic_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture
def run(tmp_path):
    return write_synthetic_run(tmp_path / "run", seeds=(0, 1))


@pytest.fixture(scope="module")
def html(original):
    return write_report(original).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def report_of(run, monkeypatch):
    """Return the page without drawing plots, which other tests look at."""
    monkeypatch.setattr("affectkeras.reporting.report.plot_run", lambda run_dir: {})
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_needs_nothing_beside_itself(html, page):
    assert not page.open
    assert html.startswith("<!DOCTYPE html>")
    assert len(page.sources) > 8
    assert all(one.startswith(("data:image/png;base64,", "#")) for one in page.sources)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)


def test_every_link_leads_to_a_section(html, page):
    for link in page.sources:
        if link.startswith("#"):
            assert f'<section id="{link[1:]}">' in html


def test_banners_stand_on_top(page):
    assert page.banners == ["Sample data: rendered faces.", "Quick run: small images."]


def test_the_verdict_gives_mean_deviation_interval_and_n(original, page):
    accuracy = read_result(original)["arms"]["none"]["test"]["accuracy"]
    assert f"{100 * accuracy['mean']:.1f} ± {100 * accuracy['sd']:.1f} %" in page.text
    low, high = accuracy["ci95"]
    assert f"{100 * low:.1f} – {100 * high:.1f} %" in page.text
    assert "always Happy 14.3 % – 3.6 %" in page.text


def test_read_is_used_plus_set_aside_plus_rejected(page):
    wanted = (
        "203 read = 200 used + 1 set aside (shown in two classes) + 2 rejected "
        "(1 damaged, 1 unlabelled)."
    )
    assert wanted in page.text


def test_claims_say_why_they_are_not_comparable(page):
    assert "table-1.resnet50-none Table 1 42.0 % 216 paper 50.0 % 70 no" in page.text
    assert "Ours is measured on <sample> data." in page.text


def test_text_from_data_is_escaped(html):
    assert "Test/&lt;b&gt;one&lt;/b&gt;.png" in html
    assert "<b>one" not in html


def test_leakage_models_settings_and_command_are_told(page):
    assert "group on two sides passed 0" in page.text
    assert "pixel identical on two sides not checked – the images were not compared" in page.text
    assert "mobilenet-bdr saved_model 3.0e-07 1, 7, 32 served" in page.text
    assert "python -m recipes.sfew_resnet --seeds 0 1 2" in page.text
    assert "image_size 48" in page.text
    assert "train 1 min 1 s" in page.text


def test_how_to_serve_is_told_when_there_is_a_model(run, monkeypatch):
    assert "affectkeras predict" not in report_of(run, monkeypatch).text
    (run / "saved_model").mkdir()
    assert f"python -m affectkeras predict {run} IMAGE" in report_of(run, monkeypatch).text


def test_an_empty_folder_gets_a_page_that_says_it_is_unfinished(tmp_path):
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.banners == ["This run is not complete."]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="no run folder"):
        write_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "part",
    ["arms", "banners", "baselines", "claims", "command", "dataset", "environment", "exports",
     "leakage", "protocol", "seeds", "served", "timing", "class_names", "metrics"],
)  # fmt: skip
def test_a_result_that_lacks_a_part_is_still_reported(run, monkeypatch, part):
    change_result(run, **{part: None})
    page = report_of(run, monkeypatch)
    assert not page.open
    assert "sfew_resnet" in page.text


def test_warnings_that_the_run_forgot_are_added_from_its_facts(run, monkeypatch):
    dataset = read_result(run)["dataset"]
    change_result(
        run,
        banners=[],
        dataset=dataset,
        protocol={"name": "paper", "description": "random halves"},
        leakage={"passed": False, "checks": {}},
    )
    banners = " ".join(report_of(run, monkeypatch).banners)
    for word in ("Sample data", "Quick run", "leaks", "leakage check found"):
        assert word in banners


def test_the_removal_log_counts_by_class_and_lists_the_highest_loss_first(run, monkeypatch):
    removals = read_csv(run / "removals.csv")
    removals["example_id"] = [f"face-{i}" for i in range(len(removals))]
    write_csv(run / "removals.csv", removals)
    text = report_of(run, monkeypatch).text
    assert f"bdr {len(removals)} {len(removals)}" in text
    order = removals.sort_values("loss", ascending=False)["example_id"].tolist()
    assert re.findall(r"face-\d+", text) == order


def write_predictions(run, right):
    """Write test predictions from (arm, seed, group) → the rows' right (1) or wrong (0)."""
    rows = [
        {"arm": arm, "seed": seed, "fold": 0, "split": "test", "example_id": f"{group}/{i}",
         "group": group, "expression": "Sad", "predicted": "Sad" if one else "Fear"}
        for (arm, seed, group), answers in right.items()
        for i, one in enumerate(answers)
    ]  # fmt: skip
    write_csv(run / "predictions.csv", pd.DataFrame(rows))


def test_arms_are_compared_as_the_command_does_it(run):
    right = {("none", 0, group): [0, 1] for group in "abcd"}
    right |= {("bdr", 0, "a"): [1, 1], ("bdr", 0, "b"): [0, 0]}
    right |= {("bdr", 0, "c"): [0, 1], ("bdr", 0, "d"): [0, 1]}
    write_predictions(run, right)
    matched, compared = compare_named([str(run)])
    (sentence,) = differences(read_run(run))
    assert sentence in verdicts(matched, compared, 0.03)[0]
    assert sentence.startswith("bdr − none = +0.0 points [")
    assert "no difference shown" in sentence
    assert "Seeds were not repeated in both arms" in sentence


def test_a_run_of_one_arm_has_nothing_to_compare(run):
    write_predictions(run, {("none", 0, group): [0, 1] for group in "ab"})
    assert differences(read_run(run)) == []


def test_numbers_are_written_for_people():
    assert percent(0.12345) == "12.3 %"
    assert percent(float("nan")) is None
    assert [seconds(value) for value in (2.25, 61, 7384)] == ["2.2 s", "1 min 1 s", "2 h 3 min"]
