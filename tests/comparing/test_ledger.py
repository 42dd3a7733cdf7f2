"""The ledger: what a published figure allows, ours beside it, and the verdict."""

import subprocess
import sys

import pandas as pd
import pytest

from affectkeras.comparing.claims import Claim
from affectkeras.comparing.ledger import make_ledger, recipe_claims
from affectkeras.comparing.ledger_runs import sort_results
from affectkeras.comparing.ledger_table import (
    found_words,
    ledger_command,
    ledger_frame,
    ledger_table,
)
from affectkeras.errors import UserError
from tests.ledger_results import result_of, write_results

NO_BDR = Claim("table-1.none", 0.42, "accuracy", 216, "paper", "Table 1", "none", "sfew")
BDR = Claim("table-1.bdr", 0.46, "accuracy", 216, "paper", "Table 1", "bdr", "sfew")
TOLD_APART = (
    "published 46 and 42 % on 216 rows cannot be told apart (95 % interval of the difference: "
    "−5.3 to 13.2 points)"
)


def ledger(claims, *results):
    named = [(f"run-{i}", one) for i, one in enumerate(results)]
    return make_ledger({"faces": claims}, sort_results(named, ["faces"]))


def test_a_published_accuracy_has_wilsons_interval_at_its_n():
    (row,) = ledger([Claim("a", 0.5, "accuracy", 4, "official", "text", "bdr", "sfew")])
    assert row.interval == pytest.approx(
        (0.15004, 0.84996), abs=1e-5
    )  # worked by hand in test_proportions


@pytest.mark.parametrize(("metric", "n"), [("accuracy", None), ("macro_f1", 216), ("ccc", 216)])
def test_other_metrics_and_an_untold_n_have_no_interval(metric, n):
    (row,) = ledger([Claim("a", 0.5, metric, n, "official", "text", "bdr", "sfew")])
    assert row.interval is None
    assert ("n is not told" in row.notes) == (n is None)


def test_a_leaky_figure_stands_beside_the_honest_one():
    (row,) = ledger([BDR], result_of("paper", 0.45), result_of("grouped", 0.36))
    assert row.leaky
    assert (row.same.value, row.same.leaky) == (0.45, True)
    assert (row.honest.value, row.honest.protocol, row.honest.leaky) == (0.36, "grouped", False)
    assert row.verdict == (
        "ours (leaky) lies inside the published figure's interval; "
        "ours on the honest protocol lies below the published figure's interval"
    )
    line = ledger_table([row]).splitlines()[-1]
    assert "| 46 (leaky) | 216 | 39.5 to 52.7 | paper (leaky) |" in line
    assert "| paper (leaky): 45.0 ± 2.0 [40.0, 50.0], n 200, 2 seeds, resnet50 |" in line
    assert "| grouped: 36.0 ± 2.0 [31.0, 41.0], n 200, 2 seeds, resnet50 |" in line


def test_a_claim_under_an_honest_protocol_has_one_figure_of_ours():
    claim = Claim("a", 0.46, "accuracy", 216, "official", "text", "bdr", "sfew")
    (row,) = ledger([claim], result_of("official", 0.6), result_of("grouped", 0.36))
    assert row.honest is row.same
    assert row.verdict == "ours lies above the published figure's interval"
    assert "| as on the left |" in ledger_table([row])


def test_without_an_interval_the_difference_is_told():
    claim = Claim("a", 0.5, "auc", 216, "grouped", "text", "bdr", "sfew")
    (row,) = ledger([claim], result_of(mean=0.38))
    assert row.verdict == "ours differs by −12.0 points, and no interval tells whether by chance"


def test_two_figures_of_one_table_are_told_apart_or_not_at_their_n():
    for row in ledger([NO_BDR, BDR]):
        assert row.verdict == f"not tested; {TOLD_APART}"
    far = Claim("table-1.svm", 0.2, "accuracy", 216, "paper", "Table 1", "svm", "sfew")
    assert "published 46 and 20 % on 216 rows can be told apart" in ledger([BDR, far])[0].verdict


def test_many_figures_of_one_table_are_counted():
    far = Claim("table-1.svm", 0.2, "accuracy", 216, "paper", "Table 1", "svm", "sfew")
    assert ledger([NO_BDR, BDR, far])[1].verdict.endswith(
        "cannot be told apart from 1 of the 2 other figures of Table 1 on 216 rows"
    )


@pytest.mark.parametrize("change", [{"n": 100}, {"source": "Table 2"}, {"metric": "macro_f1"}])
def test_figures_of_another_n_table_or_metric_are_not_compared(change):
    other = Claim(**{**vars(NO_BDR), **change})
    assert ledger([other, BDR])[1].verdict == "not tested"


def pruning_claims(*values):
    return [
        Claim(f"t.{i}", value, "accuracy", 55, "paper", "Table 1", "cnn", "sfew", "validation")
        for i, value in enumerate(values)
    ]


def test_figures_that_are_all_multiples_of_one_row_show_their_n():
    rows = ledger(pruning_claims(0.4909, 0.4364, 0.4))  # 27, 24 and 22 of 55
    assert [row.count for row in rows] == [27, 24, 22]
    assert {row.notes for row in rows} == {"all 3 figures of Table 1 are multiples of 1/55"}
    assert "| 49.09 (leaky), 27 rows right | 55 |" in ledger_table(rows)


def test_a_figure_that_no_count_of_rows_gives_shows_none():
    rows = ledger(pruning_claims(0.4909, 0.2183))
    assert [row.count for row in rows] == [27, None]
    assert rows[0].notes == ""
    assert ledger([BDR])[0].count is None  # 46 % may be 98, 99, or 100 of 216


def test_a_claims_note_is_shown():
    (row,) = ledger([Claim(**{**vars(BDR), "note": "n from the text"})])
    assert "not tested; n from the text |" in ledger_table([row])


def test_a_quoted_figure_is_not_ours_to_run():
    (row,) = ledger([Claim("svm", 0.4371, "accuracy", None, "paper", "text", "", "sfew")])
    assert row.same == row.honest == "not ours: the paper quotes another work"
    assert row.verdict == "not tested"


def test_the_frame_has_a_column_per_fact():
    claim = Claim("a", 0.46, "accuracy", 216, "official", "text", "bdr", "sfew")
    frame = ledger_frame(ledger([claim, BDR], result_of("official", 0.5)))
    first, second = frame.to_dict("records")
    assert (first["published"], first["same_value"], first["same_run"]) == (0.46, 0.5, "run-0")
    assert (second["leaky"], second["honest_value"]) == (True, 0.5)
    assert second["same_missing"] == "not run under this protocol, only under official"
    assert str(frame["same_n"].dtype) == "Int64"
    assert ledger_frame([]).empty


def test_what_was_set_aside_is_counted_and_named():
    named = [("a", result_of(sample=True)), ("b", result_of()), ("c", result_of(sample=True))]
    words = found_words(sort_results(named, ["faces"]))
    assert words == "3 result files found: 1 used, 2 set aside (2 on sample data): a, c."


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two recipes with claims and a module without."""
    folder = tmp_path / "code" / "tiny_recipes"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "helper.py").touch()
    for name, value in (("faces", 0.46), ("stress", 0.958)):
        (folder / f"{name}.py").write_text(
            "from affectkeras.comparing.claims import Claim\n"
            f"CLAIMS = (Claim('t.{name}', {value}, 'accuracy', 216, 'paper', 'Table 1', 'bdr', "
            "'sfew'),)\n"
        )
    monkeypatch.syspath_prepend(folder.parent)
    yield "tiny_recipes"
    for name in [one for one in sys.modules if one.split(".")[0] == "tiny_recipes"]:
        del sys.modules[name]


def test_several_recipes_stand_in_one_ledger(tmp_path, package, capsys):
    runs = write_results(
        tmp_path / "runs",
        leaky=result_of("paper", 0.45),
        honest=result_of("grouped", 0.36),
        stress=result_of("paper", 0.95, recipe="stress"),
        small=result_of(sample=True, quick=True),
    )
    out = tmp_path / "ledger.md"
    ledger_command(runs, package, out)
    printed = capsys.readouterr().out
    faces, stress = printed.splitlines()[2:4]
    assert faces.startswith("| faces: t.faces |")
    assert "paper (leaky): 45.0" in faces
    assert "grouped: 36.0" in faces
    assert "| 95.8 (leaky) |" in stress
    assert "| not run under this protocol, only under paper |" in stress
    assert printed.endswith("3 used, 1 set aside (1 quick on sample data): deep/small.\n")
    assert out.read_text(encoding="utf-8") == printed


def test_claims_are_found_in_every_module_of_a_package(package):
    assert {name: len(claims) for name, claims in recipe_claims(package).items()} == {
        "faces": 1,
        "stress": 1,
    }


def test_a_package_that_is_not_installed_is_an_error():
    with pytest.raises(UserError, match="The package no_recipes with the published figures is not"):
        recipe_claims("no_recipes")


def test_an_unknown_kind_of_file_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match=r"--out must end in .md or .csv. Received: .*ledger.txt"):
        ledger_command(tmp_path / "nowhere", "no_recipes", tmp_path / "ledger.txt")


def test_the_command_writes_the_ledger_of_the_installed_recipes_without_tensorflow(tmp_path):
    bdr = result_of("grouped", 0.41, recipe="sfew_resnet")
    runs = write_results(tmp_path / "runs", one=bdr)
    code = "import sys, runpy\nsys.argv[0] = 'affectkeras'\ntry:\n"
    code += "    runpy.run_module('affectkeras', run_name='__main__')\n"
    code += "except SystemExit as ended:\n    assert ended.code == 0\n"
    code += "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    out = tmp_path / "ledger.csv"
    arguments = ["ledger", str(runs), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    frame = pd.read_csv(out).set_index("id")
    assert frame.loc["table-1.resnet50-bdr", "honest_value"] == 0.41
    assert "| grouped: 41.0" in done.stdout
