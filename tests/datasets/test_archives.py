import gzip
import io
import multiprocessing
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from affectkeras.datasets import archives
from affectkeras.datasets.archives import open_folder
from affectkeras.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTKERAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/extracted"


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def leftovers(cache):
    return [name for name in os.listdir(cache) if name.startswith("unfinished")]


def test_a_folder_is_returned_as_it_is(tmp_path):
    assert open_folder(tmp_path) == tmp_path


def test_an_archive_is_extracted_once(tmp_path):
    path = write_zip(tmp_path / "faces.zip", {"a/b.txt": "1", "__MACOSX/a/._b.txt": "2"})
    folder = open_folder(path)
    assert (folder / "a/b.txt").read_text() == "1"
    assert not (folder / "__MACOSX").exists()
    (folder / "mark").touch()
    assert open_folder(path) == folder
    assert (folder / "mark").exists()


def test_a_changed_archive_is_extracted_anew(tmp_path):
    path = write_zip(tmp_path / "faces.zip", {"a.txt": "1"})
    first = open_folder(path)
    write_zip(path, {"a.txt": "other"})
    second = open_folder(path)
    assert second != first
    assert (second / "a.txt").read_text() == "other"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "..\\evil"])
def test_names_that_leave_the_folder_are_refused(tmp_path, cache, name):
    path = write_zip(tmp_path / "faces.zip", {"good": "", name: "x"})
    with pytest.raises(UserError, match="would be written outside the folder"):
        open_folder(path)
    assert not (tmp_path / "evil").exists()
    assert leftovers(cache) == []


def test_links_are_refused(tmp_path):
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = write_zip(tmp_path / "faces.zip", {member: "/etc"})
    with pytest.raises(UserError, match="'link' is a symbolic link"):
        open_folder(path)


def test_an_absurd_size_is_refused_before_writing(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "faces.zip", {"zeros": bytes(3_000_000)})
    monkeypatch.setattr(archives, "_SMALL", 1_000_000)
    with pytest.raises(UserError, match="claim to hold 3000000 bytes"):
        open_folder(path)


def test_too_little_room_is_said_before_writing(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "faces.zip", {"a": "1234"})
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda place: os.terminal_size((1, 2)))
    monkeypatch.setattr(
        archives.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 3})()
    )
    with pytest.raises(UserError, match="needs 4 bytes, .* has 3 free"):
        open_folder(path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text"])
def test_a_damaged_archive_is_an_error_and_leaves_nothing(tmp_path, cache, damage):
    path = write_zip(tmp_path / "faces.zip", {"a.bin": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:3000]
    elif damage == "flipped":
        data[2000:2100] = bytes(100)
    else:
        data = b"<html>not found</html>"
    path.write_bytes(data)
    with pytest.raises(UserError, match="expected a .zip file that can be unpacked.*again"):
        open_folder(path)
    assert sorted(name for name in os.listdir(cache) if not name.endswith(".lock")) == []


def test_an_encrypted_archive_asks_to_be_unpacked(tmp_path):
    path = write_zip(tmp_path / "faces.zip", {"a": "1"})
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags in the central directory: encrypted.
    position = data.index(b"PK\x01\x02") + 8
    struct.pack_into("<H", data, position, 1)
    path.write_bytes(data)
    with pytest.raises(UserError, match="the archive is encrypted"):
        open_folder(path)


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: expected a folder or a \.zip file"):
        open_folder(tmp_path / "nowhere")


def test_two_processes_get_the_same_whole_folder(tmp_path):
    members = {f"{number}.txt": str(number) for number in range(200)}
    path = write_zip(tmp_path / "faces.zip", members)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        folders = pool.map(open_folder, [path] * 4)
    assert len(set(folders)) == 1
    assert len(os.listdir(folders[0])) == 200


def write_tar(path, members):
    """Write a .tar.gz of names with their content, or of members as they are given."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if data is not None:
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data or b""))
    return path


def member_of(kind, name="odd", **facts):
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in facts.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize("name", ["faces.tar.gz", "faces.tgz", "faces_archive"])
def test_a_tar_gz_of_any_name_is_extracted_once(tmp_path, name):
    folders = {member_of(tarfile.DIRTYPE, "empty"): None}
    path = write_tar(tmp_path / name, {"a/b.txt": b"1", "a/c/d.txt": b"22", **folders})
    folder = open_folder(path)
    assert (folder / "a/b.txt").read_text() == "1"
    assert (folder / "a/c/d.txt").read_text() == "22"
    assert (folder / "empty").is_dir()
    (folder / "mark").touch()
    assert open_folder(path) == folder
    assert (folder / "mark").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "C:/evil", "..\\evil"])
def test_names_in_a_tar_gz_that_leave_the_folder_are_refused(tmp_path, cache, name):
    path = write_tar(tmp_path / "faces.tar.gz", {"good": b"", name: b"x"})
    with pytest.raises(UserError, match="would be written outside the folder"):
        open_folder(path)
    assert not (tmp_path / "evil").exists()
    assert not (cache / "evil").exists()
    assert leftovers(cache) == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (tarfile.SYMTYPE, "'odd' is a symbolic link"),
        (tarfile.LNKTYPE, "'odd' is neither a file nor a folder"),
        (tarfile.FIFOTYPE, "'odd' is neither a file nor a folder"),
        (tarfile.CHRTYPE, "'odd' is neither a file nor a folder"),
    ],
)
def test_links_and_devices_in_a_tar_gz_are_refused(tmp_path, cache, kind, reason):
    odd = member_of(kind, linkname=str(tmp_path))
    path = write_tar(tmp_path / "faces.tar.gz", {odd: None, "odd/evil": b"x"})
    with pytest.raises(UserError, match=reason):
        open_folder(path)
    assert not (tmp_path / "evil").exists()
    assert leftovers(cache) == []


def test_rights_and_owners_in_a_tar_gz_count_for_nothing(tmp_path):
    odd = member_of(tarfile.REGTYPE, mode=0o4777, uid=12345)
    folder = open_folder(write_tar(tmp_path / "faces.tar.gz", {odd: b"x"}))
    status = (folder / "odd").stat()
    assert status.st_mode & 0o7111 == 0
    assert status.st_uid == os.getuid()


def test_an_absurd_size_of_a_tar_gz_is_refused_before_writing(tmp_path, cache, monkeypatch):
    path = write_tar(tmp_path / "faces.tar.gz", {"zeros": bytes(3_000_000)})
    monkeypatch.setattr(archives, "_SMALL", 1_000_000)
    with pytest.raises(UserError, match="claim to hold 3000000 bytes"):
        open_folder(path)
    assert leftovers(cache) == []


def test_too_little_room_for_a_tar_gz_is_said_before_writing(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "faces.tar.gz", {"a": b"1234"})
    monkeypatch.setattr(
        archives.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 3})()
    )
    with pytest.raises(UserError, match="needs 4 bytes, .* has 3 free"):
        open_folder(path)


@pytest.mark.parametrize("damage", ["cut", "end cut", "flipped", "no tar", "negative size"])
def test_a_damaged_tar_gz_is_an_error_and_leaves_nothing(tmp_path, cache, damage):
    path = write_tar(tmp_path / "faces.tar.gz", {"a.bin": os.urandom(50_000)})
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:30_000]
    elif damage == "end cut":
        data = data[:-4]
    elif damage == "flipped":
        data[20_000] ^= 1  # within what could not be packed: only the checksum tells
    elif damage == "no tar":
        data = gzip.compress(b"<html>not found</html>")
    else:
        odd = member_of(tarfile.REGTYPE, size=-512)
        data = gzip.compress(odd.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    path.write_bytes(data)
    with pytest.raises(UserError, match="expected a .tar.gz file that can be unpacked.*again"):
        open_folder(path)
    assert sorted(name for name in os.listdir(cache) if not name.endswith(".lock")) == []
