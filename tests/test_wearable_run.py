"""A run on wearables: who trains and is tested, floors, the choice, what is served, resuming."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from affectkeras import results, runs, wearable_run
from affectkeras.comparing.claims import Claim
from affectkeras.datasets.table import Target
from affectkeras.evaluation.subject_scores import subject_scores, subject_summary
from affectkeras.fold_training import FoldOutcome, FoldPlan
from affectkeras.pipelines.signal_features import simple_features
from affectkeras.quiet import start_tensorflow
from affectkeras.signal_model import load_signal_model
from affectkeras.wearable_floors import run_floors
from affectkeras.wearable_run import CHOSEN, choose_within_folds, finish, run_arm
from tests.tiny_wearables import (
    CLASS_NAMES,
    RATE_HZ,
    SECONDS,
    Settings,
    tiny_arm,
    tiny_stretches,
    tiny_wearables,
)

SEEDS = (0, 1)
PLAN = FoldPlan(5, 16, 0.05, schedule="cosine")
CLAIM = Claim("table-3.eda", 0.8, "subjects.macro_f1", None, "subject", "Table 3", "eda", "pamap2")


@dataclasses.dataclass(frozen=True)
class Rated(Settings):
    """Of a recipe that predicts a rating."""

    target: str = "valence"


@pytest.fixture(scope="module", autouse=True)
def repeatable():
    """TensorFlow as recipes start it: the same seed gives the same figures."""
    start_tensorflow()


@pytest.fixture(scope="module")
def pairs():
    """Six people who talk in pairs."""
    return tiny_wearables(tiny_stretches(6, dyads=True))


def arms_of(data):
    """Return an arm of the channel that tells of stress, and one of the other."""
    return [tiny_arm(data, "temperature", 1), tiny_arm(data, "eda", 0)]


def train(run, data, seeds=SEEDS, plan=PLAN):
    """Train arms and floors as recipes do; what is done already stays."""
    for seed in seeds:
        for arm in arms_of(data):
            plan = dataclasses.replace(plan, seed=seed)
            run_arm(run, data, arm, plan, inner=2, nested=True)
    run_floors(run, data, seeds[0], data.inputs[SECONDS], RATE_HZ, "none")


def end(run, data, settings):
    return finish(run, settings, data, arms_of(data), model="linear", claims=[CLAIM])


@pytest.fixture(scope="module")
def finished(pairs, tmp_path_factory):
    """A whole run, its result, and the jobs that were trained."""
    run = tmp_path_factory.mktemp("finished") / "run"
    settings = Settings(seeds=SEEDS)
    runs.create_run("stress_predict_fusion", settings, run)
    trained, train_folds = [], wearable_run.train_folds

    def remember(model, inputs, labels, jobs, plan):
        outcomes = train_folds(model, inputs, labels, jobs, plan)
        trained.append((model.name, jobs, plan, outcomes))
        return outcomes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wearable_run, "train_folds", remember)
        train(run, pairs)
        shutil.copytree(run, run.with_name("trained"))
        result = end(run, pairs, settings)
    return run, result, trained


@pytest.fixture
def jobs(monkeypatch):
    """Nothing is trained: the first class of row n has the probability n / 1000."""
    seen = []

    def pretend(model, inputs, labels, jobs, plan):
        seen.extend(jobs)
        history = pd.DataFrame({"epoch": [0], "loss": [0.5], "accuracy": [0.5]})
        return [
            FoldOutcome(job.name, model.get_weights(), history, probabilities(job), 1.0, "together")
            for job in jobs
        ]

    def probabilities(job):
        first = np.asarray(job.predict) / 1000
        return np.stack([first, 1 - first], axis=1)

    monkeypatch.setattr(wearable_run, "train_folds", pretend)
    return seen


def subjects_of(data, rows):
    return set(data.table.frame["subject"].to_numpy()[rows])


def dyads_of(data, rows):
    return set(data.table.frame["dyad"].to_numpy()[rows])


def test_every_row_is_tested_once_and_validates_once(pairs, jobs, tmp_path):
    run_arm(tmp_path, pairs, tiny_arm(pairs), PLAN, inner=2, nested=True)
    part = runs.part_dir(tmp_path, 0, "linear")
    predictions = runs.read_csv(part / "predictions.csv")
    frame = pairs.table.frame
    for split in ("test", "validation"):
        rows = predictions[predictions["split"] == split]
        assert sorted(rows["example_id"]) == sorted(frame["example_id"])
        # Each row has its own prediction, subject and truth.
        found = rows.set_index("example_id").loc[frame["example_id"]]
        np.testing.assert_allclose(found["p_baseline"], np.arange(len(frame)) / 1000)
        assert found["subject"].tolist() == frame["subject"].tolist()
        assert found["group"].tolist() == frame["group"].tolist()
        names = [CLASS_NAMES[label] for label in frame["stress"]]
        assert found["stress"].tolist() == names
    tested = predictions[predictions["split"] == "test"]
    assert tested.groupby("fold")["subject"].unique().map(list).tolist() == [
        [f"S{number:02d}"] for number in range(6)
    ]
    history = runs.read_csv(part / "history.csv")
    assert history["fold"].tolist() == list(range(6))


def test_nobody_who_is_tested_nor_the_partner_has_a_say(pairs, jobs, tmp_path):
    run_arm(tmp_path, pairs, tiny_arm(pairs), PLAN, inner=2, nested=True)
    kinds = {}
    for job in jobs:
        kind, *numbers = job.name.split()
        kinds.setdefault(kind, []).append((job, *map(int, numbers)))
        assert not dyads_of(pairs, job.train) & dyads_of(pairs, job.predict)
    assert {kind: len(found) for kind, found in kinds.items()} == {
        "test": 6,
        "choice": 2,
        "inner": 12,
    }
    for job, fold in kinds["test"]:
        np.testing.assert_array_equal(job.train, pairs.splits[fold].train)
        np.testing.assert_array_equal(job.predict, pairs.splits[fold].test)
    everybody = np.sort(np.concatenate([job.predict for job, _ in kinds["choice"]]))
    np.testing.assert_array_equal(everybody, np.arange(len(pairs.table)))
    for fold, split in enumerate(pairs.splits):
        inner = [job for job, of_fold, _ in kinds["inner"] if of_fold == fold]
        tested = dyads_of(pairs, split.test)
        assert not any(dyads_of(pairs, [*job.train, *job.predict]) & tested for job in inner)
        seen = np.sort(np.concatenate([job.predict for job in inner]))
        np.testing.assert_array_equal(seen, split.train)


def test_without_a_choice_within_folds_nothing_is_trained_for_it(pairs, jobs, tmp_path):
    run_arm(tmp_path, pairs, tiny_arm(pairs), PLAN, inner=2, nested=False)
    assert [job.name.split()[0] for job in jobs] == ["test"] * 6 + ["choice"] * 2
    facts = runs.part_facts(runs.part_dir(tmp_path, 0, "linear"))
    assert facts["inner_scores"] == []
    assert "selection" not in facts["seals"][0]["fitted"]


def test_what_was_fitted_and_read_is_watched_fold_by_fold(pairs, jobs, tmp_path):
    run_arm(tmp_path, pairs, tiny_arm(pairs), PLAN, inner=2, nested=True)
    facts = runs.part_facts(runs.part_dir(tmp_path, 0, "linear"))
    assert len(facts["seals"]) == 6
    for seal in facts["seals"]:
        assert seal["test_rows_read"] == 10
        assert seal["fitted"] == {
            "normalisation": {"z-normalisation": 40},
            "weights": {"linear": 40},
            "selection": {"the choice among arms": 40},
        }


def test_a_part_that_is_done_is_not_trained_again(pairs, jobs, tmp_path):
    counts = []
    for seed in (0, 0, 1):
        plan = dataclasses.replace(PLAN, seed=seed)
        run_arm(tmp_path, pairs, tiny_arm(pairs), plan, inner=2, nested=False)
        counts.append(len(jobs))
    assert counts == [8, 8, 16]


def write_scores(run, data, scores):
    """Write parts of a run by hand: arm → seed → inner score of every fold; return predictions."""
    frames = []
    for arm, by_seed in scores.items():
        for seed, inner in by_seed.items():
            for split in ("test", "validation"):
                for fold, one in enumerate(data.splits):
                    first = np.full(len(one.test), 0.1 * len(frames) % 1)
                    place = {"arm": arm, "seed": seed, "fold": fold, "split": split}
                    rows = np.stack([first, 1 - first], axis=1)
                    frames.append(wearable_run.prediction_rows(data, one.test, rows, **place))
            part = runs.part_dir(run, seed, arm)
            facts = {"arm": arm, "seed": seed}
            runs.finish_part(part, facts if inner is None else facts | {"inner_scores": inner})
    predictions = pd.concat(frames, ignore_index=True)
    runs.write_csv(run / "predictions.csv", predictions)
    return predictions


def test_in_every_fold_the_arm_with_the_best_mean_inner_score_is_chosen(tmp_path):
    data = tiny_wearables(tiny_stretches(3, 5))
    scores = {
        "a": {0: [0.5, 0.9, 0.6], 1: [0.7, 0.1, 0.6]},  # mean 0.6, 0.5, 0.6
        "b": {0: [0.4, 0.5, 0.6], 1: [0.7, 0.7, 0.6]},  # mean 0.55, 0.6, 0.6
        "majority": {0: None},
    }
    before = write_scores(tmp_path, data, scores)
    choices = choose_within_folds(tmp_path, data, ["a", "b"])
    # Of equals the first.
    assert choices["chosen"].tolist() == ["a", "b", "a"]
    np.testing.assert_allclose(choices["a"], [0.6, 0.5, 0.6])
    np.testing.assert_allclose(choices["b"], [0.55, 0.6, 0.6])
    assert choices["held_out"].tolist() == ["S00", "S01", "S02"]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "choices.csv"), choices)
    after = runs.read_csv(tmp_path / "predictions.csv")
    pd.testing.assert_frame_equal(after.iloc[: len(before)], before, check_dtype=False)
    chosen = after.iloc[len(before) :]
    assert set(chosen["arm"]) == {CHOSEN}
    picked = before[
        (before["split"] == "test") & before["fold"].map({0: "a", 1: "b", 2: "a"}).eq(before["arm"])
    ]
    assert len(picked) == 2 * len(data.table)
    pd.testing.assert_frame_equal(
        chosen.drop(columns="arm").reset_index(drop=True),
        picked.drop(columns="arm").reset_index(drop=True),
        check_dtype=False,
    )


@pytest.mark.parametrize("scores", [{"a": {0: [0.5] * 3}}, {"a": {0: []}, "b": {0: []}}])
def test_where_there_was_no_choice_nothing_is_added(scores, tmp_path):
    data = tiny_wearables(tiny_stretches(3, 5))
    before = write_scores(tmp_path, data, scores)
    assert choose_within_folds(tmp_path, data, list(scores)) is None
    assert len(runs.read_csv(tmp_path / "predictions.csv")) == len(before)
    assert not (tmp_path / "choices.csv").exists()


def relabelled(data, subject):
    """Return the data with one subject's labels turned round."""
    frame = data.table.frame.copy()
    theirs = frame["subject"] == subject
    frame.loc[theirs, "stress"] = 1 - frame.loc[theirs, "stress"]
    return dataclasses.replace(data, table=dataclasses.replace(data.table, frame=frame))


def test_the_choice_of_a_fold_does_not_depend_on_the_labels_it_tests(tmp_path):
    # Hardly told: the two arms are close, and one subject more or less can turn the choice.
    data = tiny_wearables(tiny_stretches(6, told=0.15))
    found = {}
    for name, one in (("plain", data), ("turned", relabelled(data, "S02"))):
        run = tmp_path / name
        run.mkdir()
        for arm in arms_of(one):
            run_arm(run, one, arm, PLAN, inner=2, nested=True)
        runs.merge_parts(run)
        found[name] = choose_within_folds(run, one, ["temperature", "eda"])
    plain, turned = found["plain"], found["turned"]
    assert plain.iloc[2].tolist() == turned.iloc[2].tolist()
    others = [0, 1, 3, 4, 5]
    assert (plain.iloc[others] != turned.iloc[others]).any(axis=None)
    assert plain["chosen"].nunique() == 2


def scores_by_arm(run):
    runs.merge_parts(run)
    predictions = runs.read_csv(run / "predictions.csv")
    return subject_summary(subject_scores(predictions, CLASS_NAMES, "stress"))


def test_a_network_passes_the_floors_and_falls_to_chance_with_shuffled_labels(tmp_path):
    found = {}
    for name, shuffled in (("plain", False), ("shuffled", True)):
        data = tiny_wearables(tiny_stretches(8, 60), shuffle_labels=shuffled)
        (tmp_path / name).mkdir()
        run_arm(tmp_path / name, data, tiny_arm(data), PLAN, inner=2, nested=False)
        run_floors(tmp_path / name, data, 0, data.inputs[SECONDS], RATE_HZ, "none")
        found[name] = scores_by_arm(tmp_path / name)
    plain, shuffled = found["plain"], found["shuffled"]
    for arm in ("linear", "logistic"):
        for metric in ("accuracy", "macro_f1"):
            assert plain[arm][metric]["ci95"][0] > 0.9
            assert plain[arm][metric]["ci95"][0] > plain["majority"][metric]["ci95"][1]
            # Without knowledge a network of classes weighed alike does as well as drawing lots.
            assert plain[arm][metric]["ci95"][0] > plain["guess"][metric]["ci95"][1]
            assert shuffled[arm][metric]["mean"] == pytest.approx(0.5, abs=0.06)
            assert shuffled["guess"][metric]["mean"] == pytest.approx(0.5, abs=0.06)
        assert shuffled[arm]["accuracy"]["ci95"][0] < shuffled["majority"]["accuracy"]["mean"]


def labelled(labels, names=CLASS_NAMES):
    """Return windows of three people with these labels, four each."""
    table = tiny_stretches(3, 4)
    targets = (Target("stress", "class", names),)
    table = dataclasses.replace(table, frame=table.frame.assign(stress=labels), targets=targets)
    return tiny_wearables(table)


def predictions_of(run, data, arm):
    runs.merge_parts(run)
    predictions = runs.read_csv(run / "predictions.csv")
    rows = predictions[(predictions["arm"] == arm) & (predictions["split"] == "test")]
    return rows.set_index("example_id").loc[data.table.frame["example_id"]]


def test_the_majority_floor_names_the_commonest_class_of_a_folds_training_rows(tmp_path):
    data = labelled([0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1])
    run_floors(tmp_path, data, 3, data.inputs[SECONDS], RATE_HZ, "none")
    found = predictions_of(tmp_path, data, "majority")
    # Others' stress in 5 of 8 rows, in 3 of 8, in 2 of 8.
    expected = ["stress"] * 4 + ["baseline"] * 8
    assert found["predicted"].tolist() == expected
    np.testing.assert_array_equal(found["p_stress"], [1] * 4 + [0] * 8)
    assert set(found["seed"]) == {3}


def test_the_guess_draws_every_class_alike_whatever_the_labels_and_repeats(tmp_path):
    found = []
    for name, labels in (("a", [0, 1] * 300), ("b", [0, 0, 0, 1] * 150), ("c", [0, 1] * 300)):
        table = tiny_stretches(3, 200)
        table = dataclasses.replace(table, frame=table.frame.assign(stress=labels))
        data = tiny_wearables(table)
        run_floors(tmp_path / name, data, int(name == "c"), data.inputs[SECONDS], RATE_HZ, "none")
        found.append(predictions_of(tmp_path / name, data, "guess")["p_stress"].to_numpy())
    first, other_labels, other_seed = found
    assert set(first) == {0, 1}
    assert first.mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(first, other_labels)
    assert (first != other_seed).any()


def logistic_of_scikit_learn(features, data):
    """Return the probabilities of each row, by a regression on the rows of others."""
    found = np.zeros((len(features), 2))
    for split in data.splits:
        known = features[split.train]
        centre, spread = known.mean(axis=0), known.std(axis=0)
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        model.fit((known - centre) / spread, data.labels[split.train])
        found[split.test] = model.predict_proba((features[split.test] - centre) / spread)
    return found


def test_the_logistic_floor_is_that_of_scikit_learn_on_simple_features(tmp_path):
    names = ("baseline", "stress", "amusement")
    data = labelled([0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1], names)
    run_floors(tmp_path, data, 0, data.inputs[SECONDS], RATE_HZ, "none")
    found = predictions_of(tmp_path, data, "logistic")
    features = simple_features(data.inputs[SECONDS], RATE_HZ)
    expected = logistic_of_scikit_learn(features, data)
    np.testing.assert_allclose(found[["p_baseline", "p_stress"]], expected, atol=1e-6)
    # A class that nobody shows is never named.
    assert (found["p_amusement"] == 0).all()


@pytest.mark.parametrize("scale", ["subject", "rank"])
def test_of_signals_scaled_by_subject_the_features_are_scaled_by_subject_too(scale, tmp_path):
    data = labelled([0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1])
    run_floors(tmp_path, data, 0, data.inputs[SECONDS], RATE_HZ, scale)
    found = predictions_of(tmp_path, data, "logistic")
    features = simple_features(data.inputs[SECONDS], RATE_HZ)
    for first in (0, 4, 8):
        theirs = features[first : first + 4]
        features[first : first + 4] = (theirs - theirs.mean(axis=0)) / theirs.std(axis=0)
    expected = logistic_of_scikit_learn(features, data)
    np.testing.assert_allclose(found[["p_baseline", "p_stress"]], expected, atol=1e-6)


def test_floors_are_predicted_once_and_read_nothing_early(tmp_path):
    data = tiny_wearables(tiny_stretches(3, 5))
    run_floors(tmp_path, data, 0, data.inputs[SECONDS], RATE_HZ, "none")
    for floor in wearable_run.FLOORS:
        facts = runs.part_facts(runs.part_dir(tmp_path, 0, floor))
        assert [seal["test_rows_read"] for seal in facts["seals"]] == [5, 5, 5]
        assert [seal["fitted"] for seal in facts["seals"]] == [{"weights": {floor: 10}}] * 3
    before = (tmp_path / "parts" / "seed-0-logistic" / "done.json").stat().st_mtime_ns
    run_floors(tmp_path, data, 0, data.inputs[SECONDS], RATE_HZ, "none")
    assert (tmp_path / "parts" / "seed-0-logistic" / "done.json").stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_predictions_twice_and_another_seed_others(pairs, tmp_path):
    arm, found = tiny_arm(pairs), []
    for name, seed in (("first", 4), ("second", 4), ("third", 5)):
        plan = dataclasses.replace(PLAN, seed=seed, epochs=1)
        run_arm(tmp_path / name, pairs, arm, plan, inner=2, nested=False)
        found.append(
            runs.read_csv(runs.part_dir(tmp_path / name, seed, "linear") / "predictions.csv")
        )
    pd.testing.assert_frame_equal(found[0], found[1], check_exact=True)
    assert (found[0]["p_stress"] != found[2]["p_stress"]).mean() > 0.9


def test_the_served_network_is_trained_on_all_rows_after_all_else(finished, pairs):
    run, result, trained = finished
    name, (job,), plan, (outcome,) = trained[-1]
    assert name == result["served_arm"] == "eda"
    assert len(trained) == 2 * len(SEEDS) + 1
    np.testing.assert_array_equal(np.sort(job.train), np.arange(len(pairs.table)))
    assert plan == PLAN
    served = keras.models.load_model(run / "model.keras")
    for found, expected in zip(served.get_weights(), outcome.weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    # Also the statistics of normalisation are those of all rows, and in use.
    rows = arms_of(pairs)[1].inputs
    normalized = served.get_layer("normalization")(rows).numpy()
    np.testing.assert_allclose(normalized.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized.std(axis=(0, 1)), 1, atol=1e-5)


def test_the_served_model_gives_what_keras_does_and_tells_how_windows_are_cut(finished, pairs):
    run, result, _ = finished
    model = load_signal_model(run)
    rows = arms_of(pairs)[1].inputs
    logits = keras.models.load_model(run / "model.keras").predict(rows, verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(rows), expected, atol=1e-5)
    facts = json.loads((run / "models" / "linear-eda" / "signal_model.json").read_text())
    assert facts == model.facts.to_json()
    told = {"target": "stress", "rate_hz": 4.0, "seconds": 5, "scale": "none", "rows": "samples"}
    assert {name: facts[name] for name in told} == told
    assert facts["channels"] == [{"signal": "eda", "axis": None, "change": False}]
    assert facts["class_names"] == list(CLASS_NAMES)
    assert result["exports"]["linear-eda"]["saved_model"]["max_difference"] <= 1e-4


def test_the_arm_that_validated_best_is_served_though_it_tests_worse(
    pairs, jobs, tmp_path, monkeypatch
):
    pretend = wearable_run.train_folds

    def know(model, inputs, labels, jobs, plan):
        """The arm temperature is right where it validates, the arm eda where it is tested."""
        right = {"temperature": "choice", "eda": "test"}[model.name]
        return [
            dataclasses.replace(
                outcome,
                probabilities=np.eye(2)[
                    labels[job.predict] if job.name.startswith(right) else 1 - labels[job.predict]
                ],
            )
            for job, outcome in zip(jobs, pretend(model, inputs, labels, jobs, plan), strict=True)
        ]

    monkeypatch.setattr(wearable_run, "train_folds", know)
    settings = Rated()
    runs.create_run("stress_predict_fusion", settings, tmp_path)
    for arm in arms_of(pairs):
        run_arm(tmp_path, pairs, arm, PLAN, inner=2, nested=False)
    run_floors(tmp_path, pairs, 0, pairs.inputs[SECONDS], RATE_HZ, "none")
    result = end(tmp_path, pairs, settings)
    assert result["served_arm"] == "temperature"
    assert result["metrics"]["test"]["accuracy"]["mean"] == 0
    assert result["arms"]["eda"]["test"]["accuracy"]["mean"] == 1
    # Nothing was chosen within folds, so there is no such arm.
    assert list(result["arms"]) == ["temperature", "eda", "majority", "guess", "logistic"]
    facts = json.loads((tmp_path / "saved_model/assets.extra/signal_model.json").read_text())
    assert [one["signal"] for one in facts["channels"]] == ["temperature"]
    # Of a rating that is told as low or high it says which.
    assert result["dataset"]["rating"] == "valence"
    assert "stress_predict · valence · subject" in (tmp_path / "report.html").read_text()


def test_a_result_holds_arms_choice_and_floors_with_their_scores_by_subject(finished):
    run, result, _ = finished
    assert "rating" not in result["dataset"]
    names = ["temperature", "eda", CHOSEN, "majority", "guess", "logistic"]
    assert list(result["arms"]) == list(result["by_subject"]) == names
    assert result["floors"] == wearable_run.FLOORS
    predictions = runs.read_csv(run / "predictions.csv")
    scores = subject_scores(predictions, CLASS_NAMES, "stress")
    assert subject_summary(scores) == result["by_subject"]
    kept = runs.read_csv(run / "subject_scores.csv")
    pd.testing.assert_frame_equal(kept, scores)
    # One network was the best in every fold, so what was chosen is as good.
    choices = pd.read_csv(run / "choices.csv")
    assert set(choices["chosen"]) == {"eda"}
    assert result["by_subject"][CHOSEN] == result["by_subject"]["eda"]
    assert result["by_subject"]["eda"]["macro_f1"]["subjects"] == 6
    (claim,) = result["claims"]
    assert claim["ours"] == result["by_subject"]["eda"]["macro_f1"]["mean"]


def test_the_pooled_majority_is_the_floor_of_the_same_name(finished):
    _, result, _ = finished
    floor = result["arms"]["majority"]["test"]
    for metric in ("accuracy", "macro_f1"):
        assert floor[metric]["mean"] == pytest.approx(result["baselines"]["majority"][metric])


def test_of_all_that_was_read_a_run_tells_what_was_tested_and_what_was_left_out(finished, pairs):
    run, result, _ = finished
    rejected = runs.read_csv(run / "rejected.csv")
    dataset = result["dataset"]
    assert dataset["examples"] == {"test": len(pairs.table)}
    assert dataset["set_aside"] == {}
    assert len(rejected) == dataset["rejected"]
    assert dataset["examples"]["test"] + dataset["rejected"] == pairs.table.read
    counts = runs.read_csv(run / "label_counts.csv")
    assert counts["windows"].sum() == len(pairs.table)
    irregular = runs.read_csv(run / "irregularities.csv")
    assert irregular["count"].sum() == 3
    assert (run / "signal_excerpt.npz").is_file()
    assert not (run / "parts").exists()


def test_training_and_leakage_are_told_fold_by_fold(finished):
    run, result, _ = finished
    history = runs.read_csv(run / "history.csv")
    assert history.groupby(["arm", "seed", "fold"]).size().tolist() == [PLAN.epochs] * 24
    leakage = result["leakage"]
    assert leakage["passed"]
    assert leakage["checks"]["selection_beyond_training"]["notes"] == [
        "the choice among arms: fitted on training rows only"
    ]
    assert leakage["checks"]["dyad_on_two_sides"]["passed"]


def test_a_report_and_the_last_line_say_how_to_give_it_recordings(finished, capsys):
    run, result, _ = finished
    results.print_result(result, run)
    printed = capsys.readouterr().out
    assert printed.endswith(f"affectkeras predict {run} --dataset stress_predict FOLDER\n")
    page = (run / "report.html").read_text()
    assert f"affectkeras predict {run} --dataset stress_predict FOLDER" in page
    assert "Sample data: synthetic physiology." in page
    own = {**result, "dataset": {**result["dataset"], "name": "empatica_e4"}}
    results.print_result(own, run)
    assert capsys.readouterr().out.endswith(f"predict {run} FOLDER\n")


class Killed(BaseException):
    """What ends a process in the middle."""


def die_at(monkeypatch, name, count):
    """End the process when a function of the module is called for the nth time."""
    original, calls = getattr(wearable_run, name), []

    def die(*arguments, **named):
        calls.append(name)
        if len(calls) == count:
            raise Killed
        return original(*arguments, **named)

    monkeypatch.setattr(wearable_run, name, die)


def assert_equal_runs(one, other, result, expected):
    assert result["arms"] == expected["arms"]
    assert result["by_subject"] == expected["by_subject"]
    for file in ("predictions.csv", "history.csv", "choices.csv", "subject_scores.csv"):
        assert (one / file).read_bytes() == (other / file).read_bytes(), file
    models = [keras.models.load_model(folder / "model.keras") for folder in (one, other)]
    for left, right in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_cut_off_in_training_goes_on_with_what_is_not_done(
    finished, pairs, tmp_path, monkeypatch
):
    whole, expected, _ = finished
    settings, run = Settings(seeds=SEEDS), tmp_path / "run"
    runs.create_run("stress_predict_fusion", settings, run)
    die_at(monkeypatch, "train_folds", 3)
    with pytest.raises(Killed):
        train(run, pairs)
    parts = {part.name: runs.is_done(part) for part in (run / "parts").iterdir()}
    assert parts == {"seed-0-temperature": True, "seed-0-eda": True, "seed-1-temperature": False}
    train(run, pairs)
    assert_equal_runs(run, whole, end(run, pairs, settings), expected)


@pytest.mark.parametrize("moment", ["keep_subject_scores", "package_signal_model"])
def test_a_run_cut_off_at_its_end_is_ended_anew(moment, finished, pairs, tmp_path, monkeypatch):
    whole, expected, _ = finished
    settings, run = Settings(seeds=SEEDS), tmp_path / "run"
    shutil.copytree(whole.with_name("trained"), run)
    die_at(monkeypatch, moment, 1)
    with pytest.raises(Killed):
        end(run, pairs, settings)
    # What was chosen stands in the predictions already, and must not stand there twice.
    assert (runs.read_csv(run / "predictions.csv")["arm"] == CHOSEN).any()
    assert not (run / "result.json").exists()
    assert_equal_runs(run, whole, end(run, pairs, settings), expected)
