"""STAC items: what a scene's products are, where and when, for catalogues."""

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gossan.errors import InputError
from gossan.outlines import cut_at_180, degrees_of, outline
from gossan.raster import Grid, RasterInfo, read_info

MEDIA_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".csv": "text/csv",
    ".gpkg": "application/geopackage+sqlite3",
    ".html": "text/html",
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
}


def build_item(
    id: str,
    grid: Grid,
    acquired: str | datetime | None,
    assets: Mapping[str, Path],
    properties: Mapping[str, object] | None = None,
    *,
    folder: str | Path | None = None,
) -> dict:
    """Describe products on `grid` as a STAC 1.1 item, ready for `files.write_json`.

    `acquired` is ISO 8601 (UTC where it names no zone), None where it is not known: the item then
    spans all time, as STAC wants a time of every item. Asset hrefs are relative to `folder`,
    where the item will be written: by default the folder of the first asset. GeoTIFF assets must
    exist; their bands, data type, nodata, scale and wavelengths are read from them. The footprint
    is the grid's outline in WGS 84, or null where the grid has no reference system.

    Raises InputError for a time that is not ISO 8601, no assets, or an unreadable GeoTIFF.
    """
    import pystac

    if not assets:
        raise InputError(f"STAC item {id}: has no assets; name at least one file")
    folder = Path(next(iter(assets.values()))).parent if folder is None else Path(folder)
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
    used = {"proj"}
    for key, path in assets.items():
        path = Path(path)
        fields = {}
        if path.suffix.lower() == ".tif":
            info = read_info(path)
            fields = _raster_fields(info)
            used |= {"raster", "eo"} if info.bands.centre_um else {"raster"}
        item.add_asset(
            key,
            pystac.Asset(
                href="./" + Path(os.path.relpath(path, folder)).as_posix(),
                media_type=MEDIA_TYPES.get(path.suffix.lower()),
                roles=["data"] if fields else ["metadata"],
                extra_fields=fields,
            ),
        )
    item.stac_extensions = [url for name, url in EXTENSIONS.items() if name in used]
    return item.to_dict(include_self_link=False, transform_hrefs=False)


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
    authority = grid.crs.to_authority()
    if authority is None:
        return {"proj:code": None, "proj:wkt2": grid.crs.to_wkt(version="WKT2_2019"), **fields}
    return {"proj:code": ":".join(authority), **fields}


def _raster_fields(info: RasterInfo) -> dict[str, object]:
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
    return {**fields, "bands": bands}


def _number(value: float) -> float | int | str:
    """A number as STAC writes nodata: JSON has no NaN or infinity, so they are words."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return int(value) if value == int(value) else value
