import dataclasses
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectkeras.errors import UserError
from affectkeras.media import faces
from affectkeras.media.face_cache import FaceCache
from affectkeras.media.face_crops import (
    Square,
    cut_square,
    rank_faces,
    resize_square,
    square_around,
    square_whole,
)
from affectkeras.media.faces import DetectionSettings, Face, detect_faces, faces_of_rows, scale_face
from affectkeras.media.image_check import ImageDamaged
from affectkeras.media.upright import decode_upright

REAL_DATA = os.environ.get("AFFECTKERAS_REAL_DATA")
POINTS = ((15.0, 30.0), (25.0, 30.0), (20.0, 35.0), (16.0, 42.0), (24.0, 42.0))


def face(x, y, width, height, **options):
    return Face(x, y, width, height, "mtcnn", **options)


def row(image, box, confidence):
    """A raw row of mtcnn: five x, then five y of the landmarks."""
    return [image, *box, confidence, *(x for x, _ in POINTS), *(y for _, y in POINTS)]


# Which face


def test_the_largest_face_is_meant():
    small, large = face(40, 40, 20, 20), face(30, 30, 40, 40)
    assert rank_faces([small, large], 100, 100) == [large, small]


def test_a_central_face_is_preferred_to_a_larger_one_in_the_corner():
    # Centre: 30² · 1 = 900. Corner: its centre (20, 20) is 30/50 of the way out: 40² · 0.4 = 640.
    central, corner = face(35, 35, 30, 30), face(0, 0, 40, 40)
    assert rank_faces([corner, central], 100, 100) == [central, corner]
    # 60² · (1 - 20/50) = 2160.
    much_larger = face(0, 0, 60, 60)
    assert rank_faces([central, much_larger], 100, 100)[0] == much_larger


def test_a_certain_face_is_preferred_to_a_larger_doubtful_one():
    # 20² · 1 against 40² · 1 / (1 + 500 · 0.01) = 267, both at the centre.
    certain, doubtful = face(40, 40, 20, 20, confidence=1.0), face(30, 30, 40, 40, confidence=0.99)
    assert rank_faces([doubtful, certain], 100, 100) == [certain, doubtful]
    # 40² / (1 + 500 · 0.004) = 533.
    less = face(30, 30, 40, 40, confidence=0.996)
    assert rank_faces([certain, less], 100, 100) == [less, certain]


def test_of_equal_faces_the_first_stays_in_front_and_no_face_gives_none():
    left, right = face(10, 40, 20, 20), face(70, 40, 20, 20)
    assert rank_faces([left, right], 100, 100) == [left, right]
    assert rank_faces([right, left], 100, 100) == [right, left]
    assert rank_faces([], 100, 100) == []


# Square and crop


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((10, 20, 40, 40), 0, Square(10, 20, 40)),
        # The longer side 50 and 10 at both ends: 70 about the centre (30, 45).
        ((10, 20, 40, 50), 0.2, Square(-5, 10, 70)),
        ((10, 20, 50, 40), 0.2, Square(0, 5, 70)),
        # 10.5 · 2 = 21 about (5.25, 5.25): from -5.25, rounded.
        ((0, 0, 10.5, 10.5), 0.5, Square(-5, -5, 21)),
        ((3, 3, 0.2, 0.2), 0, Square(3, 3, 1)),
    ],
)
def test_the_square_has_the_centre_of_the_box(box, margin, square):
    assert square_around(face(*box), margin) == square


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match=r"`margin` must be at least 0. Received: -0.1"):
        square_around(face(0, 0, 10, 10), -0.1)


def test_the_share_outside_is_that_of_the_area():
    assert Square(0, 0, 10).share_outside(10, 10) == 0
    assert Square(-5, 0, 10).share_outside(100, 100) == 0.5
    assert Square(-5, 95, 10).share_outside(100, 100) == 0.75
    assert Square(50, 50, 10).share_outside(20, 20) == 1


def test_a_crop_inside_is_the_part_itself_and_one_beyond_repeats_the_edge():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert cut_square(pixels, Square(1, 1, 2))[:, :, 0].tolist() == [[5, 6], [9, 10]]
    assert cut_square(pixels, Square(-1, -1, 3))[:, :, 0].tolist() == [
        [0, 0, 1],
        [0, 0, 1],
        [4, 4, 5],
    ]
    assert cut_square(pixels, Square(3, 2, 2))[:, :, 0].tolist() == [[11, 11], [11, 11]]
    assert cut_square(pixels, Square(9, 9, 2))[:, :, 0].tolist() == [[11, 11], [11, 11]]


def test_a_square_is_resized_or_kept():
    pixels = np.full((10, 10, 3), 7, np.uint8)
    assert resize_square(pixels, None) is pixels
    assert resize_square(pixels, 10) is pixels
    assert (resize_square(pixels, 4) == np.full((4, 4, 3), 7)).all()
    assert resize_square(pixels, 25).shape == (25, 25, 3)


def test_a_whole_picture_keeps_its_proportions_in_the_square():
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:10] = 200
    square = square_whole(pixels, 8)
    # The picture fills rows 2 to 5; above and below, its edges go on.
    assert square.shape == (8, 8, 3)
    assert (square[:3] > 150).all()
    assert (square[5:] < 50).all()
    assert square_whole(pixels, None) is pixels


def test_a_long_panorama_is_not_blown_up_to_a_square_of_its_length():
    assert square_whole(np.zeros((1, 60_000, 3), np.uint8), 32).shape == (32, 32, 3)


# Boxes from the detector


def test_rows_of_mtcnn_become_faces_of_their_pictures_by_falling_confidence():
    rows = np.array(
        [
            row(1, (10, 20, 30, 50), 0.95),
            row(0, (5, 5, 15, 15), 0.91),
            row(1, (0, 0, 9, 9), 0.99),
            row(1, (0, 0, 9, 9), 0.85),
        ]
    )
    first, second = faces_of_rows(rows, [(100, 100), (100, 100)], 0.9)
    assert first == [face(5, 5, 10, 10, confidence=0.91, landmarks=POINTS)]
    assert second == [
        face(0, 0, 9, 9, confidence=0.99, landmarks=POINTS),
        face(10, 20, 20, 30, confidence=0.95, landmarks=POINTS),
    ]


def test_boxes_are_cut_at_the_edges_and_those_in_the_filling_dropped():
    rows = np.array([row(0, (-5, -3, 120, 90), 0.95), row(0, (101, 10, 120, 30), 0.99)])
    assert faces_of_rows(rows, [(80, 100)], 0.9) == [
        [face(0, 0, 100, 80, confidence=0.95, landmarks=POINTS)]
    ]
    assert faces_of_rows(np.empty((0, 16)), [(80, 100), (80, 100)], 0.9) == [[], []]


def test_a_face_is_scaled_to_the_full_picture():
    seen = face(10, 20, 30, 40, confidence=0.97, landmarks=((1.04, 2.0),))
    assert scale_face(seen, (240, 320, 3), (480, 1600, 3)) == face(
        50, 40, 150, 80, confidence=0.97, landmarks=((5.2, 4),)
    )


def test_large_pictures_are_reduced_and_small_ones_kept():
    assert faces.reduce_image(np.zeros((1000, 2000, 3), np.uint8), 640).shape == (320, 640, 3)
    assert faces.reduce_image(np.zeros((3, 9000, 3), np.uint8), 640).shape == (1, 640, 3)
    small = np.zeros((480, 640, 3), np.uint8)
    assert faces.reduce_image(small, 640) is small


def test_only_pictures_of_one_filled_size_share_a_batch(monkeypatch):
    batches = []

    def see(images):
        batches.append([image.shape for image in images])
        # One face in the last picture of every batch.
        return np.array([row(len(images) - 1, (10, 20, 30, 50), 0.95)])

    monkeypatch.setattr(faces, "_raw_rows", see)
    monkeypatch.setattr(faces, "BATCH_SIZE", 2)
    sizes = [(100, 100), (60, 60), (128, 90), (100, 128)]
    found = detect_faces(
        [np.zeros((*size, 3), np.uint8) for size in sizes], DetectionSettings(haar=False)
    )
    assert batches == [[(128, 128, 3)] * 2, [(128, 128, 3)], [(64, 64, 3)]]
    assert [len(faces) for faces in found] == [0, 1, 1, 1]


def test_the_cascade_is_asked_only_where_mtcnn_finds_none(monkeypatch):
    asked = []
    monkeypatch.setattr(
        faces, "_raw_rows", lambda images: np.array([row(0, (10, 20, 30, 50), 0.95)])
    )
    monkeypatch.setattr(
        faces,
        "_detect_by_haar",
        lambda image: asked.append(image.shape) or [Face(1, 2, 3, 3, "haar")],
    )
    pictures = [np.zeros((640, 640, 3), np.uint8), np.zeros((1280, 1280, 3), np.uint8)]
    assert [[f.detector for f in found] for found in detect_faces(pictures)] == [
        ["mtcnn"],
        ["haar"],
    ]
    assert asked == [(640, 640, 3)]
    assert detect_faces(pictures)[1] == [Face(2, 4, 6, 6, "haar")]
    assert detect_faces(pictures, DetectionSettings(haar=False))[1] == []


def test_the_cascade_sees_no_face_in_noise():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert faces._detect_by_haar(noise) == []


def test_other_arrays_and_settings_are_refused():
    with pytest.raises(
        ValueError, match=r"uint8 \(height, width, 3\).*Received: float64 \(2, 2, 3\)"
    ):
        detect_faces([np.zeros((2, 2, 3))])
    with pytest.raises(UserError, match="longest_side must be at least 64 pixels. Received: 10"):
        DetectionSettings(longest_side=10)
    with pytest.raises(UserError, match=r"min_confidence must be in \[0, 1\]. Received: 90"):
        DetectionSettings(min_confidence=90)


def test_importing_the_detector_does_not_import_tensorflow():
    code = "import sys, affectkeras.media.faces; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Cache

SETTINGS = DetectionSettings()
FOUND = [face(1.5, 2, 3, 4, confidence=0.9876, landmarks=POINTS), Face(5, 6, 7, 7, "haar")]


def test_what_is_kept_comes_back(tmp_path):
    cache = FaceCache(SETTINGS, tmp_path)
    assert cache.read("ab12") is None
    cache.write("ab12", FOUND)
    cache.write("ab13", [])
    assert FaceCache(SETTINGS, tmp_path).read("ab12") == FOUND
    assert cache.read("ab13") == []


def test_other_settings_know_nothing_of_it(tmp_path):
    FaceCache(SETTINGS, tmp_path).write("ab12", FOUND)
    for changed in ({"longest_side": 800}, {"min_confidence": 0.8}, {"haar": False}):
        other = FaceCache(dataclasses.replace(SETTINGS, **changed), tmp_path)
        assert other.read("ab12") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"faces": [{"x": 1}]}', b"\xff\x00"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, damage):
    cache = FaceCache(SETTINGS, tmp_path)
    cache.write("ab12", FOUND)
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage)
    assert cache.read("ab12") is None


def test_writers_do_not_disturb_each_other(tmp_path):
    caches = [FaceCache(SETTINGS, tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda cache: cache.write("ab12", FOUND), caches))
    assert caches[0].read("ab12") == FOUND
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ab12.json"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*cannot be kept.*set AFFECTKERAS_CACHE"):
        FaceCache(SETTINGS, tmp_path / "file")


# Decoding

# 2 × 3 pixels, told apart by their red values.
CORNERS = np.array([[10, 60, 110], [160, 210, 250]], np.uint8)


def encoded(values, orientation=None, format="PNG", mode="RGB"):
    image = Image.fromarray(values)
    image = image if mode is None else image.convert(mode)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (None, CORNERS),
        (1, CORNERS),
        (2, CORNERS[:, ::-1]),
        (3, CORNERS[::-1, ::-1]),
        (4, CORNERS[::-1]),
        (5, CORNERS.T),
        (6, np.rot90(CORNERS, -1)),
        (7, CORNERS[::-1, ::-1].T),
        (8, np.rot90(CORNERS)),
        (77, CORNERS),
    ],
)
def test_a_picture_is_turned_as_its_exif_orientation_says(orientation, expected):
    assert decode_upright(encoded(CORNERS, orientation))[:, :, 0].tolist() == expected.tolist()


def test_a_turned_jpeg_is_upright():
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, :16] = 255
    upright = decode_upright(encoded(wide, 6, "JPEG"))
    assert upright.shape == (32, 16, 3)
    assert upright[:12].min() > 200
    assert upright[20:].max() < 50


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_every_kind_of_picture_becomes_rgb(mode):
    pixels = decode_upright(encoded(CORNERS, mode=mode))
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == np.repeat(CORNERS[:, :, None], 3, axis=2).tolist()


def test_of_16_bits_the_upper_ones_are_kept():
    pixels = decode_upright(encoded(CORNERS.astype(np.uint16) * 256 + 99, mode=None))
    assert pixels[:, :, 1].tolist() == CORNERS.tolist()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_metadata_leave_the_picture_usable():
    data = encoded(np.zeros((8, 8), np.uint8), 6, "JPEG")
    position = data.index(b"Exif\0\0") + 6
    for broken in (b"XX*\0\xff\xff\xff\xff", b"II*\0\xff\xff\xff\xff"):
        assert decode_upright(data[:position] + broken + data[position + 8 :]).shape == (8, 8, 3)


@pytest.mark.parametrize("data", [b"", b"no image", encoded(CORNERS)[:-20]])
def test_a_damaged_picture_has_its_reason(data):
    with pytest.raises(ImageDamaged, match="empty|not a JPEG|truncated"):
        decode_upright(data)


# The real detector


@pytest.mark.skipif(not REAL_DATA, reason="AFFECTKERAS_REAL_DATA is not set")
def test_a_real_face_is_found_in_whatever_company():
    path = Path(REAL_DATA) / "data" / "video" / "single_face.jpg"
    photo = decode_upright(path.read_bytes())
    grey = np.full((700, 900, 3), 128, np.uint8)
    doubled = np.asarray(Image.fromarray(photo).resize((1144, 1124)))
    nothing, found, large, _ = detect_faces([grey, photo, doubled, grey[:3, :5]])
    assert nothing == []
    assert len(found) == 1
    one = found[0]
    assert one.detector == "mtcnn"
    assert one.confidence > 0.99
    # By eye: from the hair line to the chin, from cheek to cheek.
    assert [one.x, one.y, one.width, one.height] == pytest.approx([185, 143, 190, 257], abs=15)
    (left_eye, right_eye, nose, mouth_left, mouth_right) = one.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_eye[1] < nose[1] < mouth_left[1]
    assert mouth_left[0] < mouth_right[0]
    # Reduced for detection, a photo of twice the size has its boxes scaled back.
    assert [large[0].x, large[0].width] == pytest.approx([2 * one.x, 2 * one.width], abs=30)
    assert detect_faces([photo]) == [found]
