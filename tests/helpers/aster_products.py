"""Small ASTER L1T products, native HDF4 or one GeoTIFF per telescope, for any test."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from pyhdf.SD import SD, SDC

NAME = "AST_L1T_00307212002072145_20150101000000_12345"
# Version 004 has no number at the end.
BY_BAND_NAME = "AST_L1T_00407212002072145_20250101000000"
GROUPS = {
    "VNIR": ("1", "2", "3N"),
    "SWIR": ("4", "5", "6", "7", "8", "9"),
    "TIR": ("10", "11", "12", "13", "14"),
}
PIXEL_M = {"VNIR": 15, "SWIR": 30, "TIR": 90}
BANDS = GROUPS["VNIR"] + GROUPS["SWIR"]
FIRST_M = (600_000.0, 3_600_000.0)
# Columns and rows of the SWIR image; both one more than a multiple of 3, as the TIR needs it.
SIZE = (13, 10)


def telescope(band: str) -> str:
    return next(name for name, bands in GROUPS.items() if band in bands)


def size_of(name: str, size: tuple[int, int] = SIZE) -> tuple[int, int]:
    """Columns and rows of a telescope's image, whose corner pixels share their centres."""
    return tuple((n - 1) * 30 // PIXEL_M[name] + 1 for n in size)


def numbers(seed: int = 0, size: tuple[int, int] = SIZE, bands=BANDS) -> dict[str, np.ndarray]:
    """Random digital numbers from 1 to 254 of each band."""
    generator = np.random.default_rng(seed)
    return {
        band: generator.integers(1, 255, size_of(telescope(band), size)[::-1]).astype(
            "uint16" if telescope(band) == "TIR" else "uint8"
        )
        for band in bands
    }


def gain_setting(**changes: str) -> dict[str, str]:
    """NOR in all bands but for `b4="HGH"` and the like."""
    return dict.fromkeys(BANDS, "NOR") | {key[1:]: value for key, value in changes.items()}


def odl(name: str, objects: Mapping[str, str], extra: str = "") -> str:
    body = "".join(
        f"  OBJECT = {key}\n    NUM_VAL = 1\n    VALUE = {value}\n  END_OBJECT = {key}\n"
        for key, value in objects.items()
    )
    return f"\nGROUP = {name}\n  GROUPTYPE = MASTERGROUP\n{body}{extra}END_GROUP = {name}\nEND\n"


def gain_objects(gains: Mapping[str, str]) -> str:
    return "".join(
        f'OBJECT = GAIN\n  CLASS = "{n}"\n  NUM_VAL = 2\n  VALUE = ("{band:0>2}", "{gain}")\n'
        "END_OBJECT = GAIN\n"
        for n, (band, gain) in enumerate(gains.items(), start=1)
    )


def write_hdf(
    path: Path,
    images: Mapping[str, np.ndarray],
    *,
    gains: Mapping[str, str] | None = None,
    date: str = "20020721",
    zone: int = 39,
    first: tuple[float, float] = FIRST_M,
    size: tuple[int, int] = SIZE,
    origin: str = "real",
    **changes: str | None,
) -> Path:
    """Write an HDF4 product; `changes` replace values of metadata keys, None drops the key."""
    east, north = first
    core = {
        "LOCALGRANULEID": f'"{NAME}.hdf"',
        "CALENDARDATE": f'"{date}"',
        "TIMEOFDAY": '"072145123000Z"',
        "PGEVERSION": f'"{origin}"',
    }
    generic = {
        "UPPERLEFTM": f"({north}, {east})",
        # A value over two lines, as ODL writers make them of long ones.
        "LOWERRIGHTM": f"({north - 30 * (size[1] - 1)},\n {east + 30 * (size[0] - 1)})",
        "UTMZONENUMBER": str(zone),
    }
    aster = {"SOLARDIRECTION": "(122.5, 30.0)"}
    for part in (core, generic, aster):
        for key in list(part):
            if key in changes:
                part[key] = changes[key]
            if part[key] is None:
                del part[key]
    file = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    texts = {
        "coremetadata.0": odl("INVENTORYMETADATA", core),
        "productmetadata.0": odl(
            "ASTERGENERICMETADATA", aster, gain_objects(gains or gain_setting())
        ),
        "productmetadata.1": odl("PRODUCTGENERICMETADATA", generic),
    }
    for key, text in texts.items():
        file.attr(key).set(SDC.CHAR8, text)
    for band, image in images.items():
        kind = SDC.UINT16 if image.dtype == np.uint16 else SDC.UINT8
        dataset = file.create(f"ImageData{band}", kind, image.shape)
        dataset[:] = image
        dataset.endaccess()
    file.end()
    return path


def xml_text(
    gains: Mapping[str, str] | None = None, date: str = "2002-07-21", more: str = ""
) -> str:
    """The part of a granule's XML that readers need."""
    setting = ", ".join(f"{band:0>2} {gain}" for band, gain in (gains or gain_setting()).items())
    attributes = {
        "Solar_Azimuth_Angle": "122.5",
        "Solar_Elevation_Angle": "30.0",
        "UTMZoneNumber": "39",
        "ASTERGains": setting,
    }
    psas = "".join(
        f"<PSA><PSAName>{name}</PSAName><PSAValue>{value}</PSAValue></PSA>"
        for name, value in attributes.items()
        if value
    )
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>{more}<GranuleMetaDataFile><GranuleURMetaData>"
        f"<SingleDateTime><TimeofDay>07:21:45.123000</TimeofDay><CalendarDate>{date}</CalendarDate>"
        f"</SingleDateTime><PSAs>{psas}</PSAs></GranuleURMetaData></GranuleMetaDataFile>"
    )


def write_folder(
    folder: Path,
    images: Mapping[str, np.ndarray],
    *,
    xml: str | None = None,
    first: tuple[float, float] = FIRST_M,
    centres_as_edges: bool = False,
    by_band: bool = False,
) -> Path:
    """Write GeoTIFFs by telescope or by band and the XML; `aster_tiffs` tells of the two places."""
    folder.mkdir(parents=True)
    for name, bands in GROUPS.items():
        if bands[0] not in images:
            continue
        stack = np.stack([images[band] for band in bands])
        pixel, (_, height, width) = PIXEL_M[name], stack.shape
        transform = Affine(pixel, 0, first[0] - pixel / 2, 0, -pixel, first[1] + pixel / 2)
        if centres_as_edges:
            across, down = pixel * (width - 1) / width, pixel * (height - 1) / height
            transform = Affine(across, 0, first[0], 0, -down, first[1])
        files = {f"{NAME}.{name}.tif": bands}
        if by_band:
            files = {
                f"{BY_BAND_NAME}_{name}_B{band.rstrip('N'):0>2}{'N' * (band == '3N')}.tif": (band,)
                for band in bands
            }
        for file, here in files.items():
            with rasterio.open(
                folder / file,
                "w",
                driver="GTiff",
                count=len(here),
                height=height,
                width=width,
                dtype=stack.dtype,
                crs="EPSG:32639",
                transform=transform,
                nodata=0,
            ) as dataset:
                dataset.write(stack if len(here) > 1 else stack[[bands.index(here[0])]])
                if not by_band:
                    dataset.descriptions = [f"ImageData{b.rstrip('N')} {name}_Swath" for b in here]
    (folder / f"{NAME}.hdf.xml").write_text(xml or xml_text())
    return folder
