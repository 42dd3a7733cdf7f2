"""What a recipe on valence and arousal begins with: faces of videos, windows over them, a split."""

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from affectkeras.datasets import reader
from affectkeras.datasets.anu_stress_manifest import VIDEO_SUFFIXES
from affectkeras.datasets.sample import sample_aff_wild
from affectkeras.datasets.table import ExampleTable, rejected_frame
from affectkeras.errors import UserError
from affectkeras.evaluation.leakage import check_split, refuse_leak
from affectkeras.evaluation.splits import Split
from affectkeras.evaluation.video_splits import official_split, video_split
from affectkeras.faces import SPLIT_SEED
from affectkeras.media.crop_cache import cut_chosen_faces
from affectkeras.media.image_check import ImageDamaged, check_image, read_image_file
from affectkeras.media.images import decode_and_resize
from affectkeras.media.near_duplicates import describe_images, find_copies, join_pairs
from affectkeras.media.video import VideoDamaged
from affectkeras.media.video_faces import find_video_faces
from affectkeras.pipelines.windows import sliding_windows

BOX = ["x", "y", "width", "height"]
FIRST_FRAMES, STEP = 400, 40  # of the sparse mode: every 40th of the first 400 frames (the report)
_FRAME_NUMBER = r" frame (\d+)$"


@dataclasses.dataclass(frozen=True, eq=False)
class AffectClips:
    """Faces of videos with valence and arousal, and the windows a network reads them in.

    Args:
        table: a row per frame that is used, by video and frame.
        crops: of each video in that order, uint8 `(frames, size, size, 3)`, memory-mapped.
        windows: table rows of every window, int64 `(windows, time)`, -1 for no frame.
    """

    table: ExampleTable
    crops: list[np.ndarray]
    windows: np.ndarray

    def windows_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the numbers of the windows that lie within some table rows."""
        return np.flatnonzero(np.isin(self.windows[:, 0], rows))


def prepare_affect(config) -> tuple[AffectClips, Split, dict, float]:
    """Read, cut out and divide the faces that a recipe's settings name, and print what came of it.

    Args:
        config: a recipe's `Config`: `data_dir`, `dataset`, `alignment`, `mode`, `every`, `window`,
            `boxes`, `image_size`, `margin`, `protocol`, `test_share`, `validation_share`,
            `max_rejected` and `quick` are read from it.

    Returns:
        The clips, the split of their table's rows, the findings of the leakage check, and how long
        it took in seconds.

    Raises:
        UserError: when the folder is not what the reader expects, too much of it is damaged, or the
            split leaks.
    """
    began = time.perf_counter()
    folder = config.data_dir or sample_aff_wild(small=config.quick)
    options = {"alignment": config.alignment} if config.dataset == "aff_wild" else {}
    labelled = reader(config.dataset).read(Path(folder), **options)
    chosen = choose_frames(labelled, config.mode, config.every)
    table, crops = cut_table_faces(
        chosen,
        size=config.image_size,
        margin=config.margin,
        tracked=config.boxes == "tracked",
        frames=FIRST_FRAMES if config.mode == "sparse" else None,
    )
    table.check_rejected(config.max_rejected)
    if not len(table):
        raise UserError(f"{folder}: no frame with a label and a face is left to train on.")
    clips = AffectClips(table, crops, windows_over(table.frame, config.window))
    copies = video_copies(crops)
    sets = join_pairs(copies, len(table))
    if config.protocol == "official":
        split = official_split(table.frame, validation=config.validation_share, seed=SPLIT_SEED)
    else:
        split = video_split(
            table.frame,
            quadrants(table.frame),
            test=config.test_share,
            validation=config.validation_share,
            seed=SPLIT_SEED,
            copies=sets,
        )
    findings = check_split(table.frame, split, copies)
    for name in ("copy_on_two_sides", "mirrored_copy_on_two_sides"):
        del findings["checks"][name]
        findings["not_checked"][name] = "two videos of one person are alike and yet no copies"
    refuse_leak(findings, config.protocol)
    print(
        f"{len(labelled)} labelled frames; {table.read} examples chosen = {len(table)} usable + "
        f"{len(table.rejected)} rejected; {len(clips.windows)} windows of {config.window} frames"
    )
    print(split.description)
    return clips, split, findings, time.perf_counter() - began


def choose_frames(table: ExampleTable, mode: str, every: int) -> ExampleTable:
    """Return the table of the frames that a mode uses; the others are not examples of it.

    Sparse: frames 39, 79 … 399 of each video, the last of every 40 of the first 400, as the
    report's page shows them ("Data Pre-processing"; figures 11 to 14). Dense: frames 0, every,
    2 · every …

    `read` counts the examples that are used and those that were rejected: a list of a million
    frames that nobody asked for would tell nothing.
    """

    def wanted(number: np.ndarray) -> np.ndarray:
        if mode == "sparse":
            return (number < FIRST_FRAMES) & (number % STEP == STEP - 1)
        return number % every == 0

    rows = np.flatnonzero(wanted(table.frame["frame"].to_numpy()))
    # A whole video that was rejected is one row without a frame's number.
    number = table.rejected["path"].str.extract(_FRAME_NUMBER, expand=False)
    named = number.notna().to_numpy()
    left_out = named & ~wanted(number.fillna("-1").astype(np.int64).to_numpy())
    rejected = table.rejected[~left_out].reset_index(drop=True)
    return dataclasses.replace(
        table,
        frame=table.frame.iloc[rows].reset_index(drop=True),
        payload=table.payload.take(rows),
        rejected=rejected,
        read=len(rows) + len(rejected),
    )


def windows_over(frame: pd.DataFrame, size: int) -> np.ndarray:
    """Return the windows over every video's rows, which lie together: `(windows, size)`."""
    edges = np.flatnonzero(frame["video"].ne(frame["video"].shift()).to_numpy())
    found = []
    for first, end in zip(edges, [*edges[1:], len(frame)], strict=True):
        windows = sliding_windows(int(end - first), size, max(1, size // 2))
        found.append(np.where(windows >= 0, windows + first, -1))
    return np.concatenate(found)


def quadrants(frame: pd.DataFrame) -> np.ndarray:
    """Return 0 to 3 for each row: the signs of valence and arousal."""
    return (frame["valence"] >= 0).to_numpy() + 2 * (frame["arousal"] >= 0).to_numpy()


def cut_table_faces(
    table: ExampleTable, *, size: int, margin: float, tracked: bool, frames: int | None
) -> tuple[ExampleTable, list[np.ndarray]]:
    """Return the rows in whose frame there is a face, by video and frame, and the faces.

    A video in which the owner marked faces has them where it was marked; in one without any mark
    they are looked for and followed, and the subject's are taken. Rows whose payload is a picture
    are faces already.

    Args:
        table: of `aff_wild` or `aff_wild2`.
        size: side of the square pictures, pixels.
        margin: added at each side, as a share of a box's longer side.
        tracked: look for the faces also where the owner marked them.
        frames: look for them in the first so many frames only; None: in all.
    """
    _refuse_shared_videos(table)
    order = np.lexsort((table.frame["frame"], table.frame["video"]))
    frame, payload = table.frame.iloc[order].reset_index(drop=True), table.payload.take(order)
    kept, crops, rejected = [], [], []
    with tqdm(total=len(frame), desc="Cutting out faces", unit="frame", disable=None) as bar:
        for _, rows in frame.groupby("video", sort=False):
            path = Path(os.fspath(payload.paths[rows.index[0]]))
            try:
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    found, cut, why = _cut_video(path, rows, size, margin, tracked, frames)
                else:
                    found, cut, why = _read_pictures(payload.paths[rows.index], rows, size)
            except VideoDamaged as error:
                found, cut, why = rows[:0], None, {name: str(error) for name in rows["example_id"]}
            kept.append(found)
            crops += [cut] if len(found) else []
            rejected += [
                (name, "excluded" if "no face" in reason else "damaged", reason)
                for name, reason in why.items()
            ]
            bar.update(len(rows))
    frame = pd.concat(kept) if kept else frame
    kept_rows = frame.index.to_numpy()
    return (
        dataclasses.replace(
            table,
            frame=frame.reset_index(drop=True).assign(frame_number=lambda rows: rows["frame"]),
            payload=payload.take(kept_rows),
            rejected=pd.concat([table.rejected, rejected_frame(rejected)], ignore_index=True),
        ),
        crops,
    )


def _refuse_shared_videos(table: ExampleTable) -> None:
    """Refuse videos of two labelled people of whom nothing tells which is where."""
    frame = table.frame.assign(path=table.payload.paths)
    named = frame.loc[frame[BOX].isna().all(axis=1)].groupby("path")["video"].unique()
    shared = named[named.str.len() > 1]
    if len(shared):
        one, other = sorted(shared.iloc[0])[:2]
        raise UserError(
            f"{table.name}: {one} and {other} are two people in one video, and nothing tells which "
            "is where. Unpack the owner's cropped faces (cropped_aligned/) beside the videos."
        )


def _cut_video(path: Path, rows: pd.DataFrame, size, margin, tracked, frames):
    """Return the rows that have a face, with the box used; the faces; and why others have none."""
    boxes = rows[BOX].to_numpy(np.float32)
    if tracked or np.isnan(boxes).all():
        found = find_video_faces(path, frames=frames)
        boxes = np.full((len(rows), 4), np.nan, np.float32)
        if found.subject is not None:
            of_all = found.boxes(found.subject)
            inside = rows["frame"].to_numpy() < len(of_all)
            boxes[inside] = of_all[rows["frame"].to_numpy()[inside], :4]
    seen = ~np.isnan(boxes).any(axis=1)
    used = rows.assign(**dict(zip(BOX, boxes.T, strict=True)))[seen]
    cut = cut_chosen_faces(path, used["frame"].to_numpy(), boxes[seen], size=size, margin=margin)
    why = dict.fromkeys(rows["example_id"][~seen], "no face is known in this frame")
    lost = used["example_id"].iloc[len(cut) :]
    why |= dict.fromkeys(lost, "the video cannot be decoded up to this frame")
    return used.iloc[: len(cut)], cut, why


def _read_pictures(paths, rows: pd.DataFrame, size: int):
    pixels, good, why = [], [], {}
    for path, name in zip(paths, rows["example_id"], strict=True):
        try:
            data = read_image_file(path)
            check_image(data)
            pixels.append(np.asarray(decode_and_resize(data, (size, size))).astype(np.uint8))
        except ImageDamaged as damaged:
            why[name] = str(damaged)
        good.append(name not in why)
    cut = np.stack(pixels) if pixels else np.zeros((0, size, size, 3), np.uint8)
    return rows[np.array(good, bool)], cut, why


def video_copies(crops: list[np.ndarray]) -> pd.DataFrame:
    """Return pairs of rows whose videos begin with the same picture: one video under two names.

    Compared are the first faces, by their pixels; faces of one person in two videos are alike and
    yet no copies.
    """
    starts = np.cumsum([0, *(len(video) for video in crops[:-1])])
    pairs = find_copies(describe_images([np.asarray(video[0]) for video in crops]))
    pairs = pairs[pairs["kind"] == "identical"]
    return pairs.assign(
        first=starts[pairs["first"].to_numpy(np.int64)],
        second=starts[pairs["second"].to_numpy(np.int64)],
    )
