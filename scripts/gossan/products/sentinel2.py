"""Sentinel-2 Level-2A dates: reflectance, flags, and 10, 20 and 60 m bands on one grid.

Reflectance = (number + BOA_ADD_OFFSET) / BOA_QUANTIFICATION_VALUE, both from the metadata, number
0 is no data and 65535 saturated (Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD
issue 14.9). The scene classification (SCL) is that of Sen2Cor's Algorithm Theoretical Basis
Document (S2-PDGS-MPC-ATBD-L2A). `sentinel2_files` reads .SAFE folders and .zip files,
`sentinel2_stac` STAC items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.paths import is_companion
from gossan.products.plausible import names_its_product, require_moment, require_place
from gossan.products.product import Product
from gossan.products.raster_files import RasterFile, Rasters
from gossan.products.sentinel2_files import Description, describe_safe, is_foreign, is_safe
from gossan.products.sentinel2_tiles import join_dates
from gossan.raster import BandTable, Grid

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
RESOLUTIONS_M = (10, 20, 60)

SPACECRAFT = ("Sentinel-2A", "Sentinel-2B", "Sentinel-2C")
# Centroid and full width at half maximum (nm) of ESA's spectral response functions (COPE-GSEG-
# EOPG-TN-15-0007, version 4.0), a pair per spacecraft.
_RESPONSES_NM = {
    "B01": ((442.69, 19.69), (442.25, 20.16), (444.22, 20.32)),
    "B02": ((492.73, 64.26), (492.35, 64.91), (489.03, 65.29)),
    "B03": ((559.85, 34.8), (558.95, 35.14), (560.63, 35.43)),
    "B04": ((664.62, 30.61), (664.95, 30.34), (666.53, 30.43)),
    "B05": ((704.12, 13.98), (703.83, 14.15), (707.07, 15.27)),
    "B06": ((740.48, 13.64), (739.13, 13.62), (741.07, 15.28)),
    "B07": ((782.75, 19.02), (779.71, 19.8), (784.66, 20.27)),
    "B08": ((832.77, 104.78), (832.95, 104.86), (834.61, 95.77)),
    "B8A": ((864.7, 20.48), (863.97, 20.74), (865.57, 20.01)),
    "B09": ((945.05, 19.45), (943.17, 19.52), (947.2, 20.05)),
    "B11": ((1613.68, 89.66), (1610.41, 93.52), (1612.0, 90.3)),
    "B12": ((2202.37, 173.57), (2185.71, 183.43), (2191.27, 183.16)),
}
ALL_BANDS = tuple(_RESPONSES_NM)

FLAGS = (*Product.flags, "qa60_cloud", "qa60_cirrus")
# Flag -> classes of the SCL. Saturation is "saturated or defective", cloud of medium and of high
# probability.
SCL_CLASSES = {
    "fill": (0,),
    "saturation": (1,),
    "cloud_shadow": (3,),
    "water": (6,),
    "cloud": (8, 9),
    "cirrus": (10,),
    "snow": (11,),
}
# Flag -> bit of a QA60 band, and band of MSK_CLASSI, which tells the same since baseline 04.00.
QA60_BITS = {"qa60_cloud": 10, "qa60_cirrus": 11}
QA60_BANDS = {"qa60_cloud": 0, "qa60_cirrus": 1}

_LEAST_COVER = 0.5
_OPENED_AT_ONCE = 8


def band_table(spacecraft: str, bands: Sequence[str], name: str) -> BandTable:
    """Centre and width of bands of one SPACECRAFT; InputError, naming `name`, for another one."""
    if spacecraft not in SPACECRAFT:
        raise InputError(
            f"{name}: spacecraft {spacecraft or '(none)'} is unknown; use a product of "
            f"{', '.join(SPACECRAFT)}"
        )
    place = SPACECRAFT.index(spacecraft)
    pairs = [_RESPONSES_NM[band][place] for band in bands]
    centres, widths = zip(*pairs, strict=True)
    return BandTable(tuple(bands), _micrometres(centres), _micrometres(widths))


def _micrometres(values_nm: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(value / 1000, 5) for value in values_nm)


class Sentinel2Product(Product):
    """One Level-2A date of one tile, on a grid of 10, 20 or 60 m, read by windows in any thread.

    Attributes: as `product.Product` says, and `name` (of its file or item, for messages), `tile`
    ("23LLF"), `sun_azimuth_deg` (None if not told) and `calibrations` (band -> its quantification
    and offset). `sensor` is "Sentinel-2A MSI", `level` "L2A", `collection` the processing baseline
    ("05.09"); `acquired` is the start of the datatake (of the tile, for a STAC item), ISO 8601 in
    UTC.

    Bands of finer pixels than the grid's are averaged by area, those of coarser ones repeated
    (the nearest pixel), so that no number is made up; `notes` say which.
    """

    level = "L2A"
    surface_reflectance = True
    flags = FLAGS
    scaled_by = "quantification (scale) and offset in the metadata"
    absent_flags = ("dilated_cloud",)

    def __init__(
        self,
        description: Description,
        bands: Sequence[str] = BANDS,
        resolution_m: int = 10,
        rasters: Rasters | None = None,
    ):
        """Check all files that are needed; raises InputError as `open_product` says.

        `rasters` are shared with other dates, so that many may be open at once.
        """
        self.name = description.name
        self.product_id = description.product_id
        self.spacecraft = description.spacecraft
        self.sensor = f"{description.spacecraft} MSI"
        self.collection = description.baseline
        self.tile = description.tile
        require_moment(description.acquired, self.name, "its time", "Sentinel-2")
        self.acquired = (
            description.acquired.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        )
        self.sun_elevation_deg = description.sun_elevation_deg
        self.sun_azimuth_deg = description.sun_azimuth_deg
        self.synthetic = description.synthetic
        self._nodata, self._saturated = description.nodata, description.saturated
        self._rasters = rasters or Rasters()
        if resolution_m not in RESOLUTIONS_M:
            raise InputError(
                f"resolution_m: {resolution_m} is none of {', '.join(map(str, RESOLUTIONS_M))}"
            )
        self._files = self._require_files(description, bands)
        self.calibrations = {band: description.calibrations[band] for band in bands}
        self.offset = min(c.offset / c.quantification for c in self.calibrations.values())
        self.bands = band_table(self.spacecraft, bands, self.name)
        try:
            self.grid = self._common_grid(resolution_m)
        except InputError:
            self.close()
            raise
        untold = () if "SCL" in self._files else ("no SCL: no flag but fill is told",)
        self.notes = (*description.notes, *untold, *self._resampling_notes(resolution_m))

    def _require_files(
        self, description: Description, bands: Sequence[str]
    ) -> dict[str, RasterFile]:
        unknown = [band for band in bands if band not in ALL_BANDS]
        if unknown or not bands:
            raise InputError(
                f"{self.name}: no reflectance of band {', '.join(unknown) or '(none named)'}; "
                f"choose from {', '.join(ALL_BANDS)}"
            )
        missing = [band for band in bands if band not in description.files]
        if missing:
            raise InputError(
                f"{self.name}: has no image of band {', '.join(missing)}; get the whole product "
                "or leave these bands out"
            )
        untold = [band for band in bands if band not in description.calibrations]
        if untold:
            raise InputError(
                f"{self.name}: the metadata tell no BOA_ADD_OFFSET of band {', '.join(untold)}; "
                "get the product again"
            )
        needed = [name for name in ("SCL", *bands, "QA60") if name in description.files]
        first: dict[str, str] = {}
        for name in needed:
            other = first.setdefault(description.files[name].path, name)
            if other != name:
                raise InputError(
                    f"{self.name}: names {description.files[name].label} for {other} and for "
                    f"{name}; get the product's own metadata again"
                )
        return {name: description.files[name] for name in needed}

    def _common_grid(self, resolution_m: int) -> Grid:
        """The grid of `resolution_m` that all files cover, each in whole pixels of its own."""
        grid, first = None, ""
        for name, file in self._files.items():
            found, count = self._rasters.describe(file)
            if name == "QA60":
                if count not in (1, 3):
                    raise InputError(
                        f"{file.label}: holds {count} bands; a QA60 file holds one, MSK_CLASSI 3"
                    )
            elif count != 1:
                raise InputError(f"{file.label}: holds {count} bands; one is due")
            width, height = found.width * file.pixel_m, found.height * file.pixel_m
            if width % resolution_m or height % resolution_m:
                raise InputError(
                    f"{file.label}: {width} x {height} m are no whole number of {resolution_m} m "
                    "pixels; get the whole tile, or choose a finer resolution_m"
                )
            scale = resolution_m / file.pixel_m
            placed = Grid(
                found.crs,
                found.transform @ Affine.scale(scale),
                width // resolution_m,
                height // resolution_m,
            )
            if grid is None:
                grid, first = placed, file.label
            grid.require_same(placed, f"{file.label} (against {first})")
        return require_place(grid, first)

    def _resampling_notes(self, resolution_m: int) -> tuple[str, ...]:
        finer = [b for b in self.bands.names if self._files[b].pixel_m < resolution_m]
        coarser = [b for b in self.bands.names if self._files[b].pixel_m > resolution_m]
        notes = []
        if finer:
            notes.append(f"bands {', '.join(finer)}: averaged by area to {resolution_m} m")
        if coarser:
            notes.append(f"bands {', '.join(coarser)}: pixels repeated to {resolution_m} m")
        return tuple(notes)

    def read_reflectance(self, window: Window) -> np.ndarray:
        """Surface reflectance of a window, (bands, rows, columns) float32, NaN for no data.

        (number + offset) / quantification, which may lie a little below 0 over dark ground. No
        data: the numbers of the metadata's special values, NODATA (0) and SATURATED (65535), and
        in averaged bands where less than half of a pixel has data. Raises InputError for damaged
        files, and for those on a server that cannot be had after some attempts.
        """
        blocks = np.empty((len(self.bands.names), window.height, window.width), np.float32)
        for block, band in zip(blocks, self.bands.names, strict=True):
            block[:] = self.read_band(band, window)
        return blocks

    def read_band(self, band: str, window: Window) -> np.ndarray:
        """One band of `read_reflectance`, (rows, columns), for who holds many dates at once."""
        calibration = self.calibrations[band]
        block = self._on_grid(band, window, self._mean_number)[0]
        # The sum of whole numbers is exact, so that files and STAC items agree to the bit.
        block += np.float32(calibration.offset)
        block /= np.float32(calibration.quantification)
        return block

    def _mean_number(self, parts: np.ndarray) -> np.ndarray:
        """Mean over axes 2 and 4 of the numbers with data; NaN where less than half are."""
        seen = (parts != self._nodata) & (parts != self._saturated)
        below = parts.shape[2] * parts.shape[4]
        if below == 1:
            numbers = parts[:, :, 0, :, 0].astype(np.float32)
            np.copyto(numbers, np.nan, where=~seen[:, :, 0, :, 0])
            return numbers
        count = seen.sum(axis=(2, 4), dtype=np.float32)
        total = np.where(seen, parts, 0).sum(axis=(2, 4), dtype=np.float32)
        enough = count >= _LEAST_COVER * below
        return np.where(enough, total / np.where(enough, count, 1), np.float32(np.nan))

    def read_flags(self, window: Window, flags: Sequence[str]) -> np.ndarray:
        """Quality flags of a window, (flags, rows, columns) bool, in the order asked for.

        By the classes of the SCL (20 m, see SCL_CLASSES); `qa60_cloud` and `qa60_cirrus` by the
        Level-1C cloud mask (60 m), a QA60 band or MSK_CLASSI. On a finer grid pixels are repeated;
        on a coarser one a flag is set where any pixel below has it, but `fill` where all have.
        Without SCL `fill` is where the first band has no data. `dilated_cloud` is never set. Raises
        InputError for an unknown flag, and for one whose file the product does not have.
        """
        self.require_flags(flags)
        layers = np.zeros((len(flags), window.height, window.width), dtype=bool)
        by_scl = [flag for flag in flags if flag in SCL_CLASSES and "SCL" in self._files]
        if by_scl:
            found = self._on_grid("SCL", window, partial(_scl_flags, by_scl))
            for layer, flag in zip(layers, flags, strict=True):
                if flag in by_scl:
                    layer[:] = found[by_scl.index(flag)]
        elif "fill" in flags:
            layers[list(flags).index("fill")] = np.isnan(
                self.read_band(self.bands.names[0], window)
            )
        by_qa60 = [flag for flag in flags if flag in QA60_BITS]
        if by_qa60:
            found = self._on_grid("QA60", window, partial(_qa60_flags, by_qa60))
            for layer, flag in zip(layers, flags, strict=True):
                if flag in QA60_BITS:
                    layer[:] = found[by_qa60.index(flag)]
        return layers

    def require_flags(self, flags: Sequence[str]) -> None:
        """Raise InputError for a flag that is unknown or that this product cannot tell."""
        super().require_flags(flags)
        for flag in flags:
            if flag in SCL_CLASSES and flag != "fill" and "SCL" not in self._files:
                raise InputError(
                    f"{self.name}: has no scene classification (SCL), without which {flag} cannot "
                    "be told; get the whole Level-2A product, leave this date out or mask nothing"
                )
            if flag in QA60_BITS and "QA60" not in self._files:
                raise InputError(
                    f"{self.name}: has neither QA60 nor MSK_CLASSI_B00.jp2; leave {flag} out of "
                    "the mask flags (cloud and cirrus come from the SCL)"
                )

    def _on_grid(
        self, name: str, window: Window, combine: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """`combine` of a file's numbers, brought to a window of the grid: (layers, rows, columns).

        It is given (bands, rows, parts, columns, parts), the parts being the file's pixels below
        one pixel: one where the file's are as large as the grid's or larger.
        """
        file = self._files[name]
        resolution_m = round(self.grid.transform.a)
        parts, repeats = max(1, resolution_m // file.pixel_m), max(1, file.pixel_m // resolution_m)
        # One of the two is 1. Pixels of the file from the first to the last that is touched:
        first = (window.row_off * parts // repeats, window.col_off * parts // repeats)
        last = (
            -(-(window.row_off + window.height) * parts // repeats),
            -(-(window.col_off + window.width) * parts // repeats),
        )
        stored = self._rasters.read(
            file, Window(first[1], first[0], last[1] - first[1], last[0] - first[0])
        )
        layers, height, width = stored.shape
        values = combine(stored.reshape(layers, height // parts, parts, width // parts, parts))
        if repeats == 1:
            return values
        row, column = window.row_off - first[0] * repeats, window.col_off - first[1] * repeats
        values = values.repeat(repeats, axis=1)[:, row : row + window.height]
        return values.repeat(repeats, axis=2)[:, :, column : column + window.width]

    def close(self) -> None:
        """Close the files."""
        self._rasters.close(list(self._files.values()))


def _scl_flags(flags: Sequence[str], parts: np.ndarray) -> np.ndarray:
    """Flags of the SCL's one layer of parts, (flags, rows, columns) bool."""
    layers = []
    for flag in flags:
        found = np.logical_or.reduce([parts[0] == number for number in SCL_CLASSES[flag]])
        layers.append(found.all(axis=(1, 3)) if flag == "fill" else found.any(axis=(1, 3)))
    return np.stack(layers)


def _qa60_flags(flags: Sequence[str], parts: np.ndarray) -> np.ndarray:
    """Flags of QA60's bits, or of MSK_CLASSI's bands, (flags, rows, columns) bool."""
    layers = []
    for flag in flags:
        found = (
            parts[0] >> QA60_BITS[flag] & 1 if len(parts) == 1 else parts[QA60_BANDS[flag]]
        ) != 0
        layers.append(found.any(axis=(1, 3)))
    return np.stack(layers)


# ---- opening ------------------------------------------------------------------------------------


@names_its_product
def open_product(path: str | Path, bands: Sequence[str] = BANDS, resolution_m: int = 10) -> Product:
    """Open one date: a .SAFE folder, a .zip of one, or what else `open_dates` takes with one date.

    bands: those to read, of ALL_BANDS, in their order. resolution_m: 10, 20 or 60.

    Raises InputError, naming file, element or key, for: no such file or product; several dates;
    Level-1C; a damaged or unsafe .zip; XML with entities; missing metadata; an offset that
    should be told and is not; an unknown spacecraft; missing bands; images that do not lie on each
    other; a server that does not answer.
    """
    dates = open_dates(path, bands, resolution_m)
    if len(dates) > 1:
        for date in dates:
            date.close()
        raise InputError(f"{path}: holds {len(dates)} dates; name one, or make a composite of them")
    return dates[0]


@names_its_product
def open_dates(
    path: str | Path,
    bands: Sequence[str] = BANDS,
    resolution_m: int = 10,
    keep: Path | None = None,
) -> list[Product]:
    """Open all dates of any number of tiles, sorted by time of acquisition, all on the same grid.

    Those of one tile are Sentinel2Products; of several tiles see `sentinel2_tiles.join_dates`.

    path: a folder of .SAFE folders and .zip files; one such; or STAC, as a .json file or an http
    address, see `sentinel2_stac.read_items`. keep: a folder in which decoded tiles that a window
    cuts wait for the next, for who reads each pixel once. bands, resolution_m and errors: as
    `open_product`; InputError also for no date at all, for a folder with products of other sensors
    or formats, for tiles that cannot be laid on one grid, and for one look given twice, in two
    processing baselines.
    """
    rasters = Rasters(keep=keep)
    descriptions = sorted(_describe_all(path), key=lambda found: (found.acquired, found.product_id))
    _require_once(descriptions)
    with ExitStack() as cleanup:
        cleanup.callback(rasters.close)
        # Over HTTP each file costs some round trips.
        with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
            products = list(
                pool.map(
                    lambda found: Sentinel2Product(found, bands, resolution_m, rasters),
                    descriptions,
                )
            )
        dates = join_dates(products)
        cleanup.pop_all()
    return dates


def _describe_all(path: str | Path) -> list[Description]:
    from gossan.products.sentinel2_stac import describe_item, is_stac, read_items

    if is_stac(path):
        return [describe_item(item) for item in read_items(path)]
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"{path}: does not exist; name a folder of Sentinel-2 L2A .SAFE folders or .zip files, "
            "one of these, or STAC (.json or an http address)"
        )
    if is_safe(path):
        return [describe_safe(path)]
    entries = sorted(path.iterdir()) if path.is_dir() else []
    entries = [entry for entry in entries if not is_companion(entry.name)]
    found = [entry for entry in entries if is_safe(entry)]
    if not found:
        raise InputError(
            f"{path}: holds no Sentinel-2 date; .SAFE folders, .zip files or a STAC .json are due"
        )
    for entry in entries:
        if is_foreign(entry):
            raise InputError(
                f"{entry}: is of another sensor or format than the .SAFE folders and .zip files "
                "beside it; a folder of dates holds these alone, move it away"
            )
    return [describe_safe(entry) for entry in found]


def _require_once(descriptions: Sequence[Description]) -> None:
    """Refuse one look in two processings; two granules of one look have the same baseline."""
    looks: dict[tuple, list[Description]] = {}
    for found in descriptions:
        look = looks.setdefault((found.tile, found.acquired, found.spacecraft), [])
        for other in look:
            if found.baseline != other.baseline or found.product_id == other.product_id:
                raise InputError(
                    f"{found.name}: is the same look as {other.name} (baselines {other.baseline} "
                    f"and {found.baseline}); keep one of them"
                )
        look.append(found)
