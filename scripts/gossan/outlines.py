"""Outlines of grids, whichever way these are turned, and shapes in other reference systems."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.raster import Grid

if TYPE_CHECKING:
    import geopandas
    import shapely

# What is straight in one system is bent in another: before they are reprojected, edges are cut
# into pieces of this part of the extent of all.
EDGE_PIECES = 100
DEGREES = CRS.from_epsg(4326)
# A tenth of a millimetre: sides that are one but for rounding meet.
FINEST_DEGREES = 1e-9


def outline(grid: Grid, window: Window | None = None) -> "shapely.Polygon":
    """The outer edge of a grid, or of a window of it, in the grid's reference system."""
    import shapely

    if window is None:
        window = Window(0, 0, grid.width, grid.height)
    left, top = window.col_off, window.row_off
    right, bottom = left + window.width, top + window.height
    corners = ((left, top), (left, bottom), (right, bottom), (right, top))
    return shapely.Polygon([grid.place(*corner) for corner in corners])


def outline_on(source: Grid, grid: Grid, what: object) -> "shapely.Polygon":
    """The outer edge of a grid in the reference system of another; `what` names its file.

    Raises InputError where one has no reference system or the edge cannot be brought there.
    """
    import shapely

    if source.crs is None or grid.crs is None:
        raise InputError(f"{what}: it or what it goes with has no coordinate system; assign one")
    edge = outline(source)
    if source.crs == grid.crs:
        return edge
    edge = shapely.segmentize(edge, edge.length / (4 * EDGE_PIECES))
    try:
        places = transform_points(source.crs, grid.crs, *shapely.get_coordinates(edge).T)
    except RasterioError as error:
        raise InputError(
            f"{what}: cannot be brought into the other coordinate system ({error}); reproject it"
        ) from error
    if not np.isfinite(places).all():
        raise InputError(
            f"{what}: cannot be brought into the other coordinate system; reproject it"
        )
    return shapely.make_valid(shapely.set_coordinates(edge, np.transpose(places)))


def reproject(
    features: "geopandas.GeoDataFrame", crs: CRS | None, where: str | Path
) -> "geopandas.GeoDataFrame":
    """Features of the file `where` in another reference system, straight edges bent as they are
    there; InputError where one of the systems is missing or no way leads between them.
    """
    from pyproj.exceptions import ProjError

    if features.crs is None:
        raise InputError(f"{where}: has no coordinate system; assign one")
    if crs is None:
        raise InputError(f"{where}: the map has no coordinate system to bring its features to")
    if features.crs == crs:
        return features
    west, south, east, north = features.total_bounds
    longest = max(east - west, north - south) / EDGE_PIECES
    if longest > 0:
        features = features.copy()
        features.geometry = features.geometry.segmentize(longest)
    try:
        return features.to_crs(crs)
    except ProjError as error:
        raise InputError(
            f"{where}: from its coordinate system ({features.crs.name}) no way leads to the "
            "map's; assign the right one"
        ) from error


def wrap_degrees(longitude: np.ndarray, about: float) -> np.ndarray:
    """Longitudes within half a turn of another one, so that they go on across 180°."""
    return about + (np.asarray(longitude, float) - about + 180) % 360 - 180


def degrees_of(shape: "shapely.Geometry", crs: CRS) -> "shapely.Geometry":
    """A shape in degrees of WGS 84, longitudes going on across 180° where it lies there."""
    import shapely

    xs, ys = shapely.get_coordinates(shape).T
    longitude, latitude = transform_points(crs, DEGREES, xs, ys)
    longitude = wrap_degrees(longitude, longitude[0])
    return shapely.set_coordinates(shape, np.transpose([longitude, latitude]))


def cut_at_180(shape: "shapely.Polygon") -> "list[shapely.Polygon]":
    """A polygon of `degrees_of` with longitudes from -180 to 180: cut where it lies across 180°.

    Parts from west to east, outlines counter-clockwise, as RFC 7946 wants them (section 3.1).
    """
    import shapely
    from shapely.geometry.polygon import orient

    west, _, east, _ = shape.bounds
    if west >= -180 and east <= 180:
        return [orient(shape)]
    parts = []
    for turn in (-360, 0, 360):
        inside = shapely.intersection(shape, shapely.box(turn - 180, -90, turn + 180, 90))
        parts += [
            shapely.transform(part, lambda places, turn=turn: places - [turn, 0])
            for part in shapely.get_parts(inside)
            if part.geom_type == "Polygon" and part.area
        ]
    return [orient(part) for part in parts]


def polygons_in_degrees(shape: "shapely.Polygon", crs: CRS) -> "list[shapely.Polygon]":
    """A polygon in degrees of WGS 84, longitudes from -180 to 180: cut where it lies across 180°.

    Also of one that holds a pole or lies around it. Outlines run counter-clockwise.
    """
    import shapely
    from shapely.geometry.polygon import orient

    def places_of(line: "shapely.LinearRing") -> np.ndarray:
        longitude, latitude = transform_points(crs, DEGREES, *np.asarray(line.coords).T[:2])
        return np.transpose([np.unwrap(longitude, period=360), latitude])

    def ring(places: np.ndarray) -> "shapely.Geometry":
        if _turns(places):
            # In degrees, the pole is a side.
            pole = math.copysign(90, places[:, 1].mean())
            places = np.vstack([places, [places[-1, 0], pole], [places[0, 0], pole]])
        return shapely.union_all(cut_at_180(shapely.Polygon(places)), grid_size=FINEST_DEGREES)

    edge = places_of(shape.exterior)
    if not _turns(edge) and np.abs(edge[:, 0]).max() <= 180:
        # The usual case, of any number of holes.
        return [orient(degrees_of(shape, crs))]
    holes = shapely.union_all([ring(places_of(hole)) for hole in shape.interiors])
    inside = shapely.difference(ring(edge), holes, grid_size=FINEST_DEGREES)
    return [orient(part) for part in shapely.get_parts(inside) if part.geom_type == "Polygon"]


def _turns(places: np.ndarray) -> bool:
    """Whether a ring (n, 2) of unwrapped longitudes and latitudes runs around a pole."""
    return abs(places[-1, 0] - places[0, 0]) > 180


def why_apart(features: "geopandas.GeoDataFrame", grid: Grid) -> str:
    """What to do about features, as their file holds them, of which none lies over a grid."""
    import shapely

    places = features.geometry.to_numpy()
    west, _, east, _ = features.total_bounds
    if features.crs.is_geographic and max(abs(west), abs(east)) <= 90:
        # As latitude and longitude they may lie where they are due.
        turned = features.set_geometry(shapely.transform(places, lambda pairs: pairs[:, ::-1]))
        turned_places = reproject(turned, grid.crs, "places").geometry.to_numpy()
        if shapely.intersects(turned_places, outline(grid)).any():
            return "latitude stands first in it; exchange the two coordinates"
    lies = _name_place(shapely.box(*features.total_bounds), features.crs)
    due = _name_place(outline(grid), grid.crs)
    told = f"it lies about {lies}, the scene about {due}; " if lies != due else ""
    return f"{told}check place and CRS of both"


def _name_place(shape: "shapely.Polygon", crs: CRS) -> str:
    """The middle of a shape in degrees of WGS 84, such as `50.80° N 8.77° E`."""
    middle = shape.centroid
    (longitude,), (latitude,) = transform_points(crs, DEGREES, [middle.x], [middle.y])
    longitude = float(wrap_degrees(longitude, 0))
    return (
        f"{abs(latitude):.2f}° {'S' if latitude < 0 else 'N'} "
        f"{abs(longitude):.2f}° {'W' if longitude < 0 else 'E'}"
    )
