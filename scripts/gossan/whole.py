"""Whether a file has been written whole: libraries in C that close a file on a full disk keep
silent, so what they wrote is read again before it gets its name."""

import errno
import os
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path


def require_whole(path: Path) -> None:
    """Bring a file, or all files of a folder, to the disk and read again what may be missing.

    Of rasters the place of each tile of each image is compared with the file's size, and the last
    block of each band and overview read; of other files the driver's own signs of a whole file.
    Raises OSError for a file that is not there or not whole.
    """
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_dir():
            continue
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        check = _CHECKS.get(file.suffix.lower())
        if check is None:
            continue
        try:
            check(file)
        except Exception as error:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(file)) from error


def _check_raster(path: Path) -> None:
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as dataset:
        overviews = range(len(dataset.overviews(1)))
    for level in (None, *overviews):
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(path, **options) as image:
            _check_tiles(image, path.stat().st_size)
            rows, columns = image.block_shapes[0]
            row = (image.height - 1) // rows * rows
            column = (image.width - 1) // columns * columns
            image.read(window=Window(column, row, image.width - column, image.height - row))


def _check_tiles(image: object, size: int) -> None:
    """Raise ValueError where a tile of a GeoTIFF's image is not in the file, or beyond its end."""
    if image.driver != "GTiff":
        return
    interleave = image.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE")
    rows, columns = image.block_shapes[0]
    for band in image.indexes if interleave == "BAND" else image.indexes[:1]:
        for row in range(-(-image.height // rows)):
            for column in range(-(-image.width // columns)):
                place, length = (
                    image.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", band)
                    for what in ("OFFSET", "SIZE")
                )
                if not length or int(place) + int(length) > size:
                    raise ValueError(f"band {band}: the tile at {row}, {column} is missing")


def _check_database(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path.as_posix()}?mode=ro", uri=True)) as database:
        (said,) = database.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        raise ValueError(said)


def _check_hdf5(path: Path) -> None:
    import h5py

    # The library compares the size that the file should have with the one that it has.
    with h5py.File(path, "r"):
        pass


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"{damaged} is damaged")


_CHECKS = {
    ".tif": _check_raster,
    ".jp2": _check_raster,
    ".gpkg": _check_database,
    **dict.fromkeys((".he5", ".h5", ".nc"), _check_hdf5),
    **dict.fromkeys((".zip", ".npz", ".keras"), _check_archive),
}
