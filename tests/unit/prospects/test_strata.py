"""strata: indices and their rules, rings and the nearest mine, the draw, the split, bad input."""

from dataclasses import replace

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from iron_scenes import CRS, MINES, PIXEL_M, make_district, square, truth_codes, write_points
from rasterio import crs
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.prospects.strata import (
    COVERS,
    Design,
    Mine,
    Rules,
    _Rings,
    bare_soil_index,
    classify_cover,
    draw_samples,
    held_out_count,
    index_bands,
    pixel_priority,
    read_samples,
    read_spectra,
    write_samples,
)
from gossan.raster import BandTable, Grid, read_info

RULES = Rules(0.2, 0.5, 0.0)


def design_of(**changes):
    """The paper's design, with changes."""
    paper = {
        **{"distances_m": (100.0, 200.0, 500.0, 10_000.0), "counts": (20, 20, 20, 40)},
        **{"ore_count": 20, "min_distance_m": 30.0, "test_share": 0.3, "seed": 42},
        "spatial_block_px": 32,
    }
    return Design(**{**paper, "allow_fewer": False, **changes})


SMALL = design_of(counts=(8, 8, 8, 12), ore_count=10, min_distance_m=40.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_district(tmp_path_factory.mktemp("district"))


def draw(folder, design=SMALL, **options):
    files = (folder / "cube.tif", folder / "mines.gpkg", folder / "ore.gpkg")
    return draw_samples(*files, design=design, rules=options.pop("rules", RULES), **options)


def test_bare_soil_index_is_that_of_the_publication():
    bands = (np.float32([[value]]) for value in (0.1, 0.2, 0.3, 0.5))
    assert bare_soil_index(*bands)[0, 0] == pytest.approx((0.7 - 0.4) / (0.7 + 0.4))
    zero = np.zeros((1, 1), np.float32)
    assert np.isnan(bare_soil_index(zero, zero, zero, zero))


def test_rules_leave_water_and_nothing_else_without_a_cover():
    ndvi = np.float32([[0.2, 0.2001, 0.4999, 0.5, 0.1, -0.5, np.nan]])
    bsi = np.float32([[0.1, 0.1, -0.1, -0.3, -0.01, -0.4, np.nan]])
    names = ["", *COVERS]
    said = [names[code] for code in classify_cover(ndvi, bsi, RULES)[0]]
    assert said == ["soil", "mixed", "mixed", "vegetation", "", "", ""]


def test_indices_find_their_bands_by_wavelength():
    landsat = BandTable(("B2", "B3", "B4", "B5", "B6"), (0.4826, 0.5613, 0.6546, 0.8646, 1.609))
    found = index_bands(landsat, "cube.tif")
    assert found.places == (0, 2, 3, 4)
    assert (found.note, found.green_for_blue) == ("B2 B4 B5 B6", False)
    with pytest.raises(InputError, match=r"cube\.tif: has no shortwave infrared band"):
        index_bands(BandTable(landsat.names[:4], landsat.centre_um[:4]), "cube.tif")
    with pytest.raises(InputError, match=r"cube\.tif: its bands have no wavelengths"):
        index_bands(BandTable(landsat.names), "cube.tif")


ASTER = BandTable(("1", "2", "3N", "4", "6"), (0.556, 0.661, 0.807, 1.656, 2.209))
SENTINEL2 = BandTable(
    ("B02", "B03", "B04", "B08", "B11", "B12"), (0.493, 0.56, 0.665, 0.833, 1.614, 2.202)
)


def stack_of(**tables):
    """The bands of several sensors as a stack's."""
    names = [f"{sensor}:{name}" for sensor, table in tables.items() for name in table.names]
    centres = [centre for table in tables.values() for centre in table.centre_um]
    return BandTable(tuple(names), tuple(centres))


def test_without_a_blue_band_green_stands_in_and_that_is_said():
    found = index_bands(ASTER, "cube.tif")
    assert found.names == ("1", "2", "3N", "4")
    assert found.note == "1 2 3N 4 (green in place of blue)"


def test_the_bands_of_a_stack_are_of_one_sensor_with_blue_if_there_is_one():
    found = index_bands(stack_of(aster=ASTER, sentinel2=SENTINEL2), "stack.tif")
    assert found.note == "sentinel2:B02 sentinel2:B04 sentinel2:B08 sentinel2:B11"
    assert found.places == (5, 7, 8, 9)
    visible = BandTable(SENTINEL2.names[:4], SENTINEL2.centre_um[:4])
    found = index_bands(stack_of(aster=ASTER, planet=visible), "stack.tif")
    assert found.note == "aster:1 aster:2 aster:3N aster:4 (green in place of blue)"
    infrared = BandTable(ASTER.names[3:], ASTER.centre_um[3:])
    with pytest.raises(InputError, match="no sensor of it has all bands for NDVI and BSI"):
        index_bands(stack_of(aster=infrared, planet=visible), "stack.tif")


@pytest.mark.parametrize("window", [Window(0, 0, 90, 80), Window(13, 27, 40, 31)])
def test_rings_and_nearest_mines_are_those_of_exact_distances(window):
    grid = Grid(crs.CRS.from_epsg(32723), Affine(20, 0, 0, 0, -20, 0), 90, 80)
    generator = np.random.default_rng(5)
    mines = []
    for name, x, y in (("a", 500, -700), ("b", 1100, -800), ("c", 900, -300)):
        corners = generator.normal((x, y), 60, (8, 2))
        mines.append(Mine(name, "hematite", shapely.MultiPoint(corners).convex_hull))
    distances = (100.0, 200.0, 500.0, 700.0)
    mine, stratum = _Rings.around(mines, distances, grid).locate(window)
    rows, columns = np.mgrid[: window.height, : window.width]
    points = shapely.points(
        *grid.place(columns + window.col_off + 0.5, rows + window.row_off + 0.5)
    )
    exact = np.stack([shapely.distance(item.shape, points) for item in mines])
    nearest = exact.min(axis=0)
    expected = np.searchsorted((0.0, *distances), nearest, side="left")
    # A buffer is a polygon, a little inside its circle.
    clear = np.abs(nearest[..., np.newaxis] - distances).min(axis=-1) > 0.1
    assert np.array_equal(stratum[clear], np.where(expected == 5, -1, expected)[clear])
    apart = np.sort(exact, axis=0)
    settled = clear & (stratum > 0) & (apart[1] - apart[0] > 1e-6)
    assert settled.sum() > 500
    assert np.array_equal(mine[settled], exact.argmin(axis=0)[settled])


def test_strata_are_named_as_in_the_paper():
    assert design_of().strata == ("ore", "0-100 m", "100-200 m", "200-500 m", "500 m-10 km")
    assert design_of(distances_m=(1000.0, 2500.0), counts=(1, 1)).strata[1:] == (
        "0-1 km",
        "1-2.5 km",
    )


def test_counts_strata_and_distances_are_as_asked(folder):
    samples, rows = draw(folder)
    assert len(samples) == 2 * (10 + 3 * (8 + 8 + 8 + 12))
    assert all(row["drawn"] == row["asked"] == row["train"] + row["test"] for row in rows)
    assert len(rows) == 2 * (1 + 4 * 3)
    xy = np.stack([samples.column, samples.row], axis=1) * PIXEL_M
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 40.0
    polygons = {name: square(*middle, 8) for name, middle in MINES.items()}
    grid = read_info(folder / "cube.tif").grid
    limits = {"ore": (0, 0), "0-100 m": (0, 100), "100-200 m": (100, 200)}
    limits |= {"200-500 m": (200, 500), "500 m-10 km": (500, 10_000)}
    for place in range(len(samples)):
        point = shapely.Point(*grid.place(samples.column[place] + 0.5, samples.row[place] + 0.5))
        to = {name: shape.distance(point) for name, shape in polygons.items()}
        assert to[samples.mine[place]] == min(to.values())
        low, high = limits[samples.stratum[place]]
        assert low <= to[samples.mine[place]] <= high
        assert (samples.stratum[place] == "ore") == (samples.cover[place] == "ore")
    assert set(samples.mineral[samples.cover == "ore"]) == {"hematite", "itabirite"}
    assert set(samples.mineral[samples.cover != "ore"]) == {""}
    width = -(-120 // 32)
    assert np.array_equal(samples.block, samples.row // 32 * width + samples.column // 32)


def test_without_ground_truth_the_indices_say_the_cover(folder):
    samples, _ = draw(folder)
    cover = samples.cover != "ore"
    assert np.array_equal(samples.rule[cover], samples.cover[cover])
    assert (samples.ndvi[samples.cover == "soil"] <= 0.2).all()
    assert (samples.bsi[samples.cover == "soil"] >= 0.0).all()
    assert (samples.ndvi[samples.cover == "vegetation"] >= 0.5).all()
    assert set(samples.labelled_by) == {"ore points", "indices"}


def test_ground_truth_says_the_cover(folder):
    classes = read_classes(folder / "covers.csv")
    samples, rows = draw(folder, truth=folder / "truth.tif", classes=classes)
    truth = truth_codes()
    names = {item.code: item.name for item in classes}
    at = truth[samples.row, samples.column]
    assert [names[code] for code in at] == samples.cover.tolist()
    assert set(samples.labelled_by) == {"ore points", "truth"}
    assert (samples.rule != samples.cover).any()
    pixels = sum(row["pixels"] for row in rows if row["class"] == "soil")
    assert pixels == (truth == 2)[6:].sum() + (truth == 2)[:6, 6:].sum()


def test_each_class_and_mineral_is_split_by_its_share(folder):
    samples, _ = draw(folder)
    for cover, mineral in (("ore", "hematite"), ("ore", "itabirite"), ("soil", ""), ("mixed", "")):
        own = (samples.cover == cover) & (samples.mineral == mineral)
        assert (samples.split[own] == "test").sum() == round(0.3 * own.sum())
    assert [held_out_count(n, 0.3) for n in (0, 1, 2, 3, 10)] == [0, 0, 1, 1, 3]
    assert held_out_count(2, 0.9) == 1


def test_seed_alone_decides_the_draw(folder, monkeypatch):
    first, _ = draw(folder)
    monkeypatch.setattr("gossan.prospects.strata.WINDOW_PX", 32)
    again, _ = draw(folder, threads=2)
    for name in ("row", "column", "split", "cover"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    other, _ = draw(folder, replace(SMALL, seed=43))
    assert not np.array_equal(first.row, other.row)


def test_priorities_are_even_and_differ_between_seeds():
    row, column = np.mgrid[:200, :300]
    share = pixel_priority(row.ravel(), column.ravel(), 300, 1) / 2.0**64
    assert len(np.unique(share)) == share.size
    assert np.abs(np.histogram(share, 20, (0, 1))[0] / share.size - 0.05).max() < 0.004
    assert abs(np.corrcoef(share[1:], share[:-1])[0, 1]) < 0.02
    assert not np.array_equal(share, pixel_priority(row.ravel(), column.ravel(), 300, 2) / 2.0**64)


def test_samples_come_back_from_the_file(folder, tmp_path):
    samples, _ = draw(folder)
    grid = read_info(folder / "cube.tif").grid
    for name in ("a.gpkg", "b.gpkg"):
        write_samples(tmp_path / name, samples, grid)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    again = read_samples(tmp_path / "a.gpkg", grid)
    for name, values in samples.__dict__.items():
        assert np.array_equal(getattr(again, name), values), name
    shifted = Grid(grid.crs, grid.transform @ Affine.translation(1, 0), grid.width, grid.height)
    with pytest.raises(InputError, match=r"a\.gpkg: the samples are of another grid"):
        read_samples(tmp_path / "a.gpkg", shifted)
    features = geopandas.read_file(tmp_path / "a.gpkg")
    assert features.crs.to_epsg() == 32723
    features["split"] = "validation"
    features.to_file(tmp_path / "c.gpkg")
    with pytest.raises(InputError, match="'split' is validation"):
        read_samples(tmp_path / "c.gpkg", grid)


def test_spectra_of_points_are_those_of_the_cube(folder):
    row, column = np.array([60, 0, 119]), np.array([40, 0, 3])
    spectra = read_spectra(folder / "cube.tif", row, column)
    assert spectra.shape == (3, 10)
    assert np.isnan(spectra[1]).all()
    assert np.isfinite(spectra[[0, 2]]).all()
    with pytest.raises(InputError, match=r"cube\.tif: samples lie outside"):
        read_spectra(folder / "cube.tif", np.array([120]), np.array([0]))


def test_short_strata_are_named_with_their_numbers(folder):
    design = design_of(counts=(8, 8, 8, 12), ore_count=50, min_distance_m=40.0)
    with pytest.raises(InputError) as caught:
        draw(folder, design)
    assert "mine hematite, stratum ore, ore: 36 of 50 (from 36 pixels)" in str(caught.value)
    assert "mine itabirite, stratum ore" in str(caught.value)
    fewer, rows = draw(folder, replace(design, allow_fewer=True))
    assert (fewer.cover == "ore").sum() == 72
    assert next(row for row in rows if row["class"] == "ore")["asked"] == 50


def test_a_class_that_is_nowhere_is_named(folder):
    rules = Rules(0.2, 0.5, 1.0)
    with pytest.raises(InputError, match="stratum 0-100 m, soil: 0 of 8 "):
        draw(folder, rules=rules)
    with pytest.raises(InputError, match="0 points of the class soil in all strata"):
        draw(folder, replace(SMALL, allow_fewer=True), rules=rules)


def mines(folder, tmp_path, **columns):
    shapes = columns.pop("geometry", [square(*middle, 8) for middle in MINES.values()])
    geopandas.GeoDataFrame(columns, geometry=shapes, crs=CRS).to_file(tmp_path / "mines.gpkg")
    return draw_samples(
        *(folder / "cube.tif", tmp_path / "mines.gpkg", folder / "ore.gpkg"),
        design=SMALL,
        rules=RULES,
    )


def test_a_mine_outside_of_the_composite_is_named(folder, tmp_path):
    shapes = [square(40, 60, 8), square(400, 60, 8)]
    with pytest.raises(InputError, match=r"mines\.gpkg: the mine far lies outside"):
        mines(
            folder, tmp_path, geometry=shapes, name=["near", "far"], **{"class": ["hematite"] * 2}
        )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"class": ["hematite", "gold"]}, "is gold in some features"),
        ({"class": ["hematite", "hematite"]}, "two mines are called hematite"),
        ({"grade": ["hematite", "itabirite"]}, "lack the attribute 'class'"),
    ],
)
def test_mines_that_cannot_be_used_are_refused(folder, tmp_path, columns, message):
    with pytest.raises(InputError, match=message):
        mines(folder, tmp_path, **columns)


def test_ore_points_outside_of_all_mines_do_not_count(folder, tmp_path):
    write_points(tmp_path / "ore.gpkg", [(10.5, 10.5), (40.5, 60.5), (40.6, 60.4)])
    with pytest.raises(InputError, match=r"hematite, stratum ore, ore: 1 of 10 \(from 1 pixels\)"):
        draw_samples(
            *(folder / "cube.tif", folder / "mines.gpkg", tmp_path / "ore.gpkg"),
            design=SMALL,
            rules=RULES,
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": (1, 2)}, "counts: 2 numbers for 4 rings"),
        ({"distances_m": (100.0, 50.0, 500.0, 1000.0)}, "distances-m"),
        ({"counts": (0, 0, 0, 0)}, "counts, ore-count"),
        ({"min_distance_m": -1.0}, "min-distance-m: -1"),
        ({"test_share": 1.0}, "test-share: 1"),
        ({"spatial_block_px": 0}, "spatial-block-px"),
    ],
)
def test_designs_that_cannot_be_drawn_are_refused(folder, change, message):
    with pytest.raises(InputError, match=message):
        draw(folder, replace(SMALL, **change))


@pytest.mark.parametrize("rules", [Rules(0.5, 0.5, 0), Rules(0.2, 1.5, 0), Rules(0.2, 0.5, 2.0)])
def test_rules_that_contradict_themselves_are_refused(folder, rules):
    with pytest.raises(InputError, match="soil-"):
        draw(folder, rules=rules)
