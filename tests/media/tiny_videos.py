"""Small videos written on the spot, every frame different from all others."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (64, 48)  # width, height


def picture(number: int, *, size=SIZE, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    """Return a grey picture `(height, width)` with shapes that move and some grain."""
    width, height = size
    grain = np.random.default_rng([seed, number]).normal(0, 3, (height, width))
    y, x = np.mgrid[:height, :width]
    wave = 60 * np.sin((x + 2 * number) / 9) + 40 * np.cos((y - number) / 7)
    level = (120 + wave + grain + number % 8).clip(0, 255)
    return (level * 257).astype(np.uint16) if dtype == np.uint16 else level.astype(np.uint8)


def write_video(
    path: Path,
    frames: int = 60,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    rate: int = 25,
    group: int = 12,
    times_ms: list[int] | None = None,
    options: dict[str, str] | None = None,
    size=SIZE,
    seed: int = 0,
    rotation: int = 0,
) -> Path:
    """Write a video whose frame i is `picture(i)`.

    Args:
        group: frames between two keyframes.
        times_ms: when each frame is shown, milliseconds; None: evenly, by the rate.
        rotation: degrees by which it is to be turned when shown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    dtype = np.uint16 if pixel_format == "gray16le" else np.uint8
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.gop_size = group
        if rotation:
            stream.set_display_rotation(rotation)
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            pixels = picture(number, size=size, dtype=dtype, seed=seed)
            name = "gray16le" if dtype == np.uint16 else "gray"
            frame = av.VideoFrame.from_ndarray(pixels, format=name)
            if pixel_format != name:
                frame = frame.reformat(format=pixel_format)
            frame.pts = number if times_ms is None else times_ms[number]
            frame.time_base = Fraction(1, rate) if times_ms is None else Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def cut_file(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
