"""Any sensor images any ground: every pair reads back, in its place; code apart by sensor."""

import ast
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.products.readers import READERS, open_product
from gossan.raster import BandTable, Grid
from gossan.twin.grounds import GROUNDS
from gossan.twin.optics import spectra_in_bands, surface_reflectance, tabulate_spectra
from gossan.twin.simulators import SIMULATORS, simulate
from gossan.twin.site import Site, find_site

PRODUCTS = {
    "landsat": "landsat.tar",
    "aster": "aster.hdf",
    "sentinel2": "sentinel2",
    "emit": "emit.nc",
    "enmap": "enmap",
    "prisma": "prisma.he5",
    "worldview3": "worldview3",
}
CORRECTED = ("sentinel2", "emit", "enmap", "prisma")


@cache
def place(name: str, difficulty: float) -> Site:
    """The smallest ground of a name."""
    ground = GROUNDS[name]
    size_px = [ground.least_px] * (1 if ground.square else 2)
    return find_site(name, seed=42, size_px=size_px, difficulty=difficulty)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


def contents(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return {one.name: one.read_bytes() for one in files}


def open_written(sensor: str, path: Path):
    if sensor != "sentinel2":
        return open_product(sensor, path)
    (date,) = path.iterdir()
    return open_product(sensor, date)


def lit_ground(site: Site, product, band: int, library) -> tuple[np.ndarray, Grid]:
    """Reflectance of the ground in a band, in the light on its slopes, on pixels of 60 m."""
    grid = site.covering(60.0)
    window = Window(0, 0, grid.width, grid.height)
    terrain, moment = site.terrain, datetime.fromisoformat(product.acquired)
    bands = product.bands
    one = BandTable(*((part[band],) for part in (bands.names, bands.centre_um, bands.fwhm_um)))
    table = tabulate_spectra(terrain.materials(library), terrain.constituents)
    direct, _ = terrain.illumination(window, 60.0, *site.sun(moment)[:2])
    surface = surface_reflectance(
        terrain.season(terrain.abundances(window, 60.0), terrain.leaf(moment)),
        terrain.variability(window, 60.0),
        spectra_in_bands(table, one, product.sensor),
    )
    return surface[0] * direct, grid


@pytest.mark.parametrize("name", list(GROUNDS))
@pytest.mark.parametrize("sensor", list(SIMULATORS))
def test_every_sensor_images_every_ground_in_its_place(sensor, name, library, tmp_path):
    """On ground without air, clouds and noise, so that what is there is what is seen."""
    site = place(name, 0.0)
    simulate(sensor, site, library, tmp_path / PRODUCTS[sensor], dates=1)
    with open_written(sensor, tmp_path / PRODUCTS[sensor]) as product:
        assert product.synthetic
        assert product.surface_reflectance == (sensor in CORRECTED)
        assert product.sun_elevation_deg > 40
        band = int(np.argmin(np.abs(np.array(product.bands.centre_um) - 1.65)))
        values = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
        truth, grid = lit_ground(site, product, band, library)
        found = np.full(grid.shape, np.nan, np.float32)
        reproject(
            values[band],
            found,
            src_transform=product.grid.transform,
            src_crs=product.grid.crs,
            src_nodata=np.nan,
            dst_transform=grid.transform,
            dst_crs=grid.crs,
            dst_nodata=np.nan,
            resampling=Resampling.average,
        )
    seen = np.isfinite(found)
    # Only over its own ground of five sensors some see a part.
    assert seen.mean() > (0.75 if name == "epithermal" else 0.95)
    assert 0.85 < np.median(found[seen] / truth[seen]) < 1.15
    here = likeness(found, truth, 0, 0)
    # EMIT's pixels are taken twice by the nearest one, up to 90 m off.
    assert here > (0.7 if sensor == "emit" else 0.85)
    # A pixel off to any side it would be less like it.
    assert all(
        likeness(found, truth, row, column) < here
        for row in (-1, 0, 1)
        for column in (-1, 0, 1)
        if row or column
    )


def likeness(found: np.ndarray, truth: np.ndarray, rows: int, columns: int) -> float:
    """Correlation inside of the outermost pixels, with the truth moved by so many pixels."""
    inner = found[1:-1, 1:-1]
    moved = np.roll(truth, (rows, columns), (0, 1))[1:-1, 1:-1]
    seen = np.isfinite(inner)
    return float(np.corrcoef(inner[seen], moved[seen])[0, 1])


@pytest.mark.parametrize("sensor", list(SIMULATORS))
def test_hard_ground_that_no_sensor_was_made_for_is_seen_too(sensor, library, tmp_path):
    name = "iron" if sensor != "sentinel2" else "porphyry"
    path, again = tmp_path / PRODUCTS[sensor], tmp_path / "again" / PRODUCTS[sensor]
    simulate(sensor, place(name, 2.0), library, path, dates=1)
    with open_written(sensor, path) as product:
        assert product.synthetic
        values = product.read_reflectance(Window(0, 0, product.grid.width, product.grid.height))
    assert np.isfinite(values).any(axis=0).mean() > 0.75
    assert 0.05 < np.nanmedian(values) < 0.7
    # What a sensor sees depends on nothing but ground, seed and size.
    simulate(sensor, place(name, 2.0), library, again, dates=1, threads=2)
    assert contents(again) == contents(path)


def test_an_unknown_sensor_is_named(library, tmp_path):
    with pytest.raises(InputError, match="sensor 'aviris' is unknown; use one of: landsat, aster"):
        simulate("aviris", place("epithermal", 1.0), library, tmp_path / "x")


def test_sentinel2_needs_its_dates(library, tmp_path):
    with pytest.raises(InputError, match="--dates is not given"):
        simulate("sentinel2", place("epithermal", 1.0), library, tmp_path / "x")


@pytest.mark.parametrize("sensor", list(SIMULATORS))
def test_a_library_without_a_constituent_is_named_and_leaves_nothing(sensor, library, tmp_path):
    short = [spectrum for spectrum in library if spectrum.name != "quartz"]
    for name in ("epithermal", "iron"):
        with pytest.raises(InputError, match="the library has no spectrum named quartz"):
            simulate(sensor, place(name, 1.0), short, tmp_path / "x", dates=1)
    assert list(tmp_path.iterdir()) == []


# ---- code ---------------------------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("gossan."):
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def owner(module: str) -> str | None:
    """The sensor that a module belongs to by its name."""
    room, _, name = module.removeprefix("gossan.").partition(".")
    if room == "twin" and name in SIMULATORS:
        return name
    stem = name.partition(".")[0]
    if room == "products":
        return next((sensor for sensor in SIMULATORS if stem.startswith(sensor)), None)
    return None


def test_no_module_imports_one_of_another_sensor_but_the_two_registries(root):
    package = root / "scripts" / "gossan"
    # Rasters that are on one grid already are no sensor's, and nothing simulates them.
    assert tuple(READERS) == (*SIMULATORS, "rasters")
    for room in ("twin", "products"):
        for path in sorted((package / room).glob("*.py")):
            if path.stem in ("simulators", "readers"):
                continue
            own = owner(f"gossan.{room}.{path.stem}")
            if own is None and room == "products":
                continue
            others = {owner(module) for module in imports(path)} - {None, own}
            assert not others, f"{path}: imports of {', '.join(others)}"


def test_the_registry_imports_a_sensor_in_the_function_of_its_name_alone(root):
    tree = ast.parse((root / "scripts/gossan/twin/simulators.py").read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found = {
        function.name: {
            owner(node.module) for node in ast.walk(function) if isinstance(node, ast.ImportFrom)
        }
        - {None}
        for function in functions
    }
    for sensor in SIMULATORS:
        assert found.pop(f"_simulate_{sensor}") == {sensor}
    assert not any(found.values())
