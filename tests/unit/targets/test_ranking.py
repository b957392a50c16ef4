import numpy as np
import pytest
import rasterio
import shapely
from prospects import TAGS
from rasterio.crs import CRS
from rasterio.transform import from_origin
from samples import write_raster
from scipy import ndimage

from gossan.errors import InputError
from gossan.prospects.potential import classify_potential
from gossan.raster import Grid, read_info
from gossan.targets.ranking import label_block, least_pixels, survey_targets

SIZE = (90, 110)


def scores(seed=1, smooth=2.0):
    generator = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(generator.standard_normal(SIZE), smooth)
    values = (values - values.min()) / np.ptp(values)
    values[30:40, 50:60] = np.nan
    return values.astype("float32")


def write_maps(folder, score):
    folder.mkdir(parents=True, exist_ok=True)
    codes = classify_potential(score, 0.55, 0.7)
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    write_raster(folder / "potential.tif", codes, nodata=255, tags=TAGS, **tiles)
    write_raster(folder / "score.tif", score, nodata=np.nan, tags=TAGS, **tiles)
    write_raster(folder / "uncertainty.tif", 1 - score / 2, nodata=np.nan, tags=TAGS, **tiles)
    return codes


def survey(folder, **options):
    options = {"level": "medium", "least_px": 5, "most": 50, "synthetic": True} | options
    return survey_targets(
        folder / "potential.tif", folder / "score.tif", folder / "uncertainty.tif", [], **options
    )


def brute_patches(score, codes, level, least_px):
    """(mean score, pixels, row and column of the point, share of high) of each, the best first."""
    labels, number = ndimage.label((codes >= level) & (codes != 255), np.ones((3, 3)))
    found = []
    for label in range(1, number + 1):
        inside = labels == label
        if inside.sum() >= least_px:
            rows, columns = np.nonzero(inside)
            weight = np.rint(score[inside].astype(float) * 1000)
            centre = (rows * weight).sum() / weight.sum(), (columns * weight).sum() / weight.sum()
            nearest = ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2).argmin()
            row, column = rows[nearest], columns[nearest]
            mean = np.rint(score[inside].astype(float) * 1e6).sum() / 1e6 / inside.sum()
            found.append((mean, inside.sum(), row, column, (codes[inside] == 3).mean()))
    return sorted(found, key=lambda item: -item[0])


@pytest.mark.parametrize(("window_px", "threads"), [(512, 1), (32, 2), (16, 2)])
@pytest.mark.parametrize(("smooth", "level"), [(2.0, "medium"), (0.8, "medium"), (2.0, "high")])
def test_patches_are_those_of_the_whole_map(tmp_path, window_px, threads, smooth, level):
    score = scores(smooth=smooth)
    codes = write_maps(tmp_path, score)
    found = survey(tmp_path, level=level, window_px=window_px, threads=threads)
    expected = brute_patches(score, codes, {"medium": 2, "high": 3}[level], 5)
    assert found.patches == len(expected) > 3
    targets = found.targets
    assert targets["rank"].tolist() == list(range(1, min(50, len(expected)) + 1))
    transform = read_info(tmp_path / "score.tif").grid.transform
    for row, (mean, pixels, top, left, high) in zip(
        targets.itertuples(), expected[:50], strict=True
    ):
        assert row.mean_score == pytest.approx(mean, abs=1e-6)
        assert row.area_ha == pytest.approx(pixels * 0.09)
        assert (row.x, row.y) == pytest.approx(transform @ (left + 0.5, top + 0.5))
        assert row.high_share == pytest.approx(high, abs=1e-6)
        assert row.uncertainty == pytest.approx(1 - mean / 2, abs=1e-5)
        assert row.geometry.area == pytest.approx(pixels * 900)
        assert row.geometry.contains(shapely.Point(row.x, row.y))


def test_outlines_cover_exactly_the_patches(tmp_path):
    score = scores(smooth=0.8)
    codes = write_maps(tmp_path, score)
    targets = survey(tmp_path, least_px=1, most=10_000).targets
    burnt = rasterio.features.rasterize(
        list(targets.geometry),
        out_shape=SIZE,
        transform=read_info(tmp_path / "score.tif").grid.transform,
    )
    assert np.array_equal(burnt == 1, (codes >= 2) & (codes != 255))
    assert targets.is_valid.all()
    assert set(targets.geom_type) == {"MultiPolygon"}
    assert (targets.synthetic == "yes").all()


def test_blocks_change_nothing_at_all(tmp_path):
    write_maps(tmp_path, scores(smooth=1.2))
    whole = survey(tmp_path).targets
    for window_px in (16, 48):
        blocks = survey(tmp_path, window_px=window_px, threads=2).targets
        assert blocks.drop(columns="geometry").equals(whole.drop(columns="geometry"))
        assert [shape.wkb for shape in blocks.geometry] == [shape.wkb for shape in whole.geometry]


def test_patches_touching_at_a_corner_of_four_blocks_are_one(tmp_path):
    for place, pixels in enumerate((((15, 15), (16, 16)), ((15, 16), (16, 15)))):
        score = np.zeros(SIZE, "float32")
        for pixel in pixels:
            score[pixel] = 0.8
        write_maps(tmp_path / str(place), score)
        found = survey(tmp_path / str(place), least_px=2, window_px=16)
        assert found.patches == 1
        assert len(found.targets.geometry[0].geoms) == 2


def test_a_patch_around_many_blocks_is_one(tmp_path):
    score = np.zeros(SIZE, "float32")
    score[5, 5:105] = score[80, 5:105] = score[5:81, 5] = score[5:81, 104] = 0.6
    score[20:70:2, 20:90] = 0.9
    score[20:70, 20] = 0.9
    write_maps(tmp_path, score)
    found = survey(tmp_path, window_px=16, threads=2)
    assert found.patches == 2
    assert found.targets.mean_score.tolist() == pytest.approx([0.9, 0.6])
    assert len(found.targets.geometry[1].geoms[0].interiors) == 1


def test_equal_scores_rank_the_larger_then_the_upper_first(tmp_path):
    score = np.zeros(SIZE, "float32")
    score[50:52, 10:15] = score[20:22, 10:15] = score[70:74, 10:15] = 0.6
    write_maps(tmp_path, score)
    targets = survey(tmp_path).targets
    rows = ((3_990_000 - targets.y) // 30).tolist()
    assert rows == [71, 20, 50]


def test_only_the_best_are_written_but_all_are_counted(tmp_path):
    write_maps(tmp_path, scores())
    everything, best = survey(tmp_path), survey(tmp_path, most=2)
    assert best.patches == everything.patches > 2
    assert best.targets.mean_score.tolist() == everything.targets.mean_score.tolist()[:2]


def test_a_map_without_potential_has_no_targets(tmp_path):
    write_maps(tmp_path, np.full(SIZE, 0.1, "float32"))
    found = survey(tmp_path)
    assert len(found.targets) == found.patches == 0
    assert found.counts.pixels.tolist() == [0, SIZE[0] * SIZE[1], 0, 0]
    write_maps(tmp_path, np.full(SIZE, np.nan, "float32"))
    assert survey(tmp_path).counts.pixels.sum() == 0


def test_small_parts_are_left_out_only_inside_a_block():
    potential = np.ones((20, 20), "uint8")
    potential[0, 3] = potential[10, 10] = potential[19, 19] = 2
    potential[5:8, 5:8] = 2
    labels = label_block(potential, 2, 4)
    assert labels[10, 10] == 0
    assert len({labels[0, 3], labels[19, 19], labels[6, 6]} - {0}) == 3
    assert labels.max() == 3


def test_maps_that_do_not_belong_together_are_refused(tmp_path):
    write_maps(tmp_path, scores())
    write_raster(tmp_path / "score.tif", scores()[::-1].copy(), nodata=np.nan)
    with pytest.raises(InputError, match=r"score\.tif: has data on other pixels"):
        survey(tmp_path)
    write_raster(tmp_path / "score.tif", scores() + 1, nodata=np.nan)
    with pytest.raises(InputError, match=r"score\.tif: holds values beyond 0 to 1"):
        survey(tmp_path)
    write_raster(tmp_path / "potential.tif", np.full(SIZE, 7, "uint8"), nodata=255)
    with pytest.raises(InputError, match=r"potential\.tif: holds the code 7"):
        survey(tmp_path)


def test_the_least_area_is_counted_in_pixels():
    grid = Grid(CRS.from_epsg(32643), from_origin(0, 0, 20, 20), 10, 10)
    assert least_pixels(grid, 1, "p.tif") == 25
    assert least_pixels(grid, 0, "p.tif") == 1
    assert least_pixels(grid, 1.001, "p.tif") == 26
    with pytest.raises(InputError, match="min-area-ha: -1"):
        least_pixels(grid, -1, "p.tif")
    degrees = Grid(CRS.from_epsg(4326), from_origin(0, 0, 0.1, 0.1), 10, 10)
    with pytest.raises(InputError, match=r"p\.tif: is not in a projected system"):
        least_pixels(degrees, 1, "p.tif")
