"""Parts of a product: bands, windows and polygons on its own grid."""

from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely.geometry import LineString, Polygon, box

from gossan.errors import InputError
from gossan.products.subset import nearest_bands, select_part, without_empty_bands
from gossan.raster import BandTable, Grid

WEST, NORTH, PIXEL = 500_000.0, 3_600_000.0, 30.0
GRID = Grid(CRS.from_epsg(32640), Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH), 60, 50)
BANDS = BandTable(("1", "3N", "4"), (0.556, 0.807, 1.656), (0.08, 0.1, 0.1))
NUMBERS = np.arange(3 * 50 * 60, dtype=np.float32).reshape(3, 50, 60)


def cut(values: np.ndarray, window: Window) -> np.ndarray:
    return values[
        :,
        window.row_off : window.row_off + window.height,
        window.col_off : window.col_off + window.width,
    ].copy()


PRODUCT = SimpleNamespace(
    product_id="PRODUCT",
    path="",
    grid=GRID,
    bands=BANDS,
    touches=lambda window: True,
    read_reflectance=lambda window: cut(NUMBERS, window),
    read_flags=lambda window, flags: cut(NUMBERS[: len(flags)] % 7 == 0, window),
)


def pixels(west: float, north: float, width: float, height: float) -> Polygon:
    """A rectangle in pixels, as a polygon in the grid's system."""
    left, top = WEST + PIXEL * west, NORTH - PIXEL * north
    return box(left, top - PIXEL * height, left + PIXEL * width, top)


def polygon_file(tmp_path, *shapes, crs="EPSG:32640", name="area.gpkg"):
    path = tmp_path / name
    geopandas.GeoDataFrame(geometry=list(shapes), crs=crs).to_file(path)
    return path


def whole(part) -> np.ndarray:
    return part.read_reflectance(Window(0, 0, part.grid.width, part.grid.height))


def test_all_of_a_product_is_the_product():
    part = select_part(PRODUCT)
    assert part.grid == GRID
    assert part.bands == BANDS
    np.testing.assert_array_equal(whole(part), NUMBERS)


def test_bands_in_the_order_asked_for():
    part = select_part(PRODUCT, bands=["4", "1"])
    assert part.bands == BandTable(("4", "1"), (1.656, 0.556), (0.1, 0.08))
    np.testing.assert_array_equal(whole(part), NUMBERS[[2, 0]])


def test_window_is_the_crop_and_keeps_its_place():
    part = select_part(PRODUCT, window=(10, 20, 30, 15))
    assert part.grid.shape == (15, 30)
    assert part.grid.place(0, 0) == GRID.place(10, 20)
    np.testing.assert_array_equal(whole(part), NUMBERS[:, 20:35, 10:40])
    inner = Window(3, 4, 5, 6)
    np.testing.assert_array_equal(part.read_reflectance(inner), NUMBERS[:, 24:30, 13:18])
    np.testing.assert_array_equal(
        part.read_flags(inner, ("fill", "cloud")), NUMBERS[:2, 24:30, 13:18] % 7 == 0
    )


@pytest.mark.parametrize("window", [(0, 0, 60, 50), (52, 42, 8, 8)])
def test_windows_at_the_edges_fit(window):
    part = select_part(PRODUCT, window=window)
    assert part.grid.shape == (window[3], window[2])


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ((55, 0, 10, 10), "outside of the scene; PRODUCT has 60 columns and 50 rows"),
        ((-1, 0, 10, 10), "outside of the scene"),
        ((0, 45, 10, 10), "outside of the scene"),
        ((100, 100, 10, 10), "outside of the scene"),
        ((0, 0, 7, 20), "smaller than 8 pixels"),
        ((0, 0, 20, -3), "smaller than 8 pixels"),
    ],
)
def test_bad_windows_are_refused(window, words):
    with pytest.raises(InputError, match=words):
        select_part(PRODUCT, window=window)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        (["4", "13"], "band 13 is unknown in PRODUCT; use: 1, 3N, 4"),
        (["4", "4"], "'4 4' names a band twice"),
    ],
)
def test_bad_bands_are_refused(bands, words):
    with pytest.raises(InputError, match=words):
        select_part(PRODUCT, bands=bands)


@pytest.mark.parametrize("name", ["area.gpkg", "area.geojson", "area.shp"])
def test_polygon_gives_its_window_with_nodata_outside(tmp_path, name):
    shape = Polygon(
        [GRID.place(*at) for at in ((10.2, 5.3), (40.4, 5.3), (40.4, 30.1), (10.2, 30.1))]
    ) - pixels(20, 10, 4, 4)
    part = select_part(PRODUCT, polygon=polygon_file(tmp_path, shape, name=name))
    assert (part.window.col_off, part.window.row_off) == (10, 5)
    assert part.grid.shape == (26, 31)
    expected = NUMBERS[:, 5:31, 10:41].copy()
    # A pixel counts where its centre lies inside: 10.5 does, 40.5 and 30.5 do not.
    expected[:, :, 30:] = np.nan
    expected[:, 25:] = np.nan
    expected[:, 5:9, 10:14] = np.nan
    np.testing.assert_array_equal(whole(part), expected)
    np.testing.assert_array_equal(
        part.read_reflectance(Window(7, 3, 9, 8)), expected[:, 3:11, 7:16]
    )


def test_polygon_in_another_system_is_reprojected(tmp_path):
    shape = pixels(10, 10, 20, 20)
    here = polygon_file(tmp_path, shape)
    moved = geopandas.GeoSeries([shape], crs="EPSG:32640").segmentize(30).to_crs("EPSG:4326")
    there = polygon_file(tmp_path, moved.iloc[0], crs="EPSG:4326", name="lonlat.geojson")
    one, other = (whole(select_part(PRODUCT, polygon=path)) for path in (here, there))
    valid = np.isfinite(other[0])
    assert abs(int(valid.sum()) - 400) <= 2
    assert abs(np.nanmean(other) - np.nanmean(one)) < 60


def test_polygon_that_reaches_beyond_the_scene_is_cut(tmp_path):
    part = select_part(PRODUCT, polygon=polygon_file(tmp_path, pixels(40, -30, 100, 60)))
    assert (part.window.col_off, part.window.row_off) == (40, 0)
    assert part.grid.shape == (30, 20)
    assert np.isfinite(whole(part)).all()


def test_two_polygons_make_one_window(tmp_path):
    path = polygon_file(tmp_path, pixels(2, 2, 5, 5), pixels(20, 20, 5, 5))
    part = select_part(PRODUCT, polygon=path)
    assert part.grid.shape == (23, 23)
    assert np.isfinite(whole(part)[0]).sum() == 50


@pytest.mark.parametrize(
    ("shapes", "crs", "words"),
    [
        ([pixels(200, 200, 20, 20)], "EPSG:32640", "does not overlap the scene"),
        ([pixels(10, 10, 20, 3)], "EPSG:32640", "covers 20 x 3 pixels"),
        ([pixels(10, 10, 20, 20)], None, "has no coordinate system"),
        ([LineString([(WEST, NORTH), (WEST + 900, NORTH - 900)])], "EPSG:32640", "holds LineStr"),
        ([Polygon()], "EPSG:32640", "no geometry"),
    ],
)
def test_bad_polygons_are_refused(tmp_path, shapes, crs, words):
    with pytest.raises(InputError, match=words):
        select_part(PRODUCT, polygon=polygon_file(tmp_path, *shapes, crs=crs))


def test_files_that_hold_no_polygon_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.gpkg: no such file of polygons"):
        select_part(PRODUCT, polygon=tmp_path / "nothing.gpkg")
    text = tmp_path / "words.gpkg"
    text.write_text("no polygon")
    with pytest.raises(InputError, match=r"words\.gpkg: not a vector file"):
        select_part(PRODUCT, polygon=text)
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"table\.csv: needs one column called longitude"):
        select_part(PRODUCT, polygon=table)


ASTER = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.6607, 0.8067, 1.656, 2.167, 2.209, 2.262, 2.336, 2.4),
    (0.08, 0.063, 0.1056, 0.0932, 0.0368, 0.0403, 0.0479, 0.0707, 0.0672),
)


def test_the_bands_nearest_to_wavelengths_come_once_and_in_their_order():
    centres = (1.65, 2.165, 2.205, 2.26, 2.33, 2.395)
    assert nearest_bands(ASTER, centres) == (("4", "5", "6", "7", "8", "9"), ())
    assert nearest_bands(ASTER, centres[::-1])[0] == ("4", "5", "6", "7", "8", "9")
    assert nearest_bands(ASTER, (2.2, 1.65, 2.21))[0] == ("4", "6")
    # 0.0993 µm from band 3N is within its width, 0.0693 µm from band 4 within neither.
    assert nearest_bands(ASTER, (0.906, 2.2)) == (("3N", "6"), ())
    assert nearest_bands(BandTable(("a", "b"), (1.0, 2.0), (0.01, 0.01)), (1.05, 2.0)) == (
        ("a", "b"),
        (),
    )


def test_centres_without_a_band_are_told_and_two_bands_are_needed():
    assert nearest_bands(ASTER, (1.2, 1.65, 2.2)) == (("4", "6"), (1.2,))
    with pytest.raises(InputError, match=r"1 of the bands, which lie between 0\.556 and 2\.4 µm"):
        nearest_bands(ASTER, (1.65, 11.0))
    with pytest.raises(InputError, match="none of the bands"):
        nearest_bands(ASTER, (1.2,))
    with pytest.raises(InputError, match="bands a b have no wavelengths"):
        nearest_bands(BandTable(("a", "b")), (1.2,))


def with_gaps(band: int, last: tuple[int, int] | None):
    """The product, one band of which has a number in its `last` pixel only, or in none."""
    numbers = NUMBERS.copy()
    numbers[band] = np.nan
    if last is not None:
        numbers[(band, *last)] = 0.5
    return SimpleNamespace(
        product_id="PRODUCT",
        path="",
        grid=GRID,
        bands=BANDS,
        touches=lambda window: True,
        read_reflectance=lambda window: cut(numbers, window),
    )


def test_a_band_without_any_number_leaves_the_part():
    part, empty = without_empty_bands(select_part(with_gaps(1, None)), named=False)
    assert empty == ["bands 3N: no valid number in any pixel, left out"]
    assert part.bands.names == ("1", "4")
    np.testing.assert_array_equal(whole(part), NUMBERS[[0, 2]])


def test_a_band_with_one_number_stays():
    for place in ((49, 59), (0, 0), (13, 31)):
        part, empty = without_empty_bands(select_part(with_gaps(0, place)), named=False)
        assert (part.bands, empty) == (BANDS, [])


def test_a_named_band_without_any_number_is_refused():
    part = select_part(with_gaps(2, None), ["1", "4"])
    with pytest.raises(InputError, match=r"PRODUCT: band 4 has no valid number in this part"):
        without_empty_bands(part, named=True)


def test_what_is_empty_depends_on_the_part_alone(tmp_path):
    product = with_gaps(1, (49, 59))
    part = select_part(product, window=(0, 0, 30, 30))
    assert without_empty_bands(part, named=False)[0].bands.names == ("1", "4")
    nothing = SimpleNamespace(
        product_id="PRODUCT",
        path="",
        grid=GRID,
        bands=BANDS,
        touches=lambda window: True,
        read_reflectance=lambda window: np.full((3, window.height, window.width), np.nan),
    )
    assert without_empty_bands(select_part(nothing), named=False)[1] == []


def test_a_band_of_several_dates_is_empty_where_it_is_so_on_all():
    dates = [with_gaps(1, None), with_gaps(1, (49, 59))]
    part = select_part(dates[0])
    assert without_empty_bands(part, False, dates) == (part, [])
    left, notes = without_empty_bands(part, False, dates[:1] * 2)
    assert left.bands.names == ("1", "4")
    assert len(notes) == 1
