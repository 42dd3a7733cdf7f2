"""Following a face from one frame to the next with the last of MTCNN's three networks.

MTCNN looks for faces with three networks; the last, O-Net, is given a square that holds a face more
or less and says how surely it is one, where exactly its box lies and where eyes, nose and mouth are
(Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", section II). A face moves little between two frames, so that the square of the last one
serves: one small network instead of a search, and the same boxes and probabilities as a search's.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from affectkeras.media.faces import Face

_SIDE = 48  # of O-Net's input, pixels
_GREY = 127.5  # zero once normalised, as MTCNN fills what lies beyond a picture


def refine_faces(image: np.ndarray, squares: np.ndarray) -> list[Face]:
    """Return what O-Net sees in squares of one picture: box, landmarks, probability.

    The first call imports TensorFlow and loads the network.

    Args:
        image: uint8 RGB `(height, width, 3)`.
        squares: `(squares, 3)`: left and upper edge and side, pixels; they may reach beyond the
            picture.

    Returns:
        A face for each square, its box cut at the picture's edges. `confidence` may be low: it is
        for the caller to say from where on it counts. A box that lies wholly outside has a
        confidence of 0.
    """
    squares = np.asarray(squares, np.float64).reshape(-1, 3)
    if not len(squares):
        return []
    patches = np.stack([_patch(image, *square) for square in squares])
    offsets, points, scores = (part.numpy() for part in _network()(patches))
    left, top, side = squares.T
    # The package's own rule counts the last pixel in.
    corners = np.stack([left, top, left + side, top + side], axis=1) + offsets * (side + 1)[:, None]
    across = points[:, :5] * (side + 1)[:, None] + left[:, None] - 1
    down = points[:, 5:] * (side + 1)[:, None] + top[:, None] - 1
    return [
        _face(corner, float(score[1]), tuple(zip(x.tolist(), y.tolist(), strict=True)), image.shape)
        for corner, score, x, y in zip(corners, scores, across, down, strict=True)
    ]


def square_of(face: Face) -> tuple[float, float, float]:
    """Return the square about a face's box that O-Net is to look at: left, top, side."""
    side = max(face.width, face.height)
    left = face.x + face.width / 2 - side / 2
    return left, face.y + face.height / 2 - side / 2, side


def _patch(image: np.ndarray, left: float, top: float, side: float) -> np.ndarray:
    scale = (side - 1) / (_SIDE - 1)
    matrix = np.array([[scale, 0, left], [0, scale, top]], np.float64)
    return cv2.warpAffine(
        image,
        matrix,
        (_SIDE, _SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(_GREY, _GREY, _GREY),
    )


def _face(corner, confidence: float, points, shape: Sequence[int]) -> Face:
    left, right = np.clip(corner[[0, 2]], 0, shape[1])
    top, bottom = np.clip(corner[[1, 3]], 0, shape[0])
    if not (right > left and bottom > top):
        confidence = 0.0
    box = (float(left), float(top), float(right - left), float(bottom - top))
    return Face(*box, "mtcnn", confidence, points)


@functools.cache
def _network():
    import tensorflow as tf
    from mtcnn.network.onet import ONet
    from mtcnn.utils.tensorflow import load_weights

    network = ONet()
    network.build()
    network.set_weights(load_weights("onet.lz4"))

    @tf.function(input_signature=[tf.TensorSpec((None, _SIDE, _SIDE, 3), tf.uint8)])
    def look(patches):
        return network((tf.cast(patches, tf.float32) - 127.5) / 128)

    return look
