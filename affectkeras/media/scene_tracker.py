"""The faces of a scene, followed from frame to frame: the memory behind `face_tracking`."""

import dataclasses
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from affectkeras.media.face_refiner import square_of
from affectkeras.media.faces import Face

Refine = Callable[[np.ndarray, np.ndarray], list[Face]]

# Where a lost face is looked for: its last square, moved by these shares of its side, or resized.
_STEPS = [(0, 0, 1), (0, 0, 0.8), (0, 0, 1.25)] + [
    (x, y, 1) for x in (-0.25, 0, 0.25) for y in (-0.25, 0, 0.25) if x or y
]


@dataclasses.dataclass(frozen=True)
class TrackingSettings:
    """How faces are followed.

    Args:
        search_every: frames between two that are searched.
        same_box: overlap (intersection over union) from which on two boxes are of one face.
        min_confidence: below this probability a face that is followed counts as lost.
        again_confidence: a face that was lost must be as sure as this to be taken up again without
            a search.
        sure_confidence: a face must have been found with this probability in one search at least.
        mean_confidence: a face must have this probability on average over its frames.
        min_frames: a face that is followed through fewer frames is none, unless the scene between
            two cuts is shorter.
        misses: searches in a row that may overlook a face that is followed; then it counts as gone
            since it was last found.
        gap_frames: how long a face may be out of sight and come back under its number, where it
            comes back near to where it went.
        cut_correlation: two frames whose shrunk pictures correlate less have a cut between them.
    """

    search_every: int = 12
    same_box: float = 0.3
    min_confidence: float = 0.7
    again_confidence: float = 0.9
    sure_confidence: float = 0.9
    mean_confidence: float = 0.85
    min_frames: int = 6
    misses: int = 3
    gap_frames: int = 60
    cut_correlation: float = 0.5

    def __post_init__(self):
        for name in ("search_every", "min_frames", "misses"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")


@dataclasses.dataclass(frozen=True, eq=False)
class FaceTrack:
    """One face, in every frame in which it was seen.

    Args:
        frames: numbers of the frames, from 0, ascending, int64 `(seen,)`.
        boxes: left and upper edge, width and height, pixels, float32 `(seen, 4)`.
        confidence: probability of a face, float32 `(seen,)`.
    """

    frames: np.ndarray
    boxes: np.ndarray
    confidence: np.ndarray


def overlap(one: Face, other: Face) -> float:
    """Return the intersection of two boxes as a share of their union."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / (one.width * one.height + other.width * other.height - both)


class _Path:
    """A face that is being followed, or was lost a while ago; a frame takes 28 bytes."""

    def __init__(self):
        self.frames, self.rows = array("q"), array("f")
        self.last: Face | None = None
        self.sure = 0.0  # the highest probability that a search gave it
        self.found = -1  # the last frame in which a search found it
        self.misses = 0  # searches since then
        self.lost = False

    def see(self, frame: int, face: Face) -> None:
        self.frames.append(frame)
        self.rows.extend((face.x, face.y, face.width, face.height, face.confidence))
        self.last, self.lost = face, False

    def find(self, frame: int, face: Face) -> None:
        self.see(frame, face)
        self.sure = max(self.sure, face.confidence)
        self.found, self.misses = frame, 0

    def forget_since_found(self) -> None:
        while self.frames and self.frames[-1] > self.found:
            del self.frames[-1], self.rows[-5:]


class SceneTracker:
    """The faces of the scene that is being looked at, and those of scenes before."""

    def __init__(self, refine: Refine, settings: TrackingSettings):
        self.refine, self.settings = refine, settings
        self.paths: list[_Path] = []
        self.done: list[FaceTrack] = []
        self.scene = 0  # its first frame

    def follow(self, pictures: Sequence[np.ndarray], first: int, found: list[Face]) -> None:
        """Follow the faces through a stretch whose last frame was searched.

        Args:
            pictures: of the stretch.
            first: number of its first frame.
            found: what the search found in the last.
        """
        last = first + len(pictures) - 1
        boxes: list[list[Face]] = [[] for _ in pictures]
        for position, picture in enumerate(pictures[:-1]):
            for path, face in self._look(picture, first + position):
                path.lost = face is None or self._is_any(face, boxes[position])
                if not path.lost:
                    path.see(first + position, face)
                    boxes[position].append(face)
        for face in self._match(self._look(pictures[-1], last), last, found):
            earlier = self._follow_back(face, pictures[:-1], boxes[:-1])
            path = self._path_of(face if not earlier else earlier[-1], last - len(earlier))
            for steps, seen in reversed(list(enumerate(earlier, 1))):
                path.see(last - steps, seen)
            path.find(last, face)

    def end_scene(self, following: int) -> None:
        """Finish every face, as a cut comes before the frame `following`, or the end."""
        for path in self.paths:
            self._finish(path, following - self.scene)
        self.paths, self.scene = [], following

    def _look(self, picture: np.ndarray, frame: int) -> list[tuple[_Path, Face | None]]:
        """Return where the known faces are in a picture, the surest first; None: not seen."""
        near = [path for path in self.paths if not path.lost]
        seen = self.refine(picture, np.array([square_of(path.last) for path in near]))
        result = []
        for path, face in zip(near, seen, strict=True):
            good = self._follows(path.last, face)
            result.append((path, face if good else self._look_around(path.last, picture)))
        for path in self.paths:
            # One that was lost a moment ago may show again: a hand passed by.
            if path.lost and frame - path.frames[-1] <= self.settings.search_every:
                result.append((path, self._look_around(path.last, picture)))
        return sorted(result, key=lambda one: -(one[1].confidence if one[1] else 0.0))

    def _look_around(self, face: Face, picture: np.ndarray) -> Face | None:
        left, top, side = square_of(face)
        squares = [
            (left + (x + (1 - size) / 2) * side, top + (y + (1 - size) / 2) * side, size * side)
            for x, y, size in _STEPS
        ]
        best = max(self.refine(picture, np.array(squares)), key=lambda seen: seen.confidence)
        again = self.settings.again_confidence
        return best if best.confidence >= again and self._is_near(face, best) else None

    def _follows(self, before: Face, face: Face) -> bool:
        enough = face.confidence >= self.settings.min_confidence
        return enough and overlap(before, face) >= self.settings.same_box

    def _follow_back(self, face: Face, pictures, boxes) -> list[Face]:
        """Return a face that shows in the last frame in those before, the latest first."""
        seen = []
        for picture, others in zip(reversed(pictures), reversed(boxes), strict=True):
            (earlier,) = self.refine(picture, np.array([square_of(face)]))
            if not self._follows(face, earlier) or self._is_any(earlier, others):
                break
            seen.append(earlier)
            face = earlier
        return seen

    def _match(self, looked: list, last: int, found: list[Face]) -> list[Face]:
        """Give each face that was followed what the search found of it; return what is new."""
        pairs = sorted(
            (
                (overlap(face, other), number, position)
                for number, (_, face) in enumerate(looked)
                if face is not None
                for position, other in enumerate(found)
            ),
            reverse=True,
        )
        taken, given = set(), set()
        for share, number, position in pairs:
            if share >= self.settings.same_box and number not in taken and position not in given:
                taken.add(number)
                given.add(position)
                looked[number][0].find(last, found[position])
        for number, (path, face) in enumerate(looked):
            if number not in taken:
                self._miss(path, last, face, [found[position] for position in given])
        return [
            face
            for position, face in enumerate(found)
            if position not in given and not self._is_any(face, [found[other] for other in given])
        ]

    def _miss(self, path: _Path, frame: int, face: Face | None, others: list[Face]) -> None:
        """Note that a search did not find a face that was followed."""
        path.misses += 1
        if face is None or self._is_any(face, others):
            path.lost = True
        elif path.misses < self.settings.misses:
            path.see(frame, face)
        else:
            path.forget_since_found()
            path.lost = True

    def _path_of(self, face: Face, frame: int) -> _Path:
        """Return the face that was lost near here not long ago, or a new one."""
        for path in self.paths:
            gap = frame - path.frames[-1]
            if path.lost and 0 < gap <= self.settings.gap_frames and self._is_near(path.last, face):
                return path
        self.paths.append(_Path())
        return self.paths[-1]

    def _is_any(self, face: Face, others: list[Face]) -> bool:
        return any(overlap(face, other) >= self.settings.same_box for other in others)

    @staticmethod
    def _is_near(one: Face, other: Face) -> bool:
        """Return whether a face may have moved from one box to the other in a moment."""
        (left, top, side), (other_left, other_top, other_side) = square_of(one), square_of(other)
        away = np.hypot(
            left + side / 2 - other_left - other_side / 2,
            top + side / 2 - other_top - other_side / 2,
        )
        return bool(away <= side and 0.5 <= other_side / side <= 2)

    def _finish(self, path: _Path, scene_frames: int) -> None:
        rows = np.array(path.rows, np.float32).reshape(-1, 5)
        settings = self.settings
        if (
            len(rows) >= min(settings.min_frames, scene_frames)
            and path.sure >= settings.sure_confidence
            and rows[:, 4].mean() >= settings.mean_confidence
        ):
            frames = np.array(path.frames, np.int64)
            self.done.append(FaceTrack(frames, rows[:, :4].copy(), rows[:, 4].copy()))
