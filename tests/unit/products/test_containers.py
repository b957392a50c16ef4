"""Products in folders and archives: what all kinds have in common, and members that are refused."""

import random
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from enmap_products import pack_members

from gossan.errors import InputError
from gossan.products import containers
from gossan.products.containers import Container, Folder, Rules, Tar, Zip

RULES = Rules("a made-up product", "is not a whole archive", "a/META.XML".__eq__, 4)
MEMBERS = {"a/META.XML": b"<metadata/>", "a/IMAGE.TIF": random.Random(0).randbytes(50_000)}
ARCHIVES = pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])


def read(path: Path) -> Container:
    if path.is_dir():
        return Folder(path, RULES, "*", "*/*")
    return Zip(path, RULES) if path.suffix == ".zip" else Tar(path, RULES)


def refuse(path: Path, fault: str) -> None:
    """Listing the files and finding all but the metadata raises one line on `fault`."""
    with pytest.raises(InputError, match=fault) as error:
        found = read(path)
        found.locate([name for name in found.names if name != "a/META.XML"])
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar", ".tar.gz"])
def test_every_kind_has_the_same_files(tmp_path, suffix):
    path = tmp_path / f"p{suffix}"
    if suffix:
        pack_members(path, MEMBERS)
    else:
        for name, content in MEMBERS.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    found = read(path)
    assert found.names == sorted(MEMBERS)
    assert found.label("a/IMAGE.TIF") == f"{path}/a/IMAGE.TIF"
    # One byte more than metadata may have tells that they are too large.
    assert found.read_metadata("a/META.XML") == b"<meta"


@ARCHIVES
@pytest.mark.parametrize("name", ["../x.TIF", "/x.TIF", "a/../../x.TIF", "a\\..\\..\\x", "C:\\x"])
def test_members_that_point_outside(tmp_path, suffix, name):
    path = pack_members(tmp_path / f"p{suffix}", {**MEMBERS, name: b"x"})
    refuse(path, "points outside of the archive; refused")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_in_a_tar(tmp_path, kind):
    path = pack_members(tmp_path / "p.tar", MEMBERS)
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("a/B.TIF")
        entry.type, entry.linkname = kind, "/etc/hostname"
        archive.addfile(entry)
    refuse(path, "member 'a/B.TIF' is a link or another special file; refused")


def test_links_in_a_zip(tmp_path):
    path = pack_members(tmp_path / "p.zip", MEMBERS)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("a/B.TIF")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/hostname")
    refuse(path, "member 'a/B.TIF' is a link or another special file; refused")


def test_unusual_compression_in_a_zip(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/IMAGE.TIF", MEMBERS["a/IMAGE.TIF"])
    refuse(path, "compressed by an unusual method; unpack the product")


@ARCHIVES
def test_two_files_of_one_name(tmp_path, suffix):
    path = pack_members(tmp_path / f"p{suffix}", {**MEMBERS, "a//IMAGE.TIF": b"x"})
    refuse(path, r"holds two files named a/IMAGE\.TIF")


@ARCHIVES
def test_bombs(tmp_path, suffix, monkeypatch):
    path = pack_members(tmp_path / f"p{suffix}", MEMBERS)
    with monkeypatch.context() as patch:
        patch.setattr(containers, "MOST_BYTES", 1000)
        refuse(path, "more than any file of a made-up product; refused")
    monkeypatch.setattr(containers, "MOST_MEMBERS", 1)
    refuse(path, "holds more than 1 files; not a made-up product; refused")


def test_a_real_bomb_is_not_unpacked(tmp_path):
    """5 GiB of zeros, told by the header alone: the stream ends after it."""
    path = tmp_path / "p.tar"
    entry = tarfile.TarInfo("a/IMAGE.TIF")
    entry.size = 5 << 30
    path.write_bytes(entry.tobuf() + bytes(2048))
    refuse(path, "has 5120 MiB unpacked")


@ARCHIVES
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.999])
def test_archives_cut_short(tmp_path, suffix, kept):
    path = pack_members(tmp_path / f"p{suffix}", MEMBERS)
    # The end of a tar is filled up with zeros, whose loss does no harm.
    content = path.read_bytes().rstrip(b"\0") if suffix == ".tar" else path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refuse(path, "is not a whole archive; name a made-up product or get it again|is cut short")


def test_a_disk_too_small(tmp_path, monkeypatch):
    path = pack_members(tmp_path / "p.tar.gz", MEMBERS)
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    refuse(path, "set TMPDIR to a larger disk or unpack the product")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_whose_checksum_is_wrong_is_not_located(tmp_path, method):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refuse(path, "member 'a/IMAGE.TIF' is damaged, as its checksum tells; get a made-up product")


@pytest.mark.parametrize("trailer", [-8, -1])
def test_a_compressed_tar_whose_checksum_is_wrong_is_not_read(tmp_path, trailer):
    """Its CRC and its length stand behind the end of the archive in it."""
    path = pack_members(tmp_path / "p.tar.gz", MEMBERS)
    content = bytearray(path.read_bytes())
    content[trailer] ^= 1
    path.write_bytes(content)
    refuse(path, "is not a whole archive")
