from affectkeras.reporting.regime_table import transfer
from affectkeras.transfer.pretraining import Pretraining
from affectkeras.transfer.regime_choice import Situation, explain_regime


def result_of(asked, domain="imagenet"):
    parameters = {"head": 1_000, "last-blocks": 200_000, "all": 500_000}
    situation = Situation({"calm": 100, "glad": 100}, parameters, Pretraining(domain, "<things>"))
    return {"regime": explain_regime(situation, asked)}


def test_the_field_of_a_run_is_marked_in_the_lectures_table():
    page = transfer(result_of("auto"))
    assert page.count("(this run)") == 1
    assert "<strong>▸ tough luck: a smaller network" in page
    assert "chosen by --regime auto" in page
    assert "&lt;things&gt;" in page
    assert "<things>" not in page
    assert '<tr class="strong"><td class="text">last-blocks</td>' in page


def test_a_regime_that_was_given_stands_beside_what_auto_would_choose():
    page = transfer(result_of("all"))
    assert "as the settings say" in page
    assert "--regime auto would choose last-blocks" in page


def test_a_run_without_pretraining_stands_outside_the_table():
    page = transfer(result_of("scratch", "none"))
    assert "(this run)" not in page
    assert "stands outside it" in page
    assert '<tr class="strong"><td class="text">all</td>' in page


def test_a_run_that_has_no_regime_shows_nothing():
    assert transfer({}) == ""
