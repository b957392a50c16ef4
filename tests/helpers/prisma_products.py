"""Small PRISMA L2D products, for any test; written apart from the simulator's own writer."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

NAME = "PRS_L2D_STD_20240402102837_20240402102842_0001"
SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO"
FIELDS = f"{SWATH}/Data Fields"
# Rows and columns; centre of the first pixel (m) in zone 11 north.
SHAPE = (7, 9)
FIRST_M = (480_012.0, 4_160_031.0)
# Wavelengths (nm) as the file has them, falling, with zeros where a band is not used. Both
# detectors see 940 to 980 nm.
CENTRES = {
    "Vnir": (0.0, 980.0, 968.0, 955.0, 800.0, 600.0, 450.0),
    "Swir": (2450.0, 2200.0, 1600.0, 1100.0, 974.0, 962.0, 951.0, 940.0, 0.0, 0.0),
}


def widths(detector: str) -> np.ndarray:
    """Widths (nm) that tell the bands apart."""
    centre = np.array(CENTRES[detector])
    return np.where(centre > 0, 8 + centre / 500, 0)


def ramp() -> dict[str, np.ndarray]:
    """Numbers that rise with wavelength, as (rows, bands, columns) in the file's order.

    Hundreds and more are ten times the wavelength, the last two digits the pixel.
    """
    pixel = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    cubes = {}
    for detector, centres in CENTRES.items():
        centre = np.array(centres)
        numbers = (10 * centre)[None, :, None] + pixel[:, None, :]
        cubes[detector] = np.where(centre[None, :, None] > 0, numbers, 0).astype(np.uint16)
    return cubes


def attributes(shape: tuple[int, int] = SHAPE) -> dict[str, object]:
    east, north = FIRST_M
    found: dict[str, object] = {
        "Product_Name": np.bytes_(f"{NAME}.he5"),
        "Processing_Level": np.bytes_("2D"),
        "Processor_Name": np.bytes_("L2d Processor"),
        "Processor_Version": np.bytes_("2.10"),
        "Product_StartTime": np.bytes_("2024-04-02T10:28:37.932000"),
        "Sun_zenith_angle": np.float32(50.25),
        "Sun_azimuth_angle": np.float32(160.5),
        "Epsg_Code": np.uint32(32611),
        "Product_ULcorner_easting": east,
        "Product_ULcorner_northing": north,
        "Product_LRcorner_easting": east + 30 * (shape[1] - 1),
        "Product_LRcorner_northing": north - 30 * (shape[0] - 1),
        "L2ScaleVnirMin": np.float32(0),
        "L2ScaleVnirMax": np.float32(1),
        "L2ScaleSwirMin": np.float32(0),
        "L2ScaleSwirMax": np.float32(1),
    }
    for detector, centres in CENTRES.items():
        found[f"List_Cw_{detector}"] = np.array(centres, np.float32)
        found[f"List_Fwhm_{detector}"] = widths(detector).astype(np.float32)
        found[f"List_Cw_{detector}_Flags"] = (np.array(centres) > 0).astype(np.uint8)
    return found


def write_product(
    path: Path,
    cubes: Mapping[str, np.ndarray] | None = None,
    errors: Mapping[str, np.ndarray] | None = None,
    **changes: object,
) -> Path:
    """Write a product; `changes` replace attributes, None drops one."""
    cubes = ramp() if cubes is None else cubes
    values = attributes((len(cubes["Vnir"]), cubes["Vnir"].shape[2])) | changes
    with h5py.File(path, "w") as file:
        for key, value in values.items():
            if value is not None:
                file.attrs[key] = value
        fields = file.create_group(FIELDS)
        for detector, cube in cubes.items():
            wrong = np.zeros(cube.shape, np.uint8) if errors is None else errors[detector]
            fields[f"{detector.upper()}_Cube"] = cube
            fields[f"{detector.upper()}_PIXEL_L2_ERR_MATRIX"] = wrong
    return path
