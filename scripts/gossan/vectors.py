"""Vector files on the grid of a map, checked and reprojected."""

import errno
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gossan.errors import InputError
from gossan.files import staged
from gossan.outlines import outline, reproject, why_apart
from gossan.raster import Grid
from gossan.vector_files import read_vector
from gossan.vector_styles import VectorStyle, embed_styles

if TYPE_CHECKING:
    import geopandas
    import pandas

# GeoPackage stamps its tables; a fixed moment keeps the same inputs at the same bytes.
NO_DATE = "2000-01-01T00:00:00.000Z"
POINTS = ("Point", "MultiPoint")
POLYGONS = ("Polygon", "MultiPolygon")


def read_features(
    path: str | Path,
    grid: Grid,
    what: str,
    kinds: Sequence[str],
    attributes: Sequence[str] = (),
) -> "geopandas.GeoDataFrame":
    """The features of a vector file in the grid's reference system, numbered from 0.

    `what` names them in messages, `kinds` are the geometry types that they may have (POINTS,
    POLYGONS or both). Features without a geometry are left out; edges of polygons are cut into
    short pieces before they are reprojected, because what is straight in one system is bent in
    another. Raises InputError for a missing or unreadable file, one without reference system,
    one of the `attributes` or features, for geometries of another kind, and for features of which
    none lies over the grid.
    """
    import shapely

    features, _ = read_vector(path, what)
    if "geometry" not in features.columns or features.empty:
        raise InputError(f"{path}: holds no features; give {what}")
    for name in attributes:
        if name not in features.columns:
            known = ", ".join(features.columns.drop("geometry")) or "none"
            raise InputError(f"{path}: {what} lack the attribute '{name}' (they have: {known})")
    features = features[features.geometry.notna()]
    features = features[~features.geometry.is_empty].reset_index(drop=True)
    odd = sorted(set(features.geometry.geom_type) - set(kinds))
    if odd or features.empty:
        raise InputError(
            f"{path}: holds {', '.join(odd) or 'no geometry'}; {what} are "
            f"{' or '.join(kinds)} features"
        )
    told, features = features, reproject(features, grid.crs, path)
    over = shapely.intersects(features.geometry.to_numpy(), outline(grid))
    if not over.any():
        raise InputError(f"{path}: none of the {what} lies over the map; {why_apart(told, grid)}")
    if not over.all():
        logging.info("%s: %d of %d %s lie beyond the map", path, (~over).sum(), len(over), what)
    return features


def write_layers(
    path: str | Path,
    layers: Mapping[str, tuple["pandas.DataFrame", str | None]],
    styles: Mapping[str, VectorStyle] | None = None,
) -> None:
    """Write a GeoPackage of layers by name: a table each, and the type of its geometry if any.

    `styles` by layer are what QGIS draws them in, with the names and explanations of fields. All
    layers are there and whole, or there is no file. Equal data are equal bytes.
    """
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": NO_DATE})
    try:
        with staged(path) as temporary:
            for name, (table, geometry_type) in layers.items():
                pyogrio.write_dataframe(
                    table,
                    temporary,
                    layer=name,
                    geometry_type=geometry_type,
                    # GDAL before 3.7 warns of the newer version that is the default now.
                    dataset_options={"VERSION": "1.2"},
                )
            for name, (table, geometry_type) in layers.items():
                written = pyogrio.read_info(temporary, layer=name, force_feature_count=True)
                # The index is written last, and left out without an error where a disk is full.
                indexed = geometry_type is None or written["capabilities"]["fast_spatial_filter"]
                if written["features"] != len(table) or not indexed:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), str(temporary))
            if styles:
                embed_styles(temporary, styles, NO_DATE)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
