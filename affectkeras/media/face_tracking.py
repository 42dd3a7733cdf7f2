"""Faces followed through a video: searched for in some frames, followed in those between.

Searching a frame takes about thirty times as long as following a face into it. So frames a fraction
of a second apart are searched, each face found there is followed from frame to frame, forwards, and
one that was not there before also backwards, until the network that follows no longer takes it for
a face. A cut ends every track, and the frame after it is searched.

Everything here works on a stream of pictures and on two functions, one that searches and one that
looks again. Only a second or two of pictures is held at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import cv2
import numpy as np

from affectkeras.media.faces import Face
from affectkeras.media.scene_tracker import FaceTrack, Refine, SceneTracker, TrackingSettings

Detect = Callable[[Sequence[np.ndarray]], list[list[Face]]]

_THUMBNAIL = (32, 18)  # pixels to which frames are shrunk to see a cut
_SEARCHES_AT_ONCE = 4  # pictures searched together take less time than one by one


def track_faces(
    frames: Iterable[np.ndarray],
    detect: Detect,
    refine: Refine,
    settings: TrackingSettings | None = None,
) -> list[FaceTrack]:
    """Return the faces of a video, in the order in which they appear.

    Args:
        frames: uint8 RGB `(height, width, 3)`, all of one size.
        detect: searches pictures, see `faces.detect_faces`.
        refine: looks again at squares of a picture, see `face_refiner.refine_faces`.
        settings: by default `TrackingSettings()`.
    """
    settings = settings or TrackingSettings()
    tracker, end = SceneTracker(refine, settings), 0
    for begin, pictures, cuts in _blocks(frames, settings):
        end = begin + len(pictures)
        wanted = _to_search(begin, end, cuts, settings.search_every)
        found = detect([pictures[frame - begin] for frame in wanted])
        first = begin
        for last, faces in zip(wanted, found, strict=True):
            if first in cuts:
                tracker.end_scene(first)
            tracker.follow(pictures[first - begin : last + 1 - begin], first, faces)
            first = last + 1
    tracker.end_scene(end)
    return sorted(tracker.done, key=lambda track: track.frames[0])


def _blocks(
    frames: Iterable[np.ndarray], settings: TrackingSettings
) -> Iterator[tuple[int, list[np.ndarray], set[int]]]:
    """Yield number of the first frame, pictures, and before which frames there is a cut."""
    begin, pictures, cuts, before = 0, [], set(), None
    for number, picture in enumerate(frames):
        thumbnail = cv2.resize(picture, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        if before is not None and _correlation(before, thumbnail) < settings.cut_correlation:
            cuts.add(number)
        before = thumbnail
        pictures.append(picture)
        if len(pictures) == _SEARCHES_AT_ONCE * settings.search_every:
            yield begin, pictures, cuts
            begin, pictures, cuts = number + 1, [], set()
    if pictures:
        yield begin, pictures, cuts


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two small pictures; 1 where both are nearly even."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    one, other = one - one.mean(), other - other.mean()
    spread = np.sqrt((one**2).mean() * (other**2).mean())
    return float((one * other).mean() / spread) if spread > 1 else 1.0


def _to_search(begin: int, end: int, cuts: set[int], every: int) -> list[int]:
    """Return the frames to be searched: the first of all, every so manieth, the last, and those on
    both sides of a cut.
    """
    beside = {frame for cut in cuts for frame in (cut - 1, cut) if frame >= begin}
    start = {0} if begin == 0 else set()
    return sorted({*start, *range(begin + every - 1, end, every), end - 1, *beside})
