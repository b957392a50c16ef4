"""Rasters on the grid of another one."""

from pathlib import Path

import numpy as np
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.legend import NODATA
from gossan.outlines import outline, outline_on
from gossan.raster import Grid, RasterInfo, decode, opened, read_info, verify_raster


class OnGrid:
    """A raster read on another grid, each pixel from the one its centre lies in.

    Threads may read at once. Raises InputError for a raster of codes that is not uint8 with nodata
    255, for one of numbers without nodata, and for one that cannot lie on the grid.
    """

    def __init__(self, path: Path, grid: Grid, codes: bool = True):
        """Read the headers only."""
        self.info: RasterInfo = read_info(path)
        self.grid = grid
        self.codes = codes
        if codes and (self.info.dtype != "uint8" or self.info.nodata != NODATA):
            raise InputError(
                f"{path}: {self.info.dtype} with nodata {self.info.nodata}, not uint8 with "
                f"{NODATA}; give a map of classes, confidence or potential"
            )
        if self.info.nodata is None:
            raise InputError(f"{path}: does not tell its nodata; make it again")
        try:
            grid.require_same(self.info.grid, str(path))
            self.resampled = False
        except InputError:
            self.resampled = True
            self._require_overlap()
            verify_raster(path)

    def _require_overlap(self) -> None:
        edge = outline_on(self.info.grid, self.grid, self.info.path)
        if not edge.intersection(outline(self.grid)).area:
            raise InputError(f"{self.info.path}: does not overlap the first map; leave it out")

    def read(self, window: Window) -> np.ndarray:
        """A window of the grid, (bands, rows, columns): uint8 codes, or float32 with NaN."""
        stored = self._read(window)
        return stored if self.codes else decode(stored, self.info)

    def _read(self, window: Window) -> np.ndarray:
        with opened(self.info.path) as source:
            if not self.resampled:
                return read_verified(source, window=window)
            with WarpedVRT(
                source,
                crs=self.grid.crs,
                transform=self.grid.transform,
                width=self.grid.width,
                height=self.grid.height,
                nodata=self.info.nodata,
                # The usual approximation of places may be off by an eighth of a pixel.
                tolerance=1e-3,
            ) as warped:
                return warped.read(window=window)
