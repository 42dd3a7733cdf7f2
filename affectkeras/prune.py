"""Making a model smaller: `python -m affectkeras prune MODEL_OR_RUN OUT`."""

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tqdm import tqdm

from affectkeras.errors import UserError
from affectkeras.files import atomic_file
from affectkeras.media.image_check import ImageDamaged, check_image, read_image_file
from affectkeras.quiet import start_tensorflow

if TYPE_CHECKING:
    import keras

    from affectkeras.pruning.plan import PrunePlan

BATCH = 32
WAYS = ("threshold", "fraction", "plan")


@dataclasses.dataclass(frozen=True)
class PruneSettings:
    """How maps are chosen: exactly one of `threshold`, `fraction` and `plan` is given.

    Args:
        threshold: an angle in degrees: maps closer to each other, or to each other's opposite, go.
        fraction: the share of every group of maps that goes.
        plan: the plan.json of an earlier run, replayed.
        importance: of `fraction`: the maps of least `l1` weight go, or `random` ones.
        layers: of `threshold`: only the maps of these layers.
        multiple_of: of `fraction`: what stays is a multiple of this.
        images: of `threshold` and `recalibrate`: files and folders to measure the maps on, best
            training images.
        recalibrate: whether the smaller model's BatchNormalization is measured anew.
    """

    threshold: float | None = None
    fraction: float | None = None
    plan: Path | None = None
    importance: Literal["l1", "random"] = "l1"
    layers: Sequence[str] = ()
    multiple_of: int | None = None
    images: Sequence[Path] = ()
    recalibrate: bool = False


def prune_command(source: Path, out: Path, settings: PruneSettings) -> None:
    """Prune a model, prove that it equals the masked one, and write model.keras and plan.json.

    Raises:
        UserError: when the model, the settings or the folder cannot be used.
    """
    _check(settings)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty. Give a new folder.")
    file = find_model(source)
    start_tensorflow()
    import keras

    from affectkeras.pruning.counting import count_macs, count_parameters
    from affectkeras.pruning.errors import PruningError
    from affectkeras.pruning.proof import verify_pruned
    from affectkeras.pruning.surgery import prune_model

    model = load_model(file)
    images = ImageBatches(model, settings.images)
    if settings.recalibrate:
        _check_normalizations(model, file)
    try:
        plan = make_plan(model, settings, images)
        if not plan.layers and settings.plan is not None:
            raise UserError(f"{settings.plan} is empty: nothing went when it was made.")
        if not plan.layers:
            raise UserError("No map goes by these settings: the model stays as it is.")
        # The proof is run apart from the surgery, to tell its figure.
        pruned = prune_model(model, plan, verify=False)
        error = verify_pruned(model, pruned, plan)
        recalibrated = _recalibrate(pruned, images) if settings.recalibrate else ""
    except PruningError as refused:
        raise UserError(f"{file}: {refused}") from refused
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "plan.json") as opened:
        opened.write(plan.to_json().encode())
    pruned.save(out / "model.keras")
    _print_layers(plan)
    for name, count in (("parameters", count_parameters), ("multiplications", count_macs)):
        before, after = count(model), count(pruned)
        print(f"{name:<16}{before:>14,} → {after:>14,}  ({after / before - 1:+.1%})")
    print(f"Proved equal to the masked model: largest relative difference {error:.1e}.")
    if recalibrated:
        print(recalibrated)
    exported = _export(source, out, keras)
    print(f"Written: {out}/model.keras, {out}/plan.json{exported}")


def find_model(source: Path) -> Path:
    """Return the `.keras` file that is meant: the path itself, or a run folder's model.keras.

    Raises:
        UserError: when there is none.
    """
    file = source / "model.keras" if source.is_dir() else source
    if not file.is_file():
        raise UserError(f"{file}: there is no such file. Give a .keras file or a run folder.")
    return file


def load_model(file: Path) -> "keras.Model":
    """Return the model of a `.keras` file.

    Raises:
        UserError: when Keras cannot read it.
    """
    import keras

    if file.suffix == ".keras" and not zipfile.is_zipfile(file):
        raise UserError(f"{file} cannot be loaded as a Keras model: it is no .keras archive.")
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # what Keras raises depends on what is broken
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{file} cannot be loaded as a Keras model: {first}") from error


def make_plan(model: "keras.Model", settings: PruneSettings, images: "ImageBatches") -> "PrunePlan":
    """Return what goes from a model by the settings; of `threshold`, on the images."""
    from affectkeras.pruning.activations import Activations
    from affectkeras.pruning.importance import (
        l1_importance,
        plan_by_importance,
        random_importance,
    )
    from affectkeras.pruning.plan import PrunePlan

    if settings.plan is not None:
        try:
            return PrunePlan.from_json(settings.plan.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{settings.plan} is no plan: {error}") from error
    if settings.fraction is not None:
        importance = l1_importance if settings.importance == "l1" else random_importance(0)
        return plan_by_importance(
            model, settings.fraction, importance, multiple_of=settings.multiple_of
        )
    activations = Activations(model, list(settings.layers) or None)
    return activations.gather(images).plan(settings.threshold)


def _check(settings: PruneSettings) -> None:
    given = [name for name in WAYS if getattr(settings, name) is not None]
    if len(given) != 1:
        raise UserError(
            "Give exactly one of --threshold DEGREES, --fraction SHARE and --plan FILE. Received: "
            f"{', '.join('--' + name for name in given) or 'none'}."
        )
    if settings.threshold is not None:
        if not 0 <= settings.threshold < 90:
            raise UserError(f"--threshold must be in [0, 90). Received: {settings.threshold:g}")
        if not settings.images:
            raise UserError(
                "--threshold compares what maps see: give --images, files or folders, best those "
                "of the training."
            )
    if settings.recalibrate and not settings.images:
        raise UserError(
            "--recalibrate measures what the smaller model's BatchNormalization reads: give "
            "--images, files or folders, best those of the training."
        )
    if settings.fraction is not None and not 0 <= settings.fraction < 1:
        raise UserError(f"--fraction must be in [0, 1). Received: {settings.fraction:g}")


class ImageBatches:
    """Batches of images as a model takes them, read afresh at every pass.

    Damaged images are left out; after the first pass it is said how many.

    Args:
        model: takes images of a fixed size, grey or RGB.
        images: files and folders.

    Raises:
        UserError: at a pass, when the model takes something else, or no image can be read.
    """

    def __init__(self, model: "keras.Model", images: Sequence[Path]):
        self._shape = model.input_shape
        self._images = images
        self._told = False

    def __iter__(self):
        """Yield `(batch, height, width, channels)` float32 in [0, 255]."""
        from affectkeras.predict import find_images

        height, width, channels = self._shape[1:]
        if height is None or width is None or channels not in (1, 3):
            raise UserError(
                f"The model takes {self._shape}: images are needed, of a fixed size, grey or RGB."
            )
        paths, damaged, batch = find_images(self._images), 0, []
        # disable=None: no bar where nobody watches.
        for path in tqdm(paths, desc="Measuring maps", unit=" images", disable=None, leave=False):
            pixels = self._read(path)
            if pixels is None:
                damaged += 1
                continue
            batch.append(pixels)
            if len(batch) == BATCH:
                yield np.stack(batch)
                batch = []
        if batch:
            yield np.stack(batch)
        self._tell(len(paths), damaged)

    def _read(self, path: Path) -> np.ndarray | None:
        from affectkeras.media.images import decode_and_resize

        try:
            encoded = read_image_file(path)
            check_image(encoded)
        except ImageDamaged:
            return None
        _, height, width, channels = self._shape
        pixels = np.asarray(decode_and_resize(encoded, (height, width)))
        return pixels if channels == 3 else pixels.mean(axis=-1, keepdims=True)

    def _tell(self, count: int, damaged: int) -> None:
        if not self._told:
            print(f"{count} images read: {count - damaged} measured, {damaged} damaged.")
        self._told = True
        if damaged == count:
            raise UserError("No image could be read: nothing was measured.")


def _check_normalizations(model: "keras.Model", file: Path) -> None:
    from affectkeras.pruning.recalibration import find_normalizations

    if not find_normalizations(model):
        raise UserError(
            f"{file} has no BatchNormalization to --recalibrate, or frozen ones only, which keep "
            "their statistics. Leave the flag out."
        )


def _recalibrate(pruned: "keras.Model", images: ImageBatches) -> str:
    """Measure the normalizations of a model anew, and return what was done in words."""
    from affectkeras.pruning.recalibration import find_normalizations, recalibrate_normalization

    recalibrate_normalization(pruned, images)
    measured = len(find_normalizations(pruned))
    frozen = len(find_normalizations(pruned, frozen=True)) - measured
    left = f"; {frozen} frozen left as they are" if frozen else ""
    return f"Recalibrated on the images after that proof: {measured} BatchNormalization{left}."


def _print_layers(plan: "PrunePlan") -> None:
    width = max(len(one.layer) for one in plan.layers)
    for one in plan.layers:
        left = one.channels - len(one.removed)
        print(f"{one.layer:<{width}}  {one.channels:>5} → {left:>5} maps")


def _export(source: Path, out: Path, keras) -> str:
    """Write the SavedModel too where the source is a run, which knows the classes; name it."""
    try:
        result = json.loads((source / "result.json").read_text(encoding="utf-8"))
        names = result["class_names"]
    except (OSError, ValueError, KeyError):
        return ""
    from affectkeras.export import check_exports, export_saved_model

    model = keras.models.load_model(out / "model.keras", compile=False)
    size = tuple(model.input_shape[1:3])
    folder = export_saved_model(model, out / "saved_model", class_names=names, image_size=size)
    check_exports(model, image_size=size, saved_model=folder)
    print(f"Classify with it: python -m affectkeras predict {out} IMAGE_OR_FOLDER")
    return f", {out}/saved_model"
