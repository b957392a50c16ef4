"""EMIT Level-2B minerals: the map that the mission's own team makes of a scene, as class codes.

Layout after the mission's own converter (emit-sds-l2b); no real file was at hand. The identified
minerals lie in the sensor's lines and samples: `group_1_mineral_id` of the electronic absorptions
of iron (1um), `group_2_mineral_id` of the vibrations (2um), each the `index` of a record of its
group in `mineral_metadata`, or 0 where none was found. `location/glt_x` and `glt_y` lay them out.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.products.emit import EmitFile
from gossan.raster import Grid

GROUPS = ("1um", "2um")
"""What the bands of the map are of, in the order of the product's groups."""


def read_minerals(
    path: str | Path, classes: Sequence[MapClass]
) -> tuple[np.ndarray, Grid, list[str]]:
    """Class codes (2, rows, columns) uint8 by GROUPS, their grid, and records of no class.

    UNCLASSIFIED where no mineral was found or it is none of the `classes`, NODATA where the swath
    has no pixel. Raises InputError for what is no such product, and for a damaged one.
    """
    file = EmitFile(Path(path))
    try:
        if not file.holds("group_1_mineral_id"):
            raise InputError(f"{path}: is no EMIT L2B mineral product; name EMIT_L2B_MIN_*.nc")
        tables, unnamed = _read_records(file, classes)
        swath = [file.variable(f"group_{n}_mineral_id", 2, np.integer) for n in (1, 2)]
        lookup = [file.variable(f"location/glt_{axis}", 2, np.integer) for axis in ("x", "y")]
        with file.reading("the map"):
            numbers = [found[:].astype(np.int64) for found in swath]
            x, y = (found[:].astype(np.int64) for found in lookup)
        grid = _read_grid(file, x.shape)
    finally:
        file.close()
    lines, samples = numbers[0].shape
    if x.shape != y.shape or x.max() > samples or y.max() > lines:
        raise InputError(f"{path}: its lookup table points beyond the swath; get it again")
    # Counting from 1; 0 and the fill value name no pixel.
    seen = (x > 0) & (y > 0)
    codes = np.full((len(GROUPS), *x.shape), NODATA, np.uint8)
    for layer, found, table, group in zip(codes, numbers, tables, GROUPS, strict=True):
        named = found[y[seen] - 1, x[seen] - 1]
        unknown = sorted(set(np.unique(named).tolist()) - set(table))
        if unknown:
            raise InputError(
                f"{path}: mineral {unknown[0]} of {group} is not in mineral_metadata; get it again"
            )
        layer[seen] = np.vectorize(table.__getitem__, otypes=[np.uint8])(named)
    return codes, grid, unnamed


def _read_records(
    file: EmitFile, classes: Sequence[MapClass]
) -> tuple[list[dict[int, int]], list[str]]:
    """The code of each number, by group, and names of records that are of no class."""
    names = file.labels("mineral_metadata/name")
    with file.reading("mineral_metadata"):
        index, group = (
            file.variable(f"mineral_metadata/{key}", 1, np.integer)[:].tolist()
            for key in ("index", "group")
        )
    # 0 where nothing was found; of the fill value nobody knows.
    tables = [{0: UNCLASSIFIED, -9999: NODATA} for _ in GROUPS]
    unnamed = []
    for number, owner, name in zip(index, group, names, strict=True):
        if owner not in (1, 2):
            continue
        code = code_of(name, classes)
        tables[owner - 1][number] = code
        if code == UNCLASSIFIED:
            unnamed.append(name)
    return tables, unnamed


def code_of(name: str, classes: Sequence[MapClass]) -> int:
    """The code of the class that a record's name speaks of first; UNCLASSIFIED for none.

    Records of mixtures name what prevails first: "Goethite0.02+Quartz" is goethite.
    """
    text = re.sub(r"[_\s]+", " ", name.lower())
    places = [
        (text.find(word), -len(word), item.code)
        for item in classes
        if (word := re.sub(r"[_\s]+", " ", item.name.lower())) in text
    ]
    return min(places)[2] if places else UNCLASSIFIED


def _read_grid(file: EmitFile, shape: tuple[int, int]) -> Grid:
    transform = Affine.from_gdal(*file.numbers("geotransform", 6))
    try:
        crs = CRS.from_wkt(file.text("spatial_ref"))
    except CRSError as error:
        raise InputError(f"{file.path}: tells no reference system; get it again") from error
    return Grid(crs, transform, shape[1], shape[0])
