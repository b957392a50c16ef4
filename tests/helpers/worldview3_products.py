"""Small WorldView-3 deliveries, for any test; written apart from the simulator's own writer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

VNIR = ("C", "B", "G", "Y", "R", "RE", "N", "N2")
SWIR = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8")
ORDER = "057473180010_01_P001"
CORNER_M = (480_000.0, 4_160_000.0)
# Upper left corners agree; 4 m pixels go three, 2 m pixels six into the SWIR's 12 m.
PIXEL_M = {"MUL": 4.0, "SWIR": 12.0, "PAN": 1.0}
SIZE = {"MUL": (24, 18), "SWIR": (8, 6), "PAN": (96, 72)}
LETTERS = {"MUL": "M2AS", "SWIR": "A2AS", "PAN": "P2AS"}
MEMBERS = {"MUL": VNIR, "SWIR": SWIR, "PAN": ("P",)}


def stem(image: str) -> str:
    return f"17JUL05183126-{LETTERS[image]}-{ORDER}"


def imd_text(
    bands: Sequence[str],
    factors: Mapping[str, float] | None = None,
    widths: Mapping[str, float] | None = None,
    **changes: str | None,
) -> str:
    """An IMD; `changes` replace values of keys, None drops one."""
    head = {
        "version": '"28.3"',
        "generationTime": "2017-08-01T05:42:11.000000Z",
        "productOrderId": f'"{ORDER}"',
        "imageDescriptor": '"ORStandard2A"',
        "bandId": '"Multi"',
        "panSharpenAlgorithm": '"None"',
        "productLevel": '"LV2A"',
        "radiometricLevel": '"Corrected"',
        "radiometricEnhancement": '"Off"',
        "bitsPerPixel": "16",
    }
    image = {
        "satId": '"WV03"',
        "TLCTime": "2017-07-05T18:31:26.287350Z",
        # As real files have them, over several lines.
        "TLCList": "(\n\t(0, 0.000000),\n\t(9000, 1.500000) )",
        "firstLineTime": "2017-07-05T18:31:26.287350Z",
        "meanSunAz": "135.2",
        "meanSunEl": "30.0",
        "cloudCover": "0.814",
    }
    groups = {
        f"BAND_{band}": {
            "ULLon": "-117.22000000",
            "absCalFactor": f"{(factors or {}).get(band, 0.01):.6e}",
            "effectiveBandwidth": f"{(widths or {}).get(band, 0.05):.6e}",
            "TDILevel": "10",
        }
        for band in bands
    }
    groups["IMAGE_1"] = image
    for part in (head, *groups.values()):
        for key in list(part):
            if key in changes:
                part[key] = changes[key]
            if part[key] is None:
                del part[key]
    lines = [f"{key} = {value};" for key, value in head.items()]
    for name, entries in groups.items():
        lines.append(f"BEGIN_GROUP = {name}")
        lines += [f"\t{key} = {value};" for key, value in entries.items()]
        lines.append(f"END_GROUP = {name}")
    return "\n".join([*lines, "END;", ""])


def numbers(image: str, seed: int = 0) -> np.ndarray:
    """Random numbers of all bands of an image, (bands, rows, columns) uint16."""
    generator = np.random.default_rng(seed)
    shape = (len(MEMBERS[image]), *SIZE[image][::-1])
    return generator.integers(100, 1900, shape).astype(np.uint16)


def write_tiff(
    path: Path,
    stored: np.ndarray,
    pixel: float,
    corner: tuple[float, float] = CORNER_M,
    crs: str | None = "EPSG:32611",
) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(stored),
        height=stored.shape[1],
        width=stored.shape[2],
        dtype=stored.dtype,
        crs=crs,
        transform=Affine(pixel, 0, corner[0], 0, -pixel, corner[1]),
    ) as dataset:
        dataset.write(stored)
    return path


def write_image(
    folder: Path,
    image: str,
    stored: np.ndarray | None = None,
    *,
    text: str | None = None,
    pixel: float | None = None,
    corner: tuple[float, float] = CORNER_M,
    crs: str | None = "EPSG:32611",
) -> Path:
    """Write one image's folder below `folder`; returns the path of its IMD."""
    place = folder / f"{ORDER}_{image}"
    place.mkdir(parents=True)
    stored = numbers(image) if stored is None else stored
    write_tiff(place / f"{stem(image)}.TIF", stored, pixel or PIXEL_M[image], corner, crs)
    imd = place / f"{stem(image)}.IMD"
    imd.write_text(imd_text(MEMBERS[image]) if text is None else text)
    return imd
