import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from samples import write_raster

from gossan.errors import InputError
from gossan.forests.features import Recipe, Stack, make_features, read_point_features
from gossan.raster import Grid, grow_window

RECIPES = [Recipe(), Recipe((3, 9)), Recipe((5,), "haar", 2), Recipe((), "sym4", 1)]


def scene(layers=3, rows=50, columns=61, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.random((layers, rows, columns)).astype(np.float32) * 1000
    values[1, 20:24, 30:33] = np.nan
    return values


def whole(values, recipe, layers=(0, 1, 2)):
    rows, columns = values.shape[1:]
    return make_features(values, np.s_[0:rows, 0:columns], recipe, layers)


def test_means_and_deviations_are_those_of_the_valid_pixels():
    values = scene()
    found = whole(values, Recipe((7,)))
    names = Recipe((7,)).names("abc")
    assert names[3:] == tuple(f"{n} {w} 7" for w in ("mean", "deviation") for n in "abc")
    missing = np.isnan(values).any(axis=0)
    assert np.isnan(found[:, missing]).all()
    for row, column in ((0, 0), (25, 31), (49, 60), (18, 34), (30, 10)):
        around = np.s_[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
        own = values[2][around][~missing[around]].astype(float)
        assert found[5, row, column] == pytest.approx(own.mean(), rel=1e-6)
        assert found[8, row, column] == pytest.approx(own.std(), rel=1e-5)


@pytest.mark.parametrize("recipe", RECIPES)
def test_blocks_have_the_features_of_the_whole_to_the_last_bit(recipe):
    values = scene()
    full = whole(values, recipe)
    assert len(full) == len(recipe.names("abc")) == len(recipe.layers_of("abc"))
    grid = Grid(None, None, 61, 50)
    for window in (Window(0, 0, 17, 13), Window(17, 13, 20, 20), Window(40, 30, 21, 20)):
        grown = grow_window(window, grid, recipe.halo, recipe.align)
        row, column = window.row_off - grown.row_off, window.col_off - grown.col_off
        inner = np.s_[row : row + window.height, column : column + window.width]
        part = make_features(values[(slice(None), *grown.toslices())], inner, recipe, (0, 1, 2))
        own = full[(slice(None), *window.toslices())]
        if recipe.transform is None:
            assert np.array_equal(part, own, equal_nan=True)
        else:
            assert np.allclose(part, own, atol=1e-3, equal_nan=True)


def test_differences_do_not_change_with_illumination():
    recipe = Recipe(differences=True)
    assert recipe.names("abc")[3:] == ("a - b", "a - c", "b - c")
    values = np.abs(scene()) + np.float32(0.1)
    found, darker = (whole(factor * values, recipe) for factor in (1.0, 0.25))
    np.testing.assert_allclose(found[3:], darker[3:], rtol=1e-6)
    a, b, _ = values
    valid = np.isfinite(found[0])
    np.testing.assert_allclose(found[3][valid], ((a - b) / (a + b))[valid], rtol=1e-6)
    nothing = whole(np.zeros((3, 8, 8), "float32"), recipe)
    assert (nothing == 0).all()


def test_differences_of_many_layers_are_of_some_that_are_evenly_spread():
    layers = [f"B{place:03}" for place in range(285)]
    recipe = Recipe(differences=True)
    names = recipe.names(layers)
    assert len(names) == len(recipe.layers_of(layers)) == 285 + 24 * 23 // 2
    kept = {name.split(" - ")[0] for name in names[285:]} | {names[-1].split(" - ")[1]}
    places = sorted(layers.index(name) for name in kept)
    assert len(places) == 24
    assert (places[0], places[-1]) == (0, 284)
    assert set(np.diff(places)) <= {12, 13}
    assert recipe.note(layers).startswith("differences are of 24 of 285 layers")
    assert recipe.note(layers[:24]) == Recipe().note(layers) == ""
    values = np.random.default_rng(1).random((30, 6, 7)).astype("float32") + 0.1
    found = whole(values, recipe, range(30))
    names = recipe.names(layers[:30])
    assert len(found) == len(names)
    first, second = (layers.index(name) for name in names[-1].split(" - "))
    expected = (values[first] - values[second]) / (values[first] + values[second])
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)


def test_layers_that_are_not_used_do_not_matter():
    values = scene()
    found = whole(values, Recipe((3,)), (0, 2))
    assert np.isfinite(found).all()
    values[1] = np.nan
    assert np.array_equal(whole(values, Recipe((3,)), (0, 2)), found)


@pytest.mark.parametrize("threads", [1, 3])
def test_points_have_the_features_of_their_pixels(tmp_path, threads):
    values = scene()
    write_raster(tmp_path / "cube.tif", values, nodata=np.nan)
    recipe = Recipe((9,))
    generator = np.random.default_rng(1)
    rows, columns = generator.integers(0, 50, 80), generator.integers(0, 61, 80)
    with Stack([tmp_path / "cube.tif"]) as stack:
        found = read_point_features(
            stack, recipe, (0, 1, 2), rows, columns, block_px=16, threads=threads
        )
    assert np.array_equal(found, whole(values, recipe)[:, rows, columns].T, equal_nan=True)


@pytest.mark.parametrize("threads", [1, 3])
def test_reading_points_leaves_no_file_open_and_the_stack_of_use(tmp_path, monkeypatch, threads):
    write_raster(tmp_path / "cube.tif", scene(), nodata=np.nan)
    open_raster, opened = rasterio.open, []

    def note(*arguments, **options):
        opened.append(open_raster(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(rasterio, "open", note)
    rows, columns = np.arange(0, 50, 5), np.arange(0, 50, 5)
    with Stack([tmp_path / "cube.tif"]) as stack:
        before = stack.read(Window(3, 5, 40, 30))
        options = {"block_px": 16, "threads": threads}
        first = read_point_features(stack, Recipe(), (0, 1, 2), rows, columns, **options)
        assert len(opened) > 1
        assert all(dataset.closed for dataset in opened)
        again = read_point_features(stack, Recipe(), (0, 1, 2), rows, columns, **options)
        assert np.array_equal(first, again, equal_nan=True)
        assert np.array_equal(before, stack.read(Window(3, 5, 40, 30)), equal_nan=True)
    assert all(dataset.closed for dataset in opened)


def test_single_band_files_make_a_cube_called_by_their_names(tmp_path):
    values = scene()
    for name, band in zip(("B02", "B03", "K"), values, strict=True):
        write_raster(tmp_path / f"{name}.tif", band, nodata=np.nan)
    paths = [tmp_path / f"{name}.tif" for name in ("B02", "B03", "K")]
    with Stack(paths[:2], paths[2:]) as stack:
        assert stack.layers == ("B02", "B03", "K")
        assert stack.cube_layers == (0, 1)
        assert stack.notes == []
        assert np.array_equal(
            stack.read(Window(3, 5, 40, 30)), values[:, 5:35, 3:43], equal_nan=True
        )
    with pytest.raises(InputError, match="two layers are called 'B02'"):
        Stack(paths, paths[:1])


def test_an_extra_raster_on_another_grid_is_resampled_and_said(tmp_path):
    columns = np.mgrid[0:50, 0:60][1]
    write_raster(tmp_path / "cube.tif", (columns * 30.0).astype("f4"), nodata=-1)
    coarse = (np.mgrid[0:30, 0:40][1] * 60.0 + 15 - 300).astype("f4")
    write_raster(
        tmp_path / "coarse.tif", coarse, nodata=-9e9, pixel=60, origin=(429_700.0, 3_990_090.0)
    )
    fine = (np.mgrid[0:150, 0:150][1] * 10.0).astype("f4")
    write_raster(tmp_path / "fine.tif", fine, nodata=-1, pixel=10)
    with Stack([tmp_path / "cube.tif"], [tmp_path / "coarse.tif", tmp_path / "fine.tif"]) as stack:
        found = stack.read(Window(0, 0, 60, 50))
        part = stack.read(Window(7, 11, 20, 9))
        assert "bilinear" in stack.notes[0]
        assert "part of the cube" not in stack.notes[0]
        assert "mean of its pixels" in stack.notes[1]
        assert "part of the cube" in stack.notes[1]
    assert np.allclose(found[1], found[0], atol=1e-3)
    assert np.allclose(found[2, :, :50], found[0, :, :50] + 10)
    assert np.isnan(found[2, :, 50:]).all()
    assert np.array_equal(part, found[:, 11:20, 7:27], equal_nan=True)


def test_rasters_that_cannot_be_layers_are_refused(tmp_path):
    cube = write_raster(tmp_path / "cube.tif", np.zeros((50, 60), "f4"))
    far = write_raster(tmp_path / "far.tif", np.zeros((50, 60), "f4"), origin=(600_000, 3_990_000))
    with pytest.raises(InputError, match=r"far\.tif: does not overlap the cube"):
        Stack([cube], [far])
    with pytest.raises(InputError, match=r"far\.tif: its pixels are shifted"):
        Stack([cube, far])
    bare = write_raster(tmp_path / "bare.tif", np.zeros((50, 60), "f4"), crs=None)
    with pytest.raises(
        InputError, match=r"bare\.tif: it or what it goes with has no coordinate system"
    ):
        Stack([cube], [bare])
    with pytest.raises(InputError, match="no such raster"):
        Stack([cube], [tmp_path / "absent.tif"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"windows_px": (4,)}, "odd sides"),
        ({"windows_px": (1,)}, "odd sides"),
        ({"windows_px": (3, 3)}, "twice"),
        ({"wavelet": "oak"}, "wavelet 'oak'"),
        ({"wavelet": "haar", "wavelet_level": 0}, "level 0"),
    ],
)
def test_recipes_without_meaning_are_refused(wrong, words):
    with pytest.raises(InputError, match=words):
        Recipe(**wrong)
