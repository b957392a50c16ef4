"""The coat that all bare ground has in common."""

import numpy as np
import pytest
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.products.landsat import BAND_TABLES
from gossan.raster import BandTable
from gossan.twin.coating import COAT, RECIPE, CoatedGround
from gossan.twin.grounds import GROUNDS, MOST_COATING
from gossan.twin.optics import spectra_in_bands, surface_reflectance, tabulate_spectra
from gossan.twin.simulators import SIMULATORS, simulate
from gossan.twin.site import find_site
from gossan.twin.terrain import Terrain

WINDOW = Window(3, 5, 24, 20)
CLEAN = ("green_vegetation", "dry_vegetation", "water", "snow")


def place(name="epithermal", coating=0.8, difficulty=1.0):
    ground = GROUNDS[name]
    size_px = [ground.least_px] * (1 if ground.square else 2)
    return find_site(name, seed=42, size_px=size_px, difficulty=difficulty, coating=coating)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


def contents(folder):
    return {one.name: one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.mark.parametrize("name", list(GROUNDS))
def test_without_a_coat_the_ground_is_itself(name):
    assert isinstance(place(name, 0.0).terrain, Terrain)


@pytest.mark.parametrize("coating", [-0.1, 0.96, float("nan")])
def test_a_coat_out_of_range_is_refused(coating):
    with pytest.raises(InputError, match=r"--coating .*: out of range; use 0 to 0.95"):
        place(coating=coating)


@pytest.mark.parametrize("coating", [0.0, 1.0])
def test_a_coated_ground_has_some_coat_and_some_ground(coating):
    with pytest.raises(ValueError, match="is not between 0 and 1"):
        CoatedGround(place(coating=0.0).terrain, coating)


@pytest.mark.parametrize("name", list(GROUNDS))
def test_the_coat_hides_bare_ground_alone_and_all_of_it_alike(name):
    bare, coated = (place(name, coating).terrain for coating in (0.0, 0.6))
    pixel_m = float(GROUNDS[name].pixel_m)
    below, seen = (ground.abundances(WINDOW, pixel_m) for ground in (bare, coated))
    assert coated.constituents == (*bare.constituents, COAT)
    assert seen.dtype == np.float32
    assert seen.sum(axis=0) == pytest.approx(1.0, abs=1e-5)
    exposed = [i for i, one in enumerate(bare.constituents) if one not in CLEAN]
    clean = [i for i, one in enumerate(bare.constituents) if one in CLEAN]
    assert np.array_equal(seen[clean], below[clean])
    some = below[exposed].sum(axis=0) > 0.01
    share = seen[-1][some] / below[exposed].sum(axis=0)[some]
    assert 0.1 < share.min() < share.max() < 0.95
    assert seen[exposed][:, some] == pytest.approx(below[exposed][:, some] * (1 - share), abs=1e-5)


def test_the_share_of_the_coat_is_what_was_asked_for_and_changes_slowly():
    site = find_site("epithermal", seed=42, size_px=[512], difficulty=1.0, coating=0.6)
    seen = site.terrain.abundances(Window(0, 0, 128, 128), 120.0)
    exposed = [i for i, one in enumerate(site.terrain.constituents) if one not in CLEAN]
    share = seen[-1] / seen[exposed].sum(axis=0)
    assert np.median(share) == pytest.approx(0.6, abs=0.03)
    assert np.ptp(share) > 0.3
    fine = site.terrain.abundances(Window(0, 0, 64, 64), 30.0)
    share = fine[-1] / fine[exposed].sum(axis=0)
    assert np.abs(np.diff(share)).max() < 0.05


@pytest.mark.parametrize("name", ["porphyry-zones", "iron"])
def test_any_window_alone_and_any_place_moved_to_is_the_same(name):
    ground, pixel_m = place(name).terrain, float(GROUNDS[name].pixel_m)
    part = Window(WINDOW.col_off + 4, WINDOW.row_off + 2, 8, 9)
    inner = (slice(None), slice(2, 11), slice(4, 12))
    moved = ground.moved(4 * pixel_m, 2 * pixel_m)
    first = Window(WINDOW.col_off, WINDOW.row_off, 8, 9)
    whole = ground.abundances(WINDOW, pixel_m)[inner]
    assert np.array_equal(ground.abundances(part, pixel_m), whole)
    assert moved.abundances(first, pixel_m)[-1] == pytest.approx(whole[-1], abs=1e-5)
    varied, alone = (ground.variability(window, pixel_m) for window in (WINDOW, part))
    for one in ("depth", "brightness", "tilt"):
        assert np.array_equal(getattr(alone, one), getattr(varied, one)[inner])


def test_a_thick_coat_puts_all_pixels_into_one_cone_of_different_brightness(library):
    bands = BandTable(tuple("1234567"), *BAND_TABLES["LANDSAT_8"])
    spread, dim = {}, {}
    for coating in (0.0, MOST_COATING):
        ground = find_site(
            "epithermal", seed=42, size_px=[128], difficulty=1.0, coating=coating
        ).terrain
        window = Window(0, 0, 128, 128)
        table = tabulate_spectra(ground.materials(library), ground.constituents)
        shares = ground.abundances(window, 30.0)
        plants = sum(shares[ground.constituents.index(one)] for one in CLEAN)
        seen = surface_reflectance(
            shares, ground.variability(window, 30.0), spectra_in_bands(table, bands)
        )[:, plants < 0.02]
        unit = seen / np.linalg.norm(seen, axis=0)
        mean = unit.mean(axis=1)
        spread[coating] = np.median(np.arccos(unit.T @ mean / np.linalg.norm(mean)))
        dim[coating] = np.std(np.log(np.linalg.norm(seen, axis=0)))
    assert spread[MOST_COATING] < 0.03 < 0.1 < spread[0.0]
    assert dim[MOST_COATING] > 0.05


def test_the_truth_is_that_of_the_ground_below():
    bare, coated = (place(coating=coating).terrain for coating in (0.0, 0.95))
    codes = {one: code for code, one in enumerate(bare.constituents)}
    below = bare.truth(WINDOW, 30.0, codes)
    assert np.array_equal(coated.truth(WINDOW, 30.0, codes), below)


@pytest.mark.parametrize("sensor", list(SIMULATORS))
def test_every_sensor_sees_the_coat_the_same_whatever_the_threads(sensor, library, tmp_path):
    suffix = {"landsat": ".tar", "aster": ".hdf", "emit": ".nc", "prisma": ".he5"}.get(sensor, "")
    found = []
    for number, (coating, threads) in enumerate(((0.0, 1), (0.8, 1), (0.8, 2))):
        path = tmp_path / str(number) / f"product{suffix}"
        path.parent.mkdir()
        simulate(sensor, place(coating=coating), library, path, dates=1, threads=threads)
        found.append(contents(path.parent))
    bare, coated, again = found
    assert coated == again
    assert coated != bare


def test_a_library_without_a_part_of_the_coat_is_named(library):
    short = [spectrum for spectrum in library if spectrum.name != "illite"]
    assert "illite" in RECIPE
    with pytest.raises(InputError, match="the library has no spectrum named illite"):
        place("iron").terrain.materials(short)
