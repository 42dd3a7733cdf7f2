"""Which regime of transfer a training on still faces has, and why."""

import keras
import numpy as np

from affectkeras.datasets.table import ExampleTable
from affectkeras.evaluation.splits import Split
from affectkeras.transfer.pretraining import find_pretraining
from affectkeras.transfer.regime_choice import describe_situation, explain_regime
from affectkeras.transfer.zoo import find_backbone


def explain_face_regime(config, model: keras.Model, table: ExampleTable, split: Split) -> dict:
    """Return the regime of a training and the numbers behind it, see `explain_regime`.

    Args:
        config: a recipe's `Config`: `regime`, `last_blocks`, `backbone` and `weights` are read
            from it.
        model: the backbone classifier, trained or not.
        table: the examples.
        split: only the classes of its training rows are looked at.
    """
    target = table.class_target
    labels = table.frame[target.name].to_numpy()[split.train]
    counts = np.bincount(labels, minlength=len(target.class_names)).tolist()
    situation = describe_situation(
        model,
        dict(zip(target.class_names, counts, strict=True)),
        find_pretraining(find_backbone(config.backbone), config.weights),
        last_blocks=config.last_blocks,
    )
    return explain_regime(situation, config.regime)
