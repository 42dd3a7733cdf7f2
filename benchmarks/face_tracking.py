"""Following the face of a video and cutting it out: ours against the mtcnn package on every frame.

    python -m benchmarks.face_tracking --videos FOLDER [--quick]

FOLDER holds videos of faces, such as a dozen seconds of people who talk. Both start from decoded
frames, both end with a face of 224 × 224 pixels in every frame in which they find one; the peer's
is its surest face. Neither reads a cache.

Beside the time: in what share of the frames in which the peer finds a face our box overlaps one of
its by at least 0.6 (intersection over union), the subject's and any face's; and in how many frames
of the same videos with the face painted over, where it was and everywhere else left as it is, we
still find one. (The peer finds some there: counted beside.)

The promises: 5 times as fast, 95 % of the frames, no box where there is no face.
"""

import dataclasses
import os
from pathlib import Path

BAR = 5.0
BAR_OVERLAP = 0.95
LEAST_OVERLAP = 0.6
SIZE, MARGIN = 224, 0.1
SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm")


@dataclasses.dataclass(frozen=True)
class Config:
    videos: Path  # folder of face videos
    frames: int = 200  # of each video, the first
    repetitions: int = 3  # of each contestant, alternating
    quick: bool = False  # 24 frames, 1 repetition: shows that it runs, measures nothing


def track(frames: list):
    """Return our boxes by face, `[(frames, boxes)]`, and cut the subject out of every frame."""
    import numpy as np

    from affectkeras.media.face_refiner import refine_faces
    from affectkeras.media.face_tracking import track_faces
    from affectkeras.media.faces import detect_faces, reduce_image
    from affectkeras.media.video_faces import DETECTION, VideoFaces, cut_face

    side = DETECTION.longest_side
    reduced = (reduce_image(frame, side) for frame in frames)
    tracks = track_faces(reduced, lambda images: detect_faces(images, DETECTION), refine_faces)
    height, width = frames[0].shape[:2]
    scale = np.float32(max(1.0, max(height, width) / side))
    tracks = tuple(dataclasses.replace(one, boxes=one.boxes * scale) for one in tracks)
    found = VideoFaces(np.arange(len(frames)) / 25, width, height, tracks)
    if found.subject is not None:
        for frame, box in zip(frames, found.boxes(found.subject), strict=True):
            if not np.isnan(box[0]):
                cut_face(frame, box, SIZE, MARGIN)
    return found


def search_every_frame(detector, frames: list) -> list:
    """Return the peer's `[(x1, y1, x2, y2, confidence)]` of each frame, and cut out the surest."""
    import numpy as np

    from affectkeras.media.video_faces import cut_face

    found = []
    for frame in frames:
        rows = np.asarray(detector.detect_faces(frame, output_type="numpy", box_format="xyxy"))
        rows = rows.reshape(-1, 16)[:, 1:6]
        if len(rows):
            x1, y1, x2, y2, _ = rows[rows[:, 4].argmax()]
            cut_face(frame, np.array([x1, y1, x2 - x1, y2 - y1]), SIZE, MARGIN)
        found.append(rows)
    return found


def compare_boxes(ours, theirs: list) -> dict:
    """Return in what share of the peer's frames with a face our boxes overlap its."""
    from affectkeras.media.faces import Face
    from affectkeras.media.scene_tracker import overlap

    faces = [ours.boxes(number) for number in range(len(ours.tracks))]
    subject, any_face, with_face = 0, 0, 0
    for number, rows in enumerate(theirs):
        if not len(rows):
            continue
        with_face += 1
        boxes = [Face(r[0], r[1], r[2] - r[0], r[3] - r[1], "mtcnn") for r in rows]
        shares = [
            max(overlap(Face(*map(float, one[number][:4]), "mtcnn"), box) for box in boxes)
            if one[number][4] == one[number][4]
            else 0.0
            for one in faces
        ]
        subject += bool(shares) and shares[ours.subject] >= LEAST_OVERLAP
        any_face += max(shares, default=0.0) >= LEAST_OVERLAP
    return {"with_face": with_face, "subject": subject, "any_face": any_face}


def paint_over(frames: list, theirs: list) -> list:
    """Return the frames with every face of the peer's, hair and chin included, painted over."""
    import cv2
    import numpy as np

    painted = []
    for frame, rows in zip(frames, theirs, strict=True):
        mask = np.zeros(frame.shape[:2], np.uint8)
        for x1, y1, x2, y2, _ in rows:
            wide, high = x2 - x1, y2 - y1
            top, left = max(0, int(y1 - 0.5 * high)), max(0, int(x1 - 0.45 * wide))
            mask[top : int(y2 + 0.35 * high), left : int(x2 + 0.45 * wide)] = 255
        painted.append(cv2.inpaint(frame, mask, 5, cv2.INPAINT_TELEA))
    return painted


def measure_video(path: Path, config: Config, detector) -> dict:
    """Return the figures of one video."""
    import itertools

    from affectkeras.media.video_frames import every_frame
    from benchmarks.side_by_side import measure_alternately

    frames = [one.pixels for one in itertools.islice(every_frame(path), config.frames)]
    ours, theirs = track(frames), search_every_frame(detector, frames)  # warm
    contestants = {
        "ours": lambda: track(frames),
        "mtcnn": lambda: search_every_frame(detector, frames),
    }
    measured = measure_alternately(contestants, config.repetitions, units=len(frames))
    painted = paint_over(frames, theirs)
    without = track(painted)
    boxed = {int(frame) for one in without.tracks for frame in one.frames}
    peer = sum(len(rows) > 0 for rows in search_every_frame(detector, painted))
    return {
        "video": path.name,
        "frames": len(frames),
        **compare_boxes(ours, theirs),
        "painted_over": {"ours": len(boxed), "peer": peer},
        **{name: measured[name] for name in ("figures", "medians", "ratio")},
    }


def main(config: Config) -> dict:
    """Measure, write `benchmarks/results/face_tracking.json` (not when quick), return it."""
    from affectkeras.quiet import start_tensorflow
    from benchmarks.keeping import keep_result

    start_tensorflow()
    import statistics

    from mtcnn import MTCNN

    if config.quick:
        config = dataclasses.replace(config, frames=24, repetitions=1)
    load_before = os.getloadavg()[0]
    paths = sorted(path for path in config.videos.iterdir() if path.suffix in SUFFIXES)
    detector, videos = MTCNN(), []
    for path in paths:
        found = measure_video(path, config, detector)
        videos.append(found)
        print(
            f"{found['video']}: {found['medians']['ours']:.0f} frames/s, mtcnn "
            f"{found['medians']['mtcnn']:.1f}: {found['ratio']:.1f} times; overlap in "
            f"{found['subject']} of {found['with_face']} frames; painted over: "
            f"{found['painted_over']}",
            flush=True,
        )
    # Of all videos: seconds a frame, so that a long video counts like its frames.
    total = {
        name: sum(one["frames"] / one["medians"][name] for one in videos)
        for name in ("ours", "mtcnn")
    }
    ratio = total["mtcnn"] / total["ours"]
    frames = sum(one["frames"] for one in videos)
    with_face = sum(one["with_face"] for one in videos)
    share = sum(one["subject"] for one in videos) / with_face
    boxes = sum(one["painted_over"]["ours"] for one in videos)
    cases = [
        {
            "case": f"faces followed and cut out, {len(videos)} videos, frames/s",
            "ours": frames / total["ours"],
            "peer": frames / total["mtcnn"],
            "peer_configuration": "mtcnn on every frame",
            "ratio": ratio,
            "bar": BAR,
            "passed": ratio >= BAR,
        },
    ]
    found = {
        "cases": cases,
        "overlap": {"share": share, "bar": BAR_OVERLAP, "passed": share >= BAR_OVERLAP},
        "boxes_without_face": {"frames": boxes, "bar": 0, "passed": boxes == 0},
        "median_ratio": statistics.median(one["ratio"] for one in videos),
        "videos": videos,
    }
    print(f"all: {ratio:.1f} times, overlap in {share:.1%}, {boxes} boxes without a face")
    packages = ("mtcnn", "opencv-python-headless", "av")
    return keep_result("face_tracking", config, found, load_before=load_before, packages=packages)


if __name__ == "__main__":
    import tyro

    main(tyro.cli(Config, description=__doc__))
