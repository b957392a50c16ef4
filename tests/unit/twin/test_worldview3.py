"""The twin as a WorldView-3 delivery: layout, round trip, native pixels, determinism."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.products.worldview3 import SWIR, VNIR, open_product, parse_imd
from gossan.raster import BandTable, Grid
from gossan.twin.worldview3 import worldview3_bands, write_worldview3

ACQUIRED = datetime(2024, 7, 2, 18, 28, 37, tzinfo=UTC)
BANDS = worldview3_bands()
COARSE = Grid(CRS.from_epsg(32611), Affine(7.5, 0, 480_000, 0, -7.5, 4_160_000), 60, 40)
FINE = Grid(CRS.from_epsg(32611), Affine(1.5, 0, 480_000, 0, -1.5, 4_160_000), 300, 200)


def part(names: tuple[str, ...]) -> BandTable:
    index = [BANDS.names.index(name) for name in names]
    columns = (BANDS.names, BANDS.centre_um, BANDS.fwhm_um)
    return BandTable(*(tuple(column[i] for i in index) for column in columns))


def cube(grid: Grid, count: int, seed: int = 5) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(0.0, 0.9, (count, *grid.shape))
    values[:, :5, :5] = np.nan
    return values.astype(np.float32)


def write(folder: Path, values: np.ndarray, grid: Grid, bands: BandTable, **options) -> Path:
    def flags(window: Window) -> dict[str, np.ndarray]:
        row = np.arange(window.height) + window.row_off
        cloud = np.tile((row >= grid.height // 2)[:, None], (1, window.width))
        return {"cloud": cloud, "cirrus": ~cloud, "cloud_shadow": ~cloud}

    settings = {"flags": flags, "bands": bands, "acquired": ACQUIRED} | options
    write_worldview3(folder, lambda window: values[(..., *window.toslices())], grid, **settings)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_bands_are_those_of_the_instrument(shared_data):
    path = shared_data("sensor_responses/srf_long.csv")
    curves: dict[str, list[tuple[float, float]]] = {}
    for line in path.read_text().splitlines():
        sensor, band, wavelength, response, _ = line.split(",")
        if sensor == "WorldView-3" and "PAN" not in band:
            curves.setdefault(band, []).append((float(wavelength), float(response)))
    for curve, fwhm in zip(curves.values(), BANDS.fwhm_um, strict=True):
        wavelength, response = np.array(sorted(curve)).T
        width = np.trapezoid(response / response.max(), wavelength)
        assert 1000 * fwhm == pytest.approx(width, abs=0.2)


def test_round_trip_of_both_images_on_one_grid(tmp_path):
    values = cube(COARSE, 16)
    with open_product(write(tmp_path, values, COARSE, BANDS)) as product:
        assert product.synthetic
        assert not product.surface_reflectance
        assert product.acquired == "2024-07-02T18:28:37.000000Z"
        assert product.bands == BANDS
        assert product.grid == COARSE
        # 2 July, 37.6° N 117.2° W, 100 minutes before noon.
        assert 60 < product.sun_elevation_deg < 70
        whole = Window(0, 0, 60, 40)
        found = product.read_reflectance(whole)
        fill, saturated = product.read_flags(whole, ["fill", "saturation"])
    # Half of a number: 11 bits to reflectance 1.2 / sin(sun) in the VNIR, 14 in the SWIR.
    np.testing.assert_allclose(found[:8], values[:8], atol=0.5 * 1.4 / 2046)
    np.testing.assert_allclose(found[8:], values[8:], atol=0.5 * 1.4 / 16382)
    np.testing.assert_array_equal(fill, np.isnan(values[0]))
    assert not saturated.any()


def test_each_image_may_have_its_own_pixels(tmp_path):
    fine, coarse = cube(FINE, 8), cube(COARSE, 8)
    write(tmp_path, fine, FINE, part(VNIR))
    write(tmp_path, coarse, COARSE, part(SWIR))
    with open_product(tmp_path) as product:
        assert product.grid == COARSE
        assert product.bands == BANDS
        found = product.read_reflectance(Window(0, 0, 60, 40))
    means = fine.reshape(8, 40, 5, 60, 5).mean(axis=(2, 4))
    np.testing.assert_allclose(found[:8], means, atol=0.5 * 1.4 / 2046)
    np.testing.assert_allclose(found[8:], coarse, atol=0.5 * 1.4 / 16382)


def test_layout_is_the_native_one(tmp_path):
    write(tmp_path, cube(COARSE, 16), COARSE, BANDS)
    names = sorted(files(tmp_path))
    assert [name.split("-")[0][-12:] for name in names] == ["24JUL02182837"[-12:]] * 4
    for image, members in (("MUL", VNIR), ("SWIR", SWIR)):
        imd = next(tmp_path.glob(f"*_{image}/*.IMD"))
        tree = parse_imd(imd.read_text(), imd.name)
        groups = [key for key in tree if key.startswith("BAND_")]
        assert groups == [f"BAND_{band}" for band in members]
        assert (tree["numRows"], tree["numColumns"]) == ("40", "60")
        assert tree["MAP_PROJECTED_PRODUCT"]["mapZone"] == "11"
        # Half of the rows, less the fill in the other half.
        expected = 1200 / (2400 - 25)
        assert float(tree["IMAGE_1"]["cloudCover"]) == pytest.approx(expected, abs=6e-4)
        with rasterio.open(imd.with_suffix(".TIF")) as dataset:
            assert (dataset.count, dataset.dtypes[0]) == (8, "uint16")
            assert Grid.of(dataset) == COARSE
            assert (dataset.read()[:, :5, :5] == 0).all()


def test_what_is_too_bright_is_saturated(tmp_path):
    values = cube(COARSE, 16)
    values[3, 20, 30] = 3.0
    values[12, 21, 31] = -0.5
    with open_product(write(tmp_path, values, COARSE, BANDS)) as product:
        whole = Window(0, 0, 60, 40)
        saturated = product.read_flags(whole, ["saturation"]).any(axis=0)
        dark = product.read_reflectance(whole)[12, 21, 31]
    assert set(zip(*np.nonzero(saturated), strict=True)) == {(20, 30)}
    # The least number is 1, for 0 is no data.
    assert -0.1 < dark < 0


def test_the_same_bytes_again_with_threads_and_other_blocks(tmp_path):
    values = cube(FINE, 8)
    first = files(write(tmp_path / "a", values, FINE, part(VNIR), block_px=64))
    assert first == files(write(tmp_path / "b", values, FINE, part(VNIR), block_px=100, threads=3))
    # Written again over itself, with nothing left beside it.
    assert first == files(write(tmp_path / "a", values, FINE, part(VNIR), block_px=64))


def test_a_failure_leaves_what_was_there(tmp_path):
    before = files(write(tmp_path, cube(COARSE, 8), COARSE, part(SWIR)))

    def observe(_: Window) -> np.ndarray:
        raise RuntimeError("no light")

    with pytest.raises(RuntimeError, match="no light"):
        write_worldview3(
            tmp_path, observe, COARSE, flags=observe, bands=part(SWIR), acquired=ACQUIRED
        )
    assert files(tmp_path) == before


def test_part_of_an_image_is_refused(tmp_path):
    with pytest.raises(ValueError, match="all of its VNIR"):
        write(tmp_path, cube(COARSE, 3), COARSE, part(("C", "B", "G")))
