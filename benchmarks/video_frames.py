"""Seconds to take 20 segments × 30 frames from a 15-minute video: ours against OpenCV.

    python -m benchmarks.video_frames [--quick]

The video is made here: 640×480 at 30 frames per second, a warm shape that moves before a textured
room under sensor noise. What a reader may leave out depends on how a video was written, so there
are several: H.264 by x264 with its usual B-frames and 250 frames between two keyframes, its default
and the hardest case, with colour planes, as most thermal videos are stored, and with grey only;
H.264 with a keyframe every second, as cameras and streams have it; and MPEG-4 in an AVI file with
one every 12 frames, as recordings of ten years ago have it. Segments lie as in ANUStressDB (30 s of
preparation, 6 s between two).

The peer, `cv2.VideoCapture.read`, decodes every frame and keeps the wanted ones. A second peer
counts as well, but has no bar: `grab` for what is not wanted, which decodes it without turning it
into pixels. Beforehand it is held that the frames of all three are equal, pixel for pixel.
"""

import dataclasses
import os
import tempfile
from pathlib import Path

WIDTH, HEIGHT, RATE = 640, 480, 30
BAR = 5.0  # least ratio peer / ours


@dataclasses.dataclass(frozen=True)
class Form:
    """How a video is written; `group` frames lie between two keyframes."""

    name: str
    codec: str
    pixel_format: str
    group: int
    suffix: str = ".mp4"


FORMS = (
    Form("H.264, colour planes, a keyframe every 250 frames", "libx264", "yuv420p", 250),
    Form("H.264, grey, a keyframe every 250 frames", "libx264", "gray", 250),
    Form("H.264, colour planes, a keyframe every second", "libx264", "yuv420p", 30),
    Form("MPEG-4, colour planes, a keyframe every 12 frames", "mpeg4", "yuv420p", 12, ".avi"),
)


@dataclasses.dataclass(frozen=True)
class Config:
    minutes: float = 15.0  # length of the video
    segments: int = 20  # per video
    frames: int = 30  # per segment
    repetitions: int = 3  # of each contestant, alternating
    quick: bool = False  # 20 s of video, 1 repetition: shows that it runs, measures nothing


def write_video(path: Path, config: Config, form: Form) -> None:
    """Write the video; about 2 minutes for 15 on 2 cores."""
    import av
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    noise = random.normal(0, 2, (2 * HEIGHT, 2 * WIDTH)).astype(np.float32)
    texture = random.normal(0, 12, (HEIGHT // 8, WIDTH // 8)).astype(np.float32)
    texture = cv2.resize(texture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = ((x - WIDTH / 2) / 110) ** 2 + ((y - HEIGHT / 2) / 150) ** 2
    face = (110 * np.exp(-(distance**2)) + texture * (distance < 1)).astype(np.float32)
    room = 70 + 0.4 * texture * (distance >= 1)
    with av.open(os.fspath(path), "w") as container:
        options = {"preset": "veryfast"} if form.codec == "libx264" else {}
        stream = container.add_stream(form.codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, form.pixel_format
        stream.gop_size = form.group
        if form.codec == "mpeg4":
            stream.bit_rate = 2_000_000
        for number in range(round(config.minutes * 60 * RATE)):
            move = np.float32([[1, 0, 8 * np.sin(number / 40)], [0, 1, 6 * np.sin(number / 57)]])
            top, left = random.integers(HEIGHT), random.integers(WIDTH)
            picture = cv2.warpAffine(face, move, (WIDTH, HEIGHT)) + room
            picture += noise[top : top + HEIGHT, left : left + WIDTH]
            grey = picture.clip(0, 255).astype(np.uint8)
            planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            planes[:HEIGHT] = grey
            pixels = grey if form.pixel_format == "gray" else planes
            frame = av.VideoFrame.from_ndarray(pixels, format=form.pixel_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def wanted_times(config: Config) -> list[float]:
    """Return the times of all wanted frames, seconds."""
    import numpy as np

    from affectkeras.media.clip_times import clip_times, even_times

    duration = config.minutes * 60
    scale = duration / 900  # a shorter video has shorter gaps
    clips = clip_times(duration, config.segments, preparation_s=30 * scale, gap_s=6 * scale)
    return np.concatenate([even_times(*clip, config.frames) for clip in clips]).tolist()


def read_all(path: Path, wanted: set[int], *, grab: bool) -> list:
    """Return the wanted frames, as OpenCV reads them one after the other.

    Args:
        path: the video.
        wanted: the numbers of its frames.
        grab: whether frames that are not wanted are only grabbed.
    """
    import cv2

    capture = cv2.VideoCapture(os.fspath(path))
    frames, number = [], 0
    while True:
        if grab and number not in wanted:
            if not capture.grab():
                return frames
        else:
            read, pixels = capture.read()
            if not read:
                return frames
            if number in wanted:
                frames.append(pixels)
        number += 1


def measure_case(form: Form, config: Config, folder: Path) -> dict:
    """Return the figures of one kind of video."""
    import numpy as np

    from affectkeras.media.video_frames import frames_at
    from benchmarks.side_by_side import measure_alternately

    name, path = form.name, folder / f"video{form.suffix}"
    write_video(path, config, form)
    times = wanted_times(config)
    # The rate is constant here: the frame at a time has the number below.
    wanted = {int((time + 1e-6) * RATE) for time in times}
    theirs = read_all(path, wanted, grab=False)
    grabbed = read_all(path, wanted, grab=True)
    ours = list(frames_at(path, times))
    shown = {round(frame.shown_s * RATE): frame.pixels for frame in ours}
    if sorted(shown) != sorted(wanted) or len(theirs) != len(wanted):
        raise RuntimeError(f"{name}: {len(shown)} frames instead of {len(wanted)}")
    for number, pixels, other in zip(sorted(wanted), theirs, grabbed, strict=True):
        own = shown[number]
        own = own[..., ::-1] if own.ndim == 3 else own[..., np.newaxis]
        if not (np.array_equal(*np.broadcast_arrays(own, pixels)) and (pixels == other).all()):
            raise RuntimeError(f"{name}: frame {number} differs between ours and OpenCV's")
    contestants = {
        "ours": lambda: sum(frame.pixels is not None for frame in frames_at(path, times)),
        "cv2.VideoCapture.read": lambda: read_all(path, wanted, grab=False),
        "cv2.VideoCapture.grab": lambda: read_all(path, wanted, grab=True),
    }
    measured = measure_alternately(contestants, config.repetitions)
    medians = measured["medians"]
    ratio = medians["cv2.VideoCapture.read"] / medians["ours"]
    return {
        "case": f"{len(times)} frames of a {config.minutes:g}-minute video, {name}, s",
        "ours": medians["ours"],
        "peer": medians["cv2.VideoCapture.read"],
        "peer_configuration": "cv2.VideoCapture.read of every frame",
        "ratio": ratio,
        "ratio_to_grab": medians["cv2.VideoCapture.grab"] / medians["ours"],
        "bar": BAR,
        "passed": ratio >= BAR,
        "equal_frames": len(wanted),
        "file_bytes": path.stat().st_size,
        "figures": measured["figures"],
    }


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/video_frames.json` (not when quick), return it."""
    from benchmarks.keeping import keep_result

    if config.quick:
        config = dataclasses.replace(config, minutes=1 / 3, segments=4, frames=5, repetitions=1)
    load_before = os.getloadavg()[0]
    cases = []
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            case = measure_case(form, config, Path(folder))
        cases.append(case)
        print(
            f"{case['case']}: ours {case['ours']:.2f}, OpenCV {case['peer']:.2f}: "
            f"{case['ratio']:.2f} times (bar {case['bar']}); "
            f"grabbing {case['ratio_to_grab']:.2f} times",
            flush=True,
        )
    versions = ("av", "opencv-python-headless")
    found = {
        "cases": cases,
    }
    return keep_result("video_frames", config, found, load_before=load_before, packages=versions)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
