"""What vector files tell of themselves without GDAL: columns, and bounds in degrees.

A run is planned where the libraries of the tools need not be. What is not understood here is left
to the tool that reads the file.
"""

import json
import re
import sqlite3
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gossan.delimited import plain_text
from gossan.paths import find_beside, split_layer
from gossan.vector_files import Bounds, ask_database, check_geopackage, kinds_of

# Each start of a run reads it all; of a larger one the tool tells.
MOST_GEOJSON_BYTES = 4 << 20
_DEGREES = re.compile(r"\s*GEO(GCS|GCRS|DCRS|GRAPHICCRS)\b", re.IGNORECASE)
_GEOJSON_DEGREES = "CRS84"
_DBF_FIELD_BYTES, _DBF_END = 32, 0x0D
_NOT_UNDERSTOOD = (
    *(OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError),
    *(struct.error, sqlite3.Error),
)


@dataclass(frozen=True)
class Head:
    """Names of a layer's attributes, and west, south, east and north of one in degrees.

    A shapefile tells no bounds: in its header features may count that were taken out of it.
    """

    columns: list[str]
    bounds: Bounds | None = None


def read_head(path: str) -> Head | None:
    """The head of a shapefile, a GeoJSON or a GeoPackage's layer; None where it tells none."""
    file, layer = split_layer(path)
    read = _READERS.get(file.suffix.lower())
    try:
        return read(file, layer) if read else None
    except _NOT_UNDERSTOOD:
        return None


def _read_geopackage(path: Path, layer: str) -> Head | None:
    if check_geopackage(path):
        return None  # no query of it is known to have an end
    found = [
        row
        for row in ask_database(
            path,
            "SELECT g.table_name, g.column_name, s.definition FROM gpkg_geometry_columns g "
            "LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id",
        )
        if layer in ("", row[0])
    ]
    if len(found) != 1:
        return None
    [(table, geometry, system)] = found
    if "table" not in kinds_of(path, table):
        return None
    names = [
        name
        for (name,) in ask_database(
            path, "SELECT name FROM pragma_table_info(?) WHERE pk = 0", table
        )
    ]
    return Head(
        [plain_text(name) for name in names if name != geometry],
        _read_index(path, f"rtree_{table}_{geometry}") if _DEGREES.match(system or "") else None,
    )


def _read_index(path: Path, index: str) -> Bounds | None:
    """The bounds of a layer by the root of its R-tree; None where it has none.

    The index is kept by all who write; the extent among the contents may be an old one.
    """
    name = f"{index}_node".replace('"', '""')
    try:
        [(root,)] = ask_database(path, f'SELECT data FROM "{name}" WHERE nodeno = 1')
        (count,) = struct.unpack_from(">2xH", root)
        boxes = [struct.unpack_from(">8x4f", root, 4 + 24 * place) for place in range(count)]
    except (sqlite3.Error, ValueError, TypeError, struct.error):
        return None
    if not boxes:
        return None
    west, east, south, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _read_shapefile(path: Path, _: str) -> Head | None:
    """The fields of dBASE III beside a file of ESRI's description of 1998."""
    table = find_beside(path, f"{path.stem}.dbf")
    if table is None:
        return None
    with table.open("rb") as stream:
        (length,) = struct.unpack("<8xH22x", stream.read(_DBF_FIELD_BYTES))
        told = stream.read(max(length - _DBF_FIELD_BYTES, 0))
    columns = []
    for start in range(0, len(told), _DBF_FIELD_BYTES):
        if told[start] == _DBF_END:
            return Head(columns)
        columns.append(plain_text(told[start : start + 11].partition(b"\0")[0].decode("latin-1")))
    return None


def _read_geojson(path: Path, _: str) -> Head | None:
    if path.stat().st_size > MOST_GEOJSON_BYTES:
        return None
    told = json.loads(path.read_bytes().decode("utf-8-sig"))
    features = told["features"] if told.get("type") == "FeatureCollection" else None
    if not features:
        return None
    columns = dict.fromkeys(name for item in features for name in item.get("properties") or {})
    places = [
        place
        for item in features
        for place in _places((item.get("geometry") or {}).get("coordinates"))
    ]
    bounds = None
    system = told["crs"]["properties"]["name"] if told.get("crs") else _GEOJSON_DEGREES
    if places and system.endswith(_GEOJSON_DEGREES):
        xs, ys = zip(*places, strict=True)
        bounds = min(xs), min(ys), max(xs), max(ys)
    return Head([plain_text(name) for name in columns], bounds)


def _places(coordinates: object) -> Iterator[tuple[float, float]]:
    if isinstance(coordinates, list) and coordinates:
        if isinstance(coordinates[0], list):
            for part in coordinates:
                yield from _places(part)
        else:
            yield float(coordinates[0]), float(coordinates[1])


_READERS: dict[str, Callable[[Path, str], Head | None]] = {
    ".gpkg": _read_geopackage,
    ".shp": _read_shapefile,
    ".geojson": _read_geojson,
    ".json": _read_geojson,
}
