"""Decoding a photograph the way its camera meant it to be seen.

`affectkeras.media.images`, which feeds training and serving, looks at pixels only: it does not turn
pictures by their EXIF orientation. What works on photographs as they come from a camera turns them
here and passes on pictures that carry no orientation any more.
"""

import numpy as np
from PIL import Image

from affectkeras.media.image_check import ImageDamaged, open_image

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_upright(data: bytes) -> np.ndarray:
    """Return the pixels of a JPEG or PNG, turned as its EXIF orientation says.

    Grey becomes three equal channels, of 16 bits the upper eight are kept, transparency is dropped,
    all as `tf.io.decode_image` does it.

    Returns:
        uint8 `(height, width, 3)`, RGB.

    Raises:
        ImageDamaged: with the reason.
    """
    image = open_image(data)
    try:
        image.load()
        turn = _TURNS.get(_orientation(image))
        if turn is not None:
            image = image.transpose(turn)
        if image.mode.startswith("I"):
            # Pillow's own conversion clips instead.
            grey = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
            return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
        return np.asarray(image.convert("RGB"))
    except Exception as error:
        # What Pillow's decoders raise depends on where the damage lies.
        raise ImageDamaged(f"broken or truncated: {error}") from error


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:
        # Broken metadata, of which Pillow makes many kinds of errors, leave the pixels as they are.
        return None
