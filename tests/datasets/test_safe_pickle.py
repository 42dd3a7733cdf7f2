"""Plain data come back from every kind of pickle; whatever could run a program is refused."""

import os
import pickle
import subprocess

import numpy as np
import pytest

from affectkeras.datasets.safe_pickle import load_plain
from affectkeras.errors import UserError

PLAIN = {
    "numbers": [1, -(10**30), 2.5, 1j, True, None],
    "texts": ("S2", "ä", b"\xff\x00", b""),
    "sets": [{1, 2}, frozenset({3})],
    "nested": {"chest": {3: ["x", ("y", [])]}},
}
ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "floats": np.linspace(0, 1, 7),
    "by columns": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "apart": np.arange(10)[::3],
    "whether": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "texts": np.array(["a", "äöü"]),
    "old texts": np.array([b"a", b"bc"]),
    "none": np.empty((0, 3), np.float32),
    "one": np.array(7, np.int16),
    "scalar": np.float32(0.25),
    "text": np.str_("ä"),
}
# As cPickle of Python 2.7 with NumPy 1.16 wrote it, with protocols 0 and 2:
# {'subject': 'S\xe4', 'label': np.array([1, 2], 'i4'), 'mean': np.float64(0.5)}
OF_PYTHON_2 = {
    0: (
        b"(dp1\nS'mean'\np2\ncnumpy.core.multiarray\nscalar\np3\n(cnumpy\ndtype\np4\n(S'f8'\nI0\n"
        b"I1\ntRp5\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbS'\\x00\\x00\\x00\\x00\\x00\\x00\\xe0?'\ntRp6\n"
        b"sS'label'\np7\ncnumpy.core.multiarray\n_reconstruct\np8\n(cnumpy\nndarray\np9\n(I0\nt"
        b"S'b'\ntRp10\n(I1\n(I2\ntg4\n(S'i4'\nI0\nI1\ntRp11\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00'\ntbsS'subject'\np12\nS'S\\xe4'\np13\ns."
    ),
    2: (
        b"\x80\x02}q\x01(U\x04meanq\x02cnumpy.core.multiarray\nscalar\nq\x03cnumpy\ndtype\nq\x04"
        b"U\x02f8K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"U\x08\x00\x00\x00\x00\x00\x00\xe0?\x86Rq\x06U\x05labelq\x07cnumpy.core.multiarray\n"
        b"_reconstruct\nq\x08cnumpy\nndarray\nq\tK\x00\x85U\x01b\x87Rq\n(K\x01K\x02\x85h\x04"
        b"U\x02i4K\x00K\x01\x87Rq\x0b(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08\x01\x00\x00\x00\x02\x00\x00\x00tbU\x07subjectq\x0cU\x02S\xe4q\ru."
    ),
}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Call:
    """Pickled as a call of a function, and of `__setstate__` where there is a state."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def write(folder, content):
    path = folder / "data.pkl"
    path.write_bytes(content)
    return path


def load(folder, value, protocol=2):
    return load_plain(write(folder, pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_come_back_as_they_were(tmp_path, protocol):
    assert load(tmp_path, PLAIN, protocol) == PLAIN


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_come_back_as_they_were(tmp_path, protocol, name):
    array = ARRAYS[name]
    (found,) = load(tmp_path, [array], protocol)
    assert type(found) is type(array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_byte_order_becomes_that_of_this_machine(tmp_path, protocol):
    found = load(tmp_path, np.array([1.5, 2], ">f4"), protocol)
    assert found.dtype == np.dtype("=f4")
    assert found.tolist() == [1.5, 2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_cannot_be_written_to(tmp_path, protocol):
    found = load(tmp_path, np.arange(4), protocol)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


@pytest.mark.parametrize("protocol", OF_PYTHON_2)
@pytest.mark.parametrize(
    ("encoding", "name", "subject"), [("latin1", str, "Sä"), ("bytes", str.encode, b"S\xe4")]
)
def test_pickles_of_python_2_are_read(tmp_path, protocol, encoding, name, subject):
    found = load_plain(write(tmp_path, OF_PYTHON_2[protocol]), encoding=encoding)
    assert set(found) == {name("subject"), name("label"), name("mean")}
    assert found[name("subject")] == subject
    assert found[name("mean")] == np.float64(0.5)
    assert found[name("label")].dtype == np.int32
    assert found[name("label")].tolist() == [1, 2]


def test_a_text_of_python_2_that_the_encoding_does_not_know_is_an_error(tmp_path):
    with pytest.raises(UserError, match="data.pkl: cannot be read as .*'ascii' codec can't decode"):
        load_plain(write(tmp_path, OF_PYTHON_2[2]))


def test_the_names_of_numpy_1_and_numpy_2_are_known(tmp_path):
    content = pickle.dumps([np.arange(3), np.float64(2)], 2)
    old = content.replace(b"numpy._core.", b"numpy.core.")
    new = content.replace(b"numpy.core.", b"numpy._core.")
    assert old != new
    for version in (old, new):
        array, number = load_plain(write(tmp_path, version))
        assert (array.tolist(), number) == ([0, 1, 2], 2)


def test_what_stands_in_several_places_stays_one(tmp_path):
    array, row = np.arange(3), (np.arange(2),)
    found = load(tmp_path, {"a": array, "b": [array, row], "c": row})
    assert found["a"] is found["b"][0]
    assert found["b"][1] is found["c"]
    itself = [array]
    itself.append(itself)
    found = load(tmp_path, itself)
    assert found[1] is found
    assert found[0].tolist() == [0, 1, 2]


def test_a_list_of_lists_of_the_same_lists_is_walked_once(tmp_path):
    for kind in (list, tuple):
        value = kind([1])
        for _ in range(60):
            value = kind([value, value])
        found = load(tmp_path, value)
        assert type(found) is kind


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_hidden_program_is_not_run(tmp_path, protocol):
    mark = tmp_path / "mark"
    content = pickle.dumps(
        {"data": np.arange(3), "labels": Call(os.system, (f"touch {mark}",))}, protocol
    )
    with pytest.raises(UserError) as caught:
        load_plain(write(tmp_path, content))
    assert f"{tmp_path / 'data.pkl'}: asks for {os.system.__module__}.system" in str(caught.value)
    assert "Nothing of it was run" in str(caught.value)
    assert not mark.exists()

    pickle.loads(content)  # the attack is a real one
    assert mark.exists()


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (subprocess.Popen, (["false"],), "subprocess.Popen"),
        (eval, ("1",), "builtins.eval"),
        (exec, ("1",), "builtins.exec"),
        (getattr, (1, "real"), "builtins.getattr"),
        (__import__, ("os",), "builtins.__import__"),
        (open, ("x", "w"), "io.open|_io.open"),
        (bytearray, (10**12,), "builtins.bytearray"),
        (np.fromfile, ("x",), "numpy.*fromfile"),
        (np.load, ("x",), "numpy.load"),
        (pickle.loads, (b"N.",), "_pickle.loads"),
    ],
)
def test_any_other_function_is_refused_by_name(tmp_path, function, arguments, name):
    content = pickle.dumps(Call(function, arguments), 4)
    with pytest.raises(UserError, match=f"data.pkl: asks for ({name}), which plain data"):
        load_plain(write(tmp_path, content))


@pytest.mark.parametrize("module", ["os\nsystem", "numpy\ntestcase", "numpy.core\nmultiarray"])
def test_a_name_alone_is_refused_too(tmp_path, module):
    with pytest.raises(UserError, match=f"asks for {module.replace(chr(10), '.')},"):
        load_plain(write(tmp_path, b"c" + module.encode() + b"\n."))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([{}, []], dtype=object), "arrays of 'O8' are not read"),
        (np.zeros(2, dtype=[("a", "i4")]), "arrays of 'V4' are not read"),
        (np.array(["2020-01-01"], dtype="M8[D]"), "arrays of 'M8' are not read"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_arrays_of_other_things_are_refused(tmp_path, array, reason, protocol):
    with pytest.raises(UserError, match=f"{reason}, only of numbers and texts"):
        load(tmp_path, array, protocol)


def forge(dtype, state, shape, content):
    """Return an array whose parts say what NumPy would not write."""
    from numpy._core.multiarray import _reconstruct

    dtype = Call(np.dtype, dtype, *([state] if state else []))
    return Call(_reconstruct, (np.ndarray, (0,), b"b"), (1, shape, dtype, False, content))


SOUND = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        # Bytes passed off as the addresses of objects.
        (forge(("O8", False, True), SOUND, (1,), bytes(8)), "arrays of 'O8' are not read"),
        (
            forge(("u1", False, True), (3, "|", None, ("a",), {}, 8, 1, 27), (1,), bytes(8)),
            "arrays of records are not read",
        ),
        (forge(("f8,f8", False, True), SOUND, (1,), bytes(16)), "arrays of 'f8,f8' are not read"),
        (forge((object,), None, (1,), bytes(8)), "asks for __builtin__.object"),
        # More than there is to read.
        (forge(("f8", False, True), SOUND, (10**15,), bytes(8)), "8 bytes for an array of 8000"),
        (forge(("f8", False, True), SOUND, (2**40, 2**40), b""), "0 bytes for an array of"),
        (forge(("f8", False, True), SOUND, (-1, -1), bytes(8)), r"whole numbers. Found: \(-1"),
        (forge(("f8", False, True), SOUND, (1.0,), bytes(8)), r"whole numbers. Found: \(1.0"),
        (forge(("f8", False, True), SOUND, (1,), bytes(9)), "9 bytes for an array of 8"),
        (forge(("f8", False, True), (3, "?"), (1,), bytes(8)), "cannot be read as a pickle"),
        (forge(("U1", False, True), SOUND, (1,), b"\xff" * 4), "what is no character"),
    ],
)
def test_a_forged_array_is_refused(tmp_path, forged, reason):
    with pytest.raises(UserError, match=reason):
        load(tmp_path, forged)


def test_a_function_is_not_changed_for_the_next_file(tmp_path):
    for name in ("numpy\ndtype", "numpy.core.multiarray\n_reconstruct", "_codecs\nencode"):
        # Attributes given to what the name stands for, as its state.
        content = b"c" + name.encode() + b"\n(N}(X\x05\x00\x00\x00valueK\x01utb."
        with pytest.raises(UserError, match="cannot be read as a pickle of plain data"):
            load_plain(write(tmp_path, content))
    assert load(tmp_path, np.arange(2)).tolist() == [0, 1]


def test_bytes_are_decoded_from_latin1_only(tmp_path):
    import _codecs

    with pytest.raises(UserError, match="bytes must be written as latin1. Found: 'rot13'"):
        load(tmp_path, Call(_codecs.encode, ("x", "rot13")))


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"\x80\x02}q\x01(U\x04me", b"\x80\x7f.", bytes(9)]
)
def test_a_file_that_is_no_whole_pickle_is_an_error(tmp_path, content):
    with pytest.raises(UserError) as caught:
        load_plain(write(tmp_path, content))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'data.pkl'}: cannot be read as a pickle of plain data")
    assert message.endswith("Take it anew from its owner.")


@pytest.mark.parametrize("seed", range(10))
def test_damage_anywhere_ends_as_a_sentence_or_as_plain_data(tmp_path, seed):
    random = np.random.default_rng(seed)
    sources = [OF_PYTHON_2[2], *(pickle.dumps([ARRAYS, PLAIN], p) for p in PROTOCOLS)]
    for source in sources:
        content = bytearray(source)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            content[place] = random.integers(32, 127)
        try:
            repr(load_plain(write(tmp_path, content), encoding="latin1"))
        except UserError as error:
            message = str(error)
        else:
            message = "data.pkl"
        assert "data.pkl" in message


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere: cannot be read .No such file"):
        load_plain(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot be read .Is a directory"):
        load_plain(tmp_path)
