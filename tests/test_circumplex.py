"""Angle, intensity and sector of valence and arousal."""

import numpy as np
import pytest

from affectkeras.circumplex import (
    NONE,
    SECTORS,
    angles,
    held_values,
    intensity,
    sectors,
    sectors_of_angles,
)

AXES = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]


@pytest.mark.parametrize(("place", "name"), list(enumerate(SECTORS)))
def test_each_concept_lies_at_its_angle(place, name):
    valence, arousal = AXES[place]
    assert angles(valence, arousal) == pytest.approx(45 * place)
    assert sectors(valence, arousal) == name


def test_the_eight_names_are_those_of_the_circle():
    assert SECTORS == (
        "pleasure", "excitement", "arousal", "distress",
        "misery", "depression", "sleepiness", "contentment",
    )  # fmt: skip


@pytest.mark.parametrize("place", range(8))
def test_a_sector_reaches_from_half_before_its_centre_to_half_behind(place):
    start = 45 * place - 22.5
    found = sectors_of_angles((np.array([start, start + 44.999, start + 45]) + 360) % 360)
    assert found.tolist() == [SECTORS[place], SECTORS[place], SECTORS[(place + 1) % 8]]


@pytest.mark.parametrize("place", range(8))
def test_points_on_both_sides_of_a_boundary_have_the_names_of_both_sides(place):
    boundary = np.radians(45 * place + 22.5 + np.array([-1e-6, 1e-6]))
    found = sectors(np.cos(boundary), np.sin(boundary))
    assert found.tolist() == [SECTORS[place], SECTORS[(place + 1) % 8]]


def test_angles_lie_from_0_to_below_360():
    generator = np.random.default_rng(0)
    found = angles(*generator.uniform(-1, 1, (2, 1000)))
    assert found.min() >= 0
    assert found.max() < 360
    assert angles(1.0, -1e-20) == 0  # the remainder alone would be 360
    assert angles(-0.0, 0.0) == angles(0.0, -0.0) == angles(-0.0, -0.0) == 0


def test_the_reports_own_frames_are_pleasure_and_contentment_by_its_definition():
    valence = np.array([0.10804653912782669, 0.0334971696138])  # Figure 14
    arousal = np.array([-0.03532654792070389, -0.021455207839608])
    assert angles(valence, arousal) == pytest.approx([341.9, 327.4], abs=0.05)
    assert sectors(valence, arousal, neutral_radius=0).tolist() == ["pleasure", "contentment"]
    assert angles(0.0317, -0.0207) == pytest.approx(326.9, abs=0.05)
    assert sectors(0.0317, -0.0207, neutral_radius=0) == "contentment"


def test_the_reports_screen_fits_swapped_axes():
    valence = np.array([0.10804653912782669, 0.0334971696138])
    arousal = np.array([-0.03532654792070389, -0.021455207839608])
    swapped = np.degrees(np.arctan(valence / arousal)) % 360
    assert sectors_of_angles(swapped).tolist() == ["sleepiness", "contentment"]  # Figures 12, 13


def test_inside_the_radius_a_face_is_neutral():
    assert sectors([0.06, 0.06, 0.0], [0.079, 0.081, 0.0]).tolist() == [
        "neutral", "excitement", "neutral",
    ]  # fmt: skip
    assert sectors(0.1, 0.0, neutral_radius=0.1) == "pleasure"
    assert sectors(0.0, 0.0, neutral_radius=0) == "neutral"


def test_intensity_is_the_distance_from_the_middle():
    assert intensity([0.3, -1.0], [-0.4, 1.0]) == pytest.approx([0.5, 2**0.5])


def test_what_is_not_known_has_no_sector():
    nan = float("nan")
    assert sectors([nan, 0.5, nan], [0.5, nan, nan]).tolist() == ["", "", ""]
    assert np.isnan(angles([nan, 0.5], [0.5, nan])).all()


def test_a_negative_radius_is_refused():
    with pytest.raises(ValueError, match="`neutral_radius` must be 0 or more. Received: -0.1"):
        sectors(0.5, 0.5, neutral_radius=-0.1)


def test_a_frame_shows_what_was_predicted_last():
    found = held_values([0.5, -0.25], [40, 80], np.array([0, 39, 40, 79, 80, 500]), np.nan)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0.5, 0.5, -0.25, -0.25])


def test_before_the_first_prediction_stands_none():
    names = np.array(["pleasure", "contentment"])
    assert held_values(names, [1, 3], np.arange(5), NONE).tolist() == [
        "none", "pleasure", "pleasure", "contentment", "contentment",
    ]  # fmt: skip
    assert held_values(np.array([]), np.array([]), np.arange(2), NONE).tolist() == ["none"] * 2


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([0], r"a frame for each value. Received: shapes \(2,\) and \(1,\)"),
        ([4, 4], r"`at` must be ascending, each frame once. Received: \[4 4\]"),
    ],
)
def test_predictions_without_their_frames_are_refused(at, message):
    with pytest.raises(ValueError, match=message):
        held_values([0.1, 0.2], at, np.arange(3), np.nan)
