"""ASTER Level 1T products (AST_L1T): calibration, the 30 m grid and flags.

Formulas and tables are those of the ASTER Users Handbook, version 2 (Abrams, Hook and Ramachandran,
JPL 2002), and of the LP DAAC's own conversion script (ASTERL1T_DN2REF): number 0 is fill, 1 zero
radiance, and radiance = (number - 1) * unit conversion coefficient. `aster_files` reads the native
file, `aster_tiffs` GeoTIFFs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, date
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.paths import list_files
from gossan.products.aster_files import (
    PIXEL_M,
    TELESCOPE_OF,
    TELESCOPES,
    HdfFile,
    centred,
)
from gossan.products.aster_tiffs import TiffFolder
from gossan.products.plausible import (
    names_its_product,
    require_azimuth,
    require_moment,
    require_place,
)
from gossan.products.product import FLAGS, Product
from gossan.raster import BandTable, Grid

SENSOR = "Terra ASTER"
BANDS = TELESCOPES["VNIR"] + TELESCOPES["SWIR"]

# Light of band 4 is scattered on to the other detectors of the SWIR, most of all to bands 5 and 9,
# its neighbours (Tonooka and Iwasaki 2004, Proc. SPIE 5234, 168-179; Iwasaki and Tonooka 2005, IEEE
# Transactions on Geoscience and Remote Sensing 43, 2747-2751). The published correction convolves
# images by detector, before they are resampled, with kernels that are not at hand.
CROSSTALK_BANDS = ("5", "9")
CROSSTALK_NOTE = (
    "bands {}: hold light that leaks from band 4 (crosstalk), which L1T leaves in and is not taken "
    "off here; the product AST_07XT is without, read it as rasters where 2.17 or 2.40 µm decide"
)

# Centroid and full width at half maximum (µm) of the published relative spectral responses.
CENTRE_UM = {
    **{"1": 0.556, "2": 0.66103, "3N": 0.80685},
    **{"4": 1.65587, "5": 2.16697, "6": 2.20775, "7": 2.26557, "8": 2.3346, "9": 2.39787},
}
FWHM_UM = {
    **{"1": 0.08, "2": 0.06302, "3N": 0.10561},
    **{"4": 0.09319, "5": 0.03682, "6": 0.04031, "7": 0.04794, "8": 0.07071, "9": 0.06722},
}

# Unit conversion coefficients (W m-2 sr-1 µm-1 per number) at each gain: Abrams et al. 2002, the
# same in the LP DAAC's script. The TIR has one gain.
_TIR_COEFFICIENTS = (0.006822, 0.006780, 0.006590, 0.005693, 0.005225)
COEFFICIENTS: dict[str, dict[str, float]] = {
    "1": {"HGH": 0.676, "NOR": 1.688, "LO1": 2.25},
    "2": {"HGH": 0.708, "NOR": 1.415, "LO1": 1.89},
    "3N": {"HGH": 0.423, "NOR": 0.862, "LO1": 1.15},
    "4": {"HGH": 0.1087, "NOR": 0.2174, "LO1": 0.2900, "LO2": 0.2900},
    "5": {"HGH": 0.0348, "NOR": 0.0696, "LO1": 0.0925, "LO2": 0.4090},
    "6": {"HGH": 0.0313, "NOR": 0.0625, "LO1": 0.0830, "LO2": 0.3900},
    "7": {"HGH": 0.0299, "NOR": 0.0597, "LO1": 0.0795, "LO2": 0.3320},
    "8": {"HGH": 0.0209, "NOR": 0.0417, "LO1": 0.0556, "LO2": 0.2450},
    "9": {"HGH": 0.0159, "NOR": 0.0318, "LO1": 0.0424, "LO2": 0.2650},
    **{
        band: {"NOR": value}
        for band, value in zip(TELESCOPES["TIR"], _TIR_COEFFICIENTS, strict=True)
    },
}
# Solar irradiance over the atmosphere (W m-2 µm-1) at one astronomical unit: Thome et al. 2001
# (with MODTRAN's solar spectrum), as in the LP DAAC's script.
IRRADIANCE = {
    **{"1": 1848.0, "2": 1549.0, "3N": 1114.0},
    **{"4": 225.4, "5": 86.63, "6": 81.85, "7": 74.85, "8": 66.49, "9": 59.85},
}

FILL = 0
SATURATED = 255
# The SWIR detectors warmed on 23 April 2008 and have been saturated since (ASTER SWIR User
# Advisory, LP DAAC, 18 July 2008).
SWIR_DEAD_SINCE = date(2008, 4, 23)

_TOLD_FLAGS = ("fill", "saturation")

_LEAST_COVER = 0.5


def sun_distance_au(day: date) -> float:
    """Distance from earth to sun in astronomical units (after Achard and D'Souza 1994).

    1 - 0.01672 cos(0.9856° (day of the year - 4)), as in the LP DAAC's script.
    """
    angle = math.radians(0.9856 * (day.timetuple().tm_yday - 4))
    return 1.0 - 0.01672 * math.cos(angle)


def reflectance_gain(band: str, gain: str, day: date, sun_elevation_deg: float) -> float:
    """Reflectance at the top of the atmosphere for one number above zero radiance.

    π UCC d² / (E0 sin(sun elevation)) for one of BANDS at gain HGH, NOR, LO1 or LO2.
    """
    irradiance = IRRADIANCE[band] * math.sin(math.radians(sun_elevation_deg))
    return math.pi * COEFFICIENTS[band][gain] * sun_distance_au(day) ** 2 / irradiance


class AsterProduct(Product):
    """One AST_L1T product on the 30 m grid of its SWIR, read by windows from any thread.

    Attributes: as `product.Product` says, and `sun_azimuth_deg` (None if not told),
    `gains` (band -> HGH, NOR, LO1, LO2) and `grids` (telescope -> its native grid). `sensor` is
    "Terra ASTER", `level` "L1T", `collection` the version in the product's name ("003").
    `acquired` is ISO 8601 in UTC. Bands 1, 2 and 3N of 15 m are averaged by area to the grid.
    """

    spacecraft = "TERRA"
    sensor = SENSOR
    scaled_by = "GAIN, the date and the sun's elevation in the metadata"
    level = "L1T"
    surface_reflectance = False
    absent_flags = tuple(flag for flag in FLAGS if flag not in _TOLD_FLAGS)

    def __init__(self, container: HdfFile | TiffFolder, bands: Sequence[str] = BANDS):
        """Check that all of `bands` can be had; raises InputError as `open_product` says."""
        metadata = container.metadata
        self._container = container
        self.product_id = metadata.product_id
        version = re.match(r"AST_L1T_(\d{3})", metadata.product_id)
        self.collection = version[1] if version else ""
        require_moment(metadata.acquired.replace(tzinfo=UTC), metadata.name, "its date", "ASTER")
        if metadata.sun_azimuth_deg is not None:
            require_azimuth(metadata.sun_azimuth_deg, metadata.name, "the sun's azimuth")
        for grid in container.grids.values():
            require_place(grid, metadata.name)
        self.acquired = metadata.acquired.isoformat(timespec="microseconds") + "Z"
        self.sun_elevation_deg = metadata.sun_elevation_deg
        self.sun_azimuth_deg = metadata.sun_azimuth_deg
        self.synthetic = metadata.synthetic
        self.grids = container.grids
        self._require_bands(bands)
        if self.sun_elevation_deg > 90:
            raise InputError(
                f"{metadata.name}: the sun's elevation of {self.sun_elevation_deg:g} degrees is no "
                "elevation; get the metadata again"
            )
        self.gains = {band: self._gain(band) for band in bands}
        day = metadata.acquired.date()
        self._factors = {
            band: reflectance_gain(band, gain, day, self.sun_elevation_deg)
            for band, gain in self.gains.items()
        }
        self.bands = BandTable(
            tuple(bands),
            tuple(CENTRE_UM[band] for band in bands),
            tuple(FWHM_UM[band] for band in bands),
        )
        self.grid = self.grids.get("SWIR") or _grid_over(self.grids["VNIR"])
        averaged = [band for band in bands if TELESCOPE_OF[band] == "VNIR"]
        self.notes = container.notes
        if averaged:
            self.notes += (f"bands {', '.join(averaged)}: 15 m pixels averaged by area to 30 m",)
        leaked = [band for band in bands if band in CROSSTALK_BANDS]
        if leaked and not self.synthetic:
            self.notes += (CROSSTALK_NOTE.format(" and ".join(leaked)),)

    def _require_bands(self, bands: Sequence[str]) -> None:
        name = self._container.metadata.name
        unknown = [band for band in bands if band not in BANDS]
        if unknown or not bands:
            raise InputError(
                f"{name}: no reflectance of band {', '.join(unknown) or '(none named)'}; choose "
                f"from {', '.join(BANDS)} (10-14 are thermal: radiance only)"
            )
        metadata = self._container.metadata
        if metadata.night or metadata.sun_elevation_deg <= 0:
            raise InputError(
                f"{name}: is a night granule (the sun's elevation is "
                f"{metadata.sun_elevation_deg:g} degrees): only thermal bands are taken then, and "
                "reflectance needs daylight; choose a scene of the day"
            )
        swir = [band for band in bands if TELESCOPE_OF[band] == "SWIR"]
        if swir and metadata.acquired.date() >= SWIR_DEAD_SINCE:
            raise InputError(
                f"{name}: acquired {self.acquired[:10]}, but the SWIR bands are saturated since "
                f"{SWIR_DEAD_SINCE:%d %B %Y}; choose an earlier scene or leave out bands "
                f"{', '.join(swir)}"
            )
        missing = [band for band in bands if band not in self._container.bands]
        if missing and not set(self._container.bands) & set(BANDS):
            raise InputError(
                f"{name}: holds thermal bands only, as the granules of night do; choose a scene "
                "with VNIR and SWIR"
            )
        if missing:
            raise InputError(
                f"{name}: has no data of band {', '.join(missing)} "
                f"(ImageData{', ImageData'.join(missing)}); the telescope was off, or the file is "
                "incomplete: choose another scene or leave these bands out"
            )

    def _gain(self, band: str) -> str:
        metadata = self._container.metadata
        gain = metadata.gains.get(band)
        if gain is None:
            raise InputError(
                f"{metadata.name}: tells no gain of band {band} (GAIN); without it numbers are no "
                "radiance: get the native .hdf file"
            )
        if gain == "OFF":
            raise InputError(
                f"{metadata.name}: tells that band {band} was off (GAIN OFF), as in granules of "
                "the night or of thermal bands only; choose another scene, or leave the band out"
            )
        # "LOW" is the VNIR's one low gain.
        known = "LO1" if gain == "LOW" and TELESCOPE_OF[band] == "VNIR" else gain
        if known not in COEFFICIENTS[band]:
            raise InputError(
                f"{metadata.name}: gain {gain} of band {band} is unknown; "
                f"known are {', '.join(COEFFICIENTS[band])}"
            )
        return known

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Reflectance of a window, (bands, rows, columns) float32, NaN where there is no data.

        π L d² / (E0 sin(sun elevation)) at the top of the atmosphere, L = (number - 1) UCC. No
        data: number 0, for the averaged bands where less than half of a pixel is seen. Saturated
        numbers are data: the flag tells them. Raises InputError for damaged files.
        """
        blocks = []
        for band in self.bands.names:
            stored = self._on_grid(band, window, _mean_number)
            blocks.append((stored - np.float32(1)) * np.float32(self._factors[band]))
        return np.stack(blocks)

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        `fill`: no band has data. `saturation`: any of the bands is saturated (number 255), in an
        averaged band any of its pixels. The others (`absent_flags`) are never set: L1T has no
        cloud mask. Raises InputError for an unknown flag.
        """
        self.require_flags(flags)
        layers = np.zeros((len(flags), window.height, window.width), dtype=bool)
        for layer, flag in zip(layers, flags, strict=True):
            if flag == "fill":
                layer[:] = True
                for band in self.bands.names:
                    layer &= np.isnan(self._on_grid(band, window, _mean_number))
                    if not layer.any():
                        break
            elif flag == "saturation":
                layer[:] = np.any(
                    [self._on_grid(b, window, _any_saturated) for b in self.bands.names], axis=0
                )
        return layers

    def _on_grid(
        self, band: str, window: Window, combine: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """`combine` of the stored pixels (parts, rows, columns) under each pixel of the grid.

        Its second argument is the share of each part's area, (parts,).
        """
        source = self.grids[TELESCOPE_OF[band]]
        pixel = source.transform.a
        first_row, row_shares = _shares(source.transform.f - self.grid.transform.f, pixel)
        first_column, column_shares = _shares(self.grid.transform.c - source.transform.c, pixel)
        step = round(self.grid.transform.a / pixel)
        stored = self._read_padded(
            band,
            source,
            window.row_off * step + first_row,
            window.col_off * step + first_column,
            (window.height - 1) * step + len(row_shares),
            (window.width - 1) * step + len(column_shares),
        )
        height, width = (window.height - 1) * step + 1, (window.width - 1) * step + 1
        parts = [
            stored[row : row + height : step, column : column + width : step]
            for row in range(len(row_shares))
            for column in range(len(column_shares))
        ]
        return combine(np.stack(parts), np.outer(row_shares, column_shares).ravel())

    def _read_padded(
        self, band: str, source: Grid, row: int, column: int, height: int, width: int
    ) -> np.ndarray:
        """A window that may reach over the edge of the band; fill beyond."""
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + height, source.height), min(column + width, source.width)
        block = np.full((height, width), FILL, np.uint16)
        if top < bottom and left < right:
            block[top - row : bottom - row, left - column : right - column] = self._container.read(
                band, Window(left, top, right - left, bottom - top)
            )
        return block

    def close(self) -> None:
        """Close the product's files."""
        self._container.close()


def _shares(distance_m: float, pixel_m: float) -> tuple[int, np.ndarray]:
    """First source pixel under grid pixel 0 along an axis, and the share of each one under it.

    distance_m: from the source's edge to the grid's edge, along the axis.
    """
    step = PIXEL_M["SWIR"] / pixel_m
    place = round(distance_m / pixel_m, 6)
    first, last = math.floor(place), math.ceil(place + step)
    edges = np.clip(np.arange(first, last + 1), place, place + step)
    return first, np.diff(edges) / step


def _grid_over(vnir: Grid) -> Grid:
    """The 30 m grid that a SWIR image beside this VNIR image would have."""
    x, y = vnir.place(0.5, 0.5)
    pixel = PIXEL_M["SWIR"]
    return Grid(vnir.crs, centred((x, y), pixel), (vnir.width + 1) // 2, (vnir.height + 1) // 2)


def _mean_number(parts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Area-weighted mean of the parts that have data; NaN where less than half is seen."""
    total = np.zeros(parts.shape[1:], np.float32)
    seen = np.zeros(parts.shape[1:], np.float32)
    for part, share in zip(parts, shares.astype(np.float32), strict=True):
        total += share * part
        seen += share * (part != FILL)
    enough = seen >= _LEAST_COVER
    return np.where(enough, total / np.where(enough, seen, 1), np.float32(np.nan))


def _any_saturated(parts: np.ndarray, _: np.ndarray) -> np.ndarray:
    return (parts == SATURATED).any(axis=0)


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] = BANDS) -> AsterProduct:
    """Open an AST_L1T product: its .hdf file, or a folder with that or with GeoTIFFs and XML.

    bands: those to read as reflectance, of 1, 2, 3N and 4-9, in their order.

    Raises InputError, naming file or key, for: no such file or product; a product of another kind
    or of night; a file that is not HDF4, is cut short or refers to another file; XML with
    entities; missing or contradictory metadata; an unknown gain; bands that are missing, or SWIR
    bands of a scene acquired since 23 April 2008.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: does not exist; name an AST_L1T .hdf file or product folder")
    if path.is_dir():
        found = [
            entry
            for entry in list_files(path)
            if entry.suffix.lower() == ".hdf" and not entry.stem.upper().endswith("_BR")
        ]
        if len(found) > 1:
            raise InputError(f"{path}: holds {len(found)} .hdf files; name the one to read")
        path = found[0] if found else path
    container = TiffFolder(path) if path.is_dir() else HdfFile(path)
    with ExitStack() as cleanup:
        cleanup.callback(container.close)
        product = AsterProduct(container, bands)
        cleanup.pop_all()
    return product
