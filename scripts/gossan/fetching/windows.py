"""Parts of images around an area, read through their tiles: of a COG only those that are needed."""

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.fetching.transfer import aside
from gossan.vector_files import read_vector

# Images of 10, 20, 30 and 60 m of one product are cut at the same places.
_STEP_M = 60.0
# GDAL asks again by itself when a server is busy.
_OPTIONS = "empty_dir=yes&max_retry=3&retry_delay=1&timeout=60&connecttimeout=15"


def bounds_of(area: str | Path) -> tuple[float, float, float, float]:
    """West, south, east and north (degrees) of the polygons of a vector file."""
    features, _ = read_vector(area, "polygons")
    if features.crs is None or features.empty:
        raise InputError(f"{area}: holds no polygon with a coordinate system; draw the area")
    return tuple(float(value) for value in features.to_crs(4326).total_bounds)


def read_window(
    find: Callable[[bool], str], target: Path, name: str, bounds: tuple, attempts: int
) -> None:
    """Write the part of an image around `bounds` (degrees) to `target`, a GeoTIFF of its numbers.

    `find(again)` gives its address. Raises InputError where it cannot be read, or lies elsewhere.
    """
    for attempt in range(attempts):
        # The address holds a signature: it is nowhere told.
        path = f"/vsicurl?{_OPTIONS}&url={quote(find(attempt > 0), safe='')}"
        try:
            with (
                rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
                rasterio.open(path) as image,
            ):
                window = _window(image, bounds, name)
                numbers = image.read(window=window)
                profile = _profile(image, window)
            break
        except RasterioError:
            if attempt + 1 == attempts:
                raise InputError(
                    f"{name}: cannot be read after {attempts} attempts; look whether it is still "
                    "there, and resolve it again"
                ) from None
            logging.info("%s: broken off, once more", name)
            time.sleep(min(2.0**attempt, 30.0))
    with aside(target) as part:
        _write(part, numbers, profile)


def _window(image: rasterio.DatasetReader, bounds: tuple, name: str) -> Window:
    """The window around an area, outwards to steps that images of all pixel sizes share."""
    if image.crs is None or not image.crs.is_projected:
        raise InputError(f"{name}: lies on no map; fetch the whole product")
    west, south, east, north = transform_bounds("EPSG:4326", image.crs, *bounds)
    left, top, pixel = image.transform.c, image.transform.f, image.transform.a
    width_m, height_m = image.width * pixel, image.height * pixel
    low_x = max(0.0, math.floor((west - left) / _STEP_M) * _STEP_M)
    low_y = max(0.0, math.floor((top - north) / _STEP_M) * _STEP_M)
    high_x = min(width_m, math.ceil((east - left) / _STEP_M) * _STEP_M)
    high_y = min(height_m, math.ceil((top - south) / _STEP_M) * _STEP_M)
    if low_x >= high_x or low_y >= high_y:
        raise InputError(f"{name}: does not reach the area; correct window_of or the search")
    column, row = round(low_x / pixel), round(low_y / pixel)
    return Window(column, row, round(high_x / pixel) - column, round(high_y / pixel) - row)


def _profile(image: rasterio.DatasetReader, window: Window) -> dict:
    return {
        "driver": "GTiff",
        "dtype": image.dtypes[0],
        "count": image.count,
        "width": window.width,
        "height": window.height,
        "crs": image.crs,
        "transform": image.window_transform(window),
        "nodata": image.nodata,
        "compress": "deflate",
        "tiled": True,
    }


def _write(path: Path, numbers: np.ndarray, profile: dict) -> None:
    with rasterio.open(path, "w", **profile) as image:
        image.write(numbers)
