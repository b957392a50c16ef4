"""Rasters of any number of products, on disk or over HTTP, each lent to one reader at a time."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.products.kept_tiles import KeptTiles
from gossan.raster import (
    Datasets,
    Grid,
    open_raster,
)

# Images of this driver take long to decode.
JPEG_2000 = "JP2OpenJPEG"
# Bounds file descriptors however many dates are open; readers at work come on top.
MOST_IDLE_FILES = 192

REMOTE_ATTEMPTS = 3
RETRY_DELAY_S = 0.5
TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 15


@dataclass(frozen=True)
class RasterFile:
    """One raster: its path for GDAL, its name for messages, its pixel (m), and where it lies.

    `checksum` is (algorithm of hashlib, digest in hexadecimal digits) where the product tells one
    of a file on disk.
    """

    path: str
    label: str
    pixel_m: int
    driver: str
    remote: bool = False
    checksum: tuple[str, str] | None = None


class Rasters(Datasets[RasterFile]):
    """Open rasters of any number of products; `borrow` may raise RasterioError."""

    def __init__(self, most_idle: int = MOST_IDLE_FILES, keep: Path | None = None):
        """No file is open yet; `keep` as of `sentinel2.open_dates`."""
        super().__init__(lambda file: open_raster(file.path, file.driver), most_idle)
        self._kept = None if keep is None else KeptTiles(keep)

    def describe(self, file: RasterFile) -> tuple[Grid, int]:
        """Grid and count of bands; InputError if it is no raster of whole numbers on a map.

        So it is for a file that is not the one that its product's checksum was made of.
        """
        if file.checksum is not None:
            require_checksum(Path(file.path), file.checksum)
        for attempt in _attempts(file):
            try:
                with self.borrow(file) as dataset:
                    grid, count, kind = Grid.of(dataset), dataset.count, dataset.dtypes[0]
                break
            except RasterioError as error:
                _fail_or_wait(file, attempt, "cannot be opened", error)
        if not np.issubdtype(kind, np.unsignedinteger):
            raise InputError(f"{file.label}: holds {kind}; images of a product hold whole numbers")
        if grid.crs is None or not grid.crs.is_projected:
            raise InputError(f"{file.label}: has no projected reference system; a product has UTM")
        a, b, _, d, e, _ = grid.transform[:6]
        if b or d or abs(a - file.pixel_m) > 1e-6 or abs(e + file.pixel_m) > 1e-6:
            raise InputError(
                f"{file.label}: its pixels are {a:g} x {-e:g}; {file.pixel_m} m, north up, are due"
            )
        return grid, count

    def read(self, file: RasterFile, window: Window) -> np.ndarray:
        """The stored numbers of a window, (bands, rows, columns); InputError if unreadable."""
        for attempt in _attempts(file):
            try:
                with self.borrow(file) as dataset:
                    if self._kept is not None and file.driver == JPEG_2000:
                        return self._kept.read(dataset, file, window)
                    return read_verified(dataset, window=window)
            except RasterioError as error:
                what = f"cannot be read at row {window.row_off}, column {window.col_off}"
                _fail_or_wait(file, attempt, what, error)
        raise AssertionError("the last attempt returns or raises")


def require_checksum(path: Path, checksum: tuple[str, str]) -> None:
    """Raise InputError unless a file's content has the digest that its product tells.

    `checksum` as of `RasterFile`.
    """
    algorithm, expected = checksum
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected.lower():
        raise InputError(
            f"{path}: is not the file that the product was made with, as its checksum "
            f"({algorithm}) tells; get it again"
        )


def _attempts(file: RasterFile) -> range:
    return range(REMOTE_ATTEMPTS if file.remote else 1)


def _fail_or_wait(file: RasterFile, attempt: int, what: str, error: RasterioError) -> None:
    """Wait before the next attempt, or raise InputError after the last one.

    GDAL itself asks again when a server answers that it is busy or at fault; this is for
    connections that break.
    """
    if attempt + 1 < len(_attempts(file)):
        time.sleep(RETRY_DELAY_S * 2**attempt)
        return
    if not file.remote:
        raise InputError(
            f"{file.label}: {what}; the file is damaged or cut short, get it again"
        ) from error
    code = re.search(r"HTTP response code: (\d+)", f"{error} {error.__cause__ or ''}")
    reason = f"HTTP {code[1]}" if code else "the connection or the file is broken"
    raise InputError(
        f"{file.label}: {what} after {REMOTE_ATTEMPTS} attempts ({reason}); "
        "check the address and the network, or download the product"
    ) from error
