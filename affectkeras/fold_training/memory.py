"""How many folds fit into memory."""

import math
import os
from pathlib import Path

import keras

from affectkeras.fold_training.network import operations_of

# Numbers held of each weight: itself, two moments, its gradient, all four while they are renewed.
COPIES_OF_WEIGHTS = 8
# And of each number that a layer makes of a row: itself, its gradient, what the step between needs.
COPIES_OF_OUTPUTS = 4
BYTES = 4
ASSUMED = 4 * 2**30  # where the system tells nothing


def bytes_of_fold(model: keras.Model, batch_size: int) -> int:
    """Return about how many bytes the training of one fold takes, beside the shared inputs."""
    weights = sum(math.prod(one.shape) for one in model.weights)
    outputs = sum(_outputs_of(operation) for operation in operations_of(model))
    return BYTES * (COPIES_OF_WEIGHTS * weights + COPIES_OF_OUTPUTS * batch_size * outputs)


def folds_that_fit(model: keras.Model, batch_size: int, free: int | None = None) -> int:
    """Return how many folds are trained together: as many as fill half of the free memory.

    Args:
        model: of one fold.
        batch_size: rows of a step of one fold.
        free: bytes; by default what the system says.

    Returns:
        At least 1.
    """
    free = free_memory() if free is None else free
    return max(1, free // 2 // bytes_of_fold(model, batch_size))


def free_memory() -> int:
    """Return the bytes that may be taken without others' being moved to disk."""
    known = Path("/proc/meminfo")
    if known.exists():
        for line in known.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return ASSUMED


def _outputs_of(operation) -> int:
    """Return the numbers that a layer makes of one row, with the patches of a convolution."""
    made = 0
    for node in operation._inbound_nodes:
        size = sum(math.prod(one.shape[1:]) for one in node.output_tensors)
        if isinstance(operation, (keras.layers.Conv1D, keras.layers.Conv2D)):
            patch = math.prod(operation.kernel.shape[:-1])
            size += size // operation.filters * patch
        if isinstance(operation, (keras.layers.LSTM, keras.layers.GRU)):
            # Four gates and two states at every step.
            size += 6 * operation.units * node.input_tensors[0].shape[1]
        made += size
    return made
