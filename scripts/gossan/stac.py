"""STAC: what a scene's products are, where and when, as items, and catalogues of them."""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, MapClass, read_class_style
from gossan.outlines import cut_at_180, degrees_of, outline
from gossan.raster import Grid, RasterInfo, read_info

MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".csv": "text/csv",
    ".gpkg": "application/geopackage+sqlite3",
    ".html": "text/html",
    ".png": "image/png",
    ".xml": "application/xml",
    ".qml": "application/xml",
    ".tar": "application/x-tar",
}
ALL_TIME = {
    "start_datetime": "0001-01-01T00:00:00Z",
    "end_datetime": "9999-12-31T23:59:59Z",
}
EXTENSIONS = {
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "raster": "https://stac-extensions.github.io/raster/v2.0.0/schema.json",
    "eo": "https://stac-extensions.github.io/eo/v2.0.0/schema.json",
    "classification": "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
}
"""Extensions by the prefix of their fields; one that is declared must be used (their schemas)."""
VERSION = "1.1.0"
CODE = re.compile(r"[A-Z]+:[0-9]+")


@dataclass(frozen=True)
class Asset:
    """A file of an item; `roles` are those of its kind where none are given.

    `every_band`: the classes of its style are those of each band, else of the first.
    """

    path: Path
    title: str = ""
    description: str = ""
    roles: Sequence[str] = ()
    every_band: bool = False


def build_item(
    id: str,
    grid: Grid,
    acquired: str | datetime | None,
    assets: Mapping[str, Path | Asset],
    properties: Mapping[str, object] | None = None,
    *,
    folder: str | Path | None = None,
) -> dict:
    """Describe products on `grid` as a STAC 1.1 item, ready for `files.write_json`.

    `acquired` is ISO 8601 (UTC where it names no zone), None where it is not known: the item then
    spans all time, as STAC wants a time of every item. Asset hrefs are relative to `folder`,
    where the item will be written: by default the folder of the first asset. GeoTIFF assets must
    exist; their bands, data type, nodata, scale, wavelengths and the classes of their styles are
    read from them. The footprint is the grid's outline in WGS 84, or null where the grid has no
    reference system; an asset on another grid says so itself.

    Raises InputError for a time that is not ISO 8601, no assets, or an unreadable GeoTIFF.
    """
    import pystac

    if not assets:
        raise InputError(f"STAC item {id}: has no assets; name at least one file")
    named = {
        key: asset if isinstance(asset, Asset) else Asset(Path(asset))
        for key, asset in assets.items()
    }
    folder = next(iter(named.values())).path.parent if folder is None else Path(folder)
    geometry, bbox = _footprint(grid)
    item = pystac.Item(
        id=id,
        geometry=geometry,
        bbox=bbox,
        datetime=None if acquired is None else _moment(id, acquired),
        properties={
            **(ALL_TIME if acquired is None else {}),
            **(properties or {}),
            **_projection(grid),
        },
    )
    for key, asset in named.items():
        fields = {}
        suffix = asset.path.suffix.lower()
        if suffix == ".tif":
            info = read_info(asset.path)
            fields = _raster_fields(info, read_class_style(asset.path), asset.every_band)
            if info.grid != grid:
                fields |= _projection(info.grid)
        item.add_asset(
            key,
            pystac.Asset(
                href=relative(asset.path, folder),
                title=asset.title or None,
                description=asset.description or None,
                media_type=MEDIA_TYPES.get(suffix),
                roles=list(asset.roles) or (["data"] if suffix in _DATA else ["metadata"]),
                extra_fields=fields,
            ),
        )
    told = item.to_dict(include_self_link=False, transform_hrefs=False)
    used = set(_prefixes(told["properties"])) | set(_prefixes(told["assets"]))
    told["stac_extensions"] = [url for name, url in EXTENSIONS.items() if name in used]
    return told


_DATA = (".tif", ".gpkg")


def relative(path: str | Path, folder: str | Path) -> str:
    """The address of a file as seen from a folder."""
    return "./" + Path(os.path.relpath(path, folder)).as_posix()


def link(rel: str, path: str | Path, folder: str | Path, title: str = "") -> dict[str, str]:
    """A link to another file of a catalogue, as seen from `folder`."""
    kind = "application/geo+json" if rel == "item" else "application/json"
    told = {"rel": rel, "href": relative(path, folder), "type": kind}
    return {**told, "title": title} if title else told


def build_catalog(id: str, title: str, description: str, links: Iterable[Mapping]) -> dict:
    """A STAC catalogue, ready for `files.write_json`."""
    return {
        "type": "Catalog",
        "id": id,
        "stac_version": VERSION,
        "title": title,
        "description": description,
        "links": [dict(item) for item in links],
    }


def _prefixes(value: object) -> Iterable[str]:
    """Prefixes of the fields at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key).partition(":")[0]
            yield from _prefixes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _prefixes(inner)


def utc(id: str, acquired: str) -> str:
    """A time as STAC writes it, in UTC; InputError, naming `id`, for what is not ISO 8601."""
    from pystac.utils import datetime_to_str

    return datetime_to_str(_moment(id, acquired))


def _moment(id: str, acquired: str | datetime) -> datetime:
    if isinstance(acquired, str):
        try:
            acquired = datetime.fromisoformat(acquired)
        except ValueError as error:
            raise InputError(
                f"STAC item {id}: acquired {acquired!r} is not ISO 8601; write it like "
                "2024-07-19T05:40:00Z"
            ) from error
    return acquired.replace(tzinfo=acquired.tzinfo or UTC).astimezone(UTC)


def _footprint(grid: Grid) -> tuple[dict | None, list[float] | None]:
    """Outline and bounding box in degrees (RFC 7946)."""
    if grid.crs is None:
        return None, None
    parts = cut_at_180(degrees_of(outline(grid), grid.crs))
    rings = [[[round(x, 7), round(y, 7)] for x, y in part.exterior.coords] for part in parts]
    # Across 180° the western part comes first, and the west is the larger number (section 5.2).
    west, east = parts[0].bounds[0], parts[-1].bounds[2]
    south, north = (pick(y for ring in rings for _, y in ring) for pick in (min, max))
    bounds = [round(west, 7), south, round(east, 7), north]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}, bounds
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}, bounds


def _projection(grid: Grid) -> dict[str, object]:
    fields: dict[str, object] = {
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.transform)[:6],
        "proj:bbox": list(grid.bounds),
    }
    if grid.crs is None:
        return {"proj:code": None, **fields}
    code = ":".join(grid.crs.to_authority() or ())
    if not CODE.fullmatch(code):
        return {"proj:code": None, "proj:wkt2": grid.crs.to_wkt(version="WKT2_2019"), **fields}
    return {"proj:code": code, **fields}


def _raster_fields(
    info: RasterInfo, classes: Sequence[MapClass], every_band: bool
) -> dict[str, object]:
    """Fields of one raster asset: what all bands share, then one entry per band."""
    fields: dict[str, object] = {"data_type": info.dtype}
    if info.nodata is not None:
        fields["nodata"] = _number(info.nodata)
    if info.scale != 1.0 or info.offset != 0.0:
        fields |= {"raster:scale": info.scale, "raster:offset": info.offset}
    bands: list[dict[str, object]] = [{"name": name} for name in info.bands.names]
    for band, centre in zip(bands, info.bands.centre_um, strict=False):
        band["eo:center_wavelength"] = centre
    for band, width in zip(bands, info.bands.fwhm_um, strict=False):
        band["eo:full_width_half_max"] = width
    if classes:
        told = describe_classes(classes, info.nodata)
        for band in bands if every_band else bands[:1]:
            (fields if len(bands) == 1 else band)["classification:classes"] = told
    return {**fields, "bands": bands}


def describe_classes(classes: Sequence[MapClass], nodata: float | None) -> list[dict[str, object]]:
    """Classes as the classification extension has them, with what is of none and nodata.

    A class's name is its label in letters, digits, - and _, with its code where that leaves nothing
    or is there already.
    """
    told: list[dict[str, object]] = [
        {"value": UNCLASSIFIED, "name": "unclassified", "description": "Of no class"}
    ]
    names = {"unclassified", "nodata"}
    for item in classes:
        name = re.sub(r"[^0-9A-Za-z_-]+", "-", item.label).strip("-").lower()
        if not name or name in names:
            name = f"{name or 'class'}-{item.code}"
        names.add(name)
        told.append(
            {
                "value": item.code,
                "name": name,
                "title": item.label,
                "description": item.label,
                "color_hint": item.colour.removeprefix("#").upper(),
            }
        )
    if nodata == NODATA:
        told.append({"value": NODATA, "name": "nodata", "description": "No data", "nodata": True})
    return told


def _number(value: float) -> float | int | str:
    """A number as STAC writes nodata: JSON has no NaN or infinity, so they are words."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return int(value) if value == int(value) else value
