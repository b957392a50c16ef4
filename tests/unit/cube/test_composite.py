"""The median composite: against numpy, masks and counts, pieces on disk, bounded memory."""

import subprocess
import sys
import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.cube import composite
from gossan.cube.composite import LOOKS_NODATA, Composite, median_of_looks
from gossan.errors import InputError
from gossan.products.subset import select_part
from gossan.raster import BandTable, Grid

BANDS = BandTable(("B02", "B03", "B04"), (0.49, 0.56, 0.66), (0.06, 0.03, 0.03))
GRID = Grid(CRS.from_epsg(32723), Affine(10, 0, 600_000, 0, -10, 8_700_000), 30, 20)
WHOLE = Window(0, 0, 30, 20)


@dataclass
class Date:
    """A date held in memory: reflectance and one array per flag."""

    values: np.ndarray
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    product_id: str = "S2A_20240719"
    grid: Grid = GRID
    bands: BandTable = BANDS
    path: str = ""
    scaled_by: str = ""
    offset: float = 0.0

    def touches(self, window):
        return True

    def read_reflectance(self, window):
        return self.values[(slice(None), *window.toslices())].copy()

    def read_flags(self, window, flags):
        none = np.zeros(self.values.shape[1:], bool)
        return np.stack([self.masks.get(flag, none)[window.toslices()] for flag in flags])


def make_dates(count, cloudy=0.5, seed=3):
    generator = np.random.default_rng(seed)
    shape = (len(BANDS.names), *GRID.shape)
    return [
        Date(
            generator.normal(0.3, 0.1, shape).astype(np.float32),
            {"cloud": generator.random(GRID.shape) < cloudy},
        )
        for _ in range(count)
    ]


def compose(dates, folder, mask=("cloud",), window=WHOLE, place=None, polygon=None):
    part = select_part(dates[0], window=place, polygon=polygon)
    work = Composite(part, dates, mask, folder)
    return *work.compose(window), work.tally


def nanmedian(dates):
    """numpy's median of clear looks, and their count."""
    values = np.stack([np.where(date.masks["cloud"], np.nan, date.values) for date in dates])
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return np.nanmedian(values, axis=0), np.isfinite(values[:, 0]).sum(axis=0)


@pytest.mark.parametrize("dates", [1, 2, 3, 4, 9, 24, 37])
def test_median_of_looks_is_numpys_nanmedian(dates):
    generator = np.random.default_rng(dates)
    values = generator.normal(size=(dates, 3, 5000)).astype(np.float32)
    values = np.round(values, 1)
    cloudy = generator.random((dates, 5000)) < generator.random(5000)
    values[np.broadcast_to(cloudy[:, None], values.shape)] = np.nan
    looks = (~cloudy).sum(axis=0)
    assert looks.min() == 0
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        expected = np.nanmedian(values, axis=0)
    found = median_of_looks(values, looks.astype(np.uint16))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_an_even_count_takes_the_mean_of_the_middle_two():
    values = np.array([0.1, np.nan, 0.4, 0.2, 0.9], np.float32).reshape(5, 1, 1)
    assert median_of_looks(values, np.array([4]))[0, 0] == np.float32(0.3)


@pytest.mark.parametrize("count", [1, 4, 7])
def test_composite_is_the_median_of_clear_looks(tmp_path, count):
    dates = make_dates(count)
    median, looks, tally = compose(dates, tmp_path)
    expected, clear = nanmedian(dates)
    np.testing.assert_array_equal(median, expected)
    np.testing.assert_array_equal(looks, clear)
    assert looks.dtype == np.uint16
    assert (tally.total, tally.observed, tally.valid) == (600, 600, (clear > 0).sum())
    np.testing.assert_array_equal(tally.looks, np.bincount(clear.ravel(), minlength=count + 1))
    np.testing.assert_array_equal(tally.clear, [600 - date.masks["cloud"].sum() for date in dates])
    np.testing.assert_array_equal(tally.seen, [600] * count)
    np.testing.assert_array_equal(tally.flagged, [sum(d.masks["cloud"].sum() for d in dates)])


def test_a_pixel_cloudy_on_all_dates_has_no_look_and_no_value(tmp_path):
    dates = make_dates(4, cloudy=0.0)
    for date in dates:
        date.masks["cloud"][5, 7] = True
    median, looks, tally = compose(dates, tmp_path)
    assert looks[5, 7] == 0
    assert np.isnan(median[:, 5, 7]).all()
    assert np.isnan(median).sum() == 3
    assert (tally.observed, tally.valid) == (600, 599)


def test_fill_and_a_missing_band_are_no_look_but_not_masked_either(tmp_path):
    dates = make_dates(3, cloudy=0.0)
    dates[0].masks["fill"] = np.zeros(GRID.shape, bool)
    dates[0].masks["fill"][0] = dates[0].masks["cloud"][0] = True
    dates[1].values[2, 1, 1] = np.nan
    median, looks, tally = compose(dates, tmp_path)
    assert (looks[0] == 2).all()
    assert looks[1, 1] == 2
    assert np.isfinite(median[:, 1, 1]).all()
    np.testing.assert_array_equal(tally.seen, [570, 599, 600])
    np.testing.assert_array_equal(tally.flagged, [0])
    expected = np.stack([dates[0].values, dates[2].values])[:, :, 1, 1].mean(axis=0)
    np.testing.assert_allclose(median[:, 1, 1], expected, rtol=1e-6)


def test_only_the_flags_asked_for_mask(tmp_path):
    dates = make_dates(3)
    dates[1].masks["snow"] = np.ones(GRID.shape, bool)
    assert compose(dates, tmp_path, mask=())[1].min() == 3
    _, looks, tally = compose(dates, tmp_path, mask=("snow", "snow"))
    assert (looks == 2).all()
    np.testing.assert_array_equal(tally.flagged, [600])


def test_window_and_polygon_cut_all_dates_alike(tmp_path):
    import geopandas
    from shapely.geometry import box

    dates = make_dates(5)
    expected, clear = nanmedian(dates)
    median, looks, _ = compose(dates, tmp_path, window=Window(2, 1, 8, 9), place=(3, 4, 12, 11))
    np.testing.assert_array_equal(median, expected[:, 5:14, 5:13])
    np.testing.assert_array_equal(looks, clear[5:14, 5:13])

    # Columns 10-19 and rows 5-14, less the corner of 5 by 5 at the upper left.
    place = box(600_100, 8_699_850, 600_200, 8_699_950)
    place = place.difference(box(600_100, 8_699_900, 600_150, 8_699_950))
    geopandas.GeoSeries([place], crs=GRID.crs).to_file(tmp_path / "place.gpkg")
    median, looks, tally = compose(
        dates, tmp_path, window=Window(0, 0, 10, 10), polygon=tmp_path / "place.gpkg"
    )
    outside = np.zeros((10, 10), bool)
    outside[:5, :5] = True
    np.testing.assert_array_equal(looks == LOOKS_NODATA, outside)
    np.testing.assert_array_equal(looks[~outside], clear[5:15, 10:20][~outside])
    assert np.isnan(median[:, outside]).all()
    np.testing.assert_array_equal(median[:, ~outside], expected[:, 5:15, 10:20][:, ~outside])
    assert (tally.total, tally.observed, tally.looks.sum()) == (100, 75, 75)


def test_dates_that_do_not_reach_into_a_window_are_not_read(tmp_path):
    import geopandas
    from shapely.geometry import box

    class Far(Date):
        def touches(self, window):
            return window.col_off < 10

        def read_reflectance(self, window):
            assert self.touches(window)
            return super().read_reflectance(window)

    near, far = make_dates(1, cloudy=0.0), make_dates(2, cloudy=0.0)
    dates = [*near, *(Far(date.values, date.masks) for date in far)]
    work = Composite(select_part(dates[0]), dates, ("cloud",), tmp_path)
    median, looks = work.compose(Window(10, 0, 20, 20))
    assert (looks == 1).all()
    np.testing.assert_array_equal(median, near[0].values[:, :, 10:])
    assert (work.compose(Window(0, 0, 10, 20))[1] == 3).all()
    # Nor is anything but one date where the polygon leaves nothing of a window.
    places = [
        box(600_000, 8_699_900, 600_050, 8_700_000),
        box(600_250, 8_699_900, 600_300, 8_700_000),
    ]
    geopandas.GeoSeries(places, crs=GRID.crs).to_file(tmp_path / "places.gpkg")
    part = select_part(dates[0], polygon=tmp_path / "places.gpkg")
    work = Composite(part, [near[0], *[Unread(None)] * 2], ("cloud",), tmp_path)
    assert (work.compose(Window(10, 0, 10, 10))[1] == LOOKS_NODATA).all()


class Unread(Date):
    """A date that nobody may read."""

    def read_reflectance(self, window):
        raise AssertionError


@pytest.mark.parametrize("block_bytes", [1, 7 * 3 * 4 * 100, 7 * 3 * 4 * 599])
def test_pieces_on_disk_give_the_same_and_leave_nothing(tmp_path, monkeypatch, block_bytes):
    dates = make_dates(7)
    expected = compose(dates, tmp_path / "memory")
    assert not (tmp_path / "memory").exists()
    monkeypatch.setattr(composite, "BLOCK_BYTES", block_bytes)
    found = compose(dates, tmp_path / "disk")
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert list((tmp_path / "disk").iterdir()) == []


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def seek(self, place):
            pass

        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(composite, "BLOCK_BYTES", 1)
    monkeypatch.setattr(composite.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(InputError, match=r"No space left on device; a block of 7 dates takes"):
        compose(make_dates(7), tmp_path)


def test_dates_on_other_grids_or_bands_are_refused(tmp_path):
    dates = make_dates(2)
    moved = Grid(GRID.crs, GRID.transform @ Affine.translation(1, 0), 30, 20)
    dates[1] = Date(dates[1].values, grid=moved, product_id="S2B_20240724")
    with pytest.raises(InputError, match=r"S2B_20240724.*shifted"):
        compose(dates, tmp_path)
    other = Grid(CRS.from_epsg(32722), GRID.transform, 30, 20)
    dates[1] = Date(dates[1].values, grid=other, product_id="S2B_20240724")
    with pytest.raises(InputError, match=r"S2B_20240724.*32722"):
        compose(dates, tmp_path)
    dates[1] = Date(dates[1].values[:2], bands=BandTable(("B02", "B03")))
    with pytest.raises(InputError, match="B02 B03 where S2A_20240719 has B02 B03 B04"):
        compose(dates, tmp_path)


def test_nothing_seen_and_nothing_clear_are_told_apart(tmp_path):
    dates = make_dates(2, cloudy=1.0)
    with pytest.raises(InputError, match="the flags cloud mask every pixel on every date"):
        compose(dates, tmp_path)
    for date in dates:
        date.values[:] = np.nan
    with pytest.raises(InputError, match="all pixels are nodata"):
        compose(dates, tmp_path)


MEMORY = """
import sys
from pathlib import Path
import numpy as np
sys.path[:0] = ["scripts", "tests/unit/cube"]
from test_composite import Date, BANDS, GRID, Grid, Composite, select_part, Window, composite

class Drawn(Date):
    def read_reflectance(self, window):
        return np.full((3, window.height, window.width), 0.1, np.float32)

    def read_flags(self, window, flags):
        return np.zeros((len(flags), window.height, window.width), bool)

composite.BLOCK_BYTES = 4 * 2**20
grid = Grid(GRID.crs, GRID.transform, 512, 512)
dates = [Drawn(None, grid=grid) for _ in range(int(sys.argv[1]))]
work = Composite(select_part(dates[0]), dates, ("cloud",), Path(sys.argv[2]))
work.compose(Window(0, 0, 512, 512))
lines = dict(line.split(":") for line in open("/proc/self/status"))
print(int(lines["VmHWM"].split()[0]) / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_dates(root, tmp_path):
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-c", MEMORY, str(count), tmp_path],
                cwd=root,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for count in (4, 80)
    )
    # 80 dates of 3 bands and 512 x 512 pixels are 240 MiB.
    assert many < few + 10
