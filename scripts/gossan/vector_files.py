"""Vector files of the user's, opened without trust: a few formats, each told by its content.

GDAL would open any of its formats under any name, and some of them (descriptions of virtual
layers, of web services) read other files or call servers. Here a file is what its ending says, its
first bytes agree, and nothing in it points elsewhere. A file of several layers is asked for by
layer, as QGIS writes it: `survey.gpkg|layername=final`.
"""

import errno
import json
import math
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

from gossan.delimited import find_degrees, plain_text, read_delimited
from gossan.errors import InputError
from gossan.files import DAMAGED_ARCHIVE, scratch
from gossan.paths import find_beside, is_companion, split_layer

if TYPE_CHECKING:
    import geopandas

ARCHIVES = (".zip", ".kmz")
TABLES = (".csv",)
# An archive of layers is unpacked while it is read.
MOST_MEMBERS, MOST_BYTES = 1000, 2 << 30
# Degrees; longitudes may count from 0 to 360, and roundings lie beyond the poles.
MOST_LONGITUDE, MOST_LATITUDE = 360.0, 90.001
# West, south, east, north.
Bounds = Sequence[float]
_GEOJSON_TYPES = {
    "FeatureCollection",
    "Feature",
    "GeometryCollection",
    *("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"),
}
_VIRTUAL_TABLE = re.compile(
    r"\s*CREATE\s+VIRTUAL\s+TABLE.*?\bUSING\s+[\"'\[`]?(\w+)", re.IGNORECASE | re.DOTALL
)
# SQLite's own modules of virtual tables; any other may read files.
_PLAIN_MODULES = ("rtree", "fts3", "fts4", "fts5")
# Words by which GDAL knows a virtual layer or a service, whatever stands before them.
_POINTERS = re.compile(
    rb"<\s*OGR\w*DataSource|\bWFS_Capabilities|<VRTDataset|gdal_streamed_alg", re.IGNORECASE
)
_HEAD_BYTES = 1 << 16


def is_vector(path: str | Path) -> bool:
    """Whether a path is that of a vector file, by its ending or because it names a layer."""
    file, layer = split_layer(path)
    return bool(layer) or file.suffix.lower() in (*_CHECKS, *ARCHIVES, *TABLES)


def read_vector(
    path: str | Path, what: str, *, layer: str = "", geometry: bool = True
) -> tuple["geopandas.GeoDataFrame", str]:
    """The features of a vector file, and the layer that they are of; "" where it has only one.

    `what` says in messages what the features are due to be. The layer is the one that the path
    names (`file.gpkg|layername=final`), else `layer`, else the only one that holds geometries.
    Without `geometry` only attributes are read. A .zip or .kmz is read as the files in it, a .csv
    as points at its columns of longitude and latitude (WGS 84, decimal degrees). Names and texts of
    attributes come as of `plain_text`.

    Raises InputError for a missing or unreadable file, for another format, for content that points
    to other files or to the network, for a layer that the file lacks, for several layers of
    which none is named, and for coordinates that are told as degrees and are none.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
    from shapely.errors import ShapelyError

    file, named = split_layer(path)
    if not file.exists():
        raise InputError(f"{path}: no such file of {what}; correct the path")
    if file.suffix.lower() in TABLES:
        features = _read_points(file, what)
        _require_degrees(features, path)
        return (features if geometry else features.drop(columns="geometry")), ""
    with ExitStack() as stack:
        try:
            parts = _vector_parts(file, stack, what)
            stack.enter_context(_untrusted_sql())
            part, found, several = _choose_layer(path, parts, named or layer)
            if part.suffix.lower() == ".gpkg":
                _require_table(part, file, found)
            features = pyogrio.read_dataframe(part, layer=found, read_geometry=geometry)
        except (
            *(DataLayerError, DataSourceError, FeatureError, GeometryError, ShapelyError),
            UnicodeError,
        ) as error:
            raise InputError(
                f"{path}: not a vector file that can be read; give {what} ({_formats()})"
            ) from error
        features = _with_plain_texts(features, part)
    if geometry:
        _require_degrees(features, path)
    return features, found if several or named else ""


def _read_points(path: Path, what: str) -> "geopandas.GeoDataFrame":
    """Points of a table, at its columns of longitude and latitude; the others are attributes."""
    import geopandas

    table = read_delimited(path)
    columns = find_degrees(table.columns, path, what)
    places = []
    for row, line in zip(table.rows, table.lines, strict=True):
        try:
            place = [float(row[name]) for name in columns]
        except ValueError:
            place = [math.nan]
        if not all(map(math.isfinite, place)):
            told = ", ".join(f"{name} {row[name][:40]!r}" for name in columns)
            raise InputError(
                f"{path}, line {line}: {told}: not decimal degrees; write them like -43.25"
            )
        places.append(place)
    attributes = {
        name: [row[name] or None for row in table.rows]
        for name in table.columns
        if name not in columns and name.casefold() != "geometry"
    }
    x, y = zip(*places, strict=True) if places else ((), ())
    points = geopandas.points_from_xy(x, y, crs="EPSG:4326")
    return geopandas.GeoDataFrame(attributes, geometry=points)


def _with_plain_texts(features: "geopandas.GeoDataFrame", part: Path) -> "geopandas.GeoDataFrame":
    """Features whose attributes and texts look alike only if they are alike."""
    # GDAL takes a Shapefile that does not tell its encoding for Latin-1.
    untold = part.suffix.lower() == ".shp" and find_beside(part, f"{part.stem}.cpg") is None

    def told(value: object) -> object:
        if not isinstance(value, str):
            return value
        if untold and not value.isascii():
            with suppress(UnicodeError):  # then it is Latin-1
                value = value.encode("latin-1").decode("utf-8")
        return plain_text(value)

    features = features.rename(columns=told)
    for name in features.columns:
        if name != "geometry" and any(isinstance(value, str) for value in features[name]):
            features[name] = features[name].map(told)
    return features


def _require_degrees(features: "geopandas.GeoDataFrame", path: str | Path) -> None:
    """Refuse coordinates in a system of degrees that are beyond the globe."""
    crs = getattr(features, "crs", None)
    if crs is None or not crs.is_geographic or features.empty:
        return
    fault = fault_of_degrees(features.total_bounds)
    if fault:
        raise InputError(f"{path}: {fault}")


def fault_of_degrees(bounds: Bounds) -> str:
    """What is wrong with bounds that are told as degrees; "" where they lie on the globe."""
    west, south, east, north = bounds
    if max(-west, east) <= MOST_LONGITUDE and max(-south, north) <= MOST_LATITUDE:
        return ""
    swapped = max(-south, north) <= MOST_LONGITUDE and max(-west, east) <= MOST_LATITUDE
    why = (
        "latitude stands first; exchange the two"
        if swapped
        else "assign the coordinate system that they are in (GeoJSON that names none is in degrees)"
    )
    return (
        f"its coordinates, {west:g} to {east:g} and {south:g} to {north:g}, are no longitudes and "
        f"latitudes, which its coordinate system has; {why}"
    )


def _formats() -> str:
    return ", ".join((*_CHECKS, *ARCHIVES, *TABLES))


def _vector_parts(file: Path, stack: ExitStack, what: str) -> list[Path]:
    """The checked vector files that a path stands for: itself, or those in an archive."""
    ending = file.suffix.lower()
    if ending in ARCHIVES:
        folder = stack.enter_context(scratch(Path(tempfile.gettempdir()) / "gossan"))
        _unpack(file, folder, what)
        parts = [item for item in sorted(folder.rglob("*")) if item.suffix.lower() in _CHECKS]
        parts = [item for item in parts if not is_companion(item.relative_to(folder))]
        if not parts:
            raise InputError(f"{file}: holds no vector file; give {what} ({_formats()})")
    elif ending in _CHECKS:
        parts = [file]
    else:
        raise InputError(
            f"{file}: not a vector file that can be read; give {what} ({_formats()}), or convert "
            "it with ogr2ogr"
        )
    for part in parts:
        if "!" in str(part.absolute()):
            raise InputError(f"{file}: GDAL takes '!' in a path for an archive; rename it")
        label = file.name if part == file else f"{file.name}, {part.name}"
        fault = _CHECKS[part.suffix.lower()](part)
        if fault:
            raise InputError(f"{file.with_name(label)}: {fault}")
    return [part.absolute() for part in parts]


def _choose_layer(path: str | Path, parts: Sequence[Path], wanted: str) -> tuple[Path, str, bool]:
    """File and name of the layer that is asked for, and whether there are several."""
    import pyogrio

    layers = [(part, *row) for part in parts for row in pyogrio.list_layers(part)]
    if wanted:
        # A file may be called like one of its layers: of those, that one is meant.
        asked = [(part, name) for part, name, _ in layers if name == wanted]
        asked = asked or [(p, name) for p, name, _ in layers if wanted in (p.stem, p.name)]
    else:
        # Tables without geometry, as QGIS keeps its styles, and empty folders are no choice.
        asked = [(part, name) for part, name, kind in layers if kind is not None]
        asked = asked or [(part, name) for part, name, _ in layers]
        if len(asked) > 1:
            full = [
                (part, name)
                for part, name in asked
                if pyogrio.read_info(part, layer=name, force_feature_count=True)["features"]
            ]
            asked = full or asked[:1]
    file, _ = split_layer(path)
    names = ", ".join(str(name) for _, name, _ in layers) or "none"
    if not asked:
        raise InputError(f"{file}: has no layer {wanted!r}; it has {names}")
    if len(asked) > 1:
        raise InputError(
            f"{file}: holds several layers ({', '.join(name for _, name in asked)}); name one of "
            f"them, as {file.name}|layername={asked[0][1]}"
        )
    return *asked[0], len(layers) > 1


def _unpack(archive: Path, folder: Path, what: str) -> None:
    """Lay the files of a .zip into a folder, as far as they are plain files of its own."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [item for item in opened.infolist() if not item.is_dir()]
            if len(members) > MOST_MEMBERS or sum(item.file_size for item in members) > MOST_BYTES:
                raise InputError(
                    f"{archive}: holds more than {MOST_MEMBERS} files or {MOST_BYTES >> 30} GiB; "
                    f"unpack it and name the file of {what}"
                )
            for item in members:
                # `extract` drops what leads out of the folder, and writes links as plain files.
                opened.extract(item, folder)
    except (*DAMAGED_ARCHIVE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # of the disk, not of the archive
        raise InputError(f"{archive}: is not a whole .zip; get it again or unpack it") from error


# ---- What a file must be, by its ending; each returns what is wrong with it, or "" ---------------


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _points_elsewhere(content: bytes) -> str:
    if _POINTERS.search(content):
        return "describes data that lie elsewhere; name the file that holds them"
    return ""


def _starts_with(*starts: bytes) -> Callable[[Path], str]:
    def check(path: Path) -> str:
        if not path.is_file():
            return "is no file; correct the path"
        head = _head(path)
        if not head.startswith(starts):
            return f"not a vector file of the kind {path.suffix.lower()}; convert it with ogr2ogr"
        return _points_elsewhere(head)

    return check


def _check_geojson(path: Path) -> str:
    """GeoJSON of its own coordinates; GDAL would fetch a reference system that it links."""
    faults = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, value in pairs:
            if key.casefold() == "crs" and isinstance(value, dict):
                kind = next((v for k, v in value.items() if k.casefold() == "type"), "")
                if str(kind)[:4].casefold() not in ("name", "epsg", "ogc"):
                    faults.append("links its coordinate system; name it (crs of the type 'name')")
        return dict(pairs)

    try:
        content = path.read_bytes()
        found = json.loads(content.decode("utf-8-sig"), object_pairs_hook=look)
    except (OSError, ValueError, RecursionError):
        return "is no whole GeoJSON; write it again"
    if not isinstance(found, dict) or found.get("type") not in _GEOJSON_TYPES:
        return "is JSON but no GeoJSON; convert it with ogr2ogr"
    return faults[0] if faults else _points_elsewhere(content)


def _check_xml(root: str) -> Callable[[Path], str]:
    def check(path: Path) -> str:
        from defusedxml import DefusedXmlException, ElementTree

        top = None
        try:
            for event, element in ElementTree.iterparse(path, ("start", "end"), forbid_dtd=True):
                top = element if top is None else top
                if event == "end":
                    element.clear()
        except (OSError, ParseError, DefusedXmlException, ValueError):
            return f"is no whole {root.upper()}, or declares a document type; write it again"
        if top is None or top.tag.rpartition("}")[2] != root:
            return f"is XML but no {root.upper()}; convert it with ogr2ogr"
        return _points_elsewhere(_head(path))

    return check


def _check_tab(path: Path) -> str:
    """MapInfo's own tables; views and seamless ones are made of other files."""
    text = _head(path).lower()
    if not text.lstrip().startswith(b"!table") or not re.search(rb"\btype\s+native\b", text):
        return "is no native MapInfo table; convert it with ogr2ogr"
    if b"isseamless" in text or b"open table" in text:
        return "is made of other tables; name one of those"
    return _points_elsewhere(text)


def _check_folder(path: Path) -> str:
    """A file geodatabase."""
    if not path.is_dir() or not (path / "a00000001.gdbtable").is_file():
        return "is no file geodatabase; convert it with ogr2ogr"
    return ""


def check_geopackage(path: Path) -> str:
    """What is wrong with a GeoPackage, or "".

    Its own tables are to be tables, without virtual ones that may read files.
    """
    fault = _starts_with(b"SQLite format 3\0")(path)
    if fault:
        return fault
    try:
        entries = list(ask_database(path, "SELECT type, name, sql FROM sqlite_master"))
    except sqlite3.Error:
        return "is no whole GeoPackage; get it again"
    tables = {name for kind, name, _ in entries if kind == "table"}
    if "gpkg_contents" not in tables:
        return "is a SQLite file but no GeoPackage; convert it with ogr2ogr"
    for kind, name, sql in entries:
        if kind == "view" and name.lower().startswith(("gpkg_", "rtree_", "sqlite_")):
            return f"its {name} is a view; write the GeoPackage again with ogr2ogr"
        module = _VIRTUAL_TABLE.match(sql or "")
        if module and module[1].lower() not in _PLAIN_MODULES:
            return (
                f"its table {name} is a virtual one ({module[1]}), which may read other files; "
                "write it again with ogr2ogr"
            )
    return ""


def _require_table(part: Path, file: Path, layer: str) -> None:
    """Refuse a layer that is a view, which may be computed from anything."""
    if "view" in kinds_of(part, layer):
        raise InputError(f"{file}: its layer {layer} is a view; save it as a layer of its own")


def kinds_of(path: Path, name: str) -> list[str]:
    """What a database calls so, in whatever capitals: table, view, index or trigger."""
    query = "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE"
    return [kind for (kind,) in ask_database(path, query, name)]


def ask_database(path: Path, query: str, *values: str) -> Iterator[tuple]:
    """Rows of a query, read only; also where no side file of SQLite's can be written."""
    for how in ("mode=ro", "immutable=1"):
        try:
            address = f"file:{quote(str(path.absolute()))}?{how}"
            with closing(sqlite3.connect(address, uri=True)) as opened:
                # What the file brings along calls no function with side effects.
                opened.execute("PRAGMA trusted_schema = OFF")
                return iter(opened.execute(query, values).fetchall())
        except sqlite3.OperationalError as error:
            last = error
    raise last


@contextmanager
def _untrusted_sql() -> Iterator[None]:
    """Let what a GeoPackage brings along (views, triggers) call no function with side effects."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_SQLITE_PRAGMA")
    pyogrio.set_gdal_config_options({"OGR_SQLITE_PRAGMA": "trusted_schema=OFF"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_SQLITE_PRAGMA": before})


_CHECKS: dict[str, Callable[[Path], str]] = {
    ".gpkg": check_geopackage,
    ".shp": _starts_with(b"\x00\x00\x27\x0a"),
    ".geojson": _check_geojson,
    ".json": _check_geojson,
    ".kml": _check_xml("kml"),
    ".gpx": _check_xml("gpx"),
    ".fgb": _starts_with(b"fgb\x03"),
    ".tab": _check_tab,
    ".mif": _starts_with(b"Version", b"VERSION", b"version"),
    ".gdb": _check_folder,
}
