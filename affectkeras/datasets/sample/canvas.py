"""Anti-aliased drawing in face coordinates on a turned head."""

import contextlib
import functools
import math
from collections.abc import Iterator

import cv2
import numpy as np

Color = tuple[float, float, float]

_SHIFT = 4  # OpenCV's fixed point: coordinates in sixteenths of a pixel


def mix(first: Color, second: Color, share: float) -> Color:
    """Return the RGB colour that lies `share` of the way from `first` to `second`."""
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


def smooth(points, steps: int = 6, closed: bool = False) -> np.ndarray:
    """Return a Catmull-Rom curve through `points` `(n, 2)`, with `steps` pieces between two."""
    points = np.asarray(points, dtype=np.float64)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    pieces = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)
    curve = (_catmull_rom(steps) @ pieces).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


@functools.cache
def _catmull_rom(steps: int) -> np.ndarray:
    """Return the weights of four neighbouring points, `(steps, 4)`."""
    t = np.arange(steps) / steps
    return 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2],
        axis=1,
    )


class Canvas:
    """An RGB picture to draw a head on.

    Face coordinates: x to the right and y down as the viewer sees them, the origin between the eyes
    and the nose tip, 1 = half the height of the head. Points lie on an ellipsoid and are turned
    with the head, so that a brow or a mouth corner moves as it would on a real face.

    Args:
        width, height: of the picture, pixels.
        yaw, pitch, roll: how the head is turned, radians.
        zoom: 1 fills the picture as an aligned face does.
        offset: where the face's centre lies, `(x, y)` in face units away from the picture's.
    """

    def __init__(self, width, height, yaw=0.0, pitch=0.0, roll=0.0, zoom=1.0, offset=(0.0, 0.0)):
        self.image = np.zeros((height, width, 3), dtype=np.uint8)
        self.scale = 0.43 * height * zoom  # pixels of one face unit
        self.center = np.array(
            [width / 2 + offset[0] * self.scale, 0.505 * height + offset[1] * self.scale]
        )
        self.yaw, self.pitch, self.roll = yaw, pitch, roll

    def project(self, points, flat: bool = False) -> np.ndarray:
        """Return pixel coordinates `(n, 2)` of face points; `flat` ones lie behind the face."""
        x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        depth = 0.0 if flat else 0.8 * np.sqrt(np.maximum(1 - x**2 - (y / 1.3) ** 2, 0))
        # The aligner centres the features, so the picture follows half of their movement.
        turned_x = x * math.cos(self.yaw) + (depth - 0.35) * math.sin(self.yaw)
        turned_y = y * math.cos(self.pitch) + (depth - 0.35) * math.sin(self.pitch)
        cosine, sine = math.cos(self.roll), math.sin(self.roll)
        pixels = np.empty((len(x), 2))
        pixels[:, 0] = turned_x * cosine - turned_y * sine
        pixels[:, 1] = turned_x * sine + turned_y * cosine
        pixels *= self.scale
        pixels += self.center
        return pixels

    def fill(self, points, color: Color, flat: bool = False) -> None:
        """Fill the polygon through `points`."""
        fixed = self._fixed(self.project(points, flat))
        cv2.fillPoly(self.image, [fixed], color, cv2.LINE_AA, _SHIFT)

    def stroke(self, points, color: Color, width: float, flat: bool = False) -> None:
        """Draw a line through `points`, `width` in face units."""
        fixed = self._fixed(self.project(points, flat))
        thickness = max(1, round(width * self.scale))
        cv2.polylines(self.image, [fixed], False, color, thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, center, radius: float, color: Color, flat: bool = False) -> None:
        """Fill a circle, `radius` in face units."""
        middle = self.project([center], flat)[0]
        fixed = tuple(int(round(value * 2**_SHIFT)) for value in middle)
        size = int(round(radius * self.scale * 2**_SHIFT))
        cv2.circle(self.image, fixed, size, color, -1, cv2.LINE_AA, _SHIFT)

    def tint(self, points, color: Color, alpha: float, blur: float, flat: bool = False) -> None:
        """Lay a soft-edged patch of colour over the polygon; `blur` in face units."""
        if alpha <= 0.03:
            return
        pixels = self.project(points, flat)
        sigma = max(blur * self.scale, 0.3)
        box = self._box(pixels, margin=3 * sigma + 2)
        if box is None:
            return
        # Wide blurs are made on a smaller mask: the same look at a tenth of the time.
        coarse = 1 if sigma < 2 else 2 if sigma < 4 else 4
        mask = self._mask(pixels, box, coarse)
        mask = cv2.GaussianBlur(mask, (0, 0), sigma / coarse)
        self._blend(box, mask, np.float32(color), min(alpha, 1.0))

    @contextlib.contextmanager
    def clipped(self, points, flat: bool = False) -> Iterator[None]:
        """Let what is drawn inside the `with` block show only within the polygon."""
        pixels = self.project(points, flat)
        before = self.image.copy()
        yield
        box = self._box(pixels, margin=2)
        if box is None:
            self.image = before
            return
        new = self.image[box].astype(np.float32)
        self.image = before
        self._blend(box, self._mask(pixels, box), new, 1.0)

    def _mask(self, pixels: np.ndarray, box: tuple[slice, slice], coarse: int = 1) -> np.ndarray:
        """Return the filled polygon within the box, 0–255, every `coarse`-th pixel."""
        rows, columns = box
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        mask = np.zeros([-(-length // coarse) for length in shape], dtype=np.uint8)
        inside = (pixels - (columns.start, rows.start)) / coarse
        cv2.fillPoly(mask, [self._fixed(inside)], 255, cv2.LINE_AA, _SHIFT)
        return mask

    def _blend(self, box: tuple[slice, slice], mask: np.ndarray, new, alpha: float) -> None:
        """Move the box's pixels towards `new` by `mask / 255 * alpha`."""
        part = self.image[box].astype(np.float32)
        if mask.shape != part.shape[:2]:
            mask = cv2.resize(mask, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        share = mask.astype(np.float32)[..., None] * np.float32(alpha / 255)
        part += (new - part) * share
        part += 0.5
        self.image[box] = part

    def _fixed(self, pixels: np.ndarray) -> np.ndarray:
        return np.round(pixels * 2**_SHIFT).astype(np.int32)

    def _box(self, pixels: np.ndarray, margin: float) -> tuple[slice, slice] | None:
        """Return the rows and columns around the points, or None where they miss the picture."""
        height, width = self.image.shape[:2]
        low = np.floor(pixels.min(axis=0) - margin).astype(int)
        high = np.ceil(pixels.max(axis=0) + margin).astype(int)
        left, top = max(low[0], 0), max(low[1], 0)
        right, bottom = min(high[0], width), min(high[1], height)
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)
