"""The porphyry ground, and what all grounds have: windows, shares, seeds, light and sky."""

import numpy as np
import pytest
from rasterio.windows import Window

from gossan.legend import read_classes
from gossan.twin.noise import field_key, fractal_noise, white_noise
from gossan.twin.porphyry import CONSTITUENTS, COVERS, PorphyryGround
from gossan.twin.terrain import finer, mean_about

SIZE = 96
PIXEL_M = 30.0
SUN = (40.0, 130.0)
REFERENCES = (
    *("chlorite", "chalcocite", "pyrite", "epidote", "malachite", "calcite", "alunite"),
    *("magnetite", "biotite", "serpentine", "dolomite", "feldspar", "muscovite"),
)


def make(seed: int = 42, difficulty: float = 1.0, size: int = SIZE) -> PorphyryGround:
    return PorphyryGround(seed, (size * PIXEL_M, size * PIXEL_M), difficulty)


@pytest.fixture(scope="module")
def codes(root):
    classes = read_classes(root / "resources" / "static" / "minerals.csv")
    return {entry.name: entry.code for entry in classes}


def outputs(ground: PorphyryGround, window: Window) -> list[np.ndarray]:
    """Everything a sensor asks of a window."""
    variability = ground.variability(window, PIXEL_M)
    sky = ground.clouds(window, PIXEL_M, *SUN)
    return [
        ground.abundances(window, PIXEL_M),
        variability.depth,
        variability.brightness,
        variability.tilt,
        ground.elevation(window, PIXEL_M),
        *ground.illumination(window, PIXEL_M, *SUN),
        sky.cloud,
        sky.shadow,
        sky.cirrus,
        sky.haze,
    ]


@pytest.mark.parametrize(("rows", "columns"), [(96, 96), (17, 31), (1, 96), (50, 7)])
def test_a_window_on_its_own_equals_its_part_of_the_whole(rows, columns):
    ground = make()
    whole = outputs(ground, Window(0, 0, SIZE, SIZE))
    for row, column in ((0, 0), (41, 60)):
        window = Window(
            min(column, SIZE - columns), min(row, SIZE - rows), columns, min(rows, SIZE)
        )
        inside = (
            slice(window.row_off, window.row_off + window.height),
            slice(window.col_off, window.col_off + window.width),
        )
        for part, full in zip(outputs(ground, window), whole, strict=True):
            np.testing.assert_array_equal(part, full[..., *inside])


def test_chunks_do_not_show(monkeypatch):
    window = Window(0, 0, 64, 64)
    whole = make().abundances(window, PIXEL_M)
    monkeypatch.setattr("gossan.twin.porphyry._CHUNK_CELLS", 1000)
    np.testing.assert_array_equal(make().abundances(window, PIXEL_M), whole)


@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_shares_are_shares(difficulty):
    shares = make(difficulty=difficulty).abundances(Window(0, 0, SIZE, SIZE), PIXEL_M)
    assert shares.dtype == np.float32
    assert shares.shape == (len(CONSTITUENTS), SIZE, SIZE)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=0), 1.0, atol=2e-6)


def test_another_pixel_size_sees_the_same_ground():
    ground = make()
    coarse = ground.abundances(Window(10, 20, 16, 12), 30.0)
    fine = ground.abundances(Window(20, 40, 32, 24), 15.0)
    mean = fine.reshape(len(CONSTITUENTS), 12, 2, 16, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse, mean, atol=1e-6)
    height = ground.elevation(Window(10, 20, 16, 12), 30.0)
    finer = ground.elevation(Window(30, 60, 48, 36), 10.0)[1::3, 1::3]
    np.testing.assert_allclose(height, finer, atol=0.01)


def test_a_moved_ground_is_seen_beside_of_its_place():
    ground = make(7)
    wrong = ground.moved(30.0, 0.0).moved(0.0, -60.0)
    here, there = Window(5, 9, 6, 4), Window(6, 7, 6, 4)
    assert ground.offset_m == (0.0, 0.0)
    np.testing.assert_allclose(wrong.abundances(here, 30), ground.abundances(there, 30), atol=1e-6)
    np.testing.assert_allclose(wrong.elevation(here, 30), ground.elevation(there, 30), rtol=1e-6)
    half = ground.abundances(Window(5.5, 9.0, 6, 4), 30)
    np.testing.assert_allclose(ground.moved(15.0, 0.0).abundances(here, 30), half, atol=1e-6)


def test_pixels_of_half_the_side_lie_evenly_about_those_of_a_window():
    """Cells whose value is their column: means of 30 m lie on the line through the 15 m values."""
    fine = np.broadcast_to(np.arange(9.0), (7, 9))
    np.testing.assert_allclose(mean_about(fine), np.broadcast_to([1, 3, 5, 7], (3, 4)))
    ground, window = make(), Window(4, 6, 5, 3)
    shares = mean_about(ground.abundances(finer(window), 15.0))
    assert shares.shape[1:] == (3, 5)
    assert np.abs(shares - ground.abundances(window, 30.0)).mean() < 0.02


def test_seeds_repeat_and_differ():
    window = Window(0, 0, SIZE, SIZE)
    first = make(1).abundances(window, PIXEL_M)
    np.testing.assert_array_equal(first, make(1).abundances(window, PIXEL_M))
    assert np.abs(first - make(2).abundances(window, PIXEL_M)).mean() > 0.01


def test_easier_ground_is_purer():
    window = Window(0, 0, SIZE, SIZE)
    shares = [make(difficulty=d).abundances(window, PIXEL_M).max(axis=0) for d in (0, 1, 2)]
    purity = [share.mean() for share in shares]
    assert purity[0] > purity[1] > purity[2]
    # Only pixels on contacts, many in a miniature, stay mixed.
    assert np.median(shares[0]) > 0.97


def test_easy_ground_does_not_vary_and_has_no_clouds():
    ground, window = make(difficulty=0), Window(0, 0, 32, 32)
    variability = ground.variability(window, PIXEL_M)
    assert (variability.depth == 1).all()
    assert (variability.brightness == 1).all()
    assert (variability.tilt == 0).all()
    assert not ground.clouds(window, PIXEL_M, *SUN).cloud.any()


@pytest.mark.parametrize("seed", [42, 5])
def test_every_reference_mineral_crops_out_at_the_default_size(seed, codes):
    ground = make(seed, size=512)
    # Every second pixel each way, as pixels of 60 m over the same ground.
    truth = ground.truth(Window(0, 0, 256, 256), 60.0, codes)
    for name in REFERENCES:
        assert 4 * np.count_nonzero(truth == codes[name]) >= 300, name
    for name in ("kaolinite", "goethite", "hematite", "jarosite", "quartz", *COVERS[:4]):
        assert (truth == codes[name]).any(), name


def test_a_small_ground_is_a_miniature_with_all_its_zones(codes):
    truth = make(size=128).truth(Window(0, 0, 128, 128), PIXEL_M, codes)
    assert {codes[name] for name in REFERENCES} <= set(np.unique(truth).tolist())


def test_truth_is_the_largest_share(codes):
    ground, window = make(), Window(3, 5, 20, 20)
    shares = ground.abundances(window, PIXEL_M)
    truth = ground.truth(window, PIXEL_M, codes)
    assert truth.dtype == np.uint8
    names = np.array([codes[name] for name in CONSTITUENTS])
    np.testing.assert_array_equal(truth, names[shares.argmax(axis=0)])
    np.testing.assert_array_equal(truth, ground.truth(window, PIXEL_M, codes, shares))


def test_bodies_are_bodies_not_confetti(codes):
    truth = make(size=256).truth(Window(0, 0, 256, 256), PIXEL_M, codes)
    same = (truth[:, 1:] == truth[:, :-1]).mean()
    assert same > 0.85


def test_light_falls_on_slopes_that_face_the_sun():
    ground, window = make(), Window(0, 0, SIZE, SIZE)
    height = ground.elevation(window, PIXEL_M).astype(np.float64)
    rows, columns = np.gradient(height, PIXEL_M)
    # In the morning the sun stands in the south-east.
    away = columns * np.sin(np.radians(SUN[1])) - rows * np.cos(np.radians(SUN[1]))
    direct, sky_view = ground.illumination(window, PIXEL_M, *SUN)
    inner = (slice(1, -1), slice(1, -1))
    assert np.corrcoef(direct[inner].ravel(), away[inner].ravel())[0, 1] < -0.7
    assert direct.min() >= 0
    assert direct.max() <= 1 / np.sin(np.radians(SUN[0])) + 1e-6
    assert 0.5 < sky_view.min() <= sky_view.max() <= 1
    low, _ = ground.illumination(window, PIXEL_M, 8.0, SUN[1])
    assert (low == 0).mean() > (direct == 0).mean()
    with pytest.raises(ValueError, match="horizon"):
        ground.illumination(window, PIXEL_M, 0.0, 0.0)


def test_shadows_lie_away_from_the_sun():
    ground = make(size=128, difficulty=2)
    window = Window(-60, -60, 248, 248)
    noon = ground.clouds(window, PIXEL_M, 45.0, 180.0)
    cloud, shadow = noon.cloud > 0, noon.shadow > 0
    assert cloud.any()
    throw = round(1900.0 * 128 * PIXEL_M / 15360.0 / PIXEL_M)
    # Sun in the south: the shadow is the cloud moved north, to smaller row numbers.
    agree = (cloud[throw:] == shadow[:-throw]).mean()
    assert agree > 0.97


def test_overpasses_have_their_own_weather():
    ground, window = make(difficulty=2), Window(0, 0, 64, 64)
    one, two = (ground.clouds(window, PIXEL_M, *SUN, overpass=n).haze for n in (1, 2))
    assert np.abs(one - two).max() > 0.05


@pytest.mark.parametrize(("extent", "difficulty"), [((0, 10), 1), ((10, 10), -1), ((10, 10), 2.1)])
def test_impossible_grounds_are_refused(extent, difficulty):
    with pytest.raises(ValueError, match=r"extent|difficulty"):
        PorphyryGround(1, extent, difficulty)


def test_noise_is_standard_and_smooth():
    x, y = np.random.default_rng(0).uniform(-1e4, 1e4, (2, 200_000))
    values = fractal_noise(x, y, field_key(3, "a"), 1.0, 4)
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02
    moved = fractal_noise(x + 1e-6, y, field_key(3, "a"), 1.0, 4)
    assert np.abs(moved - values).max() < 1e-3
    other = fractal_noise(x, y, field_key(3, "b"), 1.0, 4)
    assert abs(np.corrcoef(values, other)[0, 1]) < 0.02


def test_white_noise_is_normal_and_uncorrelated():
    grid = np.arange(-200, 200)
    values = white_noise(grid, grid, field_key(1, "w"))
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1]) < 0.01
    np.testing.assert_array_equal(
        white_noise(grid[5:9], grid[7:8], field_key(1, "w")), values[7:8, 5:9]
    )
