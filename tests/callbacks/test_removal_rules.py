import json
import math
import os
import statistics
from pathlib import Path

import numpy as np
import pytest

from affectkeras.callbacks.removal_rules import (
    bimodal_removal,
    limit_per_class,
    slade_gedeon_removal,
)

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")


def test_bimodal_removal_removes_what_lies_above_the_upper_part_by_hand():
    # M1 = 16 / 10; above it 2, 2, 2, 10: M2 = 4, std2 = sqrt((4 + 4 + 4 + 36) / 4) = sqrt(12).
    step = bimodal_removal([0, 0, 0, 0, 0, 0, 2, 2, 2, 10], k=1.0)
    assert step.mean == pytest.approx(1.6)
    assert step.subset_mean == 4.0
    assert step.subset_std == pytest.approx(math.sqrt(12))
    assert step.threshold == pytest.approx(4 + math.sqrt(12))
    assert step.removed.tolist() == [9]


def test_bimodal_removal_keeps_a_loss_equal_to_the_threshold():
    # M1 = 2; above it 4 and 8: M2 = 6, std2 = 2, threshold 8.
    assert bimodal_removal([0, 0, 0, 0, 4, 8], k=1.0).removed.tolist() == []
    assert bimodal_removal([0, 0, 0, 0, 4, 8], k=0.5).removed.tolist() == [5]


def test_bimodal_removal_puts_a_loss_equal_to_the_mean_below_it():
    # M1 = 2; above it only 3 and 3, not the 2: M2 = 3, std2 = 0.
    step = bimodal_removal([0, 2, 3, 3], k=0.0)
    assert (step.subset_mean, step.subset_std) == (3.0, 0.0)
    assert step.removed.tolist() == []


@pytest.mark.parametrize("value", [0.0, 0.1, 0.7, 1e-9, 1234.567])
@pytest.mark.parametrize("count", [1, 3, 12, 49, 819])
def test_bimodal_removal_removes_nothing_of_constant_losses(value, count):
    step = bimodal_removal(np.full(count, value), k=0.0)
    assert step.mean == value
    assert step.subset_mean is step.subset_std is step.threshold is None
    assert len(step.removed) == 0


def test_bimodal_removal_agrees_with_a_slow_implementation():
    generator = np.random.default_rng(0)
    for _ in range(50):
        losses = generator.gamma(0.5, size=generator.integers(2, 60)).tolist()
        k = float(generator.uniform(0, 2))
        mean = statistics.fmean(losses)
        subset = [loss for loss in losses if loss > mean]
        threshold = statistics.fmean(subset) + k * statistics.pstdev(subset)
        expected = [index for index, loss in enumerate(losses) if loss > threshold]
        assert bimodal_removal(losses, k).removed.tolist() == expected


@pytest.mark.skipif(REAL_DATA is None, reason="AFFECTKERAS_REAL_DATA is not set")
def test_bimodal_removal_gives_the_known_answers():
    cases = json.loads((Path(REAL_DATA) / "oracles" / "bdr_step.json").read_text())["cases"]
    assert len(cases) > 1
    for case in cases:
        step = bimodal_removal(case["losses"], case["k"])
        assert step.removed.tolist() == case["removed"]
        assert step.mean == pytest.approx(case["mean"], rel=1e-12)
        if case["subset_mean"] is None:
            assert step.subset_mean is step.subset_std is None
        else:
            assert step.subset_mean == pytest.approx(case["subset_mean"], rel=1e-12)
            assert step.subset_std == pytest.approx(case["subset_std"], rel=1e-12)


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], r"`losses` must be one number per pattern, at least one. Received: shape \(0,\)"),
        ([[1.0]], r"Received: shape \(1, 1\)"),
        ([1.0, float("nan")], r"`losses` must be finite. Received: nan at index 1"),
        ([float("inf"), 1.0], r"`losses` must be finite. Received: inf at index 0"),
    ],
)
def test_bimodal_removal_refuses_losses_without_meaning(losses, message):
    with pytest.raises(ValueError, match=message):
        bimodal_removal(losses)


def test_bimodal_removal_refuses_a_k_that_is_not_finite():
    with pytest.raises(ValueError, match="`k` must be a finite number. Received: k=nan"):
        bimodal_removal([1.0, 2.0], k=float("nan"))


def test_slade_gedeon_removal_removes_an_error_equal_to_the_threshold():
    # Mean 0.25; above it 0.5 and 1.0: mean 0.75, deviation 0.25; with alpha 1 the threshold is 1.
    errors = [0.0, 0.0, 0.0, 0.0, 0.5, 1.0]
    assert slade_gedeon_removal(errors, alpha=1.0).removed.tolist() == [5]
    assert slade_gedeon_removal(errors, alpha=0.0).removed.tolist() == [5]
    assert slade_gedeon_removal([0.0, 0.0, 0.0, 1.0], alpha=1.0).removed.tolist() == [3]


def test_slade_gedeon_removal_removes_nothing_of_constant_errors():
    assert len(slade_gedeon_removal(np.full(49, 0.1), alpha=0.0).removed) == 0


@pytest.mark.parametrize(
    ("errors", "alpha", "message"),
    [
        ([0.5], 1.5, r"`alpha` must be in \[0, 1\]. Received: alpha=1.5"),
        ([0.5], float("nan"), r"`alpha` must be in \[0, 1\]. Received: alpha=nan"),
        ([0.5, 2.0], 0.5, r"`errors` must be in \[0, 1\]. Received: 0.5 to 2"),
        ([], 0.5, "`errors` must be one number per pattern"),
    ],
)
def test_slade_gedeon_removal_refuses_arguments_out_of_range(errors, alpha, message):
    with pytest.raises(ValueError, match=message):
        slade_gedeon_removal(errors, alpha)


def test_limit_per_class_lets_the_highest_losses_go_first():
    losses = np.array([5.0, 9.0, 7.0, 8.0, 6.0])
    classes = np.array([0, 0, 0, 1, 1])
    chosen = limit_per_class(np.arange(5), losses, classes, np.array([2, 1]))
    assert chosen.tolist() == [1, 2, 3]


def test_limit_per_class_takes_the_lower_index_of_equal_losses_and_only_chosen_ones():
    losses = np.array([9.0, 3.0, 3.0, 3.0])
    chosen = limit_per_class(np.array([3, 2]), losses, np.zeros(4, int), np.array([1]))
    assert chosen.tolist() == [2]


def test_limit_per_class_keeps_all_of_a_class_without_allowance():
    chosen = limit_per_class(np.array([0, 1]), np.ones(2), np.array([0, 1]), np.array([0, 5]))
    assert chosen.tolist() == [1]
