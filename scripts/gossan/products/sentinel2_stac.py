"""Sentinel-2 Level-2A dates from STAC: items, collections of items, static catalogues, searches.

The names of assets and properties are those of Earth Search (Element 84), the Planetary Computer
(Microsoft) and the Copernicus Data Space. Rasters are read by window, from disk or over HTTP; no
file is downloaded.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from gossan.checksums import read_multihash
from gossan.errors import InputError
from gossan.products.plausible import near, require_within
from gossan.products.raster_files import (
    CONNECT_TIMEOUT_S,
    REMOTE_ATTEMPTS,
    RETRY_DELAY_S,
    TIMEOUT_S,
    RasterFile,
)
from gossan.products.sentinel2_files import (
    NATIVE_M,
    OFFSET,
    OFFSET_SINCE,
    OFFSETS,
    QUANTIFICATION,
    Calibration,
    Description,
    best_pixel,
    coarse_notes,
)

if TYPE_CHECKING:
    import pystac
    from pystac_client.stac_api_io import StacApiIO

# Keys of assets by the bands' common names, as Earth Search uses them.
COMMON_NAMES = {
    **{"coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05"},
    **{"rededge2": "B06", "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09"},
    **{"swir16": "B11", "swir22": "B12"},
}
SEARCH_KEYS = ("collections", "ids", "bbox", "intersects", "datetime", "query", "filter")
DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}

_ASSET = re.compile(r"(B\d{1,2}|B8A|SCL|QA60)(?:_(10|20|60)m)?$", re.IGNORECASE)
_TILE = re.compile(r"(?:^|[_-])T?(\d{2}[A-Z]{3})(?=_|-|$)")
# pathlib folds the two slashes of an address into one.
_ADDRESS = re.compile(r"(https?):/+(.+)", re.IGNORECASE | re.DOTALL)
_BUSY = (429, 500, 502, 503, 504)
_MAX_ITEMS = 2000


def is_stac(path: str | Path) -> bool:
    """Whether `path` is an http address or the name of a .json file."""
    return bool(_ADDRESS.match(str(path))) or str(path).lower().endswith((".json", ".geojson"))


def read_items(path: str | Path) -> list[pystac.Item]:
    """The items that a .json file or an http address leads to.

    It may be an item; a collection of items, as the answer of a search, whose further pages an
    address is asked for; a static catalogue or collection, which is walked through; or a search to
    make: {"api": address, "collections": [...], "bbox": [...], "datetime": "..."}, with any of
    SEARCH_KEYS.

    Raises InputError, naming file or address, for what is none of these, for a server that does
    not answer, for a saved page that is not the last one, for no items, and for more than 2000.
    """
    from pystac.errors import STACError, STACTypeError
    from pystac_client.exceptions import APIError
    from pystac_client.warnings import DoesNotConformTo

    unusable = (STACTypeError, DoesNotConformTo, ValueError, KeyError, TypeError, AttributeError)
    address = _ADDRESS.match(str(path))
    source = f"{address[1].lower()}://{address[2]}" if address else str(Path(path).resolve())
    name = _shown(source) if address else str(path)
    try:
        items = []
        for item in _walk(source, name):
            items.append(item)
            if len(items) > _MAX_ITEMS:
                raise InputError(
                    f"{name}: leads to more than {_MAX_ITEMS} items; narrow the search"
                )
    except (APIError, STACError, OSError) as error:
        raise InputError(
            f"{name}: cannot be read ({_reason(error)}); check the address and the network"
        ) from error
    except unusable as error:
        raise InputError(f"{name}: is no STAC that can be used ({_reason(error)})") from error
    if not items:
        raise InputError(f"{name}: leads to no item; check the search or the catalogue")
    return items


def _walk(source: str, name: str) -> Iterator[pystac.Item]:
    import pystac

    io = _client()
    document = json.loads(io.read_text(source))
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "Feature":
        yield pystac.Item.from_dict(document, href=source)
    elif kind == "FeatureCollection":
        remote = bool(_ADDRESS.match(source))
        following = any(link.get("rel") == "next" for link in document.get("links", []))
        if following and not remote:
            raise InputError(f"{name}: is one page of a search; save all its pages in one file")
        for page in io.get_pages(source) if remote else [document]:
            for feature in page["features"]:
                yield pystac.Item.from_dict(feature, href=None if _is_placed(feature) else source)
    elif kind in ("Catalog", "Collection"):
        kinds = {"Catalog": pystac.Catalog, "Collection": pystac.Collection}
        catalogue = kinds[kind].from_file(source, stac_io=_plain_io(io))
        for item in catalogue.get_items(recursive=True):
            yield _require_web(item, name) if _ADDRESS.match(source) else item
    elif isinstance(document, dict) and "api" in document:
        yield from _search(document, io, name)
    else:
        raise InputError(
            f"{name}: is neither a STAC item, collection of items, catalogue nor a search "
            '({"api": …})'
        )


def _is_placed(feature: Mapping[str, Any]) -> bool:
    """Whether an item says itself where it is on the web, which relative addresses start from."""
    links = [link for link in feature.get("links", []) if link.get("rel") == "self"]
    return any(_ADDRESS.match(str(link.get("href"))) for link in links)


def _require_web(item: pystac.Item, name: str) -> pystac.Item:
    """The item, if its relative addresses are not looked for on this machine."""
    if not _ADDRESS.match(item.get_self_href() or ""):
        raise InputError(f"{name}: item {item.id} has no address on the web (link 'self'); refused")
    return item


def _search(document: Mapping[str, Any], io: StacApiIO, name: str) -> Iterator[pystac.Item]:
    from pystac_client import Client

    unknown = sorted(set(document) - {"api", *SEARCH_KEYS})
    if unknown:
        raise InputError(
            f"{name}: key {unknown[0]} is unknown in a search; use api, {', '.join(SEARCH_KEYS)}"
        )
    client = Client.open(str(document["api"]), stac_io=io)
    wanted = {key: document[key] for key in SEARCH_KEYS if key in document}
    for item in client.search(max_items=_MAX_ITEMS + 1, **wanted).items():
        yield _require_web(item, name)


def _client() -> StacApiIO:
    from pystac_client.stac_api_io import StacApiIO
    from urllib3 import Retry

    retries = Retry(
        total=REMOTE_ATTEMPTS,
        backoff_factor=RETRY_DELAY_S,
        status_forcelist=_BUSY,
        allowed_methods=None,
    )
    return StacApiIO(max_retries=retries, timeout=(CONNECT_TIMEOUT_S, TIMEOUT_S))


def _plain_io(io: StacApiIO) -> pystac.StacIO:
    """Reads as `io` does, but makes plain catalogues: its own ones expect an API behind them."""
    from pystac.stac_io import DefaultStacIO

    class PlainIo(DefaultStacIO):
        def read_text_from_href(self, href: str) -> str:
            return io.read_text(href)

    return PlainIo()


def _reason(error: Exception) -> str:
    """One short line, without the query of an address, which may hold a key."""
    code = getattr(error, "status_code", None)
    if code:
        return f"HTTP {code}"
    line = (str(error).splitlines() or [""])[0] or type(error).__name__
    return re.sub(r"\?[^\s)'\"]+", "", line)[:160]


def _shown(address: str) -> str:
    """An address without user, query and fragment, which may hold keys."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


# ---- one item -----------------------------------------------------------------------------------


def describe_item(item: pystac.Item) -> Description:
    """What an item says of its date.

    The offset is 0 where the item says that it has been applied (`earthsearch:boa_offset_applied`),
    else the one that the asset tells (raster extension), else that of the processing baseline:
    -1000 from 04.00, none before. `notes` say which. Raises InputError for an item without time,
    sun, tile or spacecraft, one of Level-1C, one that tells neither offset nor baseline, and assets
    that are neither GeoTIFF nor JPEG 2000 on disk or behind http.
    """
    name = f"STAC item {item.id}"
    told = item.properties
    product_id = PurePosixPath(
        str(_first(told, "s2:product_uri", "sentinel:product_id") or item.id)
    )
    product = product_id.name.removesuffix(".SAFE")
    hints = (product, item.collection_id or "", told.get("s2:product_type", ""))
    if any(re.search(r"MSIL1C|S2MSI1C|-l1c|_L1C", str(hint)) for hint in hints):
        raise InputError(f"{name}: is Level-1C; Level-2A is needed")
    if item.datetime is None:
        raise InputError(f"{name}: has no datetime")
    moment = item.datetime
    spacecraft = str(told.get("platform", "")).strip().capitalize()
    baseline = str(
        _first(told, "s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
        or ""
    )
    grid_code = str(told.get("grid:code", "")).removeprefix("MGRS-")
    tile = _TILE.search(str(told.get("s2:mgrs_tile") or grid_code or product))
    if tile is None:
        raise InputError(f"{name}: names no tile (s2:mgrs_tile or grid:code)")
    assets = _find_assets(item, name)
    files = {band: file for band, (file, _) in assets.items()}
    calibrations, note = _calibrate(item, baseline, assets, name)
    elevation = told.get("view:sun_elevation")
    if elevation is None:
        elevation = 90.0 - _number(told.get("s2:mean_solar_zenith"), name, "view:sun_elevation")
    sun = require_within(
        _number(elevation, name, "view:sun_elevation"), (0.0, 90.0), name, "view:sun_elevation"
    )
    azimuth = _first(told, "view:sun_azimuth", "s2:mean_solar_azimuth")
    return Description(
        name=name,
        product_id=product,
        spacecraft=spacecraft[:-1] + spacecraft[-1:].upper(),
        baseline=baseline,
        tile=tile[1],
        acquired=moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC),
        sun_elevation_deg=sun,
        sun_azimuth_deg=None if azimuth is None else _number(azimuth, name, "view:sun_azimuth"),
        calibrations=calibrations,
        nodata=0,
        saturated=65535,
        files=files,
        synthetic="gossan" in json.dumps(told, default=str).lower(),
        notes=(*((note,) if note else ()), *coarse_notes(files)),
    )


def _first(values: Mapping[str, Any], *keys: str) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)


def _number(value: Any, name: str, key: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name}: {key} = {value} is no number")
    return number


def _find_assets(item: pystac.Item, name: str) -> dict[str, tuple[RasterFile, pystac.Asset]]:
    """The item's rasters, those of native resolution before resampled copies."""
    found: dict[str, dict[int, pystac.Asset]] = {}
    for key, asset in item.assets.items():
        band, pixel_m = _asset_band(key, asset)
        if band in NATIVE_M:
            found.setdefault(band, {}).setdefault(pixel_m or NATIVE_M[band], asset)
    assets = {}
    for band, copies in found.items():
        pixel_m = best_pixel(band, copies)
        if pixel_m is not None:
            asset = copies[pixel_m]
            assets[band] = (_locate(asset, pixel_m, f"{name}: asset {band}"), asset)
    return assets


def _asset_band(key: str, asset: pystac.Asset) -> tuple[str, int | None]:
    """Band of an asset, by its key or common name, and its pixel where the key tells it."""
    match = _ASSET.match(key)
    if match is None:
        return COMMON_NAMES.get(key, ""), None
    band = match[1].upper()
    if re.fullmatch(r"B\d", band):
        band = f"B0{band[1]}"
    return band, int(match[2]) if match[2] else None


def _locate(asset: pystac.Asset, pixel_m: int, label: str) -> RasterFile:
    href = asset.get_absolute_href() or asset.href
    driver = DRIVERS.get(PurePosixPath(unquote(urlsplit(href).path)).suffix.lower())
    remote = bool(re.match(r"https?://", href, re.IGNORECASE))
    # What begins with /vsi is one of GDAL's own file systems, some of which call servers.
    elsewhere = re.match(r"[a-z][a-z0-9+.-]+://|/*vsi", href, re.IGNORECASE)
    if driver is None or (not remote and elsewhere):
        raise InputError(
            f"{label} ({_shown(href)}) is no .tif or .jp2 on disk or behind http; use a catalogue "
            "that has them, or download the date"
        )
    if not remote:
        place, told = str(Path(href).absolute()), asset.extra_fields.get("file:checksum", "")
        checksum = read_multihash(str(told))
        return RasterFile(place, href, pixel_m, driver, checksum=checksum)
    # Options in the path, so that no setting of the whole process is touched. GDAL asks again when
    # a server is busy, and looks for no files beside this one.
    options = (
        f"empty_dir=yes&max_retry={REMOTE_ATTEMPTS}&retry_delay={RETRY_DELAY_S}"
        f"&timeout={TIMEOUT_S}&connecttimeout={CONNECT_TIMEOUT_S}"
    )
    path = f"/vsicurl?{options}&url={quote(href, safe='')}"
    return RasterFile(path, _shown(href), pixel_m, driver, remote=True)


def _calibrate(
    item: pystac.Item,
    baseline: str,
    assets: Mapping[str, tuple[RasterFile, pystac.Asset]],
    name: str,
) -> tuple[dict[str, Calibration], str]:
    """Calibration of each band, and a note on where its offset comes from."""
    applied = _first(
        item.properties, "earthsearch:boa_offset_applied", "sentinel:boa_offset_applied"
    )
    calibrations, sources = {}, set()
    for band, (_, asset) in assets.items():
        if band in ("SCL", "QA60"):
            continue
        scale, offset = _raster_scale(asset)
        scale = _number(1e-4 if scale is None else scale, name, f"scale of {band}")
        require_within(scale, near(1 / QUANTIFICATION), name, f"scale of {band}")
        # Tables give 0.0001, and a quantification is a whole number.
        quantification = round(1 / scale, 6)
        if str(applied).lower() == "true":
            number, source = 0.0, "0: the catalogue has applied it"
        elif offset is not None:
            number = round(_number(offset, name, f"offset of {band}") * quantification, 6)
            require_within(
                number / quantification * QUANTIFICATION,
                OFFSETS,
                name,
                f"offset of {band} x {QUANTIFICATION:g}",
            )
            source = f"{number:g}: told by the assets"
        else:
            if not baseline:
                raise InputError(
                    f"{name}: tells neither an offset of {band} (raster extension) nor a "
                    "processing baseline; the numbers could be wrong by 0.1"
                )
            since = _number(baseline, name, "processing baseline")
            number = OFFSET if since >= OFFSET_SINCE else 0.0
            source = f"{number:g}: that of processing baseline {baseline}"
        calibrations[band] = Calibration(quantification, number)
        sources.add(source)
    listed = "; ".join(sorted(sources))
    return calibrations, f"offset added to the stored numbers: {listed}" if listed else ""


def _raster_scale(asset: pystac.Asset) -> tuple[Any, Any]:
    """Scale and offset of an asset by the raster extension, of version 1 or 2; None if untold."""
    fields = asset.extra_fields
    for places, prefix in (
        (fields.get("raster:bands"), ""),
        (fields.get("bands"), "raster:"),
        ([fields], "raster:"),
    ):
        place = places[0] if places else {}
        scale, offset = place.get(f"{prefix}scale"), place.get(f"{prefix}offset")
        if scale is not None or offset is not None:
            return scale, offset
    return None, None
