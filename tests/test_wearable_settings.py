"""Settings of the recipes on wearables: what is given, what a sample changes, what is refused."""

import contextlib
import dataclasses
import importlib
from pathlib import Path

import pytest

from affectkeras.datasets.sample.marks import TRUTH_COLUMNS, TRUTH_FILE
from affectkeras.errors import UserError
from affectkeras.models.sensor_fusion import build_sensor_fusion
from affectkeras.wearable_settings import (
    each_target,
    fold_plan,
    is_sample,
    settle_wearables,
    wearable_banners,
)
from tests.tiny_e4 import stress_predict_texts, write_texts

RECIPES = ("kemocon_lstm", "kemocon_fusion", "pamap2_fusion", "stress_predict_fusion")
SHARED = {
    "seeds": (1, 1),
    "epochs": 0,
    "batch_size": -1,
    "learning_rate": 0.0,
    "dropout": 1.0,
    "max_gap": -0.1,
    "max_rejected": 1.5,
    "inner_folds": 1,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What the settings of all recipes on wearables have, and a window."""

    data_dir: Path | None = None
    protocol: str = "subject"
    target: str = "both"
    seconds: float = 20.0
    step_s: float = 10.0
    rate_hz: float = 4.0
    max_gap: float = 0.2
    max_rejected: float = 0.05
    fusions: tuple[str, ...] = ("early", "shared")
    convolutions: tuple[int, ...] = (2, 3)
    kernel_size: int = 3
    smooth: int = 1
    pool: int = 2
    dropout: float = 0.5
    epochs: int = 15
    batch_size: int = 32
    learning_rate: float = 1e-3
    inner_folds: int = 3
    shuffle_labels: bool = False
    seeds: tuple[int, ...] = (0,)
    run_dir: Path | None = None
    quick: bool = False


def settle(**settings) -> Config:
    return settle_wearables(Config(**settings), "stress_predict")


def recipe(name: str):
    return importlib.import_module(f"recipes.{name}")


def test_of_several_layers_the_first_that_names_a_setting_counts_where_none_was_given():
    layers = {"epochs": 2, "pool": 4}, {"epochs": 7, "batch_size": 8}
    found = settle_wearables(Config(pool=1), "stress_predict", *layers)
    assert (found.epochs, found.batch_size, found.pool) == (2, 8, 1)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("setting", SHARED)
def test_every_recipe_refuses_what_no_run_can_have_and_names_the_option(name, setting):
    value, option = SHARED[setting], "--" + setting.replace("_", "-")
    module = recipe(name)
    module.settle(module.Config())
    with pytest.raises(UserError, match=f"^{option} must .*Received: ") as caught:
        module.settle(module.Config(**{setting: value}))
    told = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    assert str(caught.value).endswith(f"Received: {told}")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seconds": 0.0}, "--seconds must be above 0. Received: 0.0"),
        ({"seconds": float("nan")}, "--seconds must be above 0. Received: nan"),
        ({"rate_hz": -4.0}, "--rate-hz must be above 0"),
        ({"seconds": 5.1}, "--seconds 5.1 at --rate-hz 4 is no whole number of samples"),
        ({"step_s": 0.1}, "--step-s must leave at least 0.2 s .* Received: 0.1 s"),
        ({"convolutions": ()}, "--convolutions must name at least one, none twice"),
        ({"fusions": ("early", "early")}, "--fusions must name at least one, none twice"),
        ({"seeds": ()}, "--seeds must name at least one, none twice"),
        ({"seeds": (0, -1)}, "--seeds must be 0 or above"),
        ({"kernel_size": 0}, "--kernel-size must be above 0"),
        ({"smooth": 0}, "--smooth must be above 0"),
        (
            {"seconds": 5.0},
            "--convolutions 3 with --kernel-size 3 and --pool 2 leave nothing of a window of 20 "
            r"samples. Give longer ones \(--seconds\)",
        ),
        ({"data_dir": Path("nowhere")}, "--data-dir nowhere: there is nothing. Give the folder."),
    ],
)
def test_a_window_or_network_that_cannot_be_is_refused(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        settle(**settings)


def test_a_window_given_in_samples_is_checked_in_samples():
    module = recipe("pamap2_fusion")
    with pytest.raises(UserError, match="--step must leave at least 0.2 s .* Received: 0.152 s"):
        module.settle(module.Config(step=5))
    with pytest.raises(UserError, match=r"window of 9 samples. Give longer ones \(--samples\)"):
        module.settle(module.Config(samples=9, convolutions=(2,), pool=4))


@pytest.mark.parametrize(
    ("convolutions", "smooth", "pool", "shortest"),
    [(2, 1, 1, 5), (2, 1, 3, 17), (3, 1, 1, 7), (3, 1, 3, 53), (2, 4, 1, 20), (2, 2, 3, 34)],
)
def test_settings_are_refused_exactly_where_the_network_cannot_be_built(
    convolutions, smooth, pool, shortest
):
    sizes = {"convolutions": convolutions, "smooth": smooth, "pool": pool}
    for samples, refused in ((shortest, False), (shortest - 1, True)):
        expected = pytest.raises(ValueError, match="leave") if refused else contextlib.nullcontext()
        with expected:
            build_sensor_fusion(samples, [1], 2, filters=1, dense=1, **sizes)
        with expected:
            settle(seconds=samples / 4, **sizes | {"convolutions": (convolutions,)})


def test_a_folder_of_another_layout_is_refused_before_anything_is_made(tmp_path):
    (tmp_path / "Raw").mkdir()
    with pytest.raises(UserError, match="Stress-Predict"):
        settle(data_dir=tmp_path)


def test_both_targets_are_two_runs_in_folders_of_their_own(tmp_path):
    told = [(one.target, one.run_dir) for one in each_target(Config(run_dir=tmp_path))]
    assert told == [("arousal", tmp_path / "arousal"), ("valence", tmp_path / "valence")]
    assert [one.run_dir for one in each_target(Config())] == [None, None]
    alone = Config(target="valence", run_dir=tmp_path)
    assert list(each_target(alone)) == [alone]


def test_of_two_runs_neither_begins_where_the_folder_of_one_is_taken(tmp_path):
    (tmp_path / "valence").mkdir()
    assert len(list(each_target(Config(run_dir=tmp_path)))) == 2
    (tmp_path / "valence" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="valence is not empty.*--resume"):
        next(each_target(Config(run_dir=tmp_path)))


def test_a_plan_falls_along_a_cosine_from_the_given_rate_with_the_given_seed():
    plan = fold_plan(Config(epochs=3, batch_size=5, learning_rate=0.25), 7)
    assert (plan.epochs, plan.batch_size, plan.learning_rate) == (3, 5, 0.25)
    assert (plan.schedule, plan.seed, plan.balanced) == ("cosine", 7, True)


def test_sample_recordings_are_known_also_where_they_were_given_as_a_folder(tmp_path):
    write_texts(tmp_path, stress_predict_texts())
    own = settle(data_dir=tmp_path)
    assert not is_sample(own)
    assert wearable_banners(own) == []
    (tmp_path / TRUTH_FILE).write_text(",".join(TRUTH_COLUMNS) + "\na/BVP.csv,,,\n")
    assert is_sample(own)
    assert is_sample(Config())
    assert wearable_banners(own) == wearable_banners(Config())
    assert "Sample data" in wearable_banners(own)[0]


def test_banners_tell_of_quick_runs_shuffled_labels_and_the_protocol_that_leaks():
    said = wearable_banners(Config(quick=True, shuffle_labels=True, protocol="paper"))
    assert [text.split(":")[0] for text in said] == [
        "Sample data",
        "Quick run",
        "Shuffled labels",
        "Protocol paper",
    ]
    assert "partner trains" in said[3]
    assert "It leaks" in said[3]
