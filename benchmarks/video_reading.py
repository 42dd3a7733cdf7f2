"""A video read and drawn, from file to file: frames per second, and memory for a long one.

    python -m benchmarks.video_reading --video FILE [--quick]

FILE is a video of a face, such as 640 × 360 for 20 s. The whole path: decode, follow the face, cut
it out at 224 × 224, the video report's CNN-GRU (one network for valence, one for arousal, random
weights) on every frame, draw box and word, write H.264. There is no peer: a package's search for
faces alone does about 6 frames a second (`benchmarks.face_tracking`). Nothing is in the cache.

Memory: the peak of a process that does the same to a video of 1 minute and to one of 30, made by
repeating FILE.

The promises: 25 frames a second on two cores; at most 1.2 times the memory.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BAR, BAR_MEMORY = 25.0, 1.2
SIZE = 224
PACKAGES = ("av", "mtcnn", "opencv-python-headless")


@dataclasses.dataclass(frozen=True)
class Config:
    video: Path  # a video of a face
    repetitions: int = 3  # of the whole path
    minutes: tuple[float, float] = (1.0, 30.0)  # of the videos whose memory is compared
    memory: bool = True  # measure memory too, which takes as long as reading half an hour of video
    quick: bool = False  # 2 s and 4 s, 1 repetition: shows that it runs, measures nothing


def write_model(folder: Path) -> Path:
    """Write what serves two CNN-GRU with random weights that read every frame."""
    from affectkeras.export_video import export_video_model
    from affectkeras.models.cnn_gru import build_cnn_gru

    facts = {"kind": "numbers", "targets": ["valence", "arousal"], "class_names": []}
    facts |= {"image_size": SIZE, "margin": 0.1, "mode": "dense", "every": 1, "window": 16}
    facts |= {"neutral_radius": 0.1}
    networks = [build_cnn_gru(1, SIZE) for _ in range(2)]
    return export_video_model(networks, folder / "saved_model", facts)


def repeat_video(source: Path, target: Path, minutes: float) -> None:
    """Write a video that shows another again and again for so long, without decoding it."""
    import av

    with av.open(os.fspath(target), "w") as container:
        stream, shift, again = None, 0, True
        while again:
            with av.open(os.fspath(source)) as reading:
                given = reading.streams.video[0]
                stream = stream or container.add_stream_from_template(given)
                ticks, latest = int(minutes * 60 / given.time_base), 0
                for packet in reading.demux(given):
                    if packet.dts is None:
                        continue
                    latest = max(latest, packet.pts + (packet.duration or 1))
                    if shift + packet.pts >= ticks:
                        again = False
                        break
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    container.mux(packet)
                shift += latest


def read_once(model_folder: Path, video: Path, target: Path) -> int:
    """Do the whole path, with an empty cache; return how many frames there were."""
    from affectkeras.video_analysis import analyse_video, load_video_model

    with tempfile.TemporaryDirectory() as cache:
        os.environ["AFFECTKERAS_CACHE"] = cache
        return len(analyse_video(load_video_model(model_folder), video, annotate=target))


def peak_memory(model_folder: Path, video: Path, folder: Path) -> dict:
    """Return what the whole path takes in a process of its own: peak in bytes, frames, seconds."""
    command = [sys.executable, "-m", "benchmarks.video_reading_process"]
    command += [os.fspath(path) for path in (model_folder, video, folder / "drawn.mp4")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak, frames, seconds = printed.split()[-3:]
    return {"bytes": int(peak), "frames": int(frames), "seconds": float(seconds)}


def main(config: Config) -> dict:
    """Measure, write `video_reading.json` and `video_memory.json` (not when quick).

    Both lie in `benchmarks/results/`; the first is returned.
    """
    import statistics
    import time

    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    if config.quick:
        config = dataclasses.replace(config, repetitions=1, minutes=(2 / 60, 4 / 60))
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, video = write_model(folder), config.video
        if config.quick:
            video = folder / f"short{config.video.suffix}"
            repeat_video(config.video, video, config.minutes[0])
        read_once(model, video, folder / "drawn.mp4")  # warm
        speeds = []
        for _ in range(config.repetitions):
            began = time.perf_counter()
            frames = read_once(model, video, folder / "drawn.mp4")
            speeds.append(frames / (time.perf_counter() - began))
        speed = statistics.median(speeds)
        print(f"{frames} frames: {speed:.1f} frames/s (bar {BAR:g})", flush=True)
        cases = [
            {
                "case": f"a {_size(config.video)} video read and drawn, whole path, frames/s",
                "ours": speed,
                "peer": BAR,
                "peer_configuration": "the promise",
                "ratio": speed / BAR,
                "bar": 1.0,
                "passed": speed >= BAR,
                "figures": {"ours": speeds},
            }
        ]
        told = {"load_before": load_before, "packages": PACKAGES}
        found = keep_result("video_reading", config, {"cases": cases}, **told)
        if config.memory:
            # A file of its own: half an hour of video is not read anew for each figure of speed.
            cases = [_memory_case(config, model, folder)]
            keep_result("video_memory", config, {"cases": cases}, **told)
    return found


def _memory_case(config: Config, model: Path, folder: Path) -> dict:
    found = {}
    for minutes in config.minutes:
        path = folder / f"long{config.video.suffix}"
        repeat_video(config.video, path, minutes)
        found[minutes] = peak_memory(model, path, folder)
        print(f"{minutes:g} min: {found[minutes]}", flush=True)
    short, long = (found[minutes]["bytes"] / 2**20 for minutes in config.minutes)
    lengths = " against ".join(f"{minutes:g}" for minutes in config.minutes)
    return {
        "case": f"peak memory, {lengths} min of video, MiB",
        "ours": short,
        "peer": long,
        "peer_configuration": "ours, the longer video",
        "ratio": short / long,
        "bar": 1 / BAR_MEMORY,
        "passed": long / short <= BAR_MEMORY,
        "figures": {f"{minutes:g} min": one for minutes, one in found.items()},
    }


def _size(path: Path) -> str:
    from affectkeras.media.video import video_facts

    facts = video_facts(path)
    return f"{facts.width} × {facts.height}"


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
