import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from affectkeras.evaluation.seal import Seal
from affectkeras.evaluation.splits import Split
from affectkeras.pipelines.sampler import RowSampler
from affectkeras.transfer.fine_tuning import fine_tune, probabilities, row_losses
from affectkeras.transfer.stages import cosine_plan


class FixedLogits:
    """A model that has an answer for every row, and the source that asks it."""

    def __init__(self, logits, targets):
        self.logits = np.asarray(logits, np.float32)
        self.targets = np.asarray(targets, np.float32)

    def clean(self, rows):
        return rows

    def predict(self, rows, verbose):
        return self.logits[rows]


def test_a_row_loss_is_its_cross_entropy_against_a_hard_target():
    # Softmax of (ln 3, 0) is (3/4, 1/4).
    fixed = FixedLogits([[np.log(3), 0]] * 2, [[1, 0], [0, 1]])
    losses = row_losses(fixed, fixed, np.array([0, 1]))
    assert losses == pytest.approx([-np.log(3 / 4), -np.log(1 / 4)])


def test_a_row_loss_weighs_the_classes_of_a_soft_target():
    fixed = FixedLogits([[np.log(3), 0]], [[0.5, 0.5]])
    expected = -0.5 * np.log(3 / 4) - 0.5 * np.log(1 / 4)
    assert row_losses(fixed, fixed, np.array([0])) == pytest.approx([expected])


def test_row_losses_come_in_the_order_of_the_rows_and_survive_huge_logits():
    fixed = FixedLogits([[0, 0], [1e4, -1e4]], [[1, 0], [0, 1]])
    losses = row_losses(fixed, fixed, np.array([1, 0]))
    assert losses == pytest.approx([2e4, np.log(2)])


def test_probabilities_are_the_softmax_also_of_huge_logits():
    found = probabilities(np.array([[np.log(3), 0], [1e4, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.75, 0.25], [1, 0]], atol=1e-7)


class SealedRows:
    """Rows of two numbers behind a seal."""

    def __init__(self, seal):
        self.seal = seal
        self.values = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
        self.targets = np.eye(2, dtype=np.float32)[np.arange(8) % 2]

    def training(self, sampler, first_epoch, last_epoch):
        self.seal.fit("weights", "the model", sampler.rows)
        for epoch in range(first_epoch, last_epoch):
            for rows in sampler.order(epoch).reshape(3, 2):
                yield self.values[rows], self.targets[rows]

    def clean(self, rows):
        self.seal.read(rows)
        return tf.data.Dataset.from_tensors((self.values[rows], self.targets[rows]))


def test_a_training_cut_off_after_its_last_epoch_still_tells_what_it_was_fitted_on(tmp_path):
    parts = np.arange(6), np.array([6]), np.array([7])
    set_aside = pd.DataFrame({"row": [], "reason": []})
    split = Split(*parts, "official", "", set_aside, groups_known=True)
    facts = []
    for _ in ("trained", "resumed with nothing left to train"):
        rows = SealedRows(Seal(split))
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        fine_tune(
            model,
            cosine_plan(2, 0.1),
            rows,
            RowSampler(split.train, seed=0, batch_size=2),
            validation_rows=split.validation,
            state_path=tmp_path / "state.npz",
            verbose=0,
        )
        facts.append(rows.seal.facts())
    assert facts == [{"fitted": {"weights": {"the model": 6}}, "test_rows_read": 0}] * 2
