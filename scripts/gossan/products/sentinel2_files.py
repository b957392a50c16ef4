"""Where a Sentinel-2 Level-2A date keeps its rasters, and what its metadata say.

The SAFE layout is that of the Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD),
as a folder or in a .zip, also in its format 14.2 of 2017 and 2018, whose elements and images have
other names. `describe_safe` makes a `Description` of it, as `sentinel2_stac` does
of a STAC item; `raster_files.Rasters` reads the files of both, on disk or over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from gossan.errors import InputError
from gossan.products.containers import Container, Folder, Rules, Zip
from gossan.products.plausible import near, read_moment, require_azimuth, require_within
from gossan.products.raster_files import RasterFile, require_checksum
from gossan.products.xml_metadata import XML_MAX_BYTES, XmlMetadata, parse_xml

# Bands in the order of the metadata's band_id, 0 to 12, and their native pixels (m).
BAND_IDS = (*(f"B{n:02d}" for n in range(1, 9)), "B8A", *(f"B{n:02d}" for n in range(9, 13)))
NATIVE_M = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"), 20),
    **dict.fromkeys(("B01", "B09", "QA60"), 60),
}
# Since this processing baseline numbers carry an offset, which is -1000 in all bands (Sentinel-2
# Products Specification Document, issue 14.9). Baselines from 99 are a user's own Sen2Cor runs.
OFFSET_SINCE, OFFSET, OWN_RUNS_SINCE = 4.0, -1000.0, 99.0
# What the format has for reflectance, no data and saturation; an offset may be near its own.
QUANTIFICATION, NODATA, SATURATED = 10_000.0, 0, 65535
OFFSETS = (4 * OFFSET, 0.0)

METADATA_FILE, MANIFEST_FILE = "MTD_MSIL2A.xml", "manifest.safe"
# As manifests call their checksums, SHA3-256 since processing baseline 04.00 and MD5 before.
_ALGORITHMS = {"MD5": "md5", "SHA3-256": "sha3_256"}
_LEVEL1_FILE = "MTD_MSIL1C.xml"
_IMAGE = re.compile(r"(?:^|.*_)(B\d\d|B8A|SCL)_(10|20|60)m\.jp2$", re.IGNORECASE)
_CLOUDS = re.compile(r"(MSK_CLASSI_B00|.*QA60.*)\.jp2$", re.IGNORECASE)
# What begins as products of satellites do, and a date of Sentinel-2 that is no SAFE format.
_FOREIGN = re.compile(
    r"(?:L[CEOT]0\d_|AST_\w|EMIT_L|ENMAP\d|PRS_L|S[13]._)"
    r"|S2[A-D]_.*\.(?:json|geojson|tar|tgz|gz|nc|tiff?|jp2)$"
    r"|T\d{2}[A-Z]{3}_\d{8}T.*\.(?:tiff?|jp2)$",
    re.IGNORECASE,
)
_TILE = re.compile(r"_T(\d{2}[A-Z]{3})(?:_|\b)")

_RULES = Rules(
    product="a Sentinel-2 L2A product",
    not_whole="is not a whole .zip",
    is_metadata=lambda name: PurePosixPath(name).name in (METADATA_FILE, _LEVEL1_FILE),
    metadata_max_bytes=XML_MAX_BYTES,
)


@dataclass(frozen=True)
class Calibration:
    """Reflectance = (number + offset) / quantification."""

    quantification: float
    offset: float


@dataclass(frozen=True)
class Description:
    """What one date says of itself, whatever its form.

    `files` and `calibrations` are keyed by band ("B02"); `files` also has "SCL" and, where the
    product has one, "QA60".
    """

    name: str
    product_id: str
    spacecraft: str
    baseline: str
    tile: str
    acquired: datetime
    sun_elevation_deg: float
    sun_azimuth_deg: float | None
    calibrations: Mapping[str, Calibration]
    nodata: int
    saturated: int
    files: Mapping[str, RasterFile]
    synthetic: bool
    notes: tuple[str, ...]


# ---- SAFE ---------------------------------------------------------------------------------------


def is_safe(path: Path) -> bool:
    """Whether a path is a product itself: a .zip, or a folder with a product's metadata."""
    if path.is_dir():
        return path.suffix.upper() == ".SAFE" or any(
            (path / name).is_file() for name in (METADATA_FILE, _LEVEL1_FILE)
        )
    return path.suffix.lower() == ".zip"


def is_foreign(path: Path) -> bool:
    """Whether a path beside the dates is by its name a product that is not read with them.

    That is one of another sensor, and a date in another format: a STAC item, an archive other than
    .zip, an image without its SAFE folder. What no satellite's name begins with is the user's own.
    """
    return not is_safe(path) and bool(_FOREIGN.match(path.name))


def describe_safe(path: Path) -> Description:
    """Read the metadata of a .SAFE folder or .zip and find its rasters.

    Raises InputError, naming file and element, for a damaged or unsafe archive, XML with
    entities, Level-1C, missing metadata, a scale that is no scale, and a baseline from 04.00
    on whose metadata tell no offset.
    """
    container, root = _open_safe(path)
    checksums = _read_checksums(container, root)
    metadata = _read_metadata(container, root / METADATA_FILE, checksums)
    level = metadata.text(".//PROCESSING_LEVEL")
    # "Level-2Ap" is what the pilot of 2017 called it.
    if level.upper() not in ("LEVEL-2A", "LEVEL-2AP"):
        raise InputError(f"{metadata.name}: PROCESSING_LEVEL = {level}; Level-2A is needed")
    found = [place for place in map(PurePosixPath, container.names) if place.name == "MTD_TL.xml"]
    tile_files = [place for place in found if place.parent.parent == root / "GRANULE"]
    if len(tile_files) != 1:
        raise InputError(
            f"{path}: holds {len(tile_files) or 'no'} GRANULE/*/MTD_TL.xml; one granule is due"
        )
    granule = _read_metadata(container, tile_files[0], checksums)
    product_id = metadata.first(".//PRODUCT_URI", ".//PRODUCT_URI_2A").removesuffix(".SAFE")
    told = granule.find(".//TILE_ID") or granule.find(".//TILE_ID_2A") or ""
    tile = _TILE.search(told) or _TILE.search(product_id)
    if tile is None:
        raise InputError(f"{granule.name}: TILE_ID names no tile (as T23LLF)")
    baseline, sun = metadata.text(".//PROCESSING_BASELINE"), ".//Mean_Sun_Angle"
    calibrations, notes = _calibrate(metadata, baseline)
    files, more_notes = _find_images(container, tile_files[0].parent, checksums)
    return Description(
        name=str(path),
        product_id=product_id,
        spacecraft=metadata.text(".//SPACECRAFT_NAME"),
        baseline=baseline,
        tile=tile[1],
        acquired=_moment(metadata),
        sun_elevation_deg=90.0
        - require_within(
            granule.number(f"{sun}/ZENITH_ANGLE"), (0.0, 90.0), granule.name, "ZENITH_ANGLE"
        ),
        sun_azimuth_deg=require_azimuth(
            granule.number(f"{sun}/AZIMUTH_ANGLE"), granule.name, "AZIMUTH_ANGLE"
        ),
        calibrations=calibrations,
        nodata=_special_value(metadata, "NODATA", NODATA),
        saturated=_special_value(metadata, "SATURATED", SATURATED),
        files=files,
        synthetic=any("gossan" in text.lower() for text in metadata.root.itertext()),
        notes=(*notes, *more_notes),
    )


def _open_safe(path: Path) -> tuple[Container, PurePosixPath]:
    """The files of a product, and the place of its top among them."""
    if path.is_dir():
        return Folder(path, _RULES, "**/*"), PurePosixPath()
    container = Zip(path, _RULES)
    roots = {PurePosixPath(name).parent for name in container.names if _RULES.is_metadata(name)}
    if len(roots) != 1:
        raise InputError(
            f"{path}: holds {len(roots) or 'no'} {METADATA_FILE}; a Sentinel-2 L2A .zip holds "
            "one product"
        )
    return container, roots.pop()


def _read_checksums(container: Container, root: PurePosixPath) -> dict[str, tuple[str, str]]:
    """File of a SAFE folder -> algorithm and digest that its manifest tells; {} without one.

    In a .zip the archive's own checksums tell of damage, and are compared as its files are found.
    """
    name = (root / MANIFEST_FILE).as_posix()
    if name not in container.names or not isinstance(container, Folder):
        return {}
    manifest = parse_xml(container.read_metadata(name), container.label(name))
    found = {}
    for entry in manifest.iter("byteStream"):
        place, told = entry.find("fileLocation"), entry.find("checksum")
        if place is None or told is None:
            continue
        algorithm = _ALGORITHMS.get(told.get("checksumName", "").upper())
        if algorithm and told.text:
            path = root / PurePosixPath(place.get("href", ""))
            found[path.as_posix()] = (algorithm, told.text.strip())
    return found


def _read_metadata(
    container: Container, place: PurePosixPath, checksums: Mapping[str, tuple[str, str]]
) -> XmlMetadata:
    name = place.as_posix()
    if name not in container.names:
        level1 = place.with_name(_LEVEL1_FILE).as_posix() in container.names
        found = "it is a Level-1C product; " if level1 else ""
        raise InputError(
            f"{container.path}: has no {name}; {found}name a Sentinel-2 Level-2A .SAFE or .zip"
        )
    if name in checksums:
        require_checksum(container.path / name, checksums[name])
    return XmlMetadata(container.read_metadata(name), container.label(name))


def _moment(metadata: XmlMetadata) -> datetime:
    text = metadata.text(".//PRODUCT_START_TIME")
    return read_moment(text, metadata.name, "PRODUCT_START_TIME")


def _calibrate(
    metadata: XmlMetadata, baseline: str
) -> tuple[dict[str, Calibration], tuple[str, ...]]:
    """Calibration of each band and a note, from the quantification value and the offsets."""
    key = "BOA_QUANTIFICATION_VALUE"
    quantification = metadata.as_number(key, metadata.first(f".//{key}", f".//L2A_{key}"))
    require_within(quantification, near(QUANTIFICATION), metadata.name, key)
    told = metadata.root.findall(".//BOA_ADD_OFFSET")
    since = metadata.as_number("PROCESSING_BASELINE", baseline)
    if not told:
        if OFFSET_SINCE <= since < OWN_RUNS_SINCE:
            raise InputError(
                f"{metadata.name}: BOA_ADD_OFFSET is missing, but baseline {baseline} has offsets; "
                "get the product's own metadata again"
            )
        return {band: Calibration(quantification, 0.0) for band in BAND_IDS}, ()
    offsets: dict[str | None, float] = {}
    for entry in told:
        band, offset = entry.get("band_id"), metadata.as_number("BOA_ADD_OFFSET", entry.text)
        require_within(offset, OFFSETS, metadata.name, "BOA_ADD_OFFSET")
        if offsets.setdefault(band, offset) != offset:
            raise InputError(
                f"{metadata.name}: tells two BOA_ADD_OFFSET of band_id {band}; get it again"
            )
    return {
        band: Calibration(quantification, offsets[str(number)])
        for number, band in enumerate(BAND_IDS)
        if str(number) in offsets
    }, (_offset_note(offsets.values()),)


def _offset_note(offsets: Sequence[float]) -> str:
    values = ", ".join(f"{value:g}" for value in sorted(set(offsets)))
    return f"offset added to the stored numbers: {values}"


def _special_value(metadata: XmlMetadata, name: str, default: int) -> int:
    """The number of pixels without data, or of saturated ones, which the format has fixed."""
    for entry in metadata.root.iter("Special_Values"):
        if (entry.findtext("SPECIAL_VALUE_TEXT") or "").strip().upper() == name:
            key = f"SPECIAL_VALUE_INDEX of {name}"
            told = metadata.as_number(key, entry.findtext("SPECIAL_VALUE_INDEX"))
            return int(require_within(told, (default, default), metadata.name, key))
    return default


def _find_images(
    container: Container, folder: PurePosixPath, checksums: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, RasterFile], tuple[str, ...]]:
    """The rasters of the one granule, those of native resolution before resampled copies."""
    found: dict[str, dict[int, str]] = {}
    for name in container.names:
        place = PurePosixPath(name)
        if not place.is_relative_to(folder):
            continue
        image = _IMAGE.match(place.name) if "IMG_DATA" in place.parts else None
        clouds = _CLOUDS.match(place.name) if "QI_DATA" in place.parts else None
        if image or clouds:
            band, pixel_m = (
                (image[1].upper(), int(image[2])) if image else ("QA60", NATIVE_M["QA60"])
            )
            if found.setdefault(band, {}).setdefault(pixel_m, name) != name and image:
                raise InputError(
                    f"{container.path}: holds two images of {band} at {pixel_m} m; keep one"
                )
    best = {band: best_pixel(band, copies) for band, copies in found.items()}
    names = {band: found[band][pixel_m] for band, pixel_m in best.items() if pixel_m is not None}
    paths = container.locate(list(names.values()))
    files = {
        band: RasterFile(
            paths[name],
            container.label(name),
            best[band],
            "JP2OpenJPEG",
            checksum=checksums.get(name),
        )
        for band, name in names.items()
    }
    return files, coarse_notes(files)


def best_pixel(band: str, pixels_m: Mapping[int, object]) -> int | None:
    """Of the pixels in which a band is had, its native one or else the next coarser one.

    None for bands that L2A does not have. A finer one than the native would be made up.
    """
    native = NATIVE_M.get(band)
    if native is None:
        return None
    return min((p for p in pixels_m if p >= native), default=min(pixels_m))


def coarse_notes(files: Mapping[str, RasterFile]) -> tuple[str, ...]:
    """A note where a band is had only in coarser pixels than its native ones."""
    coarse = [f"{b} ({f.pixel_m} m)" for b, f in files.items() if f.pixel_m > NATIVE_M[b]]
    return (f"only coarser copies are there of {', '.join(sorted(coarse))}",) if coarse else ()
