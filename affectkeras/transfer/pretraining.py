"""What the weights of a backbone were trained on, as far as their file tells."""

import dataclasses
import json
from pathlib import Path
from typing import Literal

from affectkeras.transfer.backbones import Backbone

# Data sets of this toolkit that show faces and their expressions.
FACES = ("affectnet", "aff_wild", "aff_wild2", "afew", "fer2013", "ferplus", "rafdb", "sfew")
LEVELS_TO_RUN = 3  # a run keeps its models as model.keras and models/<name>/model.keras


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """The origin of a backbone's weights.

    Args:
        domain: `"imagenet"`, `"faces"`, `"unknown"` (a file that does not tell) or `"none"`.
        words: the same for people.
    """

    domain: Literal["imagenet", "faces", "unknown", "none"]
    words: str


def find_pretraining(backbone: Backbone, weights: str | Path) -> Pretraining:
    """Return what a backbone's weights were trained on.

    A file is taken for ImageNet's where it has the name that Keras gives it, and for one of faces
    where it lies in the folder of a run on one of `FACES` that is complete.

    Args:
        backbone: the entry of the zoo.
        weights: `"imagenet"`, `"none"` or the path of a weights file.
    """
    if str(weights) == "none":
        return Pretraining("none", "random weights: nothing was pretrained")
    path = Path(weights)
    sizes = backbone.weights_sizes or (backbone.default_size,)
    names = {backbone.weights_file.format(size=size) for size in sizes}
    if str(weights) == "imagenet" or path.name in names:
        return Pretraining("imagenet", "ImageNet: photographs of a thousand kinds of things")
    dataset = _dataset_of(path) if path.suffix == ".keras" else None
    if dataset is None:
        return Pretraining("unknown", f"{path.name}: a file that does not tell its data")
    if dataset in FACES:
        return Pretraining("faces", f"{dataset}: faces and their expressions")
    return Pretraining("unknown", f"a run on {dataset}")


def _dataset_of(path: Path) -> str | None:
    """Return the data set of the complete run in whose folder a model lies; None without one."""
    for folder in path.absolute().parents[:LEVELS_TO_RUN]:
        try:
            dataset = json.loads((folder / "result.json").read_text(encoding="utf-8"))["dataset"]
            name = str(dataset["name"])
            return f"drawn faces in the layout of {name}" if dataset.get("sample") else name
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
