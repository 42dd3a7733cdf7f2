"""Faces as numbers that are computed: LPQ and PHOG, and the components that networks learn from."""

import dataclasses

import numpy as np
from threadpoolctl import threadpool_limits

from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.splits import Split
from affectkeras.features.gradient_pyramid import pyramid_of_gradients
from affectkeras.features.local_phase import local_phase_quantization
from affectkeras.features.principal_components import Components, find_components

KINDS = ("lpq", "phog")
# What papers leave open; 16 cells and four levels are usual for faces.
WINDOW, CELLS, LEVELS, BINS = 7, 4, 3, 8
SHARE = 0.98  # of the variance, in the components that support vector machines learn from
BATCH = 64  # pictures that are decoded at once


@dataclasses.dataclass(frozen=True, eq=False)
class FaceNumbers:
    """The numbers of every used row of a table.

    Args:
        whole: kind → `(table rows, numbers)`, what a support vector machine learns from.
        few: `(table rows, numbers)`, what networks learn from: some components of each kind.
        components: kind → how `few` come from the values of a picture; empty where the data set
            gives components itself.
    """

    whole: dict[str, np.ndarray]
    few: np.ndarray
    components: dict[str, Components]


def compute_numbers(
    table: ExampleTable, split: Split, *, image_size: int, count: int
) -> FaceNumbers:
    """Return LPQ and PHOG of every row of a split, and their components.

    The components are those of the training rows. Rows in no part are NaN.

    Args:
        table: pictures, or the table of features, whose own components are taken as they are.
        split: its rows are read; features of a row depend on no other row.
        image_size: pixels, height and width, at which the features are computed.
        count: components of each kind that networks learn from.
    """
    if "features" in getattr(table.payload, "arrays", {}):
        given = table.payload.arrays["features"][table.payload.index].astype(np.float32)
        half = given.shape[1] // len(KINDS)
        whole = {kind: given[:, half * i : half * (i + 1)] for i, kind in enumerate(KINDS)}
        return FaceNumbers(whole, given, {})
    used = np.sort(np.concatenate(list(split.parts().values())))
    values = _read_values(table, used, image_size)
    training = np.searchsorted(used, split.train)
    whole, few, components = {}, [], {}
    for kind in KINDS:
        with threadpool_limits(1, "blas"):  # see `shallow_arms.run_shallow_arm`
            most = find_components(values[kind][training], share=SHARE)
        whole[kind] = _spread(most.of(values[kind]), used, len(table))
        components[kind] = Components(most.mean, most.axes[:count], most.variances[:count])
        few.append(whole[kind][:, :count])
    return FaceNumbers(whole, np.concatenate(few, axis=1), components)


def _spread(found: np.ndarray, used: np.ndarray, rows: int) -> np.ndarray:
    spread = np.full((rows, found.shape[1]), np.nan, np.float32)
    spread[used] = found
    return spread


def _read_values(table: ExampleTable, rows: np.ndarray, image_size: int) -> dict[str, np.ndarray]:
    """Return kind → float32 `(rows, values)`, of pictures as training decodes them everywhere."""
    from tqdm import tqdm

    from affectkeras.faces import target_distribution
    from affectkeras.pipelines.augmentation import Augmentation
    from affectkeras.pipelines.images import ImagePipeline

    images = ImagePipeline(
        table,
        image_size=(image_size, image_size),
        batch_size=BATCH,
        targets=target_distribution(table),
        augmentation=Augmentation.none(),
        seed=0,
    )
    found: dict[str, list] = {kind: [] for kind in KINDS}
    steps = -(-len(rows) // BATCH)
    for batch, _ in tqdm(images.clean(rows), "LPQ and PHOG", steps, disable=None, leave=False):
        pictures = batch.numpy()
        lpq = local_phase_quantization(pictures, window=WINDOW, grid=(CELLS, CELLS))
        phog = pyramid_of_gradients(pictures, levels=LEVELS, bins=BINS, edges="all")
        found["lpq"].append(lpq.astype(np.float32))
        found["phog"].append(phog.astype(np.float32))
    return {kind: np.concatenate(parts) for kind, parts in found.items()}


def build_layers() -> list:
    """Return the layers that compute the values of a picture, in the order of `KINDS`."""
    from affectkeras.layers.picture_features import LocalPhaseQuantization, PyramidOfGradients

    lpq = LocalPhaseQuantization(WINDOW, (CELLS, CELLS), name="lpq")
    return [lpq, PyramidOfGradients(LEVELS, BINS, name="phog")]
