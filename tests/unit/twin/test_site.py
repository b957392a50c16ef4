"""Grounds at their places: sizes, grids, windows of the district, hours of the day."""

from datetime import UTC, datetime

import numpy as np
import pytest
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.twin.grounds import GROUNDS
from gossan.twin.porphyry import ALTERATION, DISTRICT_M, FIELD_ZONES, PorphyryGround
from gossan.twin.site import find_site, place_window

# The smallest that there is of each ground.
LEAST = {name: [ground.least_px] * (1 if ground.square else 2) for name, ground in GROUNDS.items()}


def place(name, size_px, seed=42, difficulty=1.0):
    return find_site(name, seed=seed, size_px=size_px, difficulty=difficulty)


@pytest.fixture(scope="module")
def district():
    return PorphyryGround(42, (DISTRICT_M, DISTRICT_M), 1.0).moved(-7.5, -7.5)


@pytest.mark.parametrize(
    ("name", "size_px", "bounds"),
    [
        ("porphyry", [512], (429_225.0, 3_965_355.0, 444_585.0, 3_980_715.0)),
        ("iron", [768], (761_460.0, 8_408_280.0, 769_140.0, 8_415_960.0)),
        ("epithermal", [128], (480_420.0, 4_151_880.0, 484_260.0, 4_155_720.0)),
    ],
)
def test_grounds_lie_about_their_centres(name, size_px, bounds):
    grid = place(name, size_px).grid
    assert grid.bounds == bounds
    assert grid.crs.to_epsg() == GROUNDS[name].epsg
    assert grid.shape == (size_px[0], size_px[0])


@pytest.mark.parametrize("size_px", [96, 768, 8190])
def test_the_iron_ground_lies_on_60_m_pixels_of_its_tile(size_px):
    west, south, east, north = place("iron", [size_px]).grid.bounds
    assert (west - 699_960) % 60 == 0
    assert (8_500_020 - north) % 60 == 0
    assert west >= 699_960 and east <= 699_960 + 109_800
    assert south >= 8_500_020 - 109_800 and north <= 8_500_020


@pytest.mark.parametrize("name", list(GROUNDS))
def test_every_pixel_size_covers_the_ground_from_one_corner(name):
    site = place(name, [side + GROUNDS[name].step_px for side in LEAST[name]])
    west, south, east, north = site.grid.bounds
    for pixel_m, step_m in ((7.5, 30), (10, 60), (30, 30), (60, 60)):
        grid = site.covering(pixel_m, step_m)
        left, low, right, high = grid.bounds
        assert (left, high) == (west, north)
        assert east <= right < east + step_m
        assert south - step_m < low <= south
        assert grid.width * pixel_m % step_m == grid.height * pixel_m % step_m == 0


@pytest.mark.parametrize("seed", [1, 42])
def test_the_window_of_zones_holds_both(seed):
    size = (147, 87)
    ground = PorphyryGround(seed, (DISTRICT_M, DISTRICT_M), 1.0).moved(-7.5, -7.5)
    column, row = place_window(ground, size)
    assert 0 <= column <= 512 - 147
    assert 0 <= row <= 512 - 87
    whole = ground.alteration(Window(0, 0, 512, 512), 30)

    def smaller(c, r):
        part = whole[r : r + 87, c : c + 147]
        return min((part == ALTERATION.index(name)).sum() for name in FIELD_ZONES)

    best = smaller(column, row)
    assert best > 0.2 * 147 * 87
    places = np.random.default_rng(0).integers(0, (512 - 147, 512 - 87), (300, 2))
    assert max(smaller(c, r) for c, r in places) <= best
    site = place("porphyry-zones", list(size), seed)
    assert site.first_px == (column, row)
    np.testing.assert_array_equal(
        site.terrain.alteration(Window(0, 0, *size), 30),
        whole[row : row + 87, column : column + 147],
    )


def test_windows_as_large_as_the_district_share_its_centre(district):
    assert place_window(district, (2500, 2100)) == (-994, -794)
    column, row = place_window(district, (600, 87))
    assert column == -44
    assert 0 <= row <= 512 - 87


def test_it_is_as_late_by_the_sun_wherever_a_ground_lies():
    moment = datetime(2023, 6, 2, 18, 52, 31, tzinfo=UTC)
    sites = [place(name, LEAST[name]) for name in ("epithermal", "iron")]
    moments = [site.local(moment, -117.20) for site in sites]
    assert moments[0] == moment
    assert (moments[1].hour, moments[1].minute) == (13, 53)
    for site, here in zip(sites, moments, strict=True):
        # An hour before noon the sun stands in the east.
        assert 20 < site.sun(here)[1] < 160


def test_only_a_slanted_ground_ends_before_its_edges():
    site = place("porphyry", [72])
    outside = site.outside(Window(0, 0, 72, 72), site.grid)
    assert 0.02 < outside.mean() < 0.12
    np.testing.assert_array_equal(
        site.outside(Window(3, 5, 20, 10), site.grid), outside[5:15, 3:23]
    )
    other = place("epithermal", [32])
    assert not other.outside(Window(0, 0, 32, 32), other.grid).any()


@pytest.mark.parametrize(
    ("name", "size_px", "words"),
    [
        ("gold", [64], "ground 'gold' is unknown; use one of: porphyry, porphyry-zones, iron"),
        ("porphyry", [63], "--size-px 63: out of range for the ground porphyry; use 64 to 8192"),
        ("porphyry", [64, 64], "--size-px 64 64: the ground porphyry is square; give one side"),
        ("porphyry-zones", [64], "the ground porphyry-zones needs columns and rows"),
        ("porphyry-zones", [64, 63], "--size-px 64 63: out of range"),
        ("iron", [100], "--size-px 100: the ground iron has a side of a multiple of 6 pixels"),
        ("epithermal", [33], "a side of a multiple of 2"),
        ("epithermal", [2050], "use 32 to 2048 pixels of 30 m"),
    ],
)
def test_a_size_that_a_ground_cannot_have_is_named(name, size_px, words):
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        place(name, size_px)


@pytest.mark.parametrize("difficulty", [-0.1, 2.1, float("nan")])
def test_a_difficulty_out_of_range_is_named(difficulty):
    with pytest.raises(InputError, match=r"--difficulty .*: out of range; use 0 to 2"):
        place("epithermal", [32], difficulty=difficulty)
