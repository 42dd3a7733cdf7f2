"""Random changes of training images: the operations of the ResNet paper's list, in its order.

The paper (section 2.1) names albumentations' Resize, HorizontalFlip, RandomBrightness,
ShiftScaleRotate, Compression, HueSaturationValue and Normalize without settings; the settings here
are the defaults of albumentations 2.0.8. Resize is `media.images`; Normalize is in the model.
Contrast, which the pruning paper (section 3) adds to them, follows brightness.

Images are uint8 `(height, width, 3)`, RGB. Every operation is a pure function of an image and
explicit parameters. OpenCV does the work: TensorFlow's own operations for these needed ten times
its time (rotating 224×224 pixels: 2.1 ms against 0.2; hue, saturation, value: 2.1 ms against 0.25).
"""

import dataclasses
import math

import cv2
import numpy as np

LEVELS = 255
HUES = 180  # OpenCV's and albumentations' hue circle: one unit is two degrees
DRAWS = 17  # random numbers per image; always as many, so that no setting shifts another's


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How likely each change is and how far it goes; each is drawn evenly within ± its limit.

    Args:
        flip_probability: of mirroring left and right.
        brightness_probability: of adding a constant to all channels.
        brightness_limit: its limit, as a share of the full range of 255.
        warp_probability: of shifting, scaling and rotating; what comes in from outside is black.
        shift_limit: as a share of height and width.
        scale_limit: as a share of the size; height and width are drawn apart.
        rotation_limit: in degrees.
        compression_probability: of compressing as JPEG and decoding again.
        compression_quality: the lowest and highest JPEG quality.
        colour_probability: of shifting hue, saturation and value.
        hue_limit: in units of two degrees (180 to the circle).
        saturation_limit: in levels of 255.
        value_limit: in levels of 255.
        contrast_probability: of stretching or shrinking the distances from the mean grey.
        contrast_limit: as a share of the distances.

    Raises:
        ValueError: when a probability or limit is out of range.
    """

    flip_probability: float = 0.5
    brightness_probability: float = 0.5
    brightness_limit: float = 0.2
    warp_probability: float = 0.5
    shift_limit: float = 0.0625
    scale_limit: float = 0.1
    rotation_limit: float = 45.0
    compression_probability: float = 0.5
    compression_quality: tuple[int, int] = (99, 100)
    colour_probability: float = 0.5
    hue_limit: float = 20.0
    saturation_limit: float = 30.0
    value_limit: float = 20.0
    contrast_probability: float = 0.0
    contrast_limit: float = 0.2

    def __post_init__(self):
        highest = {
            "brightness_limit": 1,
            "shift_limit": 1,
            "rotation_limit": 180,
            "hue_limit": HUES,
            "saturation_limit": LEVELS,
            "value_limit": LEVELS,
            "contrast_limit": 1,
        }
        for name, value in dataclasses.asdict(self).items():
            if name.endswith("_probability") and not 0 <= value <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received: {name}={value}")
            if name in highest and not 0 <= value <= highest[name]:
                raise ValueError(
                    f"`{name}` must be in [0, {highest[name]}]. Received: {name}={value}"
                )
        if not 0 <= self.scale_limit < 1:
            raise ValueError(
                f"`scale_limit` must be in [0, 1). Received: scale_limit={self.scale_limit}"
            )
        lowest, best = self.compression_quality
        if not 1 <= lowest <= best <= 100:
            raise ValueError(
                "`compression_quality` must be (lowest, highest) within 1 and 100. "
                f"Received: compression_quality={self.compression_quality}"
            )

    @classmethod
    def none(cls) -> "Augmentation":
        """Return settings that leave every image as it is."""
        return cls(0.0, 0.0, warp_probability=0, compression_probability=0, colour_probability=0)

    @classmethod
    def light(cls) -> "Augmentation":
        """Return flip and a gentle warp: for small aligned faces, where 45° leaves no face."""
        return dataclasses.replace(
            cls.none(), flip_probability=0.5, warp_probability=0.5, rotation_limit=15.0
        )

    @classmethod
    def rotate_and_colour(
        cls, rotation_limit: float = 15.0, colour_limit: float = 0.2
    ) -> "Augmentation":
        """Return the pruning paper's list (section 3), every image changed in every epoch.

        It names rotation, noise on brightness, contrast and saturation, and flips, all without
        settings: the limits are chosen. Nothing is shifted or scaled.

        Args:
            rotation_limit: in degrees.
            colour_limit: of brightness, contrast and saturation, as a share of the full range.
        """
        return cls(
            brightness_probability=1.0,
            brightness_limit=colour_limit,
            warp_probability=1.0,
            shift_limit=0.0,
            scale_limit=0.0,
            rotation_limit=rotation_limit,
            compression_probability=0.0,
            colour_probability=1.0,
            hue_limit=0.0,
            saturation_limit=LEVELS * colour_limit,
            value_limit=0.0,
            contrast_probability=1.0,
            contrast_limit=colour_limit,
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether every probability is zero."""
        values = dataclasses.asdict(self)
        return not any(value for name, value in values.items() if name.endswith("_probability"))


def augment(image, augmentation: Augmentation, *, seed: int, epoch: int, row: int) -> np.ndarray:
    """Return the image as that row is seen in that epoch, uint8 `(height, width, 3)`.

    The result depends on the image, the settings and `(seed, epoch, row)` alone.
    """
    return _augment(image, augmentation, draw_uniform(seed, epoch, [row])[0])


def augment_batch(images, augmentation: Augmentation, *, seed: int, epoch: int, rows):
    """Return every image as `augment` would, uint8 `(batch, height, width, 3)`."""
    draws = draw_uniform(seed, epoch, rows)
    augmented = np.empty_like(images)
    for target, image, draw in zip(augmented, images, draws, strict=True):
        target[:] = _augment(image, augmentation, draw)
    return augmented


def draw_uniform(seed: int, epoch: int, rows) -> np.ndarray:
    """Return random numbers in [0, 1) of each row, float64 `(rows, DRAWS)`, without any state.

    Each number is SplitMix64's output function (Steele, Lea and Flood, 2014) over its address
    `(seed, epoch, row, draw)`: a whole batch costs what one NumPy generator costs to build.
    """
    key = _mix(np.array([seed], np.uint64))
    key = _mix(key + np.array([epoch], np.uint64))
    key = _mix(key + np.asarray(rows, np.uint64))
    bits = _mix(key[:, np.newaxis] + np.arange(DRAWS, dtype=np.uint64))
    return (bits >> np.uint64(11)) * 2.0**-53


def flip(image: np.ndarray) -> np.ndarray:
    """Mirror left and right."""
    return cv2.flip(image, 1)


def shift_brightness(image: np.ndarray, levels: int) -> np.ndarray:
    """Add whole levels of 255 to all channels, stopping at 0 and 255."""
    return cv2.add(image, (levels, levels, levels, 0))


def scale_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Multiply every level's distance from the image's mean grey, stopping at 0 and 255."""
    mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    levels = mean + factor * (np.arange(LEVELS + 1) - mean)
    return cv2.LUT(image, np.clip(np.rint(levels), 0, LEVELS).astype(np.uint8))


def affine_matrix(size, *, shift=(0.0, 0.0), scale=(1.0, 1.0), degrees=0.0) -> np.ndarray:
    """Return the matrix `(2, 3)` that scales, then rotates about the centre, then shifts.

    Args:
        size: `(height, width)` in pixels.
        shift: `(x, y)` in pixels, right and down.
        scale: `(x, y)`, above 1 enlarges.
        degrees: anticlockwise as seen on the screen.
    """
    centre = np.array([size[1] - 1, size[0] - 1]) / 2
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    linear = np.array([[cosine, sine], [-sine, cosine]]) * scale
    return np.column_stack([linear, centre + shift - linear @ centre])


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Move each pixel `(x, y)` to `matrix @ (x, y, 1)`, bilinearly; black comes in from outside."""
    return cv2.warpAffine(image, matrix, (image.shape[1], image.shape[0]))


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Encode as JPEG of a quality from 1 to 100 (colour at half resolution) and decode again."""
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", swapped, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)


def shift_hue_saturation_value(
    image: np.ndarray, hue: float, saturation: float, value: float
) -> np.ndarray:
    """Turn the hue and add to saturation and value; greys stay grey.

    Args:
        image: uint8 `(height, width, 3)`.
        hue: in units of two degrees; goes round the circle.
        saturation: levels of 255, stopping at 0 and 255.
        value: levels of 255, stopping at 0 and 255.
    """
    # The _FULL variant spreads the hue circle over 256 levels, so that uint8 wraps as hues do.
    hues, saturations, values = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL))
    hues += np.uint8(round(hue * 256 / HUES) % 256)
    # Grey has no hue: its saturation must stay zero or it would turn red.
    coloured = cv2.compare(saturations, 0, cv2.CMP_GT)
    saturations = cv2.bitwise_and(cv2.add(saturations, round(saturation)), coloured)
    values = cv2.add(values, round(value))
    return cv2.cvtColor(cv2.merge((hues, saturations, values)), cv2.COLOR_HSV2RGB_FULL)


def _augment(image: np.ndarray, augmentation: Augmentation, draw: np.ndarray) -> np.ndarray:
    """Apply what the numbers `(DRAWS,)` say, in the papers' order."""
    chances = draw[:5]
    brightness, shift_x, shift_y, scale_x, scale_y, turn, hue, saturation, value = (
        2 * draw[5:14] - 1
    ).tolist()
    height, width = image.shape[:2]
    if chances[0] < augmentation.flip_probability:
        image = flip(image)
    if chances[1] < augmentation.brightness_probability:
        image = shift_brightness(image, round(LEVELS * augmentation.brightness_limit * brightness))
    if draw[15] < augmentation.contrast_probability:
        image = scale_contrast(image, 1 + augmentation.contrast_limit * (2 * draw[16] - 1))
    if chances[2] < augmentation.warp_probability:
        shift, scale = augmentation.shift_limit, augmentation.scale_limit
        matrix = affine_matrix(
            (height, width),
            shift=(shift * shift_x * width, shift * shift_y * height),
            scale=(1 + scale * scale_x, 1 + scale * scale_y),
            degrees=augmentation.rotation_limit * turn,
        )
        image = warp(image, matrix)
    if chances[3] < augmentation.compression_probability:
        lowest, best = augmentation.compression_quality
        image = compress(image, lowest + int((best - lowest + 1) * draw[14]))
    if chances[4] < augmentation.colour_probability:
        image = shift_hue_saturation_value(
            image,
            augmentation.hue_limit * hue,
            augmentation.saturation_limit * saturation,
            augmentation.value_limit * value,
        )
    return image


def _mix(state: np.ndarray) -> np.ndarray:
    """Scatter 64-bit numbers: SplitMix64's step and output function; overflow is intended."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
