"""The twin as EMIT Level-2A reflectance: a tilted swath in netCDF-4, its lookup table and mask.

Layout after the EMIT L2A User Guide (NASA LP DAAC) and real files: contiguous reflectance in lines
and samples, groups `location` and `sensor_band_parameters`, netCDF-4 dimensions as HDF5 dimension
scales, and the mask in a file beside it. Left out: the uncertainties' file.

The swath lies as the space station flies over middle northern latitudes on a descending pass: its
lines run to the south-east, are skewed by the turning of the Earth, and sway a little. The ground
is seen on a regular grid in metres, of which each pixel of the swath takes the cell that its
centre falls in; the lookup table then takes the nearest pixel of the swath. The two steps together
move what is seen by about half a pixel (root mean square, along each axis), at most by one and a
half: more than the one step of real data, in which each pixel of the swath sees the ground itself.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from gossan.files import scratch, staged, together
from gossan.library.spectrum import Spectrum
from gossan.products.emit import FILL, mask_path
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid, iter_blocks
from gossan.twin.site import Site
from gossan.twin.view import Instrument, View

ORIGIN = "Simulated by gossan; not a satellite image"
PIXEL_M = 60
VERSION = "V001"
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
# Centre (nm) of every twentieth of the 285 bands and of the last, as products have them. Between
# them, straight lines are right to 0.1 nm.
_CENTRES_NM = (
    *(381.01, 529.53, 678.55, 827.75, 976.99, 1126.2, 1275.34, 1424.39),
    *(1573.32, 1722.1, 1870.73, 2019.19, 2167.47, 2315.53, 2463.38, 2492.92),
)
_BANDS, _CENTRE_STEP = 285, 20
# FWHM (nm) of the first and the last band; it grows evenly between them.
_FWHM_NM = (8.41, 8.81)
# Deep water vapour: what the mission's converter calls bad (nm), and what stands in these bands.
_DEEP_WATER_NM = ((1325.0, 1435.0), (1770.0, 1962.0))
_DEEP_WATER_VALUE = -0.01
# Heading of the track (clockwise from north) and how far its lines are skewed.
_HEADING_DEG, _SKEW_DEG = 128.0, 3.0
# Share of the grid's extent across the track that the swath covers: it cuts off two corners.
_ACROSS = 0.9
# The swath sways by so many pixels, once in so many lines.
_SWAY_PX, _SWAY_LINES = 0.3, 97.0
# Side of a pixel of the orthorectified grid (degrees), and how far from the centre of a pixel of
# the swath (in its sides) that still reaches.
_ORTHO_DEG = 0.000542232520256367
_REACH_PX = 0.75
_LINE_S = 12.0 / 1280
# Clouds are as high as this where the mask is dilated for their shadows (EMIT L2A ATBD).
_CLOUD_HEIGHT_M = 3000.0
# Typical of clear dry air: aerosol optical thickness at 0.55 µm, water vapour (g cm-2).
_AEROSOL_055, _WATER_VAPOUR = 0.1, 1.0
_PACKED = 8
_ROWS_AT_ONCE = 64

Observe = Callable[[Window], np.ndarray]
Flags = Callable[[Window], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Swath:
    """Where the swath's pixels lie; all arrays (lines, samples).

    x, y: centres in metres of the grid's system; lon, lat: in degrees; row, column: the cell of
    the grid below each centre, -1 outside of the grid.
    """

    x: np.ndarray
    y: np.ndarray
    lon: np.ndarray
    lat: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(lines, samples)."""
        return self.x.shape


def emit_bands() -> BandTable:
    """The 285 bands "B001" to "B285": centre and FWHM in µm, as EMIT L2A products tell them."""
    place = np.arange(_BANDS)
    nodes = [*range(0, _BANDS, _CENTRE_STEP), _BANDS - 1]
    centre = np.interp(place, nodes, _CENTRES_NM)
    fwhm = np.interp(place, (0, _BANDS - 1), _FWHM_NM)
    return BandTable(
        tuple(f"B{number:03d}" for number in place + 1),
        tuple(round(value / 1000, 6) for value in centre.tolist()),
        tuple(round(value / 1000, 6) for value in fwhm.tolist()),
    )


def is_deep_water(centre_um: Sequence[float]) -> np.ndarray:
    """Where a band lies in deep water vapour and so is no good wavelength; (bands,) bool."""
    centre_nm = np.asarray(centre_um, float) * 1000
    low, high = np.array(_DEEP_WATER_NM).T
    return ((centre_nm[:, None] > low) & (centre_nm[:, None] < high)).any(axis=1)


# Ratios of the order of Thompson et al. 2024 (Remote Sensing of Environment 303, 113986), rounded.
INSTRUMENT = Instrument(
    sensor="emit",
    number=0,
    pixel_m=float(PIXEL_M),
    acquired=datetime(2023, 6, 20, 20, 14, 8, tzinfo=UTC),
    longitude_deg=-117.20,
    bands=emit_bands,
    snr=((0.38, 250.0), (0.55, 700.0), (1.0, 650.0), (1.6, 600.0), (2.2, 350.0), (2.5, 150.0)),
    gain_std=0.010,
    stripe_std=0.001,
)


def simulate_emit(
    site: Site, library: Sequence[Spectrum], path: str | Path, *, threads: int = 1
) -> None:
    """Simulate a ground as EMIT sees it and write the product, see `View` and `write_emit`."""
    view = View(site, INSTRUMENT, library)
    write_emit(
        path,
        view.observe,
        view.grid,
        flags=view.flags,
        bands=view.bands,
        acquired=view.acquired,
        elevation_m=site.ground.level_m,
        threads=threads,
    )


def write_emit(
    path: str | Path,
    observe: Observe,
    grid: Grid,
    *,
    flags: Flags,
    bands: BandTable,
    acquired: datetime,
    elevation_m: float,
    threads: int = 1,
    block_px: int = 96,
) -> None:
    """Write a scene as EMIT L2A reflectance to `path` (.nc) and its mask to `mask_path(path)`.

    grid: cells of PIXEL_M metres in a projected system. observe: window of it -> surface
    reflectance (bands, rows, columns) with the sensor's noise, NaN for no data; each block of the
    grid is asked for once. flags: window -> (rows, columns) bool by name, of which cloud, cirrus
    and water are used; others have no layer in the mask. bands: centre and FWHM in µm, ascending.
    acquired: with a time zone. elevation_m: the ground's height, the same everywhere.

    The swath is wider than the grid in the corners (no data there) and cuts off two corners of it;
    see `lay_swath` and `look_up`. Bytes depend on the arguments without `threads` and `block_px`;
    memory on the block and some ten numbers for each pixel of the swath. Beside `path` there is
    room needed for the file twice.

    Raises ValueError for a grid of other pixels.
    """
    path = Path(path)
    swath = lay_swath(grid)
    ortho = ortho_grid(grid)
    glt = look_up(swath, grid, ortho)
    count = len(bands.names)
    with scratch(path) as folder:
        # The swath lies aslant in the grid: blocks of the one are no blocks of the other.
        shape = (*swath.shape, count)
        with (folder / "reflectance").open("wb") as stream:
            # A full disk is told here; where a map of a file meets it, the process is killed.
            os.posix_fallocate(stream.fileno(), 0, 4 * math.prod(shape))
        reflectance = np.memmap(folder / "reflectance", np.float32, "r+", shape=shape)
        reflectance[:] = FILL
        layers = np.zeros((*swath.shape, 3), bool)
        seen = np.zeros(swath.shape, bool)
        blocks = iter_blocks(
            lambda block, found: (block, found),
            [observe, flags],
            grid=grid,
            block_px=block_px,
            threads=threads,
            progress="simulate emit",
        )
        water = is_deep_water(bands.centre_um)
        for window, (block, found) in blocks:
            place = _inside(swath, window)
            cell = swath.row[place] - window.row_off, swath.column[place] - window.col_off
            spectra = block[:, *cell].T.astype(np.float32)
            spectra[:, water] = _DEEP_WATER_VALUE
            observed = np.isfinite(spectra).all(axis=1)
            spectra[~observed] = FILL
            reflectance[place] = spectra
            seen[place] = observed
            for layer, name in enumerate(("cloud", "cirrus", "water")):
                if name in found:
                    layers[(*place, layer)] = found[name][cell]
        scene = _Scene(swath, ortho, glt, bands, acquired.astimezone(UTC), elevation_m)
        with together(), staged(path) as product, staged(mask_path(path)) as mask:
            _write_reflectance(product, scene, reflectance)
            _write_mask(mask, scene, _mask_layers(scene, layers, seen))
        del reflectance


# ---- geometry -----------------------------------------------------------------------------------


def lay_swath(grid: Grid) -> Swath:
    """The tilted swath over a grid; ValueError unless its cells are squares of PIXEL_M metres."""
    transform = grid.transform
    if (transform.a, transform.e) != (PIXEL_M, -PIXEL_M) or transform.b or transform.d:
        raise ValueError(f"EMIT is simulated on north-up cells of {PIXEL_M} m, not {transform}")
    heading = math.radians(_HEADING_DEG)
    skewed = math.radians(_HEADING_DEG + _SKEW_DEG)
    across = np.array([-math.cos(heading), math.sin(heading)])
    along = np.array([math.sin(skewed), math.cos(skewed)])
    size = np.array([grid.width, grid.height])
    lines = math.ceil(np.abs(along) @ size)
    samples = math.ceil(_ACROSS * (np.abs(across) @ size))
    line = np.arange(lines)[:, None] - (lines - 1) / 2
    sample = np.arange(samples)[None, :] - (samples - 1) / 2
    sample = sample + _SWAY_PX * np.sin(2 * np.pi * line / _SWAY_LINES)
    centre = grid.place(grid.width / 2, grid.height / 2)
    x, y = (
        centre[axis] + PIXEL_M * (across[axis] * sample + along[axis] * line) for axis in (0, 1)
    )
    lon, lat = transform_points(grid.crs, CRS.from_epsg(4326), x.ravel(), y.ravel())
    column = np.floor((x - transform.c) / PIXEL_M).astype(np.int64)
    row = np.floor((transform.f - y) / PIXEL_M).astype(np.int64)
    outside = (column < 0) | (column >= grid.width) | (row < 0) | (row >= grid.height)
    row[outside] = column[outside] = -1
    return Swath(x, y, np.reshape(lon, x.shape), np.reshape(lat, x.shape), row, column)


def ortho_grid(grid: Grid) -> Grid:
    """The grid of longitude and latitude that the lookup table is for; it covers all of `grid`."""
    crs = CRS.from_epsg(4326)
    west, south, east, north = transform_bounds(grid.crs, crs, *grid.bounds, densify_pts=21)
    return Grid(
        crs,
        Affine(_ORTHO_DEG, 0, west, 0, -_ORTHO_DEG, north),
        math.ceil((east - west) / _ORTHO_DEG),
        math.ceil((north - south) / _ORTHO_DEG),
    )


def look_up(swath: Swath, grid: Grid, ortho: Grid) -> np.ndarray:
    """The lookup table (2, rows, columns) int32 of `ortho`: samples and lines, counted from 1.

    For each pixel of `ortho` the pixel of the swath nearest to its centre, in metres of `grid`'s
    system; 0 where none is near. The centre lies half a pixel inside of the corner.
    """
    tree = cKDTree(np.column_stack([swath.x.ravel(), swath.y.ravel()]))
    table = np.zeros((2, *ortho.shape), np.int32)
    lon = ortho.transform.c + (np.arange(ortho.width) + 0.5) * ortho.transform.a
    for start in range(0, ortho.height, _ROWS_AT_ONCE):
        rows = np.arange(start, min(start + _ROWS_AT_ONCE, ortho.height))
        lat = ortho.transform.f + (rows + 0.5) * ortho.transform.e
        places = [values.ravel() for values in np.meshgrid(lon, lat)]
        x, y = transform_points(ortho.crs, grid.crs, *places)
        distance, nearest = tree.query(
            np.column_stack([x, y]), distance_upper_bound=_REACH_PX * PIXEL_M
        )
        near = np.isfinite(distance)
        line, sample = np.divmod(nearest[near], swath.shape[1])
        part = np.zeros((2, near.size), np.int32)
        part[:, near] = sample + 1, line + 1
        table[:, rows] = part.reshape(2, len(rows), ortho.width)
    return table


def _inside(swath: Swath, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Lines and samples of the swath's pixels whose cells lie in a window."""
    top, left = window.row_off, window.col_off
    return np.nonzero(
        (swath.row >= top)
        & (swath.row < top + window.height)
        & (swath.column >= left)
        & (swath.column < left + window.width)
    )


# ---- files --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    """What both files tell of a scene."""

    swath: Swath
    ortho: Grid
    glt: np.ndarray
    bands: BandTable
    acquired: datetime
    elevation_m: float


def _mask_layers(scene: _Scene, flags: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The layers of MASK_BANDS, (lines, samples, 8) float32, FILL where nothing was observed.

    flags: cloud, cirrus and water (lines, samples, 3). The cloud flag is dilated as far as the
    shadows of clouds of _CLOUD_HEIGHT_M may fall.
    """
    cloud, cirrus, water = np.moveaxis(flags, 2, 0)
    water = water & ~cloud
    middle = tuple(size // 2 for size in seen.shape)
    elevation, *_ = sun_position(
        scene.acquired, float(scene.swath.lon[middle]), float(scene.swath.lat[middle])
    )
    reach_px = _CLOUD_HEIGHT_M / math.tan(math.radians(max(elevation, 1.0))) / PIXEL_M
    dilated = np.zeros_like(cloud)
    if cloud.any():
        dilated = distance_transform_edt(~cloud) <= reach_px
    layers = np.zeros((*seen.shape, len(MASK_BANDS)), np.float32)
    flagged = {"Cloud flag": cloud, "Cirrus flag": cirrus, "Water flag": water}
    flagged["Dilated Cloud Flag"] = dilated
    flagged["Aggregate Flag"] = cloud | cirrus | water | dilated
    for name, values in flagged.items():
        layers[..., MASK_BANDS.index(name)] = values
    layers[..., MASK_BANDS.index("AOD550")] = _AEROSOL_055
    layers[..., MASK_BANDS.index("H2O (g cm-2)")] = _WATER_VAPOUR
    layers[~seen] = FILL
    return layers


class _Netcdf:
    """A netCDF-4 file made with HDF5: dimensions are dimension scales in the root."""

    def __init__(self, path: Path, dimensions: Mapping[str, int], attributes: Mapping[str, object]):
        created = _untimed(h5py.h5p.FILE_CREATE)
        self._file = h5py.File(
            h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, fcpl=created)
        )
        self._names = list(dimensions)
        for name, value in attributes.items():
            self._file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
        for number, (name, size) in enumerate(dimensions.items()):
            scale = self._file.create_dataset(name, (size,), ">f4", track_times=False)
            scale.make_scale(f"This is a netCDF dimension but not a netCDF variable.{size:10d}")
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)

    def add(
        self,
        name: str,
        dtype: object,
        dimensions: Sequence[str],
        long_name: str,
        units: str,
        values: np.ndarray | None = None,
        fill: float | None = FILL,
        packed: bool = False,
    ) -> h5py.Dataset:
        """Create a variable "name" or "group/name"; without values its caller fills it."""
        place, _, own_name = name.rpartition("/")
        if place and place not in self._file:
            h5py.h5g.create(self._file.id, place.encode(), gcpl=_untimed(h5py.h5p.GROUP_CREATE))
        group = self._file[place or "/"]
        shape = tuple(self._file[dimension].shape[0] for dimension in dimensions)
        options = {"compression": "gzip", "shuffle": True} if packed else {}
        if fill is not None:
            options["fillvalue"] = fill
        found = group.create_dataset(own_name, shape, dtype, track_times=False, **options)
        for axis, dimension in enumerate(dimensions):
            found.dims[axis].attach_scale(self._file[dimension])
        if len(dimensions) > 1:
            found.attrs["_Netcdf4Coordinates"] = np.array(
                [self._names.index(dimension) for dimension in dimensions], np.int32
            )
        if fill is not None:
            found.attrs["_FillValue"] = np.array([fill], found.dtype)
        found.attrs["long_name"] = np.bytes_(long_name)
        if units:
            found.attrs["units"] = np.bytes_(units)
        if values is not None:
            found[...] = values
        return found

    def __enter__(self) -> "_Netcdf":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        self._file.close()


def _untimed(kind: h5py.h5p.PropClassID) -> h5py.h5p.PropInstanceID:
    """How to create a file or group that keeps the order of what it holds, but not the time.

    netCDF-4 asks for the order; the time would make the bytes differ from run to run.
    """
    created = h5py.h5p.create(kind)
    order = h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED
    created.set_link_creation_order(order)
    created.set_attr_creation_order(order)
    created.set_obj_track_times(False)
    return created


def _attributes(scene: _Scene, title: str) -> dict[str, object]:
    """The global attributes, in the order and of the kinds of real files."""
    west, south, east, north = scene.ortho.bounds
    end = scene.acquired + timedelta(seconds=round(scene.swath.shape[0] * _LINE_S))
    start = scene.acquired
    return {
        "ncei_template_version": "NCEI_NetCDF_Swath_Template_v2.0",
        "summary": f"{ORIGIN}. The layout is that of EMIT L2A estimated surface reflectance: "
        "fractions (relative to 1), geolocation, and a lookup table to project the data.",
        "keywords": "Imaging Spectroscopy, minerals, EMIT, dust, radiative forcing",
        "Conventions": "CF-1.63",
        "sensor": "EMIT (Earth Surface Mineral Dust Source Investigation)",
        "instrument": "EMIT",
        "platform": "ISS",
        "institution": "gossan",
        "flight_line": f"emit{start:%Y%m%dt%H%M%S}_o{start:%j}01_s000",
        "time_coverage_start": f"{start:%Y-%m-%dT%H:%M:%S%z}",
        "time_coverage_end": f"{end:%Y-%m-%dT%H:%M:%S%z}",
        "product_version": VERSION,
        "history": ORIGIN,
        "crosstrack_orientation": "as seen on ground",
        "easternmost_longitude": np.array([east]),
        "northernmost_latitude": np.array([north]),
        "westernmost_longitude": np.array([west]),
        "southernmost_latitude": np.array([south]),
        "spatialResolution": np.array([_ORTHO_DEG]),
        "spatial_ref": scene.ortho.crs.to_wkt(version="WKT1_GDAL"),
        "geotransform": np.array(scene.ortho.transform.to_gdal()),
        "day_night_flag": "Day",
        "title": f"{title} 60 m {VERSION}",
    }


def _dimensions(scene: _Scene, bands: int) -> dict[str, int]:
    lines, samples = scene.swath.shape
    return {
        "downtrack": lines,
        "crosstrack": samples,
        "bands": bands,
        "ortho_y": scene.ortho.height,
        "ortho_x": scene.ortho.width,
    }


def _add_location(file: _Netcdf, scene: _Scene) -> None:
    swath = ("downtrack", "crosstrack")
    ortho = ("ortho_y", "ortho_x")
    height = np.full(scene.swath.shape, scene.elevation_m)
    file.add("location/lon", "f8", swath, "Longitude (WGS-84)", "degrees east", scene.swath.lon)
    file.add("location/lat", "f8", swath, "Latitude (WGS-84)", "degrees north", scene.swath.lat)
    file.add("location/elev", "f8", swath, "Surface Elevation", "m", height)
    for axis, name, table in zip("xy", ("Sample", "Line"), scene.glt, strict=True):
        long_name = f"GLT {name} Lookup"
        file.add(
            f"location/glt_{axis}", "i4", ortho, long_name, "pixel location", table, packed=True
        )


def _write_reflectance(path: Path, scene: _Scene, reflectance: np.ndarray) -> None:
    attributes = _attributes(scene, "EMIT L2A Estimated Surface Reflectance")
    with _Netcdf(path, _dimensions(scene, reflectance.shape[2]), attributes) as file:
        dimensions = ("downtrack", "crosstrack", "bands")
        stored = file.add("reflectance", "f4", dimensions, "Surface Reflectance", "unitless")
        for line in range(0, len(reflectance), _ROWS_AT_ONCE):
            stored[line : line + _ROWS_AT_ONCE] = reflectance[line : line + _ROWS_AT_ONCE]
        good = ~is_deep_water(scene.bands.centre_um)
        for name, long_name, units, values in (
            ("wavelengths", "Wavelength Centers", "nm", np.array(scene.bands.centre_um) * 1000),
            ("fwhm", "Full Width at Half Max", "nm", np.array(scene.bands.fwhm_um) * 1000),
            (
                "good_wavelengths",
                "Wavelengths where reflectance is useable: 1 = good data, 0 = bad data",
                "unitless",
                good,
            ),
        ):
            file.add(f"sensor_band_parameters/{name}", "f4", ("bands",), long_name, units, values)
        _add_location(file, scene)


def _write_mask(path: Path, scene: _Scene, layers: np.ndarray) -> None:
    packed = math.ceil(len(scene.bands.names) / _PACKED)
    dimensions = {
        **_dimensions(scene, len(MASK_BANDS)),
        "packed_wavelength_bands": packed,
    }
    with _Netcdf(path, dimensions, _attributes(scene, "EMIT L2A Masks")) as file:
        swath = ("downtrack", "crosstrack")
        file.add("mask", "f4", (*swath, "bands"), "Masks", "unitless", layers)
        # No value was mended on the way from the detector: no bit is set.
        file.add(
            "band_mask",
            "u1",
            (*swath, "packed_wavelength_bands"),
            "Per-Wavelength Mask",
            "unitless",
            np.zeros((*scene.swath.shape, packed), np.uint8),
            fill=None,
            packed=True,
        )
        file.add(
            "sensor_band_parameters/mask_bands",
            h5py.string_dtype(),
            ("bands",),
            "Mask Band Names",
            "unitless",
            np.array(MASK_BANDS, object),
            fill=None,
        )
        _add_location(file, scene)
