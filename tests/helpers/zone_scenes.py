"""A small scene with two zones: normalised cube, reflectance, sub-bands, polygons, references."""

from pathlib import Path

import geopandas
import numpy as np
import pywt
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, run_tool, write_raster
from shapely.geometry import box

BANDS = ("1", "2", "3N", "4", "5", "6", "7", "8", "9")
STUDY_BANDS = BANDS[3:]
CENTRES_UM = (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400)
FWHM_UM = (0.09, 0.06, 0.1, 0.092, 0.035, 0.04, 0.047, 0.07, 0.068)
ROWS, COLUMNS = 96, 112
# The published ranges.
RANGES = {
    "phyllic": ("--medium", 0.6, 0.7, "--high", 0.7, 1.0),
    "propylitic": ("--medium", 0.3, 0.5, "--high", 0.5, 0.65),
}
MAD = ("--n", 1.5, "--centre", "median", "--side", "high")
TRANSFORM = ("--level", 1, "--mode", "symmetric", "--transform", "dwt", "--gaps", "fill")
# Reflectance of bare rock, and of the ground of each zone, in the order of BANDS.
ROCK = np.array([0.15, 0.18, 0.20, 0.28, 0.28, 0.28, 0.28, 0.28, 0.28])
GROUND = {
    "phyllic": np.array([0.20, 0.24, 0.26, 0.36, 0.33, 0.27, 0.34, 0.33, 0.31]),
    "propylitic": np.array([0.10, 0.12, 0.14, 0.22, 0.22, 0.22, 0.21, 0.15, 0.19]),
}
# Rows and columns of each zone's rectangles.
ZONES = {
    "phyllic": [(10, 50, 8, 44), (60, 90, 70, 100)],
    "propylitic": [(8, 44, 60, 104), (58, 92, 6, 46)],
}


def zone_codes() -> np.ndarray:
    """0 elsewhere, 1 phyllic, 2 propylitic, (ROWS, COLUMNS)."""
    codes = np.zeros((ROWS, COLUMNS), np.uint8)
    for code, rectangles in enumerate(ZONES.values(), start=1):
        for top, bottom, left, right in rectangles:
            codes[top:bottom, left:right] = code
    return codes


def pixel_box(top: int, bottom: int, left: int, right: int):
    """The outline of a rectangle of pixels."""
    x, y = ORIGIN
    return box(x + left * PIXEL_M, y - bottom * PIXEL_M, x + right * PIXEL_M, y - top * PIXEL_M)


def write_zones(path: Path, crs: str = CRS, zones: dict | None = None, **columns) -> Path:
    """Write the polygons of the zones."""
    drawn = [
        (zone, pixel_box(*rectangle))
        for zone, rectangles in (ZONES if zones is None else zones).items()
        for rectangle in rectangles
    ]
    table = geopandas.GeoDataFrame(
        {"class": [zone for zone, _ in drawn], **columns},
        geometry=[shape for _, shape in drawn],
        crs=CRS,
    )
    table.to_crs(crs).to_file(path)
    return path


def name_bands(path: Path, names) -> Path:
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = tuple(names)
        for band, name in enumerate(names, start=1):
            if name in BANDS:
                place = BANDS.index(name)
                centre, fwhm = str(CENTRES_UM[place]), str(FWHM_UM[place])
                dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM=fwhm)
    return path


def make_zones(folder: Path, noise: float = 0.03, synthetic: bool = True) -> Path:
    """Write everything that the tools for zones read, and return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    codes = zone_codes()
    spectra = np.stack([ROCK, *GROUND.values()])
    light = 1 + 0.25 * generator.standard_normal((ROWS, COLUMNS))
    reflectance = spectra[codes].transpose(2, 0, 1) * np.clip(light, 0.4, 1.6)
    reflectance = reflectance * (1 + noise * generator.standard_normal(reflectance.shape))
    reflectance[:, :3, :4] = np.nan
    low = np.nanmin(reflectance, axis=(1, 2), keepdims=True)
    high = np.nanmax(reflectance, axis=(1, 2), keepdims=True)
    normalised = (reflectance - low) / (high - low)
    tags = {
        "SENSOR": "Terra ASTER",
        "SYNTHETIC": "yes" if synthetic else "no",
        "ACQUIRED": "2002-07-21T07:11:00Z",
        "PRODUCT_ID": "AST_L1T_TEST",
    }
    for name, values in (("cube", normalised[3:]), ("reflectance", reflectance)):
        stored = np.where(np.isfinite(values), np.rint(np.nan_to_num(values) * 1e4), -32768)
        path = folder / f"{name}.tif"
        write_raster(path, stored.astype("int16"), nodata=-32768, scale=1e-4, tags=tags)
        name_bands(path, STUDY_BANDS if name == "cube" else BANDS)
    write_subbands(folder / "subbands.tif", normalised[3:], tags)
    write_zones(folder / "zones.gpkg")
    lines = ["band,wavelength_um,fwhm_um,muscovite,chlorite"]
    for place, band in enumerate(BANDS):
        values = ",".join(f"{GROUND[zone][place]:.5f}" for zone in ("phyllic", "propylitic"))
        lines.append(f"{band},{CENTRES_UM[place]},{FWHM_UM[place]},{values}")
    (folder / "references.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_subbands(path: Path, bands: np.ndarray, tags: dict) -> None:
    """Write LL, LH, HL and HH of each band on its own grid, NaN where the band has none."""
    planes, names = [], []
    for name, band in zip(STUDY_BANDS, bands, strict=True):
        valid = np.isfinite(band)
        coefficients = pywt.dwt2(np.where(valid, band, 0.5), "haar")
        low, details = coefficients
        for kind, kept in zip(("LL", "LH", "HL", "HH"), np.eye(4), strict=True):
            parts = [part * keep for part, keep in zip((low, *details), kept, strict=True)]
            plane = pywt.idwt2((parts[0], tuple(parts[1:])), "haar")
            planes.append(np.where(valid, plane, np.nan))
            names.append(f"{name} {kind}")
    write_raster(path, np.array(planes, "float32"), nodata=np.nan, tags=tags)
    name_bands(path, names)


def map_zone(folder: Path, zone: str, *flags: object):
    """Run map_confidence for a zone of a folder of `make_zones`."""
    return run_tool(
        "map_confidence",
        *("--subbands", folder / "subbands.tif", "--zone", zone, *RANGES.get(zone, ())),
        *("--output", folder / "confidence" / f"{zone}.tif", "--threads", 1, *flags),
    )
