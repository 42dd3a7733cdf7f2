"""Angles against the oracle and by hand; which maps go."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from affectkeras.pruning.distinctiveness import Moments, angles, choose_maps, correlations
from affectkeras.pruning.plan import Constant, Merge

RANDOM = np.random.default_rng(0)


def moments_of(activations) -> Moments:
    found = Moments(np.shape(activations)[1])
    found.add(np.asarray(activations))
    return found


def slow_angles(activations) -> np.ndarray:
    """The definition, pair by pair."""
    low, high = activations.min(axis=0), activations.max(axis=0)
    scaled = (activations - low) / (high - low) - 0.5
    maps = scaled.shape[1]
    found = np.zeros((maps, maps))
    for one in range(maps):
        for other in range(maps):
            a, b = scaled[:, one], scaled[:, other]
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            found[one, other] = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return found


@pytest.mark.skipif("AFFECTKERAS_REAL_DATA" not in os.environ, reason="needs the known answers")
def test_the_known_angles_come_out():
    folder = Path(os.environ["AFFECTKERAS_REAL_DATA"]) / "oracles"
    cases = json.loads((folder / "distinctiveness_angles.json").read_text())["cases"]
    assert cases
    for case in cases:
        (expected,) = [value for name, value in case.items() if name.startswith("angles")]
        found = angles(moments_of(case["activations"]))
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_angles_follow_their_definition_and_do_not_depend_on_the_batches():
    activations = RANDOM.gamma(1.0, 2.0, (300, 12))
    whole = angles(moments_of(activations))
    np.testing.assert_allclose(whole, slow_angles(activations), atol=1e-5)
    parts = Moments(12)
    for part in np.array_split(activations, 7):
        parts.add(part)
    np.testing.assert_allclose(angles(parts), whole, atol=1e-6)


def test_angles_by_hand():
    # Scaled: (-.5, .5, 0), (-.5, .5, 0), (.5, -.5, 0), (-.5, -.5, .5): cosines 1, -1, 0.
    found = angles(moments_of([[0, 2, 9, 1], [4, 6, 5, 1], [2, 4, 7, 3]]))
    np.testing.assert_allclose(found[0], [0, 0, 180, 90], atol=1e-5)


def test_correlation_tells_apart_what_rare_activity_makes_look_alike():
    rare = np.where(RANDOM.random((20_000, 2)) < 0.02, RANDOM.random((20_000, 2)), 0)
    found = moments_of(rare)
    assert angles(found)[0, 1] < 15
    assert abs(correlations(found)[0, 1]) < 0.05
    np.testing.assert_allclose(
        correlations(found)[0, 1], np.corrcoef(rare.T)[0, 1], atol=1e-6
    )  # fmt: skip


def planted() -> np.ndarray:
    """0 and 3 alike, 1 and 4 opposite, 2 and 6 on their own, 5 constant."""
    free = RANDOM.random((500, 4))
    columns = [free[:, 0], free[:, 1], free[:, 2], 3 * free[:, 0], 1 - free[:, 1]]
    return np.stack([*columns, np.full(500, 0.25), free[:, 3]], axis=1)


def test_copies_merge_opposites_cancel_and_constants_fold():
    activations = planted()
    found = choose_maps(moments_of(activations), 8)
    assert found.similar == ((0, 3),)
    assert found.complementary == ((1, 4),)
    assert found.removed == (1, 3, 4, 5)
    assert found.merges == (Merge(3, 0, 1.0),)
    means = activations.mean(axis=0)
    expected = [Constant(one, pytest.approx(means[one])) for one in (1, 4, 5)]
    assert list(found.constants) == expected


def test_least_squares_finds_the_size_that_the_angle_does_not_see():
    found = choose_maps(moments_of(planted()), 8, scale="least-squares")
    assert found.merges == (Merge(3, 0, pytest.approx(3.0)),)


def test_complementary_pairs_stay_where_they_are_not_asked_for():
    assert choose_maps(moments_of(planted()), 8, complementary=False).removed == (3, 5)


def test_each_map_is_used_once_and_the_closest_pair_comes_first():
    base = RANDOM.random((400, 1))
    near = base + RANDOM.normal(0, 0.02, (400, 1))
    far = base + RANDOM.normal(0, 0.05, (400, 1))
    found = choose_maps(moments_of(np.hstack([far, base, near])), 40)
    assert found.similar == ((1, 2),)
    assert found.removed == (2,)


def test_further_rounds_pair_what_is_left_and_tell_where_weights_end():
    base = RANDOM.random(50)
    # Maps 0 … 3 are one map in four sizes; 4 is its mirror image and would be left alone.
    activations = np.stack([base, 2 * base, 4 * base, 8 * base, RANDOM.random(50)], axis=1)
    once = choose_maps(moments_of(activations), 5, scale="least-squares")
    assert once.removed == (1, 3)
    assert [(one.source, one.target) for one in once.merges] == [(1, 0), (3, 2)]
    twice = choose_maps(moments_of(activations), 5, scale="least-squares", rounds=2)
    assert twice.removed == (1, 2, 3)
    found = {one.source: (one.target, one.scale) for one in twice.merges}
    assert found == {source: (0, pytest.approx(2.0**source)) for source in (1, 2, 3)}
    assert choose_maps(moments_of(activations), 5, rounds=9).removed == (1, 2, 3)


def test_what_was_merged_into_a_map_that_cancels_later_becomes_a_constant_with_it():
    base = RANDOM.random(50)
    activations = np.stack([base, base, 3 - base, 3 - base, RANDOM.random(50)], axis=1)
    found = choose_maps(moments_of(activations), 5, rounds=2)
    assert found.removed == (0, 1, 2, 3)
    assert found.merges == ()
    means = activations.mean(axis=0)
    assert [one.value for one in found.constants] == pytest.approx(list(means[:4]))


def test_one_map_always_stays():
    assert choose_maps(moments_of(np.full((10, 3), 2.0)), 8).removed == (1, 2)
    opposite = np.linspace(0, 1, 50)[:, None]
    found = choose_maps(moments_of(np.hstack([opposite, 1 - opposite])), 8)
    assert found.removed == (1,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Moments(3).add(np.zeros((4, 2))), r"shape \(coordinates, 3\). Received: \(4, 2\)"),
        (lambda: Moments(1).add([[np.nan]]), "`activations` must be finite"),
        (lambda: angles(Moments(2)), "must have taken in activations"),
        (lambda: choose_maps(moments_of(planted()), 90), "`threshold` must be in"),
        (lambda: choose_maps(moments_of(planted()), 8, scale="max"), "`scale` must be"),
    ],
)
def test_what_cannot_be_used_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
