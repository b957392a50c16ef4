"""Where an EnMAP product keeps its files: a folder, a .zip or a .tar.

File names are those of the EnMAP Ground Segment's Level 1B, 1C and 2A product specification
(EN-PCV-ICD-2009), "ENMAP01-____L2A-DT…-SPECTRAL_IMAGE.TIF". Also known are names with a tile's
suffix or without the product's name, in small letters, and the cloud-optimised copies of DLR's
Geoservice ("…_COG.TIF"). Orders come as a .tar.gz of .zip files, one for each product.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from gossan.errors import InputError
from gossan.products.containers import Container, Folder, Rules, Tar, Zip
from gossan.products.xml_metadata import XML_MAX_BYTES

METADATA, IMAGE = "METADATA", "SPECTRAL_IMAGE"
CLASSES, CLOUD, CLOUD_SHADOW, CIRRUS, HAZE, SNOW, TESTFLAGS = QUALITY = (
    "QL_QUALITY_CLASSES",
    "QL_QUALITY_CLOUD",
    "QL_QUALITY_CLOUDSHADOW",
    "QL_QUALITY_CIRRUS",
    "QL_QUALITY_HAZE",
    "QL_QUALITY_SNOW",
    "QL_QUALITY_TESTFLAGS",
)
_NAME = re.compile(
    rf"(?:.*-)?(?:(?P<xml>{METADATA})\.XML|(?P<tif>{'|'.join((IMAGE, *QUALITY))})(_COG)?\.TIFF?)",
    re.IGNORECASE,
)

# Mission, level, datatake, its time, tile, processor's version, processing time; then a part's own.
_PRODUCT = re.compile(
    r"ENMAP\d\d-_{4}(?P<level>L\d\w)-DT(?P<datatake>\d{10})_(?P<time>\d{8}T\d{6})Z_\d{3}"
    r"_V(?P<version>\d{6})_\d{8}T\d{6}Z(-[\w-]+)?",
    re.IGNORECASE,
)
LEVEL = "L2A"


@dataclass(frozen=True)
class ProductName:
    """What the names of a product's files tell of it; `acquired` is the start of its datatake."""

    name: str
    datatake: int
    acquired: datetime
    version: str


def read_name(image: str) -> ProductName | None:
    """What the name of a SPECTRAL_IMAGE tells; None where it is not that of a Level-2A product."""
    file = PurePosixPath(image).name
    name = file[: file.upper().rindex(f"-{IMAGE}")] if f"-{IMAGE}" in file.upper() else ""
    match = _PRODUCT.fullmatch(name)
    if match is None or match["level"].upper() != LEVEL:
        return None
    try:
        moment = datetime.strptime(match["time"].upper(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    digits = match["version"]
    version = ".".join(digits[place : place + 2] for place in (0, 2, 4))
    return ProductName(name, int(match["datatake"]), moment, version)


def _layer(name: str) -> str | None:
    """Which layer of a product a file is (METADATA, SPECTRAL_IMAGE, …), by its name; or None."""
    file = PurePosixPath(name).name
    match = _NAME.fullmatch(file)
    return (match["xml"] or match["tif"]).upper() if match else None


_RULES = Rules(
    product="an EnMAP product",
    not_whole="is not a whole .zip, .tar or .tar.gz",
    is_metadata=lambda name: _layer(name) == METADATA,
    metadata_max_bytes=XML_MAX_BYTES,
)


def open_container(path: Path) -> Container:
    """The files of a product; InputError for no such path and for a damaged or unsafe archive."""
    if not path.exists():
        raise InputError(
            f"{path}: does not exist; name the folder, .zip or .tar of an EnMAP product"
        )
    if path.is_dir():
        # The product may lie in the one folder in it.
        return Folder(path, _RULES, "*", "*/*")
    return Zip(path, _RULES) if zipfile.is_zipfile(path) else Tar(path, _RULES)


def find_layers(container: Container) -> dict[str, str]:
    """Layer -> name of its file, for the one product in a container.

    METADATA may be absent where the name of SPECTRAL_IMAGE, which is there then, tells a Level-2A
    product. Raises InputError for neither of them, for several METADATA.XML, and for two files of
    one layer in the folder.
    """
    metadata = [name for name in container.names if _layer(name) == METADATA]
    if len(metadata) > 1:
        raise InputError(
            f"{container.path}: holds {len(metadata)} *-{METADATA}.XML; one product is due"
        )
    layers = {METADATA: metadata[0]} if metadata else {}
    folder = PurePosixPath((metadata or _named_images(container))[0]).parent
    # The plain file comes before its cloud-optimised copy.
    for name in sorted(container.names, key=lambda name: (_is_copy(name), name)):
        layer = _layer(name)
        if layer in (None, METADATA) or PurePosixPath(name).parent != folder:
            continue
        if layer not in layers:
            layers[layer] = name
        elif not _is_copy(name) or _is_copy(layers[layer]):
            raise InputError(f"{container.path}: holds two files *-{layer}.TIF; keep one of them")
    return layers


def _named_images(container: Container) -> list[str]:
    """The images of a product without METADATA.XML, all in one folder, whose names tell it."""
    images = [name for name in container.names if _layer(name) == IMAGE]
    if not images or not all(map(read_name, images)):
        raise InputError(f"{container.path}: {_explain_absence(container)}")
    if len({PurePosixPath(name).parent for name in images}) > 1:
        raise InputError(f"{container.path}: holds {len(images)} *-{IMAGE}.TIF; one product is due")
    return images


def _is_copy(name: str) -> bool:
    return PurePosixPath(name).stem.upper().endswith("_COG")


def _explain_absence(container: Container) -> str:
    if any(_layer(name) for name in container.names):
        return (
            f"has rasters of an EnMAP product but no *-{METADATA}.XML, which tells wavelengths "
            f"and scale, and no {IMAGE} of a native name of Level 2A; put the scene's own "
            f"{METADATA}.XML beside them"
        )
    if any(name.lower().endswith(".zip") for name in container.names):
        return (
            f"has no *-{METADATA}.XML but .zip files, as orders come; name one of these, unpacked"
        )
    return f"has no *-{METADATA}.XML; name the folder, .zip or .tar of an EnMAP L2A product"
