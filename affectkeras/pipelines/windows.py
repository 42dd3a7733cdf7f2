"""Windows over the frames of a video, and what their predictions make of each frame.

A recurrent network is trained on windows of so many frames; a video has more. So windows begin
every `hop` frames, each frame lies in several, and the value that counts is the one from the window
that begins first: there the frame has most past behind it. Training, evaluation and prediction use
the same windows.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np


def sliding_windows(length: int, size: int, hop: int) -> np.ndarray:
    """Return the windows over `length` frames, int64 `(windows, size)`: positions of the frames.

    They begin at 0, hop, 2 · hop …; the last ends with the last frame. Fewer frames than `size` are
    one window, filled up with -1.

    Args:
        length: frames there are.
        size: frames of a window.
        hop: frames from one beginning to the next, at most `size`.
    """
    if not 1 <= hop <= size:
        raise ValueError(f"`hop` must be from 1 to `size`. Received: hop={hop}, size={size}")
    if length <= size:
        window = np.full((min(length, 1), size), -1, np.int64)
        window[:, :length] = np.arange(length)
        return window
    starts = [*range(0, length - size, hop), length - size]
    return np.array(starts, np.int64)[:, np.newaxis] + np.arange(size)


def join_windows(windows: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    """Return what the windows say of each frame: its value from the first window that holds it.

    Args:
        windows: positions `(windows, size)`, by their beginnings; -1 is no frame.
        values: `(windows, size, …)`.
        length: frames there are.

    Returns:
        `(length, …)`; NaN for frames in no window.
    """
    joined = np.full((length, *values.shape[2:]), np.nan, np.float64)
    for window, value in zip(windows[::-1], values[::-1], strict=True):
        held = window >= 0
        joined[window[held]] = value[held]
    return joined


def stream_windows(
    features: Iterable[np.ndarray], size: int, hop: int, recur: Callable[[np.ndarray], np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield what `sliding_windows` and `join_windows` would say of each frame, in their order.

    No more than a window and a hop of features is held, however many frames there are.

    Args:
        features: of each frame, `(width,)`.
        size, hop: as in `sliding_windows`.
        recur: `(time, width)` → `(time, outputs)`.
    """
    held: list[np.ndarray] = []  # from `first` on: the window being filled, and a hop before it
    first = start = given = total = 0  # frames: held, of the window, yielded, seen
    for feature in features:
        held.append(feature)
        total += 1
        if total - start == size:
            yield from recur(np.stack(held[start - first :]))[given - start :]
            given, start = total, start + hop
            dropped = max(0, start - hop - first)
            first += dropped
            del held[:dropped]
    if total > given:
        yield from recur(np.stack(held[-size:]))[given - total :]
