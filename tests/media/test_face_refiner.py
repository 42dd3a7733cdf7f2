"""Looking again at squares of a picture with MTCNN's last network."""

import os
from pathlib import Path

import numpy as np
import pytest

from affectkeras.media.face_refiner import refine_faces, square_of
from affectkeras.media.faces import DetectionSettings, Face, detect_faces
from affectkeras.media.scene_tracker import overlap
from affectkeras.media.upright import decode_upright

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")


def test_no_square_needs_no_network():
    assert refine_faces(np.zeros((20, 20, 3), np.uint8), np.empty((0, 3))) == []


def test_the_square_of_a_face_has_its_centre_and_longer_side():
    assert square_of(Face(10, 20, 30, 50, "mtcnn")) == (0, 20, 50)


def test_what_holds_no_face_has_a_low_probability():
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    faces = refine_faces(noise, np.array([[10, 10, 60], [80, 40, 100]]))
    assert all(face.confidence < 0.5 for face in faces)


def test_a_square_outside_the_picture_is_no_face():
    (face,) = refine_faces(np.full((50, 50, 3), 90, np.uint8), np.array([[500, 500, 40]]))
    assert face.confidence == 0


@pytest.mark.skipif(REAL_DATA is None, reason="AFFECTKERAS_REAL_DATA names no folder")
def test_a_real_face_is_seen_where_a_search_finds_it_also_from_a_square_that_lies_off():
    picture = decode_upright((Path(REAL_DATA) / "data/video/single_face.jpg").read_bytes())
    found = detect_faces([picture], DetectionSettings(longest_side=max(picture.shape), haar=False))
    (face,) = found[0]
    left, top, side = square_of(face)
    moved = [
        [left + x * side, top + y * side, side] for x in (-0.1, 0, 0.1) for y in (-0.1, 0, 0.1)
    ]
    for seen in refine_faces(picture, np.array(moved)):
        assert seen.confidence > 0.95
        assert overlap(seen, face) > 0.75
        np.testing.assert_allclose(seen.landmarks, face.landmarks, atol=0.12 * side)
