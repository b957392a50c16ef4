"""The twin as a PRISMA product: bands, layout, round trip, cut-off numbers, determinism."""

import csv
import time
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.products.prisma import SWATH, open_product
from gossan.raster import BandTable, Grid
from gossan.twin.prisma import prisma_bands, write_prisma

ACQUIRED = datetime(2024, 4, 2, 18, 28, 37, 932000, tzinfo=UTC)
SIZE = (70, 45)
GRID = Grid(CRS.from_epsg(32611), Affine(30, 0, 479_985, 0, -30, 4_160_015), *SIZE)
WHOLE = Window(0, 0, *SIZE)
BANDS = prisma_bands()


@pytest.fixture(scope="module")
def cube():
    values = np.random.default_rng(3).uniform(0.01, 0.99, (len(BANDS.names), *GRID.shape))
    values[:, :5, -4:] = np.nan
    return values.astype(np.float32)


def write(path: Path, cube: np.ndarray, bands: BandTable = BANDS, **options) -> Path:
    def flags(window: Window) -> dict[str, np.ndarray]:
        column = np.arange(window.width) + window.col_off
        cloud = np.tile(column < 7, (window.height, 1))
        return {"cloud": cloud, "cirrus": ~cloud, "cloud_shadow": ~cloud}

    settings = {"flags": flags, "bands": bands, "acquired": ACQUIRED, "block_px": 32} | options
    write_prisma(path, lambda window: cube[(..., *window.toslices())], GRID, **settings)
    return path


@pytest.fixture(scope="module")
def path(cube, tmp_path_factory):
    return write(tmp_path_factory.mktemp("prisma") / "prisma.he5", cube)


def test_bands_are_those_of_the_instrument(shared_data):
    path = shared_data("sensor_responses/prisma_L2D_20240402_wavelengths_fwhm.csv")
    with path.open(newline="") as file:
        known = {}
        for row in csv.DictReader(file):
            _, detector, _, place = row["snap_band_name"].split("_")
            name = f"{detector[0]}{int(place):0{2 if detector == 'Vnir' else 3}d}"
            known[name] = float(row["wavelength_nm"]), float(row["fwhm_nm"])
    assert set(BANDS.names) == set(known)
    for name, centre, fwhm in zip(*(BANDS.names, BANDS.centre_um, BANDS.fwhm_um), strict=True):
        assert 1000 * centre == pytest.approx(known[name][0], abs=1.5)
        assert 1000 * fwhm == pytest.approx(known[name][1], abs=0.85)


def test_both_detectors_ascend_and_overlap():
    vnir, swir = np.split(np.array(BANDS.centre_um), [63])
    assert (np.diff(vnir) > 0).all()
    assert (np.diff(swir) > 0).all()
    assert swir[0] < vnir[-1]
    assert (BANDS.names[0], BANDS.names[62], BANDS.names[63]) == ("V66", "V04", "S171")


def test_round_trip(path, cube):
    with open_product(path) as product:
        assert product.synthetic
        assert product.surface_reflectance
        assert product.acquired == "2024-04-02T18:28:37.932000Z"
        # 2 April, 37.6° N 117.2° W, 55 minutes before noon: 90 - 37.6 + 5.2 less a little.
        assert 52 < product.sun_elevation_deg < 57.6
        assert product.grid == GRID
        # Neither place nor maps of place contradict each other.
        assert [note.split(":")[0] for note in product.notes] == [
            "bands V01, V02, V03, S172, S173",
            "bands V04, V05, S170, S171",
        ]
        places = [BANDS.names.index(name) for name in product.bands.names]
        for attribute in ("centre_um", "fwhm_um"):
            found = np.array(getattr(product.bands, attribute))
            np.testing.assert_allclose(found, np.array(getattr(BANDS, attribute))[places], 1e-6)
        reflectance = product.read_reflectance(WHOLE)
        np.testing.assert_allclose(reflectance, cube[places], atol=0.75 / 65535 + 1e-7)
        fill, saturated = product.read_flags(WHOLE, ["fill", "saturation"])
    np.testing.assert_array_equal(fill, np.isnan(cube[0]))
    assert not saturated.any()


def test_layout_is_the_native_one(path):
    with h5py.File(path) as file:
        fields = file[f"{SWATH}/Data Fields"]
        height, width = GRID.shape
        for detector, count in (("VNIR", 66), ("SWIR", 173)):
            cube, errors = fields[f"{detector}_Cube"], fields[f"{detector}_PIXEL_L2_ERR_MATRIX"]
            assert cube.shape == errors.shape == (height, count, width)
            assert (cube.dtype, errors.dtype) == (np.uint16, np.uint8)
            centres = file.attrs[f"List_Cw_{detector.capitalize()}"]
            used = file.attrs[f"List_Cw_{detector.capitalize()}_Flags"] == 1
            assert len(centres) == count
            assert (np.diff(centres[used]) < 0).all()
            assert (centres[~used] == 0).all()
            assert not cube[()][:, ~used].any()
        assert list(np.flatnonzero(file.attrs["List_Cw_Vnir"] == 0)) == [0, 1, 2]
        assert list(np.flatnonzero(file.attrs["List_Cw_Swir"] == 0)) == [171, 172]
        assert file.attrs["Processing_Level"] == b"2D"
        # 7 of 70 columns, and the fill is on the other side.
        seen = 70 * 45 - 20
        assert file.attrs["Cloudy_pixels_percentage"] == pytest.approx(100 * 7 * 45 / seen)
        latitude = file[f"{SWATH}/Geolocation Fields/Latitude"]
        assert latitude[0, 0] == pytest.approx(file.attrs["Product_ULcorner_lat"])
        zenith = file[f"{SWATH}/Geometric Fields/Solar_Zenith_Angle"][()]
        assert (zenith == 0).sum() == 20
        days = file[f"{SWATH}/Geolocation Fields/Time"][()]
        assert days[0] == pytest.approx(8858.769883, abs=1e-6)


def test_numbers_out_of_range_are_cut_off_and_told(tmp_path, cube):
    cube = cube.copy()
    place = BANDS.names.index("S041")
    cube[place, 20, 10], cube[place, 21, 11], cube[place, 22, 12] = -0.01, 1.7, np.nan
    path = write(tmp_path / "a.he5", cube)
    with h5py.File(path) as file:
        errors = file[f"{SWATH}/Data Fields/SWIR_PIXEL_L2_ERR_MATRIX"]
        assert [errors[20 + i, 40, 10 + i] for i in range(3)] == [2, 4, 1]
    with open_product(path, ["S041"]) as product:
        reflectance = product.read_reflectance(WHOLE)[0]
        saturated = product.read_flags(WHOLE, ["saturation"]).any(axis=0)
    assert (reflectance[20, 10], reflectance[21, 11]) == (0, 1.5)
    assert np.isnan(reflectance[22, 12])
    assert set(zip(*np.nonzero(saturated), strict=True)) == {(21, 11)}


def test_some_bands_alone(tmp_path, cube):
    wanted = [70, 3, 200]
    bands = BandTable(
        *(tuple(v[i] for i in wanted) for v in (BANDS.names, BANDS.centre_um, BANDS.fwhm_um))
    )
    with open_product(write(tmp_path / "a.he5", cube[wanted], bands)) as product:
        assert product.bands.names == (BANDS.names[3], BANDS.names[70], BANDS.names[200])
        np.testing.assert_allclose(
            product.read_reflectance(WHOLE), cube[[3, 70, 200]], atol=0.75 / 65535 + 1e-7
        )


def test_the_same_bytes_again_with_threads_and_other_blocks(tmp_path, cube, path):
    time.sleep(1.1)  # so that a stored time would differ
    again = write(tmp_path / "a.he5", cube, threads=3, block_px=50)
    assert again.read_bytes() == path.read_bytes()


def test_nothing_is_left_of_a_failure(tmp_path):
    def observe(_: Window) -> np.ndarray:
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        write_prisma(
            tmp_path / "a.he5", observe, GRID, flags=observe, bands=BANDS, acquired=ACQUIRED
        )
    assert not list(tmp_path.iterdir())


def test_grids_that_no_product_has(tmp_path, cube):
    for crs, pixel in ((32611, 20), (4326, 30)):
        grid = Grid(CRS.from_epsg(crs), Affine(pixel, 0, 0, 0, -pixel, 0), *SIZE)
        with pytest.raises(ValueError, match="30 m"):
            write_prisma(
                tmp_path / "a.he5",
                lambda window: cube[(..., *window.toslices())],
                grid,
                flags=lambda _: {},
                bands=BANDS,
                acquired=ACQUIRED,
            )
