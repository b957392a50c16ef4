"""Dates of several Sentinel-2 tiles on one grid: passes, overlaps, zones, and what does not fit."""

import re

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.warp import transform
from rasterio.windows import Window
from sentinel2_products import CORNER_M, NO_OFFSETS, numbers, product_name, write_safe

from gossan.errors import InputError
from gossan.products import sentinel2_tiles
from gossan.products.sentinel2 import open_dates, open_product

DAY, LATER = "20240719", "20240724"
WEST, EAST = "23LLF", "23LMF"
# Two tiles of 36 x 24 pixels of 10 m, of which 12 columns overlap.
STEP_PX = 24
BOTH = Window(0, 0, 60, 24)


def moved(columns: int) -> tuple[float, float]:
    return CORNER_M[0] + 10 * columns, CORNER_M[1]


def read(date, window=BOTH):
    """Stored numbers of a window, 0 where there are none."""
    return np.nan_to_num(date.read_reflectance(window)[0] * 10000 + 1000).round().astype(int)


@pytest.fixture
def tiles():
    """Images of one band of two neighbours that differ, also where they overlap."""
    return numbers(1, bands=("B04",)), numbers(2, bands=("B04",))


def write_both(folder, tiles, day=DAY):
    write_safe(folder, tiles[0], day=day, tile=WEST)
    write_safe(folder, tiles[1], day=day, tile=EAST, corner=moved(STEP_PX))


def test_a_pass_over_two_tiles_is_one_date(tmp_path, tiles):
    write_both(tmp_path, tiles)
    write_safe(tmp_path, tiles[1], day=LATER, tile=EAST, corner=moved(STEP_PX), spacecraft="B")
    first, second = open_dates(tmp_path, ["B04"])
    assert first.grid == second.grid
    assert (first.grid.width, first.grid.height) == (60, 24)
    assert first.grid.place(0, 0) == CORNER_M
    assert (first.tiles, second.tiles) == ((WEST, EAST), (EAST,))
    assert first.parts == (product_name(tile=WEST), product_name(tile=EAST))
    whole = np.concatenate([tiles[0]["B04"], tiles[1]["B04"][:, 36 - STEP_PX :]], axis=1)
    np.testing.assert_array_equal(read(first), whole)
    np.testing.assert_array_equal(read(second)[:, STEP_PX:], tiles[1]["B04"])
    assert (read(second)[:, :STEP_PX] == 0).all()
    assert second.read_flags(BOTH, ["fill"])[0].sum() == STEP_PX * 24
    assert first.touches(BOTH) and not second.touches(Window(0, 0, STEP_PX, 24))
    for date in (first, second):
        date.close()


def test_where_the_first_tile_has_no_data_the_second_gives_bands_and_flags(tmp_path, tiles):
    west, east = tiles
    # The swath ends in the first tile's last four columns.
    west["B04"][:, 32:], west["SCL"][:, 16:] = 0, 0
    west["SCL"][:, 15], east["SCL"][:] = 8, 4
    write_both(tmp_path, tiles)
    with open_product(tmp_path, ["B04"]) as date:
        seen, (fill, cloud) = read(date), date.read_flags(BOTH, ["fill", "cloud"])
    np.testing.assert_array_equal(seen[:, :32], west["B04"][:, :32])
    np.testing.assert_array_equal(seen[:, 32:], east["B04"][:, 8:])
    assert not fill.any()
    # The cloud of the first tile stays: it is what the pixel's bands are of.
    assert (cloud == (np.arange(60) // 2 == 15)).all()


def test_a_tile_in_the_north_lies_where_it_is(tmp_path, tiles):
    write_safe(tmp_path, tiles[0], tile=WEST)
    corner = (CORNER_M[0], CORNER_M[1] + 180)
    write_safe(tmp_path, tiles[1], tile="23LLG", corner=corner)
    with open_product(tmp_path, ["B04"]) as date:
        assert date.grid.place(0, 0) == corner
        assert date.grid.shape == (42, 36)
        seen = read(date, Window(0, 0, 36, 42))
    np.testing.assert_array_equal(seen[18:], tiles[0]["B04"])
    np.testing.assert_array_equal(seen[:18], tiles[1]["B04"][:18])


def test_two_granules_of_one_look_are_one_date(tmp_path, small=("B04",)):
    upper, lower = numbers(1, bands=small), numbers(1, bands=small)
    upper["B04"][12:], upper["SCL"][6:] = 0, 0
    lower["B04"][:12], lower["SCL"][:6] = 0, 0
    write_safe(tmp_path / "a", upper)
    other = write_safe(tmp_path / "b", lower)
    text = (other / "MTD_MSIL2A.xml").read_text().replace("T190000", "T190001")
    (other / "MTD_MSIL2A.xml").write_text(text)
    (tmp_path / "a" / "second.SAFE").symlink_to(other)
    with open_product(tmp_path / "a", ["B04"]) as date:
        np.testing.assert_array_equal(
            read(date, Window(0, 0, 36, 24)), numbers(1, bands=small)["B04"]
        )
        assert date.tiles == ("23LLF",)


def test_of_two_processings_that_tell_other_times_the_later_gives_the_pixels(tmp_path, tiles):
    old = write_safe(tmp_path, tiles[0], baseline="02.14", offsets=NO_OFFSETS)
    write_safe(tmp_path, tiles[1], baseline="05.11")
    metadata = old / "MTD_MSIL2A.xml"
    metadata.write_text(metadata.read_text().replace("49.024Z", "49.023Z"))
    with open_product(tmp_path, ["B04"]) as date:
        np.testing.assert_array_equal(read(date, Window(0, 0, 36, 24)), tiles[1]["B04"])
        assert date.collection == "02.14, 05.11"


def longitudes(grid_crs, corner, width, height):
    """Longitude of the pixel centres of a grid of 10 m."""
    x, y = np.meshgrid(
        corner[0] + 10 * (np.arange(width) + 0.5), corner[1] - 10 * (np.arange(height) + 0.5)
    )
    lon, _ = transform(grid_crs, CRS.from_epsg(4326), x.ravel(), y.ravel())
    return np.array(lon).reshape(height, width)


def stored(lon):
    """A number that tells the place: 1000 a kilometre or so."""
    return np.rint(2000 + (lon + 42.05) * 108_000).astype(np.uint16)


@pytest.fixture
def zones(tmp_path):
    """A tile of zone 23 and, beside and over its edge at 42 degrees west, one of zone 24."""
    size = (12, 10)
    height, width = size[1] * 6, size[0] * 6
    corners = {"23LRE": (823_020.0, 8_400_000.0)}
    x, y = transform(
        CRS.from_epsg(32723), CRS.from_epsg(32724), [823_020.0 + 400], [8_400_000.0 + 60]
    )
    corners["24LTK"] = (60 * round(x[0] / 60), 60 * round(y[0] / 60))
    for tile, corner in corners.items():
        crs = f"EPSG:327{tile[:2]}"
        images = numbers(0, size, ("B04",))
        images["B04"] = stored(longitudes(CRS.from_string(crs), corner, width, height))
        write_safe(tmp_path / "dates", images, tile=tile, corner=corner, crs=crs)
    return tmp_path / "dates"


def test_a_tile_of_another_zone_comes_to_the_grid_by_the_nearest_pixel(zones, monkeypatch):
    with open_product(zones, ["B04"]) as date:
        grid = date.grid
        assert grid.crs == CRS.from_epsg(32723)
        window = Window(0, 0, grid.width, grid.height)
        seen = read(date, window)
        assert any("tile 24LTK, of EPSG:32724: the nearest pixel" in note for note in date.notes)
        # Cut anyhow it is the same to the bit.
        for left, top, width, height in ((3, 5, 70, 40), (60, 0, 17, grid.height), (0, 61, 9, 3)):
            part = date.read_reflectance(Window(left, top, width, height))[0]
            whole = date.read_reflectance(window)[0]
            np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])
        monkeypatch.setattr(sentinel2_tiles, "_LATTICE_PX", 1)
        assert (read(date, window) == seen).mean() > 0.999
    expected = stored(longitudes(grid.crs, grid.place(0, 0), grid.width, grid.height)).astype(int)
    known = seen > 0
    assert known.mean() > 0.7
    # Of the grid's own zone the very pixel; of the other, half a diagonal (7.1 m) away at most.
    assert np.abs(seen - expected)[known].max() <= 7.2
    own = np.zeros(grid.shape, bool)
    rows, columns = (
        round((grid.place(0, 0)[1] - 8_400_000) / 10),
        round((823_020 - grid.place(0, 0)[0]) / 10),
    )
    own[rows : rows + 60, columns : columns + 72] = True
    assert np.abs(seen - expected)[own].max() == 0
    assert (known & ~own).sum() > 1000


def test_the_grid_is_of_the_zone_with_most_tiles(zones):
    corner = next(iter(open_dates(zones, ["B04"]))).grid.place(0, 0)
    write_safe(
        zones,
        numbers(0, (12, 10), ("B04",)),
        tile="24LUK",
        corner=(240_000.0, 60 * round(corner[1] / 60)),
        crs="EPSG:32724",
    )
    assert open_dates(zones, ["B04"])[0].grid.crs == CRS.from_epsg(32724)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"corner": (CORNER_M[0] + 245, CORNER_M[1])}, "T23LMF.*: its pixels lie beside those of"),
        ({"corner": (CORNER_M[0], CORNER_M[1] - 4_000_000)}, "T23LMF.*lies 4,000 km from 23LLF"),
        ({"crs": "EPSG:32601"}, "T23LMF.*km from 23LLF; give tiles of one scene"),
    ],
)
def test_tiles_that_do_not_fit_are_named(tmp_path, tiles, other, message):
    write_safe(tmp_path, tiles[0], tile=WEST)
    write_safe(tmp_path, tiles[1], tile=EAST, **other)
    with pytest.raises(InputError, match=message):
        open_dates(tmp_path, ["B04"])


def test_a_tile_without_a_band_that_is_asked_for_is_named(tmp_path, tiles):
    write_safe(tmp_path, {**tiles[0], "B03": tiles[0]["B04"]}, tile=WEST)
    write_safe(tmp_path, tiles[1], tile=EAST, corner=moved(STEP_PX))
    with pytest.raises(InputError, match=r"T23LMF.*: has no image of band B03"):
        open_dates(tmp_path, ["B03", "B04"])


def test_one_look_in_two_processings_is_refused_among_many_tiles(tmp_path, tiles):
    write_both(tmp_path, tiles)
    write_safe(tmp_path, tiles[0], tile=WEST, baseline="02.14", offsets=NO_OFFSETS)
    with pytest.raises(InputError, match=r"T23LLF.*is the same look as .*T23LLF.*; keep one"):
        open_dates(tmp_path, ["B04"])


@pytest.mark.parametrize(
    "name",
    [
        "LC08_L2SP_218070_20210722_20210729_02_T1.tar",
        "ENMAP01-____L2A-DT0000000001_20220612",
        "S2A_MSIL2A_20210722T130251_N0500_R095_T23LQE_20230115T000000.json",
        "T23LQE_20210722T130251_B04_10m.jp2",
    ],
)
def test_a_folder_of_two_sensors_or_formats_is_refused(tmp_path, tiles, name):
    write_both(tmp_path, tiles)
    (tmp_path / name).write_text("x")
    # What bears no satellite's name is the user's own.
    (tmp_path / "outline.json").write_text("{}")
    with pytest.raises(InputError, match=rf"{re.escape(name)}: is of another sensor or format"):
        open_dates(tmp_path, ["B04"])
    (tmp_path / name).unlink()
    assert len(open_dates(tmp_path, ["B04"])) == 1
