import keras
import numpy as np

from affectkeras.fold_training import FoldJob, FoldPlan, train_folds
from affectkeras.layers.exact_gelu import ExactGelu


def test_folds_of_a_layer_without_a_function_are_fitted_in_processes(capfd):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 2))
    x = keras.layers.Normalization(name="normalization")(inputs)
    x = ExactGelu(name="odd")(keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, 40)
    signals = (generator.normal(3, 2, (40, 6, 2)) + labels[:, None, None]).astype("float32")
    jobs = [
        FoldJob(np.arange(10, 40), np.arange(10), "first"),
        FoldJob(np.arange(25), np.arange(25, 40), "second"),
    ]
    told = []
    plan = FoldPlan(3, 8, 0.01, schedule="cosine", seed=3)
    outcomes = train_folds(
        model, signals, labels, jobs, plan, together=2, on_epoch=lambda *done: told.append(done)
    )
    printed = capfd.readouterr().out
    assert "through layer 'odd': ExactGelu. Each fold is trained by model.fit" in printed
    assert told == [(3, 6), (6, 6)]

    # The same network of parts that can be trained together ends at the same weights.
    x = keras.layers.Normalization()(inputs)
    x = keras.layers.Dense(4, activation="gelu")(keras.layers.Flatten()(x))
    peer = keras.Model(inputs, keras.layers.Dense(2)(x))
    peer.set_weights(model.get_weights())
    expected = train_folds(peer, signals, labels, jobs, plan)
    for job, outcome, other in zip(jobs, outcomes, expected, strict=True):
        assert (outcome.name, outcome.way, other.way) == (job.name, "processes", "together")
        for found, wanted in zip(outcome.weights, other.weights, strict=True):
            np.testing.assert_allclose(found, wanted, atol=2e-4)
        np.testing.assert_allclose(outcome.probabilities, other.probabilities, atol=1e-4)
        for name in ("epoch", "loss", "accuracy"):
            np.testing.assert_allclose(outcome.history[name], other.history[name], atol=1e-4)
