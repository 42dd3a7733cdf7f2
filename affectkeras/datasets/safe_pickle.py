"""Reading pickles of plain data, as some owners give theirs out, without running what they hold.

A pickle is a program: loaded as it is, it may call any function by name. Here it reaches none but
those that numbers, texts, containers and arrays need, and these are stand-ins for NumPy's: NumPy's
own trust the file in what it says of memory.
"""

import math
import pickle
import re
import sys
from pathlib import Path

import numpy as np

from affectkeras.errors import UserError

# Booleans, whole, real and complex numbers, bytes and texts: each value stands in its own bytes,
# where that of an object would be an address.
_PLAIN_TYPE = re.compile(r"[biufcSU]\d+")


def load_plain(path: Path, *, encoding: str = "ASCII") -> object:
    """Return what a pickle holds: dicts, lists, tuples, sets, texts, bytes, numbers, NumPy arrays.

    Pickles of every protocol are read, those of Python 2 too. Arrays cannot be written to, as
    they share the memory of the bytes that were read; their byte order is this machine's.

    Args:
        path: the file.
        encoding: what a text of Python 2 becomes: `"bytes"` as it stands, else decoded so.
            `"latin1"` decodes any.

    Raises:
        UserError: when the file cannot be read, is no whole pickle, or asks for anything else.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            return _replace(_PlainUnpickler(file, path, encoding).load(), {})
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}). Make it readable for you."
        ) from error
    except Exception as error:
        # What unpickling raises depends on where the damage lies.
        raise UserError(
            f"{path}: cannot be read as a pickle of plain data ({type(error).__name__}: "
            f"{error!s:.200}). Take it anew from its owner."
        ) from error


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, file, path: Path, encoding: str):
        super().__init__(file, encoding=encoding)
        self._path = path

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        # The file chose the name: it may be long, or hold what a terminal would obey.
        asked = ascii(f"{module}.{name}")[1:-1][:100]
        raise UserError(
            f"{self._path}: asks for {asked}, which plain data do not need: it could run a "
            "program hidden in the file. Nothing of it was run. Take the file anew from its owner."
        )


class _StandIn:
    """What a pickle gets in place of a function: its `__setstate__` keeps it as it is.

    Without one, a pickle could set attributes of the class and so change it for the next file.
    """

    # As arrays are: so that none is ever a key, where it could not be replaced.
    __hash__ = None

    def __setstate__(self, state):
        raise TypeError("no state is expected here")


class _Dtype(_StandIn):
    """Stands for `numpy.dtype`: takes the type and its byte order, nothing of its inner layout."""

    def __init__(self, text: str | bytes, *_):
        text = text.decode("latin1") if isinstance(text, bytes) else text
        if not isinstance(text, str) or not _PLAIN_TYPE.fullmatch(text):
            raise ValueError(f"arrays of {text!r:.60} are not read, only of numbers and texts")
        self.value = np.dtype(text)

    def __setstate__(self, state: tuple):
        # (version, byte order, inner layout …); the inner layout is that of arrays of records.
        if any(isinstance(part, tuple | list | dict) for part in state):
            raise ValueError("arrays of records are not read, only of numbers and texts")
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.value = self.value.newbyteorder(order)


class _Array(_StandIn):
    """Stands for `_reconstruct`, which makes an empty array; its state then says what it holds."""

    def __init__(self, *_):
        self.value = None

    def __setstate__(self, state: tuple):
        _, shape, dtype, by_columns, content = state
        self.value = _as_array(content, dtype, shape, "F" if by_columns else "C")


class _Buffer(_StandIn):
    """Stands for `_frombuffer`, the arrays of protocol 5."""

    def __new__(cls, content: bytes, dtype: _Dtype, shape: tuple, order: str):
        return _as_array(content, dtype, shape, order)


class _Scalar(_StandIn):
    """Stands for `scalar`: one number or text of NumPy."""

    def __new__(cls, dtype: _Dtype, content: bytes):
        return _as_array(content, dtype, (), "C")[()]


class _Encode(_StandIn):
    """Stands for `_codecs.encode`: how Python 3 writes bytes that Python 2 can read."""

    def __new__(cls, text: str, encoding: str):
        if encoding not in ("latin1", "latin-1"):
            raise ValueError(f"bytes must be written as latin1. Found: {encoding!r:.60}")
        return text.encode("latin1")


class _NoBytes(_StandIn):
    """Stands for `bytes`, which old protocols call for no bytes at all."""

    def __new__(cls):
        return b""


def _as_array(
    content: bytes | str, dtype: _Dtype, shape: tuple[int, ...], order: str
) -> np.ndarray:
    """Return the array whose memory is `content`, bytes or (from Python 2) latin1 text."""
    if isinstance(content, str):
        content = content.encode("latin1")
    if not isinstance(dtype, _Dtype):
        raise ValueError(f"the type of an array is expected. Found: {dtype!r:.60}")
    shape = tuple(shape)
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"the shape of an array must be whole numbers. Found: {shape!r:.60}")
    size = math.prod(shape) * dtype.value.itemsize
    if size != len(content):
        raise ValueError(f"{len(content)} bytes for an array of {size}")
    array = np.ndarray(shape, dtype.value, buffer=content, order=order)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "U" and array.size and _code_points(array).max() > sys.maxunicode:
        raise ValueError("a text holds what is no character")
    array.flags.writeable = False
    return array


def _code_points(texts: np.ndarray) -> np.ndarray:
    return np.frombuffer(texts.tobytes(), np.uint32)


def _replace(value: object, done: dict[int, tuple]) -> object:
    """Return the value with arrays and types in place of their stand-ins.

    Args:
        value: a part of what was read; lists and dicts are changed in place.
        done: what was replaced before, by id, as a value may stand in several places and even in
            itself; the value itself is kept beside, so that its id is not given to another.
    """
    if id(value) in done:
        return done[id(value)][1]
    if isinstance(value, _Array | _Dtype):
        return value.value
    if isinstance(value, tuple):
        replaced = tuple(_replace(part, done) for part in value)
        done[id(value)] = (value, replaced)
        return replaced
    if isinstance(value, list):
        done[id(value)] = (value, value)
        value[:] = [_replace(part, done) for part in value]
    elif isinstance(value, dict):
        done[id(value)] = (value, value)
        for key in value:
            value[key] = _replace(value[key], done)
    return value


_ALLOWED: dict[tuple[str, str], object] = {
    # Only ever handed to `_reconstruct`, which needs no more than that it is there.
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Encode,
}
# NumPy 1 and NumPy 2 name their inner modules differently; so do Python 2 and Python 3.
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _Scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _Buffer
for _builtins in ("__builtin__", "builtins"):
    _ALLOWED[_builtins, "bytes"] = _NoBytes
    for _type in (set, frozenset, complex):
        _ALLOWED[_builtins, _type.__name__] = _type
