"""Pickles as Python 2 wrote them with protocol 2: texts are bytes, to be decoded by who reads them.

Python 3 cannot write them itself. It reads them with `encoding="latin1"`.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


def write_python2_pickle(path: Path, value: dict) -> None:
    """Write a pickle of Python 2.

    Args:
        path: of the file; its folder is made if absent.
        value: a dict of texts to texts, arrays of numbers and such dicts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(b"\x80\x02")
        stream.writelines(_encode(value))
        stream.write(b".")


def _encode(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        yield b"}("
        for key, held in value.items():
            yield from _encode(key)
            yield from _encode(held)
        yield b"u"
    elif isinstance(value, str):
        yield from _encode_bytes(value.encode("latin1"))
    elif isinstance(value, np.ndarray):
        yield from _encode_array(np.ascontiguousarray(value))
    else:
        raise ValueError(
            f"`value` must hold dicts, texts and arrays. Received: {type(value).__name__}"
        )


def _encode_bytes(content: bytes) -> Iterator[bytes]:
    """A `str` of Python 2, with its length before it in one byte or in four."""
    short = len(content) < 256
    yield b"U" + bytes([len(content)]) if short else b"T" + struct.pack("<i", len(content))
    yield content


def _encode_array(array: np.ndarray) -> Iterator[bytes]:
    """What `ndarray.__reduce__` tells: an empty array, then its version, shape, type and bytes."""
    yield _RECONSTRUCT + b"(K\x01("
    yield b"".join(_encode_integer(length) for length in array.shape)
    yield b"t"
    kind = array.dtype.newbyteorder("<")
    yield b"cnumpy\ndtype\n"
    yield from _encode_bytes(kind.str[1:].encode("ascii"))
    yield b"K\x00K\x01\x87R(K\x03U\x01<NNN"
    yield _encode_integer(-1) * 2 + b"K\x00tb"
    yield b"\x89"  # in the order of C
    yield from _encode_bytes(array.astype(kind, copy=False).tobytes())
    yield b"tb"


def _encode_integer(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)
