import keras
import numpy as np
import pytest

from affectkeras.evaluation.number_metrics import concordance
from affectkeras.losses.concordance import ConcordanceLoss
from tests.other_backends import run_on

SHAPE = (3, 5, 2)  # batch, time, targets


def random_pair(shape=SHAPE, seed=0):
    random = np.random.default_rng(seed)
    true = random.uniform(-1, 1, shape).astype("float32")
    return true, (0.4 * true + 0.2 * random.normal(size=shape) + 0.1).astype("float32")


def loss_of(true, predicted, weights=None):
    return float(keras.ops.convert_to_numpy(ConcordanceLoss()(true, predicted, weights)))


def expected(true, predicted):
    """Return 1 less the mean of the targets' own concordances."""
    targets = true.shape[-1]
    pairs = zip(true.reshape(-1, targets).T, predicted.reshape(-1, targets).T, strict=True)
    return 1 - np.mean([concordance(one, other) for one, other in pairs])


@pytest.mark.parametrize("shape", [(7, 1), (7, 3), SHAPE, (2, 4, 1)])
def test_it_is_one_less_the_mean_concordance_of_the_targets(shape):
    true, predicted = random_pair(shape)
    assert loss_of(true, predicted) == pytest.approx(expected(true, predicted), abs=1e-4)


def test_equal_gives_nothing_opposite_two_and_a_constant_prediction_one():
    true, _ = random_pair()
    true = true - true.mean((0, 1))
    assert loss_of(true, true) == pytest.approx(0, abs=1e-4)
    assert loss_of(true, -true) == pytest.approx(2, abs=1e-4)
    assert loss_of(true, np.full_like(true, 0.3)) == pytest.approx(1, abs=1e-4)


def test_a_worked_example_has_the_figure_of_the_formula():
    # Means 1 and 2, variances 2/3 and 2/3, covariance 2/3: 2 * 2/3 / (4/3 + 1) = 4/7.
    true, predicted = np.float32([[0], [1], [2]]), np.float32([[1], [2], [3]])
    assert loss_of(true, predicted) == pytest.approx(1 - 4 / 7, abs=1e-5)


def test_frames_of_weight_zero_do_not_count():
    true, predicted = random_pair()
    weights = np.ones(SHAPE[:2], "float32")
    weights[1, 3:] = weights[2] = 0
    spoilt = predicted.copy()
    spoilt[weights == 0] = 99
    kept = weights > 0
    assert loss_of(true, spoilt, weights) == pytest.approx(
        expected(true[kept], predicted[kept]), abs=1e-4
    )


def test_a_whole_number_of_weight_counts_as_so_many_frames():
    true, predicted = random_pair((6, 2))
    weights = np.float32([1, 2, 1, 3, 1, 1])
    often = np.repeat(np.arange(6), weights.astype(int))
    assert loss_of(true, predicted, weights) == pytest.approx(
        loss_of(true[often], predicted[often]), abs=1e-5
    )


@pytest.mark.parametrize(
    ("true", "start"),
    [(np.full(SHAPE, 0.5, "float32"), "zeros"), (np.zeros(SHAPE, "float32"), "zeros")],
)
def test_a_constant_truth_has_a_finite_loss_and_gradient(true, start):
    model = keras.Sequential(
        [keras.Input(SHAPE[1:]), keras.layers.Dense(SHAPE[2], kernel_initializer=start)]
    )
    model.compile(keras.optimizers.SGD(0.1), ConcordanceLoss())
    history = model.fit(random_pair()[1], true, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_no_frame_with_a_weight_is_a_finite_loss():
    assert loss_of(*random_pair(), np.zeros(SHAPE[:2], "float32")) == pytest.approx(1)


def test_training_by_it_brings_prediction_and_truth_together():
    x = np.random.default_rng(1).normal(size=(8, 4, 3)).astype("float32")
    y = (x @ np.float32([[0.5, 0], [0, -0.5], [0.2, 0.2]])).astype("float32")
    model = keras.Sequential(
        [keras.Input((4, 3)), keras.layers.Dense(2, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.Adam(0.05), ConcordanceLoss())
    model.fit(x, y, batch_size=8, epochs=60, verbose=0)
    assert loss_of(y, model.predict(x, verbose=0)) < 0.01


def test_what_fit_reports_is_the_loss_with_the_weights_of_frames():
    true, predicted = random_pair()
    weights = np.random.default_rng(2).integers(0, 2, SHAPE[:2]).astype("float32")
    model = keras.Sequential([keras.Input(SHAPE[1:]), keras.layers.Activation("linear")])
    model.compile(loss=ConcordanceLoss())
    found = model.evaluate(predicted, true, sample_weight=weights, verbose=0)
    assert found == pytest.approx(loss_of(true, predicted, weights), abs=1e-5)


def test_settings_and_a_compiled_model_come_back_from_a_file(tmp_path):
    again = ConcordanceLoss.from_config(ConcordanceLoss(0.01, name="ccc").get_config())
    assert (again.epsilon, again.name) == (0.01, "ccc")
    true, predicted = random_pair()
    model = keras.Sequential([keras.Input(SHAPE[1:]), keras.layers.Dense(2)])
    model.compile("adam", ConcordanceLoss(0.02))
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, ConcordanceLoss)
    assert loaded.loss.epsilon == 0.02
    assert loaded.evaluate(predicted, true, verbose=0) == pytest.approx(
        model.evaluate(predicted, true, verbose=0), abs=1e-6
    )


@pytest.mark.parametrize("epsilon", [0, -1.0, float("nan")])
def test_an_epsilon_that_is_not_above_zero_is_refused(epsilon):
    with pytest.raises(ValueError, match=r"`epsilon` must be above 0\. Received: epsilon="):
        ConcordanceLoss(epsilon)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_it_says_and_learns_the_same_on_a_backend_without_tensorflow(backend):
    script = (
        "import sys, keras\nfrom tests.losses.test_concordance import *\n"
        "print(loss_of(*random_pair()))\n"
        "test_frames_of_weight_zero_do_not_count()\n"
        "test_a_constant_truth_has_a_finite_loss_and_gradient(\n"
        "    np.full(SHAPE, 0.5, 'float32'), 'zeros')\n"
        "print(keras.backend.backend(), 'tensorflow' in sys.modules)\n"
    )
    figure, name, with_tensorflow = run_on(backend, script)
    assert float(figure) == pytest.approx(loss_of(*random_pair()), abs=1e-5)
    assert (name, with_tensorflow) == (backend, "False")
