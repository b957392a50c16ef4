"""The twin as an EMIT product: geometry, round trip, layout, determinism."""

import math
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform
from rasterio.windows import Window

from gossan.products.emit import mask_path, open_product
from gossan.raster import BandTable, Grid
from gossan.twin import emit
from gossan.twin.emit import emit_bands, is_deep_water, lay_swath, write_emit

GRID = Grid(CRS.from_epsg(32611), Affine(60, 0, 480_000, 0, -60, 4_155_000), 70, 55)
WHOLE = Window(0, 0, 70, 55)
# Two bands for the place, one in deep water vapour, one that is the same everywhere.
BANDS = BandTable(("a", "b", "c", "d"), (0.5, 0.6, 1.4, 2.2), (0.0085,) * 4)
ACQUIRED = datetime(2023, 8, 13, 18, 10, tzinfo=UTC)
SPECTRA = "emit/emit_salda_spectra"


def observe(window: Window) -> np.ndarray:
    """Column and row of each cell's centre in thousandths, and two constants."""
    row, column = np.indices((window.height, window.width), np.float32)
    column, row = column + window.col_off + 0.5, row + window.row_off + 0.5
    return np.stack([column / 1000, row / 1000, np.full_like(row, 0.9), np.full_like(row, 0.25)])


def flags(window: Window) -> dict[str, np.ndarray]:
    row, column = np.indices((window.height, window.width))
    column, row = column + window.col_off, row + window.row_off
    return {
        "cloud": np.hypot(column - 20, row - 30) < 5,
        "cirrus": column > 60,
        "cloud_shadow": row > 50,
    }


def write(path: Path, **changed: object) -> Path:
    settings = {"flags": flags, "bands": BANDS, "acquired": ACQUIRED, "elevation_m": 1450.0}
    write_emit(path, changed.pop("observe", observe), GRID, **(settings | changed))
    return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("emit") / "EMIT_L2A_RFL_001_20230813T181000_x.nc")


def grid_places(product) -> tuple[np.ndarray, np.ndarray]:
    """Column and row in GRID, in cells, of the centres of the product's pixels."""
    row, column = np.indices(product.grid.shape)
    lon, lat = product.grid.transform @ (column.ravel() + 0.5, row.ravel() + 0.5)
    x, y = transform(product.grid.crs, GRID.crs, lon, lat)
    places = (np.array(x) - 480_000) / 60, (4_155_000 - np.array(y)) / 60
    return tuple(place.reshape(product.grid.shape) for place in places)


# --- round trip ---------------------------------------------------------------------------------


def test_what_is_seen_lies_where_it_is(scene):
    """A lookup table off by one moves it by a pixel, corners taken for centres by half a one."""
    with open_product(scene) as product:
        found = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
        column, row = grid_places(product)
    off = found[0] * 1000 - column, found[1] * 1000 - row
    assert all(abs(np.nanmean(error)) < 0.1 for error in off)
    # Cell to swath, at most half a diagonal (0.71); swath to table, at most its reach (0.75).
    assert np.nanmax(np.hypot(*off)) < 1.46
    assert 0.3 < np.nanstd(off[0]) < 0.7


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (-1, 0), (0, -1)])
def test_the_test_before_sees_a_table_that_is_off_by_one(scene, tmp_path, shift):
    path = tmp_path / scene.name
    path.write_bytes(scene.read_bytes())
    with h5py.File(path, "r+") as file:
        for axis, by, size in zip("xy", shift, file["reflectance"].shape[1::-1], strict=True):
            table = file[f"location/glt_{axis}"][:]
            file[f"location/glt_{axis}"][:] = np.where(table, np.clip(table + by, 1, size), 0)
    with open_product(path) as product:
        found = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
        column, row = grid_places(product)
    off = np.nanmean(found[0] * 1000 - column), np.nanmean(found[1] * 1000 - row)
    assert math.hypot(*off) > 0.7


def test_pixels_are_cells_of_the_ground_and_stand_in_the_swath_as_located(scene):
    with h5py.File(scene) as file:
        values = file["reflectance"][:]
        lon, lat = (file[f"location/{name}"][:] for name in ("lon", "lat"))
    x, y = transform("EPSG:4326", GRID.crs, lon.ravel(), lat.ravel())
    column = np.floor((np.reshape(x, lon.shape) - 480_000) / 60)
    row = np.floor((4_155_000 - np.reshape(y, lon.shape)) / 60)
    inside = (column >= 0) & (column < 70) & (row >= 0) & (row < 55)
    np.testing.assert_allclose(values[inside, 0] * 1000, column[inside] + 0.5, rtol=1e-5)
    np.testing.assert_allclose(values[inside, 1] * 1000, row[inside] + 0.5, rtol=1e-5)
    assert (values[inside, 2] == np.float32(-0.01)).all()
    assert (values[~inside] == -9999).all()


def test_the_swath_is_tilted_and_misses_only_two_corners_of_the_grid(scene):
    swath = lay_swath(GRID)
    step = np.diff(swath.x, axis=0).mean(), np.diff(swath.y, axis=0).mean()
    assert math.degrees(math.atan2(*step)) == pytest.approx(131, abs=1)
    assert math.hypot(*step) == pytest.approx(60, abs=0.5)
    with open_product(scene) as product:
        column, row = grid_places(product)
        found = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
    # Nearer to the edge, the nearest pixel of the swath may see what is outside of the grid.
    inside = (column > 1) & (column < 69) & (row > 1) & (row < 54)
    missed = inside & np.isnan(found[0])
    assert 0.002 < missed.sum() / inside.sum() < 0.05
    south_west = (column < 35) & (row > 27)
    north_east = (column > 35) & (row < 27)
    assert missed[south_west].any()
    assert missed[north_east].any()
    assert not missed[~south_west & ~north_east].any()


def test_round_trip_of_bands_and_metadata(scene):
    with open_product(scene) as product:
        assert product.synthetic
        assert product.bands.names == ("B001", "B002", "B004")
        assert product.bands.centre_um == pytest.approx((0.5, 0.6, 2.2), abs=1e-6)
        assert product.bands.fwhm_um == pytest.approx((0.0085,) * 3, abs=1e-6)
        assert product.acquired == "2023-08-13T18:10:00.000000Z"
        assert product.absent_flags == ("cloud_shadow", "snow", "saturation")
        assert 55 < product.sun_elevation_deg < 60
        found = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
        fill = product.read_flags(Window(0, 0, product.grid.width, product.grid.height), ["fill"])
        np.testing.assert_array_equal(np.isnan(found[0]), fill[0])
        np.testing.assert_array_equal(found[2][~fill[0]], np.float32(0.25))


def test_windows_are_parts_of_the_whole(scene):
    with open_product(scene) as product:
        grid = product.grid
        whole = product.read_reflectance(Window(0, 0, grid.width, grid.height))
        for column, row, width, height in (
            (0, 0, 7, 3),
            (13, 21, 16, 16),
            (grid.width - 5, 9, 5, 30),
        ):
            window = Window(column, row, width, height)
            np.testing.assert_array_equal(
                product.read_reflectance(window), whole[:, *window.toslices()]
            )


# --- mask -----------------------------------------------------------------------------------


def test_clouds_are_flagged_where_they_are_and_widely_around(scene):
    with open_product(scene) as product:
        column, row = grid_places(product)
        names = ["cloud", "cirrus", "dilated_cloud", "aggregate", "water"]
        cloud, cirrus, dilated, aggregate, water = product.read_flags(
            Window(0, 0, product.grid.width, product.grid.height), names
        )
        elevation = product.sun_elevation_deg
    assert np.mean(column[cloud]) == pytest.approx(20.5, abs=0.3)
    assert np.mean(row[cloud]) == pytest.approx(30.5, abs=0.3)
    assert column[cirrus].min() > 59
    # As far as the shadow of a cloud of 3 km.
    reach = 5 + 3000 / math.tan(math.radians(elevation)) / 60
    distance = np.hypot(column - 20.5, row - 30.5)
    assert distance[dilated].max() == pytest.approx(reach, abs=2)
    assert not (cloud & ~dilated).any()
    np.testing.assert_array_equal(aggregate, cloud | cirrus | dilated)
    assert not water.any()


def test_without_clouds_nothing_is_dilated(tmp_path):
    path = write(tmp_path / "emit.nc", flags=lambda window: {})
    with open_product(path) as product:
        window = Window(0, 0, product.grid.width, product.grid.height)
        assert (
            not product.read_flags(window, ["cloud", "dilated_cloud", "aggregate"])
            .any(axis=0)
            .any()
        )


def test_ground_without_data_is_fill_in_both_files(tmp_path):
    def gaps(window):
        block = observe(window)
        block[3][(block[0] > 0.03) & (block[0] < 0.04)] = np.nan
        return block

    with open_product(write(tmp_path / "emit.nc", observe=gaps)) as product:
        window = Window(0, 0, product.grid.width, product.grid.height)
        column, _ = grid_places(product)
        found = product.read_reflectance(window)
        fill = product.read_flags(window, ["fill"])[0]
    assert np.isnan(found[:, (column > 32) & (column < 38)]).all()
    np.testing.assert_array_equal(np.isnan(found).all(axis=0), fill)


# --- layout ---------------------------------------------------------------------------------


def test_native_layout(scene):
    with h5py.File(scene) as file, h5py.File(mask_path(scene)) as mask:
        lines, samples, bands = file["reflectance"].shape
        assert bands == 4
        assert mask["mask"].shape == (lines, samples, 8)
        assert mask["band_mask"].shape == (lines, samples, 1)
        assert [text.decode() for text in mask["sensor_band_parameters/mask_bands"][:]] == list(
            emit.MASK_BANDS
        )
        for name in ("lon", "lat", "elev"):
            assert file[f"location/{name}"].shape == (lines, samples)
        assert (file["location/elev"][:] == 1450).all()
        assert file["sensor_band_parameters/good_wavelengths"][:].tolist() == [1, 1, 0, 1]
        assert file["sensor_band_parameters/wavelengths"][:].tolist() == [500, 600, 1400, 2200]
        assert file["reflectance"].chunks is None
        assert file["reflectance"].attrs["_FillValue"] == [-9999]
        assert [axis[0].name for axis in file["reflectance"].dims] == [
            "/downtrack",
            "/crosstrack",
            "/bands",
        ]
        assert [axis[0].name for axis in file["location/glt_x"].dims] == ["/ortho_y", "/ortho_x"]
        for one in (file, mask):
            assert "gossan" in one.attrs["history"].decode()
            assert one.attrs["flight_line"] == b"emit20230813t181000_o22501_s000"
        table = np.stack([file["location/glt_x"][:], file["location/glt_y"][:]])
        assert table.min() == 0
        np.testing.assert_array_equal(table[0] == 0, table[1] == 0)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_reads_both_files_as_netcdf(scene):
    with rasterio.Env() as environment:
        if "netCDF" not in environment.drivers():
            pytest.skip("GDAL without its netCDF driver")
    with (
        rasterio.Env(GDAL_NETCDF_BOTTOMUP="NO"),
        rasterio.open(f"netcdf:{scene}:reflectance") as dataset,
        h5py.File(scene) as file,
    ):
        assert (dataset.count, dataset.nodata) == (4, -9999)
        np.testing.assert_array_equal(dataset.read(2), file["reflectance"][..., 1])
        assert dataset.tags()["NC_GLOBAL#instrument"] == "EMIT"
    with rasterio.open(f"netcdf:{scene}") as dataset:
        assert f"netcdf:{scene}:/location/glt_x" in dataset.subdatasets
    with rasterio.open(f"netcdf:{mask_path(scene)}:mask") as dataset:
        assert dataset.count == 8


def test_bytes_depend_on_nothing_but_the_arguments(scene, tmp_path):
    again = write(tmp_path / scene.name, threads=3, block_px=16)
    assert again.read_bytes() == scene.read_bytes()
    assert mask_path(again).read_bytes() == mask_path(scene).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [scene.name, mask_path(scene).name]
    )
    assert str(tmp_path).encode() not in again.read_bytes()


def test_each_cell_is_asked_for_once(tmp_path):
    asked = np.zeros(GRID.shape, int)

    def count(window):
        asked[window.toslices()] += 1
        return observe(window)

    write(tmp_path / "emit.nc", observe=count, block_px=32)
    assert (asked == 1).all()


def test_nothing_is_left_where_the_ground_fails(tmp_path):
    def fail(window):
        raise RuntimeError("no ground")

    with pytest.raises(RuntimeError, match="no ground"):
        write(tmp_path / "emit.nc", observe=fail)
    assert not list(tmp_path.iterdir())


def test_cells_of_another_size_are_refused(tmp_path):
    grid = Grid(GRID.crs, Affine(30, 0, 480_000, 0, -30, 4_155_000), 70, 55)
    with pytest.raises(ValueError, match="cells of 60 m"):
        write_emit(
            tmp_path / "emit.nc",
            observe,
            grid,
            flags=flags,
            bands=BANDS,
            acquired=ACQUIRED,
            elevation_m=0.0,
        )


# --- bands ----------------------------------------------------------------------------------


def test_bands_ascend_and_are_about_as_wide_as_published():
    bands = emit_bands()
    assert bands.names[0] == "B001"
    assert bands.names[-1] == "B285"
    step = np.diff(bands.centre_um)
    assert len(bands.names) == 285
    assert step.min() > 0.0073
    assert step.max() < 0.0075
    assert (bands.fwhm_um[0], bands.fwhm_um[-1]) == (0.00841, 0.00881)


def test_bands_are_those_of_real_products(shared_data):
    """Seven real pixels: their wavelengths, and -0.01 in the bands that are no good."""
    bands = emit_bands()
    spectra = sorted(shared_data(SPECTRA).glob("ROI_*.txt"))
    assert len(spectra) == 7
    for path in spectra:
        wavelength_nm, reflectance = np.loadtxt(path, skiprows=3).T
        np.testing.assert_allclose(np.array(bands.centre_um) * 1000, wavelength_nm, atol=0.11)
        np.testing.assert_array_equal(is_deep_water(bands.centre_um), reflectance == -0.01)


def test_widths_are_those_of_the_published_table(shared_data):
    rows = shared_data("sensor_responses/bands_centre_fwhm.csv").read_text().splitlines()
    widths = [float(row.split(",")[3]) for row in rows if row.startswith("EMIT,")]
    np.testing.assert_allclose(np.array(emit_bands().fwhm_um) * 1000, widths, atol=0.06)
