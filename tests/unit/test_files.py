"""Files that are whole or absent, and JSON in them."""

import errno
import fcntl
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio

from gossan import files
from gossan.errors import InputError, decoding, system_fault
from gossan.files import (
    newest,
    parse_json,
    read_json,
    scratch,
    staged,
    together,
    write_json,
    write_text,
)
from gossan.vectors import write_layers
from gossan.whole import require_whole


def test_what_is_written_comes_back(tmp_path):
    value = {"name": "Ägypten", "numbers": [1, 2.5, None], "inner": {"yes": True}}
    write_json(tmp_path / "new" / "a.json", value)
    assert read_json(tmp_path / "new" / "a.json") == value
    assert "Ägypten" in (tmp_path / "new" / "a.json").read_text(encoding="utf-8")


def test_json_without_numbers_is_refused_and_the_older_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert read_json(path) == {"value": 1}


def test_a_write_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), staged(tmp_path / "map.tif") as temporary:
        assert temporary.suffix == ".tif"
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not JSON"), ("[1, 2]", "holds no JSON object"), (None, "no such file")],
)
def test_what_holds_no_object_is_named(tmp_path, text, said):
    path = tmp_path / "a.json"
    if text is not None:
        write_text(path, text)
    with pytest.raises(InputError, match=f"a.json: {said}"):
        read_json(path)


@contextmanager
def files_of_at_most(size):
    """What a full disk does to a large file, for any user: its write fails, no more."""
    # Half of a module's bytecode would be taken for whole.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
        monkeypatch.undo()


def write_tiff(path, side=96, **options):
    values = np.random.default_rng(1).integers(0, 10000, (2, side, side)).astype(np.int16)
    profile = {"driver": "GTiff", "count": 2, "height": side, "width": side, "dtype": "int16"}
    with rasterio.open(path, "w", **profile, **options) as target:
        target.write(values)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("options", [{}, {"tiled": True, "blockxsize": 32, "blockysize": 32}])
@pytest.mark.parametrize("size", [200, 8000, 20000, 36000])
def test_a_raster_that_a_disk_had_no_room_for_gets_no_name(tmp_path, options, size):
    with (
        files_of_at_most(size),
        pytest.raises(OSError, match="File too large") as caught,
        staged(tmp_path / "map.tif") as temporary,
    ):
        write_tiff(temporary, **options)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / "map.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [20000, 89396, 100000])
def test_a_database_that_a_disk_had_no_room_for_gets_no_name(tmp_path, size):
    points = geopandas.GeoDataFrame(
        {"name": ["a long name of a point"] * 3000},
        geometry=geopandas.points_from_xy(np.arange(3000.0), np.arange(3000.0)),
        crs="EPSG:32629",
    )
    path = tmp_path / "points.gpkg"
    with files_of_at_most(size), pytest.raises(OSError, match="File too large") as caught:
        write_layers(path, {"points": (points, "Point")})
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("options", "cut"),
    [
        ({}, 100),
        ({"interleave": "band"}, 100),
        ({"compress": "deflate"}, 100),
        ({"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"}, 1),
    ],
)
def test_a_raster_whose_end_is_missing_is_not_whole(tmp_path, options, cut):
    path = tmp_path / "map.tif"
    write_tiff(path, **options)
    require_whole(path)
    os.truncate(path, path.stat().st_size - cut)
    with pytest.raises(OSError, match=r"map\.tif"):
        require_whole(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_with_a_tile_that_was_never_written_is_not_whole(tmp_path):
    path = tmp_path / "map.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=1,
        height=64,
        width=64,
        dtype="uint8",
        tiled=True,
        blockxsize=32,
        blockysize=32,
        SPARSE_OK=True,
    ) as target:
        target.write(np.ones((1, 32, 64), np.uint8), window=((0, 32), (0, 64)))
    with pytest.raises(OSError, match=r"map\.tif"):
        require_whole(path)


def test_databases_archives_and_hdf5_that_are_cut_are_not_whole(tmp_path):
    import h5py

    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        database.execute("create table rows (text)")
        database.executemany("insert into rows values (?)", [("x" * 500,)] * 100)
    database.close()
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        archive.writestr("one", "1" * 5000)
    with h5py.File(tmp_path / "c.he5", "w") as file:
        file["numbers"] = np.arange(5000)
    for path in sorted(tmp_path.iterdir()):
        require_whole(path)
        os.truncate(path, path.stat().st_size - 3000)
        with pytest.raises(OSError, match=re.escape(path.name)):
            require_whole(path)


@pytest.mark.parametrize("parts", [["x" * 300 + ".tif"], ["y" * 300, "map.tif"]])
def test_a_name_that_no_disk_takes_is_told_as_such(tmp_path, parts):
    path = tmp_path.joinpath(*parts)
    with pytest.raises(OSError, match="File name too long") as caught, staged(path):
        pass
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_fills_what_a_disk_takes_is_written(tmp_path):
    path = tmp_path / ("ä" * 125 + ".json")
    write_json(path, {})
    assert read_json(path) == {}


def test_a_fault_of_another_file_keeps_that_ones_name(tmp_path):
    with pytest.raises(PermissionError, match="theirs") as caught, staged(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "Permission denied", "/else/theirs")
    assert caught.value.filename == "/else/theirs"


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), errno.ENOSPC),
        (RuntimeError("_tiffWriteProc: No space left on device."), errno.ENOSPC),
        (RuntimeError("sqlite3 error: database or disk is full"), errno.ENOSPC),
        (RuntimeError("Free disk space available is 80 bytes, whereas 120"), errno.ENOSPC),
        (RuntimeError("unable to open: Read-only file system"), errno.EROFS),
        (RuntimeError("a.tif: Permission denied"), errno.EACCES),
        (RuntimeError("Too many open files"), errno.EMFILE),
        (MemoryError(), errno.ENOMEM),
        (RuntimeError("OOM when allocating tensor"), errno.ENOMEM),
        (RuntimeError("std::bad_alloc"), errno.ENOMEM),
    ],
)
def test_what_the_system_forbids_is_found_behind_what_was_made_of_it(error, number):
    try:
        try:
            raise error
        except Exception as first:
            raise ValueError("write failed") from first
    except ValueError as caught:
        assert system_fault(caught).errno == number


def test_a_fault_of_ours_is_none_of_the_system():
    assert system_fault(ValueError("shape (3, 4), not (4, 4)")) is None


def test_outputs_of_a_block_get_their_names_together(tmp_path):
    with together():
        write_text(tmp_path / "a.txt", "a")
        assert not (tmp_path / "a.txt").exists()
        assert newest(tmp_path / "a.txt").read_text() == "a"
        write_text(tmp_path / "b.txt", "b")
        assert newest(tmp_path / "c.txt") == tmp_path / "c.txt"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_a_block_that_fails_late_names_none_of_its_outputs(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(InputError, match="late"), together():
        write_text(tmp_path / "a.txt", "new")
        write_text(tmp_path / "new" / "folder" / "b.txt", "b")
        with staged(tmp_path / "product", folder=True) as folder:
            (folder / "c.txt").write_text("c")
        raise InputError("a late input is bad")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_an_output_whose_name_a_folder_has_keeps_all_others_from_theirs(tmp_path):
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(InputError, match=r"b\.txt: is a folder"), together():
        write_text(tmp_path / "a.txt", "a")
        write_text(tmp_path / "b.txt", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    for text in ("old", "new"):
        with staged(tmp_path / "product", folder=True) as folder:
            (folder / f"{text}.txt").write_text(text)
    assert [path.name for path in tmp_path.iterdir()] == ["product"]
    assert [path.name for path in (tmp_path / "product").iterdir()] == ["new.txt"]


KILLED = """
import os, sys
from gossan.files import staged, scratch
with staged(sys.argv[1]) as temporary, scratch(sys.argv[1]) as folder:
    temporary.write_text("half")
    (folder / "deep").mkdir()
    os.kill(os.getpid(), 9)
"""


def kill_a_run(path):
    scripts = Path(__file__).parents[2] / "scripts"
    subprocess.run(
        [sys.executable, "-c", KILLED, path], check=False, env={**os.environ, "PYTHONPATH": scripts}
    )


def test_what_killed_runs_leave_is_swept_by_the_next_run_of_the_same_output(tmp_path):
    kill_a_run(tmp_path / "map [1].txt")
    kill_a_run(tmp_path / "other.txt")
    assert len(list(tmp_path.iterdir())) == 4
    write_text(tmp_path / "map [1].txt", "whole")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name.split(".")[1] for name in names[:2]] == ["other", "other"]
    assert names[2:] == ["map [1].txt"]


def test_what_another_run_works_on_is_left_alone(tmp_path):
    with staged(tmp_path / "map.txt") as first, scratch(tmp_path / "map.txt") as folder:
        first.write_text("first")
        write_text(tmp_path / "map.txt", "second")
        assert first.exists()
        assert folder.exists()
    assert (tmp_path / "map.txt").read_text() == "first"


def test_no_run_is_taken_for_dead_while_it_takes_its_lock(tmp_path, monkeypatch):
    take, met = fcntl.flock, []

    def take_watched(stream, how):
        if how == fcntl.LOCK_EX and not met:
            met.append(Path(stream.name).parent)
            write_text(tmp_path / "map.txt", "second")
        take(stream, how)

    monkeypatch.setattr(files.fcntl, "flock", take_watched)
    with staged(tmp_path / "map.txt") as temporary:
        temporary.write_text("first")
    assert met and (tmp_path / "map.txt").read_text() == "first"


def test_what_has_no_lock_is_left_alone_for_a_day(tmp_path):
    left = tmp_path / ".map.txt.0123abcd.part"
    left.mkdir()
    write_text(tmp_path / "map.txt", "one")
    assert left.exists()
    os.utime(left, (time.time() - 2 * 86400,) * 2)
    write_text(tmp_path / "map.txt", "two")
    assert not left.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[" * 200_000, "nests too deep"),
        ('{"a": ' * 200_000, "nests too deep"),
        ('{"a": 1, "b": 2, "a": 3}', "it tells 'a' twice"),
        ('{"x": {"a": 1, "a": 1}}', "it tells 'a' twice"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
        ("[1]", "holds no JSON object"),
        ("\x00", "not JSON"),
    ],
)
def test_json_that_no_record_is_names_its_file(tmp_path, text, fault):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=fault) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_json_that_is_too_long_for_a_record_is_not_taken_apart(monkeypatch):
    monkeypatch.setattr("gossan.files.MOST_JSON", 10)
    with pytest.raises(InputError, match="is larger than"):
        parse_json('{"a": [1, 2, 3]}', "a.json")


def test_a_key_that_a_record_lacks_is_told_by_its_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": {"b": 1}, "c": [{"d": 2}]})
    record = read_json(tmp_path / "a.json")
    assert record["a"]["b"] == 1
    assert record.get("e") is None
    for missing in (lambda: record["e"], lambda: record["a"]["e"], lambda: record["c"][0]["e"]):
        with pytest.raises(InputError, match=r"a\.json: lacks 'e'; make the file again"):
            missing()


def test_records_that_do_not_fit_together_are_named(tmp_path):
    write_json(tmp_path / "one.json", {"a": "text"})
    write_json(tmp_path / "two.json", {"a": 1})

    def put_together():
        with decoding("a page"):
            return read_json(tmp_path / "one.json")["a"] / read_json(tmp_path / "two.json")["a"]

    with pytest.raises(InputError, match=r"^a page: .*TypeError.*two\.json, .*one\.json$"):
        put_together()


def test_nothing_is_left_where_no_folder_can_be_listed(tmp_path, monkeypatch):
    # So it is where no further file may be opened.
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(InputError), staged(tmp_path / "made" / "a.csv") as temporary:
        temporary.write_text("half")
        raise InputError("no")
    assert list(tmp_path.iterdir()) == []
