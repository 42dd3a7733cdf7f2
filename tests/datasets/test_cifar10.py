"""CIFAR-10 in every form that circulates, written small by hand and read back to the pixel."""

import os
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from affectkeras import doctor
from affectkeras.datasets import cifar10
from affectkeras.errors import UserError

PYTHON, BINARY = "cifar-10-batches-py", "cifar-10-batches-bin"
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
# Labels of the batches; the others hold one picture each.
LABELS = {"data_batch_1": [6, 9, 9], "data_batch_2": [0, 1], "test_batch": [3, 8]}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path_factory.mktemp("cache")))


def labels_of(name):
    return LABELS.get(name, [2])


def pictures_of(name):
    """Return the pictures of a batch, uint8 `(records, 32, 32, 3)`, no two alike."""
    seed = [*BATCHES, "test_batch"].index(name)
    shape = (len(labels_of(name)), 32, 32, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def as_planes(pictures):
    """Return the owner's order: all of red, row by row, then all of green, then all of blue."""
    return np.stack([np.concatenate([p[..., c].ravel() for c in range(3)]) for p in pictures])


def write_python(folder, names=(*BATCHES, "test_batch")):
    folder = folder / PYTHON
    folder.mkdir(parents=True)
    for name in names:
        write_batch(folder, name)
    names = [label.encode() for label in cifar10.CLASS_NAMES]
    meta = {b"num_cases_per_batch": 10000, b"label_names": names, b"num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(meta, 2))
    return folder


def write_batch(folder, name, protocol=2, **changed):
    labels = labels_of(name)
    batch = {
        b"batch_label": b"training batch 1 of 5",
        b"labels": labels,
        b"data": as_planes(pictures_of(name)),
        b"filenames": [f"thing_s_{number:06d}.png".encode() for number in range(len(labels))],
    }
    batch |= {key.encode(): value for key, value in changed.items()}
    batch = {key: value for key, value in batch.items() if value is not None}
    (folder / name).write_bytes(pickle.dumps(batch, protocol))


def as_records(name):
    pairs = zip(labels_of(name), as_planes(pictures_of(name)), strict=True)
    return b"".join(bytes([label]) + planes.tobytes() for label, planes in pairs)


def write_binary(folder, names=(*BATCHES, "test_batch")):
    folder = folder / BINARY
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.bin").write_bytes(as_records(name))
    (folder / "batches.meta.txt").write_text("\n".join(cifar10.CLASS_NAMES) + "\n\n")
    return folder


WRITERS = {"python": write_python, "binary": write_binary}


def write_tar(folder, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, folder.name)
    shutil.rmtree(folder)
    return path


def read(folder):
    table = cifar10.read(folder, progress=False)
    assert table.read == len(table) + len(table.rejected)
    return table


def pixels_of(table):
    return table.payload.arrays["pixels"][table.payload.index]


@pytest.mark.parametrize("form", WRITERS)
def test_pixels_labels_and_splits_come_back(tmp_path, form):
    WRITERS[form](tmp_path)
    table = read(tmp_path)
    names = [*BATCHES, "test_batch"]
    assert table.frame["object"].tolist() == [6, 9, 9, 0, 1, 2, 2, 2, 3, 8]
    assert table.frame["split"].tolist() == ["train"] * 8 + ["test"] * 2
    assert table.frame["example_id"].tolist() == [
        f"{name}/{record:05d}" for name in names for record in range(len(labels_of(name)))
    ]
    suffix = "" if form == "python" else ".bin"
    assert table.frame["source"].unique().tolist() == [f"{name}{suffix}" for name in names]
    assert table.frame["group"].tolist() == table.frame["example_id"].tolist()
    assert set(table.frame["subject"]) == {""}
    assert not table.groups_known
    assert pixels_of(table).dtype == np.uint8
    np.testing.assert_array_equal(
        pixels_of(table), np.concatenate([pictures_of(name) for name in names])
    )
    assert table.name == "cifar10"
    assert table.target("object").class_names[6] == "frog"
    assert table.rejected.empty


@pytest.mark.parametrize("form", WRITERS)
def test_planes_become_channels_and_rows_stay_rows(tmp_path, form):
    planes = np.zeros((3, 32, 32), np.uint8)
    planes[0, 0, :] = range(32)  # red grows to the right, in the first row
    planes[1, :, 0] = range(100, 132)  # green grows downwards, in the first column
    planes[2, 31, 30] = 255
    if form == "python":
        folder = write_python(tmp_path, ["test_batch"])
        data = planes.reshape(1, 3072)
        write_batch(folder, "test_batch", labels=[4], data=data, filenames=[b"deer.png"])
    else:
        folder = write_binary(tmp_path, [])
        (folder / "test_batch.bin").write_bytes(b"\x04" + planes.tobytes())
    table = read(tmp_path)
    picture = pixels_of(table)[0]
    assert picture[0, 0].tolist() == [0, 100, 0]
    assert picture[0, 7].tolist() == [7, 0, 0]
    assert picture[7, 0].tolist() == [0, 107, 0]
    assert picture[31, 30].tolist() == [0, 0, 255]
    assert picture[30, 31].tolist() == [0, 0, 0]
    assert cifar10.CLASS_NAMES[table.frame["object"][0]] == "deer"


def test_file_names_are_those_of_the_python_version(tmp_path):
    folder = write_python(tmp_path / "a")
    found = read(folder).frame["file_name"].tolist()
    assert found[:4] == [
        *("thing_s_000000.png", "thing_s_000001.png", "thing_s_000002.png"),
        "thing_s_000000.png",
    ]
    write_binary(tmp_path / "b")
    assert "file_name" not in read(tmp_path / "b").frame
    write_batch(folder, "data_batch_1", filenames=None)
    assert read(folder).frame["file_name"].tolist() == ["", "", "", *found[3:]]
    write_batch(folder, "data_batch_1", filenames=[b"caf\xe9", "\ud800", 7])
    assert read(folder).frame["file_name"].tolist()[:3] == ["caf\\xe9", "\\ud800", "7"]
    for name in (*BATCHES, "test_batch"):
        write_batch(folder, name, filenames=None)
    assert "file_name" not in read(folder).frame


def test_a_batch_as_python_2_wrote_it_is_read(tmp_path):
    folder = write_python(tmp_path, ["test_batch"])
    planes = as_planes(pictures_of("data_batch_1"))
    # As cPickle writes {'labels': [6, 9, 9], 'data': …}, with the content by columns.
    (folder / "data_batch_1").write_bytes(
        b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\tK\teU\x04dataq\x04"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87"
        b"Rq\x07(K\x01K\x03M\x00\x0c\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09(K\x03"
        b"U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x88"
        b"T\x00\x24\x00\x00" + planes.tobytes("F") + b"tbu."
    )
    table = read(tmp_path)
    np.testing.assert_array_equal(pixels_of(table)[:3], pictures_of("data_batch_1"))
    assert table.frame["object"].tolist() == [6, 9, 9, 3, 8]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_batch_that_was_written_anew_is_read(tmp_path, protocol):
    folder = write_python(tmp_path, [])
    write_batch(folder, "data_batch_1", protocol)
    batch = {"data": as_planes(pictures_of("test_batch")), "labels": np.array([3, 8], np.uint8)}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, protocol))
    table = read(tmp_path)
    assert table.frame["object"].tolist() == [6, 9, 9, 3, 8]
    np.testing.assert_array_equal(pixels_of(table)[3:], pictures_of("test_batch"))


@pytest.mark.parametrize("form", WRITERS)
def test_the_folder_and_up_to_two_above_it_are_accepted(tmp_path, form):
    folder = WRITERS[form](tmp_path / "one")
    for place in (folder, folder.parent, tmp_path):
        assert len(read(place)) == 10
    assert len(read(folder.rename(tmp_path / "renamed"))) == 10
    assert cifar10.find(tmp_path).form == f"{form} version"


def test_the_python_version_is_taken_where_both_lie_there(tmp_path):
    write_binary(tmp_path, ["data_batch_1"])
    write_python(tmp_path)
    assert cifar10.find(tmp_path).form == "python version"
    assert len(read(tmp_path)) == 10


def test_two_copies_side_by_side_are_named(tmp_path):
    write_binary(tmp_path / "a")
    write_python(tmp_path / "b")
    with pytest.raises(UserError) as caught:
        cifar10.find(tmp_path)
    copies = f"{tmp_path / 'a' / BINARY}, {tmp_path / 'b' / PYTHON}"
    assert f"CIFAR-10 lies here in several copies ({copies}). Name one." in str(caught.value)


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("above", [False, True])
def test_the_owner_s_archive_is_read_as_it_is(tmp_path, form, above):
    path = write_tar(WRITERS[form](tmp_path), tmp_path / f"cifar-10-{form}.tar.gz")
    assert len(read(tmp_path if above else path)) == 10
    assert list(tmp_path.iterdir()) == [path]


def test_an_archive_of_any_name_is_read_where_it_is_named(tmp_path):
    assert len(read(write_tar(write_python(tmp_path), tmp_path / "pictures.tgz"))) == 10


def test_a_zip_is_read(tmp_path):
    folder = write_python(tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "any.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{PYTHON}/{path.name}")
    shutil.rmtree(tmp_path / "raw")
    assert len(read(tmp_path)) == len(read(tmp_path / "any.zip")) == 10


def test_a_cut_archive_is_an_error_that_names_it(tmp_path):
    path = write_tar(write_python(tmp_path), tmp_path / "cifar-10-python.tar.gz")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="cifar-10-python.tar.gz: expected a .tar.gz file that can"):
        read(tmp_path)


@pytest.mark.parametrize(
    "place", [".", "cifar-10-batches-py-target"], ids=["of Keras 2", "of Keras 3"]
)
def test_what_keras_has_fetched_is_found(tmp_path, monkeypatch, place):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = write_python(tmp_path / "datasets" / place)
    # The archive it came from, which must not be unpacked once more.
    (tmp_path / "datasets" / "cifar-10-batches-py-target_archive").write_bytes(b"\x1f\x8bcut")
    assert cifar10.keras_cache() == folder
    assert len(read(cifar10.keras_cache())) == len(read(tmp_path / "datasets")) == 10


@pytest.mark.parametrize(
    "name", ["cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz"]
)
def test_the_archive_that_keras_has_fetched_is_enough(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    write_tar(write_python(tmp_path), tmp_path / "keras" / "datasets" / name)
    assert cifar10.keras_cache().name == PYTHON
    assert len(read(cifar10.keras_cache())) == 10


def test_keras_keeps_its_data_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = write_python(tmp_path / ".keras" / "datasets")
    assert cifar10.keras_cache() == folder


@pytest.mark.parametrize("made", [False, True])
def test_without_keras_s_copy_it_is_said_how_to_get_one(tmp_path, monkeypatch, made):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if made:
        (tmp_path / "datasets" / "cifar-10-batches-py-target").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        cifar10.keras_cache()
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'datasets'}: no CIFAR-10.")
    assert 'python -c "import keras; keras.datasets.cifar10.load_data()"' in message
    assert "www.cs.toronto.edu/~kriz/cifar.html" in message


def test_a_record_that_is_cut_off_is_counted(tmp_path):
    folder = write_binary(tmp_path)
    (folder / "data_batch_1.bin").write_bytes(as_records("data_batch_1")[:-73])
    table = read(tmp_path)
    assert (table.read, len(table)) == (10, 9)
    assert table.rejected.to_numpy().tolist() == [
        ["data_batch_1/00002", "damaged", "the record is cut off: 3000 of 3073 bytes"]
    ]
    np.testing.assert_array_equal(pixels_of(table)[1], pictures_of("data_batch_1")[1])
    np.testing.assert_array_equal(pixels_of(table)[2], pictures_of("data_batch_2")[0])


def test_an_empty_file_is_counted(tmp_path):
    folder = write_binary(tmp_path)
    (folder / "test_batch.bin").write_bytes(b"")
    table = read(tmp_path)
    assert (table.read, len(table)) == (9, 8)
    assert table.rejected.to_numpy().tolist() == [
        ["test_batch/00000", "damaged", "the file is empty"]
    ]


def test_a_label_that_names_no_class_is_counted(tmp_path):
    folder = write_binary(tmp_path / "binary")
    content = bytearray(as_records("data_batch_1"))
    content[3073] = 10
    (folder / "data_batch_1.bin").write_bytes(content)
    table = read(folder)
    assert table.rejected.to_numpy().tolist() == [
        ["data_batch_1/00001", "damaged", "the label must be 0 to 9. Found: 10"]
    ]
    # What comes after keeps its own picture.
    np.testing.assert_array_equal(pixels_of(table)[1], pictures_of("data_batch_1")[2])
    assert table.frame["example_id"][1] == "data_batch_1/00002"

    folder = write_python(tmp_path / "python")
    write_batch(folder, "data_batch_1", labels=[-1, 255, True])
    write_batch(folder, "data_batch_2", labels=["dog" * 99, 3.0])
    table = read(folder)
    assert table.rejected["path"].tolist() == [
        *(f"data_batch_1/0000{record}" for record in range(3)),
        *(f"data_batch_2/0000{record}" for record in range(2)),
    ]
    start = "the label must be 0 to 9. Found: "
    found = [reason.removeprefix(start) for reason in table.rejected["reason"]]
    assert found[:3] == ["-1", "255", "True"]
    assert found[3].startswith("'dogdog")
    assert len(found[3]) == 60
    assert found[4] == "3.0"


@pytest.mark.parametrize(
    ("changed", "found", "records"),
    [
        ({"data": np.zeros((3, 3000), np.uint8)}, "uint8 (3, 3000), 3 labels, 3 file names", 3),
        ({"data": np.zeros((3, 3072))}, "float64 (3, 3072), 3 labels, 3 file names", 3),
        ({"data": np.zeros((3, 3, 32, 32), np.uint8)}, "uint8 (3, 3, 32, 32), 3 labels, 3 f", 3),
        ({"data": np.zeros(3, np.uint8)}, "uint8 (3,), 3 labels, 3 file names", 3),
        ({"data": np.array(3, np.uint8)}, "uint8 (), 3 labels, 3 file names", 3),
        ({"data": np.zeros((0, 3072), np.uint8)}, "uint8 (0, 3072), 3 labels, 3 file names", 3),
        ({"data": [[0] * 3072] * 3}, "none, 3 labels, 3 file names", 3),
        ({"data": None}, "none, 3 labels, 3 file names", 3),
        ({"labels": [1, 2]}, "uint8 (3, 3072), 2 labels, 3 file names", 3),
        ({"labels": [1, 2, 3, 4]}, "uint8 (3, 3072), 4 labels, 3 file names", 4),
        ({"labels": None}, "uint8 (3, 3072), 0 labels, 3 file names", 3),
        ({"labels": b"123"}, "uint8 (3, 3072), 0 labels, 3 file names", 3),
        ({"filenames": [b"a.png"]}, "uint8 (3, 3072), 3 labels, 1 file names", 3),
        ({"data": None, "labels": None, "filenames": None}, "none, 0 labels", 1),
    ],
)
def test_all_records_of_a_batch_of_another_shape_are_counted(tmp_path, changed, found, records):
    folder = write_python(tmp_path)
    write_batch(folder, "data_batch_1", **changed)
    table = read(tmp_path)
    assert (table.read, len(table)) == (7 + records, 7)
    assert table.rejected["path"].tolist() == [f"data_batch_1/{n:05d}" for n in range(records)]
    assert set(table.rejected["kind"]) == {"damaged"}
    (reason,) = set(table.rejected["reason"])
    start = "data must be uint8 (rows, 3072), with a label for each row. Found: "
    assert reason.startswith(start + found)
    np.testing.assert_array_equal(pixels_of(table)[0], pictures_of("data_batch_2")[0])
    with pytest.raises(UserError, match=f"cifar10: {records} of {7 + records} files cannot be use"):
        table.check_rejected()


def test_a_pickle_of_something_else_is_counted(tmp_path):
    folder = write_python(tmp_path)
    (folder / "data_batch_1").write_bytes(pickle.dumps([1, 2]))
    table = read(tmp_path)
    assert table.rejected["path"].tolist() == ["data_batch_1/00000"]
    assert table.rejected["reason"][0].endswith("Found: none, 0 labels")


@pytest.mark.parametrize("form", WRITERS)
def test_missing_batches_are_told_and_the_others_read(tmp_path, form):
    WRITERS[form](tmp_path, ["data_batch_1", "data_batch_5"])
    suffix = "" if form == "python" else ".bin"
    layout = cifar10.find(tmp_path)
    assert layout.missing == (
        *(
            f"data_batch_{number}{suffix} of the train part: unpack the whole archive again"
            for number in (2, 3, 4)
        ),
        f"test_batch{suffix} of the test part: unpack the whole archive again",
    )
    assert [name for name, _ in layout.batches] == ["data_batch_1", "data_batch_5"]
    assert read(tmp_path).frame["object"].tolist() == [6, 9, 9, 2]


def test_a_folder_in_place_of_a_batch_is_a_missing_batch(tmp_path):
    folder = write_binary(tmp_path)
    (folder / "data_batch_1.bin").unlink()
    (folder / "data_batch_1.bin").mkdir()
    assert cifar10.find(tmp_path).missing[0].startswith("data_batch_1.bin of the train part")
    assert len(read(tmp_path)) == 7


def test_a_folder_without_batches_is_answered_with_the_layout(tmp_path):
    (tmp_path / PYTHON).mkdir()
    (tmp_path / PYTHON / "readme.html").touch()
    with pytest.raises(UserError) as caught:
        cifar10.find(tmp_path)
    message = str(caught.value)
    assert f"{tmp_path}: this does not look like CIFAR-10. Looked for {PYTHON}" in message
    assert f"found {PYTHON}/. Expected layout:\n{cifar10.LAYOUT.strip()}" in message


def test_the_list_of_classes_may_be_missing(tmp_path):
    (write_binary(tmp_path) / "batches.meta.txt").unlink()
    assert cifar10.find(tmp_path).class_names is None
    assert cifar10.find(tmp_path).missing == ()
    assert len(read(tmp_path)) == 10


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["beaver", "dolphin"], "beaver, dolphin"),
        ([*cifar10.CLASS_NAMES[1:], "airplane"], "automobile, bird, cat, deer, dog, frog"),
        ([*cifar10.CLASS_NAMES, "boat"], "airplane, automobile"),
        ([], "none"),
    ],
)
def test_other_classes_are_refused(tmp_path, names, found):
    binary, python = write_binary(tmp_path / "b"), write_python(tmp_path / "p")
    (binary / "batches.meta.txt").write_text("\n".join(names))
    meta = {"label_names": [name.encode() for name in names]}
    (python / "batches.meta").write_bytes(pickle.dumps(meta, 2))
    for listed in (binary / "batches.meta.txt", python / "batches.meta"):
        with pytest.raises(UserError) as caught:
            read(listed.parent)
        message = str(caught.value)
        assert message.startswith(f"{listed}: must name the classes airplane, automobile, bird,")
        assert f"Found: {found}" in message
        assert message.endswith("This is another data set, or a changed one.")


def test_a_program_hidden_in_a_batch_is_not_run(tmp_path):
    class Hidden:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    folder = write_python(tmp_path / "raw")
    for name in ("data_batch_3", "batches.meta"):
        content = {b"data": Hidden(), b"label_names": Hidden()}
        (folder / name).write_bytes(pickle.dumps(content, 2))
        with pytest.raises(UserError, match=rf"{name}: asks for {os.system.__module__}\.system"):
            read(folder)
    assert not (tmp_path / "mark").exists()


def test_a_batch_that_is_cut_or_no_pickle_is_an_error_that_names_it(tmp_path):
    folder = write_python(tmp_path)
    content = (folder / "data_batch_2").read_bytes()
    for damaged in (content[:-2000], b"", b"<html>not found</html>"):
        (folder / "data_batch_2").write_bytes(damaged)
        with pytest.raises(UserError, match="data_batch_2: cannot be read as a pickle of plain da"):
            read(tmp_path)


def test_a_batch_that_cannot_be_read_is_an_error_that_names_it(tmp_path, monkeypatch):
    folder = write_binary(tmp_path)
    read_bytes = Path.read_bytes

    def refuse(path):
        if path == folder / "data_batch_2.bin":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match="data_batch_2.bin: cannot be read .Permission denied"):
        read(tmp_path)


@pytest.mark.parametrize("form", WRITERS)
def test_the_doctor_finds_nothing_to_mend_in_a_whole_data_set(tmp_path, capsys, form, monkeypatch):
    every_class = {"data_batch_1": [*range(10)], "test_batch": [3, 8]}
    monkeypatch.setattr(f"{__name__}.LABELS", every_class)
    WRITERS[form](tmp_path)
    status = doctor.doctor_command("cifar10", tmp_path)
    out = capsys.readouterr().out
    assert status == 0, out
    assert f"form: {form} version" in out
    assert "Images per class (object, paper: as published)" in out
    assert "  cat             1   5000     1   1000" in out
    assert "Groups: unknown" in out
    assert "Read 16 = 16 used + 0 damaged + 0 unlabelled + 0 excluded" in out


def test_the_doctor_tells_what_is_missing_damaged_and_twice_there(tmp_path, capsys):
    folder = write_binary(tmp_path, [*BATCHES[:4], "test_batch"])
    records = as_records("data_batch_1")
    (folder / "test_batch.bin").write_bytes(records[:3073] + bytes([77]) + records[3074:])
    assert doctor.doctor_command("cifar10", tmp_path) == 1
    out = capsys.readouterr().out
    assert "Missing\n  data_batch_5.bin of the train part: unpack the whole archive again" in out
    assert "Cannot be used: 1\n  test_batch/00001: the label must be 0 to 9. Found: 77" in out
    assert "The same image in several splits\n  data_batch_1/00000 = test_batch/00000" in out
    assert "no usable image of the class cat" in out


def test_the_doctor_says_where_nothing_can_be_used(tmp_path, capsys):
    folder = write_python(tmp_path, [])
    (folder / "test_batch").write_bytes(pickle.dumps({}))
    table = read(tmp_path)
    assert (len(table), table.read) == (0, 1)
    assert doctor.doctor_command("cifar10", tmp_path) == 1
    assert "not a single usable example" in capsys.readouterr().out
