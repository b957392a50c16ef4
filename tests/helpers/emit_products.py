"""Small EMIT products in native layout, written without the twin, for any test that needs one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
from rasterio.crs import CRS

NAME = "EMIT_L2A_RFL_001_20240623T082158_2417506_019.nc"
MASK_NAME = "EMIT_L2A_MASK_001_20240623T082158_2417506_019.nc"
FLIGHT_LINE = "emit20240623t082158_o17506_s000"
LINES, SAMPLES = 3, 4
WAVELENGTHS_NM = (550.5, 1350.25, 1650.0, 2200.75, 2330.0)
FWHM_NM = (8.4, 8.5, 8.6, 8.7, 8.75)
GOOD = (1, 0, 1, 1, 1)
MASK_BANDS = (
    "Cloud flag",
    "Cirrus flag",
    "Water flag",
    "Spacecraft Flag",
    "Dilated Cloud Flag",
    "AOD550",
    "H2O (g cm-2)",
    "Aggregate Flag",
)
# West and north of the outer corner of the first pixel, and the side of a pixel (degrees).
WEST, NORTH, SIDE = 29.5, 37.75, 0.0005
# (sample, line) from 1 that each pixel of the grid shows; (0, 0): none.
LOOKUP = (
    ((0, 0), (1, 1), (2, 1), (0, 0), (0, 0)),
    ((1, 2), (2, 2), (3, 1), (4, 1), (0, 0)),
    ((1, 3), (2, 3), (3, 2), (4, 2), (4, 2)),
    ((0, 0), (3, 3), (4, 3), (0, 0), (0, 0)),
)

Change = Callable[[h5py.File], None]


def reflectance() -> np.ndarray:
    """(lines, samples, bands): line and sample from 1 as two digits, the band as a third, /1000."""
    line, sample, band = np.indices((LINES, SAMPLES, len(WAVELENGTHS_NM))) + 1
    return ((100 * line + 10 * sample + band) / 1000).astype(np.float32)


def replace(file: h5py.File, name: str, values: object) -> None:
    """Put other values, perhaps of another shape or kind, in place of a variable."""
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


def _root(file: h5py.File, title: str) -> None:
    file.attrs["title"] = np.bytes_(title)
    file.attrs["platform"] = np.bytes_("ISS")
    file.attrs["summary"] = np.array(["covers +/-52° latitude"], object)
    file.attrs["flight_line"] = np.bytes_(FLIGHT_LINE)
    file.attrs["time_coverage_start"] = np.bytes_("2024-06-23T08:21:58+0000")
    file.attrs["time_coverage_end"] = np.bytes_("2024-06-23T08:22:10+0000")
    file.attrs["product_version"] = np.bytes_("V001")
    file.attrs["spatial_ref"] = np.bytes_(CRS.from_epsg(4326).to_wkt(version="WKT1_GDAL"))
    file.attrs["geotransform"] = np.array([WEST, SIDE, -0.0, NORTH, -0.0, -SIDE])
    lookup = np.array(LOOKUP, np.int32)
    for axis, name in enumerate(("glt_x", "glt_y")):
        file[f"location/{name}"] = lookup[..., axis]
        file[f"location/{name}"].attrs["_FillValue"] = np.array([-9999], np.int32)


def write_product(folder: Path, change: Change | None = None, name: str = NAME) -> Path:
    """Write the reflectance file, changed by `change`, into a folder."""
    path = folder / name
    with h5py.File(path, "w") as file:
        _root(file, "EMIT L2A Estimated Surface Reflectance 60 m V001")
        file["reflectance"] = reflectance()
        file["reflectance"].attrs["_FillValue"] = np.array([-9999], np.float32)
        for key, values in (
            ("wavelengths", WAVELENGTHS_NM),
            ("fwhm", FWHM_NM),
            ("good_wavelengths", GOOD),
        ):
            file[f"sensor_band_parameters/{key}"] = np.array(values, np.float32)
        if change is not None:
            change(file)
    return path


MINERALS_NAME = "EMIT_L2B_MIN_001_20240623T082158_2417506_019.nc"
RECORDS = (
    (1, 1, "Plastic_Tarp GDS339 Green W1R1Fa"),
    (2, 1, "Hematite.02+Quartz.98 GDS76 W1R1Ha"),
    (3, 1, "Nanohematite BR93-34B2b W1R1Ba"),
    (4, 2, "Alunite GDS83 Na63 W1R1Ba"),
    (5, 2, "Kaolinite CM9 W1R1Ba"),
)


def write_minerals(
    folder: Path, first: np.ndarray, second: np.ndarray, change: Change | None = None
) -> Path:
    """Write a mineral product: numbers of records (lines, samples) of its two groups."""
    path = folder / MINERALS_NAME
    with h5py.File(path, "w") as file:
        _root(file, "EMIT L2B Estimated Mineral Identification and Band Depth 60 m V001")
        for group, numbers in enumerate((first, second), start=1):
            file[f"group_{group}_mineral_id"] = numbers.astype(np.int16)
            file[f"group_{group}_band_depth"] = np.ones(numbers.shape, np.float32)
        index, group, name = zip(*RECORDS, strict=True)
        file["mineral_metadata/index"] = np.array(index, np.uint32)
        file["mineral_metadata/group"] = np.array(group, np.uint32)
        file["mineral_metadata/name"] = np.array(name, "S")
        if change is not None:
            change(file)
    return path


def write_mask(
    folder: Path,
    layers: np.ndarray,
    labels: Sequence[str] = MASK_BANDS,
    change: Change | None = None,
    name: str = MASK_NAME,
) -> Path:
    """Write a mask file of layers (lines, samples, labels), changed by `change`, into a folder."""
    path = folder / name
    with h5py.File(path, "w") as file:
        _root(file, "EMIT L2A Masks 60 m V001")
        file["mask"] = layers.astype(np.float32)
        file["mask"].attrs["_FillValue"] = np.array([-9999], np.float32)
        file["sensor_band_parameters/mask_bands"] = np.array(labels, object)
        if change is not None:
            change(file)
    return path
