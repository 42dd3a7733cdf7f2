"""Following faces, in a world of bright squares on grey: what is seen is known exactly."""

import cv2
import numpy as np
import pytest

from affectkeras.media.face_tracking import track_faces
from affectkeras.media.faces import Face
from affectkeras.media.scene_tracker import TrackingSettings, overlap

SIZE = (120, 200)  # height, width
SIDE = 30
FACE = 250


class World:
    """Frames in which faces are squares of one brightness, and eyes that count how they look.

    Args:
        places: for each frame the `(left, top)` of every face.
        false: frame → a box that a search takes for a face there and only there.
        blind: frames whose search finds nothing.
    """

    def __init__(self, places, *, false=None, blind=(), background=None):
        self.places, self.false, self.blind = places, false or {}, set(blind)
        self.background = background or (lambda number: _ground(0))
        self.searched, self.looks = [], 0

    def frames(self):
        for number, faces in enumerate(self.places):
            picture = self.background(number).copy()
            for left, top in faces:
                cv2.rectangle(
                    picture, (left, top), (left + SIDE - 1, top + SIDE - 1), (FACE,) * 3, -1
                )
            picture[0, 0] = number % 256, number // 256, 0
            yield picture

    def detect(self, pictures):
        found = []
        for picture in pictures:
            number = int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])
            self.searched.append(number)
            faces = [] if number in self.blind else _blobs(picture, 0, 0)
            found.append(faces + ([self.false[number]] if number in self.false else []))
        return found

    def refine(self, picture, squares):
        self.looks += len(squares)
        return [self._look(picture, *square) for square in squares]

    @staticmethod
    def _look(picture, left, top, side):
        x, y = int(max(left, 0)), int(max(top, 0))
        part = picture[y : int(top + side) + 1, x : int(left + side) + 1]
        blobs = _blobs(part, x, y) if part.size else []
        if not blobs:
            return Face(left, top, side, side, "mtcnn", 0.1)
        largest = max(blobs, key=lambda face: face.width * face.height)
        seen = largest.width * largest.height / SIDE**2
        # From a part of it the network tells where the whole face is, as long as half is seen.
        if seen < 0.5:
            return Face(left, top, side, side, "mtcnn", 0.1)
        whole = _blobs(picture, 0, 0)
        return max(whole, key=lambda face: overlap(face, largest))


def _blobs(picture, x, y):
    mask = (picture.min(axis=2) == FACE).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [
        Face(float(x + one[0]), float(y + one[1]), float(one[2]), float(one[3]), "mtcnn", 0.99)
        for one in stats[1:count]
        if one[4] >= 0.3 * SIDE**2
    ]


def _ground(kind):
    return (
        np.random.default_rng(kind)
        .integers(0, 200, (9, 16, 3), np.uint8)
        .repeat(14, 0)
        .repeat(13, 1)[: SIZE[0], : SIZE[1]]
    )


def follow(world, **settings):
    return track_faces(world.frames(), world.detect, world.refine, TrackingSettings(**settings))


def moving(frames, start=20):
    return [[(start + number, 40)] for number in range(frames)]


def test_a_moving_face_is_seen_in_every_frame_though_few_are_searched():
    world = World(moving(100))
    (track,) = follow(world)
    assert track.frames.tolist() == list(range(100))
    np.testing.assert_allclose(track.boxes[:, 0], 20 + np.arange(100))
    np.testing.assert_allclose(track.boxes[:, 1:], [[40, SIDE, SIDE]] * 100)
    assert world.searched == [0, 11, 23, 35, 47, 59, 71, 83, 95, 99]
    assert world.looks <= 110


def test_a_face_that_appears_between_two_searches_is_followed_back_to_where_it_came():
    places = [[]] * 17 + moving(40)
    (track,) = follow(World(places))
    assert track.frames.tolist() == list(range(17, 57))


def test_a_face_that_leaves_ends_with_its_last_frame():
    (track,) = follow(World(moving(40) + [[]] * 30))
    assert track.frames.tolist() == list(range(40))


def test_a_face_that_comes_back_near_by_keeps_its_number_and_has_a_gap():
    places = moving(30) + [[]] * 20 + moving(30, start=50)
    (track,) = follow(World(places))
    assert track.frames.tolist() == [*range(30), *range(50, 80)]


def test_a_face_that_comes_back_after_too_long_is_another():
    places = moving(30) + [[]] * 20 + moving(30, start=50)
    first, second = follow(World(places), gap_frames=10)
    assert (first.frames[-1], second.frames[0]) == (29, 50)


def test_a_face_that_comes_back_elsewhere_is_another():
    places = moving(30) + [[]] * 3 + moving(30, start=140)
    assert len(follow(World(places))) == 2


def test_two_faces_keep_their_numbers():
    places = [[(10 + number, 10), (150 - number, 80)] for number in range(90)]
    first, second = follow(World(places))
    for track, left in ((first, 10 + np.arange(90)), (second, 150 - np.arange(90))):
        assert track.frames.tolist() == list(range(90))
        assert abs(track.boxes[:, 0] - left).max() == 0


def test_a_face_hidden_for_a_few_frames_is_taken_up_before_the_next_search():
    places = moving(60)
    for number in (26, 27, 28):
        places[number] = []
    (track,) = follow(World(places))
    assert sorted(set(range(60)) - set(track.frames.tolist())) == [26, 27, 28]


def test_a_face_that_a_search_overlooks_is_followed_on():
    (track,) = follow(World(moving(100), blind=[23, 35]))
    assert track.frames.tolist() == list(range(100))


def test_what_no_search_finds_any_more_counts_as_gone_since_it_was_found():
    (track,) = follow(World(moving(100), blind=[47, 59, 71, 83, 95, 99]))
    assert track.frames.tolist() == list(range(36))


def test_what_one_search_took_for_a_face_is_none():
    world = World([[]] * 60, false={23: Face(50, 50, 40, 40, "mtcnn", 0.99)})
    assert follow(world) == []


def test_a_face_that_was_never_surely_found_is_none():
    class Doubtful(World):
        def detect(self, pictures):
            return [
                [Face(f.x, f.y, f.width, f.height, "mtcnn", 0.85) for f in found]
                for found in super().detect(pictures)
            ]

    assert follow(Doubtful(moving(60))) == []


def test_a_cut_ends_every_track_though_a_face_stands_at_the_same_place():
    places = [[(60, 40)]] * 60
    world = World(places, background=lambda number: _ground(1 if number < 25 else 2))
    first, second = follow(world)
    assert first.frames.tolist() == list(range(25))
    assert second.frames.tolist() == list(range(25, 60))
    assert {24, 25} <= set(world.searched)


def test_a_scene_shorter_than_the_least_number_of_frames_may_hold_a_face():
    (track,) = follow(World(moving(3)))
    assert track.frames.tolist() == [0, 1, 2]


def test_a_glimpse_within_a_long_scene_is_no_face():
    assert follow(World([[]] * 20 + moving(5) + [[]] * 30)) == []


def test_no_frame_has_no_face():
    assert follow(World([])) == []


def test_even_pictures_have_no_cut_between_them():
    world = World([[]] * 30, background=lambda number: np.full((*SIZE, 3), 3, np.uint8))
    assert follow(world) == []
    assert world.searched == [0, 11, 23, 29]


@pytest.mark.parametrize(
    ("other", "expected"),
    [((0, 0, 10, 10), 1.0), ((5, 0, 10, 10), 1 / 3), ((10, 0, 10, 10), 0.0), ((2, 2, 5, 5), 0.25)],
)
def test_the_overlap_of_two_boxes_is_worked_by_hand(other, expected):
    one = Face(0, 0, 10, 10, "mtcnn")
    assert overlap(one, Face(*other, "mtcnn")) == pytest.approx(expected)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="`search_every` must be at least 1. Received: 0"):
        TrackingSettings(search_every=0)
