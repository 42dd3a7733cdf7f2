"""What a run on valence and arousal keeps: predictions of frames, a baseline, a sheet of faces."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from affectkeras import records
from affectkeras.affect_clips import BOX, AffectClips
from affectkeras.circumplex import SECTORS, sectors
from affectkeras.datasets.table import Target
from affectkeras.export_video import (
    CHECKED_CLIPS,
    check_video_export,
    export_video_model,
    join_targets,
)
from affectkeras.files import atomic_file
from affectkeras.media.crop_cache import read_frames
from affectkeras.media.faces import reduce_image
from affectkeras.number_results import PREDICTED
from affectkeras.pipelines.clips import ClipPipeline, take_faces
from affectkeras.pipelines.windows import join_windows
from affectkeras.transfer.fine_tuning import probabilities

TARGETS = ("valence", "arousal")
NEUTRAL_RADIUS = 0.1  # nearer to the middle of the circle of affect no sector is named
SECTOR = Target("sector", "class", SECTORS)
_PIXELS_AT_ONCE = 256
_SHEET_ROWS, _SHEET_SIDE = 6, 320


def with_sectors(clips: AffectClips) -> AffectClips:
    """Return the clips with the sector of valence and arousal as their only target.

    The eight sectors as classes are the report's future work; a frame in the very middle of the
    circle, which has no direction, counts as its first sector.
    """
    frame = clips.table.frame
    names = sectors(frame["valence"], frame["arousal"], neutral_radius=0.0)
    codes = pd.Index(SECTORS).get_indexer(names).clip(min=0)
    table = dataclasses.replace(clips.table, frame=frame.assign(sector=codes), targets=(SECTOR,))
    return AffectClips(table, clips.crops, clips.windows)


def target_values(clips: AffectClips, names: Sequence[str]) -> np.ndarray:
    """Return what every row trains towards, float32 `(rows, outputs)`: numbers, or one-hot."""
    frame = clips.table.frame
    if tuple(names) == (SECTOR.name,):
        return np.eye(len(SECTORS), dtype=np.float32)[frame[SECTOR.name].to_numpy()]
    return frame[list(names)].to_numpy(np.float32)


def predict_rows(
    networks: Mapping[tuple[str, ...], tuple[keras.Model, ClipPipeline]],
    clips: AffectClips,
    rows: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return what networks say of table rows that make up whole videos.

    Args:
        networks: the targets of each → the network and its stream.
        clips: whose rows they are.
        rows: table rows, ascending.

    Returns:
        Target → `(rows,)`; of the target `sector` the probabilities, `(rows, sectors)`.
    """
    numbers, found = clips.windows_of(rows), {}
    for targets, (model, stream) in networks.items():
        values = model.predict(stream.clean(numbers), verbose=0)
        joined = join_windows(clips.windows[numbers], values, len(clips.table))[rows]
        if targets == (SECTOR.name,):
            found[SECTOR.name] = probabilities(joined)
        else:
            found |= {name: joined[:, number] for number, name in enumerate(targets)}
    return found


def prediction_rows(
    clips: AffectClips,
    rows: np.ndarray,
    values: dict[str, np.ndarray],
    *,
    arm: str,
    seed: int,
    split: str,
) -> pd.DataFrame:
    """Return the rows of `predictions.csv`.

    Args:
        clips: whose table rows they are.
        rows: the rows.
        values: target → what was predicted, `(rows,)`; of the target `sector` the probabilities
            `(rows, sectors)`.
        arm, seed, split: where they belong.
    """
    if SECTOR.name in values:
        found = values[SECTOR.name]
        return records.prediction_rows(clips.table, rows, found, arm=arm, seed=seed, split=split)
    frame = clips.table.frame.iloc[rows]
    columns = {
        **{"arm": arm, "seed": seed, "fold": 0, "split": split},
        "example_id": frame["example_id"].to_numpy(),
        "group": frame["group"].to_numpy(),
    }
    for name, found in values.items():
        columns |= {name: frame[name].to_numpy(), PREDICTED + name: found}
    return pd.DataFrame(columns)


def mean_pixel_values(pipeline: ClipPipeline, split, names: Sequence[str]) -> dict:
    """Return what a regression on the mean pixel of a face says of the test rows.

    A model that does no better may have learnt how bright a video is. For numbers only.

    Args:
        pipeline: with its seal, and the targets in the order of `names`.
        split: whose rows.
        names: of the targets.
    """
    with pipeline.seal.final_evaluation():
        pipeline.seal.fit("weights", "regression on the mean pixel", split.train)
        pipeline.seal.read(split.test)
        known, new = (_mean_pixels(pipeline, rows) for rows in (split.train, split.test))
    model = make_pipeline(StandardScaler(), Ridge(1.0)).fit(known, pipeline.targets[split.train])
    found = model.predict(new).reshape(len(split.test), -1)
    return {name: found[:, number] for number, name in enumerate(names)}


def _mean_pixels(pipeline: ClipPipeline, rows: np.ndarray) -> np.ndarray:
    chunks = np.split(rows, range(_PIXELS_AT_ONCE, len(rows), _PIXELS_AT_ONCE))
    means = [pipeline.pixels(chunk).mean(axis=(1, 2, 3)) for chunk in chunks]
    return np.concatenate(means)[:, np.newaxis]


def serving_facts(config) -> dict:
    """Return what whoever serves the model must know: how its faces are cut, and how often.

    Args:
        config: the recipe's `Config`: `predict`, `image_size`, `margin`, `mode`, `every` and
            `window` are read from it.
    """
    classes = config.predict == "sectors"
    return {
        "kind": "classes" if classes else "numbers",
        "targets": [] if classes else list(TARGETS),
        "class_names": list(SECTORS) if classes else [],
        "neutral_radius": NEUTRAL_RADIUS,
        **{name: getattr(config, name) for name in ("image_size", "margin", "mode", "every")},
        "window": config.window,
    }


def example_clips(clips: AffectClips, rows: np.ndarray) -> np.ndarray:
    """Return a few windows of some table rows, uint8 `(clips, time, side, side, 3)`."""
    windows = clips.windows[clips.windows_of(rows)[: max(CHECKED_CLIPS)]]
    faces = take_faces(clips.crops, windows.ravel())
    return faces.reshape(*windows.shape, *faces.shape[1:])


def package_networks(
    files: Sequence[Path], folder: Path, *, facts: dict, clips: np.ndarray
) -> dict[str, dict]:
    """Put trained networks over the same faces into a folder as one: `model.keras`, `saved_model/`.

    Args:
        files: a .keras file per network; their outputs stand side by side.
        folder: where to; made if absent.
        facts: see `export_video_model`.
        clips: uint8 `(clips, time, side, side, 3)` of the test rows, to compare the export on.

    Returns:
        `{"saved_model": {"max_difference": …}}`.

    Raises:
        ExportMismatch: when the export computes something else than the Keras model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    networks = [keras.models.load_model(file, compile=False) for file in files]
    joined = join_targets(networks)
    joined.save(folder / "model.keras")
    written = export_video_model(networks, folder / "saved_model", facts)
    return {"saved_model": check_video_export(joined, written, clips)}


def write_face_sheet(path: Path, clips: AffectClips) -> None:
    """Write `face_sheet.npz`: frames of some videos, the box in each and the face cut out of it.

    For the report's picture of frames before and after cutting (the paper's figures 3 and 4):
    `frames` uint8 `(videos, side, side, 3)`, the picture in a grey square; `boxes` `(videos, 4)` in
    its pixels; `faces`, `names`. Pictures that came cut out have no before: nothing is written.
    """
    frame = clips.table.frame
    if BOX[0] not in frame or frame[BOX[0]].isna().all():
        return
    starts = np.cumsum([0, *(len(video) for video in clips.crops)])
    chosen = np.unique(np.linspace(0, len(clips.crops) - 1, _SHEET_ROWS).astype(int))
    kept = {"frames": [], "boxes": [], "faces": [], "names": []}
    for video in chosen:
        place = len(clips.crops[video]) // 2
        row = starts[video] + place
        (picture,) = read_frames(clips.table.payload.paths[row], [frame["frame"].iloc[row]])
        small = reduce_image(picture, _SHEET_SIDE)
        square = np.full((_SHEET_SIDE, _SHEET_SIDE, 3), 128, np.uint8)
        square[: small.shape[0], : small.shape[1]] = small
        scale = small.shape[1] / picture.shape[1]
        kept["frames"].append(square)
        kept["boxes"].append(frame[BOX].iloc[row].to_numpy(float) * scale)
        kept["faces"].append(np.asarray(clips.crops[video][place]))
        kept["names"].append(frame["example_id"].iloc[row])
    with atomic_file(path) as file:
        np.savez_compressed(file, **{name: np.array(value) for name, value in kept.items()})
