"""The ground as sensors of many bands have it: air, errors, places, products."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from gossan.cube.stack import averages, resample
from gossan.legend import read_classes
from gossan.library.readers import read_library
from gossan.products.readers import open_product
from gossan.raster import BandTable, Grid
from gossan.twin import emit, enmap, prisma, worldview3
from gossan.twin.epithermal import EpithermalGround
from gossan.twin.optics import (
    band_spectra,
    optical_depth,
    spectra_in_bands,
    surface_reflectance,
    tabulate_spectra,
)
from gossan.twin.porphyry import CONSTITUENTS, COVERS
from gossan.twin.site import Site, find_site
from gossan.twin.view import View, _part

SIZE = 32
SEVEN = ("alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite")
MODULES = {"emit": emit, "enmap": enmap, "prisma": prisma, "worldview3": worldview3}
INSTRUMENTS = {name: module.INSTRUMENT for name, module in MODULES.items()}
OUTPUTS = {
    "emit": "emit.nc",
    "enmap": "enmap",
    "prisma": "prisma.he5",
    "worldview3": "worldview3",
}
WRITERS = {
    "emit": emit.write_emit,
    "enmap": enmap.write_enmap,
    "prisma": prisma.write_prisma,
    "worldview3": worldview3.write_worldview3,
}


def place(seed: int = 42, difficulty: float = 1.0, size: int = SIZE) -> Site:
    return find_site("epithermal", seed=seed, size_px=[size], difficulty=difficulty)


@pytest.fixture(scope="module")
def codes(root):
    classes = read_classes(root / "resources" / "static" / "minerals.csv")
    return {entry.name: entry.code for entry in classes}


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


@pytest.fixture(scope="module")
def table(library):
    return tabulate_spectra(library, CONSTITUENTS)


@pytest.fixture(scope="module")
def scene(library, tmp_path_factory):
    """Products of all four sensors."""
    folder = tmp_path_factory.mktemp("scene")
    for sensor, module in MODULES.items():
        simulator = getattr(module, f"simulate_{sensor}")
        simulator(place(), library, folder / OUTPUTS[sensor], threads=1)
    return folder


@pytest.fixture(scope="module")
def view(library):
    @cache
    def make(sensor: str, difficulty: float = 1.0, seed: int = 42) -> View:
        return View(place(seed, difficulty), INSTRUMENTS[sensor], library)

    return make


def whole(grid: Grid) -> Window:
    return Window(0, 0, grid.width, grid.height)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# ---- ground -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [42, 1, 2])
def test_all_seven_minerals_have_a_field_at_the_default_size(seed, codes):
    side = 128
    ground = EpithermalGround(seed, (30.0 * side, 30.0 * side), 1.0)
    truth = ground.truth(Window(0, 0, side, side), 30, codes)
    counts = {name: int((truth == codes[name]).sum()) for name in SEVEN}
    assert min(counts.values()) >= 50, counts
    # Most of the ground is none of them.
    assert sum(counts.values()) < 0.65 * truth.size


def test_a_desert_without_water_and_snow():
    ground = EpithermalGround(2, (3840.0, 3840.0), 1.0)
    shares = ground.abundances(Window(0, 0, 64, 64), 60)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=1e-5)
    assert (shares >= 0).all()
    for name in ("water", "snow"):
        assert not shares[CONSTITUENTS.index(name)].any()
    assert shares[CONSTITUENTS.index("green_vegetation")].mean() < 0.1
    assert sum(shares[CONSTITUENTS.index(name)].mean() for name in COVERS) > 0.05
    height = ground.elevation(Window(0, 0, 64, 64), 60)
    assert 1400 < height.min() < height.max() < 3000


def test_an_error_of_pointing_moves_all_that_is_seen():
    right = EpithermalGround(7, (960.0, 960.0), 1.0)
    wrong = right.moved(30.0, -60.0)
    here, there = Window(5, 9, 6, 4), Window(6, 7, 6, 4)
    np.testing.assert_allclose(wrong.abundances(here, 30), right.abundances(there, 30), atol=1e-6)
    np.testing.assert_allclose(wrong.elevation(here, 30), right.elevation(there, 30), rtol=1e-6)
    np.testing.assert_allclose(
        wrong.illumination(here, 30, 60.0, 150.0)[0],
        right.illumination(there, 30, 60.0, 150.0)[0],
        atol=1e-5,
    )


# ---- spectra and air ----------------------------------------------------------------------------


def test_bands_have_the_spectra_that_other_twins_have(library, table):
    bands = INSTRUMENTS["enmap"].bands()
    part = slice(20, 200, 24)
    few = BandTable(bands.names[part], bands.centre_um[part], bands.fwhm_um[part])
    expected = band_spectra(library, few, None, CONSTITUENTS)
    got = spectra_in_bands(table, few)
    np.testing.assert_allclose(got.values, expected.values, atol=2e-3)
    np.testing.assert_array_equal(got.centre_um, expected.centre_um)


def test_the_end_of_a_spectrum_stands_for_a_band_beyond_it(table):
    # The shipped chalcocite begins at 0.4 µm.
    few = BandTable(("B001", "B002"), (0.381, 0.4), (0.0084, 0.0084))
    values = spectra_in_bands(table, few).values[:, CONSTITUENTS.index("chalcocite")]
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values[:, 0], values[:, 1], rtol=0.02)


def test_a_band_wider_than_a_line_sees_less_of_it():
    line = ((1.0, 0.003, 0.5),)
    narrow, wide, beside = (
        optical_depth(line, BandTable(("B",), (centre,), (fwhm,)))[0]
        for centre, fwhm in ((1.0, 1e-4), (1.0, 0.02), (1.1, 0.02))
    )
    assert narrow == pytest.approx(0.5, rel=1e-3)
    assert 0.1 < wide < 0.25
    assert beside < 1e-6


def test_sensors_have_errors_of_their_own(view):
    views = [view(sensor) for sensor in INSTRUMENTS]
    for one in views:
        offset = np.abs(one._ground.offset_m)
        assert (offset <= 0.5 * one.instrument.pixel_m).all()
        assert 0.0004 <= abs(one.shift_um) <= 0.0010
        assert 0.002 < np.std(one._gain) < 3 * one.instrument.gain_std
        assert 45 < one.sun[0] < 80
    for draws in ("shift_um", "_aerosol", "_water", "sun"):
        assert len({getattr(one, draws) for one in views}) == len(views)
    assert len({one._ground.offset_m for one in views}) == len(views)
    again = view("enmap", seed=43)
    assert again.shift_um != views[1].shift_um


# ---- what is seen -------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", list(INSTRUMENTS))
def test_on_easy_ground_only_the_light_on_slopes_is_left(view, sensor):
    easy = view(sensor, difficulty=0.0)
    window = Window(1, 2, 5, 4)
    place, pixel_m = easy._place(window), easy.instrument.pixel_m
    ground = EpithermalGround(42, (30.0 * SIZE, 30.0 * SIZE), 0.0)
    direct, _ = ground.illumination(place, pixel_m, *easy.sun)
    surface = surface_reflectance(
        ground.abundances(place, pixel_m), ground.variability(place, pixel_m), easy._spectra
    )
    np.testing.assert_allclose(easy.observe(window), surface * direct, atol=1e-4)
    assert not any(flag.any() for flag in easy.flags(window).values())


@pytest.mark.parametrize("sensor", list(INSTRUMENTS))
def test_hard_ground_is_seen_as_a_product_has_it(view, sensor):
    hard, easy = view(sensor), view(sensor, difficulty=0.0)
    window = whole(hard.grid)
    seen, clear = hard.observe(window), ~np.logical_or.reduce(list(hard.flags(window).values()))
    assert seen.dtype == np.float32
    clear &= np.isfinite(seen[0])
    centre = np.array(hard.bands.centre_um)
    known = (centre > 0.45) & (centre < 2.35) & ~((centre > 1.3) & (centre < 2.06))
    ratio = np.median((seen / easy.observe(window))[:, clear], axis=1)[known]
    # Bounds that a wrong scale, sign or order of bands would break.
    low, high = (0.75, 1.25) if hard.instrument.corrected else (0.5, 1.6)
    assert low < ratio.min() < ratio.max() < high
    assert not np.allclose(ratio, 1.0, atol=0.01)


def test_only_an_uncorrected_product_has_the_air_in_it(view):
    air = view("worldview3")
    seen = air.observe(whole(air.grid))
    easy = view("worldview3", difficulty=0.0).observe(whole(air.grid))
    blue = np.median(seen[0] - easy[0])
    assert blue > 0.02
    corrected = view("prisma")
    window = Window(0, 0, 16, 16)
    near = np.argmin(abs(np.array(corrected.bands.centre_um) - 0.427))
    difference = (
        corrected.observe(window)[near] - view("prisma", difficulty=0.0).observe(window)[near]
    )
    assert abs(np.median(difference)) < blue


def test_noise_has_the_size_that_the_instrument_has(view):
    for sensor in INSTRUMENTS:
        one = view(sensor)
        band = len(one.bands.names) // 3
        columns, rows = np.arange(120), np.arange(120)
        typical = 0.3 * one._gas[band]
        noise = one._noise(band, columns, rows, np.full((120, 120), typical))
        assert noise.std() == pytest.approx(typical / one._snr[band], rel=0.03)
        again = one._noise(band, columns[7:16], rows[5:14], np.full((9, 9), typical))
        np.testing.assert_array_equal(again, noise[5:14, 7:16])


def test_water_vapour_that_is_known_wrongly_stays_in(view):
    one = view("enmap")
    residual = one._water_residual(np.arange(64), np.arange(64))
    expected = one._airmass * one._water * one._water_error
    assert residual.mean() == pytest.approx(expected, abs=0.1)
    assert residual.std() > 0.01
    centre = np.array(one.bands.centre_um)
    depth = one._water_depth
    assert depth[np.argmin(abs(centre - 1.135))] > 0.3
    assert depth[np.argmin(abs(centre - 1.05))] < 0.01


def test_not_all_sensors_see_all_of_the_ground(view):
    seen = {}
    for sensor in INSTRUMENTS:
        one = view(sensor)
        assert one.grid.crs == place().grid.crs
        values = one.observe(whole(one.grid))
        unseen = np.isnan(values[0])
        np.testing.assert_array_equal(unseen, np.isnan(values).any(axis=0))
        full = (SIZE * 30 / one.instrument.pixel_m) ** 2
        seen[sensor] = (~unseen).sum() / full
    assert seen["emit"] == seen["enmap"] == 1.0
    assert seen["prisma"] == pytest.approx(0.78, abs=0.05)
    assert seen["worldview3"] == pytest.approx(0.8, abs=0.03)


def test_windows_join_without_a_seam(view):
    one = view("prisma")
    values, flags = one.observe(whole(one.grid)), one.flags(whole(one.grid))
    part = Window(9, 5, 11, 14)
    place = part.toslices()
    np.testing.assert_allclose(one.observe(part), values[(..., *place)], atol=2e-6)
    for name, flag in one.flags(part).items():
        np.testing.assert_array_equal(flag, flags[name][place])


def test_clouds_are_seen_and_nearly_all_flagged(view):
    clouded = flagged = 0
    for seed in range(6):
        one = view("enmap", seed=seed)
        window = whole(one.grid)
        sky = one._ground.clouds(window, 30.0, *one.sun, one._overpass)
        thick = sky.cloud > 1.0
        clouded += thick.sum()
        flagged += (one.flags(window)["cloud"] & thick).sum()
    assert clouded > 0
    assert flagged > 0.98 * clouded


# ---- products -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", list(INSTRUMENTS))
def test_what_is_seen_comes_back_where_it_is(sensor, tmp_path):
    """Golden: each pixel holds its own place, through writer, reader and stack's resampling."""
    target = place().grid
    instrument = INSTRUMENTS[sensor]
    covers = instrument.covers.get("epithermal", (0.0, 1.0, 0.0))
    grid, first = _part(place().covering(instrument.pixel_m), instrument, covers)
    bands, pixel_m = instrument.bands(), instrument.pixel_m
    span = 30.0 * SIZE

    def observe(window: Window) -> np.ndarray:
        x = (np.arange(window.width) + window.col_off + first[0] + 0.5) * pixel_m / span
        y = (np.arange(window.height) + window.row_off + 0.5) * pixel_m / span
        places = np.stack(np.meshgrid(x, y)).astype("float32")
        return places[np.arange(len(bands.names)) % 2]

    def no_flags(window: Window) -> dict[str, np.ndarray]:
        nowhere = np.zeros((window.height, window.width), bool)
        return dict.fromkeys(("cloud", "cloud_shadow", "cirrus"), nowhere)

    path = tmp_path / OUTPUTS[sensor]
    options = {"elevation_m": 1600.0} if sensor == "emit" else {}
    WRITERS[sensor](
        path,
        observe,
        grid,
        flags=no_flags,
        bands=bands,
        acquired=instrument.acquired,
        **options,
    )
    with open_product(sensor, path) as product:
        values = product.read_reflectance(whole(product.grid))
        places = [bands.names.index(name) % 2 for name in product.bands.names]
        pair = values[[places.index(0), places.index(1)]]
        got = span * resample(
            pair,
            product.grid.transform,
            product.grid.crs,
            target,
            averages(product.grid, target),
        )
    centre = 30 * (np.arange(SIZE) + 0.5)
    across, down = got[0] - centre[None, :], got[1] - centre[:, None]
    seen = np.isfinite(across)
    assert seen.mean() > 0.7
    # EMIT's pixels of 60 m are taken twice by the nearest one, as in the writer.
    most, mean = (80.0, 3.0) if sensor == "emit" else (1.0, 0.1)
    for error in (across[seen], down[seen]):
        assert np.abs(error).max() < most
        assert abs(error.mean()) < mean


def test_what_is_written(scene):
    assert {path.name for path in scene.iterdir()} == {*OUTPUTS.values(), "emit_MASK.nc"}


def test_the_readers_read_all_and_know_that_they_are_simulated(scene):
    area = place().grid.bounds
    for sensor, name in OUTPUTS.items():
        with open_product(sensor, scene / name) as product:
            assert product.synthetic, sensor
            assert product.surface_reflectance == (sensor != "worldview3")
            assert product.acquired[:4] in ("2022", "2023")
            assert 45 < product.sun_elevation_deg < 80
            if sensor != "emit":
                west, south, east, north = product.grid.bounds
                assert area[0] <= west < east <= area[2]
                assert (south, north) == (area[1], area[3])
            values = product.read_reflectance(whole(product.grid))
            assert 0.03 < np.nanmedian(values) < 0.6


def test_products_hold_what_was_seen(scene, view):
    for sensor, tolerance in (("enmap", 6e-5), ("prisma", 2e-5), ("worldview3", 1.5e-3)):
        seen = view(sensor).observe(whole(view(sensor).grid))
        with open_product(sensor, scene / OUTPUTS[sensor]) as product:
            read = product.read_reflectance(whole(product.grid))
            places = [view(sensor).bands.names.index(name) for name in product.bands.names]
        held = (read > 0.001) & (read < 0.999)
        assert held.mean() > 0.5
        np.testing.assert_allclose(read[held], seen[places][held], atol=tolerance)


def test_bytes_do_not_depend_on_threads(scene, library, tmp_path):
    expected = contents(scene)
    for sensor, module in MODULES.items():
        simulator = getattr(module, f"simulate_{sensor}")
        simulator(place(), library, tmp_path / OUTPUTS[sensor], threads=2)
    assert contents(tmp_path) == expected
