"""The twin as an ASTER product: place, numbers, metadata, zones, determinism."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import read_library
from gossan.products.aster import SENSOR, open_product
from gossan.raster import Grid
from gossan.twin import aster
from gossan.twin.ground import ALTERATION, CONSTITUENTS, DISTRICT_M, Ground
from gossan.twin.landsat import constituent_codes
from gossan.twin.optics import band_spectra

SIZE = (72, 48)
WHOLE = Window(0, 0, *SIZE)
FILES = ("product.hdf", "truth.tif", "zones.gpkg")


@pytest.fixture(scope="module")
def classes(root):
    return read_classes(root / "resources" / "static" / "minerals.csv")


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


@pytest.fixture(scope="module")
def write(classes, library):
    def make(folder: Path, **options) -> tuple[Path, Path, Path]:
        settings = {"seed": 42, "size_px": SIZE, "difficulty": 1.0, "block_px": 32} | options
        product, truth, zones = (folder / name for name in FILES)
        aster.write_aster(
            product, truth, reference=zones, library=library, classes=classes, **settings
        )
        return product, truth, zones

    return make


@pytest.fixture(scope="module")
def files(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def ground():
    return Ground(42, (DISTRICT_M, DISTRICT_M))


def burn(zones: Path, grid: Grid) -> np.ndarray:
    table = geopandas.read_file(zones)
    code = {name: ALTERATION.index(name) for name in aster.REFERENCE_ZONES}
    return rasterize(
        [(shape, code[name]) for shape, name in zip(table.geometry, table["class"], strict=True)],
        out_shape=grid.shape,
        transform=grid.transform,
        dtype="uint8",
    )


# ---- product ------------------------------------------------------------------------------------


def test_the_reader_reads_it_and_knows_that_it_is_simulated(files, ground):
    with open_product(files[0]) as product:
        assert product.synthetic
        assert product.product_id == aster.PRODUCT_ID
        assert product.collection == "003"
        assert product.acquired == "2002-07-21T07:21:45.000000Z"
        assert product.sun_elevation_deg == aster.SUN_ELEVATION_DEG
        assert product.grid == aster.scene_grid(aster.place_window(ground, SIZE), SIZE)
        vnir = product.grids["VNIR"]
        assert (vnir.width, vnir.height) == (2 * SIZE[0] - 1, 2 * SIZE[1] - 1)
        reflectance = product.read_reflectance(WHOLE)
        fill = product.read_flags(WHOLE, ["fill"]).any(axis=0)
    assert not fill.any()
    assert np.isfinite(reflectance).all()
    assert 0.2 < np.median(reflectance) < 0.6
    assert reflectance.min() >= 0


def test_it_lies_at_zafarghand():
    size = (512, 512)
    grid = aster.scene_grid((0, 0), size)
    (lon,), (lat,) = rasterio.warp.transform(grid.crs, "EPSG:4326", *zip(grid.place(256, 256)))
    assert lat == pytest.approx(33.18, abs=0.001)
    assert lon == pytest.approx(52.40, abs=0.001)
    x, y = grid.place(0.5, 0.5)
    assert (x % 30, y % 30) == (0, 0)


def test_native_names_of_data_and_metadata(files):
    from pyhdf.SD import SD

    file = SD(str(files[0]))
    assert set(file.datasets()) == {f"ImageData{b}" for b in ("1", "2", "3N", *"456789")}
    texts = file.attributes()
    for attribute, keys in {
        "coremetadata.0": ("INVENTORYMETADATA", "CALENDARDATE", "TIMEOFDAY", "LOCALGRANULEID"),
        "productmetadata.0": ("ASTERGENERICMETADATA", "SOLARDIRECTION", "GAININFORMATION"),
        "productmetadata.1": ("UPPERLEFTM", "LOWERRIGHTM", "UTMZONENUMBER"),
    }.items():
        for key in keys:
            assert f"= {key}\n" in texts[attribute], key
    assert "Simulated by gossan; not a satellite image" in texts["coremetadata.0"]
    file.end()


def test_same_bytes_with_other_threads_and_same_numbers_with_other_blocks(files, write, tmp_path):
    for one, two in zip(files, write(tmp_path / "again", threads=2), strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    product, truth, zones = write(tmp_path / "blocks", block_px=50)
    with open_product(files[0]) as one, open_product(product) as two:
        np.testing.assert_array_equal(one.read_reflectance(WHOLE), two.read_reflectance(WHOLE))
    with rasterio.open(files[1]) as one, rasterio.open(truth) as two:
        np.testing.assert_array_equal(one.read(), two.read())
    assert zones.read_bytes() == files[2].read_bytes()


def test_a_small_scene_is_a_window_of_a_large_one(ground, library, classes):
    def scene(first, size):
        spectra = {n: band_spectra(library, bands, SENSOR) for n, bands in aster.BANDS.items()}
        codes = constituent_codes(classes)
        return aster._Scene(ground, aster.scene_grid(first, size), first, spectra, codes)

    large = aster.simulate_block(scene((100, -20), (40, 40)), Window(0, 0, 40, 40))
    small = aster.simulate_block(scene((110, -15), (12, 9)), Window(0, 0, 12, 9))
    np.testing.assert_array_equal(small.swir, large.swir[:, 5:14, 10:22])
    np.testing.assert_array_equal(small.vnir, large.vnir[:, 10:27, 20:43])
    np.testing.assert_array_equal(small.zones, large.zones[5:14, 10:22])
    np.testing.assert_array_equal(small.truth, large.truth[5:14, 10:22])
    assert aster.scene_grid((110, -15), (1, 1)).place(0, 0) == large_place((100, -20), 10, 5)


def large_place(first, column, row):
    return aster.scene_grid(first, (40, 40)).place(column, row)


def test_15_m_and_30_m_pixels_fit_together():
    """Cells whose value is their column: means of 30 m lie on the line through the 15 m values."""
    fine = np.broadcast_to(np.arange(9.0), (7, 9))
    np.testing.assert_allclose(aster._average(fine), np.broadcast_to([1, 3, 5, 7], (3, 4)))
    coarse = np.broadcast_to(np.arange(6.0), (5, 6))
    between = aster._between(coarse)
    assert between.shape == (7, 9)
    np.testing.assert_allclose(between[0], np.arange(0.5, 5, 0.5))
    # Where an average of 30 m is asked for, the interpolated values give the coarse ones back.
    np.testing.assert_allclose(aster._average(between), coarse[1:-1, 1:-1])


def test_noise_quantisation_and_saturation():
    ground = Ground(1, (DISTRICT_M, DISTRICT_M), 1.0)
    flat = np.full((6, 60, 60), 0.35)
    numbers = aster._digital_numbers(ground, "SWIR", 0, 0, flat)
    with_gain = numbers[1].std() / (numbers[1].mean() - 1)
    # Band 5: 0.0065 at 0.7, of which 30 % of the variance stay in the dark.
    expected = 0.0065 * np.sqrt(0.3 + 0.7 * 0.5) / 0.35
    assert with_gain == pytest.approx(expected, rel=0.15)
    clean = aster._digital_numbers(Ground(1, (300, 300), 0.0), "SWIR", 0, 0, flat)
    assert all(len(np.unique(band)) == 1 for band in clean)
    bright = aster._digital_numbers(ground, "SWIR", 0, 0, np.full((6, 2, 2), 1.5))
    assert (bright == 255).all()
    dark = aster._digital_numbers(ground, "SWIR", 0, 0, np.full((6, 2, 2), -0.5))
    assert (dark == 1).all()


# ---- zones --------------------------------------------------------------------------------------


def test_zones_are_fields_of_the_ground(ground):
    window = Window(150, 200, 160, 120)
    zones = ground.alteration(window, 30.0)
    assert set(np.unique(zones)) <= set(range(len(ALTERATION)))
    hard = Ground(42, (DISTRICT_M, DISTRICT_M), 3.0)
    np.testing.assert_array_equal(hard.alteration(window, 30.0), zones)
    part = ground.alteration(Window(170, 210, 30, 20), 30.0)
    np.testing.assert_array_equal(part, zones[10:30, 20:50])


def test_zones_hold_the_minerals_of_their_name():
    ground = Ground(42, (DISTRICT_M, DISTRICT_M), 0.0)
    window = Window(160, 250, 160, 120)
    zones = ground.alteration(window, 30.0)
    minerals = np.array(CONSTITUENTS)[ground.abundances(window, 30.0).argmax(axis=0)]

    def share(zone, *names):
        return np.isin(minerals[zones == ALTERATION.index(zone)], names).mean()

    assert share("phyllic", "muscovite", "pyrite") > 0.4
    assert share("phyllic", "chlorite", "epidote") < 0.1
    assert share("propylitic", "chlorite", "epidote") > 0.6
    assert share("propylitic", "muscovite") < 0.05


@pytest.mark.parametrize("seed", [1, 42])
def test_the_window_of_the_paper_holds_both_zones(seed):
    ground = Ground(seed, (DISTRICT_M, DISTRICT_M))
    column, row = aster.place_window(ground, aster.DEFAULT_SIZE_PX)
    assert 0 <= column <= 512 - 147
    assert 0 <= row <= 512 - 87
    whole = ground.alteration(aster._coarse(Window(0, 0, 512, 512)), 30)

    def smaller(c, r):
        part = whole[r : r + 87, c : c + 147]
        return min((part == ALTERATION.index(name)).sum() for name in aster.REFERENCE_ZONES)

    best = smaller(column, row)
    assert best > 0.2 * 147 * 87
    places = np.random.default_rng(0).integers(0, (512 - 147, 512 - 87), (300, 2))
    assert max(smaller(c, r) for c, r in places) <= best


def test_scenes_as_large_as_the_district_share_its_centre(ground):
    assert aster.place_window(ground, (2500, 2100)) == (-994, -794)
    column, row = aster.place_window(ground, (600, 87))
    assert column == -44
    assert 0 <= row <= 512 - 87


def test_the_reference_is_polygons_of_both_zones(files, ground):
    table = geopandas.read_file(files[2])
    assert table.crs.to_epsg() == 32639
    assert set(table["class"]) == set(aster.REFERENCE_ZONES)
    assert set(table["source"]) == {aster.ORIGIN}
    # Nothing is drawn below the smallest patch, and the polygons lie on the product's pixels.
    assert table.area.min() >= 10 * 900
    with open_product(files[0]) as product:
        grid = product.grid
    burnt = burn(files[2], grid)
    first = aster.place_window(ground, SIZE)
    field = ground.alteration(aster._coarse(Window(*first, *SIZE)), 30)
    both = np.isin(field, [ALTERATION.index(name) for name in aster.REFERENCE_ZONES])
    mapped = burnt > 0
    # What is mapped is the field's zone, but for small patches; what is missing is covered.
    assert (burnt[mapped] == field[mapped]).mean() > 0.97
    assert mapped.sum() > 0.8 * both.sum()


def test_covered_ground_and_small_patches_are_not_drawn():
    phyllic = ALTERATION.index("phyllic")
    zones = np.zeros((20, 20), np.uint8)
    zones[2:12, 2:12] = phyllic
    zones[5, 5] = 0
    zones[15:17, 15:17] = phyllic
    transform = aster.scene_grid((0, 0), (20, 20)).transform
    ((name, geometry),) = aster.map_zones(zones, transform)
    assert name == "phyllic"
    assert len(geometry["coordinates"]) == 1


def test_truth_holds_known_codes(files, classes):
    with rasterio.open(files[1]) as dataset:
        values = dataset.read(1)
        assert dataset.nodata == 255
        assert dataset.tags()["SYNTHETIC"] == "yes"
        with open_product(files[0]) as product:
            product.grid.require_same(Grid.of(dataset), "truth")
    assert set(np.unique(values).tolist()) <= {entry.code for entry in classes}
    assert files[1].with_suffix(".qml").exists()
    assert Path(f"{files[1]}.aux.xml").exists()


# ---- faults -------------------------------------------------------------------------------------


def test_a_scene_without_zones_is_refused_and_leaves_nothing(write, tmp_path, monkeypatch):
    monkeypatch.setattr(aster, "map_zones", lambda *_: [])
    with pytest.raises(InputError, match=r"zones\.gpkg.*neither phyllic nor propylitic"):
        write(tmp_path, size_px=(32, 32))
    assert list(tmp_path.iterdir()) == []


def test_a_library_without_a_constituent_is_refused(library, classes, tmp_path):
    short = [spectrum for spectrum in library if spectrum.name != "alunite"]
    with pytest.raises(InputError, match="alunite"):
        aster.write_aster(
            *(tmp_path / name for name in FILES[:2]),
            reference=tmp_path / FILES[2],
            seed=1,
            difficulty=1.0,
            library=short,
            classes=classes,
        )


def test_the_file_tells_nothing_of_the_machine(files):
    assert str(files[0].parent).encode() not in files[0].read_bytes()
    assert b".part" not in files[0].read_bytes()
