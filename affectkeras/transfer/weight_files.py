"""Weights files: found in Keras's cache or fetched into it, checked, and put into a network."""

import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from affectkeras.errors import UserError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class WeightsUnreachable(UserError):
    """Pretrained weights that are neither on this machine nor to be had from the network."""


def models_folder() -> Path:
    """Return the folder where Keras keeps downloaded weights (`KERAS_HOME`, else `~/.keras`)."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home).expanduser() if home else Path.home() / ".keras") / "models"


def imagenet_file(name: str, url: str, file: str, timeout: float) -> Path:
    """Return the finished file in Keras's cache, fetching it when it is not there.

    Differs from `keras.utils.get_file`: a file that is there is never deleted or replaced, and a
    download appears under its name only when it is complete.

    Args:
        name: the backbone's name, for the message.
        url: where the file is fetched from.
        file: its name in the cache.
        timeout: seconds that the storage may stay silent.

    Raises:
        WeightsUnreachable: when it is not there and cannot be fetched.
    """
    target = models_folder() / file
    if target.is_file():
        return target
    try:
        _download(url, target, timeout)
    except OSError as error:  # URLError, timeouts and full or read-only disks are all OSErrors
        reason = getattr(error, "reason", None) or error
        raise WeightsUnreachable(
            f"The ImageNet weights of {name} are not on this machine and could not be downloaded "
            f"({reason}). Fetch {url} on another machine and put it at "
            f"{target}, or give a weights file with --weights PATH, or start from random weights "
            "with --weights none."
        ) from error
    return target


def _download(url: str, target: Path, timeout: float) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                expected = response.headers.get("Content-Length")
                shutil.copyfileobj(response, file)
            received = file.tell()
        if expected is not None and received != int(expected):
            raise OSError(f"the connection ended after {received} of {expected} bytes")
        os.replace(unfinished, target)
    finally:
        Path(unfinished).unlink(missing_ok=True)


def load_weights_file(
    network: keras.Model, path: Path, *, deviation_as_variance: bool = False
) -> None:
    """Put the weights of a file into a backbone.

    Args:
        network: a backbone without its classification top.
        path: `.h5` or `.hdf5` (as Keras distributes them), `.weights.h5` (of such a backbone) or
            `.keras` (such a backbone, or a model that has one as its layer `"backbone"`).
        deviation_as_variance: for EfficientNet, see `Backbone`.

    Raises:
        UserError: when the file is damaged, of another kind, or of another network.
    """
    try:
        if path.suffix == ".keras":
            _check_signature(path, b"PK\x03\x04", "a .keras file")
            _copy_weights(keras.models.load_model(path, compile=False), network)
        elif path.suffix in (".h5", ".hdf5"):
            _check_signature(path, HDF5_SIGNATURE, "an HDF5 file")
            network.load_weights(path)
            if deviation_as_variance and _is_distributed(path):
                _square_variance(network)
        else:
            raise ValueError("the name must end in .h5, .hdf5, .weights.h5 or .keras")
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"The weights file {path} does not fit {network.name}: {reason}. Give the file of this "
            "very backbone without its classification top (its name ends in no_top or notop), "
            "fetch it again if it may be damaged, or choose --weights imagenet or none."
        ) from error


def _check_signature(path: Path, signature: bytes, kind: str) -> None:
    with open(path, "rb") as file:
        if not file.read(len(signature)).startswith(signature):
            raise ValueError(f"it is not {kind} ({path.stat().st_size} bytes)")


def _copy_weights(loaded: keras.Model, network: keras.Model) -> None:
    names = [layer.name for layer in loaded.layers]
    source = loaded.get_layer("backbone") if "backbone" in names else loaded
    expected = [tuple(weight.shape) for weight in network.weights]
    found = [tuple(weight.shape) for weight in source.weights]
    if expected != found:
        raise ValueError(
            f"expected {len(expected)} weights, found {len(found)}"
            if len(expected) != len(found)
            else f"expected the shapes {_first_difference(expected, found)}"
        )
    network.set_weights(source.get_weights())


def _first_difference(expected: list[tuple], found: list[tuple]) -> str:
    pairs = zip(expected, found, strict=True)
    return next(f"{wanted}, found {seen}" for wanted, seen in pairs if wanted != seen)


def _is_distributed(path: Path) -> bool:
    """Say whether the file is one that Keras distributes: the old format, weights only."""
    with h5py.File(path, "r") as file:
        return "layer_names" in file.attrs


def _square_variance(network: keras.Model) -> None:
    """Give EfficientNet's input normalisation the variance it was trained with.

    `keras.applications` divides by the square root of the deviation a second time, in a layer that
    only exists when the constructor itself fetches the weights. Folding the factor into the
    variance is the same function, and the same architecture wherever the weights come from.
    """
    layer = next(layer for layer in network.layers if isinstance(layer, keras.layers.Normalization))
    deviation = np.array((0.229, 0.224, 0.225), dtype="float32")
    mean, variance, count = layer.get_weights()
    layer.set_weights([mean, variance * deviation.reshape(variance.shape), count])
    layer.finalize_state()
