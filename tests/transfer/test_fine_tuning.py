import numpy as np
import pytest

from affectkeras.transfer.fine_tuning import probabilities, row_losses


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
