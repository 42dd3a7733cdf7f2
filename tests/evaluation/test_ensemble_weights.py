"""Averages, weights and stacks, against hand-worked and independently found answers."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from affectkeras.errors import UserError
from affectkeras.evaluation.ensemble_weights import (
    PENALTIES,
    Average,
    average_uniformly,
    cross_fit,
    fit_average,
    fit_rule,
    fit_stack,
    fit_stack_by_groups,
    predict_left_out,
)


def two_classes(*right_of_members):
    """Return log-probabilities of members that give the true class 0 these probabilities."""
    right = np.array(right_of_members)
    return np.log(np.stack([right, 1 - right], axis=-1)), np.zeros(right.shape[1], int)


def noisy_members(rows=240, classes=4, members=3, seed=0):
    """Return log-probabilities of members of growing quality, true classes and groups."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, rows)
    quality = np.arange(1, members + 1)[:, None, None]
    noise = generator.normal(0, 1, (members, rows, classes))
    logits = noise + 0.6 * quality * np.eye(classes)[true]
    return log_softmax(logits, axis=2), true, np.repeat(np.arange(rows // 6), 6)


def test_uniform_is_the_mean_of_probabilities():
    logs, _ = two_classes([0.9, 0.2], [0.5, 0.4])
    found = average_uniformly(2).combine(logs)
    np.testing.assert_allclose(np.exp(found), [[0.7, 0.3], [0.3, 0.7]])


def test_weights_are_those_of_the_hand_worked_maximum():
    # 2 log(0.2 + 0.6 w) + log(0.8 − 0.6 w) has its maximum at w = 7/9.
    logs, true = two_classes([0.8, 0.8, 0.2], [0.2, 0.2, 0.8])
    found = fit_average(logs, true)
    np.testing.assert_allclose(found.weights, [7 / 9, 2 / 9], atol=1e-3)
    np.testing.assert_allclose(found.combine(logs)[0], np.log([2 / 3, 1 / 3]), atol=1e-3)


def test_members_that_are_equally_good_on_other_rows_weigh_the_same():
    logs, true = two_classes([0.8, 0.2], [0.2, 0.8])
    np.testing.assert_allclose(fit_average(logs, true).weights, [0.5, 0.5])


def test_a_member_that_is_worse_on_every_row_is_left_out():
    logs, true = two_classes([0.9, 0.8, 0.7], [0.6, 0.5, 0.4])
    assert fit_average(logs, true).weights.tolist() == [1.0, 0.0]


def test_weights_are_those_a_general_optimizer_finds():
    logs, true, _ = noisy_members()
    right = np.exp(logs[:, np.arange(len(true)), true])

    def loss(free):
        weights = np.exp(free) / np.exp(free).sum()
        return -np.log(weights @ right).mean()

    options = {"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000}
    other = minimize(loss, np.zeros(3), method="Nelder-Mead", options=options)
    found = fit_average(logs, true)
    assert loss(np.log(np.maximum(found.weights, 1e-12))) <= other.fun + 1e-6
    expected = np.exp(other.x) / np.exp(other.x).sum()
    np.testing.assert_allclose(found.weights, expected, atol=2e-3)


def test_rows_that_no_member_thinks_possible_do_not_break_the_weights():
    logits = np.array([[[0.0, 2000.0], [5.0, 0.0]], [[0.0, 1990.0], [0.0, 5.0]]])
    found = fit_average(log_softmax(logits, axis=2), np.zeros(2, int))
    assert np.isfinite(found.weights).all()
    assert found.weights.sum() == pytest.approx(1.0)
    # Each is far better than the other on one row of two.
    np.testing.assert_allclose(found.weights, [0.5, 0.5], atol=0.01)


def test_under_a_strong_penalty_a_stack_is_the_average_of_logits():
    logs, true, _ = noisy_members()
    found = fit_stack(logs, true, 1e6).combine(logs)
    np.testing.assert_allclose(found, log_softmax(logs.mean(axis=0), axis=1), atol=1e-4)
    np.testing.assert_allclose(fit_stack(logs, true, 1e6).shares, [1 / 3] * 3, atol=1e-4)


def test_a_stack_of_one_half_informative_member_finds_its_calibration_by_hand():
    # The member claims 0.9 throughout and is right on 3 rows of 4 of each class: the regression
    # that fits best says 0.75, so that the logit log 9 is scaled by log 3 / log 9 = 1/2.
    claims = np.array([[0.9, 0.1]] * 3 + [[0.1, 0.9]] + [[0.1, 0.9]] * 3 + [[0.9, 0.1]])
    true = np.array([0] * 4 + [1] * 4)
    found = fit_stack(np.log(claims)[None], true, 1e-9)
    expected = np.where(claims > 0.5, 0.75, 0.25)
    np.testing.assert_allclose(np.exp(found.combine(np.log(claims)[None])), expected, atol=1e-4)
    np.testing.assert_allclose(found.shares, [0.75], atol=1e-3)


def test_no_stack_nearby_has_a_lower_penalised_loss():
    logs, true, _ = noisy_members(members=2)
    penalty = 0.03
    found = fit_stack(logs, true, penalty)
    average = np.tile(np.eye(4) / 2, (2, 1))
    inputs = np.concatenate(list(logs), axis=1)

    def loss(kernel, bias):
        rows = -log_softmax(inputs @ kernel + bias, axis=1)[np.arange(len(true)), true]
        distance = ((kernel - average) ** 2).sum() + (bias**2).sum()
        return rows.mean() + penalty / 2 * distance

    best = loss(found.kernel, found.bias)
    generator = np.random.default_rng(1)
    for scale in (1e-3, 1e-2, 1e-1, 1.0):
        for _ in range(20):
            kernel = found.kernel + scale * generator.normal(size=found.kernel.shape)
            assert loss(kernel, found.bias + scale * generator.normal(size=4)) > best
    assert loss(average, np.zeros(4)) > best


def test_without_an_average_to_lean_on_a_stack_is_scikit_learns_regression():
    logs, true, _ = noisy_members(members=1)
    rows = len(true)
    loose = 1e-6
    found = fit_stack(logs, true, loose)
    other = LogisticRegression(C=1 / (loose * rows), max_iter=5000, tol=1e-10).fit(logs[0], true)
    np.testing.assert_allclose(np.exp(found.combine(logs)), other.predict_proba(logs[0]), atol=2e-3)


def test_a_class_without_rows_keeps_a_finite_stack():
    logs, true, _ = noisy_members()
    kept = true != 3
    found = fit_stack(logs[:, kept], true[kept], 0.01)
    assert np.isfinite(found.combine(logs)).all()


def test_the_penalty_is_the_one_that_predicts_other_groups_best():
    logs, true, groups = noisy_members(rows=60)
    chosen = fit_stack_by_groups(logs, true, groups)

    def loss_of(penalty):
        found = cross_fit(lambda a, b, _: fit_stack(a, b, penalty), logs, true, groups)
        return -found[np.arange(len(true)), true].mean()

    losses = {penalty: loss_of(penalty) for penalty in PENALTIES}
    assert chosen.penalty == min(losses, key=losses.get)
    assert chosen.penalty > PENALTIES[0]  # 60 rows do not pay for 52 free numbers


def test_every_row_is_predicted_by_weights_that_never_saw_its_group():
    logs, true, groups = noisy_members(rows=60)
    seen = []

    def fit(part, truth, kept):
        seen.append(set(kept))
        return Average(np.array([1.0, 0.0, 0.0]))

    found = cross_fit(fit, logs, true, groups)
    np.testing.assert_allclose(found, logs[0])
    assert len(seen) == 5
    left_out = [set(groups) - kept for kept in seen]
    assert sorted(group for groups_out in left_out for group in groups_out) == sorted(set(groups))


def test_left_out_rows_do_not_flatter_a_stack_on_pure_noise():
    generator = np.random.default_rng(4)
    logs = log_softmax(generator.normal(0, 2, (8, 36, 3)), axis=2)
    true, groups = generator.integers(0, 3, 36), np.arange(36)
    honest = predict_left_out("stacked", logs, true, groups)
    fitted = fit_stack(logs, true, PENALTIES[0]).combine(logs)
    assert (fitted.argmax(axis=1) == true).mean() > 0.9
    assert (honest.argmax(axis=1) == true).mean() < 0.5


def test_fitted_rules_beat_the_worst_member_on_new_rows():
    logs, true, groups = noisy_members(rows=600)
    old, new = slice(0, 300), slice(300, 600)
    right = (logs[0, new].argmax(axis=1) == true[new]).mean()
    for rule in ("uniform", "weighted", "stacked"):
        found = fit_rule(rule, logs[:, old], true[old], groups[old]).combine(logs[:, new])
        assert (found.argmax(axis=1) == true[new]).mean() > right + 0.1


def test_uniform_left_out_is_uniform():
    logs, true, groups = noisy_members(rows=60)
    expected = average_uniformly(3).combine(logs)
    np.testing.assert_array_equal(predict_left_out("uniform", logs, true, groups), expected)


def test_too_few_groups_are_told_with_the_mend():
    logs, true, _ = noisy_members(rows=60)
    with pytest.raises(UserError, match="it needs 2 groups, there is 1. Choose --rules uniform"):
        predict_left_out("weighted", logs, true, np.zeros(60))
    with pytest.raises(UserError, match="it needs 3 groups, there are 2"):
        predict_left_out("stacked", logs, true, np.arange(60) % 2)


@pytest.mark.parametrize(
    ("logs", "true", "message"),
    [
        (np.zeros((2, 3)), np.zeros(3, int), r"\(members, rows, classes\)"),
        (np.full((1, 2, 2), -np.inf), np.zeros(2, int), "must be finite"),
        (np.zeros((1, 2, 2)), np.zeros(2, int), "sums up to 2"),
        (np.log(np.full((1, 2, 2), 0.5)), np.array([0, 2]), r"in \[0, 2\)"),
    ],
)
def test_what_is_no_log_probability_or_class_is_refused(logs, true, message):
    with pytest.raises(ValueError, match=message):
        fit_average(logs, true)


def test_an_unknown_rule_and_a_penalty_of_zero_are_refused():
    logs, true, groups = noisy_members(rows=60)
    with pytest.raises(ValueError, match="`rule` must be one of uniform, weighted, stacked"):
        fit_rule("median", logs, true, groups)
    with pytest.raises(ValueError, match="`penalty` must be above 0"):
        fit_stack(logs, true, 0.0)
