"""The twin as an ASTER product: place, numbers, metadata, determinism."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.products.aster import open_product
from gossan.twin import aster
from gossan.twin.porphyry import DISTRICT_M, PorphyryGround
from gossan.twin.site import Site, find_site, window_of

SIZE = (72, 64)
WHOLE = Window(0, 0, *SIZE)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


@pytest.fixture(scope="module")
def site():
    return find_site("porphyry-zones", seed=42, size_px=SIZE, difficulty=1.0)


@pytest.fixture(scope="module")
def write(library, site):
    def make(folder: Path, **options) -> Path:
        product = folder / "aster.hdf"
        aster.simulate_aster(site, library, product, **({"block_px": 32} | options))
        return product

    return make


@pytest.fixture(scope="module")
def file(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("scene"))


def window(
    first: tuple[int, int], size: tuple[int, int], seed: int = 42, difficulty: float = 1.0
) -> Site:
    district = PorphyryGround(seed, (DISTRICT_M, DISTRICT_M), difficulty).moved(-7.5, -7.5)
    return window_of("porphyry-zones", district, first, size)


# ---- product ------------------------------------------------------------------------------------


def test_the_reader_reads_it_and_knows_that_it_is_simulated(file, site):
    with open_product(file) as product:
        assert product.synthetic
        assert product.product_id == "AST_L1T_00307212002072145_20150413000000_00000"
        assert product.collection == "003"
        assert product.acquired == "2002-07-21T07:21:45.000000Z"
        assert product.sun_elevation_deg == 69.053
        assert product.grid == site.grid
        vnir = product.grids["VNIR"]
        assert (vnir.width, vnir.height) == (2 * SIZE[0] - 1, 2 * SIZE[1] - 1)
        reflectance = product.read_reflectance(WHOLE)
        fill = product.read_flags(WHOLE, ["fill"]).any(axis=0)
    assert not fill.any()
    assert np.isfinite(reflectance).all()
    assert 0.2 < np.median(reflectance) < 0.6
    assert reflectance.min() >= 0


def test_the_district_lies_at_its_centre():
    grid = window((0, 0), (512, 512)).grid
    (lon,), (lat,) = rasterio.warp.transform(grid.crs, "EPSG:4326", *zip(grid.place(256, 256)))
    assert lat == pytest.approx(33.18, abs=0.001)
    assert lon == pytest.approx(52.40, abs=0.001)
    x, y = grid.place(0.5, 0.5)
    assert (x % 30, y % 30) == (0, 0)


def test_native_names_of_data_and_metadata(file):
    from pyhdf.SD import SD

    opened = SD(str(file))
    assert set(opened.datasets()) == {f"ImageData{b}" for b in ("1", "2", "3N", *"456789")}
    texts = opened.attributes()
    for attribute, keys in {
        "coremetadata.0": ("INVENTORYMETADATA", "CALENDARDATE", "TIMEOFDAY", "LOCALGRANULEID"),
        "productmetadata.0": ("ASTERGENERICMETADATA", "SOLARDIRECTION", "GAININFORMATION"),
        "productmetadata.1": ("UPPERLEFTM", "LOWERRIGHTM", "UTMZONENUMBER"),
    }.items():
        for key in keys:
            assert f"= {key}\n" in texts[attribute], key
    assert "Simulated by gossan; not a satellite image" in texts["coremetadata.0"]
    opened.end()


def test_same_bytes_with_other_threads_and_same_numbers_with_other_blocks(file, write, tmp_path):
    assert write(tmp_path / "again", threads=2).read_bytes() == file.read_bytes()
    product = write(tmp_path / "blocks", block_px=50)
    with open_product(file) as one, open_product(product) as two:
        np.testing.assert_array_equal(one.read_reflectance(WHOLE), two.read_reflectance(WHOLE))


def test_a_small_scene_is_a_window_of_a_large_one(library):
    def block(first, size):
        scene = aster.plan_scene(window(first, size), library)
        return aster.simulate_block(scene, Window(0, 0, *size))

    large, small = block((100, -20), (40, 40)), block((110, -15), (12, 9))
    np.testing.assert_array_equal(small.swir, large.swir[:, 5:14, 10:22])
    np.testing.assert_array_equal(small.vnir, large.vnir[:, 10:27, 20:43])


def test_15_m_and_30_m_pixels_fit_together():
    """Cells whose value is their column: interpolated values lie on the line through them."""
    coarse = np.broadcast_to(np.arange(6.0), (5, 6))
    between = aster._between(coarse)
    assert between.shape == (7, 9)
    np.testing.assert_allclose(between[0], np.arange(0.5, 5, 0.5))
    # Where an average of 30 m is asked for, the interpolated values give the coarse ones back.
    np.testing.assert_allclose(aster.mean_about(between), coarse[1:-1, 1:-1])


def test_noise_quantisation_and_saturation(library):
    scene = aster.plan_scene(window((0, 0), SIZE, 1), library)
    flat = np.full((6, 60, 60), 0.35)
    numbers = aster._digital_numbers(scene, "SWIR", 0, 0, flat)
    with_gain = numbers[1].std() / (numbers[1].mean() - 1)
    # Band 5: 0.0065 at 0.7, of which 30 % of the variance stay in the dark.
    expected = 0.0065 * np.sqrt(0.3 + 0.7 * 0.5) / 0.35
    assert with_gain == pytest.approx(expected, rel=0.15)
    easy = aster.plan_scene(window((0, 0), SIZE, 1, 0.0), library)
    clean = aster._digital_numbers(easy, "SWIR", 0, 0, flat)
    assert all(len(np.unique(band)) == 1 for band in clean)
    bright = aster._digital_numbers(scene, "SWIR", 0, 0, np.full((6, 2, 2), 1.5))
    assert (bright == 255).all()
    dark = aster._digital_numbers(scene, "SWIR", 0, 0, np.full((6, 2, 2), -0.5))
    assert (dark == 1).all()


def test_a_library_without_a_constituent_is_refused_and_leaves_nothing(site, library, tmp_path):
    short = [spectrum for spectrum in library if spectrum.name != "alunite"]
    with pytest.raises(InputError, match="alunite"):
        aster.simulate_aster(site, short, tmp_path / "aster.hdf")
    assert list(tmp_path.iterdir()) == []


def test_the_file_tells_nothing_of_the_machine(file):
    assert str(file.parent).encode() not in file.read_bytes()
    assert b".part" not in file.read_bytes()


def test_southern_ground_is_told_as_southern(library, tmp_path):
    site = find_site("iron", seed=1, size_px=[96], difficulty=1.0)
    aster.simulate_aster(site, library, tmp_path / "aster.hdf")
    with open_product(tmp_path / "aster.hdf") as product:
        assert product.grid == site.covering(30)
